//! The lifecycle hook that holds what is to end.

use super::*;

fn hooks(name: &str, transition: &str, timeout: i32) -> Answer {
    Answer::http(
        200,
        format!(
            "<DescribeLifecycleHooksResponse><DescribeLifecycleHooksResult><LifecycleHooks><member>\
             <LifecycleHookName>{name}</LifecycleHookName><LifecycleTransition>{transition}</LifecycleTransition>\
             <HeartbeatTimeout>{timeout}</HeartbeatTimeout></member></LifecycleHooks></DescribeLifecycleHooksResult></DescribeLifecycleHooksResponse>"
        ),
    )
}

const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";

#[tokio::test]
async fn only_our_hook_of_that_transition_lets_agents_drain() {
    for (answer, expected) in [
        (hooks("jibri-scaler-terminating", TERMINATING, 600), true),
        (
            hooks(
                "jibri-scaler-terminating",
                "autoscaling:EC2_INSTANCE_LAUNCHING",
                600,
            ),
            false,
        ),
        (hooks("another", TERMINATING, 600), false),
        (done("DescribeLifecycleHooks"), false),
    ] {
        let answers = vec![page(&group_xml("jibri", ""), None), answer];
        let server = Server::script(answers);
        let listing = group(&server).with_agents(true).list().await.unwrap();
        assert_eq!(listing.drains_on_termination, expected);
        let timeout = expected.then_some(Duration::from_mins(10));
        assert_eq!(listing.hook_timeout, timeout);
        let asked = &server.requests()[1];
        assert_eq!(asked.parameter("AutoScalingGroupName"), Some("jibri"));
        assert_eq!(
            asked.members("LifecycleHookNames"),
            ["jibri-scaler-terminating"]
        );
    }
}

#[tokio::test]
async fn a_timeout_that_makes_no_sense_is_not_known() {
    for timeout in [-1, 0] {
        let hooks = hooks("jibri-scaler-terminating", TERMINATING, timeout);
        let server = Server::script(vec![page(&group_xml("jibri", ""), None), hooks]);
        let listing = group(&server).with_agents(true).list().await.unwrap();
        assert!(listing.drains_on_termination);
        assert_eq!(listing.hook_timeout, None, "{timeout}");
    }
}

#[tokio::test]
async fn a_hook_that_cannot_be_looked_up_is_no_missing_hook() {
    let refused = Answer::refusal(403, "AccessDenied", "no");
    let server = Server::script(vec![page(&group_xml("jibri", ""), None), refused]);
    let error = group(&server).with_agents(true).list().await.unwrap_err();
    let report = error.report();
    assert!(
        report.contains("autoscaling:DescribeLifecycleHooks"),
        "{report}"
    );
}

#[tokio::test]
async fn without_agents_it_is_not_looked_up() {
    let server = Server::script(vec![page(&group_xml("jibri", ""), None)]);
    let listing = group(&server).list().await.unwrap();
    assert!(!listing.drains_on_termination);
}

#[tokio::test]
async fn an_instance_is_let_go_by_its_id_and_our_hook() {
    let server = Server::always(done("CompleteLifecycleAction"));
    group(&server)
        .complete_termination(&id("i-a"))
        .await
        .unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    for (name, value) in [
        ("Action", "CompleteLifecycleAction"),
        ("AutoScalingGroupName", "jibri"),
        ("LifecycleHookName", "jibri-scaler-terminating"),
        ("LifecycleActionResult", "CONTINUE"),
        ("InstanceId", "i-a"),
    ] {
        assert_eq!(requests[0].parameter(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn where_nothing_waits_it_is_done_and_all_else_fails() {
    let message = "No active Lifecycle Action found with instance ID i-a";
    let server = Server::always(Answer::refusal(400, "ValidationError", message));
    let done = group(&server).complete_termination(&id("i-a")).await;
    assert!(done.is_ok(), "{done:?}");
    let server = Server::always(Answer::refusal(400, "ValidationError", "another text"));
    assert_failed(
        group(&server).complete_termination(&id("i-a")).await,
        PortErrorKind::Permanent,
        &["let instance `i-a`", "jibri-scaler-terminating"],
    );
}
