//! Counts the attempts of requests.

use aws_sdk_autoscaling::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, interceptors::FinalizerInterceptorContextRef,
    },
    error::BoxError,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use jibri_scaler_core::metrics::AWS_REQUESTS;
use metrics::counter;

/// Counts each attempt when it is over, a repetition too: AWS counts it as well.
#[derive(Debug)]
pub(super) struct Counting;

impl Intercept for Counting {
    fn name(&self) -> &'static str {
        "jibri-scaler: counting"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let outcome = match context.response() {
            Some(response) if response.status().is_success() => "ok",
            Some(_) => "error",
            None => "no_answer",
        };
        if let Some(called) = settings.load::<Metadata>() {
            let (service, call) = (called.service().to_owned(), called.name().to_owned());
            counter!(AWS_REQUESTS, "service" => service, "call" => call, "outcome" => outcome)
                .increment(1);
        }
        Ok(())
    }
}
