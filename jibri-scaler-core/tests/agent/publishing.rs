use std::{collections::BTreeMap, time::Duration};

use jibri_scaler_core::{
    InstanceId, Lifecycle, Timestamp,
    agent::{AgentConfig, Publish, port::TargetState},
    port::PortErrorKind,
};

use crate::{
    ports::sums,
    world::{Case, START, World, id, secs},
};

const AGENTS: usize = 10;

/// Numbers that look like chance, and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn config(period: Duration) -> AgentConfig {
    AgentConfig::default()
        .with_period(period)
        .unwrap()
        .with_shrink(false)
}

/// An hour of ten agents, whose Jibris become busy and idle at the edges of periods. Returns for each period how many were idle, and
/// in how many of the agents were started.
fn an_hour(world: &mut World, period: Duration, restarts: bool) -> BTreeMap<i64, (u32, u32)> {
    let length = i64::try_from(period.as_secs()).unwrap();
    let mut dice = Dice(7);
    let mut truth: BTreeMap<i64, (u32, u32)> = BTreeMap::new();
    let mut down: Vec<(i64, InstanceId)> = vec![];
    for second in 1..=3600 {
        let wall = START + second;
        let slot = wall.div_euclid(length);
        if wall % length == 0 {
            for n in 0..AGENTS {
                let busy = if dice.below(3) == 0 { "BUSY" } else { "IDLE" };
                world.change(&id(n), |member| member.status.0 = busy);
            }
        }
        let idle =
            (0..AGENTS).filter(|n| world.change(&id(*n), |member| member.status.0 == "IDLE"));
        truth.entry(slot).or_default().0 = u32::try_from(idle.count()).unwrap();
        if restarts && dice.below(period.as_secs() * 8) == 0 {
            let id = id(usize::try_from(dice.below(10)).unwrap());
            if world.has_agent(&id) {
                world.kill_agent(&id);
                let until = second + i64::try_from(dice.below(4)).unwrap();
                down.push((until, id));
            }
        }
        down.retain(|(until, id)| {
            let waits = second < *until;
            if !waits {
                world.start_agent(id);
            }
            // A clock that is off puts the restart into a period beside.
            for slot in slot - 1..=slot + 1 {
                truth.entry(slot).or_default().1 += 1;
            }
            waits
        });
        world.pass(1);
    }
    truth
}

fn compare(world: &World, period: Duration, truth: &BTreeMap<i64, (u32, u32)>) {
    let length = i64::try_from(period.as_secs()).unwrap();
    let at = |slot: i64| Timestamp::from_secs(slot * length);
    let (first, last) = (START / length + 2, (START + 3600) / length);
    let sums = sums(&world.state().points, at(first), at(last), period);
    assert_eq!(
        sums.len(),
        usize::try_from(last - first).unwrap(),
        "no period is without points"
    );
    let mut exact = 0;
    for sum in &sums {
        let (idle, started) = truth[&(sum.at.as_micros() / 1_000_000 / length)];
        let (idle, started) = (f64::from(idle), f64::from(started));
        assert!(
            sum.idle <= idle && sum.publishers <= 10.0,
            "never too many: {sum:?}"
        );
        assert!(
            sum.idle >= idle - started && sum.publishers >= 10.0 - started,
            "{sum:?}"
        );
        exact += u32::from(started == 0.0);
    }
    assert!(exact > 20, "most periods have no restart: {exact}");
}

#[test]
fn the_sum_is_the_number_of_idle_jibris_in_every_period() {
    for period in [secs(10), secs(60)] {
        let mut world = World::new(AGENTS, config(period));
        let truth = an_hour(&mut world, period, false);
        compare(&world, period, &truth);
    }
}

#[test]
fn clocks_that_are_a_quarter_period_off_change_nothing() {
    for period in [secs(10), secs(60)] {
        let mut world = World::without_agents(AGENTS, config(period));
        let quarter = i64::try_from(period.as_micros()).unwrap() / 4;
        for n in 0..AGENTS {
            let skew = [-quarter, quarter, 0, -quarter / 2][n % 4];
            world.change(&id(n), |member| member.skew = skew);
            world.start_agent(&id(n));
        }
        let truth = an_hour(&mut world, period, false);
        compare(&world, period, &truth);
    }
}

#[test]
fn restarts_of_agents_never_count_one_twice() {
    for period in [secs(10), secs(60)] {
        let mut world = World::new(AGENTS, config(period));
        let truth = an_hour(&mut world, period, true);
        compare(&world, period, &truth);
    }
}

#[test]
fn batches_hold_the_same_points() {
    let period = secs(10);
    let mut world = World::new(AGENTS, config(period).with_publish(Publish::Batched));
    let mut truth = an_hour(&mut world, period, false);
    // What is of the last minute may still be on its way.
    world.pass(60);
    truth.retain(|slot, _| *slot < (START + 3600) / 10);
    compare(&world, period, &truth);
    let requests = world.calls(&id(0), "publish").len();
    assert!((58..=61).contains(&requests), "{requests}");
}

