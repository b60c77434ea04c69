//! Fleets of all kinds, the odd ones included.

use std::{ops::Range, time::Duration};

use jibri_scaler_core::{
    Decision, DrainPath, Effect, FleetSnapshot, Group, Instance, JibriStatus, Lifecycle, Limits,
    PolicyFile, Reachability, Report, Timestamp, policy::MaxOf,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::common::at;

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) policy: MaxOf,
    pub(crate) limits: Limits,
}

fn file(text: &str) -> Settings {
    let file = PolicyFile::from_toml(text).unwrap();
    Settings {
        policy: file.policy(),
        limits: file.limits,
    }
}

pub(crate) fn widest() -> Settings {
    file(
        "min_idle = 10000\npercent_idle = 95\nidle_timeout = '0s'\nmax_launch = 10000\nmax_retire = 10000",
    )
}

/// Short times, so that something happens within a few ticks.
pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let times = || select(vec![0_u32, 20, 60]);
    let counts = || select(vec![1_u32, 2, 5, 10_000]);
    (0..4_u32, select(vec![0_u32, 20, 50, 95]), times(), times(), counts(), counts()).prop_map(
        |(idle, percent, timeout, hold, launch, retire)| {
            file(&format!(
                "min_idle = {idle}\npercent_idle = {percent}\nidle_timeout = '{timeout}s'\nsurplus_hold = '{hold}s'\n\
                 boot_deadline = '60s'\nmax_launch = {launch}\nmax_retire = {retire}"
            ))
        },
    )
}

/// What is seen in one tick.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) now: Timestamp,
    pub(crate) group: Group,
    pub(crate) rows: Vec<Instance>,
}

impl Scene {
    pub(crate) fn snapshot(&self) -> FleetSnapshot {
        FleetSnapshot::new(self.group, self.rows.clone())
    }

    /// What is seen right after the effects were accepted.
    pub(crate) fn apply(&mut self, decision: &Decision) {
        for effect in &decision.plan.effects {
            match effect {
                Effect::Protect { id } => {
                    for row in self.rows.iter_mut().filter(|row| row.id == *id) {
                        row.protected = true;
                    }
                }
                Effect::SetCapacity { to } => self.group.desired = *to,
                Effect::Retire { .. } => {}
            }
        }
    }
}

pub(crate) fn group() -> impl Strategy<Value = Group> {
    let size = || prop_oneof![9 => 0..12_u32, 1 => Just(u32::MAX)];
    (0..4_u32, size(), size(), prop::bool::weighted(0.9)).prop_map(|(min, max, desired, safe)| {
        let mut group = Group::new(min, max, desired);
        group.safe_retirement = safe;
        group
    })
}

fn status() -> impl Strategy<Value = Option<JibriStatus>> {
    let busy = prop_oneof![6 => Just("IDLE"), 2 => Just("BUSY"), 1 => Just("EXPIRED"), 1 => Just("NAPPING")];
    let health = prop_oneof![8 => Just("HEALTHY"), 1 => Just("UNHEALTHY"), 1 => Just("")];
    let status =
        (busy, health).prop_map(|(busy, health)| JibriStatus::new(busy.into(), health.into()));
    prop_oneof![15 => status.prop_map(Some), 1 => Just(None)]
}

fn lifecycle() -> impl Strategy<Value = Lifecycle> {
    let states = [
        "Pending",
        "Pending:Wait",
        "Terminating",
        "Terminated",
        "Standby",
        "Warmed:Running",
        "Hovering",
    ];
    prop_oneof![12 => Just("InService"), 3 => select(states.to_vec())].prop_map(Lifecycle::from)
}

fn reachability() -> impl Strategy<Value = Reachability> {
    use Reachability::{Answered, Never, Refused, TimedOut};
    prop_oneof![14 => Just(Answered), 2 => Just(TimedOut), 1 => Just(Refused), 1 => Just(Never)]
}

fn drain() -> impl Strategy<Value = DrainPath> {
    prop_oneof![6 => Just(DrainPath::Direct), 2 => Just(DrainPath::Agent), 1 => Just(DrainPath::None)]
}

/// A time about `now`, or at one of the ends.
fn time(now: Timestamp) -> impl Strategy<Value = Timestamp> {
    let near = (-100..30_i64)
        .prop_map(move |secs| Timestamp::from_micros(now.as_micros() + secs * 1_000_000));
    prop_oneof![10 => Just(now), 4 => near, 1 => Just(Timestamp::MIN), 1 => Just(Timestamp::MAX)]
}

