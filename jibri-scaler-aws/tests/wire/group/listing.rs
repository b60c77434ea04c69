//! Listing the group.

use super::*;

#[tokio::test]
async fn the_tokens_are_followed_to_the_end_over_empty_pages() {
    let server = Server::script(vec![
        page("", Some("t1")),
        page(
            &(group_xml("jibri-2", &instance_xml("i-other", "InService", true))
                + &group_xml("jibri", &instance_xml("i-a", "InService", true))),
            Some("t2"),
        ),
        page("", None),
    ]);
    let listing = group(&server).list().await.unwrap();
    assert_eq!((listing.group.min_size, listing.group.max_size), (1, 60));
    assert_eq!(listing.group.desired, 4);
    let [instance] = &listing.instances[..] else {
        panic!("{listing:?}");
    };
    assert_eq!(instance.id, id("i-a"));
    assert!(instance.protected);

    let requests = server.requests();
    let tokens: Vec<_> = requests.iter().map(|r| r.parameter("NextToken")).collect();
    assert_eq!(tokens, [None, Some("t1"), Some("t2")]);
    for request in requests.iter() {
        assert_eq!(
            request.parameter("Action"),
            Some("DescribeAutoScalingGroups")
        );
        assert_eq!(request.members("AutoScalingGroupNames"), ["jibri"]);
    }
}

#[tokio::test]
async fn a_group_that_is_spread_over_pages_is_one_listing() {
    let server = Server::script(vec![
        page(
            &group_xml("jibri", &instance_xml("i-a", "InService", true)),
            Some("t"),
        ),
        page(
            &group_xml("jibri", &instance_xml("i-b", "Pending", false)),
            None,
        ),
    ]);
    let listing = group(&server).list().await.unwrap();
    assert_eq!(listing.instances.len(), 2);
}

#[tokio::test]
async fn every_lifecycle_state_is_read_and_unknown_ones_are_kept() {
    let states: Vec<_> = Lifecycle::KNOWN
        .iter()
        .cloned()
        .chain([Lifecycle::Unknown("Hovering:Wait".into())])
        .collect();
    let rows: String = states
        .iter()
        .enumerate()
        .map(|(n, state)| instance_xml(&format!("i-{n}"), state.as_str(), false))
        .collect();
    let server = Server::always(page(&group_xml("jibri", &rows), None));
    let listing = group(&server).list().await.unwrap();
    let read: Vec<_> = listing
        .instances
        .iter()
        .map(|i| i.lifecycle.clone())
        .collect();
    assert_eq!(read, states);
}

#[tokio::test]
async fn whether_the_group_keeps_what_is_abandoned_is_read_from_its_lifecycle_policy() {
    let policy = |kept: &str| {
        let trigger = format!("<TerminateHookAbandon>{kept}</TerminateHookAbandon>");
        let triggers = format!("<RetentionTriggers>{trigger}</RetentionTriggers>");
        format!("<InstanceLifecyclePolicy>{triggers}</InstanceLifecyclePolicy>")
    };
    for (policy, kept) in [
        (policy("retain"), true),
        (policy("terminate"), false),
        ("<InstanceLifecyclePolicy/>".into(), false),
        (String::new(), false),
    ] {
        let row = group_xml("jibri", "").replace("<MinSize>", &format!("{policy}<MinSize>"));
        let server = Server::always(page(&row, None));
        let listing = group(&server).list().await.unwrap();
        assert_eq!(listing.retains_abandoned, kept, "{policy}");
    }
}

#[tokio::test]
async fn no_group_is_a_permanent_error() {
    let server = Server::always(page("", None));
    let error = group(&server).list().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Permanent);
    assert!(error.report().contains("there is no group of this name"));
    // A group whose name only begins like it is another one.
    let server = Server::always(page(&group_xml("jibri-2", ""), None));
    let error = group(&server).list().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Permanent);
}

#[tokio::test]
async fn a_page_that_is_missing_is_no_shorter_listing() {
    let first = page(
        &group_xml("jibri", &instance_xml("i-a", "InService", true)),
        Some("t"),
    );
    let server = Server::script(vec![
        first,
        Answer::refusal(400, "ValidationError", "bad token"),
    ]);
    let error = group(&server).list().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Permanent);
    assert!(
        error
            .report()
            .contains("AWS answered ValidationError (HTTP 400, request r-1): bad token"),
        "{}",
        error.report()
    );
}

#[tokio::test]
async fn a_token_that_leads_back_to_itself_ends_the_listing() {
    let server = Server::always(page(&group_xml("jibri", ""), Some("t")));
    let error = group(&server).list().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Transient);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn pages_without_end_end_with_the_time() {
    let server = Server::new(|number, _| page("", Some(&format!("t{number}"))));
    let group = group(&server).with_timeout(Duration::from_millis(300));
    let error = group.list().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Transient);
}

#[tokio::test]
async fn rows_that_cannot_be_read_fail_the_listing() {
    let negative = "<member><AutoScalingGroupName>jibri</AutoScalingGroupName><MinSize>-1</MinSize>\
                    <MaxSize>2</MaxSize><DesiredCapacity>1</DesiredCapacity></member>";
    let no_id = group_xml("jibri", &instance_xml("", "InService", true));
    for (groups, why) in [
        (negative.to_owned(), "MinSize"),
        (no_id, "instance id must not be empty"),
    ] {
        let server = Server::always(page(&groups, None));
        let error = group(&server).list().await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Transient);
        assert!(error.report().contains(why), "{}", error.report());
    }
}

#[tokio::test]
async fn a_read_is_tried_again() {
    let server = Server::script(vec![
        Answer::refusal(400, "Throttling", "Rate exceeded"),
        Answer::http(503, "<html>busy</html>"),
        page(&group_xml("jibri", ""), None),
    ]);
    assert!(group(&server).list().await.is_ok());
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_read_is_tried_three_times_and_not_more() {
    let server = Server::always(Answer::refusal(400, "Throttling", "Rate exceeded"));
    let error = group(&server).list().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Throttled);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let server = Server::always(Answer::refusal(
        403,
        "AccessDenied",
        "User: arn:aws:iam::1:user/x is not authorized",
    ));
    let error = group(&server).list().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Permanent);
    assert!(
        error
            .report()
            .contains("allow autoscaling:DescribeAutoScalingGroups in the IAM policy")
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = Server::always(Answer::Hang);
    let group = group(&server).with_timeout(Duration::from_millis(300));
    let error = group.list().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Transient);
}
