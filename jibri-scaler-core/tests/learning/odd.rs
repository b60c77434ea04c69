//! What holds for every fleet, with every policy that there is.

use std::collections::BTreeSet;

use jibri_scaler_core::{
    Decision, Instance, JibriStatus, Memory, PolicyFile, Reachability, Report, check, decide,
};
use proptest::prelude::*;

use crate::fleets::{Scene, scenes};

fn every_policy() -> PolicyFile {
    PolicyFile::from_toml(
        "min_idle = 1\npercent_idle = 20\npercent_idle_max = 4\nidle_timeout = '20s'\nboot_deadline = '60s'\n\
         square_root = { factor = 0.5 }\nrefuse_at_most = '5%'\ntime_zone = 'Europe/Berlin'\nboot_time = '30s'\n\
         refusal_step = 3\nrefusal_step_for = '2m'\n\
         [[schedule]]\nfrom = '11:00'\nto = '11:01'\nspare = 4\n\
         [[reservation]]\nfrom = 2026-11-22T10:02:00Z\nto = 2026-11-22T10:03:00Z\nspare = 2\n",
    )
    .unwrap()
}

fn decision(file: &PolicyFile, scene: &Scene, refused: bool, memory: Memory) -> Decision {
    let snapshot = scene.snapshot();
    let snapshot = if refused {
        snapshot.with_refused(1)
    } else {
        snapshot
    };
    decide(&file.policy(), &file.limits, &snapshot, scene.now, memory)
}

fn run(file: &PolicyFile, scenes: &[Scene]) -> Vec<Decision> {
    let mut memory = Memory::default();
    let decide = |(number, scene): (usize, &Scene)| {
        let decision = decision(file, scene, number % 3 == 1, std::mem::take(&mut memory));
        memory = decision.memory.clone();
        memory.assume_told(scene.now);
        decision
    };
    scenes.iter().enumerate().map(decide).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Also with gaps, steps back and the ends of time: no rule is broken, and the memory is bounded and read as it was written.
    #[test]
    fn odd_fleets_break_no_rule_and_leave_a_sound_memory(scenes in scenes(1..10)) {
        let file = every_policy();
        for (scene, decision) in scenes.iter().zip(run(&file, &scenes)) {
            let snapshot = scene.snapshot();
            let breaches = check(&snapshot, &file.limits, &decision);
            prop_assert!(breaches.is_empty(), "{breaches:?}");
            let ids: BTreeSet<_> = snapshot.instances().iter().map(|row| &row.id).collect();
            let text = serde_json::to_string(&decision.memory).unwrap();
            prop_assert!(text.len() <= 68_500 + ids.len() * 900, "{} bytes", text.len());
            prop_assert_eq!(&serde_json::from_str::<Memory>(&text).unwrap(), &decision.memory);
        }
    }

    #[test]
    fn the_same_input_gives_the_same_decision_in_any_order(
        (scenes, shuffled) in scenes(1..6).prop_flat_map(|scenes| {
            let rows: Vec<_> = scenes.iter().map(|scene| Just(scene.rows.clone()).prop_shuffle()).collect();
            (Just(scenes), rows)
        }),
    ) {
        let file = every_policy();
        let other: Vec<_> = scenes.iter().zip(shuffled).map(|(scene, rows)| Scene { rows, ..scene.clone() }).collect();
        prop_assert_eq!(run(&file, &scenes), run(&file, &other));
    }

    /// Deciding again at the same instant learns nothing more.
    #[test]
    fn the_same_instant_teaches_once(scenes in scenes(1..6)) {
        let file = every_policy();
        let mut memory = Memory::default();
        for scene in &scenes {
            let first = decision(&file, scene, true, memory);
            let second = decision(&file, scene, true, first.memory.clone());
            prop_assert_eq!(first.memory.learned(), second.memory.learned());
            memory = first.memory;
        }
    }

    /// One more busy Jibri, in place of any other that counts, never lowers the capacity that the group is to have.
    #[test]
    fn one_more_busy_jibri_never_lowers_the_capacity(scenes in scenes(1..5), which in any::<prop::sample::Index>()) {
        let file = every_policy();
        let (last, before) = scenes.split_last().unwrap();
        let memory = run(&file, before).pop().map(|decision| decision.memory).unwrap_or_default();
        let snapshot = last.snapshot();
        let once = |row: &&Instance| snapshot.rows(&row.id).len() == 1 && row.lifecycle.is_counting();
        let counting: Vec<_> = snapshot.instances().iter().filter(once).collect();
        prop_assume!(!counting.is_empty());
        let mut taken = which.get(&counting).to_owned().clone();
        prop_assume!(!memory.retirements().contains_key(&taken.id));
        let capacity = |scene: &Scene| {
            let decision = decision(&file, scene, false, memory.clone());
            decision.plan.capacity().unwrap_or(scene.group.desired).max(scene.group.desired)
        };
        taken.reachability = Reachability::Answered;
        taken.report = Some(Report::new(last.now, Some(JibriStatus::new("BUSY".into(), "HEALTHY".into()))));
        let mut busier = last.clone();
        busier.rows.retain(|row| row.id != taken.id);
        busier.rows.push(taken);
        prop_assert!(capacity(&busier) >= capacity(last));
    }

    /// Where nothing has been learned, the SLO makes no difference.
    #[test]
    fn without_history_the_slo_changes_nothing(scenes in scenes(1..2)) {
        let with = PolicyFile::from_toml("min_idle = 2\npercent_idle = 20\nrefuse_at_most = '0.01%'").unwrap();
        let without = PolicyFile::from_toml("min_idle = 2\npercent_idle = 20").unwrap();
        let json = |file: &PolicyFile| {
            serde_json::to_string(&decision(file, &scenes[0], false, Memory::default())).unwrap()
        };
        prop_assert_eq!(json(&with), json(&without));
    }
}
