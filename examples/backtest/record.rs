//! What each tick saw and what was decided, as `replay` reads and writes it.

use std::{
    cell::RefCell,
    io::{self, Write},
};

use jibri_scaler_core::{
    PolicyFile,
    backtest::{Environment, PolicyScaler, Trace, simulate},
};
use serde::Serialize;

/// Plays the recordings again, and writes every tick and every decision on a line of its own.
///
/// # Errors
/// Where one could not be written.
pub(crate) fn record(
    policy: &PolicyFile,
    trace: &Trace,
    environment: &Environment,
    ticks: &mut dyn Write,
    decisions: &mut dyn Write,
) -> io::Result<()> {
    let failed = RefCell::new(Ok(()));
    let mut scaler =
        PolicyScaler::new(policy.policy(), policy.limits.clone()).observed(|tick, decision| {
            let mut result = failed.borrow_mut();
            if result.is_ok() {
                *result = line(ticks, tick).and_then(|()| line(decisions, decision));
            }
        });
    simulate(trace, environment, &mut scaler);
    drop(scaler);
    failed.into_inner()?;
    ticks.flush()?;
    decisions.flush()
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
