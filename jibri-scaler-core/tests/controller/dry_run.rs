use jibri_scaler_core::{Effect, controller::Applied, retirement::Phase};

use crate::{
    mocks::{Mocks, became, tick},
    world::World,
};

#[test]
fn a_dry_run_applies_saves_and_publishes_nothing_and_says_what_it_would_do() {
    let mocks = Mocks::default();
    let mut controller = mocks.busy_tick().with_dry_run(true);
    for secs in [0, 10, 20] {
        let report = tick(&mut controller, secs);
        assert!(report.dry_run);
        assert_eq!(became(&report), [Applied::DryRun; 3]);
        let said = report.to_string();
        for effect in [
            "protect i-1 (dry run)",
            "set capacity 3 (dry run)",
            "replace i-1 (dry run)",
        ] {
            assert!(said.contains(effect), "{said}");
        }
        assert!(controller.memory().unwrap().retirements().is_empty());
    }
    assert_eq!(mocks.calls(), ["load", "observe", "observe", "observe"]);
}

#[test]
fn a_dry_run_names_the_same_idle_one_in_each_tick() {
    let mut world = World::running(0, 9, 3);
    let before = world.saved();
    let mut dry = world.controller(1).with_dry_run(true);
    let retired = |effects: &[(Effect, Applied)]| {
        let retire = |(effect, _): &&(Effect, Applied)| matches!(effect, Effect::Retire { .. });
        effects.iter().filter(retire).count()
    };
    // Idle and hold are observed for a minute all the same.
    for _ in 0..6 {
        let report = world.step(&mut dry);
        assert_eq!(retired(&report.effects), 0, "{report}");
    }
    for _ in 0..12 {
        let report = world.step(&mut dry);
        assert_eq!(retired(&report.effects), 2, "{report}");
    }
    assert_eq!(world.in_service().len(), 3);
    assert!(
        world
            .group
            .current()
            .instances
            .iter()
            .all(|row| !row.protected)
    );
    assert_eq!(
        (world.saved(), world.jibris.tally(|tally| tally.told.len())),
        (before, 0),
        "as it was"
    );
}

#[test]
fn what_was_observed_in_a_dry_run_counts_when_it_ends() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1).with_dry_run(true);
    world.steps(&mut controller, 12);
    let mut controller = controller.with_dry_run(false);
    let report = world.step(&mut controller);
    let moved: Vec<_> = report.progress.iter().map(|p| (p.from, p.to)).collect();
    assert_eq!(moved, [(Phase::Requested, Phase::Told)], "{report}");
}
