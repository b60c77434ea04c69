//! Protecting instances.

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
