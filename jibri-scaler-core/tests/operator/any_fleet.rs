//! What holds under any fleet.

use jibri_scaler_core::{
    InstanceId, Memory, Reachability, check, decide,
    operator::{Direction, OperatorCommand},
    retirement::Phase,
};
use proptest::prelude::*;

use crate::fleets::{Scene, Settings, scenes, settings};

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn id() -> impl Strategy<Value = InstanceId> {
    (0..14_u8).prop_map(|id| format!("i-{id}").parse().unwrap())
}

/// A command at the time of a scene.
type Make = fn(&Scene, InstanceId, Direction, bool) -> OperatorCommand;

fn commands() -> impl Strategy<Value = Vec<(u8, InstanceId, Direction, bool)>> {
    use Direction::{Both, Growing, Shrinking};
    let direction = prop_oneof![Just(Growing), Just(Shrinking), Just(Both)];
    proptest::collection::vec((0..6_u8, id(), direction, any::<bool>()), 0..6)
}

fn make(kind: u8) -> Make {
    fn why() -> jibri_scaler_core::operator::Reason {
        "why".parse().unwrap()
    }
    fn soon(scene: &Scene) -> jibri_scaler_core::Timestamp {
        scene.now + std::time::Duration::from_secs(50)
    }
    match kind {
        0 => |scene, _, direction, _| OperatorCommand::Pause {
            direction,
            until: soon(scene),
            reason: why(),
        },
        1 => |_, _, direction, _| OperatorCommand::Resume { direction },
        2 => |scene, id, _, ends| OperatorCommand::Keep {
            id,
            until: ends.then(|| soon(scene)),
            reason: why(),
        },
        3 => |_, id, _, _| OperatorCommand::Unkeep { id },
        4 => |_, id, _, replace| OperatorCommand::Retire {
            id,
            replace,
            reason: why(),
        },
        _ => |_, id, _, _| OperatorCommand::CancelRetire { id },
    }
}

fn told(memory: &mut Memory, scene: &Scene, commands: &[(u8, InstanceId, Direction, bool)]) {
    for (kind, id, direction, flag) in commands {
        let command = make(*kind)(scene, id.clone(), *direction, *flag);
        let _ = memory.command(&command, scene.now);
    }
}

fn decided(settings: &Settings, scene: &Scene, memory: Memory) -> jibri_scaler_core::Decision {
    let (policy, limits) = (&settings.policy, &settings.limits);
    decide(policy, limits, &scene.snapshot(), scene.now, memory)
}

proptest! {
    #![proptest_config(cases())]

    /// Paused never grows and never shrinks, kept is never retired, whoever goes by hand could be told, each thing that was asked for
    /// is a finding, and no rule is broken.
    #[test]
    fn what_was_asked_for_is_heeded(
        settings in settings(),
        story in scenes(1..8).prop_flat_map(|scenes| {
            let commands = proptest::collection::vec(commands(), scenes.len());
            (Just(scenes), commands)
        }),
    ) {
        let mut memory = Memory::default();
        for (scene, commands) in story.0.iter().zip(&story.1) {
            told(&mut memory, scene, commands);
            let before = memory.clone();
            let decision = decided(&settings, scene, memory);
            let snapshot = scene.snapshot();
            let breaches = check(&snapshot, &settings.limits, &decision);
            prop_assert!(breaches.is_empty(), "{breaches:?}");

            // By what was asked before the decision, in other words than those of `check`.
            let asked = before.operator();
            let is_paused = |direction| asked.pause(direction).is_some_and(|pause| pause.until() > scene.now);
            let finds = |what: &str| decision.explanation.findings.iter().any(|finding| finding.what.starts_with(what));
            if is_paused(Direction::Growing) {
                prop_assert_eq!(decision.plan.capacity(), None);
                prop_assert!(finds("growing is paused until"));
            }
            if is_paused(Direction::Shrinking) {
                prop_assert_eq!(decision.plan.retires().count(), 0);
                prop_assert!(finds("shrinking is paused until"));
            }
            for (id, keep) in asked.kept() {
                if keep.until().is_none_or(|until| until > scene.now) {
                    prop_assert!(decision.plan.retires().all(|(other, _)| other != id));
                    let found = format!("{id}: ");
                    prop_assert!(finds(&found), "{:#?}", decision.explanation.findings);
                }
            }
            for id in asked.retires().keys() {
                let leaves_as_asked = snapshot.rows(id).is_empty() && before.retirements().contains_key(id);
                let found = format!("{id}: ");
                prop_assert!(leaves_as_asked || finds(&found), "{:#?}", decision.explanation.findings);
            }
            for (id, _) in decision.plan.retires() {
                let rows = snapshot.rows(id);
                prop_assert!(rows.len() == 1 && rows[0].reachability != Reachability::Refused);
                prop_assert!(rows[0].status().is_some_and(|status| {
                    let busy = status.busy.as_str() == "BUSY";
                    !busy || asked.retires().contains_key(id)
                }), "{rows:?}");
            }

            // Deciding again at the same instant begins nothing.
            let mut applied = scene.clone();
            applied.apply(&decision);
            memory = decision.memory.clone();
            memory.assume_told(scene.now);
            let again = decided(&settings, &applied, memory.clone());
            let again: Vec<_> = again.plan.retires().collect();
            // Rows of one instance that contradict each other in its protection alone agree once that is set.
            let agreed = applied.snapshot().instances().len() < snapshot.instances().len();
            prop_assert!(again.is_empty() || agreed, "{again:?}");

            // What is remembered can be kept.
            let text = serde_json::to_string(&memory).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Memory>(&text).unwrap(), &memory);
        }
    }

    /// An empty request changes nothing: the decision of a group whose operator said something and took it back is the same.
    #[test]
    fn what_was_taken_back_leaves_no_trace(settings in settings(), scenes in scenes(1..6), id in id()) {
        let (mut plain, mut other) = (Memory::default(), Memory::default());
        for scene in &scenes {
            for kind in 0..3 {
                for kind in [2 * kind, 2 * kind + 1] {
                    // A retirement that is under way can't be asked for.
                    let _ = other.command(&make(kind)(scene, id.clone(), Direction::Both, false), scene.now);
                }
            }
            let (a, b) = (decided(&settings, scene, plain), decided(&settings, scene, other));
            prop_assert_eq!(&a, &b);
            (plain, other) = (a.memory, b.memory);
        }
    }
}

#[test]
fn the_phases_have_their_serialized_names() {
    for phase in Phase::ALL {
        let text = serde_json::to_string(&phase).unwrap();
        assert_eq!(text, format!("\"{phase}\""));
    }
}
