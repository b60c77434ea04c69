use std::{cmp::Ordering, time::Duration};

use super::Session;
use crate::{Timestamp, time::readable};

/// How many Jibris recorded on average in one period, as a metric tells.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, backtest::BusyPeriod};
///
/// let period = BusyPeriod::new(Timestamp::from_secs(0), Duration::from_secs(60), 2.5);
/// assert_eq!(period.end(), Timestamp::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BusyPeriod {
    /// When it begins.
    pub start: Timestamp,
    /// How long it is.
    pub length: Duration,
    /// The number of busy Jibris, averaged over the period.
    pub busy: f64,
}

impl BusyPeriod {
    /// So many busy ones on average, from that time on, for so long.
    #[must_use]
    pub const fn new(start: Timestamp, length: Duration, busy: f64) -> Self {
        Self {
            start,
            length,
            busy,
        }
    }

    /// When it ends.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.start + self.length
    }
}

/// Recordings that are read out of the number of busy Jibris.
///
/// ```
/// assert_eq!(jibri_scaler_core::backtest::Reconstruction::default().sessions, []);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Reconstruction {
    /// The recordings, by start, then end.
    pub sessions: Vec<Session>,
    /// How many of them were under way when the data begin or end, or at a gap: their ends are those of the data.
    pub cut: usize,
    /// The time that the data tell of.
    pub covered: Duration,
    /// The time between the first and the last period that they do not tell of.
    pub missing: Duration,
    /// The length of the longest period.
    pub coarsest: Duration,
    /// Periods that were left out: their number was negative or none at all, above [`MOST_BUSY`](Self::MOST_BUSY), or said twice.
    pub ignored: usize,
}

impl Reconstruction {
    /// A group is never larger than this.
    pub const MOST_BUSY: f64 = 10_000.0;

