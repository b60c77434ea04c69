//! What holds for every fleet, however odd.

#[path = "common/mod.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod common;

#[path = "properties/fleets.rs"]
mod fleets;
#[path = "properties/model.rs"]
mod model;

use std::collections::{BTreeMap, BTreeSet};

use common::at;
use fleets::{Scene, Settings, fleet, group, scenes, settings};
use jibri_scaler_core::{
    Class, Decision, DrainPath, FleetSnapshot, Group, Instance, InstanceId, JibriStatus, Lifecycle,
    Limits, Memory, Reachability, Report, Stage, Tally, Tick, Timestamp, Verdict, check, decide,
    standings,
};
use proptest::prelude::*;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn decision(settings: &Settings, scene: &Scene, memory: Memory) -> Decision {
    decide(
        &settings.policy,
        &settings.limits,
        &scene.snapshot(),
        scene.now,
        memory,
    )
}

/// The decisions of these scenes, each retirement taken as told.
fn run(settings: &Settings, scenes: &[Scene]) -> Vec<Decision> {
    let mut memory = Memory::default();
    let decide = |scene: &Scene| {
        memory.assume_told(scene.now);
        let decision = decision(settings, scene, std::mem::take(&mut memory));
        memory = decision.memory.clone();
        memory.assume_told(scene.now);
        decision
    };
    scenes.iter().map(decide).collect()
}

fn retired(decision: &Decision) -> BTreeSet<InstanceId> {
    decision.plan.retires().map(|(id, _)| id.clone()).collect()
}

fn json(decision: &Decision) -> String {
    serde_json::to_string(decision).unwrap()
}

