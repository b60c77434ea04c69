mod failure;
mod notices;

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_config::{
    imds::client::{Builder, Client, error::ImdsError},
    provider_config::ProviderConfig,
};
use aws_types::SdkConfig;
use jibri_scaler_core::{
    agent::port::{InstanceMetadata, Notices, TargetState},
    port::{PortError, PortErrorKind},
};

use crate::{BuildError, InvalidName, build, call::SHORTEST_TIMEOUT};

const TARGET_STATE: &str = "autoscaling/target-lifecycle-state";
const SPOT_ACTION: &str = "spot/instance-action";
const SCHEDULED_EVENTS: &str = "events/maintenance/scheduled";

/// The longest that a request takes unless told otherwise. The service is on the host and answers within milliseconds, but a machine
/// that records may be slow to notice.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The longest that connecting takes, which needs none but the kernel.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The instance metadata service of EC2, version 2, as [`InstanceMetadata`].
///
/// It needs no rights, and has no part in the request budget of Auto Scaling. It has one of its own per instance, so that asking
/// each second is fine and asking in a loop is not.
///
/// - Requests go over plain HTTP to the link-local address, or to where `AWS_EC2_METADATA_SERVICE_ENDPOINT` or the AWS profile say,
///   with an HTTP client of its own that knows no proxy: a proxy would answer with the metadata of another machine. The token of
///   version 2 is fetched once in six hours, and anew when it is refused (the machine was hibernated, its clock was set back).
/// - In a container the instance needs the metadata option `HttpPutResponseHopLimit` 2, or the token never arrives.
/// - Where Spot takes the instance back, scheduled events are not asked for any more: the Spot notice must not wait for them.
///   Cancelled and completed events do not count.
///
/// # Errors of its port
/// `Permanent` where the metadata service is switched off (HTTP 403), or its address is none; `Throttled` where it asks for rest
/// (HTTP 429); `Transient` for all else, as for an answer that cannot be read. Nothing is retried: the next reading is the retry.
///
/// ```no_run
/// use jibri_scaler_aws::agent::Imds;
/// use jibri_scaler_core::agent::port::{InstanceMetadata, TargetState};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let imds = Imds::new(&sdk)?;
/// let identity = imds.identity().await?;
/// println!("{} in {}", identity.instance_id, identity.region);
/// if imds.target_state().await? == Some(TargetState::Terminated) {
///     println!("this instance is to go");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Imds {
    pub(super) sdk: SdkConfig,
    builder: Builder,
    client: Arc<Mutex<Client>>,
}

impl Imds {
    /// The metadata service of this instance. Nothing is called yet, and a region is not needed: [`identity`](Self::identity) tells
    /// it. The configuration is for the one call to AWS that `identity` may make.
    ///
    /// # Errors
    /// Where the configuration lacks a behaviour version.
    pub fn new(sdk: &SdkConfig) -> Result<Self, BuildError> {
        build::check_version(sdk)?;
        let mut provider = ProviderConfig::without_region()
            .with_behavior_version(sdk.behavior_version())
            .with_http_client(aws_smithy_http_client::Builder::new().build_http());
        if let Some(sleep) = sdk.sleep_impl() {
            provider = provider.with_sleep_impl(sleep);
        }
        if let Some(time) = sdk.time_source() {
            provider = provider.with_time_source(time);
        }
        // The client's own are 10 s for an attempt and four attempts: a notice of two minutes must not wait for that.
        let builder = Client::builder().configure(&provider).max_attempts(1);
        Ok(Self::over(sdk.clone(), timed(builder, TIMEOUT)))
    }

