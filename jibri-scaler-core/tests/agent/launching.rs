use jibri_scaler_core::{
    Lifecycle,
    agent::{
        AgentConfig,
        port::{HookResult, ServiceState, TargetState},
    },
    port::PortErrorKind,
};

use crate::world::{GONE, Member, World, id, secs};

fn config() -> AgentConfig {
    AgentConfig::default().with_shrink(false)
}

fn booting(config: AgentConfig, change: impl FnOnce(&mut Member)) -> World {
    let mut world = World::without_agents(1, config);
    world.change(&id(0), |member| {
        member.lifecycle = Lifecycle::PendingWait;
        change(member);
    });
    world.start_agent(&id(0));
    world
}

fn lifecycle(world: &World) -> Lifecycle {
    world.change(&id(0), |member| member.lifecycle.clone())
}

#[test]
fn it_comes_into_service_when_its_jibri_first_answers() {
    let mut world = booting(config(), |member| {
        member.failing.insert("probe", PortErrorKind::Transient);
    });
    world.pass(100);
    assert_eq!(lifecycle(&world), Lifecycle::PendingWait);
    world.change(&id(0), |member| member.failing.clear());
    world.pass(5);
    assert_eq!(lifecycle(&world), Lifecycle::InService);
    assert_eq!(world.calls(&id(0), "complete Launching Continue").len(), 1);
    world.pass(600);
    assert!(!world.change(&id(0), |member| member.protected));
    assert!(world.state().points.len() >= 59);
}

#[test]
fn what_cannot_record_never_comes_into_service() {
    for status in [
        ("IDLE", "UNHEALTHY"),
        ("EXPIRED", "HEALTHY"),
        ("NAPPING", "HEALTHY"),
        ("IDLE", ""),
    ] {
        let mut world = booting(config(), |member| member.status = status);
        world.pass(900);
        assert_eq!(lifecycle(&world), Lifecycle::PendingWait, "{status:?}");
        assert_eq!(world.calls(&id(0), "complete"), []);
    }
}

#[test]
fn what_records_before_it_is_in_service_is_not_abandoned() {
    let mut world = booting(config(), |member| member.status = ("BUSY", "HEALTHY"));
    world.pass(10);
    assert_eq!(lifecycle(&world), Lifecycle::InService);
    assert!(world.change(&id(0), |member| member.protected));
}

#[test]
fn the_hook_is_tried_again_until_it_waits() {
    let mut world = booting(config(), |member| member.lifecycle = Lifecycle::Pending);
    world.pass(60);
    assert!(world.state().points.is_empty(), "it is not in service yet");
    world.change(&id(0), |member| member.lifecycle = Lifecycle::PendingWait);
    world.pass(60);
    assert_eq!(lifecycle(&world), Lifecycle::InService);
    assert!(world.calls(&id(0), "complete").len() <= 6);
}

#[test]
fn a_restarted_agent_completes_nothing_that_is_done() {
    let mut world = World::new(1, config());
    world.pass(300);
    assert_eq!(world.calls(&id(0), "complete"), []);
}

#[test]
fn without_the_hook_it_serves_from_the_first_answer() {
    let mut world = booting(config().with_launching_hook(false), |member| {
        member.lifecycle = Lifecycle::InService;
        member.failing.insert("look", PortErrorKind::Permanent);
    });
    world.pass(60);
    assert_eq!(world.calls(&id(0), "complete"), []);
    assert!(world.state().points.len() >= 4);
}

#[test]
fn one_that_fails_its_self_check_does_not_come_into_service() {
    let config = config().with_self_check_every(Some(secs(600)));
    let mut world = booting(config, |member| member.self_check = false);
    world.pass(300);
    assert_eq!(lifecycle(&world), Lifecycle::PendingWait);
    world.change(&id(0), |member| member.self_check = true);
    world.pass(70);
    assert_eq!(lifecycle(&world), Lifecycle::InService);
}

/// Where the XMPP server is down each launch would be abandoned at the boot deadline, and the next one too.
#[test]
fn one_whose_self_check_says_nothing_three_times_comes_into_service_unchecked() {
    let config = config().with_self_check_every(Some(secs(600)));
    let hangs = |member: &mut Member| {
        member
            .failing
            .insert("self_check", PortErrorKind::Transient);
    };
    let mut world = booting(config.clone(), hangs);
    world.pass(110);
    assert_eq!(lifecycle(&world), Lifecycle::PendingWait);
    world.pass(90);
    assert_eq!(lifecycle(&world), Lifecycle::InService);
    assert_eq!(world.found("its self check has said nothing"), 1);
    assert!(world.calls(&id(0), "self_check").len() >= 3);
    // One that has failed is no such case.
    let mut failed = booting(config, |member| member.self_check = false);
    failed.pass(30);
    failed.change(&id(0), hangs);
    failed.pass(900);
    assert_eq!(lifecycle(&failed), Lifecycle::PendingWait);
}

#[test]
fn one_that_can_no_longer_record_is_replaced_when_it_is_free() {
    let config = config().with_self_check_every(Some(secs(600)));
    let mut world = World::new(1, config);
    world.pass(700);
    world.change(&id(0), |member| member.self_check = false);
    assert!(world.until(800, |state| state.member(&id(0)).lifecycle
        == Lifecycle::Terminated));
    assert_eq!(world.calls(&id(0), "end")[0].1, "end No");
    let checks = world.calls(&id(0), "self_check");
    let failed: Vec<_> = checks.iter().filter(|(at, _)| *at > 700).collect();
    assert_eq!(
        failed.len(),
        2,
        "one that fails once is looked at again: {failed:?}"
    );
}

