//! The figures as Markdown.

use std::fmt::Write as _;

use crate::{
    contest::Family,
    results::{Results, Row, paired, refused},
    search::TARGETS,
};

/// How it was run.
pub(crate) struct Setup {
    pub(crate) short: (u32, u64),
    pub(crate) long: (u32, u64),
    /// How many seeds, for the search and then, where no goal is set.
    pub(crate) elsewhere: (u64, u64),
    pub(crate) peak: f64,
}

impl Setup {
    /// How many seeds to search on, and how many to play on then.
    pub(crate) fn seeds(&self, load: &str) -> (u64, u64) {
        if GOAL_LOADS.contains(&load) {
            (self.short.1, self.long.1)
        } else {
            self.elsewhere
        }
    }
}

/// The share of the best peer's hours that ours are to need at most.
const GOAL: f64 = 0.7;
/// Where that is the goal.
pub(crate) const GOAL_LOADS: [&str; 2] = ["office", "clustered"];

/// What stands between the markers of the document.
pub(crate) fn markdown(setup: &Setup, all: &[Results]) -> String {
    let mut out = String::new();
    let _ = head(&mut out, setup, all);
    for results in all {
        let _ = load(&mut out, results);
    }
    out
}

fn head(out: &mut String, setup: &Setup, all: &[Results]) -> std::fmt::Result {
    let (short, long) = (setup.short, setup.long);
    writeln!(
        out,
        "Searched on {} weeks × {} seeds, then played on {} weeks × {} other seeds (where no goal is set on {} and {}), with {} starts in a peak \
         hour (a quarter of that before it grows).\n",
        short.0, short.1, long.0, long.1, setup.elsewhere.0, setup.elsewhere.1, setup.peak
    )?;
    writeln!(out, "### The target\n")?;
    writeln!(
        out,
        "At most {GOAL} times the hours of the best tuned peer, `slo` tuned alike (its x chosen so that what is really refused is the target).\n"
    )?;
    writeln!(
        out,
        "| demand | refused | `slo` | best peer | ratio | goal |\n|---|---|---|---|---|---|"
    )?;
    for results in all
        .iter()
        .filter(|results| GOAL_LOADS.contains(&results.name))
    {
        for (number, target) in TARGETS.iter().enumerate() {
            let ours = results.row(Family::Slo).and_then(|row| row.hours[number]);
            let Some((best, theirs)) = results.best_peer(number) else {
                continue;
            };
            let Some((ours, ratio)) = ours.zip(results.ratio(number)) else {
                continue;
            };
            let goal = match number {
                0 => "none set",
                _ if ratio <= GOAL => "met",
                _ => "**missed**",
            };
            writeln!(
                out,
                "| {} | {target} % | {ours:.0} h | {theirs:.0} h, {} | {ratio:.2} | {goal} |",
                results.name, best.family
            )?;
        }
    }
    writeln!(out, "\n### The promise\n")?;
    writeln!(
        out,
        "What `slo` refuses that is told to refuse at most x, with the interval of 95 % over the seeds, and the hours a week that costs.\n"
    )?;
    writeln!(
        out,
        "| demand | recordings | 5 % | 1 % | 0.1 % |\n|---|---|---|---|---|"
    )?;
    for results in all {
        let recordings = results
            .promised
            .first()
            .map_or(0, |point| point.score.requests);
        write!(out, "| {} | {recordings} |", results.name)?;
        for (point, target) in results.promised.iter().zip(TARGETS) {
            let (percent, half) = refused(&point.score);
            let broken = if percent > target { " **above**" } else { "" };
            write!(
                out,
                " {percent:.3} ± {half:.3} %{broken}, {:.0} h |",
                point.score.hours()
            )?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn load(out: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(out, "### {}\n", results.name)?;
    writeln!(out, "![](frontier/{}.svg)\n", file_name(results.name))?;
    writeln!(
        out,
        "Hours a week beside recording that each family needs, times those of `slo` tuned, and how much more than the rate oracle. {} settings were searched.\n",
        results.searched
    )?;
    writeln!(
        out,
        "| family | 5 % | 1 % | 0.1 % | setting for 1 % |\n|---|---|---|---|---|"
    )?;
    let oracle = results.row(Family::Oracle);
    for row in &results.families {
        write!(out, "| {} |", row.family)?;
        for number in 0..TARGETS.len() {
            write!(
                out,
                " {} |",
                cell(row, number, results.row(Family::Slo), oracle)
            )?;
        }
        let met = row
            .frontier
            .iter()
            .find(|point| point.score.percent() <= TARGETS[1]);
        match met {
            Some(point) => writeln!(out, " {} |", point.contender)?,
            None => writeln!(out, " none found |")?,
        }
    }
    for (number, target) in TARGETS.iter().enumerate() {
        let promised = results.promised.get(number);
        if let Some((ours, theirs)) = promised.zip(results.best_setting(number)) {
            let (more, half) = paired(&ours.score, &theirs.score);
            writeln!(
                out,
                "\n- Told to refuse at most {target} %, `slo` refuses {:.3} % and needs {more:+.1} ± {half:.1} hours a week beside `{}` ({}), which refuses {:.3} %.",
                ours.score.percent(),
                theirs.contender.family(),
                theirs.contender,
                theirs.score.percent()
            )?;
        }
    }
    writeln!(out, "\nAs shipped or documented:\n")?;
    writeln!(
        out,
        "| | refused | hours a week | launches a day | settings |\n|---|---|---|---|---|"
    )?;
    for point in &results.documented {
        let score = &point.score;
        writeln!(
            out,
            "| {} | {:.2} % | {:.0} | {:.0} | {} |",
            point.contender.family(),
            score.percent(),
            score.hours(),
            score.launches_per_day(),
            point.contender
        )?;
    }
    writeln!(out)
}

fn cell(row: &Row, target: usize, ours: Option<&Row>, oracle: Option<&Row>) -> String {
    let Some(hours) = row.hours[target] else {
        return "not reached".into();
    };
    let of = |row: Option<&Row>| row.and_then(|row| row.hours[target]);
    let mut cell = format!("{hours:.0} h");
    if let Some(ours) = of(ours).filter(|_| row.family != Family::Slo) {
        let _ = write!(cell, ", {:.2}×", hours / ours);
    }
    if let Some(oracle) = of(oracle).filter(|_| row.family != Family::Oracle) {
        let _ = write!(cell, ", {:+.0} %", (hours / oracle - 1.0) * 100.0);
    }
    cell
}

pub(crate) fn file_name(load: &str) -> String {
    load.replace(' ', "-")
}

/// Puts the figures between the markers of a document, and leaves what people wrote around them.
pub(crate) fn put_between_markers(document: &str, figures: &str) -> Option<String> {
    const BEGIN: &str = "<!-- begin figures -->\n";
    const END: &str = "<!-- end figures -->";
    let begin = document.find(BEGIN)? + BEGIN.len();
    let end = document.find(END).filter(|end| *end >= begin)?;
    Some(format!(
        "{}\n{figures}{}",
        &document[..begin],
        &document[end..]
    ))
}
