//! Fleets and runs of ticks, written briefly.

use jibri_scaler_core::{
    Decision, DrainPath, Effect, FleetSnapshot, Group, Instance, JibriStatus, Lifecycle, Limits,
    Memory, PolicyFile, Reachability, Report, Stage, Tally, Timestamp, check, decide,
    policy::MaxOf,
};

/// So many seconds after the hour at which all tests begin.
pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_795_341_600 + secs)
}

/// One instance of a fleet, as the tests describe it. Unless said otherwise: in service, protected, directly retirable, and
/// answering in each tick.
#[derive(Clone, Debug)]
pub(crate) struct Jibri {
    row: Instance,
    status: Option<JibriStatus>,
    /// When its newest report was received; in each tick anew where this is `None`.
    stamp: Option<Timestamp>,
    reports: bool,
}

impl Jibri {
    /// One whose health endpoint returns this body.
    pub(crate) fn with_body(id: &str, body: &str) -> Self {
        let mut row = Instance::new(id.parse().unwrap(), Lifecycle::InService);
        row.protected = true;
        row.drain = DrainPath::Direct;
        row.reachability = Reachability::Answered;
        Self {
            row,
            status: JibriStatus::from_body(body.as_bytes()),
            stamp: None,
            reports: true,
        }
    }

    pub(crate) fn says(id: &str, busy: &str, health: &str) -> Self {
        let mut jibri = Self::with_body(id, "{}");
        jibri.status = Some(JibriStatus::new(busy.into(), health.into()));
        jibri
    }

    pub(crate) fn idle(id: &str) -> Self {
        Self::says(id, "IDLE", "HEALTHY")
    }

    pub(crate) fn busy(id: &str) -> Self {
        Self::says(id, "BUSY", "HEALTHY")
    }

    pub(crate) fn unhealthy(id: &str) -> Self {
        Self::says(id, "IDLE", "UNHEALTHY")
    }

    pub(crate) fn expired(id: &str) -> Self {
        Self::says(id, "EXPIRED", "HEALTHY")
    }

    /// One that has never answered.
    pub(crate) fn silent(id: &str) -> Self {
        let mut jibri = Self::with_body(id, "{}");
        jibri.reports = false;
        jibri.reach(Reachability::Never)
    }

    pub(crate) fn lifecycle(mut self, state: &str) -> Self {
        self.row.lifecycle = state.into();
        self
    }

    pub(crate) fn zone(mut self, zone: &str) -> Self {
        self.row.zone = Some(zone.into());
        self
    }

    pub(crate) fn unprotected(mut self) -> Self {
        self.row.protected = false;
        self
    }

    pub(crate) fn drain(mut self, drain: DrainPath) -> Self {
        self.row.drain = drain;
        self
    }

    pub(crate) fn launched(mut self, secs: i64) -> Self {
        self.row.launched_at = Some(at(secs));
        self
    }

    pub(crate) fn reach(mut self, reachability: Reachability) -> Self {
        self.row.reachability = reachability;
        self
    }

    pub(crate) fn refused(self) -> Self {
        self.reach(Reachability::Refused)
    }

    /// This tick's attempt timed out; the newest report is of that second.
    pub(crate) fn timed_out(self, newest: i64) -> Self {
        self.stamped(at(newest)).reach(Reachability::TimedOut)
    }

    pub(crate) fn stamped(mut self, stamp: Timestamp) -> Self {
        self.stamp = Some(stamp);
        self
    }

    pub(crate) fn row(&self, now: Timestamp) -> Instance {
        let mut row = self.row.clone();
        row.report = self
            .reports
            .then(|| Report::new(self.stamp.unwrap_or(now), self.status.clone()));
        row
    }
}

/// `count` of them, with the ids `i-00`, `i-01` and so on after this letter.
pub(crate) fn many(letter: char, count: usize, make: fn(&str) -> Jibri) -> Vec<Jibri> {
    (0..count)
        .map(|n| make(&format!("{letter}-{n:02}")))
        .collect()
}

/// All of these, in this order.
pub(crate) fn all(parts: &[&[Jibri]]) -> Vec<Jibri> {
    parts.concat()
}

/// The time between ticks, below the default `report_ttl` of 45 s.
pub(crate) const INTERVAL: usize = 30;

/// A group over several ticks, with the memory carried from one to the next.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) policy: MaxOf,
    pub(crate) limits: Limits,
    pub(crate) group: Group,
    pub(crate) memory: Memory,
    /// The recordings that each snapshot says were refused.
    pub(crate) refused: Option<u32>,
}

