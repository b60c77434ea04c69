//! A snapshot in, a plan and its explanation out. No network, no clock, nothing to set up.

use jibri_scaler_core::{
    BusyStatus, DrainPath, FleetSnapshot, Group, HealthStatus, Instance, JibriStatus, Lifecycle,
    Limits, Memory, Reachability, Report, Timestamp, decide, policy::MinIdle,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now: Timestamp = "2026-11-22T10:00:00Z".parse()?;
    let mut instances = Vec::new();
    for (id, busy) in [
        ("i-1", BusyStatus::Busy),
        ("i-2", BusyStatus::Busy),
        ("i-3", BusyStatus::Idle),
    ] {
        let mut instance = Instance::new(id.parse()?, Lifecycle::InService);
        instance.reachability = Reachability::Answered;
        instance.drain = DrainPath::Direct;
        instance.report = Some(Report::new(
            now,
            Some(JibriStatus::new(busy, HealthStatus::Healthy)),
        ));
        instances.push(instance);
    }
    let mut group = Group::new(1, 10, 3);
    group.safe_retirement = true;

    // Two are recording and one is idle, but two idle ones are wanted: one more is to be launched.
    let snapshot = FleetSnapshot::new(group, instances);
    let decision = decide(
        &MinIdle::new(2)?,
        &Limits::default(),
        &snapshot,
        now,
        Memory::default(),
    );
    println!("{}", serde_json::to_string_pretty(&decision.plan)?);
    print!("{}", decision.explanation);
    Ok(())
}
