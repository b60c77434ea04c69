//! Who may say what about which instance.

use std::fmt::Write as _;

use super::*;

/// Each credential with what it lets in: (token, its own instance or all, as an agent).
fn credentials() -> Vec<(String, Option<&'static str>, bool)> {
    vec![
        (SHARED.to_owned(), None, true),
        (derived("i-1"), Some("i-1"), true),
        (derived("i-2"), Some("i-2"), true),
        (token_of("all", 0), None, false),
        (token_of("of i-1", 0), Some("i-1"), false),
    ]
}

/// As `openssl dgst -sha256 -hmac` makes it.
pub(crate) fn derived(name: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"0123456789abcdef0123456789abcdef");
    let mac = ring::hmac::sign(&key, name.as_bytes());
    let mut hex = String::new();
    for byte in mac.as_ref() {
        write!(hex, "{byte:02x}").unwrap();
    }
    format!("{name}.{hex}")
}

#[tokio::test]
async fn an_id_reports_only_for_itself_and_only_an_agent_as_an_agent() {
    for (token, only, as_agent) in credentials() {
        for name in ["i-1", "i-2", "i-stranger"] {
            let mut world = World::new();
            let is_own = only.is_none_or(|only| only == name);
            let is_listed = name != "i-stranger";
            let expected = |may: bool| match (is_own && may, is_listed) {
                (false, _) => 403,
                (true, false) => 404,
                (true, true) => 200,
            };
            let shown = &token[..token.len().min(12)];
            let answer = world
                .post(&token, STATUS, &status(name, "BUSY", Some("1")))
                .await;
            assert_eq!(answer, expected(as_agent), "agent: {shown}… about {name}");
            assert_eq!(world.agent(name).is_some(), answer == 200);
            assert_eq!(world.woken(), answer == 200);

            for (path, body) in [
                (STATUS, status(name, "BUSY", None)),
                (SESSION, session(name, "ON")),
                (&format!("/{name}{STATUS}"), status("", "IDLE", None)),
                (&format!("/{name}{SESSION}"), session("", "OFF")),
            ] {
                let answer = world.post(&token, path, &body).await;
                assert_eq!(answer, expected(true), "{shown}… about {name}: {path}");
                assert_eq!(world.woken(), answer == 200, "{path}");
            }
            for other in ["i-1", "i-2"].iter().filter(|other| **other != name) {
                assert_eq!(world.agent(other), None);
            }
        }
    }
}

#[tokio::test]
async fn a_webhook_is_never_the_report_of_an_agent() {
    for token in [SHARED.to_owned(), token_of("all", 0)] {
        let world = World::new();
        let answer = world
            .post(&token, STATUS, &status("i-1", "IDLE", None))
            .await;
        assert_eq!((answer.as_u16(), world.agent("i-1")), (200, None));
    }
}

#[tokio::test]
async fn path_and_body_name_one_instance() {
    let world = World::new();
    for (path, in_body, expected) in [
        ("/v1/status", "i-1", 200),
        ("//v1/status", "i-1", 200),
        ("/i-1/v1/status", "i-1", 200),
        ("/i-1//v1/status", "i-1", 200),
        ("/i-1/v1/status", "", 200),
        ("/i-2/v1/status", "i-1", 400),
        ("/v1/status", "", 400),
        ("/i-1/v1/status", &"x".repeat(256), 400),
        ("/v1/status", &"x".repeat(256), 400),
        ("/v1/status", &"x".repeat(255), 404),
        ("/v1/status", "i-1\\u0000", 400),
        ("/v1/status", "i-1\\n", 400),
        ("/v1/status", " i-1", 404),
        ("/%69-1/v1/status", "", 404),
        ("/a/i-1/v1/status", "i-1", 404),
        ("/v1/status/", "i-1", 404),
        ("/V1/status", "i-1", 404),
        ("/v1/status/i-1", "i-1", 404),
        ("/i-1/v1", "i-1", 404),
    ] {
        let answer = world
            .post(SHARED, path, &status(in_body, "BUSY", Some("1")))
            .await;
        assert_eq!(answer, expected, "{path} with {in_body:?}");
    }
}

#[tokio::test]
async fn a_base_is_cut_off_where_whoever_mounts_it_does_not() {
    let mut world = World::new();
    world.receiver = world.receiver.with_base("/hook/");
    let body = status("i-1", "BUSY", Some("1"));
    for (path, expected) in [
        ("/hook/v1/status", 200),
        ("/hook/i-1/v1/status", 200),
        ("/v1/status", 404),
        ("/hookx/v1/status", 404),
        ("/hook", 404),
    ] {
        assert_eq!(world.post(SHARED, path, &body).await, expected, "{path}");
    }
}

#[tokio::test]
async fn nobody_is_let_in_unless_that_was_said() {
    let world = World::with(Access::default());
    for (token, ..) in credentials() {
        let answer = world
            .post(&token, STATUS, &status("i-1", "BUSY", None))
            .await;
        assert_eq!(answer, 401);
    }
}
