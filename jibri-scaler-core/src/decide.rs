//! The decision: what to do about the group, now, and why.

mod classify;
mod continuity;
mod grow;
mod launching;
mod learn;
mod odd;
mod operator;
mod replace;
mod shrink;
mod standing;
mod survey;

use crate::{
    Decision, DrainPath, Effect, Explanation, FleetSnapshot, Group, InstanceId, Limits, Memory,
    Plan, Stage, Timestamp,
    operator::Direction,
    policy::{Policy, Situation},
    retirement::Retirement,
};
pub use standing::{Standing, Verdict, standings};
use survey::Survey;

/// Decides what to do about the group.
///
/// Total, deterministic, and independent of the order of the instances: it always has an answer, and odd fleets are findings.
/// It does nothing: the plan must be applied, and the memory that comes back must be given to the next decision. Deciding again
/// at the same instant, after the plan was applied, gives an empty plan; except where less was desired than counts, where the capacity
/// may then be raised to what counts, and what there is room for with that retired.
///
/// The stages, one explained [`Step`](crate::Step) each:
///
/// 1. `wanted_spare`: the largest vote of the policies. The group grows by what is missing after counting what is coming.
/// 2. `bounds`: inside minimum and maximum size.
/// 3. `launch_budget`: nothing while an [operator](crate::operator) has paused growing; at most
///    [`max_launch`](Limits::max_launch) outstanding. While launches fail, no more than a token bucket
///    holds that fills more slowly with each failure, down to one launch in three boot deadlines; the first launch that comes ends
///    that. While most of the group can't be seen, at most one wanted spare until sight returns.
/// 4. `surplus`: the smallest number of ready Jibris beyond the wanted spare, over the whole
///    [`surplus_hold`](Limits::surplus_hold), less those that have gone since. Instances that boot make no ready one
///    superfluous.
/// 5. `eligible`: ready, idle for [`idle_timeout`](Limits::idle_timeout) in two or more reports, and not kept by an operator.
/// 6. `headroom`: nothing while an operator has paused shrinking; not below the minimum size; at most
///    [`max_retire`](Limits::max_retire) under way. Who finishes a recording takes no place in either: when that is over, it is
///    given back with a decrement only above the minimum size, and else replaced.
/// 7. `safe_retirement`: only where the Jibri can be told to end by itself.
/// 8. `plan`: with the broken (unhealthy, expired) Jibris that are retired too, and with those that an operator retires by hand. The
///    latter are counted first, so that the stages from `surplus` on are about the rest.
///
/// ```
/// use jibri_scaler_core::{FleetSnapshot, Group, Limits, Memory, Timestamp, decide, policy::MinIdle};
///
/// let empty_group = FleetSnapshot::new(Group::new(1, 10, 1), vec![]);
/// let decision = decide(&MinIdle::new(3)?, &Limits::default(), &empty_group, Timestamp::from_secs(0), Memory::default());
/// // One is on its way (desired 1, none there yet), three are wanted.
/// assert_eq!(decision.plan.capacity(), Some(3));
/// println!("{}", decision.explanation);
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
pub fn decide(
    policy: &dyn Policy,
    limits: &Limits,
    snapshot: &FleetSnapshot,
    now: Timestamp,
    memory: Memory,
) -> Decision {
    deliberate(policy, limits, snapshot, now, memory).0
}

/// The decision, with what it was made from.
fn deliberate<'a>(
    policy: &dyn Policy,
    limits: &Limits,
    snapshot: &'a FleetSnapshot,
    now: Timestamp,
    mut memory: Memory,
) -> (Decision, Survey<'a>) {
    let mut explanation = Explanation::default();
    explanation.steps.reserve_exact(Stage::ALL.len());
    let group = snapshot.group();

    let broken = continuity::follow(limits, now, &mut memory, &mut explanation);
    let begun = operator::follow(now, &mut memory);
    let mut survey = Survey::new(limits, snapshot, now, broken, &mut memory);
    operator::forget_unlisted(&begun, &mut memory, &mut explanation);
    continuity::watch_desired(group, &survey, now, &mut memory, &mut explanation);

    launching::follow(limits, &survey, now, &mut memory);

    learn::learn(
        policy,
        snapshot,
        &survey,
        now,
        broken,
        &mut memory,
        &mut explanation,
    );
    let situation = Situation::new(now, *group, &survey.tally, survey.in_use);
    let vote = policy.vote(&situation.with_learned(&memory.learned));
    let (wanted, winner) = (vote.spare, vote.policy.clone());

    let capacity = grow::grow(limits, group, &survey, vote, &mut memory, &mut explanation);
    // The capacity is set before anything is retired.
    let grown = Group {
        desired: capacity.unwrap_or(group.desired),
        ..*group
    };
    let by_hand = operator::by_hand(
        limits,
        &grown,
        &mut survey,
        wanted,
        &mut memory,
        &mut explanation,
    );
    let victims = shrink::shrink(
        limits,
        &grown,
        &survey,
        wanted,
        now,
        &mut memory,
        &mut explanation,
    );
    memory.window.take(to_u32(victims.len()));
    let replaced = if memory.operator.pause(Direction::Shrinking).is_some() {
        Vec::new()
    } else {
        replace::replace(limits, group, &grown, &survey, wanted, &victims)
    };
    operator::find_kept(&memory, &mut explanation);
    survey.find(limits, group, now, &memory, &mut explanation);

    let mut effects: Vec<Effect> = survey
        .unprotected
        .iter()
        .map(|&id| Effect::Protect { id: id.clone() })
        .collect();
    effects.extend(capacity.map(|to| Effect::SetCapacity { to }));
    let safe = to_u32(victims.len());
    explanation.push(
        Stage::Plan,
        safe,
        safe.saturating_add(to_u32(replaced.len() + by_hand.len())),
        replace::because(safe, &replaced, by_hand.len()),
    );
    let victims = victims.into_iter().map(|id| (id, false));
    let retires = by_hand.into_iter().chain(victims).chain(replaced);
    for (id, replace) in retires {
        let by_agent = snapshot
            .rows(id)
            .iter()
            .all(|row| row.drain == DrainPath::Agent);
        begin(&mut memory, limits, id, replace, by_agent, now);
        effects.push(Effect::Retire {
            id: id.clone(),
            replace,
        });
    }
    memory.last_tick = Some(now);

    let decision = Decision {
        at: now,
        wanted_spare: wanted,
        winner,
        plan: Plan { effects },
        tally: survey.tally.clone(),
        coming: survey.coming,
        explanation,
        memory,
    };
    (decision, survey)
}

/// Writes down that a retirement begins, before anything is done about it.
fn begin(
    memory: &mut Memory,
    limits: &Limits,
    id: &InstanceId,
    replace: bool,
    by_agent: bool,
    now: Timestamp,
) {
    let retirement = Retirement::new(now, replace);
    let retirement = if by_agent {
        retirement.by_agent()
    } else {
        match memory.known_since {
            Some(since) => retirement.known_since(since, limits),
            None => retirement,
        }
    };
    memory.retirements.insert(id.clone(), retirement);
    if !replace {
        memory.decrements_due = memory.decrements_due.saturating_add(1);
    }
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A few of the ids, for a sentence: `i-1, i-2, i-3 and 4 more`.
fn some_of(ids: &[&InstanceId]) -> String {
    const SHOWN: usize = 3;
    let shown = ids
        .iter()
        .take(SHOWN)
        .map(|id| id.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    match ids.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
