//! The spare and the wanted spare of the last ticks, as a picture.

use std::{collections::VecDeque, fmt::Write as _};

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 40.0;

/// An SVG of so many ticks at most, of which each is (spare, wanted).
#[expect(
    clippy::cast_precision_loss,
    reason = "there are a few hundred samples"
)]
pub(crate) fn svg(samples: &VecDeque<(u32, u32)>, most: usize) -> String {
    let top = samples
        .iter()
        .map(|(spare, wanted)| *spare.max(wanted))
        .max();
    let top = f64::from(top.unwrap_or(0).max(1));
    // The newest is at the right edge.
    let first = most.saturating_sub(samples.len());
    let step = WIDTH / most.saturating_sub(1).max(1) as f64;
    let line = |pick: fn((u32, u32)) -> u32| {
        let mut points = String::new();
        for (place, sample) in samples.iter().enumerate() {
            let x = (first + place) as f64 * step;
            let y = (HEIGHT - 2.0).mul_add(-f64::from(pick(*sample)) / top, HEIGHT - 1.0);
            let _ = write!(points, "{x:.1},{y:.1} ");
        }
        points
    };
    let (spare, wanted) = (line(|(spare, _)| spare), line(|(_, wanted)| wanted));
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"spare against wanted spare, at most {top}\"><polyline class=\"wanted\" points=\"{}\"/>\
         <polyline class=\"spare\" points=\"{}\"/></svg>",
        wanted.trim_end(),
        spare.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_at_the_right_and_the_largest_at_the_top() {
        let svg = svg(&[(0, 2), (4, 2)].into(), 3);
        assert!(
            svg.contains("class=\"wanted\" points=\"120.0,20.0 240.0,20.0\""),
            "{svg}"
        );
        assert!(
            svg.contains("class=\"spare\" points=\"120.0,39.0 240.0,1.0\""),
            "{svg}"
        );
    }

    #[test]
    fn nothing_makes_an_empty_picture() {
        assert!(svg(&VecDeque::new(), 240).contains("points=\"\""));
        assert!(svg(&[(0, 0)].into(), 1).contains("points=\"0.0,39.0\""));
    }
}
