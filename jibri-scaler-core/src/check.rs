//! The rules that every decision keeps, written once.

use std::{collections::BTreeSet, fmt};

use crate::{
    BusyStatus, Decision, DrainPath, Effect, FleetSnapshot, HealthStatus, Instance, InstanceId,
    JibriStatus, Lifecycle, Limits, Reachability, Stage, operator::Direction, retirement::Phase,
};

/// A rule that every decision keeps, whatever the policy.
///
/// ```
/// use jibri_scaler_core::Rule;
///
/// assert_eq!(Rule::NeverBusy.to_string(), "a Jibri that is not certainly free is not retired");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The desired capacity is never set above the maximum size.
    AboveMaxSize,
    /// Nothing is retired with a decrement where that would go below the minimum size. One that finishes a recording does not
    /// count: it is given back later, and with a decrement only above that size.
    BelowMinSize,
    /// Idle Jibris are not retired where fewer ready ones than wanted would be left.
    BelowWantedSpare,
    /// The desired capacity is only ever raised, and never to less than there are instances.
    OnlyRaised,
    /// No effect is in a plan twice, and no instance is in two effects that contradict each other.
    Duplicate,
    /// Protect, set the capacity, retire: in this order.
    Order,
    /// Each stage is explained, once and in order.
    Explained,
    /// An idle Jibri is retired only after the idle timeout, in two or more reports.
    IdleLongEnough,
    /// Launches outstanding and retirements under way stay inside their limits.
    Budget,
    /// Nobody that is not certainly free is retired: not busy, not unknown, not contradicting.
    NeverBusy,
    /// Nothing is retired while most of the group can't be seen.
    NotBlind,
    /// A retirement is written down before it begins.
    Remembered,
    /// Only instances that are listed are acted on, and only such in service are retired.
    Listed,
    /// Nothing is retired for which there is no safe way.
    SafeWay,
    /// Nothing is done that an operator has paused, and nobody is retired who is kept.
    Operator,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AboveMaxSize => "the desired capacity stays at or below the maximum size",
            Self::BelowMinSize => "no decrement goes below the minimum size",
            Self::BelowWantedSpare => "the wanted spare stays",
            Self::OnlyRaised => "the desired capacity is only raised, and not below what is there",
            Self::Duplicate => "no effect is in a plan twice",
            Self::Order => "effects come in their order",
            Self::Explained => "each stage is explained",
            Self::IdleLongEnough => "an idle Jibri goes only after the idle timeout",
            Self::Budget => "launches and retirements stay inside their limits",
            Self::NeverBusy => "a Jibri that is not certainly free is not retired",
            Self::NotBlind => "nothing is retired while blind",
            Self::Remembered => "a retirement is written down before it begins",
            Self::Listed => "only listed instances are acted on",
            Self::SafeWay => "nothing is retired without a safe way",
            Self::Operator => "what an operator paused or keeps is left alone",
        })
    }
}

/// A rule that a decision breaks.
///
/// ```
/// use jibri_scaler_core::{Decision, FleetSnapshot, Limits, check};
///
/// /// Whether a plan may be applied.
/// fn may_be_applied(snapshot: &FleetSnapshot, limits: &Limits, decision: &Decision) -> bool {
///     let breaches = check(snapshot, limits, decision);
///     breaches.iter().for_each(|breach| eprintln!("{breach}"));
///     !breaches.iter().any(|breach| breach.is_fatal())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// How it is broken.
    pub what: String,
}

impl Breach {
    /// Whether a plan that breaks this rule must not be applied.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        !matches!(self.rule, Rule::Explained)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// Checks a decision against the rules. It shares no code with [`decide`](crate::decide()), so that a mistake there shows here.
///
/// The tests and the controller use it, and so every simulation that runs the controller. The controller applies no plan with a
/// [fatal](Breach::is_fatal) breach.
///
/// ```
/// use jibri_scaler_core::{FleetSnapshot, Group, Limits, Memory, Timestamp, check, decide, policy::MinIdle};
///
/// let (limits, snapshot) = (Limits::default(), FleetSnapshot::new(Group::new(1, 3, 1), vec![]));
/// let decision = decide(&MinIdle::new(9)?, &limits, &snapshot, Timestamp::from_secs(0), Memory::default());
/// assert!(check(&snapshot, &limits, &decision).is_empty());
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[must_use]
pub fn check(snapshot: &FleetSnapshot, limits: &Limits, decision: &Decision) -> Vec<Breach> {
    let mut checked = Check {
        snapshot,
        limits,
        decision,
        breaches: Vec::new(),
    };
    checked.form();
    checked.capacity();
    for (id, replace) in decision.plan.retires() {
        checked.retirement(id, replace);
    }
    checked.numbers();
    checked.operator();
    checked.breaches
}

struct Check<'a> {
    snapshot: &'a FleetSnapshot,
    limits: &'a Limits,
    decision: &'a Decision,
    breaches: Vec<Breach>,
}

