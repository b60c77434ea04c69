//! Shrinking: only named instances that are certainly too many.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use super::{
    operator, some_of,
    survey::{Survey, can_be_retired},
    to_u32,
};
use crate::{
    Explanation, Group, Instance, InstanceId, Limits, Memory, Severity, Stage, Timestamp, Zone,
    explain::{Seen, Sentence},
    operator::{Direction, Pause},
    safeguard::{Safeguard, holds},
};

/// The idle instances to retire, in order.
pub(super) fn shrink<'a>(
    limits: &Limits,
    group: &Group,
    survey: &Survey<'a>,
    wanted: u32,
    now: Timestamp,
    memory: &mut Memory,
    explanation: &mut Explanation,
) -> Vec<&'a InstanceId> {
    let surplus = survey.ready.saturating_sub(wanted);
    let start = now.before(limits.surplus_hold());
    memory.window.add(now, surplus, start);
    let held = memory
        .window
        .lowest(start)
        .filter(|_| !survey.blind)
        .unwrap_or(0);
    explanation.push(
        Stage::Surplus,
        surplus,
        held,
        why_surplus(limits, survey, wanted, now, memory, start),
    );

    let long_idle: Vec<_> = survey
        .idle
        .iter()
        .filter(|(_, idle)| *idle >= limits.idle_timeout())
        .copied()
        .collect();
    let eligible = held.min(to_u32(long_idle.len()));
    explanation.push(
        Stage::Eligible,
        held,
        eligible,
        Sentence::Eligible {
            long_idle: to_u32(long_idle.len()),
            ready: survey.ready,
            timeout: limits.idle_timeout(),
            kept: survey.kept_idle,
        },
    );

    let headroom = headroom(group, survey);
    let slots = slots(limits, survey);
    let mut allowed = eligible.min(headroom).min(slots);
    let pause = memory.operator.pause(Direction::Shrinking);
    let because = Sentence::Headroom {
        desired: group.desired,
        min_size: group.min_size,
        headroom,
        leaving: survey.leaving,
        slots,
        max_retire: limits.max_retire(),
        paused: pause.map(Pause::until),
    };
    if pause.is_some() {
        operator::find_shrinking(&memory.operator, allowed, survey, explanation);
        allowed = 0;
    }
    explanation.push(Stage::Headroom, eligible, allowed, because);

    let told = |row: &Instance| group.safe_retirement && can_be_retired(row);
    let safe: Vec<_> = long_idle
        .iter()
        .filter(|(row, _)| told(row))
        .copied()
        .collect();
    let number = allowed.min(to_u32(safe.len()));
    let because = if group.safe_retirement {
        Sentence::SafeRetirement {
            safe: to_u32(safe.len()),
            long_idle: to_u32(long_idle.len()),
        }
    } else {
        Sentence::NoSafeRetirement
    };
    explanation.push(Stage::SafeRetirement, allowed, number, because);
    if allowed > number {
        let ids: Vec<_> = long_idle
            .iter()
            .filter(|(row, _)| !told(row))
            .map(|(row, _)| &row.id)
            .collect();
        explanation.find(
            Severity::Warning,
            format!("{} could go, but can't be told to end, so they are scaled out and never in", some_of(&ids)),
            "open Jibri's internal API to the controller (jibri.api.http.internal-api-host), or run an agent on the instance",
        );
    }
    longest_idle(safe, number as usize, survey)
}

/// How many instances may go with a decrement.
pub(super) fn headroom(group: &Group, survey: &Survey<'_>) -> u32 {
    if !holds(Safeguard::Headroom) {
        return u32::MAX;
    }
    group
        .desired
        .saturating_sub(group.min_size)
        .saturating_sub(survey.leaving)
}

/// How many retirements may begin beside those that are under way.
pub(super) fn slots(limits: &Limits, survey: &Survey<'_>) -> u32 {
    limits.max_retire().saturating_sub(survey.retiring)
}

fn why_surplus(
    limits: &Limits,
    survey: &Survey<'_>,
    wanted: u32,
    now: Timestamp,
    memory: &Memory,
    start: Timestamp,
) -> Sentence {
    if survey.blind {
        return Sentence::BlindSurplus;
    }
    let hold = limits.surplus_hold();
    let since = memory.window.since;
    let part = || Seen::Part {
        hold,
        span: since.map_or(Duration::ZERO, |since| now.since(since)),
    };
    let whole = |lowest| Seen::Whole { hold, lowest };
    Sentence::Surplus {
        ready: survey.ready,
        wanted,
        seen: memory.window.lowest(start).map_or_else(part, whole),
    }
}

/// Longest idle first; ties by the zone with most counting instances, then by id.
fn longest_idle<'a>(
    mut candidates: Vec<(&'a Instance, Duration)>,
    number: usize,
    survey: &Survey<'a>,
) -> Vec<&'a InstanceId> {
    if number == 0 {
        return Vec::new();
    }
    let mut zones: BTreeMap<Option<&Zone>, u32> = BTreeMap::new();
    for zone in survey.zones() {
        *zones.entry(zone).or_default() += 1;
    }
    let key = |(row, idle): &(&'a Instance, Duration)| {
        (
            Reverse(*idle),
            Reverse(zones.get(&row.zone.as_ref()).copied().unwrap_or(0)),
            &row.id,
        )
    };
    // Only the first few are needed, so not all are sorted.
    if number < candidates.len() {
        candidates.select_nth_unstable_by(number - 1, |a, b| key(a).cmp(&key(b)));
        candidates.truncate(number);
    }
    candidates.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
    candidates.into_iter().map(|(row, _)| &row.id).collect()
}
