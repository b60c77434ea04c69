//! What the agents on the instances report of their Jibris.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    InstanceId, JibriStatus, Report, Timestamp,
    wake::{Wake, Wakes},
};

/// What an agent reported of the Jibri on its instance.
///
/// ```
/// use jibri_scaler_core::{BusyStatus, HealthStatus, JibriStatus, Timestamp, observe::AgentReport};
///
/// let status = JibriStatus::new(BusyStatus::Idle, HealthStatus::Healthy);
/// let report = AgentReport::new(Timestamp::from_secs(0), status, "0.1.0");
/// assert_eq!(&*report.version, "0.1.0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentReport {
    /// When it was received, by the clock of the receiver.
    pub received_at: Timestamp,
    /// What the Jibri said to its agent.
    pub status: JibriStatus,
    /// The version of the agent, as it says.
    pub version: Box<str>,
}

impl AgentReport {
    /// A report received at that time from an agent of that version.
    #[must_use]
    pub fn new(received_at: Timestamp, status: JibriStatus, version: &str) -> Self {
        Self {
            received_at,
            status,
            version: version.into(),
        }
    }
}

/// What was pushed about each instance last: filled by whatever receives it, read by [`JoinedObserver`](super::JoinedObserver).
///
/// It is shared by `Arc`. It holds reports of listed instances only, so its size is bounded by the group, and nobody can report
/// for an instance that is not there. Nothing in it waits for anything but the few instructions under its lock, so that whoever
/// receives reports can answer at once, whatever the controller does.
///
/// ```
/// use jibri_scaler_core::{
///     BusyStatus, HealthStatus, JibriStatus, Timestamp, observe::{AgentReport, AgentReports},
/// };
///
/// let reports = AgentReports::default();
/// let status = JibriStatus::new(BusyStatus::Idle, HealthStatus::Healthy);
/// let report = AgentReport::new(Timestamp::from_secs(0), status, "0.1.0");
/// assert!(reports.receive(&"i-0abc".parse()?, report.clone()).is_err(), "it is not listed yet");
/// reports.list([&"i-0abc".parse()?]);
/// assert!(reports.receive(&"i-0abc".parse()?, report).is_ok());
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Debug, Default)]
pub struct AgentReports {
    /// By listed instance.
    pushed: Mutex<BTreeMap<InstanceId, Pushed>>,
    wake: Wake,
}

/// Two reports that overtake each other are not so far apart: a body does not take so long to arrive. What is stamped earlier than that
/// was stamped by a clock that stepped back.
const OVERTAKES_WITHIN: Duration = Duration::from_secs(60);

/// Whether a report of this time was overtaken by the one before it in the store.
fn is_late(before: Timestamp, received_at: Timestamp) -> bool {
    received_at < before && before.since(received_at) <= OVERTAKES_WITHIN
}

/// What was pushed about one instance last.
#[derive(Clone, Debug, Default)]
struct Pushed {
    agent: Option<AgentReport>,
    jibri: Option<Report>,
}

impl AgentReports {
    /// Takes in the report of an agent. It is a [wake-up](Self::wakes) where it says something else than the one before. One that
    /// was overtaken on its way by a newer one changes nothing.
    ///
    /// # Errors
    /// Where no such instance was listed last. An agent reports again soon, and by then it may be.
    pub fn receive(&self, id: &InstanceId, report: AgentReport) -> Result<(), NotListed> {
        self.take_in(id, |pushed| {
            let before = pushed.agent.as_ref();
            if before.is_some_and(|before| is_late(before.received_at, report.received_at)) {
                return false;
            }
            let is_news = before.is_none_or(|before| before.status != report.status);
            pushed.agent = Some(report);
            is_news
        })
    }

