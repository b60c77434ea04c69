//! What is known of one instance, and how it changes by what is heard.

use std::time::Duration;

use super::AgentReport;
use crate::{DrainPath, Instance, Reachability, Report, Timestamp, port::ProbeOutcome};

/// What is kept of an instance between ticks.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) report: Option<Report>,
    pub(super) direct: bool,
    /// How often it was asked whether it can be told to end.
    pub(super) asked: u64,
    pub(super) answered_last: bool,
}

/// What one instance gave in this tick.
pub(super) struct Heard {
    pub(super) outcome: ProbeOutcome,
    pub(super) direct: bool,
    pub(super) asked: bool,
}

/// Fills in what a probe gave in this tick.
pub(super) fn fill(
    instance: &mut Instance,
    known: &mut Known,
    heard: Option<&Heard>,
    now: Timestamp,
) {
    // Of a clock that stepped back it counts from now on. Else it would stay fresh, and newer than what an agent reports, until the
    // clock is there again.
    if let Some(report) = &mut known.report {
        report.received_at = report.received_at.min(now);
    }
    let reachability = heard.map(|heard| heard.outcome.reachability());
    if reachability == Some(Reachability::Answered) {
        let status = heard.and_then(|heard| heard.outcome.status().cloned());
        known.report = Some(Report::new(now, status));
    }
    known.answered_last = reachability == Some(Reachability::Answered);
    known.asked += u64::from(heard.is_some_and(|heard| heard.asked));
    known.direct |= heard.is_some_and(|heard| heard.direct);
    instance.report.clone_from(&known.report);
    instance.reachability = match reachability {
        Some(reachability) => reachability,
        None if known.report.is_some() => Reachability::TimedOut,
        None => Reachability::Never,
    };
    instance.drain = if known.direct {
        DrainPath::Direct
    } else {
        DrainPath::None
    };
}

/// Takes in what its Jibri said without being asked, where that is the newest. It stands for no answer: a Jibri says it before it can be
/// probed, so that it makes none of those that boot one that was heard, nor one that refuses one that answers.
pub(super) fn overhear(instance: &mut Instance, known: &mut Known, said: Report, now: Timestamp) {
    let received_at = said.received_at.min(now);
    let is_newer = |report: &Report| report.received_at < received_at;
    if known.report.as_ref().is_some_and(is_newer) {
        known.report = Some(Report::new(received_at, said.status));
        instance.report.clone_from(&known.report);
    }
}

/// Takes in what the agent on the instance reported.
pub(super) fn hear(
    instance: &mut Instance,
    known: &mut Known,
    heard: AgentReport,
    by_agent: bool,
    report_ttl: Duration,
    now: Timestamp,
) {
    let received_at = heard.received_at.min(now);
    // A probe may have been answered since, while the agent was silent.
    let newer = known
        .report
        .as_ref()
        .is_none_or(|report| report.received_at <= received_at);
    if newer {
        known.report = Some(Report::new(received_at, Some(heard.status)));
    }
    instance.report.clone_from(&known.report);
    instance.reachability = if now.since(received_at) <= report_ttl / 2 {
        Reachability::Answered
    } else {
        Reachability::TimedOut
    };
    known.answered_last = instance.reachability == Reachability::Answered;
    if by_agent {
        instance.drain = DrainPath::Agent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BusyStatus, HealthStatus, JibriStatus, Lifecycle};

    const TTL: Duration = Duration::from_secs(45);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn status(busy: BusyStatus) -> JibriStatus {
        JibriStatus::new(busy, HealthStatus::Healthy)
    }

    fn said(busy: BusyStatus, secs: i64) -> Report {
        Report::new(at(secs), Some(status(busy)))
    }

    fn probed(outcome: ProbeOutcome) -> Heard {
        Heard {
            outcome,
            direct: false,
            asked: false,
        }
    }

    fn instance() -> (Instance, Known) {
        let id = "i-1".parse().unwrap();
        (Instance::new(id, Lifecycle::InService), Known::default())
    }

    /// One that was read as idle at 10.
    fn idle_at_10() -> (Instance, Known) {
        let (mut instance, mut known) = instance();
        let idle = probed(ProbeOutcome::Answered(status(BusyStatus::Idle)));
        fill(&mut instance, &mut known, Some(&idle), at(10));
        (instance, known)
    }

    fn read(instance: &Instance) -> (&str, Timestamp) {
        let report = instance.report.as_ref().unwrap();
        let status = report.status.as_ref().unwrap();
        (status.busy.as_str(), report.received_at)
    }

    #[test]
    fn a_webhook_is_the_newest_status_until_a_probe_has_read_one() {
        let (mut instance, mut known) = idle_at_10();
        fill(
            &mut instance,
            &mut known,
            Some(&probed(ProbeOutcome::TimedOut)),
            at(20),
        );
        overhear(
            &mut instance,
            &mut known,
            said(BusyStatus::Busy, 15),
            at(20),
        );
        assert_eq!(read(&instance), ("BUSY", at(15)));
        assert_eq!(instance.reachability, Reachability::TimedOut);
        assert_eq!(instance.drain, DrainPath::None);

        let idle = probed(ProbeOutcome::Answered(status(BusyStatus::Idle)));
        fill(&mut instance, &mut known, Some(&idle), at(30));
        // It came while the probe was under way, or is the one of before.
        for received_at in [15, 30, 31] {
            let busy = said(BusyStatus::Busy, received_at);
            overhear(&mut instance, &mut known, busy, at(30));
            assert_eq!(read(&instance), ("IDLE", at(30)), "{received_at}");
        }
    }

    #[test]
    fn a_webhook_is_no_answer() {
        // It is sent before the ports listen: what boots goes on booting.
        let (mut instance, mut known) = instance();
        fill(&mut instance, &mut known, None, at(10));
        overhear(&mut instance, &mut known, said(BusyStatus::Idle, 9), at(10));
        assert_eq!(
            (instance.reachability, &instance.report),
            (Reachability::Never, &None)
        );

        // One that refuses is unknown, whatever it said.
        let (mut instance, mut known) = idle_at_10();
        fill(
            &mut instance,
            &mut known,
            Some(&probed(ProbeOutcome::Refused)),
            at(20),
        );
        overhear(
            &mut instance,
            &mut known,
            said(BusyStatus::Idle, 19),
            at(20),
        );
        assert_eq!(instance.reachability, Reachability::Refused);
    }

    #[test]
    fn an_agent_and_the_webhook_of_its_jibri_are_heard_by_their_age() {
        let agent = |secs| AgentReport::new(at(secs), status(BusyStatus::Idle), "0.1.0");
        for (agent_at, webhook_at, expected) in [(15, 17, "BUSY"), (17, 15, "IDLE")] {
            let (mut instance, mut known) = idle_at_10();
            fill(&mut instance, &mut known, None, at(20));
            let busy = said(BusyStatus::Busy, webhook_at);
            overhear(&mut instance, &mut known, busy, at(20));
            hear(
                &mut instance,
                &mut known,
                agent(agent_at),
                true,
                TTL,
                at(20),
            );
            assert_eq!(read(&instance), (expected, at(17)));
            assert_eq!(instance.drain, DrainPath::Agent);
        }
    }
}
