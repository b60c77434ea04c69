//! What a failure of the SDK means for the control loop.

use std::{error::Error, fmt, time::Duration};

use aws_sdk_autoscaling::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use jibri_scaler_core::port::{PortError, PortErrorKind};

/// The codes with which AWS services ask to be called less often: `aws_runtime::retries::classifiers::THROTTLING_ERRORS` of
/// aws-runtime 1.10, copied because the SDK has no method that tells.
const THROTTLING: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

/// Codes that come with a status of 4xx and may be gone at the next tick.
const PASSING: [&str; 8] = [
    // Another activity of the group is in the way.
    "ScalingActivityInProgress",
    "ResourceContention",
    "RequestTimeout",
    "RequestTimeoutException",
    "InternalFailure",
    "ServiceUnavailable",
    // The credentials provider brings new ones.
    "ExpiredToken",
    "ExpiredTokenException",
];

/// What the SDK says where something is missing that only the embedder can give it (aws-smithy-runtime 1.16,
/// aws-credential-types 1.3), and what to do.
const MISSING: [(&str, &str); 4] = [
    (
        "No HTTP client was available",
        "make the SdkConfig with aws-config and its feature `default-https-client`, or set an HTTP client on it",
    ),
    (
        "no identity resolver for it",
        "make the SdkConfig with aws-config, or set a credentials provider on it",
    ),
    (
        "the credential provider was not enabled",
        "give the machine an instance role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    (
        "the credentials provider was not properly configured",
        "correct the AWS profile that the credentials come from",
    ),
];

/// The same for what may pass, since the source of the credentials may only be slow or busy.
const NOT_LOADED: (&str, &str) = (
    "an error occurred while loading credentials",
    "if it stays so, give the machine an instance role, or correct what AWS_PROFILE or AWS_ACCESS_KEY_ID says",
);

/// What to do where no answer came.
const UNREACHABLE: &str = "see that this machine reaches AWS there: its network and proxy, the region, and AWS_ENDPOINT_URL if it is set";

/// The failure of a call: what it means, and whether its text says a certain thing.
pub(crate) struct Failure {
    kind: PortErrorKind,
    code: Option<String>,
    message: Option<String>,
    cause: Box<Cause>,
}

impl Failure {
    /// `action` is the IAM action of the call, such as `autoscaling:SetDesiredCapacity`.
    pub(crate) fn new<E>(action: &'static str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        let message = error.message().map(str::to_owned);
        let status = error.raw_response().map(|r| r.status().as_u16());
        let kind = kind(&error, status);
        let advice = advice(&error, action);
        let cause = if let SdkError::ServiceError(_) = &error {
            Cause::Answer {
                status,
                code: code.clone(),
                message: message.clone(),
                request: error.meta().request_id().map(str::to_owned),
                advice,
            }
        } else {
            Cause::NoAnswer {
                advice,
                error: error.into(),
            }
        };
        Self {
            kind,
            code,
            message,
            cause: Box::new(cause),
        }
    }

    /// No call was made, since a shared budget had none left.
    pub(crate) fn no_turn(waited: Duration) -> Self {
        let why = format!(
            "the CallBudget had no call left for {waited:.1?}: let the groups tick less often, or raise the budget where AWS allows more"
        );
        Self {
            kind: PortErrorKind::Throttled,
            code: None,
            message: None,
            cause: Box::new(Cause::NoAnswer {
                advice: None,
                error: why.into(),
            }),
        }
    }

    pub(crate) const fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// The message, where the service answered with this code.
    pub(crate) fn message_of(&self, code: &str) -> Option<&str> {
        let message = self.message.as_deref();
        message.filter(|_| self.code.as_deref() == Some(code))
    }

    /// Whether the service refused the request as such, with a message that has one of these texts. Auto Scaling gives everything
    /// it refuses the code `ValidationError`, so that only the message tells.
    pub(crate) fn is_validation_error(&self, texts: &[&str]) -> bool {
        self.message_of("ValidationError")
            .is_some_and(|message| texts.iter().any(|text| message.contains(text)))
    }

    /// Whether the service answered with one of these codes.
    pub(crate) fn has_code(&self, codes: &[&str]) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| codes.contains(&code))
    }

    /// The error of that operation, which completes the sentence "could not …".
    pub(crate) fn during(self, operation: impl Into<String>) -> PortError {
        let error = PortError::new(self.kind, operation);
        match *self.cause {
            Cause::NoAnswer {
                advice: None,
                error: cause,
            } => error.with_source(cause),
            cause => error.with_source(Box::new(cause) as Box<dyn Error + Send + Sync>),
        }
    }
}

fn kind<E>(error: &SdkError<E>, status: Option<u16>) -> PortErrorKind
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(_) => match (error.code(), status) {
            (Some(code), _) if THROTTLING.contains(&code) => PortErrorKind::Throttled,
            (_, Some(429)) => PortErrorKind::Throttled,
            (Some(code), _) if PASSING.contains(&code) => PortErrorKind::Transient,
            (_, Some(400..=499)) => PortErrorKind::Permanent,
            _ => PortErrorKind::Transient,
        },
        SdkError::ConstructionFailure(_) => PortErrorKind::Permanent,
        SdkError::DispatchFailure(failure) if failure.is_user() => PortErrorKind::Permanent,
        _ if missing(error).is_some() => PortErrorKind::Permanent,
        // Timeouts, broken connections, answers that cannot be read, and what later SDKs may add.
        _ => PortErrorKind::Transient,
    }
}

