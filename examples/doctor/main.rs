//! Says what is wrong with an EC2 Auto Scaling group of Jibris, in order of danger, each with its fix. It changes nothing.
//!
//! Credentials, region and endpoint come from the usual AWS environment; the rights that it needs are in the README of
//! jibri-scaler-aws. With the feature `aws` in place of `ec2` (an SDK that takes minutes and 7 GB of memory to build) it can't see
//! whether there are Spot instances, which is a finding then. The exit code is 0 where all is well, 1 where something was found, 2 where the group could not be examined.
//!
//! ```sh
//! cargo run --example doctor --features ec2 -- --group jibri-production --jicofo http://jicofo.example:8888
//! ```

mod agents;
mod arguments;
#[path = "../support/disk.rs"]
mod disk;
#[path = "../support/jicofo.rs"]
mod jicofo;
#[path = "../support/memory_file.rs"]
mod memory_file;
mod print;

use std::{
    error::Error,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use clap::Parser as _;
use jibri_scaler_aws::{
    doctor::Doctor,
    inspect::{GroupSetup, Inspector},
};
use jibri_scaler_core::{Memory, PolicyFile, Timestamp, native::Growth, port::MemoryStore as _};

use arguments::Arguments;
use jicofo::Jicofo;
use memory_file::MemoryFile;

const FOUND: u8 = 1;
const NOT_EXAMINED: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let examined = disk::block_on(run(&arguments));
    match examined.map_err(Into::into).flatten() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FOUND),
        Err(error) => {
            note(&chain(&*error));
            ExitCode::from(NOT_EXAMINED)
        }
    }
}

/// Examines and prints; returns whether all is well.
async fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let now = Timestamp::from(SystemTime::now());
    let mut doctor = Doctor::default()
        .with_longest_recording(arguments.longest_recording)
        .accepting(arguments.accept.iter().cloned());
    if let Some(path) = &arguments.audit {
        doctor = doctor.with_agents(agents::heard(path, now)?);
    }
    if let Some(path) = &arguments.memory {
        doctor = doctor.with_memory(memory(path).await?);
    }
    if let Some(url) = &arguments.jicofo {
        doctor = with_jicofo(doctor, url).await;
    }
    let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let inspector =
        Inspector::new(&sdk, arguments.group.clone())?.with_namespace(arguments.namespace.clone());
    let setup = inspector.inspect(now).await?;
    if let Some(path) = &arguments.policy {
        match growth(path, &setup)? {
            Ok(growth) => doctor = doctor.with_growth(growth),
            Err(why) => note(&why),
        }
    }
    let findings = doctor.examine(&setup);
    let mut out = io::stdout().lock();
    if arguments.json {
        print::json(&mut out, &setup, &findings)?;
    } else {
        print::text(&mut out, &setup, &findings)?;
    }
    Ok(findings.is_empty())
}

/// A Jicofo that does not answer is a finding, and no reason not to look at the group.
async fn with_jicofo(doctor: Doctor, url: &str) -> Doctor {
    match available(url).await {
        Ok(available) => doctor.with_jicofo(available),
        Err(why) => doctor.with_jicofo_unread(why),
    }
}

/// How many Jibris Jicofo could use now (`JibriDetector` of Jicofo).
async fn available(url: &str) -> Result<u32, String> {
    // It answers within milliseconds.
    let jicofo = Jicofo::new(url, Duration::from_secs(5))?;
    let metrics = jicofo.metrics().await?;
    metrics.number("jibri_instances_available", "has Jibris configured")
}

/// The memory in that file, which must be there: a wrong path is not an empty memory.
async fn memory(path: &Path) -> Result<Memory, Box<dyn Error>> {
    MemoryFile::new(path).load().await?.ok_or_else(|| {
        format!(
            "memory file {}: there is none; give the one of the controller",
            path.display()
        )
        .into()
    })
}

/// The growth by that policy, or why it has none: a policy for a controller, say, which is no reason not to look at the group.
fn growth(path: &Path, setup: &GroupSetup) -> Result<Result<Growth, String>, Box<dyn Error>> {
    let wrong = |error: &dyn std::fmt::Display| format!("policy file {}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let file = PolicyFile::from_toml(&text).map_err(|error| wrong(&error))?;
    // An empty group can't be grown by alarms; but that is a finding, and no reason not to look.
    let growth = Growth::new(
        &file.policy(),
        file.limits.max_launch(),
        setup.min_size.max(1),
    );
    Ok(growth.map_err(|error| {
        format!(
            "what is wanted is taken from what a controller publishes, and not from policy file {}: {error}",
            path.display()
        )
    }))
}

/// Beside the findings, so that the output stays what it is. (`eprintln!` panics where nobody reads it any more.)
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "doctor: {text}");
}

/// An error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    // The SDK lists the places where it looked for credentials on lines of their own.
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_for_controllers_is_no_reason_not_to_look() {
        let path = std::env::temp_dir().join(format!("doctor-{}.toml", std::process::id()));
        let setup = GroupSetup::new("jibri".parse().unwrap(), Timestamp::from_secs(0));
        let growth = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let growth = growth(&path, &setup);
            std::fs::remove_file(&path).unwrap();
            growth
        };
        assert!(growth("min_idle = 2").unwrap().is_ok());
        let why = growth("refuse_at_most = \"1%\"").unwrap().unwrap_err();
        assert!(why.contains("run the controller for it"), "{why}");
        let error = growth("min_idle = -2").unwrap_err().to_string();
        assert!(error.contains("min_idle"), "{error}");
    }

    #[tokio::test]
    async fn the_group_is_examined_without_jicofo_too() {
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", unused.local_addr().unwrap());
        drop(unused);
        let doctor = with_jicofo(Doctor::default(), &url).await;
        let setup = GroupSetup::new("jibri".parse().unwrap(), Timestamp::from_secs(0));
        let findings = doctor.examine(&setup);
        assert_eq!(findings[0].rule, "no_hook");
        let last = findings.last().unwrap();
        assert_eq!(last.rule, "unread");
        assert!(last.what.contains(&url), "{}", last.what);
    }
}
