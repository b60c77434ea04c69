//! What one instance counts as.

use std::time::Duration;

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
    /// Whether a recording was seen to start: it is busy, and was free at the look before.
    pub(super) started: bool,
    /// How long it took to boot, if it is ready for the first time.
    pub(super) boot: Option<Duration>,
}

/// When it was launched. Nobody is younger than we have seen it, whatever the two clocks say.
fn launched(row: &Instance, trace: &Trace) -> Timestamp {
    row.launched_at
        .unwrap_or(trace.first_seen)
        .min(trace.first_seen)
}

#[derive(Clone, Copy)]
/// The eyes: the limits, the time, and whether time was not observed without a gap, or not at all before.
pub(super) struct See<'a> {
    pub(super) limits: &'a Limits,
    pub(super) now: Timestamp,
    pub(super) broken: bool,
    pub(super) first: bool,
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
        trace.booted |= self.booted_unseen(row, trace);
        // Free at the look before, or not up yet.
        let free = trace.idle.is_some() || (!trace.heard && !trace.overdue);
        let reading = self.reading(row, trace);
        let started = free && reading.is_some_and(|status| self.started(status, trace));
        let boot = reading.and_then(|status| self.boot(row, status, trace));
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
            started,
            boot,
        }
    }

    /// Whether one that was free at the look before is busy now.
    fn started(self, status: &JibriStatus, trace: &Trace) -> bool {
        !self.broken && trace.first_seen < self.now && status.is_busy()
    }

    /// How long it took to boot, if it is up for the first time: to the first healthy IDLE, or to BUSY where it was taken before.
    /// One that was overdue took as long as it may: the address of a Jibri may have been wrong for days.
    fn boot(self, row: &Instance, status: &JibriStatus, trace: &mut Trace) -> Option<Duration> {
        let up = status.is_available() || status.is_busy();
        if trace.booted || !up {
            return None;
        }
        trace.booted = true;
        let age = self.now.since(launched(row, trace));
        let watched = !self.broken && trace.first_seen < self.now;
        watched.then(|| age.min(self.limits.boot_deadline()))
    }

    /// Whether an instance that is seen for the first time began to boot unseen, so that how long it takes can't be known.
    fn booted_unseen(self, row: &Instance, trace: &Trace) -> bool {
        let old = self.now.since(launched(row, trace)) >= self.limits.boot_deadline();
        let here_before = (self.broken || self.first) && row.launched_at.is_none();
        trace.first_seen >= self.now && (old || here_before)
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
        let age = self.now.since(launched(row, trace));
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
            started: false,
            boot: None,
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
