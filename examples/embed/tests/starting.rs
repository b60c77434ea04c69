//! How the service begins, and when it says that it is well.

use jibri_scaler_core::port::Leadership;
use tokio::{
    task::yield_now,
    time::{advance, pause},
};

use super::*;

#[tokio::test]
async fn it_is_well_from_the_first_good_tick_on_until_one_group_stalls() {
    pause();
    let (one, mut worker, _a) = group("one", observer().1).await;
    let told = Told::to(Listing::Fails);
    let (two, mut other, _b) = group("two", told.clone()).await;
    let app = app(vec![one, two], None);
    let unwell = |names: &str| -> Vec<_> {
        let names = names.split_whitespace();
        names
            .map(|name| (name.to_owned(), "not seen lately".to_owned()))
            .collect()
    };
    assert_eq!(troubles(&app).await, unwell("one two"), "before any tick");
    worker.tick(NOW).await;
    other.tick(NOW).await;
    assert_eq!(troubles(&app).await, unwell("two"), "a tick that failed");
    told.set(Listing::Works);
    other.tick(NOW).await;
    assert_eq!(troubles(&app).await, unwell(""));
    // One goes on to tick, the other one can't list its group any more.
    told.set(Listing::Fails);
    for ticks in 1..=5 {
        advance(INTERVAL).await;
        worker.tick(NOW).await;
        other.tick(NOW).await;
        // Three intervals and ten seconds.
        let expected = if ticks < 4 { unwell("") } else { unwell("two") };
        assert_eq!(troubles(&app).await, expected, "{ticks}");
    }
    told.set(Listing::Works);
    other.tick(NOW).await;
    assert_eq!(troubles(&app).await, unwell(""));
    // Now neither does anything any more, as in a task that hangs.
    advance(4 * INTERVAL).await;
    assert_eq!(troubles(&app).await, unwell("one two"));
}

/// Who leads, as the test says: nobody knows it, there is no answer, or this one does.
#[derive(Clone)]
struct Lead(Arc<Mutex<Option<Result<bool, PortErrorKind>>>>);

#[async_trait]
impl Leadership for Lead {
    async fn campaign(&self) -> Result<bool, PortError> {
        let known = loop {
            let known = *self.0.lock().unwrap();
            match known {
                Some(known) => break known,
                None => yield_now().await,
            }
        };
        known.map_err(|kind| PortError::new(kind, "ask who leads"))
    }

    fn leads(&self) -> bool {
        *self.0.lock().unwrap() == Some(Ok(true))
    }

