//! What the long runs gave.

use crate::{
    contest::{Contender, Family, Load, Result, Score},
    search::{self, Point, TARGETS},
};

/// One kind of demand.
pub(crate) struct Results {
    pub(crate) name: &'static str,
    pub(crate) families: Vec<Row>,
    /// What the policy refuses that is told to refuse at most each target.
    pub(crate) promised: Vec<Point>,
    /// The peers as they are shipped or documented.
    pub(crate) documented: Vec<Point>,
    /// Settings that were played in the search.
    pub(crate) searched: usize,
}

/// One family.
pub(crate) struct Row {
    pub(crate) family: Family,
    /// The frontier of what was played at length.
    pub(crate) frontier: Vec<Point>,
    /// The hours in a week that each target needs.
    pub(crate) hours: [Option<f64>; TARGETS.len()],
}

/// What is played at length on one kind of demand.
pub(crate) struct Entries {
    chosen: Vec<(Family, Vec<Contender>)>,
    searched: usize,
}

/// Searches all families on a short load.
pub(crate) fn enter(short: &Load, note: &mut impl FnMut(&str)) -> Result<Entries> {
    let mut entries = Entries {
        chosen: Vec::new(),
        searched: 0,
    };
    for family in Family::all() {
        let (played, chosen) = search::search(family, short)?;
        note(&format!(
            "{family}: {played} settings searched, {} chosen",
            chosen.len()
        ));
        entries.searched += played;
        entries.chosen.push((family, chosen));
    }
    Ok(entries)
}

/// Plays all entries on a long load.
pub(crate) fn play(entries: Entries, long: &Load, note: &mut impl FnMut(&str)) -> Result<Results> {
    let point = |contender: Contender| -> Result<Point> {
        let score = contender.play(&long.draws)?;
        Ok(Point { contender, score })
    };
    let promised = TARGETS.map(|percent| Contender::Slo { percent, hold: 60 });
    let promised: Vec<Point> = promised.map(point).into_iter().collect::<Result<_>>()?;
    note("slo: told the targets");
    let mut families = Vec::new();
    for (family, chosen) in entries.chosen {
        let mut points = chosen.into_iter().map(point).collect::<Result<Vec<_>>>()?;
        if family == Family::Slo {
            points.extend(promised.iter().cloned());
        }
        let frontier = search::frontier(points);
        let hours = TARGETS.map(|target| search::hours_for(target, &frontier));
        note(&format!("{family}: played"));
        families.push(Row {
            family,
            frontier,
            hours,
        });
    }
    let documented = Family::all().filter_map(Family::documented);
    Ok(Results {
        name: long.name,
        families,
        promised,
        documented: documented.map(point).collect::<Result<_>>()?,
        searched: entries.searched,
    })
}

impl Results {
    pub(crate) fn row(&self, family: Family) -> Option<&Row> {
        self.families.iter().find(|row| row.family == family)
    }

    /// The peer that needs the fewest hours for a target, by its number.
    pub(crate) fn best_peer(&self, target: usize) -> Option<(&Row, f64)> {
        let peers = self
            .families
            .iter()
            .filter(|row| matches!(row.family, Family::Peer(_)));
        peers
            .filter_map(|row| Some((row, row.hours[target]?)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    /// The cheapest setting of the best peer that meets a target.
    pub(crate) fn best_setting(&self, target: usize) -> Option<&Point> {
        let (row, _) = self.best_peer(target)?;
        let mut points = row.frontier.iter();
        points.find(|point| point.score.percent() <= TARGETS[target])
    }

    /// The hours that our family needs for a target, and times those of the best peer.
    pub(crate) fn ratio(&self, target: usize) -> Option<f64> {
        let ours = self.row(Family::Slo)?.hours[target]?;
        Some(ours / self.best_peer(target)?.1)
    }
}

/// A mean over the draws, and half the width of its interval of 95 %.
#[expect(clippy::cast_precision_loss, reason = "few draws")]
pub(crate) fn interval(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (squares / (count - 1.0).max(1.0) / count).sqrt();
    (mean, students_t(values.len()) * error)
}

/// The 97.5th percentile of Student's t for so many values.
const fn students_t(count: usize) -> f64 {
    match count {
        0..=2 => 12.71,
        3 => 4.30,
        4 => 3.18,
        5 => 2.78,
        6..=8 => 2.45,
        9..=14 => 2.20,
        _ => 2.09,
    }
}

/// The percentage refused, with its interval over the draws.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub(crate) fn refused(score: &Score) -> (f64, f64) {
    let each = score.each.iter();
    let each = each.map(|played| played.refused as f64 * 100.0 / played.requests.max(1) as f64);
    let (_, half) = interval(&each.collect::<Vec<_>>());
    (score.percent(), half)
}

/// By how many hours a week one needs more than the other on the same draws, with its interval.
pub(crate) fn paired(one: &Score, other: &Score) -> (f64, f64) {
    let pairs = one.each.iter().zip(&other.each);
    interval(&pairs.map(|(a, b)| a.hours - b.hours).collect::<Vec<_>>())
}
