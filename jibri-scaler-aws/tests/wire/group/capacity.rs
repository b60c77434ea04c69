//! Setting the capacity.

use super::*;

#[tokio::test]
async fn the_number_is_absolute_and_ignores_the_cooldown() {
    let server = Server::always(done("SetDesiredCapacity"));
    group(&server).set_capacity(7).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    for (name, value) in [
        ("Action", "SetDesiredCapacity"),
        ("AutoScalingGroupName", "jibri"),
        ("DesiredCapacity", "7"),
        ("HonorCooldown", "false"),
    ] {
        assert_eq!(requests[0].parameter(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn beyond_the_bounds_is_permanent() {
    let message = "New SetDesiredCapacity value 3 is above max value 2 for the AutoScalingGroup.";
    let server = Server::always(Answer::refusal(400, "ValidationError", message));
    assert_failed(
        group(&server).set_capacity(3).await,
        PortErrorKind::Permanent,
        &[
            "could not set the desired capacity of Auto Scaling group `jibri` to 3 (permanent)",
            message,
            "check the name and the size limits of the group",
        ],
    );
}

#[tokio::test]
async fn a_number_that_aws_does_not_have_is_not_sent() {
    let server = Server::always(done("SetDesiredCapacity"));
    let result = group(&server).set_capacity(u32::MAX).await;
    assert_failed(result, PortErrorKind::Permanent, &["4294967295"]);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_passes_by_itself_is_transient_and_tried_once() {
    for (status, code) in [
        (400, "ScalingActivityInProgress"),
        (500, "ResourceContention"),
        (503, "ServiceUnavailable"),
    ] {
        let server = Server::always(Answer::refusal(status, code, "later"));
        assert_failed(
            group(&server).set_capacity(3).await,
            PortErrorKind::Transient,
            &[code],
        );
        assert_eq!(server.requests().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn every_throttling_code_is_throttling() {
    for code in [
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
    ] {
        let server = Server::always(Answer::refusal(400, code, "Rate exceeded"));
        let result = group(&server).set_capacity(3).await;
        assert_failed(result, PortErrorKind::Throttled, &[code]);
    }
    let server = Server::always(Answer::http(429, ""));
    let result = group(&server).set_capacity(3).await;
    assert_failed(result, PortErrorKind::Throttled, &["HTTP 429"]);
}

#[tokio::test]
async fn a_page_of_html_is_an_error_without_a_code() {
    let server = Server::always(Answer::http(500, "<!doctype html><p>oops"));
    assert_failed(
        group(&server).set_capacity(3).await,
        PortErrorKind::Transient,
        &["without a code", "HTTP 500"],
    );
}

#[tokio::test]
async fn without_an_http_client_the_error_says_what_to_do() {
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(
            Server::always(Answer::Hang)
                .sdk()
                .credentials_provider()
                .unwrap(),
        )
        // Nobody listens on port 1, for where another crate of the build gives the SDK its HTTP client.
        .endpoint_url("http://127.0.0.1:1")
        .build();
    let group = AutoScalingGroup::new(&sdk, "jibri".parse().unwrap()).unwrap();
    let error = group.set_capacity(1).await.unwrap_err();
    let report = error.report();
    match error.kind() {
        PortErrorKind::Permanent => {
            assert!(report.contains("`default-https-client`"), "{report}");
        }
        _ => assert!(report.contains("refused"), "{report}"),
    }
}

#[tokio::test]
async fn without_credentials_the_error_says_what_to_do() {
    let server = Server::always(done("SetDesiredCapacity"));
    let mut builder = server.sdk().into_builder();
    builder.set_credentials_provider(None);
    let sdk = builder.build();
    let group = AutoScalingGroup::new(&sdk, "jibri".parse().unwrap()).unwrap();
    let result = group.set_capacity(1).await;
    assert_failed(
        result,
        PortErrorKind::Permanent,
        &["set a credentials provider"],
    );
    assert!(server.requests().is_empty());
}
