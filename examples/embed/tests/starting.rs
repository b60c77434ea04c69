//! How the service begins, and when it says that it is well.

use jibri_scaler_core::port::Leadership;
use tokio::{
    task::yield_now,
    time::{advance, pause},
};

use super::*;

const INTERVAL: Duration = Duration::from_secs(10);

async fn health(app: &Router) -> (StatusCode, String) {
    read(app, "/healthz").await
}

#[tokio::test]
async fn it_is_well_from_the_first_good_tick_on_until_one_group_stalls() {
    pause();
    let (one, mut worker, _a) = group("one", observer().1).await;
    let told = Told::to(Listing::Fails);
    let (two, mut other, _b) = group("two", told.clone()).await;
    let groups = [one, two].map(|group| group.with_interval(INTERVAL));
    let app = app(groups.to_vec(), None);
    let unwell = |names: &str| {
        let said = format!("not seen lately: {names}\n");
        (StatusCode::SERVICE_UNAVAILABLE, said)
    };
    let well = || (StatusCode::OK, "ok\n".to_owned());
    assert_eq!(health(&app).await, unwell("one, two"), "before any tick");
    worker.tick(NOW).await;
    other.tick(NOW).await;
    assert_eq!(health(&app).await, unwell("two"), "a tick that failed");
    told.set(Listing::Works);
    other.tick(NOW).await;
    assert_eq!(health(&app).await, well());
    // One goes on to tick, the other one can't list its group any more.
    told.set(Listing::Fails);
    for ticks in 1..=5 {
        advance(INTERVAL).await;
        worker.tick(NOW).await;
        other.tick(NOW).await;
        // Three intervals and ten seconds.
        let expected = if ticks < 4 { well() } else { unwell("two") };
        assert_eq!(health(&app).await, expected, "{ticks}");
    }
    told.set(Listing::Works);
    other.tick(NOW).await;
    assert_eq!(health(&app).await, well());
    // Now neither does anything any more, as in a task that hangs.
    advance(4 * INTERVAL).await;
    assert_eq!(health(&app).await, unwell("one, two"));
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
    *lead.0.lock().unwrap() = Some(Ok(true));
    // It leads, and has not yet loaded what the leader before it has remembered: the next tick does.
    let (status, said) = command(&app, path, &token, PAUSE).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(said.contains("after the next tick"), "{said}");
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
        let ended = run(&arguments, stop).await;
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
        let (good, bad) = (
            file("good", "report_ttl = '2m'"),
            file("bad", "min_idle = -1"),
        );
        let (short, hasty) = (file("short", "x"), file("hasty", "report_ttl = '1s'"));
        // It could not listen there: the last thing that is looked at.
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = format!("--listen={}", taken.local_addr().unwrap());
        for (words, why) in [
            (vec![group(&bad)], "line 1"),
            (vec![group(&hasty)], "hasty: report_ttl"),
            (vec![group(&good), group(&good)], "named twice"),
            (
                vec![format!("--group=two={good}"), group("/nowhere")],
                "/nowhere",
            ),
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

    #[tokio::test(flavor = "multi_thread")]
    async fn the_whole_service_comes_up_and_ends_when_it_is_told_to() {
        // Free, and most likely still so in a moment.
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = free.local_addr().unwrap();
        drop(free);
        let stop = Stop::default();
        let told = stop.clone();
        let seen = tokio::spawn(async move {
            let url = format!("http://{address}/healthz");
            loop {
                if let Ok(answer) = reqwest::get(&url).await
                    && answer.status().is_success()
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            told.tell();
        });
        let listen = address.to_string();
        let ended = started(&["--listen", &listen], stop).await;
        assert_eq!(ended, Ok(()));
        seen.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
