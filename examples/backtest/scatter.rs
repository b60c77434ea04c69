//! Refusals against what the spare costs.

use std::fmt::Write as _;

use crate::{
    compare::Row,
    report::Report,
    text::percent,
    timeline::svg::{self, escape, line},
};

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 560.0;
/// As high as the picture of a day is.
const DAY_HEIGHT: f64 = 420.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 400.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 56.0;
/// The height of the band in which nothing was refused, below the logarithmic scale.
const NONE: f64 = 34.0;

const COLOURS: [&str; 8] = [
    "#3b82d6", "#d1495b", "#2e9e6b", "#b5762a", "#8b5fbf", "#0f9fa8", "#c2559d", "#7a8a2e",
];

/// The picture: each policy is a point, with a number; the bound, who knows the average week, and what a search has tried are curves.
pub(crate) fn picture(report: &Report) -> String {
    let scale = Scale::new(report);
    let mut svg = svg::open(
        "Refused recordings against the cost of the spare",
        WIDTH,
        HEIGHT,
    );
    axes(&mut svg, &scale);
    for curve in report.curves.iter().flatten() {
        let points = curve
            .iter()
            .map(|tried| (report.overhead(&tried.outcome), tried.share()));
        polyline(
            &mut svg,
            &scale,
            "#9aa0a6",
            "stroke-opacity=\"0.55\"",
            points,
        );
    }
    let corners = report.bounds.corners.iter();
    let bound = corners.map(|corner| {
        let share = share(corner.refused, report.bounds.recordings);
        (report.per_30_days(corner.overhead), share)
    });
    polyline(
        &mut svg,
        &scale,
        "#d1495b",
        "stroke-dasharray=\"6 4\"",
        bound,
    );
    let mut oracle: Vec<_> = report
        .oracle
        .iter()
        .map(|row| (report.overhead(&row.outcome), row.share()))
        .collect();
    oracle.sort_by(|a, b| a.0.total_cmp(&b.0));
    polyline(
        &mut svg,
        &scale,
        "#2e9e6b",
        "stroke-dasharray=\"2 3\"",
        oracle.into_iter(),
    );
    for (number, row) in report.policies.iter().enumerate() {
        point(&mut svg, &scale, report, number, row);
    }
    legend(&mut svg, report);
    svg.push_str("</svg>\n");
    svg
}

/// The picture, and below it the day of the cheapest policy that refuses few enough, or else of the first.
pub(crate) fn with_day(picture: &str, report: &Report) -> String {
    let best = report
        .cheapest()
        .and_then(|best| report.policies.iter().position(|row| row.name == best.name));
    let Some(day) = report.days.get(best.unwrap_or(0)) else {
        return picture.to_owned();
    };
    let height = HEIGHT + DAY_HEIGHT;
    let place = |svg: &str, y: f64, height: f64| {
        svg.replacen(
            "<svg ",
            &format!("<svg y=\"{y}\" width=\"{WIDTH}\" height=\"{height}\" "),
            1,
        )
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\">\n{}{}</svg>\n",
        place(picture, 0.0, HEIGHT),
        place(day, HEIGHT, DAY_HEIGHT)
    )
}

struct Scale {
    /// The dearest, in money for 30 days.
    most: f64,
    /// The smallest share above nothing, as a power of ten.
    lowest: i32,
}

impl Scale {
    fn new(report: &Report) -> Self {
        let rows = report.rows().map(|row| report.overhead(&row.outcome));
        let bound = report.per_30_days(report.bounds.none_refused.overhead);
        let most = rows.fold(bound, f64::max);
        let asked = report.bounds.recordings.max(10) - 1;
        let lowest = -1 - i32::try_from(asked.ilog10()).unwrap_or(9);
        Self {
            most: if most > 0.0 { 1.05 * most } else { 1.0 },
            lowest,
        }
    }

    fn x(&self, cost: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (cost / self.most).min(1.0)
    }

    /// Logarithmic, and nothing at the bottom.
    fn y(&self, share: f64) -> f64 {
        let (none, all) = (HEIGHT - BOTTOM, TOP + 12.0);
        if share <= 0.0 {
            return none;
        }
        let part = (share.log10() / f64::from(self.lowest)).clamp(0.0, 1.0);
        all + part * (none - NONE - all)
    }
}

fn axes(svg: &mut String, scale: &Scale) {
    let right = WIDTH - RIGHT;
    let shares = (scale.lowest..=0).map(|power| 10_f64.powi(power));
    for share in shares.chain([0.0]) {
        let y = scale.y(share);
        line(
            svg,
            format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>"),
        );
        let label = if share > 0.0 {
            format!("{} %", 100.0 * share)
        } else {
            "none".into()
        };
        line(
            svg,
            format_args!(
                "<text class=\"ink\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 6.0,
                y + 4.0
            ),
        );
    }
    let step = step(scale.most);
    let mut cost = 0.0;
    while cost <= scale.most {
        let (x, y) = (scale.x(cost), HEIGHT - BOTTOM + 18.0);
        line(
            svg,
            format_args!(
                "<path class=\"grid\" d=\"M{x:.1} {TOP}V{}\"/>",
                HEIGHT - BOTTOM
            ),
        );
        line(
            svg,
            format_args!(
                "<text class=\"ink\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{cost}</text>"
            ),
        );
        cost += step;
    }
    let middle = f64::midpoint(LEFT, right);
    line(
        svg,
        format_args!(
            "<text class=\"ink\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">cost of idle, booting and draining instances in 30 days</text>",
            HEIGHT - 14.0
        ),
    );
}

