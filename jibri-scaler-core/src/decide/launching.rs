//! Whether launches come, and what may be launched where they do not.

use super::survey::Survey;
use crate::{Explanation, Limits, Memory, Severity, Timestamp, memory::BackOff, time::readable};

/// Takes in which launches have come and which have failed since the last decision.
///
/// A launch has failed when its instance is past the boot deadline and was never heard, or when it has been missing for as long.
/// It says nothing of the next launch where another one, begun no earlier, has come; nor where it was begun before the last
/// failure, or before a gap in time.
pub(super) fn follow(limits: &Limits, survey: &Survey<'_>, now: Timestamp, memory: &mut Memory) {
    let before = memory.back_off;
    if survey.launch_came {
        memory.back_off = None;
        return;
    }
    // Where time was not observed without a gap, how long something takes is measured anew.
    let since = before
        .map(BackOff::failed_at)
        .max(survey.newest_heard)
        .max(memory.broken_at);
    let overdue = survey.newest_overdue > since;
    // What is missing says something new once a launch that the pause let through has had its time.
    let tried = before.map(|before| before.failed_at() + before.pause(limits));
    let missing = memory.missing_since.is_some_and(|missing| {
        let since = since.max(tried).map_or(missing, |since| since.max(missing));
        now.since(since) >= limits.boot_deadline()
    });
    memory.back_off = if overdue || missing {
        Some(BackOff::after(before, limits, now))
    } else {
        before.and_then(|before| before.filled(limits, now))
    };
}

/// Says that launches are held back, `denied` of those that are wanted now.
pub(super) fn find(limits: &Limits, back_off: BackOff, denied: u32, explanation: &mut Explanation) {
    let severity = if denied > 0 {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let what = format!(
        "launches do not come: {} failed in a row, the last at {}, so {} may be launched now and one more every {}; {denied} \
         wanted ones are held back",
        back_off.failures(),
        back_off.failed_at(),
        back_off.left(),
        readable(back_off.pause(limits))
    );
    let fix = "look at the scaling activities of the group (capacity, quota, launch template, subnet) and at the boot log of \
               instances that were never heard; it ends by itself with the first that is heard";
    explanation.find(severity, what, fix);
}
