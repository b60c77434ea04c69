use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect, retry};

/// The HTTP client could not be made; the source says why (with TLS: no trust store, no provider).
///
/// Never happens with plain HTTP.
///
/// ```
/// use jibri_scaler_http::{BuildError, HttpProbe, ProbeConfig, addresses::LiveAddresses};
///
/// fn probe() -> Result<HttpProbe, BuildError> {
///     HttpProbe::new(LiveAddresses::default(), &ProbeConfig::default())
/// }
/// assert!(probe().is_ok());
/// ```
#[derive(Debug, thiserror::Error)]
#[error("could not make the HTTP client for Jibri: check the TLS set-up of this machine")]
pub struct BuildError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// What probe and drain client have in common. A Jibri is asked directly and exactly once: no proxy of the environment, no
/// redirect to somewhere else, no second try behind the caller's back.
pub(crate) fn builder(connect_timeout: Duration) -> ClientBuilder {
    Client::builder()
        .connect_timeout(connect_timeout)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .user_agent(concat!("jibri-scaler/", env!("CARGO_PKG_VERSION")))
}

pub(crate) fn build(builder: ClientBuilder) -> Result<Client, BuildError> {
    builder.build().map_err(|error| BuildError(error.into()))
}