    /// Lets each request take this long at most, its token included; 2 s by default. A port call makes at most four. Less than
    /// 100 ms counts as 100 ms.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        let timeout = timeout.max(SHORTEST_TIMEOUT);
        Self::over(self.sdk, timed(self.builder, timeout))
    }

    /// Asks at this address, such as `http://127.0.0.1:1338`, instead of the link-local one and of what the environment says.
    ///
    /// # Errors
    /// Where it is no HTTP URL.
    pub fn with_endpoint(self, endpoint: &str) -> Result<Self, InvalidName> {
        let wrong = || {
            let what = "the address of the instance metadata service";
            InvalidName::new(what, endpoint, "must be a URL that begins with `http://`")
        };
        if !endpoint.starts_with("http://") {
            return Err(wrong());
        }
        let builder = self.builder.endpoint(endpoint).map_err(|_| wrong())?;
        Ok(Self::over(self.sdk, builder))
    }

    fn over(sdk: SdkConfig, builder: Builder) -> Self {
        let client = Arc::new(Mutex::new(builder.clone().build()));
        Self {
            sdk,
            builder,
            client,
        }
    }

    /// One entry of the metadata, without the white space around it; `None` where it is not there.
    pub(super) async fn read(&self, path: &str) -> Result<Option<String>, PortError> {
        let full = format!("/latest/meta-data/{path}");
        let mut answer = self.client().get(full.as_str()).await;
        if status(&answer) == Some(401) {
            // The client keeps a token until it expires by the clock, even when the service takes it no more.
            answer = self.renewed().get(full).await;
        }
        match answer {
            Ok(text) => Ok(Some(text.as_ref().trim().to_owned())),
            Err(_) if status(&answer) == Some(404) => Ok(None),
            Err(error) => Err(failure::of(error, Self::reading(path))),
        }
    }

    /// A text that must be one word.
    pub(super) fn word(path: &str, text: String) -> Result<String, PortError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || ":-_".contains(c);
        if text.is_empty() || !text.chars().all(fits) {
            return Err(Self::unreadable(path, &text, "it is not one word"));
        }
        Ok(text)
    }

    pub(super) fn reading(path: &str) -> String {
        format!("read `{path}` from the instance metadata service")
    }

    pub(super) fn unreadable(
        path: &str,
        text: &str,
        why: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> PortError {
        let start: String = text.chars().take(200).collect();
        PortError::new(PortErrorKind::Transient, Self::reading(path)).with_source(format!(
            "the answer {start:?} is not as documented: {}",
            why.into()
        ))
    }

    fn client(&self) -> Client {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.clone()
    }

    /// A client without a token, which stays.
    fn renewed(&self) -> Client {
        let fresh = self.builder.clone().build();
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.clone_from(&fresh);
        fresh
    }
}

#[async_trait]
impl InstanceMetadata for Imds {
    async fn target_state(&self) -> Result<Option<TargetState>, PortError> {
        let Some(text) = self.read(TARGET_STATE).await? else {
            return Ok(None);
        };
        let word = Self::word(TARGET_STATE, text)?;
        Ok(Some(TargetState::from(word.as_str())))
    }

    async fn notices(&self) -> Result<Notices, PortError> {
        let mut notices = Notices::default();
        if let Some(text) = self.read(SPOT_ACTION).await? {
            let time = notices::spot_end(&text);
            notices.spot_ends_at =
                Some(time.map_err(|error| Self::unreadable(SPOT_ACTION, &text, error))?);
            return Ok(notices);
        }
        if let Some(text) = self.read(SCHEDULED_EVENTS).await? {
            notices.event_at = notices::first_event(&text)
                .map_err(|error| Self::unreadable(SCHEDULED_EVENTS, &text, error))?;
        }
        Ok(notices)
    }
}

fn timed(builder: Builder, timeout: Duration) -> Builder {
    builder
        .connect_timeout(timeout.min(CONNECT_TIMEOUT))
        .read_timeout(timeout)
        .operation_attempt_timeout(timeout)
        .operation_timeout(timeout)
}

/// The status with which the service refused.
fn status<T>(answer: &Result<T, ImdsError>) -> Option<u16> {
    match answer {
        Err(ImdsError::ErrorResponse(refusal)) => Some(refusal.response().status().as_u16()),
        _ => None,
    }
}