fn row(now: Timestamp) -> impl Strategy<Value = Instance> {
    let report = option::weighted(0.9, (time(now), status()));
    let known = (
        0..12_u8,
        lifecycle(),
        prop::bool::weighted(0.8),
        option::of(time(now)),
        option::of(0..3_u8),
    );
    (known, report, reachability(), drain()).prop_map(
        |((id, lifecycle, protected, launched, zone), report, reachability, drain)| {
            let mut row = Instance::new(format!("i-{id}").parse().unwrap(), lifecycle);
            row.protected = protected;
            row.launched_at = launched;
            row.zone = zone.map(|zone| zone.to_string().as_str().into());
            row.report = report.map(|(received, status)| Report::new(received, status));
            row.reachability = reachability;
            row.drain = drain;
            row
        },
    )
}

/// Rows of any kind; ids meet now and then.
fn rows(now: Timestamp) -> impl Strategy<Value = Vec<Instance>> {
    vec(row(now), 0..14)
}

/// A fleet that changes little from tick to tick, so that idle runs come to something, between moments at which everything
/// is new.
pub(crate) fn scenes(count: Range<usize>) -> impl Strategy<Value = Vec<Scene>> {
    let gaps = prop_oneof![12 => 0..46_i64, 1 => Just(60), 1 => -100..0_i64, 1 => Just(-9_999_999_999), 1 => Just(9_999_999_999)];
    let change = prop_oneof![4 => 0..3_usize, 1 => Just(99)];
    vec((gaps, change), count).prop_flat_map(|steps| {
        let mut now = at(0).as_micros();
        let scenes: Vec<_> = steps
            .into_iter()
            .map(|(gap, change)| {
                now = Timestamp::from_micros(now.saturating_add(gap * 1_000_000)).as_micros();
                let now = Timestamp::from_micros(now);
                (
                    Just(now),
                    rows(now),
                    Just(change),
                    option::weighted(0.2, group()),
                )
            })
            .collect();
        (group(), scenes).prop_map(|(mut group, scenes)| {
            let mut rows: Vec<Instance> = Vec::new();
            let mut kept = Vec::new();
            for (number, (now, new, change, other)) in scenes.into_iter().enumerate() {
                group = other.unwrap_or(group);
                let change = if number == 0 { usize::MAX } else { change };
                for row in new.into_iter().take(change) {
                    rows.retain(|old| old.id != row.id || change > 2);
                    rows.push(row);
                }
                rows.truncate(20);
                for row in rows
                    .iter_mut()
                    .filter(|row| row.reachability == Reachability::Answered)
                {
                    if let Some(report) = row
                        .report
                        .as_mut()
                        .filter(|report| report.received_at < now)
                    {
                        report.received_at = now;
                    }
                }
                kept.push(Scene {
                    now,
                    group,
                    rows: rows.clone(),
                });
            }
            kept
        })
    })
}

/// A fleet for a [`story`]: each id once, without times in the future.
pub(crate) fn fleet() -> impl Strategy<Value = Vec<Instance>> {
    vec(row(at(0)), 1..10).prop_map(|mut rows| {
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows.dedup_by(|a, b| a.id == b.id);
        for row in &mut rows {
            row.launched_at = row.launched_at.map(|time| time.min(at(0)));
            if let Some(report) = &mut row.report {
                report.received_at = report.received_at.min(at(0));
            }
        }
        rows
    })
}

/// The time to the next tick, and what one instance does then.
pub(crate) type Step = (u32, usize, Reachability, Option<JibriStatus>);

pub(crate) fn step() -> impl Strategy<Value = Step> {
    (1..46_u32, 0..20_usize, reachability(), status())
}

/// A fleet over several ticks, observed by one receiver whose clock runs well.
pub(crate) fn story(group: Group, mut rows: Vec<Instance>, steps: &[Step]) -> Vec<Scene> {
    let mut now = at(0);
    let mut scenes = vec![Scene {
        now,
        group,
        rows: rows.clone(),
    }];
    for (gap, which, reachability, status) in steps {
        now = now + Duration::from_secs(u64::from(*gap));
        if let Some(row) = rows.get_mut(*which) {
            row.reachability = *reachability;
            if *reachability == Reachability::Answered {
                row.report = Some(Report::new(now, status.clone()));
            }
        }
        for row in rows
            .iter_mut()
            .filter(|row| row.reachability == Reachability::Answered)
        {
            if let Some(report) = &mut row.report {
                report.received_at = now;
            }
        }
        scenes.push(Scene {
            now,
            group,
            rows: rows.clone(),
        });
    }
    scenes
}
