//! What an operator asked for: pauses, kept instances, retirements by hand.

use super::{
    shrink::{headroom, slots},
    survey::{Survey, can_be_retired},
    to_u32,
};
use crate::{
    Class, Explanation, Group, Instance, InstanceId, Lifecycle, Limits, Memory, Severity,
    operator::{ByHand, Direction, Operator, Pause},
    retirement::{Phase, Retirement},
    time::readable,
};

/// An instance that is to be retired by hand, as this tick sees it.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    row: &'a Instance,
    /// Whether it is listed once, in service.
    in_service: bool,
    class: Class,
    /// Whether it answered in this tick, and the answer could be read.
    answered: bool,
    retirement: Option<Retirement>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(
        rows: &'a [Instance],
        class: Class,
        answered: bool,
        retirement: Option<&Retirement>,
    ) -> Self {
        Self {
            row: &rows[0],
            in_service: rows.len() == 1 && rows[0].lifecycle == Lifecycle::InService,
            class,
            answered,
            retirement: retirement.cloned(),
        }
    }
}

/// What is to be done about an instance that is to be retired by hand.
enum Verdict {
    Go,
    /// Not now; why.
    Wait(String),
    /// Its retirement is under way.
    UnderWay(Phase),
    /// It can't be; why, and what to do.
    Refuse(String, &'static str),
}

/// The instances whose retirement by hand begins now, and whether each is to be replaced. They are taken out of the survey, so that
/// the stages after this one count without them, and so are those that are kept.
pub(super) fn by_hand<'a>(
    limits: &Limits,
    group: &Group,
    survey: &mut Survey<'a>,
    wanted: u32,
    memory: &mut Memory,
    explanation: &mut Explanation,
) -> Vec<(&'a InstanceId, bool)> {
    if memory.operator.is_empty() {
        return Vec::new();
    }
    let mut going: Vec<(&'a InstanceId, bool)> = Vec::new();
    for asked in std::mem::take(&mut survey.asked) {
        let id = &asked.row.id;
        let Some(wish) = memory.operator.retires().get(id).cloned() else {
            continue;
        };
        match verdict(limits, group, survey, &memory.operator, &asked) {
            Verdict::Go => {
                let replace = replaced(group, survey, wanted, &wish, asked.class);
                survey.retiring += 1;
                survey.leaving += u32::from(!replace);
                if asked.class == Class::Spare {
                    survey.spare_by_hand += 1;
                    survey.ready = survey.ready.saturating_sub(1);
                }
                explanation.find(
                    Severity::Info,
                    format!("{id}: its retirement by hand begins: {}", wish.reason()),
                    "nothing: it is told to end when it is free, and its machine is given back when its Jibri has gone",
                );
                going.push((id, replace));
            }
            Verdict::Wait(why) => {
                explanation.find(
                    Severity::Info,
                    format!(
                        "{id}: its retirement by hand waits, since {why}: {}",
                        wish.reason()
                    ),
                    "nothing: it begins by itself; or take it back (cancel_retire)",
                );
                survey.waiting.push((id, why));
            }
            Verdict::UnderWay(phase) => explanation.find(
                Severity::Info,
                format!(
                    "{id}: is being retired by hand ({phase}): {}",
                    wish.reason()
                ),
                "nothing: a recording that it makes is finished first",
            ),
            Verdict::Refuse(why, fix) => {
                explanation.find(
                    Severity::Warning,
                    format!("{id}: can't be retired by hand, since {why}; that is forgotten"),
                    fix,
                );
                memory.operator.forget_retire(id);
            }
        }
    }
    let is_going = |id: &InstanceId| going.iter().any(|(other, _)| *other == id);
    let kept = memory.operator.kept();
    survey.idle.retain(|(row, idle)| {
        let is_kept = kept.contains_key(&row.id);
        survey.kept_idle += u32::from(is_kept && *idle >= limits.idle_timeout());
        !is_kept && !is_going(&row.id)
    });
    survey
        .broken
        .retain(|row| !kept.contains_key(&row.id) && !is_going(&row.id));
    going
}

fn verdict(
    limits: &Limits,
    group: &Group,
    survey: &Survey<'_>,
    operator: &Operator,
    asked: &Asked<'_>,
) -> Verdict {
    let look = "look at the instance; where nothing is left on it, end it by hand";
    if let Some(retirement) = &asked.retirement {
        let phase = retirement.phase();
        return if phase.is_under_way() {
            Verdict::UnderWay(phase)
        } else {
            let why = "its retirement was given up on";
            Verdict::Refuse(why.into(), look)
        };
    }
    if let Some(keep) = operator.kept().get(&asked.row.id) {
        let why = format!("it is kept ({})", keep.reason());
        return Verdict::Refuse(why, "take back one of the two (unkeep)");
    }
    let is_known = matches!(
        asked.class,
        Class::Spare | Class::Busy | Class::Unhealthy | Class::Expired
    );
    if !is_known || !asked.in_service {
        let (class, state) = (asked.class, &asked.row.lifecycle);
        let why = format!(
            "it is {class} ({state}), and only who is in service and heard can be told to end"
        );
        return Verdict::Refuse(why, look);
    }
    if !group.safe_retirement || !can_be_retired(asked.row) {
        return Verdict::Refuse(
            "it can't be told to end".into(),
            "open Jibri's internal API to the controller (jibri.api.http.internal-api-host), or run an agent on the instance",
        );
    }
    if let Some(pause) = operator.pause(Direction::Shrinking) {
        return Verdict::Wait(format!("shrinking is paused until {}", pause.until()));
    }
    if survey.blind || survey.dazed {
        return Verdict::Wait("too little of the group can be seen".into());
    }
    if !asked.answered {
        return Verdict::Wait("it did not answer in this tick".into());
    }
    if slots(limits, survey) == 0 {
        let (retiring, most) = (survey.retiring, limits.max_retire());
        return Verdict::Wait(format!(
            "{retiring} retirements of at most {most} are under way"
        ));
    }
    Verdict::Go
}

/// Whether the group replaces it: where that was asked for, where spare would be missing, and at the minimum size.
fn replaced(group: &Group, survey: &Survey<'_>, wanted: u32, wish: &ByHand, class: Class) -> bool {
    let there = survey.spare().saturating_add(survey.coming);
    let there = there.saturating_sub(u32::from(class == Class::Spare));
    wish.replace() || there < wanted || headroom(group, survey) == 0
}

/// Forgets what has expired. Returns the instances whose retirement by hand had begun before.
pub(super) fn follow(now: crate::Timestamp, memory: &mut Memory) -> Vec<InstanceId> {
    memory.operator.expire(now);
    let asked = memory.operator.retires().keys();
    let begun = asked.filter(|id| memory.retirements.contains_key(*id));
    begun.cloned().collect()
}

/// Forgets what was asked about instances that are not listed, and says so of those that did not leave as they were asked to.
pub(super) fn forget_unlisted(
    begun: &[InstanceId],
    memory: &mut Memory,
    explanation: &mut Explanation,
) {
    if memory.operator.is_empty() {
        return;
    }
    let listed = |id: &InstanceId| {
        let traces = &memory.instances;
        traces.binary_search_by(|trace| trace.id.cmp(id)).is_ok()
    };
    let unlisted = |id: &&InstanceId| !listed(id);
    let kept: Vec<_> = memory
        .operator
        .kept()
        .keys()
        .filter(unlisted)
        .cloned()
        .collect();
    let retires: Vec<_> = memory
        .operator
        .retires()
        .keys()
        .filter(unlisted)
        .cloned()
        .collect();
    for id in kept {
        explanation.find(
            Severity::Info,
            format!("{id}: was to be kept, and is not listed; that is forgotten"),
            "nothing if it has gone; else look whether the id is right",
        );
        memory.operator.forget_keep(&id);
    }
    for id in retires {
        if !begun.contains(&id) {
            explanation.find(
                Severity::Warning,
                format!(
                    "{id}: can't be retired by hand, since it is not listed; that is forgotten"
                ),
                "nothing if it has gone; else look whether the id is right",
            );
        }
        memory.operator.forget_retire(&id);
    }
}

/// Says what is kept.
pub(super) fn find_kept(memory: &Memory, explanation: &mut Explanation) {
    for (id, keep) in memory.operator.kept() {
        let until = keep
            .until()
            .map_or_else(String::new, |until| format!(" until {until}"));
        let retirement = memory.retirements.get(id).map(Retirement::phase);
        if let Some(phase) = retirement.filter(|phase| phase.is_under_way()) {
            explanation.find(
                Severity::Warning,
                format!(
                    "{id}: is to be kept{until}, but was being retired before ({phase}), and what was told can't be untold: {}",
                    keep.reason()
                ),
                "where its disk is needed, stop its agent before it completes the hook, or take a snapshot of the disk",
            );
        } else {
            explanation.find(
                Severity::Info,
                format!("{id}: is kept{until}: {}", keep.reason()),
                "nothing; take it back (unkeep) when it is needed no longer",
            );
        }
    }
}

/// Says that growing is paused, and how many launches that holds back.
pub(super) fn find_growing(pause: &Pause, held: u32, explanation: &mut Explanation) {
    find_pause("growing", "launches", pause, held, explanation);
}

/// Says that shrinking is paused, and how many retirements that holds back.
pub(super) fn find_shrinking(
    operator: &Operator,
    held: u32,
    survey: &Survey<'_>,
    explanation: &mut Explanation,
) {
    if let Some(pause) = operator.pause(Direction::Shrinking) {
        let held = held.saturating_add(to_u32(survey.broken.len()));
        find_pause("shrinking", "retirements", pause, held, explanation);
    }
}

fn find_pause(what: &str, acts: &str, pause: &Pause, held: u32, explanation: &mut Explanation) {
    let severity = if held > 0 {
        Severity::Warning
    } else {
        Severity::Info
    };
    let lasting = readable(pause.until().since(pause.since()));
    explanation.find(
        severity,
        format!(
            "{what} is paused until {} (for {lasting}): {}; {held} {acts} are held back now",
            pause.until(),
            pause.reason()
        ),
        "nothing: it ends by itself; or end it (resume)",
    );
}
