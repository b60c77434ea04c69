//! Whether time, and the desired capacity, went on as they should since the last decision.

use super::survey::Survey;
use crate::{Explanation, Group, Limits, Memory, Severity, Timestamp, time::readable};

/// Starts anew what must be observed without a gap, where there was a gap or a step back in time. Returns whether there was.
pub(super) fn follow(
    limits: &Limits,
    now: Timestamp,
    memory: &mut Memory,
    explanation: &mut Explanation,
) -> bool {
    let Some(last) = memory.last_tick else {
        memory.window.restart(now);
        return false;
    };
    let what = if now < last {
        format!("time stepped back by {}", readable(last.since(now)))
    } else if now.since(last) > limits.report_ttl() {
        let (gap, ttl) = (readable(now.since(last)), readable(limits.report_ttl()));
        format!("nothing was observed for {gap}, longer than report_ttl ({ttl})")
    } else {
        // Whoever decides twice at one instant must see the same twice.
        return memory.broken_at == Some(now);
    };
    let what = format!("{what}: idle times and the surplus are measured anew");
    explanation.find(
        Severity::Info,
        what,
        "nothing if it was once; else tick more often, or look at the clock",
    );
    memory.broken_at = Some(now);
    memory.window.restart(now);
    // How long ago something was stays as it was at the last tick: a step back makes no old report fresh again.
    let back = last.since(now);
    let aged = |since: Option<Timestamp>| since.map(|since| since.before(back));
    // Time that a step back makes up counts for nothing.
    memory.known_since = memory.known_since.map(|since| since.min(now));
    memory.missing_since = aged(memory.missing_since);
    if let Some(back_off) = &mut memory.back_off {
        back_off.stepped_back(back);
    }
    memory.learned.aged(back);
    for trace in &mut memory.instances {
        trace.idle = None;
        // A boot with a gap in it teaches nothing.
        trace.booted = true;
        trace.first_seen = trace.first_seen.before(back);
        trace.report = trace
            .report
            .map(|(stamp, received)| (stamp, received.before(back)));
        trace.busy_since = aged(trace.busy_since);
        trace.unknown_since = aged(trace.unknown_since);
    }
    for retirement in memory.retirements.values_mut() {
        retirement.interrupted(now, limits);
    }
    true
}

/// Compares the desired capacity with the one seen before. If somebody else changed it, the surplus is measured anew: two who
/// decide about one group must not both act on the same surplus.
pub(super) fn watch_desired(
    group: &Group,
    survey: &Survey<'_>,
    now: Timestamp,
    memory: &mut Memory,
    explanation: &mut Explanation,
) {
    let desired = group.desired;
    let before = memory.desired_seen.replace(desired);
    if let Some(before) = before
        && before != desired
    {
        let fall_from = |base: u32| {
            base.checked_sub(desired)
                .filter(|fall| *fall <= memory.decrements_due)
        };
        let ours = [memory.desired_set, Some(before)]
            .into_iter()
            .flatten()
            .filter_map(fall_from)
            .min();
        if let Some(decrements) = ours {
            memory.decrements_due -= decrements;
        } else {
            memory.window.restart(now);
            let what = format!(
                "the desired capacity changed from {before} to {desired}, and not by us: the surplus is measured anew"
            );
            let fix = "let only one decide: look for scaling policies, scheduled actions or a second controller";
            explanation.find(Severity::Warning, what, fix);
        }
    }
    memory.decrements_due = memory.decrements_due.min(survey.decrements_possible);
    memory.missing_since = (desired > survey.counting).then(|| memory.missing_since.unwrap_or(now));
}
