use std::{fmt, net::IpAddr};

use async_trait::async_trait;

use super::forward;
use crate::{Instance, InstanceId, JibriStatus, Reachability};

/// The instance that a port is to speak to.
///
/// ```
/// use jibri_scaler_core::port::Target;
///
/// let target = Target::new("i-0abc".parse()?);
/// assert_eq!(target.id.as_str(), "i-0abc");
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Target {
    /// Its id.
    pub id: InstanceId,
    /// Its private address, where the listing knows it.
    pub private_ip: Option<IpAddr>,
}

impl Target {
    /// The instance of this id, whose address is not known.
    #[must_use]
    pub const fn new(id: InstanceId) -> Self {
        Self {
            id,
            private_ip: None,
        }
    }
}

impl From<&Instance> for Target {
    fn from(instance: &Instance) -> Self {
        Self {
            id: instance.id.clone(),
            private_ip: instance.private_ip,
        }
    }
}

/// What came of one attempt to read a Jibri's health. Nothing but [`Answered`](Self::Answered) says anything about the Jibri.
///
/// ```
/// use jibri_scaler_core::{Reachability, port::ProbeOutcome};
///
/// assert_eq!(ProbeOutcome::HttpStatus(503).reachability(), Reachability::Answered);
/// assert_eq!(ProbeOutcome::Reset.reachability(), Reachability::TimedOut);
/// assert_eq!(ProbeOutcome::Refused.status(), None);
/// assert_eq!(ProbeOutcome::HttpStatus(503).to_string(), "HTTP status 503");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeOutcome {
    /// HTTP 200 with a status that could be read.
    Answered(JibriStatus),
    /// HTTP 200 with more bytes than a health answer can have.
    BodyTooLarge,
    /// HTTP 200 with a body that is not the health of a Jibri.
    Garbage,
    /// The headers came, the body did not end in time.
    HungAfterHeaders,
    /// An HTTP status other than 200.
    HttpStatus(u16),
    /// It is not known where to ask, or the name has no address; why.
    NoAddress(String),
    /// The connection was refused: nothing listens there.
    Refused,
    /// The connection was reset or closed before an answer came.
    Reset,
    /// No connection or no answer in time.
    TimedOut,
    /// The body ended before its end.
    Truncated,
    /// The attempt failed in another way (TLS, routing); how.
    Unreachable(String),
    /// HTTP 200 with another content type than JSON.
    WrongContentType(String),
}

impl ProbeOutcome {
    /// What the decision is told of the attempt.
    ///
    /// An HTTP answer of any kind is [`Answered`](Reachability::Answered), also where it could not be read. A connection that
    /// broke on the way is [`TimedOut`](Reachability::TimedOut): one lost packet says nothing of the Jibri.
    #[must_use]
    pub const fn reachability(&self) -> Reachability {
        match self {
            Self::Answered(_)
            | Self::BodyTooLarge
            | Self::Garbage
            | Self::HttpStatus(_)
            | Self::WrongContentType(_) => Reachability::Answered,
            Self::Refused => Reachability::Refused,
            Self::HungAfterHeaders
            | Self::NoAddress(_)
            | Self::Reset
            | Self::TimedOut
            | Self::Truncated
            | Self::Unreachable(_) => Reachability::TimedOut,
        }
    }

    /// The name of the outcome, without what varies from one to the next: to count by.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::BodyTooLarge => "body_too_large",
            Self::Garbage => "garbage",
            Self::HungAfterHeaders => "hung_after_headers",
            Self::HttpStatus(_) => "http_status",
            Self::NoAddress(_) => "no_address",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::TimedOut => "timed_out",
            Self::Truncated => "truncated",
            Self::Unreachable(_) => "unreachable",
            Self::WrongContentType(_) => "wrong_content_type",
        }
    }

    /// The status, where one could be read.
    #[must_use]
    pub const fn status(&self) -> Option<&JibriStatus> {
        match self {
            Self::Answered(status) => Some(status),
            _ => None,
        }
    }
}

impl fmt::Display for ProbeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(status) => {
                write!(
                    f,
                    "answered {} {}",
                    status.busy.as_str(),
                    status.health.as_str()
                )
            }
            Self::BodyTooLarge => f.write_str("the answer is larger than a health answer can be"),
            Self::Garbage => f.write_str("the answer is not the health of a Jibri"),
            Self::HungAfterHeaders => f.write_str("the answer began and did not end in time"),
            Self::HttpStatus(status) => write!(f, "HTTP status {status}"),
            Self::NoAddress(why) => write!(f, "no address: {why}"),
            Self::Refused => f.write_str("the connection was refused"),
            Self::Reset => f.write_str("the connection was reset before an answer came"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Truncated => f.write_str("the answer ended before its end"),
            Self::Unreachable(how) => write!(f, "unreachable: {how}"),
            Self::WrongContentType(found) => write!(f, "the content type is `{found}`, not JSON"),
        }
    }
}

/// Reads the health of one Jibri.
///
/// # Contract
/// - Harmless: it changes nothing, and may be called any number of times and at once for many instances.
/// - It never fails: whatever happens is an outcome, and nothing but a status that was read in this call is
///   [`Answered`](ProbeOutcome::Answered).
/// - It ends within a time bounded by the implementation.
/// - Cancel-safe: dropping the future only closes the connection.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::port::{HealthProbe, ProbeOutcome, Target};
///
/// /// Nobody is there.
/// struct Nobody;
///
/// #[async_trait]
/// impl HealthProbe for Nobody {
///     async fn probe(&self, _: &Target) -> ProbeOutcome {
///         ProbeOutcome::Refused
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait HealthProbe: Send + Sync {
    /// Asks the Jibri on this instance for its health, once.
    async fn probe(&self, target: &Target) -> ProbeOutcome;
}

forward!(HealthProbe { probe(target: &Target) -> ProbeOutcome; });
