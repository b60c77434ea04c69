//! How the service ends: when it is told to, and when a group does.

use std::process::ExitCode;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
    time::{Instant, sleep},
};

use super::{
    service::{Service, server, tell_after},
    *,
};
use crate::{said::exit_code, serve::GRACE};

#[tokio::test(start_paused = true)]
async fn a_tick_under_way_ends_its_memory_is_saved_and_its_lead_is_given_up() {
    let mut service = Service::new();
    let (_, log) = service
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
    let (_, log) = service.with("one", Told::to(Listing::Works)).await;
    tell_after(&service.stop, Duration::from_secs(15));
    let (took, ended) = service.run(Router::new()).await;
    assert_eq!(ended, Ok(()));
    assert_eq!(log.lines().last().unwrap(), "resigned at 2");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_hangs_is_waited_for_no_longer_than_it_may() {
    let mut service = Service::new();
    let (_, good) = service.with("good", Told::to(Listing::Works)).await;
    let (_, hangs) = service.with("stuck", Told::to(Listing::Hangs)).await;
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
async fn a_defect_of_what_keeps_a_group_ends_the_service_after_the_others_have_ended_in_order() {
    let mut service = Service::new();
    let slow = Told::to(Listing::Takes(Duration::from_secs(5)));
    let (_, good) = service.with("good", slow).await;
    service.tasks.spawn("broken", async {
        sleep(Duration::from_secs(12)).await;
        panic!("a defect");
    });
    let began = Instant::now();
    let (took, ended) = service.run(Router::new()).await;
    let error = ended.unwrap_err();
    assert!(
        error.contains("group `broken`") && error.contains("a defect") && !error.contains("good"),
        "{error}"
    );
    assert_eq!(began.elapsed().as_secs(), 12 + took.as_secs());
    assert_eq!(good.lines().last().unwrap(), "resigned at 2");
    assert!(took < GRACE, "{took:?}");
    assert_ne!(exit_code(Err(error.into())), ExitCode::SUCCESS);
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
    let server = server(10).await;
    let address = server.address().unwrap();
    let stop = service.stop.clone();
    let serving = tokio::spawn(service.run_at(server, app));
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
    let server = server(10).await;
    let address = server.address().unwrap();
    let stop = service.stop.clone();
    let serving = tokio::spawn(service.run_at(server, app));
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = b"GET /slow HTTP/1.1\r\nHost: embed\r\n\r\n";
    client.write_all(request).await.unwrap();
    come.notified().await;
    stop.tell();
    let (took, ended) = serving.await.unwrap();
    assert_eq!(ended, Ok(()), "no group has done anything wrong");
    assert_eq!(took.as_secs(), GRACE.as_secs());
}
