//! How the service ends: when it is told to, and when a group does.

use std::process::ExitCode;

use jibri_scaler_core::{
    Memory,
    port::{Leadership, MemoryStore},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{Instant, sleep},
};

use super::*;
use crate::{
    exit_code,
    serve::{GRACE, Stop, Tasks, until_stopped},
};

/// What a group has done, in order, with the desired capacity then.
#[derive(Clone)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    group: Arc<SimGroup>,
}

impl Log {
    fn note(&self, what: &str) {
        let desired = self.group.current().group.desired;
        self.lines
            .lock()
            .unwrap()
            .push(format!("{what} at {desired}"));
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

#[async_trait]
impl MemoryStore for Log {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        Ok(None)
    }

    async fn save(&self, _memory: &Memory) -> Result<(), PortError> {
        self.note("saved");
        Ok(())
    }
}

#[async_trait]
impl Leadership for Log {
    async fn campaign(&self) -> Result<bool, PortError> {
        Ok(true)
    }

    fn leads(&self) -> bool {
        true
    }

    async fn resign(&self) -> Result<(), PortError> {
        self.note("resigned");
        Ok(())
    }
}

/// The service with these groups, which tick each ten seconds from the start on.
struct Service {
    stop: Stop,
    tasks: Tasks,
    files: Vec<NamedTempFile>,
}

impl Service {
    fn new() -> Self {
        Self {
            stop: Stop::default(),
            tasks: Tasks::default(),
            files: Vec::new(),
        }
    }

    /// One more group, and what it does.
    async fn with(&mut self, name: &str, observer: Told) -> Log {
        let log = Log {
            lines: Arc::default(),
            group: sim(),
        };
        let controller = controller(observer, Arc::clone(&log.group))
            .with_memory(log.clone())
            .with_leadership(log.clone());
        let (_, worker, file) = kept(name, controller).await;
        let ticks = stream::unfold(NOW, |now| async move {
            if now != NOW {
                sleep(Duration::from_secs(10)).await;
            }
            Some((now, now + Duration::from_secs(10)))
        });
        let ticks = ticks.boxed().take_until(self.stop.clone().told());
        self.tasks.spawn(name, worker.run(ticks));
        self.files.push(file);
        log
    }

    async fn run(self, app: Router) -> (Duration, Result<(), String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.run_at(listener, app).await
    }

