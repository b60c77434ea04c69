//! Reports to controllers, made of what the agent reads anyway.

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
    /// To each controller, by its address.
    senders: Vec<(BaseUrl, ReportSender)>,
    last: Mutex<Option<(JibriStatus, Instant)>>,
}

impl<P> Reporting<P> {
    /// Reports to the controllers at these addresses, such as replicas of one. The file holds the token for all of them.
    pub(crate) fn new(probe: P, controllers: &[BaseUrl], token: &Path) -> Result<Self, String> {
        let wrong =
            |error: &dyn std::error::Error| format!("token file {}: {error}", token.display());
        let text = fs::read_to_string(token).map_err(|error| wrong(&error))?;
        let token: Token = text.parse().map_err(|error| wrong(&error))?;
        let sender = |controller: &BaseUrl| {
            let sender = ReportSender::new(controller, token.clone());
            let sender = sender.map_err(|error| error.to_string())?;
            Ok((controller.clone(), sender))
        };
        Ok(Self {
            probe,
            senders: controllers
                .iter()
                .map(sender)
                .collect::<Result<_, String>>()?,
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
            // The agent does not wait for a controller, nor one controller for another.
            for (controller, sender) in self.senders.clone() {
                let (id, status) = (target.id.clone(), status.clone());
                tokio::spawn(async move {
                    if let Err(error) = sender.send(&id, &status, env!("CARGO_PKG_VERSION")).await {
                        say(format_args!(
                            "could not report to the controller at {controller}: {error}"
                        ));
                    }
                });
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{ErrorKind, Read as _},
        sync::Arc,
    };

    use jibri_scaler_core::{BusyStatus, HealthStatus, InstanceId, observe::AgentReports};
    use jibri_scaler_http::receiver::{Access, Listener, Receiver};
    use tokio::net::TcpListener;

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

    /// A controller that takes reports of this instance, and what it has heard.
    async fn controller(id: &InstanceId) -> (BaseUrl, Arc<AgentReports>) {
        let reports = Arc::new(AgentReports::default());
        reports.list([id]);
        let any = "127.0.0.1:0".parse().unwrap();
        let token: Token = "0f8c1d7a5b9e4c2f".parse().unwrap();
        let receiver = Receiver::new(Arc::clone(&reports), Access::default().with_token(token));
        let listener = Listener::bind(any, receiver).await.unwrap();
        let url = format!("http://{}", listener.address()).parse().unwrap();
        tokio::spawn(listener.serve());
        (url, reports)
    }

    /// One that hangs is given up after 2 s, which may pass on a slow machine before the others have heard: so it may be tried again.
    #[tokio::test]
    async fn what_is_read_is_reported_at_once_to_all_when_it_changes_whoever_of_them_is_down() {
        for _ in 0..5 {
            if all_hear_before_one_that_hangs_is_given_up().await {
                return;
            }
        }
        panic!("the others have waited for it");
    }

    async fn all_hear_before_one_that_hangs_is_given_up() -> bool {
        let id: InstanceId = "i-0abc".parse().unwrap();
        let (first, second) = (controller(&id).await, controller(&id).await);
        // One refuses the connection, one takes it and never answers.
        let any = "127.0.0.1:0";
        let refuses = TcpListener::bind(any).await.unwrap().local_addr().unwrap();
        let hanging = TcpListener::bind(any).await.unwrap();
        let at = |address| format!("http://{address}").parse().unwrap();
        let (refuses, hangs) = (at(refuses), at(hanging.local_addr().unwrap()));

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "0f8c1d7a5b9e4c2f\n").unwrap();
        let says = Says(Mutex::new(ProbeOutcome::Refused));
        let all = [refuses, first.0, hangs, second.0];
        let reporting = Reporting::new(says, &all, &file).unwrap();
        let target = Target::new(id.clone());
        assert_eq!(reporting.probe(&target).await, ProbeOutcome::Refused);
        for busy in [BusyStatus::Idle, BusyStatus::Busy] {
            let answer = ProbeOutcome::Answered(status(busy.clone()));
            *reporting.probe.0.lock().unwrap() = answer.clone();
            assert_eq!(reporting.probe(&target).await, answer);
            let heard = |reports: &AgentReports| {
                let newest = reports.newest(&id);
                newest.is_some_and(|report| report.status == status(busy.clone()))
            };
            while !heard(&first.1) || !heard(&second.1) {
                tokio::task::yield_now().await;
            }
        }
        // The first report still waits for the one that hangs.
        let mut waiting = hanging.accept().await.unwrap().0.into_std().unwrap();
        let mut part = [0; 1024];
        let error = loop {
            match waiting.read(&mut part) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        true
    }

    #[tokio::test]
    async fn what_does_not_change_is_reported_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let controllers = ["http://127.0.0.1:9".parse().unwrap()];
        let new = || Reporting::new((), &controllers, &file);
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
