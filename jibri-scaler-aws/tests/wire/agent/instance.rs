//! The agent's own instance.

use std::time::Duration;

use jibri_scaler_aws::agent::AgentInstance;
use jibri_scaler_core::{
    Lifecycle,
    agent::port::{HookResult, OwnInstance, OwnState, Transition},
    port::{Decrement, PortError, PortErrorKind},
};

use crate::{
    answers::{Answer, Server},
    group::{MIN_SIZE_REFUSAL, assert_failed, done},
};

fn own(server: &Server) -> AgentInstance {
    let (group, id) = ("jibri".parse().unwrap(), "i-a".parse().unwrap());
    let own = AgentInstance::new(&server.sdk(), group, id).unwrap();
    // Tests of what is answered must not meet a timeout on a slow machine.
    own.with_timeout(Duration::from_mins(1))
}

pub(super) fn row(id: &str, group: &str, lifecycle: &str, protected: bool) -> String {
    format!(
        "<member><InstanceId>{id}</InstanceId><AutoScalingGroupName>{group}</AutoScalingGroupName>\
         <AvailabilityZone>eu-central-1b</AvailabilityZone><LifecycleState>{lifecycle}</LifecycleState>\
         <HealthStatus>HEALTHY</HealthStatus><ProtectedFromScaleIn>{protected}</ProtectedFromScaleIn></member>"
    )
}

/// A page of `DescribeAutoScalingInstances`.
pub(super) fn rows(rows: &str, token: &str) -> Answer {
    Answer::http(
        200,
        format!(
            "<DescribeAutoScalingInstancesResponse><DescribeAutoScalingInstancesResult><AutoScalingInstances>{rows}\
             </AutoScalingInstances>{token}</DescribeAutoScalingInstancesResult></DescribeAutoScalingInstancesResponse>"
        ),
    )
}

fn no_action(id: &str) -> Answer {
    let message = format!("No active Lifecycle Action found with {id}");
    Answer::refusal(400, "ValidationError", &message)
}

#[tokio::test]
async fn only_the_own_instance_is_asked_for_and_only_its_own_row_counts() {
    let both = [
        row("i-b", "jibri", "InService", false),
        row("i-a", "jibri", "Terminating:Wait", true),
    ];
    let server = Server::always(rows(&both.concat(), ""));
    let state = own(&server).look().await.unwrap();
    assert_eq!(state, Some(OwnState::new(Lifecycle::TerminatingWait, true)));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].parameter("Action"),
        Some("DescribeAutoScalingInstances")
    );
    assert_eq!(requests[0].members("InstanceIds"), ["i-a"]);
}

