//! What an operator asks for, and that every decision heeds it.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod common;
#[path = "../properties/fleets.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod fleets;
#[path = "../controller/jibris.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod jibris;
#[path = "../controller/world.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod world;

mod any_fleet;
mod checked;
mod commands;
mod controller;
mod keeping;
mod pausing;
mod retiring;

use common::{Run, at};
use jibri_scaler_core::{Decision, Severity, operator::OperatorCommand};

/// A command as an embedder gets it. Seconds after the hour for `until` are written `@60`.
fn command(json: &str) -> OperatorCommand {
    let mut text = json.to_owned();
    while let Some(from) = text.find('@') {
        let rest = &text[from + 1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
        let secs = rest[..digits].parse().unwrap();
        text.replace_range(from..=from + digits, &at(secs).to_string());
    }
    serde_json::from_str(&text).unwrap()
}

/// Says that to the group at that second.
fn say(run: &mut Run, secs: i64, json: &str) {
    run.memory.command(&command(json), at(secs)).unwrap();
}

/// The severity of the finding that says this.
fn severity(decision: &Decision, what: &str) -> Option<Severity> {
    let mut findings = decision.explanation.findings.iter();
    let finding = findings.find(|finding| finding.what.contains(what))?;
    Some(finding.severity)
}
