//! Finds the settings that are worth a long run.

use serde::{Deserialize, Serialize};

use crate::{
    contest::{Contender, Draw, Family, Load, Result},
    score::Score,
};

/// At most so many percent are to be refused.
pub(crate) const TARGETS: [f64; 3] = [5.0, 1.0, 0.1];
/// A curve that needs so many times the hours of the best one at a target is not followed further there. One draw is off by a few
/// percent.
const HOPELESS: f64 = 1.15;

/// Settings that were played: as they are, or in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point<C> {
    pub(crate) contender: C,
    pub(crate) score: Score,
}

/// One curve, of which each setting is played once at most.
struct Curve<'d> {
    draws: &'d [Draw],
    settings: Vec<Contender>,
    scores: Vec<Option<Score>>,
}

impl<'d> Curve<'d> {
    fn new(settings: Vec<Contender>, draws: &'d [Draw]) -> Self {
        Self {
            draws,
            scores: vec![None; settings.len()],
            settings,
        }
    }

    fn play(&mut self, at: usize) -> Result<&Score> {
        if self.scores[at].is_none() {
            self.scores[at] = Some(self.settings[at].play(self.draws)?);
        }
        self.scores[at]
            .as_ref()
            .ok_or_else(|| "it was just played".into())
    }

    /// Where a target is met first, by halves: refusals sink along a curve.
    fn meet(&mut self, target: f64) -> Result<usize> {
        let (mut from, mut to) = (0, self.settings.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            if self.play(middle)?.percent() <= target {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        Ok(from)
    }

    /// The hours that a target takes; none where no setting meets it.
    fn hours(&mut self, target: f64) -> Result<Option<f64>> {
        let met = self.meet(target)?;
        if met == self.settings.len() {
            return Ok(None);
        }
        Ok(Some(self.play(met)?.hours()))
    }

    /// The settings that were played.
    fn played(self) -> impl Iterator<Item = Point<Contender>> {
        let all = self.settings.into_iter().zip(self.scores);
        all.filter_map(|(contender, score)| score.map(|score| Point { contender, score }))
    }
}

/// Searches a family: each curve at all targets on the first draw, and those that are near the best at a target there on all
/// draws. How many settings were played, and of those the ones on both sides of each target on the family's frontier.
pub(crate) fn search(family: Family, load: &Load) -> Result<(usize, Vec<Contender>)> {
    let mut needs = Vec::new();
    let mut count = 0;
    for settings in family.curves() {
        let mut curve = Curve::new(settings.clone(), &load.draws[..1]);
        let mut need = [None; TARGETS.len()];
        for (need, target) in need.iter_mut().zip(TARGETS) {
            *need = curve.hours(target)?;
        }
        needs.push((need, settings));
        count += curve.played().count();
    }
    let mut best = [f64::INFINITY; TARGETS.len()];
    for (need, _) in &needs {
        for (best, need) in best.iter_mut().zip(need) {
            *best = best.min(need.unwrap_or(f64::INFINITY));
        }
    }
    let mut played = Vec::new();
    for (need, settings) in needs {
        let mut curve = Curve::new(settings, &load.draws);
        for ((target, best), need) in TARGETS.into_iter().zip(best).zip(need) {
            // Where nobody meets it, all are followed.
            if best.is_infinite() || need.is_some_and(|need| need <= HOPELESS * best) {
                let met = curve.meet(target)?;
                // The one before it bounds the target from the other side.
                if let Some(before) = met.checked_sub(1) {
                    curve.play(before)?;
                }
            }
        }
        played.extend(curve.played());
    }
    count += played.len();
    let mut chosen: Vec<Contender> = Vec::new();
    let frontier = frontier(played);
    for target in TARGETS {
        let met = frontier
            .iter()
            .position(|point| point.score.percent() <= target);
        let met = met.unwrap_or(frontier.len());
        for point in &frontier[met.saturating_sub(1)..(met + 1).min(frontier.len())] {
            if !chosen.contains(&point.contender) {
                chosen.push(point.contender.clone());
            }
        }
    }
    Ok((count, chosen))
}

/// Those that no other beats in both, from few hours to many.
pub(crate) fn frontier<C>(mut points: Vec<Point<C>>) -> Vec<Point<C>> {
    let key = |point: &Point<C>| (point.score.hours(), point.score.percent());
    points.sort_by(|a, b| {
        key(a)
            .partial_cmp(&key(b))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut least = f64::INFINITY;
    points.retain(|point| {
        let better = point.score.percent() < least;
        least = least.min(point.score.percent());
        better
    });
    points
}

/// The hours a family needs to refuse no more than a target: between the two points of its frontier around that, on the logarithm of the
/// share. None where it is not reached.
pub(crate) fn hours_for<C>(target: f64, frontier: &[Point<C>]) -> Option<f64> {
    let met = frontier
        .iter()
        .position(|point| point.score.percent() <= target)?;
    let low = &frontier[met].score;
    let Some(high) = met.checked_sub(1).map(|before| &frontier[before].score) else {
        return Some(low.hours());
    };
    let [above, below] = [high, low].map(|score| score.at_least_half().ln());
    let share = ((above - target.ln()) / (above - below)).clamp(0.0, 1.0);
    Some(high.hours() + share * (low.hours() - high.hours()))
}
