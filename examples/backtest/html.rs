//! The report as one page that needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    candidate::Source,
    report::Report,
    text::{cells, hours, percent},
};

const COLUMNS: [&str; 12] = [
    "refused",
    "share",
    "95 % interval",
    "idle h",
    "booting h",
    "busy h",
    "draining h",
    "per 30 days",
    "launches a day",
    "peak",
    "× bound",
    "over",
];

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#222;--soft:#667;--paper:#fff;--line:#d8dbe0;--good:#e4f4ea}\
@media(prefers-color-scheme:dark){:root{--text:#ddd;--soft:#99a;--paper:#1b1d21;--line:#3a3d44;--good:#1e3a2a}}\
*{box-sizing:border-box}body{margin:0 auto;padding:1rem;max-width:78rem;background:var(--paper);color:var(--text);\
font:16px/1.5 system-ui,sans-serif}h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2rem}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}\
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\
th:first-child,td:first-child{text-align:left;white-space:normal;min-width:11rem;overflow-wrap:anywhere}\
tr.best{background:var(--good)}.soft{color:var(--soft);font-size:.9rem}svg{width:100%;min-width:40rem;height:auto}\
summary{cursor:pointer;padding:.3rem 0}.advice{font-size:1.1rem}";

/// The page, with the picture of all policies.
pub(crate) fn page(report: &Report, picture: &str) -> String {
    let best = report.cheapest().map(|row| row.name.as_str());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Backtest of " (report.origin) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "What policies would have done" }
                p { (report.recordings()) }
                p.advice { (report.advice()) }
                @for note in &report.notes {
                    p { (note) "." }
                }
                h2 { "Refused recordings against the cost of the spare" }
                div.wide { (PreEscaped(picture)) }
                h2 { "All policies" }
                div.wide { (table(report, best)) }
                p.soft { (report.bound_line()) }
                @if let Some(line) = report.oracle_line() {
                    p.soft { (line) }
                }
                @if let Some(curves) = &report.curves {
                    h2 { "What the search has tried" }
                    details {
                        summary { (curves.iter().map(Vec::len).sum::<usize>()) " settings" }
                        div.wide { (tried(report)) }
                    }
                }
                @if !report.days.is_empty() {
                    h2 { "The busiest day" }
                    @for (number, (row, day)) in report.policies.iter().zip(&report.days).enumerate() {
                        details open[number == 0] {
                            summary { (row.name) }
                            div.wide { (PreEscaped(day)) }
                        }
                    }
                    p.soft { "Blue marks raise the desired capacity, grey ones lower it, red ones are refused recordings. Point at a mark for more." }
                }
                h2 { "What was presumed" }
                p { (report.assumptions) }
                p.soft {
                    "Recordings start when they started, whatever the policy. Jicofo refuses at once where no Jibri is idle, and nobody asks again. \
                     Instances cost by the second from launch to end. The 95 % interval is drawn from whole weeks; below two weeks there is none. \
                     All times are UTC."
                }
            }
        }
    };
    page.into_string()
}

fn table(report: &Report, best: Option<&str>) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "policy" }
                @for column in COLUMNS { th scope="col" { (column) } }
            } }
            tbody {
                @for (number, row) in report.rows().enumerate() {
                    tr class=[(best == Some(row.name.as_str())).then_some("best")] {
                        td {
                            @if row.source != Source::RateOracle { (number + 1) ". " }
                            (row.name)
                        }
                        @for cell in cells(row, report.price) { td { (cell) } }
                    }
                }
            }
        }
    }
}

fn tried(report: &Report) -> Markup {
    html! {
        table {
            thead { tr {
                @for column in ["setting", "refused", "overhead h", "per 30 days"] { th scope="col" { (column) } }
            } }
            tbody {
                @for tried in report.curves.iter().flatten().flatten() {
                    tr {
                        td { (tried.setting.name()) }
                        td { (percent(tried.share())) }
                        td { (hours(tried.outcome.overhead())) }
                        td { (format!("{:.2}", tried.outcome.cost_per_30_days(report.price))) }
                    }
                }
            }
        }
    }
}
