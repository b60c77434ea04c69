//! The figures as Markdown.

use std::fmt::Write as _;

use crate::{
    contest::Family,
    results::{Results, Row, paired, refused},
    score::Score,
    search::{Point, TARGETS},
};

/// The share of the best peer's hours that ours are to need at most.
const GOAL: f64 = 0.7;
/// Where that is the goal.
pub(crate) const GOAL_LOADS: [&str; 2] = ["office", "clustered"];

/// What stands between the markers of the document.
pub(crate) fn markdown(all: &[Results]) -> String {
    let mut out = String::new();
    let _ = played(&mut out, all);
    let _ = target(&mut out, all);
    let _ = promise(&mut out, all);
    for results in all {
        let _ = load(&mut out, results);
    }
    out
}

fn played(out: &mut String, all: &[Results]) -> std::fmt::Result {
    writeln!(
        out,
        "### What was played\n\nEach setting is searched on short draws, and what is chosen is then played on longer ones from other seeds. Weeks × seeds:\n"
    )?;
    writeln!(
        out,
        "| demand | searched on | played on | starts in a peak hour | settings searched |\n|---|---|---|---|---|"
    )?;
    for results in all {
        let setup = &results.setup;
        let ((short, few), (long, seeds)) = (setup.short, setup.long);
        writeln!(
            out,
            "| {} | {short} × {few} | {long} × {seeds} | {} | {} |",
            results.name, setup.peak, results.searched
        )?;
    }
    writeln!(out)
}

fn target(out: &mut String, all: &[Results]) -> std::fmt::Result {
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
        .filter(|results| GOAL_LOADS.contains(&results.name.as_str()))
    {
        for (number, target) in TARGETS.iter().enumerate() {
            let ours = results.row(Family::Slo).and_then(|row| row.hours(number));
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
    writeln!(out)
}

fn promise(out: &mut String, all: &[Results]) -> std::fmt::Result {
    writeln!(out, "### The promise\n")?;
    writeln!(
        out,
        "What `slo` refuses that is told to refuse at most x, with the interval of 95 % over the seeds, and the hours a week that costs.\n"
    )?;
    writeln!(
        out,
        "| demand | recordings | 5 % | 1 % | 0.1 % |\n|---|---|---|---|---|"
    )?;
    for results in all {
        let name = &results.name;
        let scores = |points: &[Point<String>]| -> Vec<Score> {
            points.iter().map(|point| point.score.clone()).collect()
        };
        let told = scores(&results.promised);
        promises(out, name, &told)?;
        if !results.reserved.is_empty() {
            let foreseen: Vec<Score> = told.iter().map(Score::foreseen).collect();
            let name = format!("{name}, without what nothing foretold");
            promises(out, &name, &foreseen)?;
            let name = format!("{}, with a reservation", results.name);
            promises(out, &name, &scores(&results.reserved))?;
        }
    }
    writeln!(out)
}

/// A row of what was refused by those who were told the targets.
fn promises(out: &mut String, name: &str, scores: &[Score]) -> std::fmt::Result {
    let recordings = scores.first().map_or(0, |score| score.requests);
    write!(out, "| {name} | {recordings} |")?;
    for (score, target) in scores.iter().zip(TARGETS) {
        if score.requests == 0 {
            write!(out, " |")?;
            continue;
        }
        let (percent, half) = refused(score);
        let broken = if percent > target { " **above**" } else { "" };
        let hours = score.hours();
        write!(out, " {percent:.3} ± {half:.3} %{broken}, {hours:.0} h |")?;
    }
    writeln!(out)
}

fn load(out: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(out, "### {}\n", results.name)?;
    writeln!(out, "![](frontier/{}.svg)\n", file_name(&results.name))?;
    writeln!(
        out,
        "Hours a week beside recording that each family needs, times those of `slo` tuned, and how much more than the rate oracle.\n"
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
        match row.setting(1) {
            Some(point) => writeln!(out, " {} |", point.contender)?,
            None => writeln!(out, " none found |")?,
        }
    }
    for (number, target) in TARGETS.iter().enumerate() {
        let promised = results.promised.get(number);
        let best = results.best_peer(number).map(|(row, _)| row);
        let best = best.and_then(|row| Some((row.family, row.setting(number)?)));
        if let Some((ours, (family, theirs))) = promised.zip(best) {
            let (more, half) = paired(&ours.score, &theirs.score);
            writeln!(
                out,
                "\n- Told to refuse at most {target} %, `slo` refuses {:.3} % and needs {more:+.1} ± {half:.1} hours a week beside `{}` ({}), which refuses {:.3} %.",
                ours.score.percent(),
                family,
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
    for (family, point) in &results.documented {
        let score = &point.score;
        writeln!(
            out,
            "| {} | {:.2} % | {:.0} | {:.0} | {} |",
            family,
            score.percent(),
            score.hours(),
            score.launches_per_day(),
            point.contender
        )?;
    }
    writeln!(out)
}

fn cell(row: &Row, target: usize, ours: Option<&Row>, oracle: Option<&Row>) -> String {
    let Some(hours) = row.hours(target) else {
        return "not reached".into();
    };
    let of = |row: Option<&Row>| row.and_then(|row| row.hours(target));
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
