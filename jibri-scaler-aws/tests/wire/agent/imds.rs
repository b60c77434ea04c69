//! The instance metadata service.

use std::{env, process::Command, time::Duration};

use aws_config::{BehaviorVersion, SdkConfig};
use jibri_scaler_aws::agent::Imds;
use jibri_scaler_core::{
    Timestamp,
    agent::port::{InstanceMetadata, Notices, TargetState},
    port::PortErrorKind,
};

use super::instance::{row, rows};
use crate::{
    answers::{Answer, Request, Server},
    group::assert_failed,
};

const TARGET_STATE: &str = "autoscaling/target-lifecycle-state";
const SPOT: &str = "spot/instance-action";
const EVENTS: &str = "events/maintenance/scheduled";
const GROUP: &str = "tags/instance/aws:autoscaling:groupName";

const SPOT_NOTICE: &str = r#"{"action": "terminate", "time": "2026-09-18T08:22:00Z"}"#;
const EVENT: &str = r#"[{"NotBefore": "21 Jan 2026 09:00:43 GMT", "Code": "instance-retirement", "State": "active"}]"#;

fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Answer::Http {
        status: 200,
        headers: &["content-type: text/plain"],
        body: body.into(),
    }
}

fn token(number: usize) -> Answer {
    Answer::Http {
        status: 200,
        headers: &["x-aws-ec2-metadata-token-ttl-seconds: 21600"],
        body: format!("token-{number}").into_bytes(),
    }
}

fn asks_for_token(request: &Request) -> bool {
    request.method == "PUT" && request.path == "/latest/api/token"
}

/// The service as it is on an instance, with these entries; others are not there.
fn service(entries: &'static [(&'static str, &'static str)]) -> Server {
    Server::new(move |_, request| {
        if asks_for_token(request) {
            return token(0);
        }
        if !request.has_header("x-aws-ec2-metadata-token: token-0") {
            return Answer::http(401, "");
        }
        entry(entries, request).map_or_else(|| Answer::http(404, "<html>"), ok)
    })
}

