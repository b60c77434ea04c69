//! One decision, beside a baseline that only counts the states of the same snapshot in one pass.
//!
//! `cargo bench --bench decide`. Targets: at most 25 times the baseline at 10,000 instances, and a ratio at 100,000 that is at
//! most 2.5 times the ratio at 1,000. Building the snapshot and cloning the memory are outside the timing.

mod side_by_side;

use std::time::Duration;

use jibri_scaler_core::{
    BusyStatus, DrainPath, FleetSnapshot, Group, HealthStatus, Instance, JibriStatus, Lifecycle,
    Limits, Memory, Reachability, Report, Timestamp, decide,
    policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy},
};
use side_by_side::{medians, timed};

const SIZES: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policy = MaxOf::new([
        Box::new(MinIdle::new(5)?) as Box<dyn Policy>,
        Box::new(PercentIdle::new(Percent::new(20.0)?)),
    ]);
    let limits = Limits::default();
    println!(
        "{:>9}  {:>12}  {:>12}  {:>7}",
        "instances", "baseline", "decide", "ratio"
    );
    let mut ratios = Vec::new();
    for size in SIZES {
        let (now, snapshot, memory) = settled(size, &policy, &limits);
        let rounds = (2_000_000 / size as usize).clamp(15, 2_001);
        let (baseline, decision) = medians(
            rounds,
            || timed(|| count(std::hint::black_box(&snapshot))).0,
            || {
                let memory = memory.clone();
                // What it returns is dropped outside the timing.
                let (time, decision) = timed(|| decide(&policy, &limits, &snapshot, now, memory));
                drop(decision);
                time
            },
        );
        let ratio = decision.as_secs_f64() / baseline.as_secs_f64();
        ratios.push((size, ratio));
        println!("{size:>9}  {baseline:>12.2?}  {decision:>12.2?}  {ratio:>7.1}");
    }
    let at = |wanted| {
        ratios
            .iter()
            .find(|(size, _)| *size == wanted)
            .map_or(f64::NAN, |(_, ratio)| *ratio)
    };
    println!(
        "at 10,000: {:.1} times the baseline (target: at most 25)",
        at(10_000)
    );
    println!(
        "at 100,000 against 1,000: {:.2} (target: at most 2.5)",
        at(100_000) / at(1_000)
    );
    Ok(())
}

/// A group in the middle of a day, seen a few times before: the usual decision, in which nothing is to be done.
fn settled(size: u32, policy: &dyn Policy, limits: &Limits) -> (Timestamp, FleetSnapshot, Memory) {
    let mut now = Timestamp::from_secs(1_763_800_000);
    let mut memory = Memory::default();
    for _ in 0..3 {
        memory = decide(policy, limits, &snapshot(size, now), now, memory).memory;
        now = now + Duration::from_secs(30);
    }
    (now, snapshot(size, now), memory)
}

/// Seven of ten are recording, two are idle, and of every hundred one is booting, unhealthy, silent and so on.
fn snapshot(size: u32, now: Timestamp) -> FleetSnapshot {
    let instances = (0..size).filter_map(|number| {
        let mut instance = Instance::new(
            format!("i-{number:017x}").parse().ok()?,
            Lifecycle::InService,
        );
        instance.zone =
            Some(["eu-central-1a", "eu-central-1b", "eu-central-1c"][number as usize % 3].into());
        instance.protected = true;
        instance.reachability = Reachability::Answered;
        instance.drain = DrainPath::Direct;
        let status = match number % 100 {
            0..=69 => Some(("BUSY", "HEALTHY")),
            70..=96 => Some(("IDLE", "HEALTHY")),
            97 => Some(("IDLE", "UNHEALTHY")),
            98 => Some(("EXPIRED", "HEALTHY")),
            _ => None,
        };
        match status {
            Some((busy, health)) => {
                instance.report = Some(Report::new(
                    now,
                    Some(JibriStatus::new(busy.into(), health.into())),
                ));
            }
            None => instance.lifecycle = Lifecycle::Pending,
        }
        Some(instance)
    });
    let mut group = Group::new(1, size.saturating_mul(2), size);
    group.safe_retirement = true;
    FleetSnapshot::new(group, instances.collect())
}

/// The baseline: how many say what.
fn count(snapshot: &FleetSnapshot) -> [u32; 4] {
    let mut counts = [0; 4];
    for instance in snapshot.instances() {
        let at = match instance.status() {
            Some(status) if status.busy == BusyStatus::Busy => 0,
            Some(status) if status.health == HealthStatus::Unhealthy => 1,
            Some(status) if status.busy == BusyStatus::Idle => 2,
            _ => 3,
        };
        counts[at] += 1;
    }
    counts
}
