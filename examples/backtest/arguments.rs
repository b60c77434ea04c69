//! The command line.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{ArgGroup, Parser};
use jibri_scaler_core::{
    OutOfRange,
    backtest::{BootTime, Environment, peers::Peer},
};

#[derive(Debug, Parser)]
#[command(
    about = "What policies would have done with the recordings of the past: what they refuse, what they cost, and how far from the best"
)]
#[command(group = ArgGroup::new("recordings").args(["sessions", "from_cloudwatch"]))]
#[command(after_help = "Exit code: 0, or 2 where something could not be read or written.")]
pub(crate) struct Arguments {
    /// The recordings: CSV with a header `start,end` (RFC 3339, or seconds since 1970) and perhaps `refused`; `-` is standard input.
    /// Without it, a built-in sample.
    #[arg(long, value_name = "FILE")]
    pub(crate) sessions: Option<PathBuf>,
    /// Read the recordings out of the number of busy Jibris that the controller of this Auto Scaling group published (needs the
    /// feature `aws`).
    #[arg(long, value_name = "GROUP")]
    pub(crate) from_cloudwatch: Option<String>,
    /// How many days back. `CloudWatch` keeps 15 days by the minute, 63 by five minutes, 455 by the hour.
    #[arg(long, requires = "from_cloudwatch", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=455))]
    pub(crate) days: u32,
    /// The `CloudWatch` namespace of the metrics.
    #[arg(long, requires = "from_cloudwatch", default_value = "Jibri")]
    pub(crate) namespace: String,
    /// Write the recordings as they are played, as CSV with `start,end`, so that `CloudWatch` need not be asked again. It is not a
    /// copy of what was read: sorted, without other columns, each end with the upload of --upload, and those that were refused as
    /// recordings with the lengths that were made up for them. Read it without --upload.
    #[arg(long, value_name = "FILE")]
    pub(crate) write_sessions: Option<PathBuf>,

    /// A policy file (TOML); may be given several times. Without any, three built-in ones.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,
    /// Another autoscaler to compare with, by name, or `all`; may be given several times. With --tune its settings are searched too.
    #[arg(long, value_name = "NAME", value_parser = baseline)]
    baseline: Vec<Baselines>,
    /// Search the cheapest `min_idle`, `percent_idle` and hold that meet --slo, and write them as a policy file.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "tuned.toml")]
    pub(crate) tune: Option<PathBuf>,
    /// The largest share of recordings that may be refused, such as 1% or 0.01.
    #[arg(long, value_parser = share, default_value = "1%")]
    pub(crate) slo: f64,

    /// How long a launch takes, to the moment at which Jicofo can use the Jibri: `180s`, or `lognormal:MEDIAN,P90`.
    #[arg(long, value_parser = boot, default_value = "lognormal:120s,160s")]
    pub(crate) boot: BootTime,
    /// What an hour of an instance costs. The default is a c5.xlarge on demand in us-east-1, in dollars.
    #[arg(long, value_parser = price, default_value_t = 0.17)]
    pub(crate) price: f64,
    /// The time between ticks; at most half of each policy's `report_ttl`.
    #[arg(long, value_parser = span, default_value = "10s")]
    pub(crate) interval: Duration,
    /// How much longer than in the log a Jibri is busy, where its ends are without upload.
    #[arg(long, value_parser = span, default_value = "0s")]
    pub(crate) upload: Duration,
    /// How much of the beginning is not counted, so that policies can learn in it, such as 14d.
    #[arg(long, value_parser = span, default_value = "0s")]
    pub(crate) warm_up: Duration,
    /// The minimum size of the group.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=10_000))]
    pub(crate) min_size: u32,
    /// The maximum size of the group.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) max_size: u32,
    /// Ticks say how many recordings were refused, as those of a controller with --jicofo do.
    #[arg(long)]
    pub(crate) count_refusals: bool,
    /// The seed of all chance.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Write the results as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the pictures as SVG.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Write a report as HTML, in one file.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write what each tick of the one policy saw, as `replay` reads it.
    #[arg(long, value_name = "FILE")]
    pub(crate) ticks: Option<PathBuf>,
    /// Write what was decided in each of these ticks, as `replay` writes it.
    #[arg(long, value_name = "FILE", requires = "ticks")]
    pub(crate) decisions: Option<PathBuf>,
}

impl Arguments {
    /// The files that are to be written.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &Path> {
        let all = [
            &self.write_sessions,
            &self.tune,
            &self.json,
            &self.svg,
            &self.html,
            &self.ticks,
            &self.decisions,
        ];
        all.into_iter().flatten().map(PathBuf::as_path)
    }

    /// The other autoscalers, each once.
    pub(crate) fn baselines(&self) -> Vec<Peer> {
        let named = |peer: &Peer| {
            self.baseline
                .iter()
                .any(|Baselines(peers)| peers.contains(peer))
        };
        Peer::ALL.into_iter().filter(named).collect()
    }

    /// What surrounds the policies.
    pub(crate) fn environment(&self) -> Result<Environment, OutOfRange> {
        Ok(Environment::new(self.min_size, self.max_size)?
            .with_boot(self.boot)
            .with_interval(self.interval)?
            .with_warm_up(self.warm_up)
            .with_counted_refusals(self.count_refusals)
            .with_seed(self.seed))
    }
}

