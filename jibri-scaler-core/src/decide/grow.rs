//! Growing: what is missing after counting what is coming, in one step.

use super::{launching, operator, survey::Survey};
use crate::{
    Explanation, Group, Limits, Memory, Severity, Stage,
    explain::{LaunchBudget, Sentence},
    operator::{Direction, Pause},
    policy::Vote,
    safeguard::{Safeguard, holds},
};

/// The desired capacity to set, if it is to rise.
pub(super) fn grow(
    limits: &Limits,
    group: &Group,
    survey: &Survey<'_>,
    vote: Vote,
    memory: &mut Memory,
    explanation: &mut Explanation,
) -> Option<u32> {
    let spare = survey.tally.spare;
    let coming = if holds(Safeguard::CountTheComing) {
        survey.coming
    } else {
        0
    };
    let base = group.desired.max(survey.counting);
    let short = i64::from(vote.spare) - i64::from(spare) - i64::from(coming);
    let asked = clamp(i64::from(base) + short.max(0));
    explanation.push(
        Stage::WantedSpare,
        group.desired,
        asked,
        Sentence::WantedSpare {
            policy: vote.policy,
            wanted: vote.spare,
            clause: vote.because.into_clause(),
            spare,
            coming,
        },
    );

    let bounded = asked.max(group.min_size).min(group.max_size);
    explanation.push(
        Stage::Bounds,
        asked,
        bounded,
        Sentence::Bounds {
            min_size: group.min_size,
            max_size: group.max_size,
        },
    );
    if short > 0 && asked > group.max_size {
        explanation.find(
            Severity::Critical,
            format!(
                "{} more spare are wanted than the maximum size {} allows",
                asked - group.max_size,
                group.max_size
            ),
            "raise the maximum size of the group, or lower the policy",
        );
    }

    let budget = i64::from(limits.max_launch()) - i64::from(coming);
    let blind_budget = survey
        .blind
        .then(|| i64::from(vote.spare) - i64::from(memory.blind_launches.unwrap_or(0)));
    let back_off_budget = memory.back_off.map(|back_off| i64::from(back_off.left()));
    let allowed = budget.min(blind_budget.unwrap_or(i64::MAX));
    let add = short.min(allowed).min(back_off_budget.unwrap_or(i64::MAX));
    let mut to = raised(group, survey, clamp(i64::from(base) + add), short);
    let pause = memory.operator.pause(Direction::Growing);
    if let Some(pause) = pause {
        let held = to.take().map_or(0, |to| to.saturating_sub(group.desired));
        operator::find_growing(pause, held, explanation);
    }

    let launches = to.map_or(0, |to| to.saturating_sub(base));
    memory.blind_launches = survey
        .blind
        .then(|| memory.blind_launches.unwrap_or(0).saturating_add(launches));
    if to.is_some() {
        memory.desired_set = to;
    }
    let because = LaunchBudget {
        blind: blind_budget.map(|left| (clamp(left), vote.spare)),
        coming,
        max_launch: limits.max_launch(),
        paused: pause.map(Pause::until),
        failed: memory
            .back_off
            .map(|back_off| (back_off.failures(), back_off.left())),
    };
    if let Some(back_off) = &mut memory.back_off {
        let room = i64::from(group.max_size) - i64::from(base);
        let denied = short.min(allowed).min(room) - i64::from(back_off.left());
        launching::find(limits, *back_off, clamp(denied), explanation);
        back_off.take(launches);
    }
    explanation.push(
        Stage::LaunchBudget,
        bounded,
        to.unwrap_or(group.desired),
        Sentence::LaunchBudget(because),
    );
    to
}

/// The capacity to set for so many wanted, where that raises it: inside the bounds of the group, and never below what is there.
fn raised(group: &Group, survey: &Survey<'_>, to: u32, short: i64) -> Option<u32> {
    let max_size = if holds(Safeguard::MaxSize) {
        group.max_size
    } else {
        u32::MAX
    };
    let mut to = to.min(max_size);
    if group.desired < group.min_size {
        // The group takes no number below its minimum, whatever the budget.
        to = to.max(group.min_size.min(group.max_size));
    }
    // Writing a number below what is there would make the group choose what goes.
    let to = Some(to)
        .filter(|to| *to > group.desired)
        .map(|to| to.max(survey.counting))
        .filter(|to| *to <= max_size);
    if holds(Safeguard::OnlyRaised) {
        to
    } else {
        let wanted = clamp(i64::from(group.desired) + short).max(group.min_size);
        Some(wanted).filter(|wanted| *wanted != group.desired)
    }
}

fn clamp(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
