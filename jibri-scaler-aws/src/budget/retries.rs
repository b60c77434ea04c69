//! The retries that the SDK makes by itself.

use aws_sdk_autoscaling::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::context::BeforeTransmitInterceptorContextRef, retries::RequestAttempts,
    },
};

use super::Share;

/// Has a share pay for every attempt but the first, which has waited for its turn.
#[derive(Debug)]
pub(crate) struct CountRetries(pub(crate) Share);

impl Intercept for CountRetries {
    fn name(&self) -> &'static str {
        "CountRetries"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let attempts = config.load::<RequestAttempts>();
        if attempts.is_some_and(|attempts| attempts.attempts() > 1) {
            self.0.budget.bucket().owe(&self.0.lane);
        }
        Ok(())
    }
}