/// What to do next, for the failures that somebody must do something about.
fn advice<E>(error: &SdkError<E>, action: &'static str) -> Option<String>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(_) => {}
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            return Some(UNREACHABLE.to_owned());
        }
        SdkError::TimeoutError(_) => return Some(UNREACHABLE.to_owned()),
        _ => {
            return missing(error)
                .or_else(|| not_loaded(error))
                .map(str::to_owned);
        }
    }
    let of_table = action.starts_with("dynamodb:");
    match error.code()? {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => Some(format!(
            "allow {action} in the IAM policy of these credentials (`provision --iam`, or `provision::iam`, has the whole policy)"
        )),
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "AuthFailure" => Some("check the AWS credentials and the region".to_owned()),
        "RequestExpired" | "RequestTimeTooSkewed" => {
            Some("set the clock of this machine".to_owned())
        }
        "ResourceNotFoundException" if of_table => Some(
            "make the table, with the one key `lead` of type string, or correct its name and the region"
                .to_owned(),
        ),
        "ValidationException" if of_table => {
            Some("the table must have one key, `lead` of type string".to_owned())
        }
        "ValidationError" => Some("check the name and the size limits of the group".to_owned()),
        "InvalidParameterValue" | "InvalidParameterCombination" | "MissingParameter" => {
            Some("check the namespace and the clock of this machine".to_owned())
        }
        _ => None,
    }
}

/// What to do where the error or one of its causes says that something is missing.
fn missing(error: &(dyn Error + 'static)) -> Option<&'static str> {
    advice_of(&MISSING, error)
}

/// What to do where the credentials could not be loaded this time, which may pass.
fn not_loaded(error: &(dyn Error + 'static)) -> Option<&'static str> {
    advice_of(&[NOT_LOADED], error)
}

/// The advice for the first text of the list that the error or one of its causes says.
pub(crate) fn advice_of(
    list: &[(&str, &'static str)],
    error: &(dyn Error + 'static),
) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if let Some((_, advice)) = list.iter().find(|(says, _)| text.contains(says)) {
            return Some(advice);
        }
        next = error.source();
    }
    None
}

/// The cause of a [`PortError`]. The texts of the SDK's own service errors say "service error: unhandled error", so an answer is
/// written out here instead.
#[derive(Debug)]
enum Cause {
    Answer {
        status: Option<u16>,
        code: Option<String>,
        message: Option<String>,
        request: Option<String>,
        advice: Option<String>,
    },
    NoAnswer {
        advice: Option<String>,
        error: Box<dyn Error + Send + Sync>,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer {
                status,
                code,
                message,
                request,
                advice,
            } => {
                match code {
                    Some(code) => write!(f, "AWS answered {code}")?,
                    None => f.write_str("AWS answered with an error without a code")?,
                }
                if let Some(status) = status {
                    write!(f, " (HTTP {status}")?;
                    if let Some(request) = request {
                        write!(f, ", request {request}")?;
                    }
                    f.write_str(")")?;
                }
                if let Some(message) = message {
                    write!(f, ": {message}")?;
                }
                advice
                    .as_ref()
                    .map_or(Ok(()), |advice| write!(f, "; {advice}"))
            }
            Self::NoAnswer { advice, .. } => f.write_str(advice.as_deref().unwrap_or("no answer")),
        }
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Answer { .. } => None,
            Self::NoAnswer { error, .. } => Some(&**error),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::{
        error::ConnectorError,
        operation::set_desired_capacity::SetDesiredCapacityError as OperationError,
    };

    use super::*;

    fn failure(cause: &str) -> PortError {
        dispatch_failure(ConnectorError::other(cause.into(), None))
    }

    fn dispatch_failure(cause: ConnectorError) -> PortError {
        let error = SdkError::<OperationError>::dispatch_failure(cause);
        Failure::new("autoscaling:SetDesiredCapacity", error).during("do it")
    }

    #[test]
    fn what_only_the_embedder_can_give_is_permanent_and_says_what_to_give() {
        for (says, advice) in MISSING {
            let error = failure(&format!("{says}."));
            assert_eq!(error.kind(), PortErrorKind::Permanent);
            let report = error.report();
            assert!(
                report.starts_with(&format!(
                    "could not do it (permanent): {advice}: dispatch failure"
                )),
                "{report}"
            );
        }
    }

    #[test]
    fn other_failures_on_the_way_may_pass() {
        let error = failure("the wind blew");
        assert_eq!(error.kind(), PortErrorKind::Transient);
        let error = failure("an error occurred while loading credentials");
        assert_eq!(error.kind(), PortErrorKind::Transient);
        let report = error.report();
        assert!(report.contains("if it stays so, give"), "{report}");
    }

    #[test]
    fn where_no_answer_came_the_way_is_to_be_looked_at() {
        for error in [
            dispatch_failure(ConnectorError::io("connection refused".into())),
            dispatch_failure(ConnectorError::timeout("timed out".into())),
            Failure::new(
                "autoscaling:SetDesiredCapacity",
                SdkError::<OperationError>::timeout_error("timed out"),
            )
            .during("do it"),
        ] {
            assert_eq!(error.kind(), PortErrorKind::Transient);
            let report = error.report();
            assert!(report.contains("AWS_ENDPOINT_URL"), "{report}");
        }
    }
}
