//! The newcomer's minute: a working day of a group of Jibris, over real HTTP, with nothing to set up.
//!
//! A controller with the real HTTP probe and drain client keeps an in-memory Auto Scaling group at the right size. Each of its
//! instances is a fake Jibri on real sockets. The example advances the time of this world itself, after the requests in flight
//! have returned, and only paces it by the wall clock: the same seed gives the same summary on any machine.
//!
//! At the end it prints what the day came to and writes a picture of it. It exits with 1 if a recording was lost.

mod day;
mod screen;
mod summary;
#[path = "../support/timeline.rs"]
mod timeline;
mod world;

use std::{
    error::Error, fs::OpenOptions, path::PathBuf, pin::Pin, process::ExitCode, sync::Arc,
    time::Duration,
};

use clap::Parser;
use jibri_scaler_core::{
    Controller, PolicyFile, Timestamp, controller::TickReport, observe::JoinedObserver,
};
use jibri_scaler_http::{DrainConfig, HttpDrain, HttpProbe, ProbeConfig};

use crate::{screen::Screen, summary::Summary, timeline::Mark, world::World};

/// The policy of the example, unless `--policy` names another.
const POLICY: &str = include_str!("policy.toml");
/// The control interval, in the time of the group.
const INTERVAL: Duration = Duration::from_secs(30);
/// The day is over when the last recording is, or this long after its end.
const OVERTIME: Duration = Duration::from_hours(4);
/// How long the group is watched after the last recording, as it comes down again.
const EVENING: Duration = Duration::from_mins(45);

#[derive(Debug, Parser)]
#[command(
    about = "A working day of a group of Jibris, in about forty seconds, with nothing to set up"
)]
struct Arguments {
    /// Which day: the same seed gives the same summary on any machine.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Multiplies the number of meetings.
    #[arg(long, default_value_t = 1.0)]
    load: f64,
    /// How much faster than the wall clock time passes, or `max`.
    #[arg(long, value_parser = speed, default_value = "1200")]
    speed: Speed,
    /// A policy file (TOML) in place of the built-in one.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// Where the picture of the day is written.
    #[arg(long, default_value = "local_fleet.svg")]
    svg: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Speed {
    Max,
    Times(f64),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(summary) if summary.lost == 0 => ExitCode::SUCCESS,
        Ok(summary) => {
            eprintln!("local_fleet: {} recordings were lost", summary.lost);
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("local_fleet: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<Summary, Box<dyn Error>> {
    let policy = match &arguments.policy {
        None => PolicyFile::from_toml(POLICY)?,
        Some(path) => {
            let named =
                |error: &dyn std::fmt::Display| format!("policy file {}: {error}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
            PolicyFile::from_toml(&text).map_err(|error| named(&error))?
        }
    };
    let meetings = day::meetings(arguments.seed, arguments.load)?;
    let picture = |error: std::io::Error| format!("picture {}: {error}", arguments.svg.display());
    // Better now than after the day; what is there stays until then.
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(&arguments.svg)
        .map_err(picture)?;
    let world = World::new(arguments.seed, meetings)?;
    let controller = controller(&world, policy)?;
    let stop: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async {
        // Where Ctrl-C can't be listened to, the day just runs to its end.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    let world = live(world, controller, arguments.speed, stop, Screen::standard()).await?;

    let title = format!(
        "A day of jibri-scaler: seed {}, load {}",
        arguments.seed, arguments.load
    );
    println!("\n{title}\n{}", world.summary);
    std::fs::write(&arguments.svg, world.timeline.svg(&title)).map_err(picture)?;
    println!("picture               {}", arguments.svg.display());
    Ok(world.summary)
}

fn controller(world: &World, policy: PolicyFile) -> Result<Controller, Box<dyn Error>> {
    // The time of the group stands still while a request is under way, so that patience here changes no result.
    let patience = Duration::from_secs(30);
    // A Jibri whose Chrome starts answers only as the time of the group goes on: that much real time such a tick takes.
    let drain_patience = Duration::from_secs(8);
    let probe = ProbeConfig::default()
        .with_connect_timeout(patience)?
        .with_timeout(patience)?;
    let drain = DrainConfig::default()
        .with_connect_timeout(patience)?
        .with_patience(drain_patience)?;
    let drain = Arc::new(HttpDrain::new(world.addresses.clone(), &drain)?);
    let probe = HttpProbe::new(world.addresses.clone(), &probe)?;
    let observer = JoinedObserver::new(Arc::clone(&world.group), probe, move || {
        Box::pin(tokio::time::sleep(2 * patience))
    })
    .with_drain(Arc::clone(&drain));
    let controller = Controller::new(
        policy.policy(),
        policy.limits,
        observer,
        Arc::clone(&world.group),
    );
    Ok(controller.with_drain(drain).with_interval(INTERVAL)?)
}

/// Lives through the day, tick by tick.
async fn live(
    mut world: World,
    mut controller: Controller,
    speed: Speed,
    mut stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    mut screen: Screen,
) -> Result<World, Box<dyn Error>> {
    let mut now = day::BEGIN;
    let mut evening = None;
    let mut pace = tokio::time::Instant::now();
    loop {
        world.advance(now)?;
        let result = controller.tick(now).await;
        world.summary.ticks += 1;
        match result {
            Ok(report) => {
                mark(&mut world, now, &report);
                let sample = world.sample()?;
                world.timeline.sample(now, sample);
                screen.show(&report, sample, &world.summary)?;
            }
            Err(error) => {
                world.summary.failed_ticks += 1;
                eprintln!("local_fleet: {error}");
            }
        }
        let at_work = world.is_at_work() && now < day::BEGIN + day::LENGTH + OVERTIME;
        let since = if at_work {
            now
        } else {
            *evening.get_or_insert(now)
        };
        if now.since(since) >= EVENING {
            return Ok(world);
        }
        now = now + INTERVAL;
        if let Speed::Times(factor) = speed {
            pace += INTERVAL.div_f64(factor);
        }
        tokio::select! {
            biased;
            () = &mut stop => {
                println!("\nstopped at {now}");
                return Ok(world);
            }
            () = tokio::time::sleep_until(pace), if speed != Speed::Max => {}
            () = tokio::task::yield_now(), if speed == Speed::Max => {}
        }
    }
}

fn mark(world: &mut World, now: Timestamp, report: &TickReport) {
    world.summary.failed_ticks +=
        u32::from(!report.problems.is_empty() || !report.breaches.is_empty());
    let plan = &report.decision.plan;
    let marks = [
        screen::raised(plan).map(Mark::Grow),
        screen::retired(plan).map(Mark::Retire),
    ];
    for mark in marks.into_iter().flatten() {
        world.timeline.mark(now, mark);
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let factor = text
        .parse()
        .ok()
        .filter(|factor: &f64| factor.is_finite() && (0.01..=1e6).contains(factor));
    factor
        .map(Speed::Times)
        .ok_or_else(|| "it must be a number from 0.01 to 1000000, or max".into())
}

#[cfg(test)]
mod tests;
