//! What one instance counts as.

use crate::{
    Class, HealthStatus, Instance, JibriStatus, Limits, Reachability, Timestamp,
    memory::Trace,
    retirement::{Retirement, Work},
    safeguard::{Safeguard, holds},
};

/// What was seen of one instance.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) class: Class,
    /// What a Jibri under retirement is doing, in a report received after it was told.
    pub(super) work: Work,
    pub(super) unhealthy: bool,
    /// Whether it answered in this tick, and the answer could be read.
    pub(super) answered: bool,
}

#[derive(Clone, Copy)]
/// The eyes: the limits, the time, and whether time was not observed without a gap.
pub(super) struct See<'a> {
    pub(super) limits: &'a Limits,
    pub(super) now: Timestamp,
    pub(super) broken: bool,
}

impl See<'_> {
    /// Looks at the rows of one instance, and brings what is remembered of it up to date.
    pub(super) fn instance(
        self,
        rows: &[Instance],
        trace: &mut Trace,
        retirement: Option<&Retirement>,
    ) -> Seen {
        let [row] = rows else {
            return self.contradicting(rows, trace, retirement);
        };
        let reading = self.reading(row, trace);
        let class = self.class(row, reading, trace, retirement);
        self.remember(reading, class, trace);
        let since_told = trace.report.zip(retirement.and_then(Retirement::told_at));
        let work = match reading {
            Some(status) if since_told.is_some_and(|((_, received), told)| received > told) => {
                if status.is_busy() {
                    Work::Busy
                } else {
                    Work::Free
                }
            }
            _ => Work::Unknown,
        };
        Seen {
            class,
            work,
            unhealthy: reading.is_some_and(|s| s.health == HealthStatus::Unhealthy),
            answered: reading.is_some() && row.reachability == Reachability::Answered,
        }
    }

    /// The newest report, if it can be read, is fresh, and the Jibri does not refuse now.
    fn reading<'r>(self, row: &'r Instance, trace: &mut Trace) -> Option<&'r JibriStatus> {
        let report = row.report.as_ref()?;
        let received = match trace.report {
            // A stamp from the future counts as received when it was first seen, and not as received anew in each tick.
            Some((stamp, received)) if stamp == report.received_at => received,
            _ => report.received_at.min(self.now),
        };
        trace.report = Some((report.received_at, received));
        let status = report.status.as_ref()?;
        trace.heard |= row.reachability != Reachability::Never;
        let fresh = self.now.since(received) <= self.limits.report_ttl()
            || !holds(Safeguard::StaleIsUnknown);
        // Whoever refuses now, or is said to have never answered although it did, is not described by its last report.
        let tried = matches!(
            row.reachability,
            Reachability::Answered | Reachability::TimedOut
        );
        (fresh && tried).then_some(status)
    }

    fn class(
        self,
        row: &Instance,
        reading: Option<&JibriStatus>,
        trace: &Trace,
        retirement: Option<&Retirement>,
    ) -> Class {
        use crate::{BusyStatus::Expired, HealthStatus::Unhealthy};
        if row.lifecycle.is_leaving() || retirement.is_some_and(|r| r.phase().is_under_way()) {
            return Class::Retiring;
        }
        if !row.lifecycle.is_counting() {
            return Class::Other;
        }
        if !trace.heard {
            return self.unheard(row, trace);
        }
        match reading {
            Some(status) if status.is_busy() => Class::Busy,
            Some(_) if row.lifecycle.is_pending() => Class::Booting,
            Some(status) if status.health == Unhealthy => Class::Unhealthy,
            Some(status) if status.busy == Expired => Class::Expired,
            Some(status) if status.is_available() => Class::Spare,
            _ => Class::Unknown,
        }
    }

    fn unheard(self, row: &Instance, trace: &Trace) -> Class {
        // Nobody is younger than we have seen it, whatever the two clocks say.
        let launched = row.launched_at.unwrap_or(trace.first_seen);
        let age = self.now.since(launched.min(trace.first_seen));
        // After a gap the age may be the work of a clock that jumped. One that was overdue is so until it is heard.
        let old = age >= self.limits.boot_deadline() && !self.broken;
        if old || trace.overdue {
            Class::Overdue
        } else {
            Class::Booting
        }
    }

    /// Rows that contradict each other: only what all of them agree on holds.
    fn contradicting(
        self,
        rows: &[Instance],
        trace: &mut Trace,
        retirement: Option<&Retirement>,
    ) -> Seen {
        trace.heard |= rows
            .iter()
            .any(|row| row.status().is_some() && row.reachability != Reachability::Never);
        let all = |class: Class| {
            rows.iter()
                .all(|row| self.class(row, None, trace, retirement) == class)
        };
        let agreed = [
            Class::Retiring,
            Class::Other,
            Class::Booting,
            Class::Overdue,
        ];
        let class = agreed
            .into_iter()
            .find(|class| all(*class))
            .unwrap_or(Class::Unknown);
        self.remember(None, class, trace);
        Seen {
            class,
            work: Work::Unknown,
            unhealthy: false,
            answered: false,
        }
    }

    fn remember(self, reading: Option<&JibriStatus>, class: Class, trace: &mut Trace) {
        let received = trace.report.map_or(self.now, |(_, received)| received);
        trace.idle = match (reading, trace.idle) {
            (Some(status), run) if status.is_available() => match run {
                Some((first, newest)) if received >= newest => Some((first, received)),
                // The first report of a run, or one whose time went back.
                _ => Some((received, received)),
            },
            _ => None,
        };
        match reading {
            Some(status) if status.is_busy() => {
                trace.busy_since = trace.busy_since.or(Some(self.now));
            }
            Some(_) => trace.busy_since = None,
            None => {}
        }
        trace.overdue = class == Class::Overdue;
        trace.unknown_since =
            (class == Class::Unknown).then(|| trace.unknown_since.unwrap_or(self.now));
    }
}