    async fn resign(&self) -> Result<(), PortError> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_is_done_before_it_is_known_who_leads() {
    let (sim, observer) = observer();
    let lead = Lead(Arc::default());
    let controller = controller(observer, Arc::clone(&sim)).with_leadership(lead.clone());
    let (one, worker, _file) = kept("one", controller).await;
    let (ticks, times) = tokio::sync::mpsc::unbounded_channel();
    let times = stream::unfold(times, |mut times| async move {
        Some((times.recv().await?, times))
    });
    tokio::spawn(worker.run(times.boxed()));
    let desired = || sim.current().group.desired;
    // No answer: nothing is even looked at.
    ticks.send(NOW).unwrap();
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!((one.view().at, desired()), (None, 1));
    // An answer that says nothing, or that another one leads: it is looked at, and that is all.
    for (number, known) in [Err(PortErrorKind::Transient), Ok(false), Ok(true)]
        .into_iter()
        .enumerate()
    {
        *lead.0.lock().unwrap() = Some(known);
        let now = NOW + INTERVAL * u32::try_from(number).unwrap();
        ticks.send(now).unwrap();
        // The first of them is that of the tick which has waited.
        until("a tick", || one.view().at == Some(now)).await;
        assert_eq!(one.view().leads, known == Ok(true));
        assert_eq!(
            desired(),
            if known == Ok(true) { 2 } else { 1 },
            "{known:?}"
        );
    }
}

#[tokio::test]
async fn a_replica_that_does_not_lead_takes_no_commands_and_says_so() {
    let lead = Lead(Arc::new(Mutex::new(Some(Ok(false)))));
    let controller = controller(observer().1, sim()).with_leadership(lead.clone());
    let (one, worker, _file) = kept("one", controller).await;
    tokio::spawn(worker.run(ticks(&[0])));
    until_seen(&one).await;
    let app = app(vec![one], Some(TOKEN));
    let (path, token) = ("/groups/one/commands", format!("Bearer {TOKEN}"));
    let (status, said) = command(&app, path, &token, PAUSE).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(said.contains("does not lead"), "{said}");
    let (status, _) = read(&app, "/groups/one/leader").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let (status, said) = read(&app, "/healthz").await;
    assert_eq!(status, StatusCode::OK, "one that observes is well: {said}");
    assert!(said.contains(r#""leads":false"#), "{said}");
    *lead.0.lock().unwrap() = Some(Ok(true));
    // It leads, and has not yet loaded what the leader before it has remembered: the next tick does.
    let (status, said) = command(&app, path, &token, PAUSE).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(said.contains("after the next tick"), "{said}");
}

#[tokio::test]
async fn a_load_balancer_finds_the_replica_that_leads_as_long_as_it_ticks() {
    pause();
    let lead = Lead(Arc::new(Mutex::new(Some(Ok(true)))));
    let told = Told::to(Listing::Works);
    let controller = controller(told.clone(), sim()).with_leadership(lead.clone());
    let (one, mut worker, _file) = kept("one", controller).await;
    let app = app(vec![one], None);
    let leads = async || read(&app, "/groups/one/leader").await.0;
    let (yes, no) = (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(leads().await, no, "before any tick");
    worker.tick(NOW).await;
    assert_eq!(leads().await, yes);
    let (_, said) = read(&app, "/healthz").await;
    assert_eq!(
        said,
        r#"{"groups":{"one":{"leads":true,"ok":true}},"ok":true}"#
    );
    // One that can't see its group for long takes commands all the same.
    told.set(Listing::Fails);
    for _ in 0..5 {
        advance(INTERVAL).await;
        worker.tick(NOW).await;
    }
    assert_eq!(leads().await, yes);
    assert_eq!(troubles(&app).await.len(), 1);
    // Of one that does nothing any more nobody knows, before its lead has run out.
    advance(
        INTERVAL
            .mul_f64(2.4)
            .saturating_sub(Duration::from_millis(1)),
    )
    .await;
    assert_eq!(leads().await, yes);
    advance(Duration::from_millis(1)).await;
    assert_eq!(leads().await, no);
    *lead.0.lock().unwrap() = Some(Ok(false));
    worker.tick(NOW).await;
    assert_eq!(leads().await, no, "another one does");
    let (status, _) = read(&app, "/groups/two/leader").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[cfg(not(feature = "aws"))]
mod in_memory {
    use std::net::SocketAddr;

    use clap::Parser as _;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::{arguments::Arguments, run, serve::Stop};

    #[allow(clippy::future_not_send, reason = "it is never spawned")]
    async fn started(words: &[&str], stop: Stop) -> Result<(), String> {
        let words = ["embed", "--speed", "600"].iter().chain(words);
        let arguments = Arguments::try_parse_from(words).unwrap();
        let ended = run(arguments, stop).await;
        ended.map_err(|error| error.to_string())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_wrong_with_the_configuration_is_said_before_anything_listens() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let group = |policy: &str| format!("--group=one={policy}");
        let (good, short) = (file("good", "report_ttl = '2m'"), file("short", "x"));
        // It could not listen there: the last thing that is looked at.
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = format!("--listen={}", taken.local_addr().unwrap());
        for (words, why) in [
            (vec![group(&good), group(&good)], "named twice"),
            (vec![format!("--token-file={short}")], "token file"),
            (vec![format!("--push-token-file={short}")], "token file"),
            (
                vec![format!("--webhook-key={short}"), "--webhook-kid=a".into()],
                "webhook key",
            ),
            (vec!["--audit=/nowhere".into()], "audit file"),
            (vec![group(&good)], "could not listen"),
        ] {
            let words: Vec<_> = words.iter().chain([&listen]).map(String::as_str).collect();
            let error = started(&words, Stop::default()).await.unwrap_err();
            assert!(error.contains(why), "{words:?}: {error}");
        }
    }

    /// What it says of its health as soon as that has this status.
    async fn healthy(address: SocketAddr, status: StatusCode) -> String {
        let url = format!("http://{address}/healthz");
        loop {
            if let Ok(answer) = reqwest::get(&url).await
                && answer.status() == status
            {
                break answer.text().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Free, and most likely still so in a moment.
    async fn free() -> SocketAddr {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_whole_service_comes_up_with_the_groups_that_it_can_keep_and_ends_when_it_is_told_to()
     {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (good, text) = (path("good"), "report_ttl = '2m'");
        std::fs::write(&good, text).unwrap();
        std::fs::write(path("bad"), "min_idle = -1").unwrap();
        std::fs::write(path("hasty"), "report_ttl = '1s'").unwrap();
        let groups = ["good", "bad", "hasty", "missing"];
        let words = groups.map(|name| format!("--group={name}={}", path(name).display()));
        let (stop, address) = (Stop::default(), free().await);
        let told = stop.clone();
        let seen = tokio::spawn(async move {
            let wrong = loop {
                let said = healthy(address, StatusCode::SERVICE_UNAVAILABLE).await;
                let said: Value = serde_json::from_str(&said).unwrap();
                if said["groups"]["good"]["ok"] == true {
                    break said;
                }
            };
            let why = |name: &str| {
                let why = wrong["groups"][name]["why"].as_str();
                why.unwrap().to_owned()
            };
            let said = ["bad", "hasty", "missing"].map(why);
            for name in ["bad", "hasty", "missing"] {
                let path = folder.path().join(name);
                std::fs::write(path, text).unwrap();
            }
            let well = healthy(address, StatusCode::OK).await;
            told.tell();
            (said, well)
        });
        let listen = format!("--listen={address}");
        let words: Vec<_> = words.iter().chain([&listen]).map(String::as_str).collect();
        assert_eq!(started(&words, stop).await, Ok(()));
        let ([bad, hasty, missing], well) = seen.await.unwrap();
        assert!(bad.contains("bad: line 1"), "{bad}");
        assert!(hasty.contains("hasty: report_ttl"), "{hasty}");
        assert!(missing.contains("missing: could not be read"), "{missing}");
        let leads = r#"{"leads":true,"ok":true}"#;
        let all = format!(
            r#"{{"groups":{{"bad":{leads},"good":{leads},"hasty":{leads},"missing":{leads}}},"ok":true}}"#
        );
        assert_eq!(well, all);
        assert!(TcpStream::connect(address).await.is_err());
    }
}
