mod ending;
mod knock;
mod outstanding;
mod stop;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jibri_scaler_core::port::{DrainClient, Presence, Target, Told};
use tokio::time::timeout;

use crate::{AddressBook, BuildError, TimeoutOutOfRange, timeout::in_range};
use ending::Ending;
use knock::knock;

pub use stop::HttpStop;

const GRACEFUL_SHUTDOWN_PATH: &str = "/jibri/api/internal/v1.0/gracefulShutdown";

/// How long the drain client waits.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_http::DrainConfig;
///
/// let config = DrainConfig::default().with_patience(Duration::from_secs(1))?;
/// assert_eq!(config.patience(), Duration::from_secs(1));
/// # Ok::<(), jibri_scaler_http::TimeoutOutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainConfig {
    connect_timeout: Duration,
    patience: Duration,
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            patience: Duration::from_secs(2),
        }
    }
}

impl DrainConfig {
    /// How long a connection may take to come about. Default 1 s, and never longer than [`patience`](Self::patience).
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout.min(self.patience)
    }

    /// How long one call waits for an answer. A `gracefulShutdown` that takes longer stays under way. Default 2 s.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// Sets [`connect_timeout`](Self::connect_timeout), range 10 ms to 60 s.
    ///
    /// # Errors
    /// Where the value is out of that range.
    pub fn with_connect_timeout(mut self, value: Duration) -> Result<Self, TimeoutOutOfRange> {
        self.connect_timeout = in_range("connect_timeout", value)?;
        Ok(self)
    }

    /// Sets [`patience`](Self::patience), range 10 ms to 60 s.
    ///
    /// # Errors
    /// Where the value is out of that range.
    pub fn with_patience(mut self, value: Duration) -> Result<Self, TimeoutOutOfRange> {
        self.patience = in_range("patience", value)?;
        Ok(self)
    }
}

/// Takes Jibris out of service by `POST {internal}/jibri/api/internal/v1.0/gracefulShutdown`.
///
/// Every request goes over a connection of its own, so that a connection which was kept from a Jibri that has gone cannot be
/// mistaken for one that took the request.
///
/// An idle Jibri closes the connection instead of answering; a busy one answers at once; one that runs its finalize script
/// answers hours later. So a request that is not answered within [`DrainConfig::patience`] stays under way, and the next
/// [`tell`](DrainClient::tell) for the same instance waits for that one. There is at most one per instance, also where `tell`
/// is called at once from several places or dropped half-way. One that nobody asks about for three hours is forgotten. A request
/// of an earlier call that turns out to have been taken is sent once more: the Jibri that took it may have been restarted since.
///
/// Needs a tokio runtime that stays the same between calls.
///
/// ```
/// use jibri_scaler_http::{Addresses, DrainConfig, HttpDrain};
///
/// let book = Addresses::from_templates("http://{private_ip}:2222", "http://{private_ip}:3333")?;
/// let drain = HttpDrain::new(book, &DrainConfig::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HttpDrain {
    addresses: Arc<dyn AddressBook>,
    ending: Ending,
    patience: Duration,
    connect_timeout: Duration,
}

impl HttpDrain {
    /// A drain client that finds the Jibris in this address book.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new(
        addresses: impl AddressBook + 'static,
        config: &DrainConfig,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            addresses: Arc::new(addresses),
            ending: Ending::new(config)?,
            patience: config.patience(),
            connect_timeout: config.connect_timeout(),
        })
    }
}

#[async_trait]
impl DrainClient for HttpDrain {
    async fn is_reachable(&self, target: &Target) -> bool {
        let Ok(bases) = self.addresses.find(target) else {
            return false;
        };
        let answer = self.ending.client.get(bases.internal.join("/")).send();
        matches!(timeout(self.patience, answer).await, Ok(Ok(_)))
    }

    async fn tell(&self, target: &Target) -> Told {
        let Ok(bases) = self.addresses.find(target) else {
            return Told::Unknown;
        };
        let url = bases.internal.join(GRACEFUL_SHUTDOWN_PATH);
        self.ending.ask(&target.id, &url).await
    }

    async fn look(&self, target: &Target) -> Presence {
        let Ok(bases) = self.addresses.find(target) else {
            return Presence::Unclear;
        };
        let (health, internal) = futures_util::future::join(
            knock(&bases.health, self.connect_timeout),
            knock(&bases.internal, self.connect_timeout),
        )
        .await;
        Presence::of(health, internal)
    }
}
