//! The lead in a table, as `DynamoDB` answers.

use std::time::Duration;

use jibri_scaler_aws::{DynamoDbLeadership, LeadershipError};
use jibri_scaler_core::port::{Leadership, PortErrorKind};

use crate::{
    answers::{Answer, Request, Server},
    group::assert_failed,
};

const TTL: Duration = Duration::from_secs(30);
const JSON: &[&str] = &[
    "content-type: application/x-amz-json-1.0",
    "x-amzn-requestid: r-1",
];

fn leadership(server: &Server) -> DynamoDbLeadership {
    let (table, group) = ("leads".parse().unwrap(), "jibri".parse().unwrap());
    DynamoDbLeadership::new(&server.sdk(), table, group, &"a".parse().unwrap(), TTL)
        .unwrap()
        // Tests of what is answered must not meet a timeout on a slow machine.
        .with_timeout(Duration::from_mins(1))
}

pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer::Http {
        status,
        headers: JSON,
        body: body.into(),
    }
}

pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Answer {
    json(
        status,
        format!(
            "{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{code}\",\"message\":\"{message}\"}}"
        ),
    )
}

pub(crate) fn nothing() -> Answer {
    json(200, "{}")
}

fn item(holder: &str, version: u32, heeded_ms: u32) -> Answer {
    json(
        200,
        format!(
            "{{\"Item\":{{\"lead\":{{\"S\":\"jibri\"}},\"holder\":{{\"S\":\"{holder}\"}},\
             \"version\":{{\"N\":\"{version}\"}},\"heeded_ms\":{{\"N\":\"{heeded_ms}\"}}}}}}"
        ),
    )
}

pub(crate) fn is(request: &Request, operation: &str) -> bool {
    request.has_header(&format!("x-amz-target: DynamoDB_20120810.{operation}"))
}

pub(crate) fn sent(request: &Request) -> serde_json::Value {
    serde_json::from_slice(&request.body).unwrap()
}

#[tokio::test]
async fn a_campaign_reads_consistently_and_writes_on_the_condition_that_nothing_has_changed() {
    let server = Server::script(vec![nothing(), nothing()]);
    let lead = leadership(&server);
    assert!(lead.campaign().await.unwrap());
    let requests = server.requests().clone();
    let [get, put] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert!(is(get, "GetItem") && is(put, "PutItem"));
    let read = serde_json::json!({
        "TableName": "leads", "Key": {"lead": {"S": "jibri"}}, "ConsistentRead": true,
    });
    assert_eq!(sent(get), read);
    let put = sent(put);
    assert_eq!(put["ConditionExpression"], "attribute_not_exists(#key)");
    assert_eq!(put["Item"]["version"]["N"], "1");
    assert_eq!(put["Item"]["heeded_ms"]["N"], "30000");
    assert_eq!(put["Item"]["holder"]["S"], lead.holder());
    assert!(lead.holder().starts_with("a "), "{}", lead.holder());

    // What another has given up is taken.
    let server = Server::script(vec![item("b 1f", 7, 0), nothing()]);
    assert!(leadership(&server).campaign().await.unwrap());
    let put = sent(&server.requests()[1]);
    let values = serde_json::json!({":version": {"N": "7"}, ":holder": {"S": "b 1f"}});
    assert_eq!(put["ExpressionAttributeValues"], values);
    assert_eq!(put["Item"]["version"]["N"], "8");
}

#[tokio::test]
async fn where_another_was_faster_it_leads_and_that_is_no_error() {
    let changed = "ConditionalCheckFailedException";
    let failed = refusal(400, changed, "The conditional request failed");
    let server = Server::script(vec![nothing(), failed]);
    let lead = leadership(&server);
    assert!(!lead.campaign().await.unwrap());
    assert!(!lead.leads());
}

#[tokio::test]
async fn a_read_is_tried_again_and_a_write_is_not() {
    let fault = || refusal(500, "InternalServerError", "later");
    let server = Server::always(fault());
    let read = leadership(&server).campaign().await;
    assert_failed(
        read,
        PortErrorKind::Transient,
        &["read who leads group `jibri`"],
    );
    assert_eq!(server.requests().len(), 3);

    let server = Server::script(vec![nothing(), fault()]);
    let write = leadership(&server).campaign().await;
    let texts = [
        "could not take or prolong the lead of group `jibri` in DynamoDB table `leads` (transient)",
        "InternalServerError (HTTP 500",
    ];
    assert_failed(write, PortErrorKind::Transient, &texts);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    for (status, code, message, kind, text) in [
        (
            400,
            "ResourceNotFoundException",
            "Requested resource not found",
            PortErrorKind::Permanent,
            "make the table, with the one key `lead` of type string",
        ),
        (
            400,
            "ValidationException",
            "The provided key element does not match the schema",
            PortErrorKind::Permanent,
            "the table must have one key, `lead` of type string",
        ),
        (
            400,
            "AccessDeniedException",
            "User is not authorized",
            PortErrorKind::Permanent,
            "allow dynamodb:GetItem in the IAM policy",
        ),
        (
            400,
            "ProvisionedThroughputExceededException",
            "too much",
            PortErrorKind::Throttled,
            "AWS answered ProvisionedThroughputExceededException",
        ),
    ] {
        let server = Server::always(refusal(status, code, message));
        let result = leadership(&server).campaign().await;
        assert_failed(result, kind, &["in DynamoDB table `leads`", text]);
    }
    let denied = refusal(400, "AccessDeniedException", "User is not authorized");
    let server = Server::script(vec![nothing(), denied]);
    let result = leadership(&server).campaign().await;
    let right = "allow dynamodb:PutItem in the IAM policy";
    assert_failed(result, PortErrorKind::Permanent, &[right]);
}

#[tokio::test]
async fn an_item_of_somebody_else_is_left_alone() {
    let foreign = json(200, "{\"Item\":{\"lead\":{\"S\":\"jibri\"}}}");
    let server = Server::always(foreign);
    let lead = leadership(&server);
    let text = "was not written by this library";
    assert_failed(lead.campaign().await, PortErrorKind::Permanent, &[text]);
    assert_failed(lead.resign().await, PortErrorKind::Permanent, &[text]);
    assert!(
        server
            .requests()
            .iter()
            .all(|request| is(request, "GetItem"))
    );
}

#[tokio::test]
async fn a_table_that_hangs_is_given_up_in_time() {
    let server = Server::always(Answer::Hang);
    let lead = leadership(&server).with_timeout(Duration::from_millis(300));
    assert_failed(
        lead.campaign().await,
        PortErrorKind::Transient,
        &["timed out"],
    );
}

#[test]
fn a_time_that_is_out_of_range_is_refused() {
    let server = Server::always(nothing());
    for ttl in [4, 3601] {
        let (table, group) = ("leads".parse().unwrap(), "jibri".parse().unwrap());
        let ttl = Duration::from_secs(ttl);
        let made = DynamoDbLeadership::new(&server.sdk(), table, group, &"a".parse().unwrap(), ttl);
        let error = made.unwrap_err();
        assert!(matches!(error, LeadershipError::Ttl(_)));
        assert!(error.to_string().contains("\"5s\"–\"1h\""), "{error}");
    }
}
