//! What the long runs gave: a file for each kind of demand, so that kinds can be played one at a time.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    contest::{Contender, Family, Load, Result},
    score::Score,
    search::{self, Point, TARGETS},
};

/// How it was played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// Weeks and seeds of the search.
    pub(crate) short: (u32, u64),
    /// Weeks and seeds of what was played then.
    pub(crate) long: (u32, u64),
    /// Starts in a peak hour.
    pub(crate) peak: f64,
}

/// One kind of demand.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) name: String,
    pub(crate) setup: Setup,
    /// Settings that were played in the search.
    pub(crate) searched: usize,
    /// What the policy refuses that is told to refuse at most each target.
    pub(crate) promised: Vec<Point<String>>,
    /// The same with a reservation for what nothing foretells; empty where there is no such thing.
    pub(crate) reserved: Vec<Point<String>>,
    pub(crate) families: Vec<Row>,
    /// All as they are shipped or documented.
    pub(crate) documented: Vec<(Family, Point<String>)>,
}

/// One family.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) family: Family,
    /// The frontier of what was played at length.
    pub(crate) frontier: Vec<Point<String>>,
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
pub(crate) fn play(
    name: &str,
    setup: &Setup,
    entries: Entries,
    long: &Load,
    note: &mut impl FnMut(&str),
) -> Result<Results> {
    // Some are chosen that are told a target, too.
    let mut known: Vec<(Contender, Score)> = Vec::new();
    let mut all = |contenders: Vec<Contender>| -> Result<Vec<Point<String>>> {
        let mut points = Vec::new();
        for contender in contenders {
            let before = known.iter().find(|(other, _)| *other == contender);
            let score = match before {
                Some((_, score)) => score.clone(),
                None => contender.play(&long.draws)?,
            };
            points.push(Point {
                contender: contender.to_string(),
                score: score.clone(),
            });
            known.push((contender, score));
        }
        Ok(points)
    };
    let promised = TARGETS.map(|percent| Contender::Slo { percent, hold: 60 });
    let promised = all(promised.to_vec())?;
    let mut reserved = Vec::new();
    if long.has_unforeseen() {
        let told = TARGETS.map(|percent| Contender::Reserved { percent, hold: 60 });
        reserved = all(told.to_vec())?;
    }
    note("slo: told the targets");
    let mut families = Vec::new();
    for (family, chosen) in entries.chosen {
        let mut points = all(chosen)?;
        if family == Family::Slo {
            points.extend(promised.iter().cloned());
        }
        note(&format!("{family}: played"));
        families.push(Row {
            family,
            frontier: search::frontier(points),
        });
    }
    let mut documented = Vec::new();
    for family in Family::all() {
        let points = all(family.documented().into_iter().collect())?;
        documented.extend(points.into_iter().map(|point| (family, point)));
    }
    Ok(Results {
        name: name.to_owned(),
        setup: setup.clone(),
        searched: entries.searched,
        promised,
        reserved,
        families,
        documented,
    })
}

impl Row {
    /// The hours in a week that a target needs, by its number.
    pub(crate) fn hours(&self, target: usize) -> Option<f64> {
        search::hours_for(TARGETS[target], &self.frontier)
    }

    /// The cheapest setting that meets a target, by its number.
    pub(crate) fn setting(&self, target: usize) -> Option<&Point<String>> {
        let mut points = self.frontier.iter();
        points.find(|point| point.score.percent() <= TARGETS[target])
    }
}

impl Results {
    /// What was written down of one kind of demand, if that was played.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let said = |error: &dyn std::fmt::Display| {
            format!(
                "reading {}: {error}; remove it, and play its kind anew",
                path.display()
            )
        };
        match fs::read(path) {
            Ok(text) => Ok(serde_json::from_slice(&text).map_err(|error| said(&error))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(said(&error).into()),
        }
    }

    /// Writes it down.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string(self)? + "\n";
        Ok(
            fs::write(path, text)
                .map_err(|error| format!("writing {}: {error}", path.display()))?,
        )
    }

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
            .filter_map(|row| Some((row, row.hours(target)?)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    /// The hours that our family needs for a target, and times those of the best peer.
    pub(crate) fn ratio(&self, target: usize) -> Option<f64> {
        let ours = self.row(Family::Slo)?.hours(target)?;
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
