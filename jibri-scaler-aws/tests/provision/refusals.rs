//! What is not provisioned, with the reason and what to do.

use std::time::Duration;

use jibri_scaler_aws::{
    inspect::{GroupSetup, MixedInstances, Unread},
    provision::{Current, Options, Refusal, plan},
};
use jibri_scaler_core::{
    Limits,
    policy::{MinIdle, Policy, Situation, Vote},
    port::PortErrorKind,
};

use crate::fixture::{group, options};

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

#[test]
fn spot_must_be_allowed() {
    let mut current = group();
    current.setup.mixed_instances = Some(MixedInstances::new(2, 50));
    refused(&current, &options(), &["Spot", "--allow-spot"]);
    let plan = plan(&current, &options().with_spot_allowed(true)).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("Spot")));
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
    let unread = || Unread::new(PortErrorKind::Permanent, "AWS answered AccessDenied");
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
