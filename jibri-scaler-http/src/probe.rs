use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jibri_scaler_core::{
    JibriStatus,
    port::{HealthProbe, ProbeOutcome, Target},
};
use reqwest::{Client, Response, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use crate::{AddressBook, BuildError, TimeoutOutOfRange, client, failure::Failure, timeout};

const HEALTH_PATH: &str = "/jibri/api/v1.0/health";
/// A health answer has a few hundred bytes.
const MAX_BODY: usize = 64 * 1024;
/// What of a wrong content type is worth repeating.
const MAX_CONTENT_TYPE: usize = 100;

/// How long a probe waits.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_http::ProbeConfig;
///
/// let config = ProbeConfig::default().with_timeout(Duration::from_millis(800))?;
/// assert_eq!(config.timeout(), Duration::from_millis(800));
/// assert_eq!(config.connect_timeout(), Duration::from_millis(800), "never longer than the whole");
/// # Ok::<(), jibri_scaler_http::TimeoutOutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeConfig {
    connect_timeout: Duration,
    timeout: Duration,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
        }
    }
}

impl ProbeConfig {
    /// How long a connection may take to come about. Default 1 s, and never longer than [`timeout`](Self::timeout).
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout.min(self.timeout)
    }

    /// How long a probe may take in all, name, connection and body included. Default 3 s.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sets [`connect_timeout`](Self::connect_timeout), range 10 ms to 60 s.
    ///
    /// # Errors
    /// Where the value is out of that range.
    pub fn with_connect_timeout(mut self, value: Duration) -> Result<Self, TimeoutOutOfRange> {
        self.connect_timeout = timeout::in_range("connect_timeout", value)?;
        Ok(self)
    }

    /// Sets [`timeout`](Self::timeout), range 10 ms to 60 s.
    ///
    /// # Errors
    /// Where the value is out of that range.
    pub fn with_timeout(mut self, value: Duration) -> Result<Self, TimeoutOutOfRange> {
        self.timeout = timeout::in_range("timeout", value)?;
        Ok(self)
    }
}

/// Reads the health of Jibris by `GET {base}/jibri/api/v1.0/health`.
///
/// Connections are kept open between probes. Redirects are not followed, no proxy of the environment is used, and at most
/// 64 KiB of a body are read. A kept connection may have been closed by a Jibri that has ended or restarted meanwhile; so a
/// probe that finds its connection reset asks once more, on a fresh one, within the same time.
///
/// ```
/// use jibri_scaler_http::{Addresses, HttpProbe, ProbeConfig};
///
/// let book = Addresses::from_templates("http://{private_ip}:2222", "http://{private_ip}:3333")?;
/// let probe = HttpProbe::new(book, &ProbeConfig::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HttpProbe {
    addresses: Arc<dyn AddressBook>,
    kept: Client,
    fresh: Client,
    timeout: Duration,
}

impl HttpProbe {
    /// A probe that finds the Jibris in this address book.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new(
        addresses: impl AddressBook + 'static,
        config: &ProbeConfig,
    ) -> Result<Self, BuildError> {
        let builder = || client::builder(config.connect_timeout());
        Ok(Self {
            addresses: Arc::new(addresses),
            kept: client::build(builder().pool_max_idle_per_host(1))?,
            fresh: client::build(builder().pool_max_idle_per_host(0))?,
            timeout: config.timeout(),
        })
    }
}

#[async_trait]
impl HealthProbe for HttpProbe {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        let url = match self.addresses.find(target) {
            Ok(bases) => bases.health.join(HEALTH_PATH),
            Err(unknown) => return ProbeOutcome::NoAddress(unknown.to_string()),
        };
        let deadline = Instant::now() + self.timeout;
        match ask(&self.kept, &url, deadline).await {
            ProbeOutcome::Reset => ask(&self.fresh, &url, deadline).await,
            outcome => outcome,
        }
    }
}

async fn ask(client: &Client, url: &str, deadline: Instant) -> ProbeOutcome {
    let answer = client.get(url).header(header::ACCEPT, "application/json");
    match timeout_at(deadline, answer.send()).await {
        Err(_) => ProbeOutcome::TimedOut,
        Ok(Err(error)) => match Failure::of(error) {
            Failure::NoName(why) => ProbeOutcome::NoAddress(why),
            Failure::Refused => ProbeOutcome::Refused,
            Failure::Broken => ProbeOutcome::Reset,
            Failure::TimedOut => ProbeOutcome::TimedOut,
            Failure::Other(why) => ProbeOutcome::Unreachable(why),
        },
        Ok(Ok(response)) => read(response, deadline).await,
    }
}

async fn read(mut response: Response, deadline: Instant) -> ProbeOutcome {
    if response.status() != StatusCode::OK {
        return ProbeOutcome::HttpStatus(response.status().as_u16());
    }
    let content_type = response
        .headers()
        .get(header::CONTENT_TYPE)
        .map_or_else(String::new, |value| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        });
    if !is_json(&content_type) {
        let shown = content_type.chars().take(MAX_CONTENT_TYPE).collect();
        return ProbeOutcome::WrongContentType(shown);
    }
    let mut body = Vec::new();
    loop {
        match timeout_at(deadline, response.chunk()).await {
            Err(_) => return ProbeOutcome::HungAfterHeaders,
            Ok(Err(error)) if error.is_timeout() => return ProbeOutcome::HungAfterHeaders,
            Ok(Err(_)) => return ProbeOutcome::Truncated,
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() > MAX_BODY => {
                return ProbeOutcome::BodyTooLarge;
            }
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => break,
        }
    }
    JibriStatus::from_body(&body).map_or(ProbeOutcome::Garbage, ProbeOutcome::Answered)
}

/// `application/json`, in any case, with or without parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised_with_parameters_and_in_any_case() {
        for yes in [
            "application/json",
            "application/json;charset=UTF-8",
            "Application/JSON ; x=y",
        ] {
            assert!(is_json(yes), "{yes}");
        }
        for no in [
            "",
            "text/html",
            "application/jsonp",
            "text/json",
            ";application/json",
        ] {
            assert!(!is_json(no), "{no}");
        }
    }
}
