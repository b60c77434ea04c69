//! The HTTP front of the fake.

mod common;

use common::{AMPLE, Clients, at, exchange, fake, http, secs, until_received};
use jibri_scaler_core::port::{Presence, ProbeOutcome};
use jibri_scaler_http::addresses::BaseUrl;
use jibri_scaler_http::fake::{
    Api, Exit, FakeJibri, FakeServer, Fault, Profile, SessionEvent, Supervisor, Version,
};

const START: &str = r#"{"sessionId":"a","callParams":{},"callLoginParams":{},"sinkType":"file"}"#;

fn external(fake: &FakeServer, name: &str) -> String {
    format!("{}/jibri/api/v1.0/{name}", fake.bases().health)
}

fn internal(fake: &FakeServer, name: &str) -> String {
    format!("{}/jibri/api/internal/v1.0/{name}", fake.bases().internal)
}

#[tokio::test]
async fn a_session_is_started_and_stopped_over_http() {
    let fake = fake(Profile::booted());
    let start = external(&fake, "startService");
    let stop = external(&fake, "stopService");

    // Both are answered when virtual time has come far enough, and not before.
    let (started, ()) = tokio::join!(http("POST", &start, START), async {
        until_received(&fake, "startService", 1).await;
        assert!(fake.is_session_active());
        fake.advance(at(4)).unwrap();
    });
    assert_eq!(started, Some((200, String::new())));
    assert_eq!(
        http("POST", &start, START).await,
        Some((412, "Jibri is currently busy".into()))
    );

    let (stopped, ()) = tokio::join!(http("POST", &stop, ""), async {
        until_received(&fake, "stopService", 1).await;
        fake.advance(at(14)).unwrap();
    });
    assert_eq!(stopped, Some((200, String::new())));
    assert_eq!(
        http("POST", &stop, "").await,
        Some((200, String::new())),
        "nothing runs any more"
    );
    let reports = fake.act(FakeJibri::take_reports).unwrap();
    let events: Vec<_> = reports.into_iter().map(|report| report.event).collect();
    assert_eq!(
        events,
        [
            SessionEvent::Accepted,
            SessionEvent::Refused,
            SessionEvent::Finished
        ]
    );
}

#[tokio::test]
async fn the_length_of_a_session_may_be_given_in_the_query() {
    let fake = fake(Profile::booted().with_chrome_start(secs(0)));
    let start = external(&fake, "startService?seconds=60");
    assert_eq!(
        http("POST", &start, START).await,
        Some((200, String::new()))
    );
    assert_eq!(fake.next_event(), Some(at(60)));
}

#[tokio::test]
async fn counters_go_to_statsd_in_datagrams_as_they_come() {
    let statsd = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let fake = fake(Profile::booted().with_statsd(Some(statsd.local_addr().unwrap())));
    let gateway = r#"{"sessionId":"a","callParams":{},"sipClientParams":{"sipAddress":"room@sip.example"},"sinkType":"gateway"}"#;
    let start = external(&fake, "startService");
    let (started, ()) = tokio::join!(http("POST", &start, gateway), async {
        until_received(&fake, "startService", 1).await;
        fake.advance(at(4)).unwrap();
    });
    assert_eq!(started, Some((200, String::new())));
    let mut buffer = [0; 100];
    for expected in [
        "jibri.xmpp-connected:1|c|#xmpp_server_host:fake-xmpp.example",
        "jibri.start:1|c|#sip_gateway",
    ] {
        let received = tokio::time::timeout(AMPLE, statsd.recv(&mut buffer)).await;
        let length = received.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&buffer[..length]), expected);
    }
}

