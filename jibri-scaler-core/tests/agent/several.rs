//! Two Jibris on one instance.

use jibri_scaler_core::{
    InstanceId, Lifecycle,
    agent::{AgentConfig, Ending, port::ServiceState},
    port::Target,
};

use crate::world::{GONE, Member, World, id};

/// The second Jibri of an instance, as it really is.
pub(crate) struct Second {
    pub(crate) process: ServiceState,
    /// Whether its ports are bound: not yet while it boots.
    pub(crate) is_up: bool,
    /// Until when it records.
    pub(crate) session: Option<i64>,
    pub(crate) told: bool,
    /// Whether its supervisor starts it again in spite of the latch, and how often.
    pub(crate) stubborn_restarts: u32,
}

impl Second {
    pub(crate) const fn new() -> Self {
        Self {
            process: ServiceState::Running,
            is_up: true,
            session: None,
            told: false,
            stubborn_restarts: 0,
        }
    }

    fn answers(&self) -> bool {
        self.process == ServiceState::Running && self.is_up
    }

    /// What its health says, if its port is bound.
    pub(crate) fn says(&self) -> Option<(&'static str, &'static str)> {
        let busy = if self.session.is_some() {
            "BUSY"
        } else {
            "IDLE"
        };
        self.answers().then_some((busy, "HEALTHY"))
    }

    pub(crate) fn graceful_shutdown(&mut self) -> bool {
        let takes = self.answers();
        self.told |= takes;
        if takes && self.session.is_none() {
            self.exit();
        }
        takes
    }

    fn exit(&mut self) {
        self.process = GONE;
        self.told = false;
        if self.stubborn_restarts > 0 {
            self.stubborn_restarts -= 1;
            self.process = ServiceState::Running;
        }
    }

    pub(crate) fn pass(&mut self, now: i64) {
        if self.session.is_some_and(|until| now >= until) {
            self.session = None;
            if self.told {
                self.exit();
            }
        }
    }

    /// Whether Jicofo may choose it.
    fn is_selectable(&self) -> bool {
        self.answers() && self.session.is_none() && !self.told
    }
}

/// The targets of the agent on this instance.
pub(crate) fn targets(id: &InstanceId, member: &Member) -> Vec<Target> {
    let second = member.second.as_ref().map(|_| format!("{id}-2"));
    let second = second.map(|id| Target::new(id.parse().unwrap()));
    std::iter::once(Target::new(id.clone()))
        .chain(second)
        .collect()
}

fn config() -> AgentConfig {
    AgentConfig::default().with_shrink(false)
}

/// An agent with two Jibris in service, of which the second is so.
fn world(second: Second) -> World {
    let mut world = World::without_agents(1, config());
    world.change(&id(0), |member| member.second = Some(second));
    world.start_agent(&id(0));
    world.pass(30);
    world
}

fn second<T>(world: &World, change: impl FnOnce(&mut Second) -> T) -> T {
    world.change(&id(0), |member| change(member.second.as_mut().unwrap()))
}

fn lifecycle(world: &World) -> Lifecycle {
    world.change(&id(0), |member| member.lifecycle.clone())
}

fn is_gone(world: &mut World, seconds: i64) -> bool {
    world.until(seconds, |state| {
        state.member(&id(0)).lifecycle == Lifecycle::Terminated
    })
}

/// For how many seconds until it is gone the second could be chosen.
fn selectable(world: &mut World, seconds: i64) -> i64 {
    let mut count = 0;
    for _ in 0..seconds {
        world.pass(1);
        count += i64::from(second(world, |second| second.is_selectable()));
    }
    count
}

#[test]
fn one_that_comes_up_after_the_other_was_told_is_told_as_soon_as_it_answers() {
    for first_records in [false, true] {
        let mut world = world(Second {
            is_up: false,
            ..Second::new()
        });
        let now = world.state().now;
        world.change(&id(0), |member| {
            if first_records {
                member.record(now, 3000);
            }
            member.terminate();
        });
        world.pass(200);
        second(&world, |second| second.is_up = true);
        assert!(
            selectable(&mut world, 100) <= 3,
            "first records: {first_records}"
        );
        assert_eq!(second(&world, |second| second.process), GONE);
        assert!(is_gone(&mut world, 3000));
        assert_eq!(world.state().lost, 0);
        assert_eq!(world.endings[&id(0)], Ending::InstanceEnded);
        assert_eq!(world.found("was started again"), 0);
        // A recording of an hour is not told every few seconds.
        let told = world.calls(&id(0), "tell").len();
        assert!(told < 60, "{told}");
    }
}

