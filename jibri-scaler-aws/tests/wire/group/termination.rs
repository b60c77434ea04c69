//! Ending instances.

use super::*;

#[tokio::test]
async fn the_instance_and_the_decrement_are_named() {
    for (decrement, flag) in [(Decrement::Yes, "true"), (Decrement::No, "false")] {
        let server = Server::always(done("TerminateInstanceInAutoScalingGroup"));
        group(&server)
            .terminate(&id("i-a"), decrement)
            .await
            .unwrap();
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        for (name, value) in [
            ("Action", "TerminateInstanceInAutoScalingGroup"),
            ("InstanceId", "i-a"),
            ("ShouldDecrementDesiredCapacity", flag),
        ] {
            assert_eq!(requests[0].parameter(name), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn an_instance_that_is_gone_is_success() {
    for message in [
        "Instance Id not found - No managed instance found for instance ID i-a",
        "No managed instance found for instance ID: i-a",
    ] {
        let server = Server::always(Answer::refusal(400, "ValidationError", message));
        for decrement in [Decrement::Yes, Decrement::No] {
            let result = group(&server).terminate(&id("i-a"), decrement).await;
            assert!(result.is_ok(), "{message}");
        }
    }
}

#[tokio::test]
async fn below_the_minimum_size_is_permanent() {
    let server = Server::always(Answer::refusal(400, "ValidationError", MIN_SIZE_REFUSAL));
    assert_failed(
        group(&server).terminate(&id("i-a"), Decrement::Yes).await,
        PortErrorKind::Permanent,
        &[
            "could not terminate instance `i-a` of Auto Scaling group `jibri` with decrement",
            "desiredSize equals minSize",
        ],
    );
}

#[tokio::test]
async fn it_is_asked_for_once_whatever_happens() {
    for (answer, kind) in [
        (Answer::Hang, PortErrorKind::Transient),
        (Answer::Close, PortErrorKind::Transient),
        (Answer::http(500, "<html>"), PortErrorKind::Transient),
        (
            Answer::refusal(500, "ResourceContention", "later"),
            PortErrorKind::Transient,
        ),
        (
            Answer::refusal(400, "Throttling", "Rate exceeded"),
            PortErrorKind::Throttled,
        ),
    ] {
        for lets_go in [false, true] {
            let server = Server::always(answer.clone());
            let hangs = matches!(answer, Answer::Hang);
            let mut group = group(&server);
            if hangs {
                group = group.with_timeout(Duration::from_millis(500));
            }
            if lets_go {
                let result = group.complete_termination(&id("i-a")).await;
                assert_failed(result, kind, &["let instance `i-a`"]);
            } else {
                let result = group.terminate(&id("i-a"), Decrement::No).await;
                assert_failed(result, kind, &["without decrement"]);
            }
            let asked = server.requests().len();
            // On a slow machine the time may be over before the request is read.
            assert!(
                asked == 1 || hangs && asked == 0,
                "{asked} times: {answer:?}"
            );
        }
    }
}
