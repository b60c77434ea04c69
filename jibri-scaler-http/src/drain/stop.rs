use std::sync::Arc;

use jibri_scaler_core::port::{Target, Told};

use super::{DrainConfig, ending::Ending};
use crate::{AddressBook, BuildError};

const SHUTDOWN_PATH: &str = "/jibri/api/internal/v1.0/shutdown";

/// Stops Jibris at once by `POST {internal}/jibri/api/internal/v1.0/shutdown`, **in the middle of a recording too**.
///
/// The Jibri stops what it records, runs its finalize script and exits with 255. That is for a machine that is lost anyway, as at
/// the notice of a Spot interruption: what exists can still be uploaded. Everywhere else it is [`HttpDrain`](super::HttpDrain)
/// that ends a Jibri, and that is why this is a type of its own.
///
/// Requests are sent as those of [`HttpDrain`](super::HttpDrain): each over a connection of its own, at most one outstanding per
/// instance. Needs a tokio runtime that stays the same between calls.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, port::{Target, Told}};
/// use jibri_scaler_http::{DrainConfig, HttpStop, addresses::LiveAddresses};
/// use jibri_scaler_http::fake::{FakeJibri, FakeServer, Profile};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let start = Timestamp::from_secs(0);
/// let fake = FakeServer::start(FakeJibri::new(Profile::booted().with_finalize(Duration::ZERO), start))?;
/// fake.start_session(start, "standup", None)?;
/// fake.advance(start + Duration::from_secs(60))?;
///
/// let target = Target::new("i-0abc".parse()?);
/// let book = LiveAddresses::default();
/// book.insert(target.id.clone(), fake.bases().clone());
/// let stop = HttpStop::new(book, &DrainConfig::default())?;
/// assert_eq!(stop.stop_now(&target).await, Told::Yes);
/// assert!(!fake.is_session_active());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HttpStop {
    addresses: Arc<dyn AddressBook>,
    ending: Ending,
}

impl HttpStop {
    /// Finds the Jibris in this address book.
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
        })
    }

    /// Stops the recording of this Jibri, if there is one, and ends its process.
    ///
    /// Jibri answers only when its finalize script has returned. So [`Told::Unknown`] may mean that the request was taken and is
    /// under way; calling again waits for that one. A future that is dropped may have stopped the Jibri.
    pub async fn stop_now(&self, target: &Target) -> Told {
        let Ok(bases) = self.addresses.find(target) else {
            return Told::Unknown;
        };
        let url = bases.internal.join(SHUTDOWN_PATH);
        self.ending.ask(&target.id, &url).await
    }
}