impl Run {
    /// A group of this minimum, maximum and desired size, with an idle timeout (and so a hold) of one minute, and what this
    /// policy file says.
    pub(crate) fn new((min, max, desired): (u32, u32, u32), policy: &str) -> Self {
        let mut group = Group::new(min, max, desired);
        group.safe_retirement = true;
        let timeout = if policy.contains("idle_timeout") {
            ""
        } else {
            "idle_timeout = '60s'\n"
        };
        let file = PolicyFile::from_toml(&format!("{timeout}{policy}")).unwrap();
        Self {
            policy: file.policy(),
            limits: file.limits,
            group,
            memory: Memory::default(),
            refused: None,
        }
    }

    pub(crate) fn snapshot(&self, secs: i64, fleet: &[Jibri]) -> FleetSnapshot {
        let rows = fleet.iter().map(|jibri| jibri.row(at(secs))).collect();
        let snapshot = FleetSnapshot::new(self.group, rows);
        match self.refused {
            Some(refused) => snapshot.with_refused(refused),
            None => snapshot,
        }
    }

    /// The decision at that second, which breaks no rule. Its memory is carried on as if every retirement had been told.
    pub(crate) fn tick(&mut self, secs: i64, fleet: &[Jibri]) -> Decision {
        let decision = self.decide(secs, fleet);
        self.memory.assume_told(at(secs));
        decision
    }

    /// The same, with retirements that begin but are not told.
    pub(crate) fn decide(&mut self, secs: i64, fleet: &[Jibri]) -> Decision {
        let snapshot = self.snapshot(secs, fleet);
        let memory = std::mem::take(&mut self.memory);
        let decision = decide(&self.policy, &self.limits, &snapshot, at(secs), memory);
        let breaches = check(&snapshot, &self.limits, &decision);
        assert!(breaches.is_empty(), "{breaches:?} in {decision:#?}");
        self.memory = decision.memory.clone();
        decision
    }

    /// A tick of which nothing but the memory matters.
    pub(crate) fn pass(&mut self, secs: i64, fleet: &[Jibri]) {
        let _ = self.tick(secs, fleet);
    }

    /// Ticks at [`INTERVAL`] from one second to the other, both included, that all plan nothing.
    pub(crate) fn observe(&mut self, from: i64, to: i64, fleet: &[Jibri]) {
        let last = self.quiet(from, to, fleet);
        assert_eq!(plan(&last), "", "at {to}: {last:#?}");
    }

    /// Ticks at [`INTERVAL`] from one second to the other, both included; each but the last plans nothing.
    pub(crate) fn quiet(&mut self, from: i64, to: i64, fleet: &[Jibri]) -> Decision {
        for secs in (from..to).step_by(INTERVAL) {
            let decision = self.tick(secs, fleet);
            assert_eq!(plan(&decision), "", "at {secs}: {decision:#?}");
        }
        self.tick(to, fleet)
    }
}

/// The plan on one line: `protect a, set 5, retire b, replace c`.
pub(crate) fn plan(decision: &Decision) -> String {
    let effects = decision.plan.effects.iter().map(|effect| match effect {
        Effect::Protect { id } => format!("protect {id}"),
        Effect::SetCapacity { to } => format!("set {to}"),
        Effect::Retire { id, replace: false } => format!("retire {id}"),
        Effect::Retire { id, replace: true } => format!("replace {id}"),
    });
    effects.collect::<Vec<_>>().join(", ")
}

/// The classes that are not empty: `spare 2, busy 1`.
pub(crate) fn tally(tally: &Tally) -> String {
    let classes = [
        ("spare", tally.spare),
        ("booting", tally.booting),
        ("overdue", tally.overdue),
        ("busy", tally.busy),
        ("expired", tally.expired),
        ("unhealthy", tally.unhealthy),
        ("unknown", tally.unknown),
        ("retiring", tally.retiring),
        ("other", tally.other),
    ];
    assert_eq!(classes.iter().map(|(_, n)| n).sum::<u32>(), tally.total);
    let some = classes.iter().filter(|(_, count)| *count > 0);
    let some: Vec<_> = some
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    some.join(", ")
}

/// What went into a stage and what came out.
pub(crate) fn step(decision: &Decision, stage: Stage) -> (u32, u32) {
    let step = decision.explanation.step(stage).unwrap();
    (step.before, step.after)
}

/// What a stage says, as text.
pub(crate) fn because(decision: &Decision, stage: Stage) -> String {
    let step = decision.explanation.step(stage).unwrap();
    step.because.to_string()
}

/// Whether a finding says this.
pub(crate) fn finds(decision: &Decision, what: &str) -> bool {
    let findings = &decision.explanation.findings;
    findings.iter().any(|finding| finding.what.contains(what))
}
