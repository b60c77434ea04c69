//! Giving the numbers of a tick to the recorder.

use std::{sync::Arc, time::Duration};

use ::metrics::{counter, gauge, histogram};

use super::{
    BOOT_SECONDS, COMING, DESIRED, EFFECTS, EXPECTED_REFUSALS, FINDINGS, IDLE_SHARE, INSTANCES,
    KEPT, LAST_TICK, LEADS, MAX_SIZE, MIN_SIZE, PAUSED, PORT_ERRORS, PROBE_FAILURES, REFUSED,
    RETIREMENT_AGE, RETIREMENT_STEPS, RETIREMENTS, TICK_SECONDS, TICKS, TIME_TO_READY,
    WANTED_SPARE, WANTED_SPARE_WINNER,
};
use crate::{
    Class, Memory, Severity, Tally, Timestamp,
    controller::{TickError, TickReport},
    memory::Trace,
    operator::Direction,
    port::PortError,
    refusals::RefusalEstimate,
    retirement::{Phase, Retirement},
};

/// What must be known from tick to tick to say the numbers.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    winner: Option<String>,
    refusals: Option<RefusalEstimate>,
    /// When the tick before was, of this process: what a follower remembers is that of another.
    last: Option<Timestamp>,
}

impl Meter {
    /// Gives the numbers of a tick. `leads` and `memory` are those after it, `report_ttl` the longest gap between ticks.
    pub(crate) fn tick(
        &mut self,
        group: &Arc<str>,
        result: &Result<TickReport, TickError>,
        leads: bool,
        memory: Option<&Memory>,
        report_ttl: Duration,
        took: Option<Duration>,
    ) {
        let outcome = match result {
            Err(_) => "failed",
            Ok(report) if report.problems.is_empty() && report.breaches.is_empty() => "ok",
            Ok(_) => "problems",
        };
        counter!(TICKS, "group" => group.clone(), "outcome" => outcome).increment(1);
        gauge!(LEADS, "group" => group.clone()).set(u32::from(leads));
        if let Some(took) = took {
            histogram!(TICK_SECONDS, "group" => group.clone()).record(took);
        }
        match result {
            Err(TickError::LoadMemory(error) | TickError::Observe(error)) => {
                failed(group, error);
            }
            Ok(report) => {
                numbers(group, report);
                happened(group, report);
                boots(group, report);
                self.winner(group, &report.decision.winner);
                self.refused(group, report, report_ttl);
                if let Some(memory) = memory {
                    operator(group, memory);
                    retirements(group, memory, report.tick.at);
                }
            }
        }
    }

    fn winner(&mut self, group: &Arc<str>, winner: &str) {
        let gauge = |policy: &str| gauge!(WANTED_SPARE_WINNER, "group" => group.clone(), "policy" => policy.to_owned());
        let before = self.winner.replace(winner.into());
        if let Some(before) = before.filter(|before| before != winner) {
            gauge(&before).set(0.0);
        }
        gauge(winner).set(1.0);
    }

    fn refused(&mut self, group: &Arc<str>, report: &TickReport, longest_gap: Duration) {
        let now = report.tick.at;
        if let Some(refused) = report.tick.snapshot.refused() {
            counter!(REFUSED, "group" => group.clone()).increment(refused.into());
        }
        let last = self.last.replace(now);
        let Some(demand) = report.memory_before.learned().demand() else {
            return;
        };
        let expected = last.map_or(0.0, |last| demand.expected_starts(last, now));
        let estimate = self
            .refusals
            .get_or_insert_with(|| RefusalEstimate::new(longest_gap));
        estimate.observe(now, report.decision.tally.spare, expected);
        gauge!(EXPECTED_REFUSALS, "group" => group.clone()).set(estimate.expected_refusals());
    }
}

