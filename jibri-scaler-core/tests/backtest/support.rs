//! What several tests need.

use std::time::Duration;

use jibri_scaler_core::{
    DrainPath, Limits, Timestamp,
    backtest::{BootTime, Environment, PolicyScaler, Session, Trace, workload::Workload},
    policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy},
};

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(crate) fn monday() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

pub(crate) fn trace(sessions: impl IntoIterator<Item = (i64, i64)>) -> Trace {
    let session = |(start, end)| Session::new(at(start), at(end)).unwrap();
    Trace::new(sessions.into_iter().map(session))
}

/// A policy as an operator would have it, that holds a surplus for some minutes.
pub(crate) fn scaler<'o>(min_idle: u32, percent: f64) -> PolicyScaler<'o> {
    let policy = MaxOf::new([
        Box::new(MinIdle::new(min_idle).unwrap()) as Box<dyn Policy>,
        Box::new(PercentIdle::new(Percent::new(percent).unwrap())),
    ]);
    PolicyScaler::new(policy, limits())
}

pub(crate) fn limits() -> Limits {
    Limits::default()
        .with_idle_timeout(secs(180))
        .and_then(|limits| limits.with_surplus_hold(secs(120)))
        .and_then(|limits| limits.with_report_ttl(secs(100)))
        .unwrap()
}

/// Environments in which everything that can be is different.
pub(crate) fn environments() -> Vec<Environment> {
    let boots = [
        BootTime::fixed(secs(180)).unwrap(),
        BootTime::lognormal(secs(90), secs(200)).unwrap(),
        BootTime::two_point(secs(60), secs(400), 0.2).unwrap(),
    ];
    let mut all = Vec::new();
    for (seed, boot) in (1..).zip(boots) {
        let plain = Environment::new(1, 60)
            .unwrap()
            .with_boot(boot)
            .with_seed(seed);
        let hard = plain
            .clone()
            .with_interval(secs(45))
            .and_then(|e| e.with_report_delay(secs(20)))
            .and_then(|e| e.with_report_loss(0.05))
            .and_then(|e| e.with_launch_failures(0.1, secs(60)))
            .and_then(|e| e.with_chrome_delay(secs(8)))
            .and_then(|e| e.with_upload(secs(30)))
            .unwrap();
        all.push(plain.clone().with_single_use(true));
        all.push(hard.clone().with_warm_up(secs(7200)));
        all.push(hard.with_drain(DrainPath::Agent));
        all.push(plain);
    }
    all
}

/// Some hours of a busy day.
pub(crate) fn morning(seed: u64) -> Trace {
    let workload = Workload::clustered(25.0).unwrap();
    let day = workload.sample(monday(), 1, seed).trace;
    let (from, until) = (monday() + secs(7 * 3600), monday() + secs(11 * 3600));
    let morning = |session: &&Session| (from..until).contains(&session.start());
    Trace::new(day.sessions().iter().filter(morning).copied())
}
