//! What is odd about the group and its instances.

use super::{classify::Seen, some_of, survey::Survey};
use crate::{
    Class, Explanation, Group, Instance, InstanceId, Limits, Memory, Reachability, Severity,
    Timestamp, memory::Trace, retirement::Retirement, time::readable,
};

/// What is worth a finding.
#[derive(Debug, Default)]
pub(super) struct Odd<'a> {
    overdue: Vec<&'a InstanceId>,
    contradicting: Vec<&'a InstanceId>,
    unknown_long: Vec<&'a InstanceId>,
    crashed: Vec<&'a InstanceId>,
    busy_long: Vec<&'a InstanceId>,
    unhealthy_busy: Vec<&'a InstanceId>,
    stuck: Vec<&'a InstanceId>,
}

impl<'a> Odd<'a> {
    /// Notes what is odd about one instance.
    pub(super) fn note(
        &mut self,
        limits: &Limits,
        now: Timestamp,
        rows: &'a [Instance],
        trace: &Trace,
        seen: &Seen,
        retirement: Option<&Retirement>,
    ) {
        let id = &rows[0].id;
        match seen.class {
            Class::Overdue => self.overdue.push(id),
            Class::Unknown => {
                if trace
                    .unknown_since
                    .is_some_and(|since| now.since(since) >= limits.boot_deadline())
                {
                    self.unknown_long.push(id);
                }
                if rows[0].reachability == Reachability::Refused && trace.busy_since.is_some() {
                    self.crashed.push(id);
                }
            }
            Class::Busy => {
                if trace
                    .busy_since
                    .is_some_and(|since| now.since(since) >= limits.max_busy())
                {
                    self.busy_long.push(id);
                }
                if seen.unhealthy {
                    self.unhealthy_busy.push(id);
                }
            }
            _ => {}
        }
        if rows.len() > 1 {
            self.contradicting.push(id);
        }
        if retirement.is_some_and(|retirement| !retirement.phase().is_under_way()) {
            self.stuck.push(id);
        }
    }
}

impl Survey<'_> {
    /// Says what is odd about the group and its instances.
    pub(super) fn find(
        &self,
        limits: &Limits,
        group: &Group,
        now: Timestamp,
        memory: &Memory,
        explanation: &mut Explanation,
    ) {
        use Severity::{Critical, Info, Warning};
        let deadline = readable(limits.boot_deadline());
        if self.blind {
            let (unseen, counting) = (self.unseen, self.counting);
            let percent = u64::from(unseen) * 100 / u64::from(counting.max(1));
            explanation.find(
                Critical,
                format!(
                    "blind: nothing certain is known of {unseen} of {counting} instances ({percent} %), and \
                     max_unknown_percent is {} %; nothing is retired or replaced, and launches are limited until sight returns",
                    limits.max_unknown_percent()
                ),
                "look at the network between here and the Jibris, their addresses, their ports and security groups; it ends by \
                 itself when enough of them are heard",
            );
        }
        if group.min_size > group.max_size {
            explanation.find(
                Warning,
                format!(
                    "the group's minimum size {} is above its maximum size {}",
                    group.min_size, group.max_size
                ),
                "correct the bounds of the group",
            );
        }
        if group.desired < self.counting {
            explanation.find(
                Warning,
                format!(
                    "the desired capacity {} is below the {} instances that count: each one that loses its scale-in \
                     protection ends at once",
                    group.desired, self.counting
                ),
                "keep the instances protected; do not lower the desired capacity by hand or by a policy",
            );
        }
        if memory
            .missing_since
            .is_some_and(|since| now.since(since) >= limits.boot_deadline())
        {
            explanation.find(
                Critical,
                format!(
                    "{} launches are outstanding for longer than boot_deadline ({deadline}); they are not asked for twice",
                    group.desired.saturating_sub(self.counting)
                ),
                "look at the scaling activities of the group: capacity, quota, launch template or subnet",
            );
        }
        let lists: [(Severity, &[&InstanceId], &str, &str); 7] = [
            (
                Warning,
                &self.odd.overdue,
                "launched longer ago than boot_deadline and never heard",
                "look at the boot log, the address and the ports of the instance; it is never ended from here",
            ),
            (
                Warning,
                &self.odd.contradicting,
                "listed twice with different contents",
                "nothing if it was once; it counts as unknown meanwhile",
            ),
            (
                Warning,
                &self.odd.unknown_long,
                "not heard for boot_deadline after having been heard",
                "look at the instance; it may be recording, so it is never ended from here",
            ),
            (
                Critical,
                &self.odd.crashed,
                "was BUSY and now refuses, without having been told to end: its Jibri may have crashed",
                "rescue the recording from the instance, then end it by hand",
            ),
            (
                Warning,
                &self.odd.busy_long,
                "busy for longer than max_busy",
                "look whether the recording is stuck; it is never ended from here",
            ),
            (
                Info,
                &self.odd.unhealthy_busy,
                "unhealthy and busy: left alone until the recording is done",
                "nothing",
            ),
            (
                Warning,
                &self.odd.stuck,
                "could not be retired: it could not be told, or it came back each time",
                "look at the internal port and at the supervisor, which must not restart Jibri after exit code 255; end the machine by hand where its Jibri has ended",
            ),
        ];
        for (severity, ids, what, fix) in lists {
            if !ids.is_empty() {
                explanation.find(severity, format!("{}: {what}", some_of(ids)), fix);
            }
        }
    }
}
