//! Scripted answers.

use std::time::Duration;

use async_trait::async_trait;
use jibri_scaler_aws::{BuildError, Ec2Listing};
use jibri_scaler_core::{
    Group, Instance, Lifecycle, Timestamp,
    port::{GroupListing, Listing, PortError, PortErrorKind},
};

use crate::answers::{Answer, Request, Server};

/// A listing of these instances, without details.
#[derive(Debug)]
struct Listed(&'static [&'static str]);

#[async_trait]
impl GroupListing for Listed {
    async fn list(&self) -> Result<Listing, PortError> {
        let row = |id: &&str| Instance::new(id.parse().unwrap(), Lifecycle::InService);
        let rows = self.0.iter().map(row).collect();
        Ok(Listing::new(Group::new(0, 9, 2), rows))
    }
}

fn listing(server: &Server, ids: &'static [&'static str]) -> Ec2Listing<Listed> {
    let listing = Ec2Listing::new(&server.sdk(), Listed(ids)).unwrap();
    // Tests of what is answered must not meet a timeout on a slow machine.
    listing.with_timeout(Duration::from_mins(1))
}

/// A page of `DescribeInstances`, a reservation for each instance.
pub(crate) fn page(instances: &[String], next_token: Option<&str>) -> Answer {
    let token = next_token.map_or_else(String::new, |t| format!("<nextToken>{t}</nextToken>"));
    let reservations = if instances.is_empty() {
        String::new()
    } else {
        let (open, close) = (
            "<item><reservationId>r-1</reservationId><ownerId>1</ownerId><instancesSet>",
            "</instancesSet></item>",
        );
        let between = format!("{close}{open}");
        format!("{open}{}{close}", instances.join(&between))
    };
    Answer::http(
        200,
        format!(
            "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r-1</requestId>\
             <reservationSet>{reservations}</reservationSet>{token}</DescribeInstancesResponse>"
        ),
    )
}

pub(crate) fn instance(id: &str, more: &str) -> String {
    format!(
        "<item><instanceId>{id}</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name>\
         </instanceState><instanceType>t3.large</instanceType>{more}</item>"
    )
}

const LAUNCH: &str = "<launchTime>2026-11-22T09:00:00.000Z</launchTime>";

fn whole(id: &str, ip: &str) -> String {
    let address = format!("{LAUNCH}<privateIpAddress>{ip}</privateIpAddress>");
    instance(id, &address)
}

/// EC2's own shape of a refusal.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::http(
        status,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code>\
             <Message>{message}</Message></Error></Errors><RequestID>r-1</RequestID></Response>"
        ),
    )
}

fn ids(request: &Request) -> Vec<&str> {
    (1..)
        .map_while(|n| request.parameter(&format!("InstanceId.{n}")))
        .collect()
}

#[tokio::test]
async fn instances_are_described_by_id_and_over_pages() {
    let server = Server::script(vec![
        page(&[whole("i-b", "10.0.0.8")], Some("t1")),
        page(&[], Some("t2")),
        page(&[whole("i-a", "10.0.0.7")], None),
    ]);
    let listing = listing(&server, &["i-a", "i-b"]);
    for _ in 0..2 {
        let seen = listing.list().await.unwrap();
        assert_eq!(seen.findings, []);
        let launched: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
        for (instance, ip) in seen.instances.iter().zip([[10, 0, 0, 7], [10, 0, 0, 8]]) {
            assert_eq!(instance.launched_at, Some(launched));
            assert_eq!(instance.private_ip, Some(ip.into()));
        }
    }
    let requests = server.requests();
    let tokens: Vec<_> = requests.iter().map(|r| r.parameter("NextToken")).collect();
    assert_eq!(tokens, [None, Some("t1"), Some("t2")]);
    for request in requests.iter() {
        assert_eq!(request.parameter("Action"), Some("DescribeInstances"));
        assert_eq!(ids(request), ["i-a", "i-b"]);
        // It must not be sent beside ids.
        assert_eq!(request.parameter("MaxResults"), None);
    }
}

