//! The day as a picture: busy, idle and booting instances over time, with the decisions marked.

pub(crate) mod svg;

use std::{fmt::Write as _, time::Duration};

use jibri_scaler_core::Timestamp;

use svg::{escape, line};

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 50.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 40.0;

/// How many instances did what, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) busy: u32,
    pub(crate) idle: u32,
    pub(crate) booting: u32,
    pub(crate) leaving: u32,
}

/// Something worth a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The desired capacity was raised.
    Grow(String),
    /// Retirements began.
    Retire(String),
    /// A recording was refused.
    Refused,
}

/// Collects the samples and marks of a day.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    samples: Vec<(Timestamp, Sample)>,
    marks: Vec<(Timestamp, Mark)>,
}

impl Timeline {
    pub(crate) fn sample(&mut self, at: Timestamp, sample: Sample) {
        self.samples.push((at, sample));
    }

    pub(crate) fn mark(&mut self, at: Timestamp, mark: Mark) {
        self.marks.push((at, mark));
    }

    /// The picture as SVG.
    pub(crate) fn svg(&self, title: &str) -> String {
        let begin = self
            .samples
            .first()
            .map_or(Timestamp::from_secs(0), |(at, _)| *at);
        let end = self.samples.last().map_or(begin, |(at, _)| *at);
        let length = end.since(begin).max(Duration::from_secs(1));
        let most = self
            .samples
            .iter()
            .map(|(_, s)| s.busy + s.idle + s.booting + s.leaving)
            .max()
            .unwrap_or(0)
            .max(1);
        let scale = Scale {
            begin,
            length,
            most,
        };

        let mut svg = svg::open(title, WIDTH, HEIGHT);
        let layers: [(&str, &str, Layer); 4] = [
            ("busy", "#c0504d", |s| (0, s.busy)),
            ("leaving", "#a6a6a6", |s| (s.busy, s.leaving)),
            ("idle", "#9bbb59", |s| (s.busy + s.leaving, s.idle)),
            ("booting", "#f2c14e", |s| {
                (s.busy + s.leaving + s.idle, s.booting)
            }),
        ];
        for (at, (name, colour, layer)) in (0_u32..).zip(layers) {
            self.area(&mut svg, &scale, colour, layer);
            let x = WIDTH - 330.0 + f64::from(at) * 80.0;
            line(
                &mut svg,
                format_args!(
                    "<rect x=\"{x}\" y=\"12\" width=\"12\" height=\"12\" fill=\"{colour}\"/>"
                ),
            );
            line(
                &mut svg,
                format_args!(
                    "<text class=\"ink\" x=\"{}\" y=\"22\">{name}</text>",
                    x + 16.0
                ),
            );
        }
        axes(&mut svg, &scale);
        self.marks(&mut svg, &scale);
        svg.push_str("</svg>\n");
        svg
    }

    fn area(&self, svg: &mut String, scale: &Scale, colour: &str, layer: Layer) {
        let mut upper = String::new();
        let mut lower = Vec::new();
        let mut last = None;
        for (at, sample) in &self.samples {
            let (from, height) = layer(sample);
            if let Some((from, to)) = last {
                // A step: what was holds until now.
                let _ = write!(upper, "{:.1},{:.1} ", scale.x(*at), scale.y(to));
                lower.push((scale.x(*at), scale.y(from)));
            }
            let _ = write!(upper, "{:.1},{:.1} ", scale.x(*at), scale.y(from + height));
            lower.push((scale.x(*at), scale.y(from)));
            last = Some((from, from + height));
        }
        for (x, y) in lower.into_iter().rev() {
            let _ = write!(upper, "{x:.1},{y:.1} ");
        }
        line(
            svg,
            format_args!(
                "<polygon fill=\"{colour}\" fill-opacity=\"0.85\" points=\"{}\"/>",
                upper.trim_end()
            ),
        );
    }

    fn marks(&self, svg: &mut String, scale: &Scale) {
        for (at, mark) in &self.marks {
            let x = scale.x(*at);
            let y = HEIGHT - BOTTOM;
            let (path, colour, text) = match mark {
                Mark::Grow(text) => (format!("M{x:.1} {y}l-4 7h8z"), "#3b82d6", text.as_str()),
                Mark::Retire(text) => (
                    format!("M{x:.1} {}l-4 -7h8z", TOP + 4.0),
                    "#888",
                    text.as_str(),
                ),
                Mark::Refused => (
                    format!("M{x:.1} {TOP}v8"),
                    "#d00",
                    "a recording was refused",
                ),
            };
            let clock = at.to_string();
            let clock = clock.get(11..19).unwrap_or("");
            line(
                svg,
                format_args!(
                    "<path d=\"{path}\" fill=\"{colour}\" stroke=\"{colour}\"><title>{clock} {}</title></path>",
                    escape(text)
                ),
            );
        }
    }
}

/// Where a layer of the picture begins, and how high it is.
type Layer = fn(&Sample) -> (u32, u32);

struct Scale {
    begin: Timestamp,
    length: Duration,
    most: u32,
}

impl Scale {
    fn x(&self, at: Timestamp) -> f64 {
        LEFT + (WIDTH - LEFT - 10.0) * at.since(self.begin).as_secs_f64()
            / self.length.as_secs_f64()
    }

    fn y(&self, count: u32) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * f64::from(count) / f64::from(self.most)
    }
}

fn axes(svg: &mut String, scale: &Scale) {
    let step = (scale.most / 8).max(1);
    for count in (0..=scale.most).step_by(step as usize) {
        let y = scale.y(count);
        line(
            svg,
            format_args!(
                "<text class=\"ink\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{count}</text>",
                LEFT - 6.0,
                y + 4.0
            ),
        );
        line(
            svg,
            format_args!(
                "<path d=\"M{LEFT} {y:.1}H{}\" class=\"grid\"/>",
                WIDTH - 10.0
            ),
        );
    }
    let mut hour = scale.begin;
    while hour <= scale.begin + scale.length {
        let clock = hour.to_string();
        let clock = clock.get(11..16).unwrap_or("");
        let (x, y) = (scale.x(hour), HEIGHT - BOTTOM + 18.0);
        line(
            svg,
            format_args!(
                "<text class=\"ink\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{clock}</text>"
            ),
        );
        hour = hour + Duration::from_hours(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_nothing_is_still_a_picture() {
        let svg = Timeline::default().svg("<nothing>");
        assert!(
            svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.contains("&lt;nothing&gt;")
        );
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn samples_and_marks_are_drawn() {
        let mut timeline = Timeline::default();
        let at = Timestamp::from_secs;
        timeline.sample(
            at(0),
            Sample {
                busy: 1,
                idle: 2,
                ..Sample::default()
            },
        );
        timeline.mark(at(1800), Mark::Grow("set capacity 4".into()));
        timeline.sample(
            at(3600),
            Sample {
                busy: 3,
                booting: 1,
                ..Sample::default()
            },
        );
        let svg = timeline.svg("day");
        assert_eq!(svg.matches("<polygon").count(), 4);
        assert!(svg.contains("set capacity 4") && svg.contains("01:00"));
    }
}