fn entry(entries: &[(&str, &'static str)], request: &Request) -> Option<&'static str> {
    let path = request.path.strip_prefix("/latest/meta-data/")?;
    entries
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, text)| *text)
}

fn imds(server: &Server) -> Imds {
    imds_of(&server.sdk(), server)
}

fn imds_of(sdk: &SdkConfig, server: &Server) -> Imds {
    // Tests of what is answered must not meet a timeout on a slow machine.
    Imds::new(sdk)
        .unwrap()
        .with_endpoint(&server.url())
        .unwrap()
        .with_timeout(Duration::from_mins(1))
}

fn count(server: &Server, matches: impl Fn(&Request) -> bool) -> usize {
    server.requests().iter().filter(|r| matches(r)).count()
}

#[tokio::test]
async fn the_target_state_is_read_with_one_token_for_all() {
    let server = service(&[(TARGET_STATE, "Terminated\n")]);
    let imds = imds(&server);
    for _ in 0..3 {
        let state = imds.clone().target_state().await.unwrap();
        assert_eq!(state, Some(TargetState::Terminated));
    }
    assert_eq!(count(&server, asks_for_token), 1);
    assert_eq!(server.requests().len(), 4);
    assert!(server.requests()[0].has_header("x-aws-ec2-metadata-token-ttl-seconds: 21600"));
}

#[tokio::test]
async fn target_states_are_told_apart() {
    for (text, state) in [
        ("InService", TargetState::InService),
        ("Warmed:Stopped", TargetState::Warmed),
        ("Odd", TargetState::Unknown("Odd".into())),
    ] {
        let server = service(Vec::leak(vec![(TARGET_STATE, text)]));
        assert_eq!(imds(&server).target_state().await.unwrap(), Some(state));
    }
}

#[tokio::test]
async fn what_is_not_there_is_none() {
    let server = service(&[]);
    let imds = imds(&server);
    assert_eq!(imds.target_state().await.unwrap(), None);
    assert_eq!(imds.notices().await.unwrap(), Notices::default());
}

#[tokio::test]
async fn a_scheduled_event_is_told() {
    let server = service(&[(EVENTS, EVENT)]);
    let notices = imds(&server).notices().await.unwrap();
    assert_eq!(notices.spot_ends_at, None);
    assert_eq!(
        notices.event_at,
        Some("2026-01-21T09:00:43Z".parse().unwrap())
    );
}

#[tokio::test]
async fn a_spot_notice_does_not_wait_for_the_events() {
    for events in [EVENT, "<html>"] {
        let server = service(Vec::leak(vec![(SPOT, SPOT_NOTICE), (EVENTS, events)]));
        let notices = imds(&server).notices().await.unwrap();
        let time: Timestamp = "2026-09-18T08:22:00Z".parse().unwrap();
        assert_eq!(notices.spot_ends_at, Some(time));
        assert_eq!(notices.event_at, None);
        assert_eq!(count(&server, |r| r.path.ends_with(EVENTS)), 0);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_never_none() {
    for path in [TARGET_STATE, SPOT, EVENTS] {
        for (answer, kind, text) in [
            (ok("<html>"), PortErrorKind::Transient, "not as documented"),
            (ok(""), PortErrorKind::Transient, "not as documented"),
            (ok([0xff, 0xfe]), PortErrorKind::Transient, "UTF-8"),
            (
                Answer::http(500, "<html>"),
                PortErrorKind::Transient,
                "HTTP 500",
            ),
            (
                Answer::http(403, "<html>"),
                PortErrorKind::Permanent,
                "HTTP 403; the metadata service refuses this machine",
            ),
            (
                Answer::http(429, ""),
                PortErrorKind::Throttled,
                "ask it less often",
            ),
            (
                Answer::Close,
                PortErrorKind::Transient,
                "HttpPutResponseHopLimit 2",
            ),
        ] {
            let server = Server::new(move |_, request| match request {
                request if asks_for_token(request) => token(0),
                request if request.path.ends_with(path) => answer.clone(),
                _ => Answer::http(404, ""),
            });
            let imds = imds(&server);
            let reading = format!("could not read `{path}` from the instance metadata service");
            let texts = [reading.as_str(), text];
            if path == TARGET_STATE {
                assert_failed(imds.target_state().await, kind, &texts);
            } else {
                assert_failed(imds.notices().await, kind, &texts);
            }
            assert_eq!(count(&server, |r| r.path.ends_with(path)), 1);
        }
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_known() {
    for (answer, kind, text) in [
        (
            Answer::http(403, ""),
            PortErrorKind::Permanent,
            "HttpEndpoint `enabled`",
        ),
        (
            Answer::http(404, "<html>"),
            PortErrorKind::Transient,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        ),
        (
            Answer::http(503, ""),
            PortErrorKind::Transient,
            "HttpPutResponseHopLimit 2",
        ),
        (
            Answer::Close,
            PortErrorKind::Transient,
            "HttpPutResponseHopLimit 2",
        ),
    ] {
        let server = Server::always(answer);
        assert_failed(
            imds(&server).target_state().await,
            kind,
            &["failed to load IMDS session token", text],
        );
        assert_eq!(count(&server, asks_for_token), 1);
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced() {
    // As after hibernation, when the token in memory is older than the machine.
    let server = Server::new(|number, request| match request {
        request if asks_for_token(request) => token(number),
        request if request.has_header("x-aws-ec2-metadata-token: token-0") => Answer::http(401, ""),
        _ => ok("InService"),
    });
    let imds = imds(&server);
    let other = imds.clone();
    for imds in [&imds, &imds, &other] {
        let state = imds.target_state().await.unwrap();
        assert_eq!(state, Some(TargetState::InService));
    }
    // Token, refused, token, read; and then read and read, since the new token stays.
    assert_eq!(server.requests().len(), 6);
    assert_eq!(count(&server, asks_for_token), 2);
}

#[tokio::test]
async fn tokens_that_are_all_refused_are_an_error() {
    let server = Server::new(|number, request| match request {
        request if asks_for_token(request) => token(number),
        _ => Answer::http(401, ""),
    });
    assert_failed(
        imds(&server).target_state().await,
        PortErrorKind::Transient,
        &["HTTP 401"],
    );
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_given_up() {
    let silent = Server::always(Answer::Hang);
    let without_answer = Server::new(|_, request| {
        if asks_for_token(request) {
            token(0)
        } else {
            Answer::Hang
        }
    });
    for server in [silent, without_answer] {
        let imds = imds(&server).with_timeout(Duration::from_millis(300));
        assert_failed(
            imds.target_state().await,
            PortErrorKind::Transient,
            &["see that this is an EC2 instance"],
        );
        assert_failed(imds.notices().await, PortErrorKind::Transient, &[]);
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_an_error() {
    let nowhere = Imds::new(&service(&[]).sdk())
        .unwrap()
        // Nothing listens on the port of discarded packets.
        .with_endpoint("http://127.0.0.1:9")
        .unwrap();
    assert_failed(
        nowhere.target_state().await,
        PortErrorKind::Transient,
        &["see that this is an EC2 instance"],
    );
}

#[test]
fn an_address_that_is_none_is_refused() {
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .build();
    for endpoint in [
        "",
        "localhost",
        "https://127.0.0.1",
        "http://",
        "http://a b",
    ] {
        let error = Imds::new(&sdk).unwrap().with_endpoint(endpoint);
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("instance metadata service"),
            "{endpoint}: {text}"
        );
    }
}

#[tokio::test]
async fn the_address_in_the_environment_is_asked_and_a_wrong_one_is_named() {
    const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    const NONE: &str = "http://no address";
    let server = service(&[(TARGET_STATE, "Terminated")]);
    let imds = Imds::new(&server.sdk()).unwrap();
    match env::var(ENDPOINT).as_deref() {
        Ok(NONE) => assert_failed(
            imds.target_state().await,
            PortErrorKind::Permanent,
            &["correct AWS_EC2_METADATA_SERVICE_ENDPOINT", "invalid URI"],
        ),
        Ok(_) => {
            let state = imds
                .with_timeout(Duration::from_mins(1))
                .target_state()
                .await;
            assert_eq!(state.unwrap(), Some(TargetState::Terminated));
        }
        // The environment belongs to the whole process, so this test runs itself in others.
        Err(_) => {
            for address in [NONE, &server.url()] {
                let test =
                    "agent::imds::the_address_in_the_environment_is_asked_and_a_wrong_one_is_named";
                let output = Command::new(env::current_exe().unwrap())
                    .args(["--exact", test])
                    .env(ENDPOINT, address)
                    .output()
                    .unwrap();
                let said = String::from_utf8_lossy(&output.stdout);
                let passed = output.status.success() && said.contains("1 passed");
                assert!(passed, "{address}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn the_metadata_tell_who_this_is() {
    let server = service(&[
        ("instance-id", "i-a"),
        ("placement/region", "eu-central-1"),
        (GROUP, "jibri"),
    ]);
    // Without a region, and without anything to call AWS with.
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .build();
    let identity = imds_of(&sdk, &server).identity().await.unwrap();
    assert_eq!(identity.instance_id.as_str(), "i-a");
    assert_eq!(&*identity.region, "eu-central-1");
    assert_eq!(identity.group, Some("jibri".parse().unwrap()));
}

#[tokio::test]
async fn without_tags_in_the_metadata_the_group_is_asked_for() {
    for (answer, group) in [
        (row("i-a", "jibri", "Pending:Wait", false), Some("jibri")),
        (String::new(), None),
    ] {
        let metadata = service(&[("instance-id", "i-a"), ("placement/region", "eu-central-1")]);
        let api = Server::always(rows(&answer, ""));
        let identity = imds_of(&api.sdk(), &metadata).identity().await.unwrap();
        assert_eq!(identity.group, group.map(|name| name.parse().unwrap()));
        let requests = api.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].members("InstanceIds"), ["i-a"]);
        // The region is that of the instance, whatever the configuration says.
        let signed = requests[0]
            .headers
            .iter()
            .find(|line| line.starts_with("authorization: "))
            .unwrap();
        assert!(signed.contains("/eu-central-1/autoscaling/"), "{signed}");
    }
}

#[tokio::test]
async fn who_this_is_must_be_readable() {
    const ID: (&str, &str) = ("instance-id", "i-a");
    const REGION: (&str, &str) = ("placement/region", "eu-central-1");
    for (entries, kind, text) in [
        (
            vec![REGION],
            PortErrorKind::Permanent,
            "`instance-id` from the instance metadata service (permanent): it is not there",
        ),
        (
            vec![("instance-id", "<html>"), REGION],
            PortErrorKind::Transient,
            "`instance-id`",
        ),
        (vec![ID], PortErrorKind::Permanent, "`placement/region`"),
        (
            vec![ID, ("placement/region", "")],
            PortErrorKind::Transient,
            "`placement/region`",
        ),
        (
            vec![ID, REGION, (GROUP, "a:b")],
            PortErrorKind::Transient,
            "cannot be the name of an Auto Scaling group",
        ),
    ] {
        let server = service(Vec::leak(entries));
        assert_failed(imds(&server).identity().await, kind, &[text]);
    }
}
