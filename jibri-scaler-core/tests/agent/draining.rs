use jibri_scaler_core::{
    Lifecycle,
    agent::{
        AgentConfig, Ending,
        port::{HookResult, ServiceState},
    },
    port::PortErrorKind,
};

use crate::world::{GONE, World, id, secs};

fn config() -> AgentConfig {
    AgentConfig::default().with_shrink(false)
}

fn overbusy_after_an_hour() -> AgentConfig {
    config().with_max_busy(secs(3600)).unwrap()
}

fn world() -> World {
    let mut world = World::new(1, config());
    world.pass(30);
    world
}

fn lifecycle(world: &World) -> Lifecycle {
    world.change(&id(0), |member| member.lifecycle.clone())
}

#[test]
fn an_idle_one_that_the_group_ends_is_gone_within_seconds() {
    let mut world = world();
    world.change(&id(0), crate::world::Member::terminate);
    assert!(world.until(40, |state| state.member(&id(0)).lifecycle
        == Lifecycle::Terminated));
    let order: Vec<_> = ["latch", "tell", "check", "complete Terminating Continue"]
        .map(|call| world.calls(&id(0), call)[0].0)
        .into();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(world.endings[&id(0)], Ending::InstanceEnded);
    assert_eq!(world.state().lost, 0);
}

#[test]
fn a_recording_that_starts_in_the_same_second_finishes() {
    let mut world = world();
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.terminate();
        assert!(member.record(now, 5 * 3600));
    });
    world.pass(4 * 3600);
    assert_eq!(
        lifecycle(&world),
        Lifecycle::TerminatingWait,
        "the hook was prolonged"
    );
    let points = world.state().drain_points.clone();
    assert!(
        points
            .windows(2)
            .all(|pair| pair[0].1.held_for < pair[1].1.held_for)
    );
    assert!(points.len() > 15 && points.iter().all(|(_, point)| !point.release_check_failed));
    let beats = world.change(&id(0), |member| member.heartbeats);
    assert!(
        (16..=18).contains(&beats),
        "one each quarter of an hour: {beats}"
    );
    assert!(world.until(3700, |state| state.member(&id(0)).lifecycle
        == Lifecycle::Terminated));
    assert_eq!(world.state().lost, 0);
    assert!(world.state().now > now + 5 * 3600);
}

#[test]
fn an_agent_killed_at_every_step_loses_nothing() {
    for busy in [false, true] {
        for kill_at in 0..60 {
            for down in [0, 7] {
                let mut world = world();
                let now = world.state().now;
                world.change(&id(0), |member| {
                    member.terminate();
                    if busy {
                        member.record(now, 20);
                    }
                });
                world.pass(kill_at);
                if world.has_agent(&id(0)) {
                    world.kill_agent(&id(0));
                    world.pass(down);
                    world.start_agent(&id(0));
                }
                let case = format!("busy {busy}, killed after {kill_at} s, down for {down} s");
                let is_gone = world.until(300, |state| {
                    state.member(&id(0)).lifecycle == Lifecycle::Terminated
                });
                assert!(is_gone, "{case}");
                assert_eq!(world.state().lost, 0, "{case}");
                let completed = world.change(&id(0), |member| member.completed.clone());
                assert_eq!(completed, [HookResult::Continue], "{case}");
            }
        }
    }
}

/// With slow ports each act is under way for some time, and is cut off in it.
#[test]
fn an_agent_killed_in_the_middle_of_an_act_loses_nothing() {
    for kill_at in 0..60 {
        let mut world = world();
        let now = world.state().now;
        world.change(&id(0), |member| {
            for call in [
                "latch", "tell", "state", "check", "complete", "load", "look",
            ] {
                member.slow.insert(call, 3);
            }
            member.terminate();
            member.record(now, 15);
        });
        world.pass(kill_at);
        if world.has_agent(&id(0)) {
            world.kill_agent(&id(0));
            world.start_agent(&id(0));
        }
        let is_gone = world.until(300, |state| {
            state.member(&id(0)).lifecycle == Lifecycle::Terminated
        });
        assert!(is_gone, "killed after {kill_at} s");
        assert_eq!(world.state().lost, 0, "killed after {kill_at} s");
    }
}

#[test]
fn one_that_a_supervisor_starts_again_is_told_again() {
    let mut world = world();
    world.change(&id(0), |member| {
        member.stubborn_restarts = 2;
        member.terminate();
    });
    assert!(world.until(120, |state| state.member(&id(0)).lifecycle
        == Lifecycle::Terminated));
    assert_eq!(world.calls(&id(0), "tell").len(), 3);
    assert!(world.found("was started again while it drains") > 0);
}