/// What is there.
fn numbers(group: &Arc<str>, report: &TickReport) {
    let (decision, seen) = (&report.decision, report.tick.snapshot.group());
    for (class, count) in classes(&decision.tally) {
        gauge!(INSTANCES, "group" => group.clone(), "class" => class.as_str()).set(count);
    }
    let share = decision.tally.idle_share().unwrap_or(f64::NAN);
    gauge!(IDLE_SHARE, "group" => group.clone()).set(share);
    for (name, count) in [
        (COMING, decision.coming),
        (WANTED_SPARE, decision.wanted_spare),
        (DESIRED, seen.desired),
        (MIN_SIZE, seen.min_size),
        (MAX_SIZE, seen.max_size),
    ] {
        gauge!(name, "group" => group.clone()).set(count);
    }
    #[expect(clippy::cast_precision_loss, reason = "exact up to the year 2255")]
    let at = report.tick.at.as_micros() as f64 / 1e6;
    gauge!(LAST_TICK, "group" => group.clone()).set(at);
    for (severity, name) in [
        (Severity::Info, "info"),
        (Severity::Warning, "warning"),
        (Severity::Critical, "critical"),
    ] {
        let found = report.all_findings().filter(|f| f.severity == severity);
        gauge!(FINDINGS, "group" => group.clone(), "severity" => name).set(number(found.count()));
    }
}

fn classes(tally: &Tally) -> [(Class, u32); 9] {
    [
        (Class::Spare, tally.spare),
        (Class::Booting, tally.booting),
        (Class::Overdue, tally.overdue),
        (Class::Busy, tally.busy),
        (Class::Expired, tally.expired),
        (Class::Unhealthy, tally.unhealthy),
        (Class::Unknown, tally.unknown),
        (Class::Retiring, tally.retiring),
        (Class::Other, tally.other),
    ]
}

/// What was done, and what failed.
fn happened(group: &Arc<str>, report: &TickReport) {
    for (effect, applied) in &report.effects {
        let (kind, applied) = (effect.kind(), applied.as_str());
        counter!(EFFECTS, "group" => group.clone(), "kind" => kind, "applied" => applied)
            .increment(1);
    }
    for progress in &report.progress {
        let phase = progress.to.as_str();
        counter!(RETIREMENT_STEPS, "group" => group.clone(), "phase" => phase).increment(1);
    }
    for error in &report.problems {
        failed(group, error);
    }
    for outcome in report.failures.values() {
        counter!(PROBE_FAILURES, "group" => group.clone(), "outcome" => outcome.as_str())
            .increment(1);
    }
}

fn failed(group: &Arc<str>, error: &PortError) {
    let (operation, kind) = (error.call().unwrap_or("other"), error.kind().as_str());
    counter!(PORT_ERRORS, "group" => group.clone(), "operation" => operation, "kind" => kind)
        .increment(1);
}

/// How long those took that were heard, or ready, for the first time in this tick. One that was seen first in it, or after a gap,
/// may have been up before.
fn boots(group: &Arc<str>, report: &TickReport) {
    let (now, after) = (report.tick.at, &report.decision.memory);
    if after.broken_at == Some(now) {
        return;
    }
    let traces = &report.memory_before.instances;
    let before = |trace: &Trace| {
        let at = traces.binary_search_by(|before| before.id.cmp(&trace.id));
        at.ok().map(|at| &traces[at])
    };
    for trace in &after.instances {
        let Some(before) = before(trace) else {
            continue;
        };
        let rows = report.tick.snapshot.rows(&trace.id);
        let launched = rows.first().and_then(|row| row.launched_at);
        let launched = launched.unwrap_or(trace.first_seen).min(trace.first_seen);
        let age = now.since(launched);
        if trace.heard && !before.heard {
            histogram!(BOOT_SECONDS, "group" => group.clone()).record(age);
        }
        if trace.booted && !before.booted {
            histogram!(TIME_TO_READY, "group" => group.clone()).record(age);
        }
    }
}

fn operator(group: &Arc<str>, memory: &Memory) {
    let operator = memory.operator();
    for (direction, name) in [
        (Direction::Growing, "growing"),
        (Direction::Shrinking, "shrinking"),
    ] {
        let paused = u32::from(operator.pause(direction).is_some());
        gauge!(PAUSED, "group" => group.clone(), "direction" => name).set(paused);
    }
    gauge!(KEPT, "group" => group.clone()).set(number(operator.kept().len()));
}

fn retirements(group: &Arc<str>, memory: &Memory, now: Timestamp) {
    for phase in Phase::ALL {
        let all = memory.retirements().values();
        let (mut count, mut oldest) = (0, Duration::ZERO);
        for retirement in all.filter(|retirement| retirement.phase() == phase) {
            count += 1;
            oldest = oldest.max(now.since(Retirement::since(retirement)));
        }
        let phase = phase.as_str();
        gauge!(RETIREMENTS, "group" => group.clone(), "phase" => phase).set(count);
        gauge!(RETIREMENT_AGE, "group" => group.clone(), "phase" => phase).set(oldest);
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
