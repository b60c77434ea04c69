//! Reports to a controller, made of what the agent reads anyway.

use std::{
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::say;
use async_trait::async_trait;
use jibri_scaler_core::{
    JibriStatus,
    port::{HealthProbe, ProbeOutcome, Target},
};
use jibri_scaler_http::{
    addresses::BaseUrl,
    reports::{ReportSender, Token},
};

/// A status that does not change is reported again after so long. A controller takes one for old after `report_ttl`, by default 45 s.
const EVERY: Duration = Duration::from_secs(10);

/// A probe that reports what it has read: at once when it has changed.
#[derive(Debug)]
pub(crate) struct Reporting<P> {
    probe: P,
    sender: ReportSender,
    last: Mutex<Option<(JibriStatus, Instant)>>,
}

impl<P> Reporting<P> {
    /// Reports to the controller at this address. The file holds the token.
    pub(crate) fn new(probe: P, controller: &BaseUrl, token: &Path) -> Result<Self, String> {
        let wrong =
            |error: &dyn std::error::Error| format!("token file {}: {error}", token.display());
        let text = fs::read_to_string(token).map_err(|error| wrong(&error))?;
        let token: Token = text.parse().map_err(|error| wrong(&error))?;
        let sender = ReportSender::new(controller, token).map_err(|error| error.to_string())?;
        Ok(Self {
            probe,
            sender,
            last: Mutex::default(),
        })
    }

    fn is_due(&self, status: &JibriStatus, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |(before, at): &(JibriStatus, Instant)| {
            before != status || now.duration_since(*at) >= EVERY
        };
        let is_due = last.as_ref().is_none_or(is_old);
        if is_due {
            *last = Some((status.clone(), now));
        }
        is_due
    }
}

#[async_trait]
impl<P: HealthProbe> HealthProbe for Reporting<P> {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        let outcome = self.probe.probe(target).await;
        if let Some(status) = outcome
            .status()
            .filter(|status| self.is_due(status, Instant::now()))
        {
            let (sender, id, status) = (self.sender.clone(), target.id.clone(), status.clone());
            // The agent does not wait for a controller.
            tokio::spawn(async move {
                if let Err(error) = sender.send(&id, &status, env!("CARGO_PKG_VERSION")).await {
                    say(format_args!("could not report to the controller: {error}"));
                }
            });
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jibri_scaler_core::{BusyStatus, HealthStatus, InstanceId, observe::AgentReports};
    use jibri_scaler_http::receiver::{Access, Listener, Receiver};

    use super::*;

    struct Says(Mutex<ProbeOutcome>);

    #[async_trait]
    impl HealthProbe for Says {
        async fn probe(&self, _: &Target) -> ProbeOutcome {
            self.0.lock().unwrap().clone()
        }
    }

    fn status(busy: BusyStatus) -> JibriStatus {
        JibriStatus::new(busy, HealthStatus::Healthy)
    }

    #[tokio::test]
    async fn what_is_read_is_reported_at_once_when_it_changes() {
        let id: InstanceId = "i-0abc".parse().unwrap();
        let reports = Arc::new(AgentReports::default());
        reports.list([&id]);
        let any = "127.0.0.1:0".parse().unwrap();
        let token: Token = "0f8c1d7a5b9e4c2f".parse().unwrap();
        let receiver = Receiver::new(Arc::clone(&reports), Access::default().with_token(token));
        let listener = Listener::bind(any, receiver).await.unwrap();
        let controller = format!("http://{}", listener.address()).parse().unwrap();
        tokio::spawn(listener.serve());

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "0f8c1d7a5b9e4c2f\n").unwrap();
        let says = Says(Mutex::new(ProbeOutcome::Refused));
        let reporting = Reporting::new(says, &controller, &file).unwrap();
        let target = Target::new(id.clone());
        assert_eq!(reporting.probe(&target).await, ProbeOutcome::Refused);
        for busy in [BusyStatus::Idle, BusyStatus::Busy] {
            let answer = ProbeOutcome::Answered(status(busy.clone()));
            *reporting.probe.0.lock().unwrap() = answer.clone();
            assert_eq!(reporting.probe(&target).await, answer);
            while reports
                .newest(&id)
                .is_none_or(|report| report.status != status(busy.clone()))
            {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn what_does_not_change_is_reported_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let controller: BaseUrl = "http://127.0.0.1:9".parse().unwrap();
        let new = || Reporting::new((), &controller, &file);
        assert!(new().unwrap_err().contains("token"));
        fs::write(&file, "short").unwrap();
        let refused = new().unwrap_err();
        assert!(
            refused.contains("16 to 1024") && !refused.contains("short"),
            "{refused}"
        );
        fs::write(&file, "0f8c1d7a5b9e4c2f").unwrap();
        let reporting = new().unwrap();
        let idle = status(BusyStatus::Idle);
        let now = Instant::now();
        assert!(reporting.is_due(&idle, now));
        assert!(!reporting.is_due(&idle, now + EVERY / 2));
        assert!(reporting.is_due(&idle, now + EVERY));
    }
}