    /// How exact it is, in sentences, which belong beside every result.
    #[must_use]
    pub fn exactness(&self) -> String {
        let how = format!(
            "{} recordings were read out of the number of busy Jibris, whose periods are up to {} long: starts and ends are right to about \
             one period, all recordings together are as long as they were, and which start belongs to which end is a guess. Where one \
             ended as another began, with no gap that the metric shows, the two are one. Recordings that were refused are not in it: a \
             group that refused many looks less loaded than it was",
            self.sessions.len(),
            readable(self.coarsest)
        );
        let cut = (self.cut > 0).then(|| {
            format!(
                "{} were under way at the edge of the data, and end there",
                self.cut
            )
        });
        let missing =
            (!self.missing.is_zero()).then(|| format!("no data for {}", readable(self.missing)));
        let ignored =
            (self.ignored > 0).then(|| format!("{} periods could not be used", self.ignored));
        let parts = [Some(how), cut, missing, ignored];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// Reads recordings out of the number of busy Jibris: each increment is a start, each decrement an end.
///
/// The number is cut into levels: level k is taken for as much of a period as the average is above k − 1. A recording on it begins in
/// the first period in which the level is taken, so late that the share is right, and ends in the last one likewise. A dip in between is the
/// end of one and the start of another. So all recordings together are as long as the average says, and a single start or end within a
/// period is found to the accuracy of the average.
///
/// What cannot be seen: which recording ended when several were under way; one that ended just as another began; and those that were
/// refused. A gap in the data no longer than `bridge` is taken as if nothing had changed in it; at a longer one what is under way is cut.
/// The periods may come in any order and be of different lengths.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, backtest::{BusyPeriod, Session, sessions_from_busy}};
///
/// let (at, minute) = (Timestamp::from_secs, Duration::from_secs(60));
/// // One that begins in the middle of the second minute and ends with the third, and one within the last.
/// let means = [0.0, 0.5, 1.0, 0.0, 0.25];
/// let periods = (0..).zip(means).map(|(n, busy)| BusyPeriod::new(at(n * 60), minute, busy));
/// let found = sessions_from_busy(periods, Duration::from_secs(600));
/// assert_eq!(found.sessions[0], Session::new(at(90), at(180))?);
/// assert_eq!(found.sessions[1].length().as_secs(), 15);
/// # Ok::<(), jibri_scaler_core::backtest::NegativeSession>(())
/// ```
#[must_use]
pub fn sessions_from_busy(
    periods: impl IntoIterator<Item = BusyPeriod>,
    bridge: Duration,
) -> Reconstruction {
    let mut found = Reconstruction::default();
    let mut periods: Vec<_> = periods.into_iter().collect();
    periods.sort_by(|a, b| {
        a.start
            .cmp(&b.start)
            .then(a.length.cmp(&b.length))
            .then(a.busy.partial_cmp(&b.busy).unwrap_or(Ordering::Equal))
    });
    let mut until = Timestamp::MIN;
    periods.retain(|period| {
        let sane = (0.0..=Reconstruction::MOST_BUSY).contains(&period.busy);
        let keep = sane && !period.length.is_zero() && period.start >= until;
        if keep {
            until = period.end();
        }
        found.ignored += usize::from(!keep);
        keep
    });
    found.covered = periods.iter().map(|period| period.length).sum();
    let lengths = periods.iter().map(|period| period.length);
    found.coarsest = lengths.max().unwrap_or_default();
    if let (Some(first), Some(last)) = (periods.first(), periods.last()) {
        found.missing = last.end().since(first.start).saturating_sub(found.covered);
    }
    let most = periods.iter().map(|period| period.busy).fold(0.0, f64::max);
    let mut level = 0.0;
    while level + ROUNDING < most {
        for run in periods.chunk_by(|a, b| b.start.since(a.end()) <= bridge) {
            found.read(level, run);
        }
        level += 1.0;
    }
    found.sessions.sort_unstable();
    found
}

/// Averages are sums of few whole numbers, divided: they are not off by more.
const ROUNDING: f64 = 1e-6;

impl Reconstruction {
    /// Adds the recordings above this level, in periods without a long gap.
    fn read(&mut self, level: f64, run: &[BusyPeriod]) {
        let share = |at: Option<usize>| {
            let above = at
                .and_then(|at| run.get(at))
                .map_or(0.0, |p| p.busy - level);
            match above {
                above if above < ROUNDING => 0.0,
                above if above > 1.0 - ROUNDING => 1.0,
                above => above,
            }
        };
        let mut open: Option<Timestamp> = None;
        for (at, period) in run.iter().enumerate() {
            let (taken, next) = (share(Some(at)), share(Some(at + 1)));
            if taken == 0.0 {
                continue;
            }
            let part = |share: f64| period.length.mul_f64(share);
            let (inside, goes_on, whole) = (open.is_some(), next > 0.0, taken >= 1.0);
            if !inside {
                open = Some(match goes_on {
                    _ if whole => period.start,
                    true => period.end().before(part(taken)),
                    false => period.start + part((1.0 - taken) / 2.0),
                });
                self.cut += usize::from(whole && at == 0);
            } else if goes_on && !whole && next < 1.0 {
                // It ended here, and another begins in the next period.
                self.close(open.take(), period.start + part(taken));
            } else if goes_on && !whole {
                // It ended here, and another began.
                self.close(open.take(), period.start + part(taken / 2.0));
                open = Some(period.end().before(part(taken / 2.0)));
            }
            if !goes_on {
                let end = match inside {
                    _ if whole => period.end(),
                    true => period.start + part(taken),
                    false => period.start + part(f64::midpoint(1.0, taken)),
                };
                self.cut += usize::from(whole && at > 0 && at + 1 == run.len());
                self.close(open.take(), end);
            }
        }
    }

    fn close(&mut self, open: Option<Timestamp>, end: Timestamp) {
        if let Some(start) = open {
            // Rounding may bring the two ends of a short one out of order.
            let start = start.min(end);
            self.sessions.push(Session { start, end });
        }
    }
}

#[cfg(test)]
mod tests;
