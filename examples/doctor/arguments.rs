//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use jibri_scaler_aws::{GroupName, Namespace, doctor::Doctor};

#[derive(Debug, Parser)]
#[command(
    about = "Says what is wrong with an EC2 Auto Scaling group of Jibris, and how to mend it"
)]
#[command(
    after_help = "Exit code: 0 all is well, 1 something was found, 2 the group could not be examined."
)]
pub(crate) struct Arguments {
    /// The Auto Scaling group.
    #[arg(long)]
    pub(crate) group: GroupName,
    /// The `CloudWatch` namespace of the metrics.
    #[arg(long, default_value = "Jibri")]
    pub(crate) namespace: Namespace,
    /// The memory file of the group's controller, to find Jibris that were told to go and still run.
    #[arg(long)]
    pub(crate) memory: Option<PathBuf>,
    /// The policy file (TOML), to find Jibris beyond the wanted spare that nobody retires.
    #[arg(long)]
    pub(crate) policy: Option<PathBuf>,
    /// The audit log of the group's controller, whose last line says of whose agents it has heard.
    #[arg(long)]
    pub(crate) audit: Option<PathBuf>,
    /// Where Jicofo's metrics are read, such as `http://jicofo.example:8888`, to compare its count of Jibris with ours.
    #[arg(long)]
    pub(crate) jicofo: Option<String>,
    /// The longest recording, its upload included, such as 6h.
    #[arg(long, value_parser = span, default_value = "12h")]
    pub(crate) longest_recording: Duration,
    /// A rule whose findings are known and accepted, such as `warm_pool`; may be given several times.
    #[arg(long, value_name = "RULE", value_parser = rule)]
    pub(crate) accept: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

fn rule(name: &str) -> Result<String, String> {
    if Doctor::rules().any(|rule| rule == name) {
        return Ok(name.into());
    }
    let all: Vec<_> = Doctor::rules().collect();
    Err(format!(
        "there is no such rule; there are {}",
        all.join(", ")
    ))
}

fn span(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().unwrap_or_default();
    Duration::try_from(span)
        .ok()
        .filter(|span| !span.is_zero())
        .ok_or_else(|| format!("`{text}` is not a time span: write it like 6h or 90m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &str) -> Result<Arguments, String> {
        let words = format!("doctor --group jibri {more}");
        Arguments::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_group_is_all_that_is_needed() {
        let arguments = parse("").unwrap();
        assert_eq!(arguments.namespace, Namespace::default());
        assert_eq!(arguments.longest_recording, Duration::from_hours(12));
        assert!(!arguments.json);
    }

    #[test]
    fn rules_that_are_accepted_exist() {
        let accepted = parse("--accept warm_pool --accept spot").unwrap().accept;
        assert_eq!(accepted, ["warm_pool", "spot"]);
        let error = parse("--accept warm-pool").unwrap_err();
        assert!(error.contains("there are no_hook, "), "{error}");
    }

    #[test]
    fn the_longest_recording_is_a_time_span() {
        let longest = parse("--longest-recording 90m").unwrap().longest_recording;
        assert_eq!(longest, Duration::from_mins(90));
        for bad in ["0s", "-1h", "12", "long"] {
            let error = parse(&format!("--longest-recording={bad}")).unwrap_err();
            assert!(error.contains("write it like 6h"), "{error}");
        }
    }
}
