//! How many recordings were refused, as Jicofo counts them.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt as _, future::join, stream::FuturesOrdered};
use jibri_scaler_core::{
    Finding, Severity, Timestamp,
    observe::{FleetObserver, Observation},
    port::PortError,
};

use crate::jicofo::{Jicofo, Metrics};

/// The counter, since [jitsi/jicofo#1306](https://github.com/jitsi/jicofo/pull/1306), of requests for which no Jibri was connected, and since
/// [jitsi/jicofo#1310](https://github.com/jitsi/jicofo/pull/1310), some days later, also of those for which all were busy.
const METRIC: &str = "jibri_no_instance_failures";
const ADVICE: &str = "counts refused recordings (since August 2026)";

/// An observer whose snapshots say how many recordings were refused since the one before.
///
/// Where a Jicofo could not be read, or is read for the first time, that is not known; what was refused meanwhile is in the next number. A
/// Jicofo that was restarted counts from zero.
#[derive(Debug)]
pub(crate) struct CountedRefusals<O> {
    observer: O,
    jicofos: Vec<Jicofo>,
    /// What each has counted.
    counted: Mutex<Vec<Option<u32>>>,
}

impl<O: FleetObserver> CountedRefusals<O> {
    /// The observer, with the refusals of all these; without any, as it is.
    pub(crate) fn new(observer: O, jicofos: Vec<Jicofo>) -> Self {
        let counted = Mutex::new(vec![None; jicofos.len()]);
        Self {
            observer,
            jicofos,
            counted,
        }
    }

    async fn metrics(&self) -> Vec<Result<Metrics, String>> {
        let asked: FuturesOrdered<_> = self.jicofos.iter().map(Jicofo::metrics).collect();
        asked.collect().await
    }

    /// The refusals since the snapshot before, where all of them are known.
    fn since(
        &self,
        metrics: Vec<Result<Metrics, String>>,
        findings: &mut Vec<Finding>,
    ) -> Option<u32> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Some(0_u32);
        for (metrics, before) in metrics.into_iter().zip(&mut *counted) {
            let number = metrics.and_then(|metrics| {
                let number = metrics.number(METRIC, ADVICE)?;
                if metrics.help(METRIC).is_some_and(|help| !help.contains("busy")) {
                    return Err(format!(
                        "this Jicofo counts in `{METRIC}` only requests for which no Jibri was connected, not those for which all were busy"
                    ));
                }
                Ok(number)
            });
            let new = match number {
                Ok(number) => before.replace(number).map(|before| {
                    // It counts from zero again after a restart.
                    number.checked_sub(before).unwrap_or(number)
                }),
                Err(why) => {
                    findings.push(Finding::new(
                        Severity::Warning,
                        format!("it is not known how many recordings were refused: {why}"),
                        "let --jicofo name a Jicofo of a version after August 2026 that this machine reaches, or leave it out",
                    ));
                    None
                }
            };
            all = all.zip(new).map(|(all, new)| all.saturating_add(new));
        }
        all
    }
}

#[async_trait]
impl<O: FleetObserver> FleetObserver for CountedRefusals<O> {
    async fn observe(&self, now: Timestamp) -> Result<Observation, PortError> {
        if self.jicofos.is_empty() {
            return self.observer.observe(now).await;
        }
        let (observation, metrics) = join(self.observer.observe(now), self.metrics()).await;
        // Without an observation nothing is taken as told.
        let mut observation = observation?;
        if let Some(refused) = self.since(metrics, &mut observation.findings) {
            observation.snapshot = observation.snapshot.with_refused(refused);
        }
        Ok(observation)
    }