proptest! {
    #![proptest_config(cases(100))]

    /// What people are shown is what was decided by: the classes add up to the tally, whoever goes was said to go and nobody else was,
    /// and what was said to hold the others back does.
    #[test]
    fn standings_agree_with_the_decision(settings in settings(), scenes in scenes(1..8)) {
        let mut memory = Memory::default();
        for scene in &scenes {
            memory.assume_told(scene.now);
            let (snapshot, before) = (scene.snapshot(), memory.clone());
            let judge = |limits: &Limits, memory: &Memory| {
                let all = standings(&settings.policy, limits, &snapshot, scene.now, memory.clone());
                all.into_iter().map(|standing| (standing.id.clone(), standing)).collect::<BTreeMap<_, _>>()
            };
            let shown = judge(&settings.limits, &memory);
            let decision = decision(&settings, scene, std::mem::take(&mut memory));
            let mut tally = Tally::default();
            for standing in shown.values() {
                tally.add(standing.class);
            }
            prop_assert_eq!(&tally, &decision.tally);
            // Whoever goes was said to go, in the same way, and nobody else was.
            let said: Vec<_> = shown
                .values()
                .filter_map(|standing| match standing.verdict {
                    Verdict::Goes { replace } => Some((&standing.id, replace)),
                    _ => None,
                })
                .collect();
            let mut goes: Vec<_> = decision.plan.retires().collect();
            goes.sort();
            prop_assert_eq!(&said, &goes);
            let counts = |row: &Instance| row.lifecycle.is_counting();
            for standing in shown.values() {
                match &standing.verdict {
                    Verdict::Blind => prop_assert!(goes.is_empty()),
                    Verdict::EnoughLeaving { leaving, max_retire } => {
                        prop_assert_eq!(*max_retire, settings.limits.max_retire());
                        let under_way = decision.memory.retirements().values().filter(|r| r.phase().is_under_way()).count();
                        prop_assert!(leaving >= max_retire && under_way >= *leaving as usize, "{under_way}");
                    }
                    Verdict::WhenSurplus { .. } => {
                        let step = |stage| decision.explanation.step(stage).unwrap();
                        let (held, idle) = (step(Stage::Surplus).after, step(Stage::Plan).before);
                        prop_assert_eq!(held, idle, "all of the surplus goes");
                    }
                    Verdict::DidNotAnswer => {
                        let rows = snapshot.rows(&standing.id);
                        prop_assert!(rows.iter().all(|row| counts(row) && row.reachability != Reachability::Answered));
                    }
                    _ => {}
                }
            }
            // What was said to hold them back is what does: without it, the broken ones go.
            let none = settings.limits.clone().with_max_retire(10_000).unwrap();
            let freed = judge(&none, &before);
            for (id, standing) in &shown {
                let verdict = &freed[id].verdict;
                let held = matches!(standing.verdict, Verdict::EnoughLeaving { .. });
                if held && standing.class != Class::Spare {
                    prop_assert!(matches!(verdict, Verdict::Goes { .. }), "{id}: {verdict}");
                }
                prop_assert!(!matches!(verdict, Verdict::EnoughLeaving { .. }), "{id}");
            }
            // By the memory that comes back, they are on their way.
            memory = decision.memory;
            let after = judge(&settings.limits, &memory);
            for (id, _) in said {
                prop_assert!(matches!(after[id].verdict, Verdict::Leaving { phase: Some(_) }), "{}", after[id].verdict);
            }
        }
    }

    /// Whatever comes: no panic, no breach, each instance in one class, and a memory no larger than the listing.
    #[test]
    fn odd_fleets_break_no_rule(settings in settings(), scenes in scenes(1..8)) {
        for (scene, decision) in scenes.iter().zip(run(&settings, &scenes)) {
            let snapshot = scene.snapshot();
            let breaches = check(&snapshot, &settings.limits, &decision);
            prop_assert!(breaches.is_empty(), "{breaches:?}");

            let tally = &decision.tally;
            let ids: BTreeSet<_> = snapshot.instances().iter().map(|row| &row.id).collect();
            let sum = tally.spare + tally.booting + tally.overdue + tally.busy + tally.expired
                + tally.unhealthy + tally.unknown + tally.retiring + tally.other;
            prop_assert_eq!((sum as usize, tally.total as usize), (ids.len(), ids.len()));
            prop_assert!(decision.explanation.steps.iter().map(|step| step.stage).eq(Stage::ALL));

            let text = serde_json::to_string(&decision.memory).unwrap();
            prop_assert!(text.len() <= 800 + ids.len() * 900, "{} bytes for {}", text.len(), ids.len());
            prop_assert_eq!(&serde_json::from_str::<Memory>(&text).unwrap(), &decision.memory);
        }
    }

    /// Written without the words of `check`: only what certainly is free is retired, and nothing without a safe way.
    #[test]
    fn only_what_is_certainly_free_is_retired(settings in settings(), scenes in scenes(1..8)) {
        for (scene, decision) in scenes.iter().zip(run(&settings, &scenes)) {
            let gone = retired(&decision);
            prop_assert!(gone.is_empty() || scene.group.safe_retirement);
            for row in scene.rows.iter().filter(|row| gone.contains(&row.id)) {
                let status = row.status();
                prop_assert!(status.is_some_and(|status| status.busy.as_str() != "BUSY"), "{row:?}");
                prop_assert!(status.is_some_and(|s| s.is_available() || s.health.as_str() == "UNHEALTHY" || s.busy.as_str() == "EXPIRED"));
                prop_assert!(!matches!(row.reachability, Reachability::Refused | Reachability::Never), "{row:?}");
                prop_assert_eq!(&row.lifecycle, &Lifecycle::InService);
                prop_assert_ne!(row.drain, DrainPath::None);
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_decision_in_any_order(
        settings in settings(),
        (scenes, shuffled) in scenes(1..6).prop_flat_map(|scenes| {
            let rows: Vec<_> = scenes.iter().map(|scene| Just(scene.rows.clone()).prop_shuffle()).collect();
            (Just(scenes), rows)
        }),
    ) {
        let other: Vec<_> = scenes.iter().zip(shuffled).map(|(scene, rows)| Scene { rows, ..scene.clone() }).collect();
        prop_assert_eq!(run(&settings, &scenes), run(&settings, &other));
    }

    /// Apply the plan, and decide again at the same instant: nothing is left to be done.
    ///
    /// But where less is desired than counts, the formula may raise the desired capacity to what counts once a retirement leaves
    /// exactly the wanted spare: that may be left, and no more retirements than it was raised by. And rows of one instance that
    /// contradict each other in its protection alone agree once that is set: then more is known than before.
    #[test]
    fn deciding_again_at_the_same_instant_changes_nothing(settings in settings(), scenes in scenes(1..8)) {
        let mut memory = Memory::default();
        for scene in &scenes {
            let first = decision(&settings, scene, memory);
            let mut applied = scene.clone();
            applied.apply(&first);
            memory = first.memory.clone();
            memory.assume_told(scene.now);
            let second = decision(&settings, &applied, memory.clone());
            let mut ids: Vec<_> = applied.rows.iter().filter(|row| row.lifecycle.is_counting()).map(|row| &row.id).collect();
            ids.sort();
            ids.dedup();
            let counting = u32::try_from(ids.len()).unwrap();
            let retires = second.plan.retires().count();
            let room = counting.saturating_sub(applied.group.desired);
            let raised = second.plan.capacity() == Some(counting)
                && retires <= usize::try_from(room).unwrap()
                && retires + 1 == second.plan.effects.len();
            let agreed = applied.snapshot().instances().len() < scene.snapshot().instances().len();
            prop_assert!(second.plan.is_empty() || raised || agreed, "{:?} after {:?}", second.plan, first.plan);
            memory = second.memory;
        }
    }

    /// One more busy Jibri, in place of any other instance that counts, never lowers the capacity that the group is to have.
    #[test]
    fn one_more_busy_jibri_never_lowers_the_capacity(
        settings in settings(), scenes in scenes(1..4), which in any::<prop::sample::Index>(),
    ) {
        let (last, before) = scenes.split_last().unwrap();
        let memory = run(&settings, before).pop().map(|decision| decision.memory).unwrap_or_default();
        let snapshot = last.snapshot();
        let once = |row: &&Instance| snapshot.rows(&row.id).len() == 1 && row.lifecycle.is_counting();
        let counting: Vec<_> = snapshot.instances().iter().filter(once).collect();
        prop_assume!(!counting.is_empty());
        let mut taken = which.get(&counting).to_owned().clone();
        prop_assume!(!memory.retirements().contains_key(&taken.id));

        let capacity = |scene: &Scene| {
            let decision = decision(&settings, scene, memory.clone());
            decision.plan.capacity().unwrap_or(scene.group.desired).max(scene.group.desired)
        };
        taken.reachability = Reachability::Answered;
        taken.report = Some(Report::new(last.now, Some(JibriStatus::new("BUSY".into(), "HEALTHY".into()))));
        let mut busier = last.clone();
        busier.rows.retain(|row| row.id != taken.id);
        busier.rows.push(taken);
        prop_assert!(capacity(&busier) >= capacity(last));
    }

    #[test]
    fn a_tick_written_is_read_as_the_same_tick(scenes in scenes(1..2)) {
        let mut snapshot = scenes[0].snapshot();
        for _ in 0..2 {
            let tick = Tick::new(scenes[0].now, snapshot);
            let again: Tick = serde_json::from_str(&serde_json::to_string(&tick).unwrap()).unwrap();
            prop_assert_eq!(&again, &tick);
            snapshot = again.snapshot;
        }
    }
}

/// The scenes as they are seen with a clock that jumps by `jump` before the scene `from`: the times that the receiver writes
/// down are moved, those of the group are not.
fn jumped(scenes: &[Scene], from: usize, jump: i64) -> Vec<Scene> {
    let moved = |time: Timestamp| Timestamp::from_micros(time.as_micros() + jump * 1_000_000);
    let first = scenes[from].now;
    let mut scenes = scenes.to_vec();
    for scene in &mut scenes[from..] {
        scene.now = moved(scene.now);
        for report in scene.rows.iter_mut().filter_map(|row| row.report.as_mut()) {
            if report.received_at >= first {
                report.received_at = moved(report.received_at);
            }
        }
    }
    scenes
}

proptest! {
    #![proptest_config(cases(100))]

    /// A clock that jumps retires nobody that would have stayed.
    #[test]
    fn a_jump_of_the_clock_retires_nobody_else(
        mut settings in settings(),
        group in group(),
        fleet in fleet(),
        steps in prop::collection::vec(fleets::step(), 3..12),
        jump in prop_oneof![46..100_000_i64, -100_000..-46_i64],
        at_step in any::<prop::sample::Index>(),
    ) {
        // Enough of each limit, so that who goes does not depend on who else goes.
        settings.limits = settings.limits.with_max_retire(10_000).unwrap().with_report_ttl(std::time::Duration::from_secs(45)).unwrap();
        let scenes = fleets::story(group, fleet, &steps);
        let from = at_step.index(scenes.len() - 1) + 1;
        let (calm, jumpy) = (run(&settings, &scenes), run(&settings, &jumped(&scenes, from, jump)));
        for (tick, (calm, jumpy)) in calm.iter().zip(&jumpy).take(from).enumerate() {
            prop_assert_eq!(json(calm), json(jumpy), "tick {} is before the jump", tick);
        }
        let may_go: BTreeSet<_> = calm[..=from].iter().flat_map(retired).collect();
        let gone = retired(&jumpy[from]);
        prop_assert!(gone.is_subset(&may_go), "{:?} are not in {:?}", gone, may_go);
    }

    /// With a constant load, the group comes to rest, with what is wanted and no more, wherever that is possible.
    #[test]
    fn a_constant_load_comes_to_rest(model in model::models()) {
        let mut model = model;
        for _ in 0..model::TICKS_TO_REST {
            let _ = model.tick();
        }
        for _ in 0..5 {
            let decision = model.tick();
            prop_assert!(decision.plan.is_empty(), "{:?}\n{}", decision.plan, decision.explanation);
            let (spare, wanted) = (decision.tally.spare, decision.wanted_spare);
            let size = decision.tally.total;
            prop_assert!(
                spare == wanted || (spare < wanted && size == model.group.max_size) || (spare > wanted && size == model.group.min_size),
                "{spare} spare of {size}, {wanted} wanted in {:?}", model.group
            );
        }
    }
}

#[test]
fn extreme_numbers_are_no_panic() {
    let times = [Timestamp::MIN, at(0), Timestamp::MAX];
    for (min, max, desired) in [
        (0, u32::MAX, u32::MAX),
        (u32::MAX, u32::MAX, 0),
        (u32::MAX, 0, u32::MAX),
        (0, 0, 0),
    ] {
        let mut memory = Memory::default();
        for now in [times[1], times[2], times[0], times[2]] {
            for received in times {
                let mut row = Instance::new("i".parse().unwrap(), Lifecycle::InService);
                row.report = Some(Report::new(
                    received,
                    Some(JibriStatus::new("IDLE".into(), "HEALTHY".into())),
                ));
                row.launched_at = Some(received);
                let mut group = Group::new(min, max, desired);
                group.safe_retirement = true;
                let snapshot = FleetSnapshot::new(group, vec![row]);
                let settings = fleets::widest();
                let decision = decide(&settings.policy, &settings.limits, &snapshot, now, memory);
                assert_eq!(check(&snapshot, &settings.limits, &decision), []);
                memory = decision.memory;
            }
        }
    }
}

#[test]
fn the_memory_of_a_large_fleet_grows_with_the_fleet_and_no_faster() {
    let size = |count: usize| {
        let mut run = common::Run::new((0, 1000, 1000), "min_idle = 0\nsurplus_hold = '7d'");
        let fleet = common::many('i', count, common::Jibri::idle);
        for tick in 0..100 {
            run.pass(
                tick * 30,
                &fleet[..count - usize::try_from(tick % 7).unwrap()],
            );
        }
        serde_json::to_string(&run.memory).unwrap().len()
    };
    assert!(
        size(400) < size(100) * 4 + 400,
        "{} and {}",
        size(400),
        size(100)
    );
}