#[tokio::test]
async fn wrong_requests_get_the_right_status() {
    let fake = fake(Profile::booted());
    let start = external(&fake, "startService");
    let cases = [
        ("POST", start.clone(), "{", 500, ""),
        (
            "POST",
            start.clone(),
            r#"{"sessionId":"a","callParams":{},"sinkType":"file"}"#,
            412,
            "Call login params missing",
        ),
        (
            "POST",
            start.clone(),
            r#"{"sessionId":"a","callParams":{},"callLoginParams":{},"sinkType":"STREAM"}"#,
            412,
            "Stream key missing",
        ),
        (
            "POST",
            start.clone(),
            r#"{"sessionId":"a","callParams":{},"sinkType":"gateway"}"#,
            412,
            "SIP client params missing",
        ),
        (
            "POST",
            start.clone(),
            r#"{"sessionId":"a","callParams":{},"callLoginParams":{},"sinkType":"file","more":1}"#,
            500,
            "",
        ),
        ("GET", start, "", 405, ""),
        ("POST", external(&fake, "health"), "", 405, ""),
        ("GET", external(&fake, "nothing"), "", 404, ""),
        ("GET", internal(&fake, "gracefulShutdown"), "", 405, ""),
        ("GET", internal(&fake, ""), "", 404, ""),
        ("POST", internal(&fake, "stopService"), "", 404, ""),
    ];
    for (method, url, body, status, text) in cases {
        assert_eq!(
            http(method, &url, body).await,
            Some((status, text.into())),
            "{method} {url} {body}"
        );
    }
    assert!(!fake.is_session_active());
}

#[tokio::test]
async fn a_start_that_is_not_declared_as_json_is_a_500() {
    let fake = fake(Profile::booted());
    let start = external(&fake, "startService");
    let answer = exchange("POST", &start, "Content-Type: text/plain", START).await;
    assert_eq!(answer.unwrap().status, 500);
}