#[test]
fn one_that_comes_up_and_records_at_once_is_told_too_and_finishes() {
    let mut world = world(Second {
        is_up: false,
        ..Second::new()
    });
    world.change(&id(0), Member::terminate);
    world.pass(100);
    let until = world.state().now + 2000;
    second(&world, |second| {
        second.is_up = true;
        second.session = Some(until);
    });
    world.pass(30);
    assert!(second(&world, |second| second.told));
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingWait);
    assert!(is_gone(&mut world, 2100));
    assert_eq!(world.state().lost, 0);
}

/// A supervisor that ignores the latch restarts only one, while the other records.
#[test]
fn one_that_is_started_again_while_the_other_records_is_told_again() {
    let mut world = world(Second {
        stubborn_restarts: 2,
        ..Second::new()
    });
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.record(now, 3000);
        member.terminate();
    });
    assert!(selectable(&mut world, 200) <= 30);
    assert_eq!(second(&world, |second| second.process), GONE);
    assert!(world.found("was started again while it drains") > 0);
    assert_eq!(
        lifecycle(&world),
        Lifecycle::TerminatingWait,
        "busy while any is"
    );
    assert!(is_gone(&mut world, 3000));
    assert_eq!(world.state().lost, 0);
}

#[test]
fn they_are_gone_when_all_are() {
    let mut world = world(Second::new());
    let until = world.state().now + 5000;
    second(&world, |second| second.session = Some(until));
    world.change(&id(0), Member::terminate);
    world.pass(4900);
    assert_eq!(world.change(&id(0), |member| member.process), GONE);
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingWait);
    assert_eq!(world.calls(&id(0), "check"), []);
    assert!(is_gone(&mut world, 200));
    assert_eq!(world.state().lost, 0);
}

#[test]
fn one_that_is_dead_leads_to_a_replacement_once_the_other_is_not_busy() {
    let mut world = world(Second::new());
    let now = world.state().now;
    world.change(&id(0), |member| member.record(now, 3000));
    second(&world, |second| second.process = GONE);
    world.pass(2900);
    assert_eq!(world.calls(&id(0), "latch"), [], "busy while any is");
    assert_eq!(lifecycle(&world), Lifecycle::InService);
    assert_eq!(world.found("the process of its Jibri has ended"), 1);
    assert!(is_gone(&mut world, 300));
    assert_eq!(world.calls(&id(0), "end")[0].1, "end No", "it is replaced");
    assert_eq!(world.state().lost, 0);
}

#[test]
fn one_that_ends_beside_an_idle_one_has_as_long_as_a_boot_to_come_back() {
    let mut world = world(Second::new());
    second(&world, |second| second.process = GONE);
    world.pass(500);
    second(&world, |second| second.process = ServiceState::Running);
    world.pass(500);
    assert_eq!(world.calls(&id(0), "latch"), []);
    second(&world, |second| second.process = GONE);
    assert!(is_gone(&mut world, 700));
}

#[test]
fn one_that_never_answers_is_replaced_after_the_boot_deadline_though_the_other_does() {
    let mut world = world(Second {
        is_up: false,
        ..Second::new()
    });
    let now = world.state().now;
    // So that all together have answered once.
    world.change(&id(0), |member| member.record(now, 100));
    world.pass(500);
    assert_eq!(world.calls(&id(0), "latch"), []);
    world.pass(150);
    assert_eq!(world.calls(&id(0), "latch").len(), 1);
    assert_eq!(lifecycle(&world), Lifecycle::InService, "its process runs");
    second(&world, |second| second.process = GONE);
    assert!(is_gone(&mut world, 100));
}

#[test]
fn one_that_answers_and_cannot_be_told_is_told_of() {
    let mut world = world(Second::new());
    world.change(&id(0), |member| {
        member
            .failing
            .insert("tell_2", jibri_scaler_core::port::PortErrorKind::Transient);
        member.terminate();
    });
    world.pass(50);
    assert_eq!(world.found("has not taken the request to end"), 0);
    world.pass(600);
    assert_eq!(world.found("has not taken the request to end"), 1);
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingWait);
    world.change(&id(0), |member| member.failing.clear());
    assert!(is_gone(&mut world, 60));
}