    /// Takes in what a Jibri said of itself without being asked, in its webhook. It is a [wake-up](Self::wakes) where it says
    /// something else than the one before.
    ///
    /// It is not the report of an agent: nobody is retired through it, and it stands for no answer. The observer takes it for the
    /// newest status of an instance that has answered before, until a probe has read a newer one.
    ///
    /// # Errors
    /// Where no such instance was listed last.
    ///
    /// ```
    /// use futures_util::{FutureExt as _, StreamExt as _};
    /// use jibri_scaler_core::{BusyStatus, HealthStatus, JibriStatus, Timestamp, observe::AgentReports};
    ///
    /// let (reports, id) = (AgentReports::default(), "i-0abc".parse()?);
    /// reports.list([&id]);
    /// let busy = JibriStatus::new(BusyStatus::Busy, HealthStatus::Healthy);
    /// reports.receive_from_jibri(&id, busy, Timestamp::from_secs(0)).expect("it is listed");
    /// assert_eq!(reports.newest(&id), None, "no agent has reported");
    /// assert!(reports.wakes().next().now_or_never().is_some(), "a tick should come now");
    /// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
    /// ```
    pub fn receive_from_jibri(
        &self,
        id: &InstanceId,
        status: JibriStatus,
        received_at: Timestamp,
    ) -> Result<(), NotListed> {
        self.take_in(id, |pushed| {
            let before = pushed.jibri.as_ref();
            if before.is_some_and(|before| is_late(before.received_at, received_at)) {
                return false;
            }
            let is_news = before.is_none_or(|before| before.status.as_ref() != Some(&status));
            pushed.jibri = Some(Report::new(received_at, Some(status)));
            is_news
        })
    }

    /// Takes in that something happened to this instance of which nothing else is known: a [wake-up](Self::wakes) and nothing more.
    ///
    /// # Errors
    /// Where no such instance was listed last.
    pub fn hint(&self, id: &InstanceId) -> Result<(), NotListed> {
        self.take_in(id, |_| true)
    }

    /// When the next tick should come at once: one item for any number of news since the last. It is for one who waits; see
    /// [`promptly`](crate::wake::promptly), which merges it into the ticks.
    pub fn wakes(&self) -> Wakes {
        self.wake.wakes()
    }

    /// The newest report of the agent on this instance.
    #[must_use]
    pub fn newest(&self, id: &InstanceId) -> Option<AgentReport> {
        self.lock().get(id)?.agent.clone()
    }

