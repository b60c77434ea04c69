//! Replacing: Jibris that will never record again.

use super::{
    shrink::{headroom, slots},
    survey::{Survey, can_be_retired},
    to_u32,
};
use crate::{Group, InstanceId, Limits, explain::Sentence};

/// The broken instances to retire, and whether each is to be replaced: where it is missed, and where the group would fall below
/// its minimum size. `grown` is the group after the capacity of the same plan was set, `victims` are the idle ones that go in it.
pub(super) fn replace<'a>(
    limits: &Limits,
    group: &Group,
    grown: &Group,
    survey: &Survey<'a>,
    wanted: u32,
    victims: &[&InstanceId],
) -> Vec<(&'a InstanceId, bool)> {
    if survey.blind || survey.dazed || !group.safe_retirement {
        return Vec::new();
    }
    let going = to_u32(victims.len());
    let slots = slots(limits, survey).saturating_sub(going);
    let missed =
        survey.spare().saturating_add(survey.coming) < wanted || group.desired <= group.min_size;
    let mut headroom = headroom(grown, survey).saturating_sub(going);
    let broken = survey.broken.iter().filter(|row| can_be_retired(row));
    broken
        .take(slots as usize)
        .map(|row| {
            let replace = missed || headroom == 0;
            headroom -= u32::from(!replace);
            (&row.id, replace)
        })
        .collect()
}

/// Why the plan retires what it retires.
pub(super) fn because(idle: u32, broken: &[(&InstanceId, bool)], by_hand: usize) -> Sentence {
    let replaced = broken.iter().filter(|(_, replace)| *replace).count();
    Sentence::Plan {
        idle,
        broken: to_u32(broken.len()),
        replaced: to_u32(replaced),
        by_hand: to_u32(by_hand),
    }
}