#[test]
fn cloudwatch_throttled_for_an_hour_leaves_nothing_behind() {
    for publish in [Publish::Each, Publish::Batched] {
        let mut world = World::new(1, config(secs(10)).with_publish(publish));
        world.pass(100);
        world.state().points.clear();
        world.change(&id(0), |member| {
            member.failing.insert("publish", PortErrorKind::Throttled)
        });
        let before = world.calls(&id(0), "publish").len();
        world.pass(3600);
        let tries = world.calls(&id(0), "publish").len() - before;
        assert!(tries <= 361, "no point is tried twice: {tries}");
        assert_eq!(world.found("could not be published"), 1);
        world.change(&id(0), |member| member.failing.clear());
        let repaired = world.state().wall(&id(0));
        world.pass(120);
        let state = world.state();
        let late = publish == Publish::Batched;
        let oldest = if late {
            repaired.before(secs(60))
        } else {
            repaired
        };
        assert!(
            state.points.iter().all(|(_, point)| point.at >= oldest),
            "nothing late is sent"
        );
        assert!(state.points.len() >= 6);
    }
}

#[test]
fn a_request_that_hangs_costs_its_points_and_delays_nothing() {
    let mut world = World::new(1, config(secs(10)));
    world.pass(20);
    world.state().points.clear();
    world.change(&id(0), |member| member.slow.insert("publish", 45));
    world.pass(300);
    let probes = world.calls(&id(0), "probe").len();
    assert_eq!(probes, 320, "one reading a second");
    for pair in world.state().points.windows(2) {
        assert!(pair[1].1.at.since(pair[0].1.at) >= secs(40));
    }
}

#[test]
fn only_what_is_in_service_and_has_answered_publishes() {
    let cases: [Case; 6] = [
        ("booting", |member| {
            member.lifecycle = Lifecycle::PendingWait;
        }),
        ("silent", |member| {
            member.failing.insert("probe", PortErrorKind::Transient);
        }),
        ("standby", |member| {
            member.target = Ok(Some(TargetState::Standby));
        }),
        ("detached", |member| {
            member.target = Ok(Some(TargetState::Detached));
        }),
        ("leaving", |member| {
            member.target = Ok(Some(TargetState::Terminated));
        }),
        ("warm", |member| {
            member.target = Ok(Some(TargetState::Warmed));
        }),
    ];
    for (name, change) in cases {
        let mut world = World::without_agents(1, config(secs(10)));
        // What is booting stays at its hook here.
        world.change(&id(0), |member| {
            member.failing.insert("complete", PortErrorKind::Throttled);
            change(member);
        });
        world.start_agent(&id(0));
        world.pass(300);
        assert_eq!(world.state().points, [], "{name}");
    }
}

#[test]
fn unhealthy_expired_unreadable_and_silent_count_as_not_idle() {
    for (busy, health) in [
        ("IDLE", "HEALTHY"),
        ("IDLE", ""),
        ("NAPPING", "HEALTHY"),
        ("BUSY", "HEALTHY"),
    ] {
        let mut world = World::new(1, config(secs(10)));
        world.pass(60);
        world.state().points.clear();
        world.change(&id(0), |member| member.status = (busy, health));
        world.pass(60);
        let idle = (busy, health) == ("IDLE", "HEALTHY");
        let state = world.state();
        let points = state.points.iter().skip(1);
        assert!(state.points.len() >= 5);
        assert!(
            points.into_iter().all(|(_, point)| point.idle == idle),
            "{busy} {health}"
        );
    }
    let mut world = World::new(1, config(secs(10)));
    world.pass(60);
    world.change(&id(0), |member| {
        member.failing.insert("probe", PortErrorKind::Transient)
    });
    world.pass(15);
    world.state().points.clear();
    world.pass(60);
    assert!(
        world.state().points.iter().all(|(_, point)| !point.idle),
        "too old is not idle"
    );
    assert_eq!(world.state().points.len(), 6);
}

#[test]
fn with_the_signal_goes_what_alarms_read_of_the_rest() {
    let mut world = World::new(3, config(secs(10)));
    world.change(&id(1), |member| {
        member.lifecycle = Lifecycle::TerminatingRetained;
    });
    world.kill_agent(&id(1));
    world.pass(30);
    let point = world.state().points.last().unwrap().1;
    assert_eq!(
        (point.in_service, point.retained, point.busy_for),
        (Some(2), Some(1), None)
    );
    world.change(&id(0), |member| member.status.0 = "BUSY");
    world.change(&id(2), |member| member.lifecycle = Lifecycle::Standby);
    world.kill_agent(&id(2));
    world.pass(330);
    let point = world.state().points.last().unwrap().1;
    assert_eq!((point.in_service, point.retained), (Some(1), Some(1)));
    assert!(
        point
            .busy_for
            .is_some_and(|busy| (secs(315)..secs(331)).contains(&busy))
    );
    let lists = world.calls(&id(0), "list").len();
    assert!(
        (2..=3).contains(&lists),
        "once, and after each multiple of five minutes: {lists}"
    );
}

#[test]
fn while_the_group_cannot_be_listed_the_signal_goes_on() {
    let mut world = World::new(1, config(secs(10)));
    world.change(&id(0), |member| {
        member.failing.insert("list", PortErrorKind::Throttled)
    });
    world.pass(3600);
    assert!(world.state().points.len() > 350);
    assert!(
        world
            .state()
            .points
            .iter()
            .all(|(_, point)| point.in_service.is_none())
    );
    let lists = world.calls(&id(0), "list").len();
    assert!(lists < 40, "it does not insist: {lists}");
}