#[tokio::test]
async fn an_instance_that_is_in_no_group_has_no_state() {
    for answer in [
        rows("", ""),
        rows("", "<NextToken></NextToken>"),
        rows(&row("i-b", "jibri", "InService", false), ""),
    ] {
        let server = Server::always(answer);
        assert_eq!(own(&server).look().await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_instance_is_not_taken_for_gone_while_there_are_further_pages() {
    let server = Server::always(rows("", "<NextToken>2</NextToken>"));
    assert_failed(
        own(&server).look().await,
        PortErrorKind::Transient,
        &["ask which Auto Scaling group instance `i-a` is in", "pages"],
    );
}

#[tokio::test]
async fn an_instance_of_another_group_is_an_error_that_names_it() {
    let server = Server::always(rows(&row("i-a", "other", "InService", false), ""));
    assert_failed(
        own(&server).look().await,
        PortErrorKind::Permanent,
        &[
            "could not read the state of instance `i-a` of Auto Scaling group `jibri` (permanent)",
            "the instance is in Auto Scaling group `other`",
        ],
    );
}

#[tokio::test]
async fn looking_is_tried_again() {
    let server = Server::script(vec![
        Answer::Close,
        Answer::refusal(400, "Throttling", "Rate exceeded"),
        rows(&row("i-a", "jibri", "InService", true), ""),
    ]);
    let state = own(&server).look().await.unwrap();
    assert_eq!(state, Some(OwnState::new(Lifecycle::InService, true)));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn protection_names_the_own_instance_only() {
    for (protected, flag) in [(true, "true"), (false, "false")] {
        let server = Server::always(done("SetInstanceProtection"));
        own(&server).set_protection(protected).await.unwrap();
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        for (name, value) in [
            ("Action", "SetInstanceProtection"),
            ("AutoScalingGroupName", "jibri"),
            ("ProtectedFromScaleIn", flag),
        ] {
            assert_eq!(requests[0].parameter(name), Some(value), "{name}");
        }
        assert_eq!(requests[0].members("InstanceIds"), ["i-a"]);
    }
}

#[tokio::test]
async fn protection_that_cannot_be_set_in_this_state_is_an_error() {
    let message = "The instance i-a is not in InService or EnteringStandby or Standby.";
    for (protected, text) in [
        (true, "set the scale-in"),
        (false, "take away the scale-in"),
    ] {
        let server = Server::always(Answer::refusal(400, "ValidationError", message));
        assert_failed(
            own(&server).set_protection(protected).await,
            PortErrorKind::Permanent,
            &[
                text,
                "protection of instance `i-a` of Auto Scaling group `jibri`",
                message,
            ],
        );
    }
}

#[tokio::test]
async fn a_heartbeat_names_the_hook_and_the_instance() {
    for (transition, hook) in [
        (Transition::Launching, "jibri-scaler-launching"),
        (Transition::Terminating, "jibri-scaler-terminating"),
    ] {
        let server = Server::always(done("RecordLifecycleActionHeartbeat"));
        assert!(own(&server).heartbeat(transition).await.unwrap());
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        for (name, value) in [
            ("Action", "RecordLifecycleActionHeartbeat"),
            ("AutoScalingGroupName", "jibri"),
            ("LifecycleHookName", hook),
            ("InstanceId", "i-a"),
        ] {
            assert_eq!(requests[0].parameter(name), Some(value), "{name}");
        }
        assert_eq!(requests[0].parameter("LifecycleActionToken"), None);
    }
}

#[tokio::test]
async fn a_completion_names_the_hook_the_instance_and_the_result() {
    for (transition, hook) in [
        (Transition::Launching, "jibri-scaler-launching"),
        (Transition::Terminating, "jibri-scaler-terminating"),
    ] {
        for (result, text) in [
            (HookResult::Continue, "CONTINUE"),
            (HookResult::Abandon, "ABANDON"),
        ] {
            let server = Server::always(done("CompleteLifecycleAction"));
            assert!(own(&server).complete(transition, result).await.unwrap());
            let requests = server.requests();
            assert_eq!(requests.len(), 1);
            for (name, value) in [
                ("Action", "CompleteLifecycleAction"),
                ("AutoScalingGroupName", "jibri"),
                ("LifecycleHookName", hook),
                ("InstanceId", "i-a"),
                ("LifecycleActionResult", text),
            ] {
                assert_eq!(requests[0].parameter(name), Some(value), "{name}");
            }
            assert_eq!(requests[0].parameter("LifecycleActionToken"), None);
        }
    }
}

#[tokio::test]
async fn where_no_hook_holds_the_instance_nothing_is_prolonged_or_ended() {
    for id in [
        "instance ID i-a",
        "token f66c3d47-e602-4af0-8edd-d4e4d2fe4620",
    ] {
        let server = Server::always(no_action(id));
        let own = own(&server);
        for transition in [Transition::Launching, Transition::Terminating] {
            assert!(!own.heartbeat(transition).await.unwrap());
            for result in [HookResult::Continue, HookResult::Abandon] {
                assert!(!own.complete(transition, result).await.unwrap());
            }
        }
    }
}

#[tokio::test]
async fn another_refusal_does_not_say_that_nothing_waits() {
    for (code, message) in [
        ("ValidationError", "AutoScalingGroup name not found - null"),
        (
            "AccessDenied",
            "No active Lifecycle Action found with instance ID i-a",
        ),
    ] {
        let server = Server::always(Answer::refusal(400, code, message));
        let own = own(&server);
        assert_failed(
            own.heartbeat(Transition::Terminating).await,
            PortErrorKind::Permanent,
            &[
                "prolong the wait in lifecycle hook `jibri-scaler-terminating` of instance `i-a` of Auto Scaling group `jibri`",
                message,
            ],
        );
        assert_failed(
            own.complete(Transition::Launching, HookResult::Abandon)
                .await,
            PortErrorKind::Permanent,
            &[
                "end the wait in lifecycle hook `jibri-scaler-launching` with ABANDON of instance `i-a`",
                message,
            ],
        );
    }
}

#[tokio::test]
async fn the_right_that_is_missing_is_named() {
    let server = Server::always(Answer::refusal(403, "AccessDenied", "not authorized"));
    let own = own(&server);
    let complete = own.complete(Transition::Terminating, HookResult::Continue);
    for (result, right) in [
        (own.look().await.map(drop), "DescribeAutoScalingInstances"),
        (own.set_protection(true).await, "SetInstanceProtection"),
        (
            own.heartbeat(Transition::Terminating).await.map(drop),
            "RecordLifecycleActionHeartbeat",
        ),
        (complete.await.map(drop), "CompleteLifecycleAction"),
        (
            own.terminate(Decrement::Yes).await,
            "TerminateInstanceInAutoScalingGroup",
        ),
    ] {
        let right = format!("allow autoscaling:{right} in the IAM policy");
        assert_failed(result, PortErrorKind::Permanent, &[&right]);
    }
}

#[tokio::test]
async fn it_ends_itself_by_its_id() {
    for (decrement, flag) in [(Decrement::Yes, "true"), (Decrement::No, "false")] {
        let server = Server::always(done("TerminateInstanceInAutoScalingGroup"));
        own(&server).terminate(decrement).await.unwrap();
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
async fn ending_itself_below_the_minimum_size_is_permanent() {
    let server = Server::always(Answer::refusal(400, "ValidationError", MIN_SIZE_REFUSAL));
    assert_failed(
        own(&server).terminate(Decrement::Yes).await,
        PortErrorKind::Permanent,
        &["desiredSize equals minSize"],
    );
}

#[tokio::test]
async fn an_act_is_sent_once_whatever_happens() {
    for (answer, kind) in [
        (Answer::Hang, PortErrorKind::Transient),
        (Answer::Close, PortErrorKind::Transient),
        (Answer::http(500, "<html>"), PortErrorKind::Transient),
        (
            Answer::refusal(400, "Throttling", "Rate exceeded"),
            PortErrorKind::Throttled,
        ),
    ] {
        for act in 0..4 {
            let server = Server::always(answer.clone());
            let hangs = matches!(answer, Answer::Hang);
            let mut own = own(&server);
            if hangs {
                own = own.with_timeout(Duration::from_millis(300));
            }
            let result: Result<(), PortError> = match act {
                0 => own.set_protection(false).await,
                1 => own.heartbeat(Transition::Terminating).await.map(drop),
                2 => {
                    let result = own.complete(Transition::Terminating, HookResult::Continue);
                    result.await.map(drop)
                }
                _ => own.terminate(Decrement::Yes).await,
            };
            assert_failed(result, kind, &["`i-a` of Auto Scaling group `jibri`"]);
            let sent = server.requests().len();
            // On a slow machine the time may be over before the request is read.
            assert!(sent == 1 || hangs && sent == 0, "{sent} times: {answer:?}");
        }
    }
}