/// Also one that starts again unseen, between two looks, and takes a recording.
#[test]
fn one_that_records_again_after_a_restart_finishes_that_too() {
    let mut world = world();
    world.change(&id(0), |member| {
        member.stubborn_restarts = 1;
        member.terminate();
    });
    assert!(world.until(60, |state| state.member(&id(0)).stubborn_restarts == 0));
    let now = world.state().now;
    assert!(world.change(&id(0), |member| member.record(now, 1000)));
    assert!(world.until(1100, |state| state.member(&id(0)).lifecycle
        == Lifecycle::Terminated));
    assert_eq!(world.state().lost, 0);
}

#[test]
fn one_whose_upload_failed_is_retained_and_ended_when_somebody_has_saved_it() {
    let mut world = world();
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.finalize_fails = true;
        member.record(now, 60);
        member.terminate();
    });
    world.pass(120);
    // Whoever ends it by its id again, such as a second controller, changes nothing while it waits.
    world.change(&id(0), crate::world::Member::terminate);
    world.pass(200);
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingWait);
    world.pass(80);
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingRetained);
    assert_eq!(
        world.change(&id(0), |m| m.completed.clone()),
        [HookResult::Abandon]
    );
    assert_eq!(
        world.found("critical: i-000: the release check has failed"),
        1
    );
    let said = |world: &World| {
        let state = world.state();
        let failed = state
            .drain_points
            .iter()
            .filter(|(_, point)| point.release_check_failed);
        failed.count()
    };
    assert_eq!(said(&world), 1);
    world.pass(7200);
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingRetained);
    let checks = world.calls(&id(0), "check").len();
    assert!((12..=15).contains(&checks), "now and then: {checks}");
    assert_eq!(said(&world), 1, "once");
    world.change(&id(0), |member| member.files_left = false);
    world.pass(700);
    assert_eq!(
        (lifecycle(&world), world.state().lost),
        (Lifecycle::Terminated, 0)
    );
}

#[test]
fn a_check_that_says_nothing_is_tried_again_and_then_counts_as_failed() {
    let mut world = world();
    world.change(&id(0), |member| {
        member.failing.insert("check", PortErrorKind::Transient);
        member.terminate();
    });
    world.pass(60);
    assert_eq!(world.calls(&id(0), "check").len(), 3);
    world.pass(300);
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingRetained);
}

#[test]
fn one_that_crashed_is_kept_for_a_human() {
    for code in [Some(0), Some(1), Some(143), None] {
        let mut world = world();
        let now = world.state().now;
        world.change(&id(0), |member| {
            member.record(now, 1000);
            member.terminate();
        });
        world.pass(60);
        world.change(&id(0), |member| {
            member.process = ServiceState::Ended { code };
            member.files_left = true;
            member.session = None;
        });
        world.pass(7200);
        assert_eq!(
            lifecycle(&world),
            Lifecycle::TerminatingRetained,
            "{code:?}"
        );
        assert_eq!(world.calls(&id(0), "end"), [], "{code:?}");
        assert_eq!(
            world.found("critical: i-000: its Jibri has ended otherwise"),
            1
        );
        assert_eq!(world.found("then terminate the instance by hand"), 1);
        assert_eq!(said_kept(&world), 1, "an alarm hears of it once");
    }
}

/// How often was published that it is kept.
fn said_kept(world: &World) -> usize {
    let state = world.state();
    let points = state.drain_points.iter();
    points
        .filter(|(_, point)| point.release_check_failed)
        .count()
}

#[test]
fn a_machine_that_was_rebooted_in_the_middle_is_kept() {
    let mut world = world();
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.record(now, 1000);
        member.terminate();
    });
    world.pass(60);
    world.kill_agent(&id(0));
    world.change(&id(0), |member| member.process = ServiceState::NotStarted);
    world.start_agent(&id(0));
    world.pass(330);
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingRetained);
}

#[test]
fn one_that_never_started_may_go() {
    let mut world = World::without_agents(1, config());
    world.change(&id(0), |member| {
        member.process = ServiceState::NotStarted;
        member.terminate();
    });
    world.start_agent(&id(0));
    assert!(world.until(40, |state| state.member(&id(0)).lifecycle
        == Lifecycle::Terminated));
}

#[test]
fn nothing_is_told_before_the_latch_is_set() {
    let mut world = world();
    world.change(&id(0), |member| {
        member.failing.insert("latch", PortErrorKind::Permanent);
        member.terminate();
    });
    world.pass(3600);
    assert_eq!(world.calls(&id(0), "tell"), []);
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingWait);
    assert_eq!(world.found("the restart latch cannot be set"), 1);
    world.change(&id(0), |member| member.failing.clear());
    world.pass(60);
    assert_eq!(lifecycle(&world), Lifecycle::Terminated);
}

