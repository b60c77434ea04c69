//! What is learned from a tick. No safety rule looks at it.

use super::survey::Survey;
use crate::{
    Explanation, FleetSnapshot, Memory, Severity, Timestamp, learned::Look, policy::Policy,
};

pub(super) fn learn(
    policy: &dyn Policy,
    snapshot: &FleetSnapshot,
    survey: &Survey<'_>,
    now: Timestamp,
    broken: bool,
    memory: &mut Memory,
    explanation: &mut Explanation,
) {
    if let Some(lost) = memory.learned.take_lost() {
        explanation.find(
            Severity::Warning,
            format!("{lost}: it is learned anew"),
            "raise min_idle for the weeks that takes; or stop, put back a copy of the memory from before, and start the release that wrote it",
        );
    }
    if let Some(zone) = policy.demand_zone()
        && let Some(before) = memory.learned.learn_demand_in(zone)
    {
        explanation.find(
            Severity::Warning,
            format!("the demand was learned in {before} and is now to be that of {zone}: it is learned anew"),
            "nothing if that was meant; else give the old time_zone back before the memory is saved too often",
        );
    }
    memory.learned.look(&Look {
        now,
        last: memory.last_tick.filter(|_| !broken),
        starts: survey.starts,
        refused: snapshot.refused(),
        open: survey.tally.spare > 0,
        boots: &survey.boots,
    });
}
