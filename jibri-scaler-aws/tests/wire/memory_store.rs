//! The memory in a table, as `DynamoDB` answers.

use std::time::Duration;

use jibri_scaler_aws::DynamoDbMemory;
use jibri_scaler_core::{
    Memory,
    port::{MemoryStore as _, PortErrorKind},
};
use serde_json::{Value, json};

use crate::{
    answers::{Answer, Server},
    group::assert_failed,
    leadership::{is, json as answer, nothing, refusal, sent},
};

fn store(server: &Server) -> DynamoDbMemory {
    let (table, group) = ("leads".parse().unwrap(), "jibri".parse().unwrap());
    DynamoDbMemory::new(&server.sdk(), table, group)
        .unwrap()
        // Tests of what is answered must not meet a timeout on a slow machine.
        .with_timeout(Duration::from_mins(1))
}

/// As a condition is refused, with what is there.
fn changed(item: &Value) -> Answer {
    let code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    let message = "The conditional request failed";
    let body = json!({"__type": code, "message": message, "Item": item});
    answer(400, body.to_string())
}

/// The item of this memory, saved by a store of its own.
async fn item(memory: &Memory) -> Value {
    let server = Server::script(vec![nothing()]);
    store(&server).save(memory).await.unwrap();
    let put = sent(&server.requests()[0]);
    put["Item"].clone()
}

