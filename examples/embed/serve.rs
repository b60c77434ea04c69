//! The service around the groups: its numbers, how it serves, and how it ends.

use std::{collections::BTreeMap, error::Error, io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use jibri_scaler_core::metrics::{Kind, METRICS};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::{interval, sleep},
};

use crate::connections::Server;

/// So long the requests and ticks that are under way may take when the service is told to stop. Less than the 30 s after which
/// containers are killed.
pub(crate) const GRACE: Duration = Duration::from_secs(20);
/// How often what was recorded for histograms is added up, so that it does not grow while nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Takes in the numbers of all groups.
pub(crate) fn numbers() -> Result<PrometheusHandle, Box<dyn Error>> {
    let numbers = builder()?.install_recorder()?;
    jibri_scaler_core::metrics::describe();
    let kept = numbers.clone();
    tokio::spawn(async move {
        let mut ticks = interval(UPKEEP);
        loop {
            ticks.tick().await;
            kept.run_upkeep();
        }
    });
    Ok(numbers)
}

/// What collects the numbers, each histogram in buckets of its own.
pub(crate) fn builder() -> Result<PrometheusBuilder, BuildError> {
    let mut histograms = METRICS.iter().filter(|m| m.kind == Kind::Histogram);
    histograms.try_fold(PrometheusBuilder::new(), |builder, metric| {
        builder.set_buckets_for_metric(Matcher::Full(metric.name.into()), metric.buckets)
    })
}

/// Tells all parts of the service to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// One that is told by SIGTERM or Ctrl-C.
    pub(crate) fn by_signals() -> io::Result<Self> {
        let (mut term, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let stop = Self::default();
        let told = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            told.tell();
        });
        Ok(stop)
    }

    pub(crate) fn tell(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when it is told.
    pub(crate) async fn told(self) {
        // It fails where nobody can tell it any more, and this one can.
        let _ = self.0.subscribe().wait_for(|told| *told).await;
    }
}

/// The tasks of the groups.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    tasks: JoinSet<()>,
    names: BTreeMap<Id, String>,
}

impl Tasks {
    pub(crate) fn spawn(&mut self, name: &str, ticking: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(ticking);
        self.names.insert(task.id(), name.into());
    }

    /// The next one that ends, with what went wrong. Nothing where none is left.
    pub(crate) async fn next(&mut self) -> Option<(String, Result<(), JoinError>)> {
        let (id, result) = match self.tasks.join_next_with_id().await? {
            Ok((id, ())) => (id, Ok(())),
            Err(error) => (error.id(), Err(error)),
        };
        Some((self.names.remove(&id).unwrap_or_default(), result))
    }

    fn left(&self) -> String {
        let names: Vec<_> = self.names.values().map(String::as_str).collect();
        names.join(", ")
    }
}

/// Serves until it is told to stop, and lets the requests and ticks that run then end, for [`GRACE`]. What keeps a group ends only then, or by
/// a defect of its own: that ends the service, after all others have ended in order.
pub(crate) async fn until_stopped(
    server: Server,
    app: Router,
    mut groups: Tasks,
    stop: Stop,
) -> Result<(), Box<dyn Error>> {
    let mut serving = pin!(server.serve(app, stop.clone()));
    let late = stop.clone();
    let mut late = pin!(async {
        late.told().await;
        sleep(GRACE).await;
    });
    let (mut is_open, mut wrong) = (true, Vec::new());
    while is_open || !groups.names.is_empty() {
        tokio::select! {
            () = &mut serving, if is_open => is_open = false,
            Some((name, result)) = groups.next() => if let Err(error) = result {
                wrong.push(format!("what keeps group `{name}` has ended by a defect: {error}"));
                // The others end in order.
                stop.tell();
            },
            () = &mut late => {
                // Whoever only reads slowly is left alone.
                if !groups.names.is_empty() {
                    let left = groups.left();
                    wrong.push(format!(
                        "what runs of these groups did not end in {} s, and the next start goes on where it was: {left}",
                        GRACE.as_secs()
                    ));
                }
                break;
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("; ").into())
    }
}
