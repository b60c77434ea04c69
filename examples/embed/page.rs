//! The status page: made here, on one page, without a build step. It is whole without JavaScript; a few lines of that refresh it.

use std::time::Duration;

use jibri_scaler_core::{Finding, Severity, Timestamp};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    sparkline,
    view::{Done, Leaving, SAMPLES, Seen, View},
};

/// The look of it, in dark and light, also on a phone.
pub(crate) const STYLE: &str = include_str!("style.css");
/// What refreshes it.
pub(crate) const SCRIPT: &str = include_str!("refresh.js");

/// The page of all groups. Whatever comes from outside is escaped.
pub(crate) fn page(views: &[impl AsRef<View>]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "jibri-scaler" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
                noscript { meta http-equiv="refresh" content="10"; }
                script src="/refresh.js" defer {}
            }
            body {
                h1 { "jibri-scaler" }
                main {
                    @for view in views { (group(view.as_ref())) }
                }
            }
        }
    };
    page.into_string()
}

fn group(view: &View) -> Markup {
    html! {
        section id=(view.name) {
            h2 { (view.name) @if !view.leads && view.at.is_some() { " " small { "observes: it does not lead" } } }
            @if let Some(why) = &view.down {
                h3 { "Nobody keeps this group at present" }
                ul.findings { li.critical { (why) } }
            }
            @match view.at {
                None => p { "not looked at yet" },
                Some(at) => {
                    p.at { "at " time { (at) } }
                    (numbers(view))
                    (PreEscaped(sparkline::svg(&view.samples, SAMPLES)))
                    p.legend { span.spare { "spare" } " against " span.wanted { "wanted spare" } ", the last " (view.samples.len()) " ticks" }
                    (findings(view))
                    (retirements(&view.retirements, at))
                    (why(view))
                    (decisions(view.decisions.iter()))
                    (instances(&view.instances))
                }
            }
            @if view.at.is_none() && !view.problems.is_empty() { (problems(view)) }
        }
    }
}

fn numbers(view: &View) -> Markup {
    let tally = &view.tally;
    let shown = [
        ("spare", tally.spare, "now"),
        ("wanted", view.wanted, &*view.winner),
        ("coming", view.coming, ""),
        ("busy", tally.busy, ""),
        ("retiring", tally.retiring, ""),
        ("unknown", tally.unknown + tally.overdue, ""),
        ("broken", tally.unhealthy + tally.expired, ""),
    ];
    html! {
        dl.numbers {
            @for (name, number, about) in shown {
                div class=(name) { dt { (name) } dd { (number) } @if !about.is_empty() { small { (about) } } }
            }
            @if let Some(group) = view.group {
                div.desired {
                    dt { "desired" } dd { (group.desired) }
                    small { (group.min_size) "–" (group.max_size) }
                }
            }
        }
    }
}

fn findings(view: &View) -> Markup {
    html! {
        @if !view.problems.is_empty() { (problems(view)) }
        @if let Some(said) = &view.said { p.said { (said) } }
        @if !view.findings.is_empty() {
            h3 { "Findings" }
            ul.findings { @for finding in &view.findings { (one(finding)) } }
        }
    }
}

fn one(finding: &Finding) -> Markup {
    html! {
        li class=(finding.severity.as_str()) {
            strong { (finding.severity.as_str()) } " " (finding.what)
            span.fix { " What to do: " (finding.fix) }
        }
    }
}

fn problems(view: &View) -> Markup {
    html! {
        h3 { "What failed" }
        ul.findings { @for problem in &view.problems { li class=(Severity::Critical.as_str()) { (problem) } } }
    }
}

fn retirements(all: &[Leaving], now: Timestamp) -> Markup {
    html! {
        @if !all.is_empty() {
            h3 { "Retirements under way" }
            table {
                tr { th { "instance" } th { "phase" } th { "for" } th { "then" } }
                @for one in all {
                    tr {
                        td { (one.id) } td { (one.phase) } td { (age(now.since(one.since))) }
                        td { @if one.replace { "replaced" } @else { "one fewer" } }
                    }
                }
            }
        }
    }
}

fn why(view: &View) -> Markup {
    html! {
        details {
            summary { "Why: the last decision, step by step" }
            table {
                tr { th { "stage" } th { "from" } th { "to" } th { "because" } }
                @for step in &view.steps {
                    tr { td { (step.stage.as_str()) } td { (step.before) } td { (step.after) } td { (step.because) } }
                }
            }
        }
    }
}

fn decisions<'a>(all: impl ExactSizeIterator<Item = &'a Done>) -> Markup {
    html! {
        @if all.len() > 0 {
            h3 { "What was done" }
            ol.done {
                @for done in all {
                    li {
                        time { (done.at) } " " (done.what.join("; "))
                        @if !done.because.is_empty() { ul { @for because in &done.because { li { (because) } } } }
                    }
                }
            }
        }
    }
}

fn instances(all: &[Seen]) -> Markup {
    html! {
        h3 { "Instances" }
        table.instances {
            tr { th { "instance" } th { "class" } th { "may it go?" } th { "state" } th { "zone" } }
            @for seen in all {
                tr class=(seen.standing.class.as_str()) {
                    td { (seen.standing.id) } td { (seen.standing.class) } td { (seen.standing.verdict) }
                    td { (seen.lifecycle) } td { (seen.zone) }
                }
            }
        }
    }
}

/// A time span to two units: `3h 20m`.
fn age(age: Duration) -> String {
    let secs = age.as_secs();
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, secs) => format!("{secs}s"),
        (0, mins, secs) => format!("{mins}m {secs}s"),
        (hours, mins, _) => format!("{hours}h {mins}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let evil = "<script>alert('x')</script>\" onload=\"x";
        let view = View {
            name: evil.into(),
            at: Some(Timestamp::from_secs(0)),
            winner: evil.into(),
            said: Some(evil.into()),
            down: Some(evil.into()),
            problems: vec![evil.into()],
            findings: vec![Finding::new(Severity::Warning, evil, evil)],
            retirements: vec![Leaving {
                id: evil.into(),
                phase: "told",
                since: Timestamp::from_secs(0),
                replace: true,
            }],
            decisions: [Done {
                at: Timestamp::from_secs(0),
                what: vec![evil.into()],
                because: vec![evil.into()],
            }]
            .into(),
            ..View::default()
        };
        let page = page(&[Box::new(view)]);
        assert_eq!(
            page.matches("<script").count(),
            1,
            "the one of its own: {page}"
        );
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("\" onload"),
            "{page}"
        );
    }

    #[test]
    fn a_group_that_was_never_seen_says_so_and_why() {
        let view = View {
            name: "jibri".into(),
            problems: vec!["could not list the group".into()],
            ..View::default()
        };
        let page = page(&[Box::new(view)]);
        assert!(
            page.contains("not looked at yet") && page.contains("could not list"),
            "{page}"
        );
    }

    #[test]
    fn ages_have_two_units() {
        for (secs, shown) in [(0, "0s"), (59, "59s"), (61, "1m 1s"), (7325, "2h 2m")] {
            assert_eq!(age(Duration::from_secs(secs)), shown);
        }
    }
}
