//! A second kind of group, written only against the public API: its instances are processes of this machine, and each of them is a fake
//! Jibri on two loopback ports.
//!
//! It shows what an adapter for another cloud has to do: implement [`GroupListing`] and [`GroupControl`] ([`group.rs`](group)), and pass the
//! conformance suite (`tests.rs`). Everything else is what every group has: the controller, the probe, the drain client.
//!
//! ```sh
//! cargo run --example local_processes
//! ```
//!
//! It grows the group to three idle Jibris and comes down to one again, in real time, which takes about a minute.
//!
//! [`GroupListing`]: jibri_scaler_core::port::GroupListing
//! [`GroupControl`]: jibri_scaler_core::port::GroupControl

mod group;
mod jibri;
#[cfg(test)]
mod tests;

use std::{
    error::Error,
    io::Write as _,
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use clap::{Parser, Subcommand};
use jibri_scaler_core::{Controller, Limits, observe::JoinedObserver, policy::MinIdle};
use jibri_scaler_http::{DrainConfig, HttpDrain, HttpProbe, ProbeConfig};
use tokio::time::sleep;

use group::{ProcessGroup, Program};

const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Parser)]
#[command(about = "A group whose instances are processes of this machine")]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// What each instance of the group runs.
    #[command(hide = true)]
    Jibri,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().role {
        Some(Role::Jibri) => jibri::run(),
        None => keep(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "local_processes: {error}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn keep() -> Result<ExitCode, Box<dyn Error>> {
    let program = Program::new(std::env::current_exe()?, ["jibri"]);
    let group = Arc::new(ProcessGroup::new(program, 1, 6)?);
    let mut controller = controller(&group)?;
    // Wanted are three; then two while the group comes down.
    for wanted in [3, 1] {
        controller.replace_policy(MinIdle::new(wanted)?, limits()?)?;
        let wanted = wanted as usize;
        let mut ticks = 0;
        while group.size() != wanted || ticks < 5 {
            let report = controller.tick(SystemTime::now().into()).await?;
            let running = group.running();
            writeln!(std::io::stdout(), "{report}; {running} processes run")?;
            sleep(INTERVAL).await;
            ticks += 1;
            if ticks > 120 {
                return Err(
                    format!("{} are there after two minutes, not {wanted}", group.size()).into(),
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The limits of a group that is in a hurry.
fn limits() -> Result<Limits, jibri_scaler_core::OutOfRange> {
    Limits::default()
        .with_idle_timeout(Duration::from_secs(5))?
        .with_report_ttl(Duration::from_secs(5))?
        .with_gone_after(Duration::from_secs(10))
}

fn controller(group: &Arc<ProcessGroup>) -> Result<Controller, Box<dyn Error>> {
    let probe = HttpProbe::new(group.addresses(), &ProbeConfig::default())?;
    let drain = Arc::new(HttpDrain::new(group.addresses(), &DrainConfig::default())?);
    let observer = JoinedObserver::new(Arc::clone(group), probe, || Box::pin(sleep(INTERVAL)))
        .with_drain(Arc::clone(&drain));
    let controller = Controller::new(MinIdle::new(1)?, limits()?, observer, Arc::clone(group));
    Ok(controller.with_drain(drain).with_interval(INTERVAL)?)
}