    fn report_ttl_changed(&self, report_ttl: Duration) {
        self.observer.report_ttl_changed(report_ttl);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use jibri_scaler_core::{FleetSnapshot, Group, port::PortErrorKind};

    use super::*;
    use crate::jicofo::tests::jicofo;

    /// Sees an empty group, or fails once.
    #[derive(Default)]
    struct Empty {
        fails: AtomicBool,
        report_ttl: Mutex<Duration>,
    }

    #[async_trait]
    impl FleetObserver for Empty {
        async fn observe(&self, _now: Timestamp) -> Result<Observation, PortError> {
            if self.fails.swap(false, Ordering::Relaxed) {
                return Err(PortError::new(PortErrorKind::Transient, "list"));
            }
            Ok(Observation::new(FleetSnapshot::new(
                Group::new(0, 9, 0),
                vec![],
            )))
        }

        fn report_ttl_changed(&self, report_ttl: Duration) {
            *self.report_ttl.lock().unwrap() = report_ttl;
        }
    }

    fn counts(number: u32) -> (&'static str, String) {
        let help = "# HELP jitsi_jicofo_jibri_no_instance_failures_total No instance was available or all instances were busy\n";
        (
            "200 OK",
            format!("{help}jitsi_jicofo_jibri_no_instance_failures_total {number}.0\n"),
        )
    }

    fn of(urls: &[&String]) -> CountedRefusals<Empty> {
        let jicofos = urls
            .iter()
            .map(|url| Jicofo::new(url, Duration::from_secs(5)).unwrap());
        CountedRefusals::new(Empty::default(), jicofos.collect())
    }

    async fn refused(observer: &CountedRefusals<Empty>) -> (Option<u32>, usize) {
        let observation = observer.observe(Timestamp::from_secs(0)).await.unwrap();
        (observation.snapshot.refused(), observation.findings.len())
    }

    #[tokio::test]
    async fn what_was_counted_since_the_tick_before_is_told() {
        let broken = || ("503 Busy", String::new());
        let (url, _) = jicofo(vec![
            counts(40),
            counts(40),
            counts(43),
            broken(),
            counts(45),
            counts(2),
        ]);
        let observer = of(&[&url]);
        let mut told = Vec::new();
        for _ in 0..6 {
            told.push(refused(&observer).await);
        }
        // The first number says nothing, what passed while Jicofo was silent is told later, and it was restarted at the end.
        assert_eq!(
            told,
            [
                (None, 0),
                (Some(0), 0),
                (Some(3), 0),
                (None, 1),
                (Some(2), 0),
                (Some(2), 0)
            ]
        );
    }

    #[tokio::test]
    async fn what_a_tick_that_failed_did_not_see_is_told_by_the_next() {
        let (url, _) = jicofo(vec![counts(1), counts(5), counts(6)]);
        let observer = of(&[&url]);
        refused(&observer).await;
        observer.observer.fails.store(true, Ordering::Relaxed);
        assert!(observer.observe(Timestamp::from_secs(0)).await.is_err());
        assert_eq!(refused(&observer).await, (Some(5), 0));
    }

    #[tokio::test]
    async fn several_are_added_up_where_all_are_known() {
        let (one, _) = jicofo(vec![counts(1), counts(2), counts(3)]);
        let (other, _) = jicofo(vec![counts(10), counts(14), ("500 No", String::new())]);
        let observer = of(&[&one, &other]);
        assert_eq!(refused(&observer).await, (None, 0));
        assert_eq!(refused(&observer).await, (Some(5), 0));
        assert_eq!(refused(&observer).await, (None, 1));
    }

    #[tokio::test]
    async fn a_jicofo_that_does_not_count_them_is_a_finding() {
        let old = "# HELP jitsi_jicofo_jibri_no_instance_failures_total because no instance was available\n\
                   jitsi_jicofo_jibri_no_instance_failures_total 3.0\n";
        let (url, _) = jicofo(vec![
            ("200 OK", old.into()),
            ("200 OK", "jitsi_jicofo_conferences 1.0\n".into()),
        ]);
        let observer = of(&[&url]);
        for expected in [
            "only requests for which no Jibri was connected",
            "counts refused recordings (since August 2026)",
        ] {
            let observation = observer.observe(Timestamp::from_secs(0)).await.unwrap();
            assert_eq!(observation.snapshot.refused(), None);
            let what = &observation.findings[0].what;
            assert!(what.contains(expected), "{what}");
        }
    }

    #[tokio::test]
    async fn without_a_jicofo_nothing_is_asked() {
        assert_eq!(refused(&of(&[])).await, (None, 0));
    }
    #[test]
    fn another_report_ttl_is_passed_on() {
        let (observer, minute) = (of(&[]), Duration::from_mins(1));
        observer.report_ttl_changed(minute);
        assert_eq!(*observer.observer.report_ttl.lock().unwrap(), minute);
    }
}
