//! Metadata that are slow, absent or wrong, and a group that cannot be asked.

use jibri_scaler_core::{
    Lifecycle,
    agent::{AgentConfig, port::TargetState},
    port::PortErrorKind,
};

use crate::world::{Case, Member, World, id};

fn config() -> AgentConfig {
    AgentConfig::default().with_shrink(false)
}

fn is_gone(world: &mut World, seconds: i64) -> bool {
    world.until(seconds, |state| {
        state.member(&id(0)).lifecycle == Lifecycle::Terminated
    })
}

#[test]
fn absent_metadata_are_replaced_by_the_group() {
    let absent: [Case; 3] = [
        ("unreadable", |member| {
            member.target = Err(PortErrorKind::Transient);
        }),
        ("none", |member| member.target = Ok(None)),
        ("unknown", |member| {
            member.target = Ok(Some(TargetState::Unknown("Elsewhere".into())));
        }),
    ];
    for (name, absent) in absent {
        let mut world = World::without_agents(1, config());
        world.change(&id(0), absent);
        world.start_agent(&id(0));
        world.pass(700);
        assert!(
            !world.change(&id(0), |member| member.protected),
            "{name}: it serves all the same"
        );
        assert!(world.state().points.len() > 60, "{name}");
        assert_eq!(world.found("the group is asked instead"), 1, "{name}");
        world.change(&id(0), |member| {
            member.terminate();
            absent(member);
        });
        assert!(
            is_gone(&mut world, 300),
            "{name}: the group says that it ends"
        );
        assert_eq!(world.state().lost, 0);
    }
}

#[test]
fn slow_metadata_delay_nothing_but_themselves() {
    let mut world = World::new(1, config());
    world.pass(30);
    world.change(&id(0), |member| {
        member.slow.insert("target", 20);
        member.slow.insert("notices", 25);
    });
    let before = world.calls(&id(0), "probe").len();
    world.pass(100);
    assert_eq!(world.calls(&id(0), "probe").len() - before, 100);
    world.change(&id(0), Member::terminate);
    assert!(is_gone(&mut world, 120));
}

#[test]
fn metadata_that_miss_the_end_are_found_out_before_the_hook_gives_up() {
    let mut world = World::new(1, config());
    world.pass(30);
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.record(now, 3 * 3600);
        member.terminate();
        member.target = Ok(Some(TargetState::InService));
    });
    world.pass(3 * 3600);
    assert_eq!(
        world.change(&id(0), |m| m.lifecycle.clone()),
        Lifecycle::TerminatingWait
    );
    assert!(is_gone(&mut world, 120));
    assert_eq!(world.state().lost, 0);
}

#[test]
fn metadata_that_wrongly_say_the_end_cost_a_jibri_and_no_recording() {
    let mut world = World::new(1, config());
    world.pass(30);
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.record(now, 1000);
        member.target = Ok(Some(TargetState::Terminated));
    });
    world.pass(900);
    assert_eq!(world.calls(&id(0), "end"), []);
    assert!(is_gone(&mut world, 400), "what is drained is replaced");
    assert_eq!(world.state().lost, 0);
    let ends = world.calls(&id(0), "end");
    assert!(ends.iter().all(|(_, end)| end == "end No"), "{ends:?}");
}

#[test]
fn all_of_auto_scaling_throttled_for_an_hour_loses_nothing() {
    let mut world = World::new(1, config());
    world.pass(30);
    let now = world.state().now;
    world.change(&id(0), |member| {
        for call in ["look", "heartbeat", "complete", "end", "protect"] {
            member.failing.insert(call, PortErrorKind::Throttled);
        }
        member.record(now, 600);
        member.terminate();
    });
    world.pass(3600);
    let count = |call| world.calls(&id(0), call).len();
    let calls = count("look") + count("heartbeat") + count("complete");
    assert!(calls < 120, "it does not insist: {calls} calls");
    assert!(count("heartbeat") >= 10, "but it does not give up");
    world.change(&id(0), |member| member.failing.clear());
    assert!(is_gone(&mut world, 120));
    assert_eq!(world.state().lost, 0);
}

#[test]
fn an_end_of_unknown_outcome_is_not_repeated_before_the_group_was_asked() {
    let mut world = World::new(1, config());
    world.pass(30);
    world.change(&id(0), |member| {
        member.failing.insert("end", PortErrorKind::Transient);
        member.status.1 = "UNHEALTHY";
    });
    world.pass(600);
    let ends = world.calls(&id(0), "end");
    assert!((3..=10).contains(&ends.len()), "{ends:?}");
    for pair in ends.windows(2) {
        let looks = world.calls(&id(0), "look");
        assert!(
            looks
                .iter()
                .any(|(at, _)| (pair[0].0..=pair[1].0).contains(at))
        );
    }
    world.change(&id(0), |member| member.failing.clear());
    assert!(is_gone(&mut world, 400));
}

#[test]
fn an_instance_of_no_group_is_left_alone() {
    let mut world = World::without_agents(1, config());
    world.change(&id(0), |member| {
        member.target = Ok(None);
        member.lifecycle = Lifecycle::Terminated;
    });
    world.start_agent(&id(0));
    world.pass(3600);
    assert_eq!(world.found("the group has no such instance"), 1);
    let state = world.state();
    assert!(state.points.is_empty());
    assert!(
        !state
            .journal
            .iter()
            .any(|(_, _, call)| call == "tell" || call.starts_with("end"))
    );
}