#[tokio::test]
async fn a_subnet_without_ipv4_has_the_other_address_and_what_makes_no_sense_is_left_out() {
    let only_v6 = format!("{LAUNCH}<ipv6Address>2001:db8::7</ipv6Address>");
    let server = Server::always(page(
        &[
            instance("i-a", &only_v6),
            instance("i-b", "<privateIpAddress>ten</privateIpAddress>"),
            "<item></item>".into(),
        ],
        None,
    ));
    let seen = listing(&server, &["i-a", "i-b"]).list().await.unwrap();
    assert_eq!(
        seen.instances[0].private_ip,
        Some("2001:db8::7".parse().unwrap())
    );
    let b = &seen.instances[1];
    assert_eq!((b.private_ip, b.launched_at), (None, None));
    assert_eq!(seen.findings, []);
}

#[tokio::test]
async fn ids_that_ec2_does_not_know_are_left_out() {
    for (message, rest) in [
        (
            "The instance ID 'i-gone' does not exist",
            &["i-a", "i-b"][..],
        ),
        ("The instance IDs 'i-b, i-gone' do not exist", &["i-a"]),
    ] {
        let server = Server::script(vec![
            refusal(400, "InvalidInstanceID.NotFound", message),
            page(&[whole("i-a", "10.0.0.7")], None),
        ]);
        let listing = listing(&server, &["i-a", "i-b", "i-gone"]);
        let seen = listing.list().await.unwrap();
        assert_eq!(seen.instances.len(), 3);
        assert!(seen.instances[0].private_ip.is_some());
        assert_eq!(seen.findings, []);
        let requests = server.requests();
        let asked: Vec<_> = requests.iter().map(ids).collect();
        assert_eq!(asked, [&["i-a", "i-b", "i-gone"][..], rest]);
    }
}

#[tokio::test]
async fn a_missing_right_is_named_and_the_listing_stands() {
    let server = Server::always(refusal(
        403,
        "UnauthorizedOperation",
        "You are not authorized to perform this operation.",
    ));
    let seen = listing(&server, &["i-a"]).list().await.unwrap();
    assert_eq!(seen.instances.len(), 1);
    let [finding] = &seen.findings[..] else {
        panic!("{seen:?}");
    };
    for text in [
        "could not describe instance `i-a` (permanent)",
        "UnauthorizedOperation (HTTP 403, request r-1)",
        "allow ec2:DescribeInstances in the IAM policy",
    ] {
        assert!(finding.what.contains(text), "{finding}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_read_is_tried_again_and_three_times_at_most() {
    let throttled = || refusal(503, "RequestLimitExceeded", "Request limit exceeded.");
    let server = Server::script(vec![
        throttled(),
        refusal(500, "InternalError", "An internal error has occurred"),
        page(&[whole("i-a", "10.0.0.7")], None),
    ]);
    let seen = listing(&server, &["i-a"]).list().await.unwrap();
    assert!(seen.instances[0].launched_at.is_some());

    let server = Server::always(throttled());
    let seen = listing(&server, &["i-a"]).list().await.unwrap();
    assert_eq!(server.requests().len(), 3);
    assert!(seen.findings[0].what.contains("(throttled)"), "{seen:?}");
}

#[tokio::test]
async fn an_ec2_that_hangs_is_given_up_in_time() {
    let server = Server::always(Answer::Hang);
    let listing = listing(&server, &["i-a"]).with_timeout(Duration::from_millis(300));
    let seen = listing.list().await.unwrap();
    assert_eq!(seen.instances.len(), 1);
    assert!(seen.findings[0].what.contains("(transient)"), "{seen:?}");
}

#[tokio::test]
async fn the_errors_of_the_listing_are_its_own_and_cost_no_request() {
    struct Failing;
    #[async_trait]
    impl GroupListing for Failing {
        async fn list(&self) -> Result<Listing, PortError> {
            Err(PortError::new(PortErrorKind::Throttled, "list"))
        }
    }
    let server = Server::always(page(&[], None));
    let listing = Ec2Listing::new(&server.sdk(), Failing).unwrap();
    let error = listing.list().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Throttled);
    assert!(server.requests().is_empty());
}

#[test]
fn a_configuration_that_no_client_can_be_made_of_is_refused() {
    let bare = aws_config::SdkConfig::builder().build();
    let error = Ec2Listing::new(&bare, Listed(&[])).unwrap_err();
    assert_eq!(error, BuildError::NoBehaviorVersion);
}
