//! What is not provisioned, with the reason and what to do.

use std::time::Duration;

use jibri_scaler_aws::{
    inspect::{GroupSetup, LaunchSource, LaunchedFrom, Market, MixedInstances, Section, Unread},
    provision::{Current, Options, Refusal, plan},
};
use jibri_scaler_core::{
    Limits,
    policy::{MinIdle, Policy, Situation, Vote},
    port::PortErrorKind,
};

use crate::fixture::{group, options};

fn unread() -> Unread {
    Unread::new(PortErrorKind::Permanent, "AWS answered AccessDenied")
}

#[track_caller]
fn refused(current: &Current, options: &Options, texts: &[&str]) -> Refusal {
    let refusal = plan(current, options).unwrap_err();
    let text = refusal.to_string();
    for part in texts {
        assert!(text.contains(part), "{text}");
    }
    refusal
}

#[test]
fn a_schedule_is_for_the_controller() {
    #[derive(Debug)]
    struct Schedule;

    impl Policy for Schedule {
        fn vote(&self, _: &Situation<'_>) -> Vote {
            Vote::new("schedule", 5, "it is Monday")
        }
    }

    let options = Options::new(Schedule, Limits::default());
    refused(&group(), &options, &["`Schedule`", "run the controller"]);
}

#[test]
fn an_empty_group_can_stay_empty() {
    let mut current = group();
    current.setup.min_size = 0;
    refused(&current, &options(), &["minimum size", "to 1 or more"]);
    let nothing = Options::new(MinIdle::new(0).unwrap(), Limits::default());
    refused(&group(), &nothing, &["wants no idle Jibri"]);
}

#[test]
fn batched_publishing_cannot_drive_an_alarm() {
    let batched = options().with_batched_publishing(true);
    refused(
        &group(),
        &batched,
        &["one data point per period", "--publish each"],
    );
}

/// The group as it launches from a template, with these terms of the template and of one instance.
fn launching(template: Section<Market>, instance: Section<Market>) -> Current {
    let mut current = group();
    let from = LaunchedFrom::Template {
        id: Some("lt-1".into()),
        name: Some("jibri".into()),
        version: "7".into(),
    };
    current.setup.launch_sources = vec![LaunchSource::new(from, template)];
    current.setup.instances[0].market = instance;
    current
}

#[test]
fn spot_must_be_allowed_whoever_says_that_there_is_some() {
    let mut mixed = group();
    mixed.setup.mixed_instances = Some(MixedInstances::new(2, 50));
    for (current, reason) in [
        (mixed, "50 % of the capacity above 2"),
        (
            launching(Ok(Market::Spot), Ok(Market::OnDemand)),
            "Spot is asked for by launch template jibri, version 7;",
        ),
        (
            launching(Ok(Market::OnDemand), Ok(Market::Spot)),
            "instance i-a runs on Spot;",
        ),
        (
            launching(Ok(Market::Spot), Err(unread())),
            "Spot is asked for by launch template jibri, version 7;",
        ),
    ] {
        let texts = [reason, "On-Demand instances only", "--allow-spot"];
        refused(&current, &options(), &texts);
        let plan = plan(&current, &options().with_spot_allowed(true)).unwrap();
        assert!(plan.notes.iter().any(|note| note.contains("Spot")));
    }
    let on_demand = launching(Ok(Market::OnDemand), Ok(Market::OnDemand));
    let plan = plan(&on_demand, &options()).unwrap();
    assert!(!plan.notes.iter().any(|note| note.contains("Spot")));
}

#[test]
fn spot_that_could_not_be_excluded_is_noted_unless_it_is_allowed() {
    for (current, what) in [
        (
            launching(Err(unread()), Ok(Market::OnDemand)),
            "for launch template jibri, version 7: AWS answered AccessDenied",
        ),
        (
            launching(Ok(Market::OnDemand), Err(unread())),
            "for instance i-a: AWS answered AccessDenied",
        ),
    ] {
        let notes = plan(&current, &options()).unwrap().notes;
        assert!(notes.iter().any(|note| note.contains(what)), "{notes:?}");
        let allowed = plan(&current, &options().with_spot_allowed(true)).unwrap();
        assert!(!allowed.notes.iter().any(|note| note.contains("Spot")));
    }
}

#[test]
fn a_hook_cannot_wait_for_any_boot_deadline() {
    for (seconds, text) in [(10, "10s"), (7201, "2h 1s")] {
        let limits = Limits::default()
            .with_boot_deadline(Duration::from_secs(seconds))
            .unwrap();
        let options = Options::new(MinIdle::default(), limits);
        refused(
            &group(),
            &options,
            &[&format!("boot_deadline is {text}"), "30s to 2h"],
        );
    }
}

#[test]
fn a_name_must_leave_room_for_those_of_its_alarms() {
    let mut current = group();
    let long = "j".repeat(221).parse().unwrap();
    current.setup = GroupSetup::new(long, current.setup.read_at);
    current.setup.min_size = 1;
    refused(&current, &options(), &["221 characters"]);
}

#[test]
fn what_could_not_be_read_is_not_taken_for_missing() {
    type Lose = fn(&mut GroupSetup, Unread);
    let losses: [(&str, Lose); 4] = [
        ("the lifecycle hooks", |setup, why| setup.hooks = Err(why)),
        ("the scaling policies", |setup, why| {
            setup.policies = Err(why);
        }),
        ("the alarms", |setup, why| setup.alarms = Err(why)),
        ("the published points", |setup, why| setup.signal = Err(why)),
    ];
    for (what, lose) in losses {
        let mut current = group();
        lose(&mut current.setup, unread());
        refused(
            &current,
            &options(),
            &[&format!(
                "{what} could not be read: AWS answered AccessDenied"
            )],
        );
    }
    // These two are not needed.
    let mut current = group();
    current.setup.refresh = Err(unread());
    current.setup.warm_pool = Err(unread());
    assert!(plan(&current, &options()).is_ok());
}