#[tokio::test]
async fn a_load_is_consistent_and_a_save_is_one_put_on_a_condition() {
    let server = Server::script(vec![nothing(), nothing(), nothing()]);
    let memory = store(&server);
    assert_eq!(memory.load().await.unwrap(), None);
    memory.save(&Memory::default()).await.unwrap();
    memory.save(&Memory::default()).await.unwrap();
    let requests = server.requests().clone();
    let [get, first, second] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert!(is(get, "GetItem") && is(first, "PutItem") && is(second, "PutItem"));
    let read = json!({
        "TableName": "leads", "Key": {"lead": {"S": "memory:jibri"}}, "ConsistentRead": true,
    });
    assert_eq!(sent(get), read);
    let (first, second) = (sent(first), sent(second));
    assert_eq!(first["Item"]["lead"]["S"], "memory:jibri");
    assert_eq!(first["Item"]["version"]["N"], "1");
    assert_eq!(first["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    let own = first["Item"]["writer"]["S"].as_str().unwrap();
    assert_eq!(
        first["ConditionExpression"],
        "attribute_not_exists(#key) OR (#writer = :own AND #version < :this)"
    );
    let values = json!({":own": {"S": own}, ":this": {"N": "1"}});
    assert_eq!(first["ExpressionAttributeValues"], values);
    // From here it goes over what it has saved itself.
    assert_eq!(second["Item"]["version"]["N"], "2");
    assert_eq!(
        second["ConditionExpression"],
        "(#writer = :writer AND #version = :version) OR (#writer = :own AND #version < :this)"
    );
    let values = json!({
        ":own": {"S": own}, ":this": {"N": "2"}, ":writer": {"S": own}, ":version": {"N": "1"},
    });
    assert_eq!(second["ExpressionAttributeValues"], values);
}

#[tokio::test]
async fn what_was_saved_is_loaded_and_gone_over() {
    let saved = item(&Memory::default()).await;
    let body = json!({"Item": saved}).to_string();
    let server = Server::script(vec![answer(200, body), nothing()]);
    let memory = store(&server);
    assert_eq!(memory.load().await.unwrap(), Some(Memory::default()));
    memory.save(&Memory::default()).await.unwrap();
    let put = sent(&server.requests()[1]);
    assert_eq!(put["ExpressionAttributeValues"][":writer"], saved["writer"]);
    assert_eq!(
        put["ExpressionAttributeValues"][":version"],
        saved["version"]
    );
    assert_ne!(
        put["Item"]["writer"], saved["writer"],
        "each store is another one"
    );
}

#[tokio::test]
async fn a_save_that_is_refused_says_why_and_the_next_goes_over_what_is_there() {
    let mut theirs = item(&Memory::default()).await;
    theirs["version"]["N"] = "7".into();
    let server = Server::script(vec![changed(&theirs), nothing()]);
    let memory = store(&server);
    let texts = [
        "could not save the memory of group `jibri` in DynamoDB table `leads` (transient)",
        "another replica has saved since",
    ];
    let refused = memory.save(&Memory::default()).await;
    assert_failed(refused, PortErrorKind::Transient, &texts);
    memory.save(&Memory::default()).await.unwrap();
    let put = sent(&server.requests()[1]);
    assert_eq!(put["Item"]["version"]["N"], "8");
    assert_eq!(
        put["ExpressionAttributeValues"][":writer"],
        theirs["writer"]
    );
}

#[tokio::test]
async fn a_load_is_tried_again_and_a_save_is_not() {
    let fault = || refusal(500, "InternalServerError", "later");
    let server = Server::always(fault());
    let load = store(&server).load().await;
    let doing = "could not load the memory of group `jibri` in DynamoDB table `leads` (transient)";
    assert_failed(load, PortErrorKind::Transient, &[doing]);
    assert_eq!(server.requests().len(), 3);

    let server = Server::always(fault());
    let save = store(&server).save(&Memory::default()).await;
    let texts = ["save the memory", "InternalServerError (HTTP 500"];
    assert_failed(save, PortErrorKind::Transient, &texts);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let denied = || refusal(400, "AccessDeniedException", "User is not authorized");
    for (denied, right) in [(denied(), "GetItem"), (denied(), "PutItem")] {
        let server = Server::always(denied);
        let memory = store(&server);
        let result = match right {
            "GetItem" => memory.load().await.map(drop),
            _ => memory.save(&Memory::default()).await,
        };
        let text = format!("allow dynamodb:{right} in the IAM policy");
        assert_failed(result, PortErrorKind::Permanent, &[&text]);
    }
    let gone = refusal(
        400,
        "ResourceNotFoundException",
        "Requested resource not found",
    );
    let load = store(&Server::always(gone)).load().await;
    let text = "make the table, with the one key `lead` of type string";
    assert_failed(load, PortErrorKind::Permanent, &[text]);
    let slower = refusal(400, "ProvisionedThroughputExceededException", "too much");
    let save = store(&Server::always(slower))
        .save(&Memory::default())
        .await;
    assert_failed(save, PortErrorKind::Throttled, &["save the memory"]);
}

#[tokio::test]
async fn what_is_no_memory_is_an_error_and_is_not_written_over() {
    let good = item(&Memory::default()).await;
    let with = |attribute: &str, value: Option<Value>| {
        let mut item = good.clone();
        match value {
            Some(value) => item[attribute] = value,
            None => drop(item.as_object_mut().unwrap().remove(attribute)),
        }
        item
    };
    let anew = "delete it to start anew";
    for (item, text) in [
        (with("memory", None), "was not written by this library"),
        (with("writer", None), "was not written by this library"),
        (
            with("version", Some(json!({"S": "1"}))),
            "was not written by this library",
        ),
        // Not compressed, and cut.
        (with("memory", Some(json!({"B": "e30="}))), anew),
        (with("memory", Some(json!({"B": "H4sIAAAA"}))), anew),
    ] {
        let body = json!({"Item": item}).to_string();
        let server = Server::script(vec![answer(200, body), changed(&item), changed(&item)]);
        let memory = store(&server);
        let texts = ["could not understand the memory of group `jibri`", text];
        assert_failed(memory.load().await, PortErrorKind::Permanent, &texts);
        for _ in 0..2 {
            let saved = memory.save(&Memory::default()).await;
            let texts = ["could not save the memory of group `jibri`", text];
            assert_failed(saved, PortErrorKind::Permanent, &texts);
            let put = sent(server.requests().last().unwrap());
            let condition = put["ConditionExpression"].as_str().unwrap();
            assert!(condition.starts_with("attribute_not_exists"), "{condition}");
        }
    }
}

#[tokio::test]
async fn a_table_that_hangs_is_given_up_in_time() {
    let server = Server::always(Answer::Hang);
    let memory = store(&server).with_timeout(Duration::from_millis(300));
    assert_failed(
        memory.load().await,
        PortErrorKind::Transient,
        &["timed out"],
    );
    let save = memory.save(&Memory::default()).await;
    assert_failed(save, PortErrorKind::Transient, &["timed out"]);
}
