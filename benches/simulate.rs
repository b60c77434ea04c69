//! One simulated recording, beside the same simulation with a group of a fixed size: what deciding costs.
//!
//! `cargo bench --bench simulate`. Targets: at least a million recordings a minute, and a time per recording at the longest trace that
//! is at most 1.3 times that at the shortest. Drawing the trace is outside the timing.

mod side_by_side;

use std::time::Duration;

use jibri_scaler_core::{
    Limits, Timestamp,
    backtest::{Environment, Fleet, PolicyScaler, Scaler, Trace, simulate, workload::Workload},
    policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy},
};
use side_by_side::{medians, timed};

/// Lengths of the traces.
const DAYS: [u32; 4] = [7, 28, 112, 448];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monday: Timestamp = "2026-01-05T00:00:00Z".parse()?;
    println!(
        "{:>10} {:>5} {:>10} {:>12} {:>12} {:>14}",
        "starts", "days", "recordings", "fixed", "deciding", "per minute"
    );
    for peak in [30.0, 120.0] {
        let mut each = Vec::new();
        for days in DAYS {
            let trace = Workload::office(peak)?.sample(monday, days, 1).trace;
            let (fixed, deciding) = measure(&trace)?;
            let recordings = trace.sessions().len();
            let per_minute = 60.0 / deciding.as_secs_f64();
            println!(
                "{peak:>8}/h {days:>5} {recordings:>10} {fixed:>12.2?} {deciding:>12.2?} {per_minute:>14.0}"
            );
            each.push(deciding.as_secs_f64());
        }
        if let (Some(first), Some(last)) = (each.first(), each.last()) {
            println!(
                "the longest against the shortest, per recording: {:.2} (target: at most 1.3)",
                last / first
            );
        }
    }
    println!("target: 1,000,000 recordings a minute");
    Ok(())
}

/// The time for each recording, with a group of a fixed size and with a policy.
fn measure(trace: &Trace) -> Result<(Duration, Duration), Box<dyn std::error::Error>> {
    let environment = Environment::new(1, 10_000)?.with_warm_up(Duration::from_secs(86_400));
    let size = trace.most_at_once();
    let policy = MaxOf::new([
        Box::new(MinIdle::new(4)?) as Box<dyn Policy>,
        Box::new(PercentIdle::new(Percent::new(20.0)?)),
    ]);
    let policy: std::sync::Arc<dyn Policy> = std::sync::Arc::new(policy);
    let limits = Limits::default().with_surplus_hold(Duration::from_secs(60))?;
    let count = u32::try_from(trace.sessions().len())?.max(1);
    let (fixed, deciding) = medians(
        3,
        || timed(|| simulate(trace, &environment, &mut Fixed(size))).0,
        || {
            let mut scaler = PolicyScaler::new(std::sync::Arc::clone(&policy), limits.clone());
            timed(|| simulate(trace, &environment, &mut scaler)).0
        },
    );
    Ok((fixed / count, deciding / count))
}

struct Fixed(u32);

impl Scaler for Fixed {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        fleet.set_desired(self.0);
    }
}
