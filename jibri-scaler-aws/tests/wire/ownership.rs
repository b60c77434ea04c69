//! Who else changes the size of the group.

use std::time::Duration;

use jibri_scaler_aws::{AutoScalingGroup, Ownership};
use jibri_scaler_core::{
    Timestamp,
    port::{GroupOwnership, PortErrorKind},
};

use crate::answers::{Answer, Server};

fn ownership(server: &Server) -> Ownership {
    let group = AutoScalingGroup::new(&server.sdk(), "jibri".parse().unwrap()).unwrap();
    let group = group.with_timeout(Duration::from_mins(1));
    Ownership::new(group, "ours".parse().unwrap())
}

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn policies(rows: &[(&str, bool)], next: Option<&str>) -> Answer {
    let row = |(name, enabled): &(&str, bool)| {
        format!("<member><PolicyName>{name}</PolicyName><Enabled>{enabled}</Enabled></member>")
    };
    let rows = rows.iter().map(row).collect::<Vec<_>>().concat();
    let next = next.map_or_else(String::new, |t| format!("<NextToken>{t}</NextToken>"));
    Answer::http(
        200,
        format!(
            "<DescribePoliciesResponse><DescribePoliciesResult><ScalingPolicies>{rows}</ScalingPolicies>{next}\
             </DescribePoliciesResult></DescribePoliciesResponse>"
        ),
    )
}

fn mark(value: Option<&str>) -> Answer {
    let row = value.map_or_else(String::new, |value| {
        format!(
            "<member><ResourceId>jibri</ResourceId><ResourceType>auto-scaling-group</ResourceType>\
             <Key>jibri-scaler:controller</Key><Value>{value}</Value></member>"
        )
    });
    Answer::http(
        200,
        format!(
            "<DescribeTagsResponse><DescribeTagsResult><Tags>{row}</Tags></DescribeTagsResult></DescribeTagsResponse>"
        ),
    )
}

#[tokio::test]
async fn enabled_policies_of_all_pages_and_a_fresh_mark_are_named() {
    let server = Server::script(vec![
        policies(&[("grow", true), ("old", false)], Some("more")),
        policies(&[("night", true)], None),
        mark(Some("theirs 2026-11-22T09:59:30Z")),
    ]);
    let others = ownership(&server).others(now()).await.unwrap();
    assert_eq!(
        others,
        [
            "scaling policy `grow`",
            "scaling policy `night`",
            "controller `theirs`"
        ]
    );
    let requests = server.requests();
    assert_eq!(requests[1].parameter("NextToken"), Some("more"));
    assert_eq!(requests[2].parameter("Action"), Some("DescribeTags"));
}

#[tokio::test]
async fn nobody_else_is_nobody() {
    for value in [None, Some("ours 2026-11-22T09:59:30Z")] {
        let server = Server::script(vec![policies(&[], None), mark(value)]);
        let others = ownership(&server).others(now()).await.unwrap();
        assert!(others.is_empty(), "{others:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_not_nobody() {
    let refused = || Answer::refusal(400, "AccessDenied", "no");
    for (answers, action) in [
        (vec![refused()], "autoscaling:DescribePolicies"),
        (
            vec![policies(&[], None), refused()],
            "autoscaling:DescribeTags",
        ),
    ] {
        let server = Server::script(answers);
        let error = ownership(&server).others(now()).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Permanent);
        assert!(error.report().contains(action), "{}", error.report());
    }
}

#[tokio::test]
async fn the_mark_is_one_tag_of_the_group_with_name_and_time() {
    let server = Server::always(Answer::http(
        200,
        "<CreateOrUpdateTagsResponse></CreateOrUpdateTagsResponse>",
    ));
    ownership(&server).mark(now()).await.unwrap();
    let request = &server.requests()[0];
    for (name, value) in [
        ("Action", "CreateOrUpdateTags"),
        ("Tags.member.1.ResourceId", "jibri"),
        ("Tags.member.1.ResourceType", "auto-scaling-group"),
        ("Tags.member.1.Key", "jibri-scaler%3Acontroller"),
        ("Tags.member.1.Value", "ours%202026-11-22T10%3A00%3A00Z"),
        ("Tags.member.1.PropagateAtLaunch", "false"),
    ] {
        assert_eq!(request.parameter(name), Some(value), "{name}");
    }
}