#[tokio::test]
async fn health_is_json_of_the_documented_shape() {
    let healthy = r#""health":{"details":{},"healthStatus":"HEALTHY"}"#;
    let cases = [
        (
            Version::LATEST,
            format!(r#"{{"status":{{"busyStatus":"IDLE",{healthy}}}}}"#),
        ),
        (Version::BeforeV6_5, r#"{"busy":false}"#.into()),
    ];
    for (version, body) in cases {
        let fake = fake(Profile::booted().with_version(version));
        let answer = exchange("GET", &external(&fake, "health"), "Accept: */*", "").await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.content_type.as_deref(), Some("application/json"));
        assert_eq!(answer.body, body);
        assert_eq!(Clients::new(fake.bases()).busy().await, "IDLE");
    }
}

#[tokio::test]
async fn metrics_are_served_where_they_are_switched_on() {
    let off = fake(Profile::booted());
    let metrics = |fake: &FakeServer| format!("{}/metrics", fake.bases().health);
    assert_eq!(http("GET", &metrics(&off), "").await.unwrap().0, 404);

    let on = fake(Profile::booted().with_prometheus(true));
    let cases = [
        (
            "X-Accept: none",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "jitsi_jibri_healthy 0.0\n",
        ),
        (
            "Accept: text/plain",
            "text/plain; version=0.0.4; charset=utf-8",
            "jitsi_jibri_healthy 0.0\n",
        ),
        (
            "Accept: application/json",
            "application/json",
            r#""healthy":false"#,
        ),
    ];
    for (accept, content_type, text) in cases {
        let answer = exchange("GET", &metrics(&on), accept, "").await.unwrap();
        assert_eq!(answer.status, 200, "{accept}");
        assert_eq!(answer.content_type.as_deref(), Some(content_type));
        assert!(answer.body.contains(text), "{}", answer.body);
    }
    let html = exchange("GET", &metrics(&on), "Accept: text/html", "").await;
    assert_eq!(html.unwrap().status, 500);
    let internal = format!("{}/metrics", on.bases().internal);
    assert_eq!(http("GET", &internal, "").await.unwrap().0, 404);
}

#[tokio::test]
async fn old_versions_do_not_say_why_they_refuse_and_lack_what_came_later() {
    let profile = Profile::booted().with_chrome_start(secs(0));
    let fake = fake(profile.with_version(Version::Build(5)));
    let start = external(&fake, "startService");
    let nothing = |status| Some((status, String::new()));
    let incomplete = r#"{"sessionId":"a","callParams":{},"sinkType":"file"}"#;
    assert_eq!(http("POST", &start, incomplete).await, nothing(412));
    assert_eq!(http("POST", &start, START).await, nothing(200));
    assert_eq!(http("POST", &start, START).await, nothing(412));
    let notify = internal(&fake, "notifyConfigChanged");
    assert_eq!(http("POST", &notify, "").await, nothing(404));
    let graceful = internal(&fake, "gracefulShutdown");
    assert_eq!(http("POST", &graceful, "").await, nothing(200));
}

#[tokio::test]
async fn a_jibri_on_loopback_refuses_from_outside_and_is_there_all_the_same() {
    let fake = fake(Profile::booted());
    for api in [Api::External, Api::Internal] {
        fake.set_fault(api, Some(Fault::Refuse)).unwrap();
    }
    let clients = Clients::new(fake.bases());
    assert_eq!(clients.look().await, Presence::BothRefuse);
    assert!(fake.is_selectable(), "Jicofo sees it");
    fake.start_session(at(0), "a", None).unwrap();
    assert!(fake.is_session_active(), "refusing is not being gone");
}

#[tokio::test]
async fn a_starting_jibri_answers_inside_before_it_answers_outside() {
    let fake = fake(Profile::default());
    let clients = Clients::new(fake.bases());
    assert_eq!(clients.look().await, Presence::BothRefuse);
    fake.advance(at(3)).unwrap();
    assert_eq!(clients.probe().await, ProbeOutcome::Refused);
    assert!(clients.is_reachable().await);
    fake.advance(at(5)).unwrap();
    assert_eq!(clients.busy().await, "IDLE");
}

#[tokio::test]
async fn a_chrome_that_does_not_start_is_a_500() {
    let fake = fake(Profile::booted().with_chrome_start(secs(0)));
    fake.act(|jibri| jibri.set_chrome_broken(true)).unwrap();
    let start = external(&fake, "startService");
    assert_eq!(
        http("POST", &start, START).await,
        Some((500, String::new()))
    );
}

#[tokio::test]
async fn an_idle_jibri_closes_the_connection_instead_of_answering() {
    for (name, exit) in [
        ("gracefulShutdown", Exit::Retired),
        ("shutdown", Exit::Retired),
        ("notifyConfigChanged", Exit::ConfigChanged),
    ] {
        let fake = fake(Profile::booted().with_supervisor(Supervisor::None));
        let clients = Clients::new(fake.bases());
        assert_eq!(
            http("POST", &internal(&fake, name), "").await,
            None,
            "{name}"
        );
        assert_eq!(fake.act(|jibri| jibri.exit()).unwrap(), Some(exit));
        assert_eq!(clients.look().await, Presence::BothRefuse);
        assert_eq!(clients.probe().await, ProbeOutcome::Refused);
    }
}

#[tokio::test]
async fn health_answers_while_others_wait_for_the_lock() {
    let fake = fake(Profile::booted());
    let clients = Clients::new(fake.bases());
    fake.start_session(at(0), "a", Some(secs(60))).unwrap();
    fake.advance(at(65)).unwrap();
    let url = internal(&fake, "gracefulShutdown");
    let (told, ()) = tokio::join!(http("POST", &url, ""), async {
        until_received(&fake, "gracefulShutdown", 1).await;
        assert_eq!(clients.busy().await, "BUSY");
        fake.advance(at(74)).unwrap();
    });
    assert_eq!(told, None, "it exits when the finalize script has returned");
    assert_eq!(clients.look().await, Presence::BothRefuse);
}

#[tokio::test]
async fn a_request_whose_client_has_gone_takes_effect_all_the_same() {
    let fake = fake(Profile::booted());
    fake.start_session(at(0), "a", Some(secs(60))).unwrap();
    fake.advance(at(65)).unwrap();
    let url = internal(&fake, "gracefulShutdown");
    tokio::select! {
        _ = http("POST", &url, "") => panic!("it waits for the finalize script"),
        () = until_received(&fake, "gracefulShutdown", 1) => {}
    }
    fake.advance(at(74)).unwrap();
    assert_eq!(fake.act(|jibri| jibri.exit()).unwrap(), Some(Exit::Retired));
}

/// Whether the port of this address is free: nobody listens, and nobody has a socket bound to it.
fn is_free(base: &BaseUrl) -> bool {
    let address = base.as_str().strip_prefix("http://").unwrap();
    // Without SO_REUSEADDR, which would let it share the number.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(address.parse().unwrap()).is_ok()
}

#[tokio::test]
async fn the_ports_of_one_that_is_down_are_nobody_elses_and_its_own_again() {
    let fake = fake(Profile::booted());
    let clients = Clients::new(fake.bases());
    fake.act(|jibri| jibri.crash(at(10))).unwrap();
    assert_eq!(clients.probe().await, ProbeOutcome::Refused);
    assert!(!is_free(&fake.bases().health));
    assert!(!is_free(&fake.bases().internal));
    fake.advance(at(11)).unwrap();
    assert_eq!(clients.busy().await, "IDLE");
}

#[tokio::test]
async fn a_dropped_fake_frees_its_ports() {
    let fake = fake(Profile::booted());
    let bases = fake.bases().clone();
    assert!(!is_free(&bases.health) && !is_free(&bases.internal));
    drop(fake);
    assert!(is_free(&bases.health) && is_free(&bases.internal));
    assert_eq!(Clients::new(&bases).probe().await, ProbeOutcome::Refused);
}

#[tokio::test]
async fn thirty_fakes_that_come_and_go_answer_as_virtual_time_says() {
    let run = || async {
        let mut seen = Vec::new();
        let fakes: Vec<(FakeServer, Clients)> = (0..30)
            .map(|_| fake(Profile::default()))
            .map(|fake| {
                let clients = Clients::new(fake.bases());
                (fake, clients)
            })
            .collect();
        for tick in 0..12 {
            for (n, (fake, clients)) in (0..).zip(&fakes) {
                fake.advance(at(tick * 3)).unwrap();
                match (tick + n) % 11 {
                    3 => drop(fake.start_session(at(tick * 3), "a", Some(secs(7)))),
                    6 => drop(fake.act(|jibri| jibri.crash(at(tick * 3)))),
                    9 => drop(clients.tell().await),
                    10 if n % 5 == 0 => fake.kill(at(tick * 3)).unwrap(),
                    _ => {}
                }
                seen.push((clients.busy().await, clients.look().await));
            }
        }
        seen
    };
    assert_eq!(run().await, run().await);
}

#[test]
fn the_tests_that_the_documentation_names_exist() {
    let table = include_str!("../src/fake/behaviours.md");
    let sources = [
        include_str!("fake.rs"),
        include_str!("../src/fake/metrics.rs"),
        include_str!("../src/fake/start_params.rs"),
        include_str!("../src/fake/jibri/tests.rs"),
        include_str!("../src/fake/jibri/tests/ends.rs"),
        include_str!("../src/fake/jibri/tests/jwt.rs"),
        include_str!("../src/fake/jibri/tests/metrics.rs"),
        include_str!("../src/fake/jibri/tests/receivers.rs"),
        include_str!("../src/fake/jibri/tests/statsd.rs"),
        include_str!("../src/fake/jibri/tests/stuck.rs"),
        include_str!("../src/fake/jibri/tests/versions.rs"),
        include_str!("../src/fake/jibri/tests/webhooks.rs"),
    ];
    let names: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_suffix(" |")?.rsplit_once(" | "))
        .flat_map(|(_, tests)| tests.split(", "))
        .filter_map(|name| name.strip_prefix('`')?.strip_suffix('`'))
        .collect();
    assert!(names.len() > 60, "{}", names.len());
    for name in names {
        let header = format!("fn {name}()");
        assert!(
            sources.iter().any(|source| source.contains(&header)),
            "{name}"
        );
    }
}
