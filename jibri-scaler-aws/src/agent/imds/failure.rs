//! What a failure of the metadata service means.

use std::{error::Error, fmt};

use aws_config::imds::client::error::{ImdsError, TokenError};
use aws_sdk_autoscaling::{config::http::HttpResponse, error::SdkError};
use jibri_scaler_core::port::{PortError, PortErrorKind};

use crate::failure::advice_of;

/// What the client says where its address is none (aws-config 1.13).
const BAD_ENDPOINT: (&str, &str) = (
    "failed to build IMDS client",
    "correct AWS_EC2_METADATA_SERVICE_ENDPOINT and AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE, or what the AWS profile says of them",
);

const SWITCHED_OFF: &str = "the metadata service refuses this machine; set the metadata options of the instance to HttpEndpoint `enabled`";

const UNREACHABLE: &str = "see that this is an EC2 instance whose metadata options have HttpEndpoint `enabled` and, in a container, \
                           HttpPutResponseHopLimit 2, and correct AWS_EC2_METADATA_SERVICE_ENDPOINT if it is set";

/// The error of that operation, which completes the sentence "could not …".
pub(super) fn of(error: ImdsError, operation: String) -> PortError {
    let (kind, advice) = match status(&error) {
        Some(400 | 403) => (PortErrorKind::Permanent, SWITCHED_OFF),
        Some(429) => (PortErrorKind::Throttled, "ask it less often"),
        _ => match advice_of(&[BAD_ENDPOINT], &error) {
            Some(advice) => (PortErrorKind::Permanent, advice),
            None => (PortErrorKind::Transient, UNREACHABLE),
        },
    };
    let cause = match &error {
        // Its own text has the whole answer.
        ImdsError::ErrorResponse(refusal) => Cause {
            says: format!("HTTP {}; {advice}", refusal.response().status().as_u16()),
            error: None,
        },
        _ => Cause {
            says: advice.to_owned(),
            error: Some(Box::new(error)),
        },
    };
    PortError::new(kind, operation).with_source(Box::new(cause) as Box<dyn Error + Send + Sync>)
}

/// The status with which the service refused the request, or that for a token.
fn status(error: &ImdsError) -> Option<u16> {
    match error {
        ImdsError::ErrorResponse(refusal) => Some(refusal.response().status().as_u16()),
        ImdsError::FailedToLoadToken(_) => error
            .source()?
            .downcast_ref::<SdkError<TokenError, HttpResponse>>()?
            .raw_response()
            .map(|answer| answer.status().as_u16()),
        _ => None,
    }
}

#[derive(Debug)]
struct Cause {
    says: String,
    error: Option<Box<ImdsError>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.as_deref().map(|error| error as _)
    }
}