#[test]
fn nothing_is_done_before_it_is_known_whether_there_is_a_latch() {
    let mut world = World::without_agents(1, config());
    world.change(&id(0), |member| {
        member.failing.insert("load", PortErrorKind::Permanent);
        member.protected = false;
    });
    world.start_agent(&id(0));
    world.pass(60);
    world.change(&id(0), crate::world::Member::terminate);
    world.pass(600);
    let state = world.state();
    let acts = ["publish", "protect", "latch", "tell", "complete", "end"];
    let done = state
        .journal
        .iter()
        .find(|(_, _, call)| acts.iter().any(|act| call.starts_with(act)));
    assert_eq!(done, None);
}

#[test]
fn a_dead_agent_leaves_the_instance_retained_and_the_next_one_ends_it_after_the_recording() {
    let mut world = world();
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.record(now, 5 * 3600);
        member.terminate();
    });
    world.pass(60);
    world.kill_agent(&id(0));
    world.pass(4000);
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingRetained);
    world.start_agent(&id(0));
    world.pass(3600);
    assert_eq!(
        lifecycle(&world),
        Lifecycle::TerminatingRetained,
        "it still records"
    );
    assert!(world.until(14_400, |state| state.member(&id(0)).lifecycle
        == Lifecycle::Terminated));
    assert_eq!(world.state().lost, 0);
}

#[test]
fn what_is_broken_is_drained_and_then_replaced() {
    for status in [
        ("IDLE", "UNHEALTHY"),
        ("EXPIRED", "HEALTHY"),
        ("EXPIRED", "UNHEALTHY"),
    ] {
        let mut world = world();
        world.change(&id(0), |member| member.status = status);
        assert!(world.until(60, |state| state.member(&id(0)).lifecycle
            == Lifecycle::Terminated));
        let ends = world.calls(&id(0), "end");
        assert_eq!(ends.len(), 1);
        assert_eq!(ends[0].1, "end No", "the group keeps its size");
        assert!(
            world.calls(&id(0), "check")[0].0 <= ends[0].0,
            "it was gone before"
        );
    }
}

#[test]
fn what_is_broken_and_busy_is_left_alone() {
    let mut world = World::new(1, overbusy_after_an_hour());
    world.pass(30);
    world.change(&id(0), |member| member.status = ("BUSY", "UNHEALTHY"));
    world.pass(2 * 3600);
    assert_eq!(world.calls(&id(0), "latch"), []);
    assert_eq!(lifecycle(&world), Lifecycle::InService);
    assert_eq!(world.found("busy for longer than max_busy"), 1);
}

#[test]
fn one_that_is_busy_for_too_long_may_be_told_and_is_never_ended_for_it() {
    let mut world = World::new(1, overbusy_after_an_hour().with_tell_overbusy(true));
    world.pass(10);
    let now = world.state().now;
    world.change(&id(0), |member| member.record(now, 7200));
    world.pass(7000);
    assert_eq!(world.calls(&id(0), "tell").len(), 1);
    assert_eq!(lifecycle(&world), Lifecycle::InService);
    world.pass(600);
    assert_eq!(
        (lifecycle(&world), world.state().lost),
        (Lifecycle::Terminated, 0)
    );
}

#[test]
fn a_process_that_ended_by_itself_is_replaced_after_the_boot_deadline() {
    let mut world = world();
    world.change(&id(0), |member| member.process = GONE);
    world.pass(500);
    assert_eq!(world.calls(&id(0), "latch"), []);
    world.pass(200);
    assert_eq!(lifecycle(&world), Lifecycle::Terminated);
    // A crash is kept, since something may lie there.
    let mut crashed = self::world();
    crashed.change(&id(0), |member| {
        member.process = ServiceState::Ended { code: Some(1) }
    });
    crashed.pass(3600);
    assert_eq!(lifecycle(&crashed), Lifecycle::InService);
    assert_eq!(
        crashed.found("critical: i-000: its Jibri has ended otherwise"),
        1
    );
    assert_eq!(crashed.found("exit code 1"), 1);
    assert_eq!(said_kept(&crashed), 1, "also of one that no hook holds");
}

#[test]
fn one_that_never_answers_in_service_is_drained_after_the_boot_deadline() {
    let mut world = World::without_agents(1, config());
    world.change(&id(0), |member| {
        member.failing.insert("probe", PortErrorKind::Transient)
    });
    world.start_agent(&id(0));
    world.pass(590);
    assert_eq!(world.calls(&id(0), "tell"), []);
    world.pass(60);
    assert_eq!(lifecycle(&world), Lifecycle::Terminated);
    // One that has answered before and falls silent may be recording: it is only said.
    let mut silent = self::world();
    silent.change(&id(0), |member| {
        member.failing.insert("probe", PortErrorKind::Transient)
    });
    silent.pass(7200);
    assert_eq!(silent.calls(&id(0), "tell"), []);
    assert_eq!(silent.found("does not any more"), 1);
}
