//! What the agents on the instances report of their Jibris.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{InstanceId, JibriStatus, Timestamp};

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

/// The newest report of each agent: filled by whatever receives them, read by [`JoinedObserver`](super::JoinedObserver).
///
/// It is shared by `Arc`. It holds reports of listed instances only, so its size is bounded by the group, and nobody can report
/// for an instance that is not there.
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
    newest: Mutex<BTreeMap<InstanceId, Option<AgentReport>>>,
}

impl AgentReports {
    /// Takes in a report.
    ///
    /// # Errors
    /// Where no such instance was listed last. An agent reports again soon, and by then it may be.
    pub fn receive(&self, id: &InstanceId, report: AgentReport) -> Result<(), NotListed> {
        match self.lock().get_mut(id) {
            Some(newest) => {
                *newest = Some(report);
                Ok(())
            }
            None => Err(NotListed { id: id.clone() }),
        }
    }

    /// The newest report of the agent on this instance.
    #[must_use]
    pub fn newest(&self, id: &InstanceId) -> Option<AgentReport> {
        self.lock().get(id).cloned().flatten()
    }

    /// Says which instances there are. Reports of others are forgotten.
    pub fn list<'a>(&self, ids: impl IntoIterator<Item = &'a InstanceId>) {
        let mut newest = self.lock();
        let listed = ids
            .into_iter()
            .map(|id| (id.clone(), newest.remove(id).flatten()))
            .collect();
        *newest = listed;
    }

    /// Takes in that it is `now`: what is stamped later counts as received now, once. Else a step back of the clock would keep a
    /// report fresh for as long as the step.
    pub(super) fn received_by(&self, now: Timestamp) {
        for report in self.lock().values_mut().flatten() {
            report.received_at = report.received_at.min(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Option<AgentReport>>> {
        // What a panicking thread left is whole: each change is one assignment.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
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
}
