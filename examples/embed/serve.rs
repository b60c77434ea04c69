//! The service around the groups: its numbers, how it serves, and how it ends.

use std::{error::Error, future::IntoFuture as _, io, pin::pin, time::Duration};

use axum::Router;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use jibri_scaler_core::metrics::{Kind, METRICS};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{interval, sleep, timeout},
};

/// So long the requests and ticks that are under way may take when the service is told to stop.
const GRACE: Duration = Duration::from_secs(20);
/// How often what was recorded for histograms is added up, so that it does not grow while nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

pub(crate) type Stop = Shared<BoxFuture<'static, ()>>;

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

/// Ends when the service is told to: by SIGTERM or Ctrl-C.
pub(crate) fn stop() -> io::Result<impl Future<Output = ()> + Send> {
    let (mut term, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Serves until it is told to stop, and lets the ticks that run then end. A group that ends before that ends the service: whoever runs it
/// starts it again.
pub(crate) async fn until_stopped(
    listener: TcpListener,
    app: Router,
    mut groups: JoinSet<()>,
    stop: Stop,
) -> Result<(), Box<dyn Error>> {
    let serving = axum::serve(listener, app).with_graceful_shutdown(stop.clone());
    let mut serving = pin!(serving.into_future());
    loop {
        tokio::select! {
            served = &mut serving => {
                served?;
                break;
            }
            Some(ended) = groups.join_next() => {
                ended?;
                if stop.clone().now_or_never().is_none() {
                    return Err("the ticks of a group have ended".into());
                }
            }
            // Somebody reads slowly.
            () = stop.clone().then(|()| sleep(GRACE)) => break,
        }
    }
    let ended = async {
        while let Some(ended) = groups.join_next().await {
            ended?;
        }
        Ok(())
    };
    match timeout(GRACE, ended).await {
        Ok(ended) => ended,
        Err(_) => Err("a tick did not end in time; the next start goes on where it was".into()),
    }
}
