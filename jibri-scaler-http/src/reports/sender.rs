use std::time::Duration;

use jibri_scaler_core::{InstanceId, JibriStatus};
use reqwest::{Client, header};

use super::{body::Body, token::Token};
use crate::{BuildError, addresses::BaseUrl, client};

/// How long a report may take in all: it is old by then, and the next one is due.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Reports to a controller on behalf of an agent. The other end, with an example, is `receiver::Listener`, behind the feature `receiver`.
///
/// A report that fails is not sent again: the next one has newer things to say.
#[derive(Clone, Debug)]
pub struct ReportSender {
    client: Client,
    url: String,
    token: Token,
}

impl ReportSender {
    /// Reports to the controller at this address with this token.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new(controller: &BaseUrl, token: Token) -> Result<Self, BuildError> {
        let builder = client::builder(TIMEOUT).timeout(TIMEOUT);
        Ok(Self {
            client: client::build(builder.pool_max_idle_per_host(1))?,
            url: controller.join("/v1/status"),
            token,
        })
    }

    /// Reports the status of the Jibri on this instance, once. It ends within 2 s.
    ///
    /// Cancel-safe: a future that is dropped may have reported.
    ///
    /// # Errors
    /// Where the controller did not take it.
    pub async fn send(
        &self,
        id: &InstanceId,
        status: &JibriStatus,
        version: &str,
    ) -> Result<(), SendError> {
        let answer = self
            .client
            .post(&self.url)
            .header(header::AUTHORIZATION, self.token.header())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::write(id, status, version))
            .send()
            .await
            .map_err(|error| SendError::Unreachable(error.without_url().into()))?;
        match answer.status().as_u16() {
            200 => Ok(()),
            401 => Err(SendError::WrongToken),
            403 => Err(SendError::NotAllowed),
            404 => Err(SendError::NotListed),
            other => Err(SendError::Refused(other)),
        }
    }
}

/// Why a controller did not take a report.
///
/// ```
/// use jibri_scaler_http::reports::SendError;
///
/// let error = SendError::WrongToken;
/// assert!(error.to_string().starts_with("the controller refuses the token"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The token is that of another instance.
    #[error(
        "the controller refuses the token for this instance: give the agent that of its own instance"
    )]
    NotAllowed,
    /// It has not listed this instance yet. The next report will be taken, if it is in the group.
    #[error("the controller does not know this instance (yet)")]
    NotListed,
    /// It answered with another HTTP status.
    #[error(
        "the controller refuses the report with HTTP status {0}: see that both are of the same version"
    )]
    Refused(u16),
    /// It could not be reached, or did not answer in time.
    #[error("the controller could not be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is neither the token that the controller has for all agents, nor one that was made of its secret.
    #[error(
        "the controller refuses the token, which is neither the one that all agents have nor made of the controller's secret: make it \
         anew where the secret is, which stays off the instances"
    )]
    WrongToken,
}