#[test]
fn self_checks_leave_a_busy_jibri_alone() {
    let config = config().with_self_check_every(Some(secs(60)));
    let mut world = World::new(1, config);
    world.change(&id(0), |member| member.status.0 = "BUSY");
    world.pass(600);
    assert_eq!(world.calls(&id(0), "self_check"), []);
}

#[test]
fn in_the_warm_pool_it_is_not_started_until_it_is_bound_for_service() {
    let mut world = booting(config(), |member| {
        member.lifecycle = Lifecycle::WarmedPendingWait;
        member.target = Ok(Some(TargetState::Warmed));
        member.process = ServiceState::NotStarted;
    });
    world.pass(3600);
    assert_eq!(
        lifecycle(&world),
        Lifecycle::WarmedStopped,
        "there is nothing to wait for"
    );
    assert_eq!(world.calls(&id(0), "start"), []);
    assert!(world.calls(&id(0), "complete").len() <= 10);
    assert!(world.state().points.is_empty());
    world.change(&id(0), |member| {
        member.lifecycle = Lifecycle::PendingWait;
        member.target = Ok(Some(TargetState::InService));
    });
    world.pass(60);
    assert_eq!(world.calls(&id(0), "start").len(), 1);
    assert_eq!(lifecycle(&world), Lifecycle::InService);
}

#[test]
fn one_that_returns_to_the_warm_pool_is_drained_and_starts_anew() {
    let mut world = World::new(1, config());
    world.pass(30);
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.record(now, 600);
        member.lifecycle = Lifecycle::WarmedPendingWait;
        member.target = Ok(Some(TargetState::Warmed));
    });
    world.pass(500);
    assert_eq!(
        lifecycle(&world),
        Lifecycle::WarmedPendingWait,
        "it still records"
    );
    world.pass(200);
    assert_eq!(lifecycle(&world), Lifecycle::WarmedStopped);
    assert_eq!(
        world.change(&id(0), |m| m.completed.clone()),
        [HookResult::Continue]
    );
    assert_eq!(world.change(&id(0), |m| m.process), GONE);
    // The machine stops, and comes up again later.
    world.kill_agent(&id(0));
    world.change(&id(0), |member| {
        assert!(member.latch.is_some());
        member.process = ServiceState::NotStarted;
        member.lifecycle = Lifecycle::PendingWait;
        member.target = Ok(Some(TargetState::InService));
    });
    world.start_agent(&id(0));
    world.pass(60);
    assert_eq!(lifecycle(&world), Lifecycle::InService);
    assert!(world.change(&id(0), |m| m.latch.is_none()));
    assert_eq!(world.calls(&id(0), "end"), []);
    world.state().points.clear();
    world.pass(60);
    assert!(world.state().points.len() >= 5);
}

/// An instance whose agent has drained it into the warm pool.
fn returned_to_the_pool() -> World {
    let mut world = World::new(1, config());
    world.pass(30);
    world.change(&id(0), |member| {
        member.lifecycle = Lifecycle::WarmedPendingWait;
        member.target = Ok(Some(TargetState::Warmed));
    });
    assert!(world.until(600, |state| {
        state.member(&id(0)).lifecycle == Lifecycle::WarmedStopped
    }));
    world
}

#[test]
fn one_that_ends_in_the_warm_pool_it_has_returned_to_is_drained_again() {
    let mut world = returned_to_the_pool();
    // This pool keeps its machines running.
    world.change(&id(0), |member| member.lifecycle = Lifecycle::WarmedRunning);
    world.pass(600);
    world.change(&id(0), |member| {
        assert_eq!(member.process, GONE);
        member.lifecycle = Lifecycle::WarmedTerminatingWait;
        member.target = Ok(Some(TargetState::Terminated));
    });
    assert!(world.until(120, |state| {
        state.member(&id(0)).lifecycle == Lifecycle::Terminated
    }));
    assert_eq!(
        world.change(&id(0), |member| member.completed.clone()),
        [HookResult::Continue; 2]
    );
}

#[test]
fn one_that_ends_on_its_way_back_from_the_pool_is_latched_once_its_latch_is_gone() {
    let mut world = returned_to_the_pool();
    world.change(&id(0), |member| {
        member.slow.insert("clear", 20);
        member.lifecycle = Lifecycle::PendingWait;
        member.target = Ok(Some(TargetState::InService));
    });
    assert!(world.until(60, |state| {
        state.member(&id(0)).under_way.contains_key("clear")
    }));
    let latched = world.calls(&id(0), "latch").len();
    world.change(&id(0), |member| {
        member.lifecycle = Lifecycle::TerminatingWait;
        member.target = Ok(Some(TargetState::Terminated));
    });
    assert!(world.until(300, |state| {
        state.member(&id(0)).lifecycle == Lifecycle::Terminated
    }));
    let (cleared, _) = world.calls(&id(0), "clear")[0];
    let (again, _) = world.calls(&id(0), "latch")[latched];
    assert!(again >= cleared + 20, "{again} {cleared}");
    assert!(world.change(&id(0), |member| member.latch.is_some()));
}

#[test]
fn one_that_ends_in_the_warm_pool_is_let_go() {
    let mut world = booting(config(), |member| {
        member.lifecycle = Lifecycle::WarmedRunning;
        member.target = Ok(Some(TargetState::Warmed));
        member.process = ServiceState::NotStarted;
    });
    world.pass(100);
    world.change(&id(0), |member| {
        member.lifecycle = Lifecycle::WarmedTerminatingWait;
    });
    assert!(world.until(1500, |state| {
        state.member(&id(0)).lifecycle == Lifecycle::Terminated
    }));
}
