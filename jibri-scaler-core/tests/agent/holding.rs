//! How the terminating hook is kept waiting, whatever its timeout is.

use jibri_scaler_core::{Lifecycle, agent::AgentConfig, port::PortErrorKind};

use crate::world::{Member, World, id, secs};

fn config() -> AgentConfig {
    AgentConfig::default().with_shrink(false)
}

/// An instance that is told to go in the middle of a long recording, whose hook waits for so many seconds.
fn held(timeout: i64, change: impl FnOnce(&mut World)) -> World {
    let mut world = World::without_agents(1, config());
    world.state().hook_timeout = timeout;
    change(&mut world);
    world.start_agent(&id(0));
    world.pass(30);
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.record(now, 5 * 3600);
        member.terminate();
    });
    world
}

fn beats(world: &World) -> Vec<i64> {
    let beats = world.calls(&id(0), "heartbeat");
    beats.into_iter().map(|(at, _)| at).collect()
}

fn is_held(world: &World) -> bool {
    world.change(&id(0), |member| {
        member.lifecycle == Lifecycle::TerminatingWait
    })
}

#[test]
fn heartbeats_come_at_a_quarter_of_what_the_hook_says_and_not_of_what_is_configured() {
    for timeout in [30, 600, 7200] {
        let mut world = held(timeout, |_| {});
        world.pass(4 * 3600);
        assert!(is_held(&world), "{timeout}");
        let beats = beats(&world);
        let gaps: Vec<_> = beats.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let quarter = timeout / 4;
        assert!(
            gaps.iter().all(|gap| (quarter..=quarter + 1).contains(gap)),
            "{timeout}: {gaps:?}"
        );
        let lists = world.calls(&id(0), "list").len();
        assert!(
            lists <= 19,
            "{timeout}: every quarter of an hour, not {lists} times"
        );
    }
}

#[test]
fn an_agent_that_starts_in_the_middle_keeps_a_short_hook_waiting() {
    let mut world = held(240, |_| {});
    world.pass(60);
    world.kill_agent(&id(0));
    // The group cannot be listed at first: then it is not known how long the hook waits.
    world.change(&id(0), |member| {
        member.failing.insert("list", PortErrorKind::Throttled);
    });
    world.start_agent(&id(0));
    world.pass(3600);
    assert!(is_held(&world));
    world.change(&id(0), |member| member.failing.clear());
    world.pass(4 * 3600);
    assert_eq!(world.state().lost, 0);
}

#[test]
fn a_hook_that_turns_out_to_be_shorter_than_was_known_is_kept_waiting() {
    let mut world = held(7200, |_| {});
    world.pass(300);
    world.state().hook_timeout = 1200;
    world.pass(4 * 3600);
    assert!(is_held(&world));
    let beats = beats(&world);
    let last = beats[beats.len() - 1] - beats[beats.len() - 2];
    assert!((300..=301).contains(&last), "{beats:?}");
}

#[test]
fn where_the_group_may_not_be_listed_it_beats_every_minute() {
    let mut world = held(3600, |world| {
        world.change(&id(0), |member| {
            member.failing.insert("list", PortErrorKind::Permanent);
        });
        world.config = config().with_hook_timeout(secs(1200)).unwrap();
    });
    world.pass(3 * 3600);
    let count = beats(&world).len();
    assert!((178..=182).contains(&count), "{count}");
    // Now it may, and the hook is shorter than was thought: the heartbeat that was planned would be late.
    world.state().hook_timeout = 100;
    world.change(&id(0), |member| member.failing.clear());
    let lists = world.calls(&id(0), "list").len();
    assert!(world.until(900, |state| {
        let lists_now = state.journal.iter().filter(|(_, _, call)| call == "list");
        lists_now.count() > lists
    }));
    let listed = world.state().now;
    world.pass(27);
    assert!(
        beats(&world).iter().any(|at| *at > listed),
        "{:?}",
        beats(&world)
    );
}

#[test]
fn one_that_comes_back_from_the_pool_is_protected_though_its_last_heartbeat_failed() {
    let mut world = World::new(1, config().with_idle_timeout(secs(30)).unwrap());
    world.pass(120);
    let protected = |world: &World| world.change(&id(0), |member| member.protected);
    assert!(!protected(&world));
    let fails = |member: &mut Member| {
        member.failing.insert("heartbeat", PortErrorKind::Transient);
    };
    world.change(&id(0), |member| {
        fails(member);
        member.lifecycle = Lifecycle::WarmedPendingWait;
        member.target = Ok(Some(jibri_scaler_core::agent::port::TargetState::Warmed));
    });
    assert!(world.until(300, |state| {
        state.member(&id(0)).lifecycle == Lifecycle::WarmedStopped
    }));
    assert!(!world.calls(&id(0), "heartbeat").is_empty());
    // It is taken back before it was stopped, by the same agent.
    world.change(&id(0), |member| {
        member.lifecycle = Lifecycle::PendingWait;
        member.target = Ok(Some(jibri_scaler_core::agent::port::TargetState::InService));
    });
    assert!(world.until(300, |state| {
        state.member(&id(0)).lifecycle == Lifecycle::InService
    }));
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.protected = false;
        assert!(member.record(now, 600));
    });
    world.pass(1000);
    assert!(
        world
            .calls(&id(0), "protect on")
            .iter()
            .any(|(at, _)| *at > now)
    );
}