    /// Says which instances there are. Reports of others are forgotten.
    pub fn list<'a>(&self, ids: impl IntoIterator<Item = &'a InstanceId>) {
        // Sorted before the lock is taken, under which nearly always nothing changes.
        let listed: BTreeSet<&InstanceId> = ids.into_iter().collect();
        let mut pushed = self.lock();
        pushed.retain(|id, _| listed.contains(id));
        if pushed.len() < listed.len() {
            for id in listed {
                if !pushed.contains_key(id) {
                    pushed.insert(id.clone(), Pushed::default());
                }
            }
        }
    }

    /// What the Jibri of this instance said of itself last.
    pub(super) fn said(&self, id: &InstanceId) -> Option<Report> {
        self.lock().get(id)?.jibri.clone()
    }

    /// Takes in that it is `now`: what is stamped later counts as received now, once. Else a step back of the clock would keep a
    /// report fresh for as long as the step, and those after it out.
    pub(super) fn received_by(&self, now: Timestamp) {
        for pushed in self.lock().values_mut() {
            let agent = pushed.agent.as_mut().map(|report| &mut report.received_at);
            let jibri = pushed.jibri.as_mut().map(|report| &mut report.received_at);
            for received_at in agent.into_iter().chain(jibri) {
                *received_at = now.min(*received_at);
            }
        }
    }

    /// Changes what is known of a listed instance, and wakes where that is news.
    fn take_in(
        &self,
        id: &InstanceId,
        change: impl FnOnce(&mut Pushed) -> bool,
    ) -> Result<(), NotListed> {
        let is_news = match self.lock().get_mut(id) {
            Some(pushed) => change(pushed),
            None => return Err(NotListed { id: id.clone() }),
        };
        // Not under the lock: whoever is woken may want it.
        if is_news {
            self.wake.wake();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Pushed>> {
        // What a panicking thread left is whole: each change is one assignment.
        self.pushed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A report for an instance that is not listed.
///
/// ```
/// use jibri_scaler_core::{
///     BusyStatus, HealthStatus, JibriStatus, Timestamp, observe::{AgentReport, AgentReports},
/// };
///
/// let status = JibriStatus::new(BusyStatus::Idle, HealthStatus::Healthy);
/// let report = AgentReport::new(Timestamp::from_secs(0), status, "0.1.0");
/// let error = AgentReports::default().receive(&"i-0abc".parse()?, report).unwrap_err();
/// assert_eq!(error.to_string(), "instance `i-0abc` is not in the group, as it was listed last");
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("instance `{id}` is not in the group, as it was listed last")]
pub struct NotListed {
    id: InstanceId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BusyStatus, HealthStatus};

    #[test]
    fn reports_are_kept_as_long_as_their_instance_is_listed_and_no_longer() {
        let (here, gone): (InstanceId, InstanceId) =
            ("i-1".parse().unwrap(), "i-2".parse().unwrap());
        let status = JibriStatus::new(BusyStatus::Busy, HealthStatus::Healthy);
        let report = AgentReport::new(Timestamp::from_secs(1), status, "0.1.0");
        let reports = AgentReports::default();
        reports.list([&here, &gone]);
        reports.receive(&here, report.clone()).unwrap();
        reports.receive(&gone, report.clone()).unwrap();
        reports.list([&here]);
        assert_eq!(reports.newest(&here), Some(report.clone()));
        assert_eq!(reports.newest(&gone), None);
        assert!(reports.receive(&gone, report).is_err());
        reports.list([&here, &gone]);
        assert_eq!(
            reports.newest(&gone),
            None,
            "what was forgotten does not come back"
        );
    }

    #[test]
    fn news_wake_and_what_is_known_does_not() {
        use futures_util::{FutureExt as _, StreamExt as _};

        let id: InstanceId = "i-1".parse().unwrap();
        let reports = AgentReports::default();
        let mut wakes = reports.wakes();
        let mut woken = || wakes.next().now_or_never().is_some();
        let status = |busy: &str| JibriStatus::new(busy.into(), HealthStatus::Healthy);
        let agent = |busy, at| {
            let report = AgentReport::new(Timestamp::from_secs(at), status(busy), "0.1.0");
            reports.receive(&id, report)
        };
        let jibri =
            |busy, at| reports.receive_from_jibri(&id, status(busy), Timestamp::from_secs(at));
        assert!(agent("IDLE", 1).is_err() && jibri("IDLE", 1).is_err());
        assert!(reports.hint(&id).is_err());
        assert!(!woken(), "it is not listed");

        reports.list([&id]);
        for report in [&agent as &dyn Fn(_, _) -> _, &jibri] {
            for (busy, at, is_news) in [
                ("IDLE", 1, true),
                ("IDLE", 2, false),
                ("BUSY", 3, true),
                ("BUSY", 3, false),
                // One that comes late.
                ("IDLE", 2, false),
                ("IDLE", 3, true),
            ] {
                report(busy, at).unwrap();
                assert_eq!(woken(), is_news, "{busy} at {at}");
            }
        }
        reports.hint(&id).unwrap();
        assert!(woken() && !woken());
    }

    #[test]
    fn one_that_comes_late_replaces_nothing_and_a_step_back_of_the_clock_ends_at_the_next_tick() {
        let id: InstanceId = "i-1".parse().unwrap();
        let reports = AgentReports::default();
        reports.list([&id]);
        let receive = |busy, at| {
            let status = JibriStatus::new(busy, HealthStatus::Healthy);
            let at = Timestamp::from_secs(at);
            reports
                .receive(&id, AgentReport::new(at, status.clone(), "0.1.0"))
                .unwrap();
            reports.receive_from_jibri(&id, status, at).unwrap();
            let (agent, jibri) = (reports.newest(&id).unwrap(), reports.said(&id).unwrap());
            assert_eq!(
                (Some(&agent.status), agent.received_at),
                (jibri.status.as_ref(), jibri.received_at)
            );
            agent.status.busy
        };
        assert_eq!(receive(BusyStatus::Busy, 100), BusyStatus::Busy);
        assert_eq!(receive(BusyStatus::Idle, 99), BusyStatus::Busy);
        reports.received_by(Timestamp::from_secs(10));
        assert_eq!(receive(BusyStatus::Idle, 11), BusyStatus::Idle);
    }
}
