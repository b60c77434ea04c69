//! A group that can't be kept, beside one that can.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};

use super::{service::Service, *};
use crate::{
    keeper::{Fault, LONGEST, SHORTEST},
    serve::Tasks,
};

/// Lets what keeps these groups run.
async fn keep(mut tasks: Tasks) {
    while tasks.next().await.is_some() {}
}

/// Moves on to so long after the beginning.
async fn at(began: Instant, time: Duration) {
    sleep((began + time).duration_since(Instant::now())).await;
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_policy_file_is_wrong_is_kept_as_soon_as_that_is_right() {
    let mut service = Service::new();
    let (good, _) = service.with("good", Told::to(Listing::Works)).await;
    let (late, log) = service.with("late", Told::to(Listing::Works)).await;
    let path = service.files[1].path().to_owned();
    let stop = service.stop.clone();
    std::fs::remove_file(&path).unwrap();
    let began = Instant::now();
    let kept = tokio::spawn(keep(service.tasks));
    let app = app(vec![good.clone(), late.clone()], Some(TOKEN));
    let token = format!("Bearer {TOKEN}");

    for (after, text, why) in [
        (5, None, "could not be read"),
        (15, Some("min_idle = -1"), "line 1"),
        (25, Some("min_idl = 1"), "unknown key"),
    ] {
        at(began, Duration::from_secs(after)).await;
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
            sleep(INTERVAL).await;
        }
        let troubles = troubles(&app).await;
        assert_eq!(troubles.len(), 1, "{troubles:?}");
        let (name, said) = &troubles[0];
        assert_eq!(name, "late");
        assert!(
            said.contains(&path.display().to_string())
                && said.contains(why)
                && said.contains("as soon as the file is right"),
            "{said}"
        );
        let (_, page) = read(&app, "/").await;
        assert!(
            page.contains("Nobody keeps this group") && page.contains(why),
            "{page}"
        );
        let (status, said) = command(&app, "/groups/late/commands", &token, PAUSE).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(said.contains(why), "{said}");
        let (status, _) = read(&app, "/groups/late/leader").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(log.lines(), [""; 0], "nothing was done");
    let ticked = good.view().at.unwrap();
    assert!(
        ticked >= NOW + 3 * INTERVAL,
        "the other one goes on: {ticked}"
    );

    std::fs::write(&path, "min_idle = 4").unwrap();
    sleep(2 * INTERVAL).await;
    assert_eq!(troubles(&app).await, []);
    assert!(late.view().at.is_some());
    assert!(!read(&app, "/").await.1.contains("Nobody keeps"));
    let (status, said) = command(&app, "/groups/late/commands", &token, PAUSE).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    stop.tell();
    kept.await.unwrap();
    assert_eq!(log.lines().last().unwrap(), "resigned at 4");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_panics_is_started_anew_after_a_pause_and_the_others_go_on() {
    let mut service = Service::new();
    let breaks = Told::to(Listing::Works);
    let (good, _) = service.with("good", Told::to(Listing::Works)).await;
    let (broken, log) = service.with("broken", breaks.clone()).await;
    let stop = service.stop.clone();
    let began = Instant::now();
    let kept = tokio::spawn(keep(service.tasks));
    let app = app(vec![good.clone(), broken.clone()], Some(TOKEN));
    let token = format!("Bearer {TOKEN}");
    at(began, Duration::from_secs(5)).await;
    assert_eq!(troubles(&app).await, []);
    breaks.set(Listing::Panics);

    // In the tick at 10 s. A command that comes meanwhile is refused, and does not wait for what is to come.
    at(began, Duration::from_millis(10_500)).await;
    let (status, said) = command(&app, "/groups/broken/commands", &token, PAUSE).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(said.contains("try again"), "{said}");
    assert_eq!(began.elapsed().as_secs(), 11);
    at(began, Duration::from_secs(15)).await;
    let troubles_now = troubles(&app).await;
    assert_eq!(troubles_now.len(), 1, "{troubles_now:?}");
    let (name, said) = &troubles_now[0];
    assert!(
        name == "broken" && said.contains("a defect") && said.contains("10 s"),
        "{said}"
    );
    let (_, page) = read(&app, "/").await;
    assert!(
        page.contains("Nobody keeps this group") && page.contains("a defect"),
        "{page}"
    );
    let (status, said) = command(&app, "/groups/broken/commands", &token, PAUSE).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(said.contains("a defect"), "{said}");
    for (name, expected) in [
        ("good", StatusCode::OK),
        ("broken", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let path = format!("/groups/{name}/leader");
        assert_eq!(read(&app, &path).await.0, expected, "{name}");
    }
    assert!(
        !log.lines().iter().any(|line| line.starts_with("resigned")),
        "its lead runs out, since what it has begun may be under way"
    );

    // It panics again at 22 s, and is started anew at 42 s.
    at(began, Duration::from_secs(25)).await;
    assert!(troubles(&app).await[0].1.contains("20 s"));
    breaks.set(Listing::Works);
    at(began, Duration::from_secs(45)).await;
    assert_eq!(troubles(&app).await, []);
    for group in [&good, &broken] {
        let ticked = group.view().at.unwrap();
        assert!(ticked >= NOW + 4 * INTERVAL, "{ticked}");
    }
    let (status, _) = command(&app, "/groups/broken/commands", &token, PAUSE).await;
    assert_eq!(status, StatusCode::OK);
    stop.tell();
    kept.await.unwrap();
    assert_eq!(log.lines().last().unwrap(), "resigned at 2");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_started_anew_goes_on_with_the_policy_that_held_where_its_file_is_bad_by_then()
 {
    let mut service = Service::new();
    let breaks = Told::to(Listing::Works);
    let (group, log) = service.with("broken", breaks.clone()).await;
    let path = service.files[0].path().to_owned();
    let stop = service.stop.clone();
    let began = Instant::now();
    let kept = tokio::spawn(keep(service.tasks));
    let app = app(vec![group.clone()], None);
    at(began, Duration::from_secs(5)).await;
    std::fs::write(&path, "min_idle = 4").unwrap();
    at(began, Duration::from_secs(15)).await;
    assert_eq!(group.view().wanted, 4);

    // It panics at 21 s, and is started anew at 31 s.
    breaks.set(Listing::Panics);
    at(began, Duration::from_secs(25)).await;
    assert_eq!(troubles(&app).await.len(), 1);
    breaks.set(Listing::Works);
    std::fs::write(&path, "min_idle = -1").unwrap();
    at(began, Duration::from_secs(35)).await;
    assert_eq!(troubles(&app).await, []);
    assert!(group.view().at.unwrap() >= NOW + 3 * INTERVAL, "it is kept");
    assert_eq!(group.view().wanted, 4);
    let said = group.view().said.clone().unwrap();
    assert!(
        said.contains("line 1") && said.contains("the policy stays as it was"),
        "{said}"
    );
    std::fs::write(&path, "min_idle = 5").unwrap();
    at(began, Duration::from_secs(55)).await;
    assert_eq!(group.view().wanted, 5, "and follows the file");
    stop.tell();
    kept.await.unwrap();
    assert_eq!(log.lines().last().unwrap(), "resigned at 5");
}

#[tokio::test(start_paused = true)]
async fn the_pauses_double_up_to_the_longest_and_begin_anew_after_a_good_time() {
    let mut service = Service::new();
    let began = Instant::now();
    let tries = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&tries);
    service.keep("broken", move |_| {
        let noted = Arc::clone(&noted);
        let trying = async move {
            let number = {
                let mut noted = noted.lock().unwrap();
                noted.push(began.elapsed().as_secs());
                noted.len()
            };
            // The ninth goes well for a time.
            if number == 9 {
                sleep(LONGEST).await;
            }
            assert!(number % 2 != 0, "a defect");
            Err(Fault::CommandLine("a folder is gone".into()))
        };
        trying.boxed()
    });
    let stop = service.stop.clone();
    let kept = tokio::spawn(keep(service.tasks));
    at(began, Duration::from_hours(1)).await;
    let pauses: Vec<_> = {
        let tries = tries.lock().unwrap();
        tries.windows(2).map(|two| two[1] - two[0]).collect()
    };
    let (shortest, longest) = (SHORTEST.as_secs(), LONGEST.as_secs());
    let expected = [
        10,
        20,
        40,
        80,
        160,
        300,
        300,
        300,
        longest + shortest,
        20,
        40,
    ];
    assert_eq!(pauses[..expected.len()], expected);
    stop.tell();
    kept.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_no_pause_and_ticks_that_end_are_no_end() {
    let mut service = Service::new();
    let times = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&times);
    let group = service.keep("short", move |post| {
        counted.fetch_add(1, Ordering::SeqCst);
        let begun = async move {
            let (_file, source) = policy("min_idle = 2").await;
            let worker = Worker::new(
                post,
                controller(observer().1, sim()),
                source,
                Box::new(|| NOW),
            );
            Ok((worker, stream::iter([NOW]).boxed()))
        };
        begun.boxed()
    });
    let (stop, began) = (service.stop.clone(), Instant::now());
    let kept = tokio::spawn(keep(service.tasks));
    at(began, Duration::from_secs(12)).await;
    assert_eq!(times.load(Ordering::SeqCst), 2);
    let down = group.view().down.clone().unwrap();
    assert!(down.contains("its ticks have ended"), "{down}");
    stop.tell();
    kept.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 12);
}

/// A group in memory whose folder of audit logs comes and goes.
#[cfg(not(feature = "aws"))]
#[tokio::test(flavor = "multi_thread")]
async fn an_audit_log_that_cannot_be_opened_keeps_the_service_from_starting_and_no_group_from_being_started_anew()
 {
    use clap::Parser as _;

    use crate::{arguments::Arguments, ports::World};

    let folder = tempfile::tempdir().unwrap();
    let (policy, audit) = (folder.path().join("policy"), folder.path().join("audit"));
    std::fs::write(&policy, "report_ttl = '2m'").unwrap();
    let (group, logs) = (
        format!("--group=one={}", policy.display()),
        format!("--audit={}", audit.display()),
    );
    let prepared = async || {
        let arguments = Arguments::try_parse_from(["embed", "--speed=600", &group, &logs]);
        let arguments = arguments.unwrap();
        let world = World::new(&arguments).await.unwrap();
        let kept = crate::keep(arguments, world).await;
        kept.map_err(|error| error.to_string())
    };
    let refused = prepared().await.map(|_| ()).unwrap_err();
    assert!(refused.contains("audit file"), "{refused}");

    std::fs::create_dir(&audit).unwrap();
    let (_, mut groups) = prepared().await.unwrap();
    let (group, mut keeper) = groups.remove(0);
    // Whatever has kept it is gone, and so is the folder.
    let (worker, _) = keeper.begin().await.unwrap();
    drop(worker);
    std::fs::remove_dir_all(&audit).unwrap();
    let (worker, ticks) = keeper.begin().await.unwrap();
    worker.run(ticks.take(1)).await;
    assert!(group.view().at.is_some() && !audit.exists());
    std::fs::create_dir(&audit).unwrap();
    let (worker, ticks) = keeper.begin().await.unwrap();
    worker.run(ticks.take(2)).await;
    let log = std::fs::read_to_string(audit.join("one.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 2, "{log}");
}
