//! The Auto Scaling group.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use jibri_scaler_aws::AutoScalingGroup;
use jibri_scaler_core::{
    InstanceId, Lifecycle,
    port::{Decrement, GroupControl, GroupListing, PortError, PortErrorKind},
};

use crate::answers::{Answer, Server};

const MIN_SIZE_REFUSAL: &str = "Currently, desiredSize equals minSize (1). Terminating instance without replacement will \
                                violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false \
                                or lower group's min size.";

fn group(server: &Server) -> AutoScalingGroup {
    let group = AutoScalingGroup::new(&server.sdk(), "jibri".parse().unwrap()).unwrap();
    // Tests of what is answered must not meet a timeout on a slow machine.
    group.with_timeout(Duration::from_mins(1))
}

fn id(text: &str) -> InstanceId {
    text.parse().unwrap()
}

fn ids(count: usize) -> Vec<InstanceId> {
    (0..count).map(|n| id(&format!("i-{n:03}"))).collect()
}

/// A page of `DescribeAutoScalingGroups`.
fn page(groups: &str, next_token: Option<&str>) -> Answer {
    let token = next_token.map_or_else(String::new, |t| format!("<NextToken>{t}</NextToken>"));
    Answer::http(
        200,
        format!(
            "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups>{groups}\
             </AutoScalingGroups>{token}</DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
        ),
    )
}

fn group_xml(name: &str, instances: &str) -> String {
    format!(
        "<member><AutoScalingGroupName>{name}</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>60</MaxSize>\
         <DesiredCapacity>4</DesiredCapacity><Instances>{instances}</Instances></member>"
    )
}

fn instance_xml(id: &str, lifecycle: &str, protected: bool) -> String {
    format!(
        "<member><InstanceId>{id}</InstanceId><AvailabilityZone>eu-central-1b</AvailabilityZone>\
         <LifecycleState>{lifecycle}</LifecycleState><HealthStatus>Healthy</HealthStatus>\
         <ProtectedFromScaleIn>{protected}</ProtectedFromScaleIn></member>"
    )
}

fn done(operation: &str) -> Answer {
    Answer::http(
        200,
        format!(
            "<{operation}Response><{operation}Result></{operation}Result></{operation}Response>"
        ),
    )
}

#[track_caller]
fn assert_failed(result: Result<(), PortError>, kind: PortErrorKind, texts: &[&str]) {
    let error = result.unwrap_err();
    let report = error.report();
    assert_eq!(error.kind(), kind, "{report}");
    for text in texts {
        assert!(report.contains(text), "{text:?} is not in: {report}");
    }
}

mod listing {
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
}

mod protection {
    use super::*;

    #[tokio::test]
    async fn without_ids_nothing_is_called() {
        let server = Server::always(done("SetInstanceProtection"));
        group(&server).protect(&[]).await.unwrap();
        assert!(server.requests().is_empty());
    }

    #[tokio::test]
    async fn a_call_names_at_most_fifty() {
        let server = Server::always(done("SetInstanceProtection"));
        let all = ids(101);
        group(&server).protect(&all).await.unwrap();
        let requests = server.requests();
        let named: Vec<_> = requests.iter().map(|r| r.members("InstanceIds")).collect();
        assert_eq!(named.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 1]);
        let flat: Vec<_> = named.concat().iter().map(|text| id(text)).collect();
        assert_eq!(flat, all);
        assert_eq!(
            requests[0].parameter("Action"),
            Some("SetInstanceProtection")
        );
        assert_eq!(requests[0].parameter("AutoScalingGroupName"), Some("jibri"));
        assert_eq!(requests[0].parameter("ProtectedFromScaleIn"), Some("true"));
    }

    /// Auto Scaling as it refuses a whole call for one id.
    fn refusing(departed: &'static [(&'static str, &'static str)]) -> Server {
        Server::new(move |_, request| {
            let named = request.members("InstanceIds");
            let bad = departed
                .iter()
                .find(|(id, _)| named.iter().any(|n| n == id));
            match bad {
                Some((id, why)) => Answer::refusal(
                    400,
                    "ValidationError",
                    &format!("The instance {id} is {why}."),
                ),
                None => done("SetInstanceProtection"),
            }
        })
    }

    #[tokio::test]
    async fn the_others_are_protected_although_some_have_departed() {
        let server = refusing(&[
            ("i-002", "not part of Auto Scaling group jibri"),
            ("i-013", "not in InService or EnteringStandby or Standby"),
            ("i-051", "not part of Auto Scaling group jibri"),
        ]);
        let all = ids(60);
        group(&server).protect(&all).await.unwrap();
        let bad = ["i-002", "i-013", "i-051"];
        let mut protected: Vec<String> = server
            .requests()
            .iter()
            .map(|r| r.members("InstanceIds"))
            .filter(|named| !named.iter().any(|n| bad.contains(&n.as_str())))
            .flatten()
            .collect();
        protected.sort_unstable();
        let expected: Vec<String> = all
            .iter()
            .map(ToString::to_string)
            .filter(|id| !bad.contains(&id.as_str()))
            .collect();
        assert_eq!(protected, expected);
    }

    #[tokio::test]
    async fn one_that_has_departed_alone_is_no_error() {
        for why in [
            "not part of Auto Scaling group jibri",
            "gone: Instance Id not found - No managed instance found for instance ID i-000",
        ] {
            let departed = Vec::leak(vec![("i-000", why)]);
            let server = refusing(departed);
            group(&server).protect(&ids(1)).await.unwrap();
            assert_eq!(server.requests().len(), 1, "{why}");
        }
    }

    #[tokio::test]
    async fn another_refusal_is_not_split_but_the_other_parts_are_done() {
        let server = Server::script(vec![
            Answer::refusal(400, "ValidationError", "AutoScalingGroup name not found"),
            done("SetInstanceProtection"),
        ]);
        assert_failed(
            group(&server).protect(&ids(60)).await,
            PortErrorKind::Permanent,
            &["protect instance `i-000` and 49 more of Auto Scaling group `jibri`"],
        );
        assert_eq!(server.requests().len(), 2);
    }

    #[tokio::test]
    async fn throttling_ends_it_at_once() {
        let server = Server::always(Answer::refusal(400, "Throttling", "Rate exceeded"));
        assert_failed(
            group(&server).protect(&ids(120)).await,
            PortErrorKind::Throttled,
            &["Rate exceeded"],
        );
        assert_eq!(server.requests().len(), 1);
    }
}

mod capacity {
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
        let message =
            "New SetDesiredCapacity value 3 is above max value 2 for the AutoScalingGroup.";
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
}

mod termination {
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
            let server = Server::always(answer.clone());
            let hangs = matches!(answer, Answer::Hang);
            let mut group = group(&server);
            if hangs {
                group = group.with_timeout(Duration::from_millis(500));
            }
            let result = group.terminate(&id("i-a"), Decrement::No).await;
            assert_failed(result, kind, &["without decrement"]);
            let asked = server.requests().len();
            // On a slow machine the time may be over before the request is read.
            assert!(
                asked == 1 || hangs && asked == 0,
                "{asked} times: {answer:?}"
            );
        }
    }
}
