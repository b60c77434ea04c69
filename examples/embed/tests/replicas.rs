//! Two replicas of the service as the command line builds them, with a lead in a table of moto.

use std::net::{Ipv4Addr, SocketAddr};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use clap::Parser as _;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;
use crate::{arguments::Arguments, keep, ports::World};

#[path = "../../../jibri-scaler-aws/tests/moto/server.rs"]
mod moto_server;

const REGION: &str = "eu-central-1";
const TABLE: &str = "leads-of-embed";
const GROUP: &str = "group-of-embed";
const MINUTE: Duration = Duration::from_mins(1);

/// A request to this service of moto.
async fn call(service: &str, headers: &str, body: &str) {
    let moto = SocketAddr::from((Ipv4Addr::LOCALHOST, moto_server::port()));
    let mut stream = TcpStream::connect(moto).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {service}.{REGION}.amazonaws.com\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20261122/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
         {headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{body}: {answer}");
}

/// A group of one instance, and a table as `DynamoDbLeadership` says, for leads and memories.
async fn provision() {
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let name = format!("LaunchConfigurationName={GROUP}");
    let launch =
        format!("CreateLaunchConfiguration&{name}&ImageId=ami-12345678&InstanceType=t3.small");
    let sizes = "MinSize=1&MaxSize=9&DesiredCapacity=1&AvailabilityZones.member.1=eu-central-1a";
    let group = format!("CreateAutoScalingGroup&AutoScalingGroupName={GROUP}&{name}&{sizes}");
    for action in [launch, group] {
        let body = format!("Version=2011-01-01&Action={action}");
        call("autoscaling", form, &body).await;
    }
    let body = json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "lead", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "lead", "KeyType": "HASH"}],
    });
    let create = "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.CreateTable\r\n";
    call("dynamodb", create, &body.to_string()).await;
}

async fn sdk() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(format!("http://127.0.0.1:{}", moto_server::port()))
        .test_credentials()
        .load()
        .await
}

#[allow(clippy::future_not_send, reason = "it is never spawned")]
async fn replica(words: &[String]) -> (Group, Worker) {
    let words = ["embed".to_owned()]
        .into_iter()
        .chain(words.iter().cloned());
    let arguments = Arguments::try_parse_from(words).unwrap();
    let world = World::with_sdk(sdk().await, &arguments).unwrap();
    let (_, mut groups) = keep(arguments, world).await.unwrap();
    let (group, mut keeper) = groups.remove(0);
    let (worker, _) = keeper.begin().await.unwrap();
    (group, worker)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_leads_the_other_observes_and_takes_over_with_all_that_was_asked_for() {
    provision().await;
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, "min_idle = 2").unwrap();
    let words = [
        format!("--group={GROUP}={}", policy.display()),
        // The memory is there too.
        format!("--lead-table={TABLE}"),
        // Nobody is there.
        "--jibri-url=http://127.0.0.1:1/{instance_id}".into(),
        "--internal-url=http://127.0.0.1:1/{instance_id}".into(),
    ];
    let (first, mut leader) = replica(&words).await;
    let (second, mut other) = replica(&words).await;

    let now = || Timestamp::from(std::time::SystemTime::now());
    leader.tick(now()).await;
    assert_eq!(first.view().problems, [""; 0]);
    assert!(first.view().leads);
    other.tick(now()).await;
    assert_eq!(second.view().problems, [""; 0]);
    let view = second.view();
    assert!(!view.leads);
    assert_eq!(view.group.unwrap().desired, 2, "it sees what was asked for");
    let says = view
        .findings
        .iter()
        .any(|finding| finding.what.contains("another replica leads"));
    assert!(says, "{:?}", view.findings);

    // It is told to pause, and its ticks end, as when the service is told to stop.
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let leading = tokio::spawn(leader.run(stream::pending().take_until(ended)));
    let pause = json!({
        "kind": "pause", "direction": "both", "until": (now() + 60 * MINUTE).to_string(), "reason": "the subnet is full",
    });
    first
        .command(serde_json::from_value(pause).unwrap())
        .await
        .unwrap();
    drop(end);
    leading.await.unwrap();

    // The other one knows of it, and goes on with what is remembered.
    for _ in 0..2 {
        other.tick(now()).await;
        let view = second.view();
        assert_eq!(view.problems, [""; 0]);
        assert!(view.leads);
        let paused = view
            .findings
            .iter()
            .filter(|finding| finding.what.contains("the subnet is full"));
        assert_eq!(
            paused.count(),
            2,
            "growing and shrinking: {:?}",
            view.findings
        );
    }
}
