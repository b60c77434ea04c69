//! Refusals against idle hours, as SVG.

use std::fmt::Write as _;

use crate::{contest::Family, results::Results, search::TARGETS};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// The shares on the axis, in percent.
const MOST: f64 = 20.0;
const LEAST: f64 = 0.01;
/// Told apart by people who do not see all colours alike (Okabe and Ito).
const COLOURS: [&str; 9] = [
    "#d55e00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#e69f00", "#8c6d31", "#6a51a3",
    "#000000",
];

/// Where things are.
struct Axes {
    most_hours: f64,
}

impl Axes {
    fn x(&self, hours: f64) -> f64 {
        LEFT + (hours / self.most_hours).min(1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(percent: f64) -> f64 {
        let share = (MOST.ln() - percent.clamp(LEAST, MOST).ln()) / (MOST.ln() - LEAST.ln());
        TOP + share * (HEIGHT - TOP - BOTTOM)
    }
}

pub(crate) fn svg(results: &Results) -> String {
    let hours = results.families.iter().flat_map(|row| &row.frontier);
    let most_hours = hours.map(|point| point.score.hours()).fold(1.0, f64::max);
    let axes = Axes {
        most_hours: (most_hours / 200.0).ceil() * 200.0,
    };
    let mut out = String::new();
    let _ = draw(&mut out, results, &axes);
    out
}

fn draw(out: &mut String, results: &Results, axes: &Axes) -> std::fmt::Result {
    writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" role="img">
<title>Refused recordings against idle hours: {name}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
<text x="{LEFT}" y="22" font-size="15">{name}: refused, against hours a week beside recording</text>"##,
        name = results.name
    )?;
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for percent in [20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01] {
        let y = Axes::y(percent);
        let strong = TARGETS.contains(&percent);
        let colour = if strong { "#999" } else { "#e5e5e5" };
        writeln!(
            out,
            r#"<line x1="{LEFT}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="{colour}"/>"#
        )?;
        writeln!(
            out,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{percent} %</text>"#,
            LEFT - 6.0,
            y + 4.0
        )?;
    }
    for step in 0..=4 {
        let hours = axes.most_hours * f64::from(step) / 4.0;
        let x = axes.x(hours);
        writeln!(
            out,
            r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}" stroke="#e5e5e5"/>"##
        )?;
        writeln!(
            out,
            r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{hours:.0} h</text>"#,
            bottom + 18.0
        )?;
    }
    for ((number, row), colour) in (0_u32..).zip(&results.families).zip(COLOURS.iter().cycle()) {
        let place =
            |hours: f64, percent: f64| format!("{:.1},{:.1}", axes.x(hours), Axes::y(percent));
        let places: Vec<String> = row
            .frontier
            .iter()
            .map(|point| place(point.score.hours(), point.score.at_least_half()))
            .collect();
        let (width, dashes) = match row.family {
            Family::Slo => (3.0, ""),
            Family::Oracle => (2.0, r#" stroke-dasharray="5 4""#),
            Family::Peer(_) => (1.4, ""),
        };
        writeln!(
            out,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>"#,
            places.join(" ")
        )?;
        for at in &places {
            let (x, y) = at.split_once(',').unwrap_or(("0", "0"));
            writeln!(
                out,
                r#"<circle cx="{x}" cy="{y}" r="2.6" fill="{colour}"/>"#
            )?;
        }
        let y = TOP + 14.0 + 20.0 * f64::from(number);
        writeln!(
            out,
            r#"<line x1="{:.1}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke="{colour}" stroke-width="{width}"{dashes}/><text x="{:.1}" y="{:.1}">{}</text>"#,
            right + 16.0,
            right + 44.0,
            right + 52.0,
            y + 4.0,
            row.family
        )?;
    }
    writeln!(out, "</svg>")
}