/// A round step that gives up to ten.
fn step(most: f64) -> f64 {
    let power = 10_f64.powf((most / 10.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    steps
        .into_iter()
        .find(|step| most / step <= 10.0)
        .unwrap_or(most)
}

fn polyline(
    svg: &mut String,
    scale: &Scale,
    colour: &str,
    more: &str,
    points: impl Iterator<Item = (f64, f64)>,
) {
    let mut text = String::new();
    for (cost, share) in points {
        let _ = write!(text, "{:.1},{:.1} ", scale.x(cost), scale.y(share));
    }
    line(
        svg,
        format_args!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" {more} points=\"{}\"/>",
            text.trim_end()
        ),
    );
}

fn point(svg: &mut String, scale: &Scale, report: &Report, number: usize, row: &Row) {
    let colour = COLOURS[number % COLOURS.len()];
    let cost = report.overhead(&row.outcome);
    let (x, y) = (scale.x(cost), scale.y(row.share()));
    if let Some(interval) = row.interval {
        let (top, bottom) = (scale.y(interval.high), scale.y(interval.low));
        line(
            svg,
            format_args!(
                "<path d=\"M{x:.1} {top:.1}V{bottom:.1}\" stroke=\"{colour}\" stroke-opacity=\"0.6\"/>"
            ),
        );
    }
    line(
        svg,
        format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"9\" fill=\"{colour}\"><title>{}: {} refused, {cost:.2}</title></circle>\n\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#fff\" font-size=\"11\">{}</text>",
            escape(&row.name),
            percent(row.share()),
            y + 4.0,
            number + 1
        ),
    );
}

fn legend(svg: &mut String, report: &Report) {
    const MOST: usize = 22;
    let x = WIDTH - RIGHT + 24.0;
    let mut y = TOP + 12.0;
    let mut entry = |sign: String, text: &str| {
        line(
            svg,
            format_args!(
                "{sign}<text class=\"ink\" x=\"{}\" y=\"{:.1}\">{}</text>",
                x + 22.0,
                y + 4.0,
                escape(&short(text))
            ),
        );
        y += 20.0;
        y
    };
    let stroke = |y: f64, colour: &str, more: &str| {
        format!(
            "<path d=\"M{} {y}h18\" stroke=\"{colour}\" stroke-width=\"1.6\" {more}/>",
            x - 6.0
        )
    };
    let mut at = TOP + 12.0;
    for (number, row) in report.policies.iter().enumerate().take(MOST) {
        let colour = COLOURS[number % COLOURS.len()];
        let sign = format!(
            "<circle cx=\"{}\" cy=\"{at}\" r=\"8\" fill=\"{colour}\"/><text x=\"{0}\" y=\"{}\" text-anchor=\"middle\" fill=\"#fff\" \
             font-size=\"10\">{}</text>",
            x + 3.0,
            at + 4.0,
            number + 1
        );
        at = entry(sign, &row.name);
    }
    if report.policies.len() > MOST {
        at = entry(String::new(), "and others, as in the table");
    }
    at = entry(
        stroke(at, "#d1495b", "stroke-dasharray=\"6 4\""),
        "bound: knows every recording",
    );
    if !report.oracle.is_empty() {
        at = entry(
            stroke(at, "#2e9e6b", "stroke-dasharray=\"2 3\""),
            "knows the average week",
        );
    }
    if report.curves.is_some() {
        entry(
            stroke(at, "#9aa0a6", "stroke-opacity=\"0.55\""),
            "tried by --tune",
        );
    }
}

fn short(text: &str) -> String {
    const MOST: usize = 52;
    let length = text.chars().count();
    if length <= MOST {
        return text.to_owned();
    }
    "…"
        .chars()
        .chain(text.chars().skip(length + 1 - MOST))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 recordings")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for (most, expected) in [
            (10.0, 1.0),
            (11.0, 2.0),
            (999.0, 100.0),
            (0.3, 0.05),
            (2100.0, 500.0),
        ] {
            assert!(
                (step(most) - expected).abs() < 1e-9,
                "{most}: {}",
                step(most)
            );
        }
    }

    #[test]
    fn what_refuses_less_is_lower_and_what_costs_more_is_further_right() {
        let scale = Scale {
            most: 100.0,
            lowest: -4,
        };
        let heights = [1.0, 0.1, 0.01, 0.000_1, 0.000_000_1, 0.0].map(|share| scale.y(share));
        assert!(heights.is_sorted(), "{heights:?}");
        assert!(
            heights[5] > heights[4] + 10.0,
            "nothing is apart from little"
        );
        assert!(scale.x(0.0) < scale.x(50.0) && scale.x(1e9) <= WIDTH - RIGHT);
    }
}