/// One, or all.
#[derive(Clone, Debug)]
struct Baselines(Vec<Peer>);

fn baseline(name: &str) -> Result<Baselines, String> {
    if name == "all" {
        return Ok(Baselines(Peer::ALL.to_vec()));
    }
    let peer = name
        .parse::<Peer>()
        .map_err(|error| format!("{error}, and all"))?;
    Ok(Baselines(vec![peer]))
}

fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let share = number.trim().parse().map(|number: f64| number / unit);
    share
        .ok()
        .filter(|share| (0.000_01..=0.5).contains(share))
        .ok_or_else(|| "write a share like 1% or 0.01, from 0.001% to 50%".into())
}

fn price(text: &str) -> Result<f64, String> {
    let price = text.parse().ok();
    price
        .filter(|price: &f64| (0.0..=1e6).contains(price))
        .ok_or_else(|| "write the price of an hour as a number, such as 0.17".into())
}

fn boot(text: &str) -> Result<BootTime, String> {
    let wrong = |error: OutOfRange| error.to_string();
    let Some(law) = text.strip_prefix("lognormal:") else {
        return BootTime::fixed(span(text)?).map_err(wrong);
    };
    let (median, p90) = law
        .split_once(',')
        .ok_or("write the median and the ninetieth percentile, such as lognormal:120s,160s")?;
    BootTime::lognormal(span(median)?, span(p90)?).map_err(wrong)
}

fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time span: write it like 180s, 3m or 14d");
    let span: jiff::Span = text.trim().parse().map_err(|_| wrong())?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let signed = span.to_duration(days).map_err(|_| wrong())?;
    signed.try_into().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &str) -> Result<Arguments, String> {
        let words = format!("backtest {more}");
        Arguments::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_needed() {
        let arguments = parse("").unwrap();
        assert!((arguments.slo - 0.01).abs() < 1e-12);
        assert_eq!(arguments.tune, None);
        assert!(arguments.environment().is_ok());
    }

    #[test]
    fn boots_are_a_time_or_a_law() {
        let secs = Duration::from_secs;
        let boot = |text: &str| parse(&format!("--boot {text}")).map(|arguments| arguments.boot);
        assert_eq!(
            boot("180s"),
            BootTime::fixed(secs(180)).map_err(|e| e.to_string())
        );
        let law = BootTime::lognormal(secs(120), secs(180)).map_err(|e| e.to_string());
        assert_eq!(boot("lognormal:2m,180s"), law);
        for (bad, why) in [
            ("180", "write it like 180s"),
            ("-5s", "write it like 180s"),
            ("2days", "24h"),
            ("lognormal:120s", "the median and the ninetieth percentile"),
            ("lognormal:120s,60s", "p90"),
            ("lognormal:0s,60s", "p90"),
            ("weibull:1,2", "write it like 180s"),
        ] {
            let error = parse(&format!("--boot={bad}")).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn baselines_are_named_or_all() {
        assert_eq!(parse("").unwrap().baselines(), []);
        assert_eq!(
            parse("--baseline all --baseline alarm")
                .unwrap()
                .baselines(),
            Peer::ALL
        );
        let two = parse("--baseline agones --baseline alarm")
            .unwrap()
            .baselines();
        assert_eq!(two, [Peer::Alarm, Peer::Agones]);
        let error = parse("--baseline mine").unwrap_err();
        assert!(
            error.contains("there is no baseline `mine`") && error.contains("agones"),
            "{error}"
        );
    }

    #[test]
    fn shares_and_prices_are_checked() {
        let slo = |text: &str| parse(&format!("--slo={text}")).map(|arguments| arguments.slo);
        assert_eq!(slo("0.1%"), Ok(0.001));
        assert_eq!(slo("0.05"), Ok(0.05));
        for bad in ["0", "0%", "1", "100%", "-1%", "NaN", "little", ""] {
            assert!(slo(bad).is_err(), "{bad}");
        }
        for bad in ["-1", "NaN", "inf", "cheap"] {
            assert!(parse(&format!("--price={bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_of_its_own_or_the_usual_one_is_tuned() {
        let tune = |text: &str| parse(text).unwrap().tune;
        assert_eq!(tune("--tune"), Some("tuned.toml".into()));
        assert_eq!(tune("--tune --slo 1%"), Some("tuned.toml".into()));
        assert_eq!(tune("--tune my.toml"), Some("my.toml".into()));
    }

    #[test]
    fn sizes_and_sources_are_checked() {
        let error = parse("--min-size 9 --max-size 3")
            .unwrap()
            .environment()
            .unwrap_err();
        assert!(error.to_string().contains("min_size"), "{error}");
        assert!(parse("--interval 0s").unwrap().environment().is_err());
        for bad in [
            "--sessions a.csv --from-cloudwatch jibri",
            "--days 3",
            "--from-cloudwatch jibri --days 456",
            "--decisions d.jsonl",
            "--max-size 0",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