impl Check<'_> {
    fn require(&mut self, kept: bool, rule: Rule, what: impl FnOnce() -> String) {
        if !kept {
            self.breaches.push(Breach { rule, what: what() });
        }
    }

    fn form(&mut self) {
        let effects = &self.decision.plan.effects;
        let rank = |effect: &Effect| match effect {
            Effect::Protect { .. } => 0,
            Effect::SetCapacity { .. } => 1,
            Effect::Retire { .. } => 2,
        };
        self.require(effects.is_sorted_by_key(rank), Rule::Order, || {
            format!("{effects:?}")
        });
        let mut seen = BTreeSet::new();
        for effect in effects {
            let key = match effect {
                Effect::Protect { id } => (0, Some(id)),
                Effect::SetCapacity { .. } => (1, None),
                Effect::Retire { id, .. } => (2, Some(id)),
            };
            self.require(seen.insert(key), Rule::Duplicate, || format!("{effect:?}"));
            if let Effect::Protect { id } = effect {
                let unprotected =
                    |row: &Instance| row.lifecycle == Lifecycle::InService && !row.protected;
                let kept = self.snapshot.rows(id).iter().any(unprotected);
                self.require(kept, Rule::Listed, || format!("{id} needs no protection"));
            }
        }
        let stages = self
            .decision
            .explanation
            .steps
            .iter()
            .map(|step| step.stage);
        self.require(stages.eq(Stage::ALL), Rule::Explained, || {
            "a stage is missing or out of order".into()
        });
    }

    fn capacity(&mut self) {
        let Some(to) = self.decision.plan.capacity() else {
            return;
        };
        let group = self.snapshot.group();
        let counting = self.counting();
        self.require(to <= group.max_size, Rule::AboveMaxSize, || {
            format!("{to} is above {}", group.max_size)
        });
        self.require(
            to > group.desired && to >= counting,
            Rule::OnlyRaised,
            || {
                format!(
                    "{to} is set where {} are desired and {counting} count",
                    group.desired
                )
            },
        );
        let launches = to.saturating_sub(group.desired.max(counting));
        let coming = self.decision.coming;
        let outstanding = u64::from(launches) + u64::from(coming);
        let within = launches == 0 || outstanding <= u64::from(self.limits.max_launch());
        self.require(within || to <= group.min_size, Rule::Budget, || {
            format!("{launches} launches while {coming} are outstanding")
        });
    }

    fn retirement(&mut self, id: &InstanceId, replace: bool) {
        let [row] = self.snapshot.rows(id) else {
            let rule = if self.snapshot.rows(id).is_empty() {
                Rule::Listed
            } else {
                Rule::NeverBusy
            };
            self.require(false, rule, || format!("{id} is not listed exactly once"));
            return;
        };
        self.require(row.lifecycle == Lifecycle::InService, Rule::Listed, || {
            format!("{id} is {}", row.lifecycle)
        });
        let status = self.reading(row);
        // Whoever is retired by hand may be busy: it is told, and ends when it is done.
        let by_hand = self.is_by_hand(id);
        let is_free = |status: &JibriStatus| may_go(status) || by_hand && status.is_busy();
        self.require(status.is_some_and(is_free), Rule::NeverBusy, || {
            format!("{id}: {:?}, {:?}", row.reachability, row.report)
        });
        let way = self.snapshot.group().safe_retirement && row.drain != DrainPath::None;
        self.require(way, Rule::SafeWay, || format!("{id} can't be told to end"));
        let written = self.decision.memory.retirements().get(id);
        self.require(
            written.is_some_and(|r| r.replace() == replace),
            Rule::Remembered,
            || format!("{id}"),
        );
        if status.is_some_and(JibriStatus::is_available) && !by_hand {
            let traces = &self.decision.memory.instances;
            let trace = traces
                .binary_search_by(|trace| trace.id.cmp(id))
                .ok()
                .map(|at| &traces[at]);
            let idle = trace
                .and_then(|trace| trace.idle)
                .filter(|(first, newest)| newest > first);
            let long = idle
                .is_some_and(|(first, newest)| newest.since(first) >= self.limits.idle_timeout());
            let answered = row.reachability == Reachability::Answered;
            self.require(long && answered, Rule::IdleLongEnough, || {
                format!("{id} was idle {idle:?}")
            });
        }
    }

    fn numbers(&mut self) {
        let (group, decision) = (self.snapshot.group(), self.decision);
        let begun: BTreeSet<_> = decision.plan.retires().map(|(id, _)| id).collect();
        if begun.is_empty() {
            return;
        }
        let tally = &decision.tally;
        let unseen = u64::from(tally.unknown) + u64::from(tally.overdue);
        let unseen = unseen.saturating_sub(self.odd_and_not_counting());
        let percent = u64::from(self.limits.max_unknown_percent());
        let counting = u64::from(self.counting());
        let blind = unseen >= 2 && unseen * 100 > counting * percent;
        self.require(!blind, Rule::NotBlind, || {
            format!("{unseen} of {counting} can't be seen, more than {percent} %")
        });

        let under_way = decision
            .memory
            .retirements()
            .iter()
            .filter(|(_, r)| r.phase().is_under_way());
        let in_service = |id: &InstanceId| {
            self.snapshot
                .rows(id)
                .iter()
                .any(|row| row.lifecycle == Lifecycle::InService)
        };
        let leaving = under_way
            .clone()
            .filter(|(id, r)| !r.replace() && in_service(id) && r.phase() != Phase::Finishing)
            .count();
        let decrements = decision.plan.retires().any(|(_, replace)| !replace);
        // The capacity is set before anything is retired.
        let desired = decision.plan.capacity().unwrap_or(group.desired);
        let left = u64::from(desired).checked_sub(leaving as u64);
        let kept = !decrements || left.is_some_and(|left| left >= u64::from(group.min_size));
        self.require(kept, Rule::BelowMinSize, || {
            format!(
                "{leaving} leave a group of {desired} with minimum {}",
                group.min_size
            )
        });

        let ready = |row: &&Instance| {
            let under_way = decision
                .memory
                .retirements()
                .get(&row.id)
                .is_some_and(|r| r.phase().is_under_way());
            row.lifecycle == Lifecycle::InService
                && row.reachability == Reachability::Answered
                && (begun.contains(&row.id) || !under_way)
                && self.reading(row).is_some_and(JibriStatus::is_available)
        };
        let ready: Vec<_> = self.snapshot.instances().iter().filter(ready).collect();
        let going = ready.iter().filter(|row| begun.contains(&row.id)).count();
        let stays = (ready.len() - going) as u64;
        let by_itself = |row: &&&Instance| begun.contains(&row.id) && !self.is_by_hand(&row.id);
        let kept =
            !ready.iter().any(|row| by_itself(&row)) || stays >= u64::from(decision.wanted_spare);
        self.require(kept, Rule::BelowWantedSpare, || {
            format!(
                "{stays} of {} ready ones stay, {} are wanted",
                ready.len(),
                decision.wanted_spare
            )
        });

        let retiring = under_way
            .filter(|(_, r)| !r.seen_busy() && !r.was_released())
            .count();
        let within = retiring as u64 <= u64::from(self.limits.max_retire());
        self.require(within, Rule::Budget, || {
            format!("{retiring} retirements under way")
        });
    }

    fn operator(&mut self) {
        let (operator, plan) = (&self.decision.memory.operator, &self.decision.plan);
        let growing = plan.capacity().is_some() && operator.pause(Direction::Growing).is_some();
        self.require(!growing, Rule::Operator, || "growing is paused".into());
        let shrinking =
            plan.retires().next().is_some() && operator.pause(Direction::Shrinking).is_some();
        self.require(!shrinking, Rule::Operator, || "shrinking is paused".into());
        for (id, _) in plan.retires() {
            let kept = operator.kept().contains_key(id);
            self.require(!kept, Rule::Operator, || format!("{id} is kept"));
        }
    }

    fn is_by_hand(&self, id: &InstanceId) -> bool {
        self.decision.memory.operator.retires().contains_key(id)
    }

    fn counting(&self) -> u32 {
        let rows = self.snapshot.instances().chunk_by(|a, b| a.id == b.id);
        let count = rows
            .filter(|rows| rows.iter().any(|row| row.lifecycle.is_counting()))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Instances that are unknown because their rows contradict each other, but that do not count, so that they make nobody
    /// blind.
    fn odd_and_not_counting(&self) -> u64 {
        let retirements = self.decision.memory.retirements();
        let rows = self.snapshot.instances().chunk_by(|a, b| a.id == b.id);
        let odd = rows.filter(|rows| {
            let leaving = |row: &Instance| row.lifecycle.is_leaving();
            let under_way = retirements
                .get(&rows[0].id)
                .is_some_and(|r| r.phase().is_under_way());
            !under_way
                && !rows.iter().any(|row| row.lifecycle.is_counting())
                && rows.iter().any(leaving)
                && !rows.iter().all(leaving)
        });
        odd.count() as u64
    }

    /// A status that is fresh and not contradicted by a refusal in this tick.
    fn reading<'r>(&self, row: &'r Instance) -> Option<&'r JibriStatus> {
        let report = row.report.as_ref()?;
        let fresh = self.decision.at.since(report.received_at) <= self.limits.report_ttl();
        let heard = matches!(
            row.reachability,
            Reachability::Answered | Reachability::TimedOut
        );
        report.status.as_ref().filter(|_| fresh && heard)
    }
}

fn may_go(status: &JibriStatus) -> bool {
    let broken = status.health == HealthStatus::Unhealthy || status.busy == BusyStatus::Expired;
    !status.is_busy() && (broken || status.is_available())
}