    /// How long it ran after it was told to stop, or until it ended by itself, and what came of it.
    async fn run_at(self, listener: TcpListener, app: Router) -> (Duration, Result<(), String>) {
        let told = self.stop.clone();
        let told = tokio::spawn(async move {
            told.told().await;
            Instant::now()
        });
        let ended = until_stopped(listener, app, self.tasks, self.stop).await;
        let ended = ended.map_err(|error| error.to_string());
        (told.await.unwrap().elapsed(), ended)
    }
}

fn tell_after(stop: &Stop, time: Duration) {
    let stop = stop.clone();
    tokio::spawn(async move {
        sleep(time).await;
        stop.tell();
    });
}

#[tokio::test(start_paused = true)]
async fn a_tick_under_way_ends_its_memory_is_saved_and_its_lead_is_given_up() {
    let mut service = Service::new();
    let log = service
        .with("slow", Told::to(Listing::Takes(Duration::from_secs(5))))
        .await;
    tell_after(&service.stop, Duration::from_secs(1));
    let (took, ended) = service.run(Router::new()).await;
    assert_eq!(ended, Ok(()));
    assert_eq!(log.lines()[..1], ["saved at 1"]);
    assert_eq!(log.lines().last().unwrap(), "resigned at 2", "it has grown");
    assert!(
        (4..5).contains(&took.as_secs()),
        "as long as the tick: {took:?}"
    );
    assert_eq!(exit_code(Ok(())), ExitCode::SUCCESS);
}

#[tokio::test(start_paused = true)]
async fn between_two_ticks_it_ends_at_once() {
    let mut service = Service::new();
    let log = service.with("one", Told::to(Listing::Works)).await;
    tell_after(&service.stop, Duration::from_secs(15));
    let (took, ended) = service.run(Router::new()).await;
    assert_eq!(ended, Ok(()));
    assert_eq!(log.lines().last().unwrap(), "resigned at 2");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_hangs_is_waited_for_no_longer_than_it_may() {
    let mut service = Service::new();
    let good = service.with("good", Told::to(Listing::Works)).await;
    let hangs = service.with("stuck", Told::to(Listing::Hangs)).await;
    tell_after(&service.stop, Duration::from_secs(1));
    let (took, ended) = service.run(Router::new()).await;
    let error = ended.unwrap_err();
    assert!(
        error.contains("stuck") && error.contains("20 s") && !error.contains("good"),
        "{error}"
    );
    assert_eq!(took.as_secs(), GRACE.as_secs(), "{took:?}");
    assert_eq!(good.lines().last().unwrap(), "resigned at 2");
    assert_eq!(hangs.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_panics_ends_the_service_after_the_others_have_ended_in_order() {
    let mut service = Service::new();
    let breaks = Told::to(Listing::Works);
    let slow = Told::to(Listing::Takes(Duration::from_secs(5)));
    let good = service.with("good", slow).await;
    service.with("broken", breaks.clone()).await;
    tokio::spawn(async move {
        sleep(Duration::from_secs(8)).await;
        breaks.set(Listing::Panics);
    });
    let began = Instant::now();
    let (took, ended) = service.run(Router::new()).await;
    let error = ended.unwrap_err();
    assert!(
        error.contains("group `broken`") && error.contains("a defect") && !error.contains("good"),
        "{error}"
    );
    // In its second tick, in which the other one is in its first but one.
    assert_eq!(began.elapsed().as_secs(), 10 + took.as_secs());
    assert_eq!(good.lines().last().unwrap(), "resigned at 2");
    assert!(took < GRACE, "{took:?}");
    assert_ne!(exit_code(Err(error.into())), ExitCode::SUCCESS);
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_ticks_end_ends_the_service() {
    let mut service = Service::new();
    let log = service.with("good", Told::to(Listing::Works)).await;
    let (_, worker, _file) = group("short", observer().1).await;
    service
        .tasks
        .spawn("short", worker.run(stream::iter([NOW])));
    let (_, ended) = service.run(Router::new()).await;
    let error = ended.unwrap_err();
    assert!(error.contains("group `short`"), "{error}");
    assert_eq!(log.lines().last().unwrap(), "resigned at 2");
}

/// A service whose one request takes so long, and what it says when that has come.
fn slow_app(time: Duration) -> (Router, Arc<Notify>) {
    let come = Arc::new(Notify::new());
    let comes = Arc::clone(&come);
    let slow = axum::routing::get(async move || {
        comes.notify_one();
        sleep(time).await;
        "done"
    });
    (Router::new().route("/slow", slow), come)
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_is_answered_and_no_more_are_taken() {
    let mut service = Service::new();
    service.with("one", Told::to(Listing::Works)).await;
    let (app, come) = slow_app(Duration::from_secs(3));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = service.stop.clone();
    let serving = tokio::spawn(service.run_at(listener, app));
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = b"GET /slow HTTP/1.1\r\nHost: embed\r\n\r\n";
    client.write_all(request).await.unwrap();
    come.notified().await;
    stop.tell();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"),
        "{answer}"
    );
    let (took, ended) = serving.await.unwrap();
    assert_eq!(ended, Ok(()));
    assert!((3..4).contains(&took.as_secs()), "{took:?}");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_ever_holds_the_end_up_for_no_longer_than_it_may() {
    let mut service = Service::new();
    service.with("one", Told::to(Listing::Works)).await;
    let (app, come) = slow_app(Duration::from_hours(1));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = service.stop.clone();
    let serving = tokio::spawn(service.run_at(listener, app));
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = b"GET /slow HTTP/1.1\r\nHost: embed\r\n\r\n";
    client.write_all(request).await.unwrap();
    come.notified().await;
    stop.tell();
    let (took, ended) = serving.await.unwrap();
    assert_eq!(ended, Ok(()), "no group has done anything wrong");
    assert_eq!(took.as_secs(), GRACE.as_secs());
}
