//! Demand of the kinds that Jibris meet, made from a seed.

mod lengths;
mod profile;
mod rates;
mod scenario;

pub use lengths::Lengths;
pub use rates::Rates;
pub use scenario::{Scenario, Unforeseen};

use std::time::Duration;

use rand_chacha::rand_core::Rng;
use rand_distr::{Distribution as _, Gamma, Poisson};

use super::{Session, Trace};
use crate::{
    OutOfRange, Timestamp,
    sim::draws::{Draws, Purpose},
};
use profile::Profile;

/// A law of demand: how many recordings start when, on average, and how long they last.
///
/// Starts come at random (a Poisson process whose rate changes from minute to minute). The rate follows the local time of day and
/// week.
///
/// ```
/// use jibri_scaler_core::{Timestamp, backtest::workload::Workload};
///
/// let monday: Timestamp = "2026-11-23T00:00:00Z".parse()?;
/// let week = Workload::clustered(30.0)?.sample(monday, 7, 1);
/// assert!((1100..1350).contains(&week.trace.sessions().len()));
/// assert!(week.rates.at("2026-11-23T10:01:00Z".parse()?) > 5.0 * week.rates.at("2026-11-23T10:10:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    profile: Profile,
    peak: f64,
    lengths: Lengths,
    /// The coefficient of variation of a factor that is drawn for each day.
    random_days: f64,
    /// By how many times the rate is larger after a week.
    growth: f64,
    /// When, how many starts on average, within what time.
    bursts: Vec<(Timestamp, f64, Duration)>,
    /// From when on local time is how many seconds before UTC; the first counts for all time before, too.
    offsets: Vec<(Timestamp, i32)>,
}

/// A draw of a workload.
///
/// ```
/// use jibri_scaler_core::{Timestamp, backtest::workload::Workload};
///
/// let drawn = Workload::constant(60.0)?.sample(Timestamp::from_secs(0), 1, 3);
/// assert_eq!(drawn.rates.at(Timestamp::from_secs(3600)), 60.0);
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Drawn {
    /// The recordings.
    pub trace: Trace,
    /// The rate that they were drawn with, the luck of the days included.
    pub rates: Rates,
}

impl Workload {
    /// Always as many starts per hour.
    ///
    /// # Errors
    /// Outside 0–100000 per hour, as for the other kinds.
    pub fn constant(per_hour: f64) -> Result<Self, OutOfRange> {
        Self::new(Profile::Constant, per_hour)
    }

    /// An office: weekdays from 7 to 19 with two peaks, little at other times. A day has eight times the starts of a peak hour.
    ///
    /// # Errors
    /// Outside 0–100000 per hour.
    pub fn office(peak_per_hour: f64) -> Result<Self, OutOfRange> {
        Self::new(Profile::Office, peak_per_hour)
    }

    /// The same office where 60 % of all starts come within the first four minutes of a half hour, as scheduled meetings do.
    ///
    /// # Errors
    /// Outside 0–100000 per hour.
    pub fn clustered(peak_per_hour: f64) -> Result<Self, OutOfRange> {
        Self::new(Profile::Clustered, peak_per_hour)
    }

    /// A school: on weekdays five lessons, each of which half as many recordings as this start in the first five minutes of, and
    /// nothing between.
    ///
    /// # Errors
    /// Outside 0–100000 per hour.
    pub fn timetable(peak_per_hour: f64) -> Result<Self, OutOfRange> {
        Self::new(Profile::Timetable, peak_per_hour)
    }

    fn new(profile: Profile, peak: f64) -> Result<Self, OutOfRange> {
        if !(0.0..=100_000.0).contains(&peak) {
            return Err(OutOfRange::new("per_hour", peak.to_string(), "0–100000"));
        }
        Ok(Self {
            profile,
            peak,
            lengths: Lengths::default(),
            random_days: 0.0,
            growth: 1.0,
            bursts: Vec::new(),
            offsets: Vec::new(),
        })
    }

    /// The same with recordings of these lengths.
    #[must_use]
    pub const fn with_lengths(mut self, lengths: Lengths) -> Self {
        self.lengths = lengths;
        self
    }

    /// The same with a factor for each day, drawn from a gamma law of mean 1 and this coefficient of variation.
    ///
    /// # Errors
    /// Outside 0–3.
    pub fn with_random_days(mut self, variation: f64) -> Result<Self, OutOfRange> {
        if !(0.0..=3.0).contains(&variation) {
            return Err(OutOfRange::new("random_days", variation.to_string(), "0–3"));
        }
        self.random_days = variation;
        Ok(self)
    }

    /// The same with a rate that is so many times larger after each week.
    ///
    /// # Errors
    /// Outside 0.1–10.
    pub fn with_growth(mut self, times_per_week: f64) -> Result<Self, OutOfRange> {
        if !(0.1..=10.0).contains(&times_per_week) {
            return Err(OutOfRange::new(
                "growth",
                times_per_week.to_string(),
                "0.1–10",
            ));
        }
        self.growth = times_per_week;
        Ok(self)
    }

    /// The same with a burst: about so many starts more within a time.
    ///
    /// # Errors
    /// Outside 0–100000 starts, or within no time at all.
    pub fn with_burst(
        mut self,
        at: Timestamp,
        starts: f64,
        within: Duration,
    ) -> Result<Self, OutOfRange> {
        if !(0.0..=100_000.0).contains(&starts) {
            return Err(OutOfRange::new("starts", starts.to_string(), "0–100000"));
        }
        if within.is_zero() {
            return Err(OutOfRange::new("within", "\"0s\"".into(), "above \"0s\""));
        }
        self.bursts.push((at, starts, within));
        Ok(self)
    }

    /// The same in a place whose local time is so many seconds ahead of UTC from that time on; what is said for the earliest time
    /// counts before it too. Said twice, it is a change between winter and summer time. Default: local time is UTC.
    ///
    /// # Errors
    /// More than a day ahead or behind.
    pub fn with_utc_offset(mut self, from: Timestamp, seconds: i32) -> Result<Self, OutOfRange> {
        if !(-86_400..=86_400).contains(&seconds) {
            return Err(OutOfRange::new(
                "utc_offset",
                seconds.to_string(),
                "-86400–86400",
            ));
        }
        self.offsets.push((from, seconds));
        self.offsets.sort_unstable();
        Ok(self)
    }

    /// Draws the recordings of so many days.
    #[must_use]
    pub fn sample(&self, start: Timestamp, days: u32, seed: u64) -> Drawn {
        let draws = Draws::new(seed);
        let rates = self.rates(start, days, draws);
        let mut arrivals = draws.stream(Purpose::Arrivals, 0);
        let mut lengths = draws.stream(Purpose::Lengths, 0);
        let mut sessions = Vec::new();
        for (minute, per_hour) in rates.per_hour().iter().enumerate() {
            let starts = poisson(per_hour / 60.0, &mut arrivals);
            let begin = start + MINUTE * u32::try_from(minute).unwrap_or(u32::MAX);
            for _ in 0..starts {
                let offset = u128::from(arrivals.next_u64()) * MINUTE.as_micros();
                // Below a minute, since the product is below a minute times 2^64.
                let micros = u64::try_from(offset >> u64::BITS).unwrap_or(0);
                let start = begin + Duration::from_micros(micros);
                let end = start + self.lengths.draw(&mut lengths);
                sessions.push(Session { start, end });
            }
        }
        Drawn {
            trace: Trace::new(sessions),
            rates,
        }
    }

    fn rates(&self, start: Timestamp, days: u32, draws: Draws) -> Rates {
        let minutes = u64::from(days) * 1440;
        let mut factors = DayFactors::new(self.random_days, draws);
        let per_hour = (0..minutes).map(|minute| {
            let at = start + Duration::from_secs(minute * 60);
            let local = at.as_micros().div_euclid(1_000_000) + i64::from(self.utc_offset(at));
            let share = self.profile.share(local.div_euclid(60));
            #[expect(
                clippy::cast_precision_loss,
                reason = "minutes of some years are exact"
            )]
            let weeks = minute as f64 / 10_080.0;
            let factor = factors.of(local.div_euclid(86_400));
            self.peak * share * factor * self.growth.powf(weeks) + self.burst(at)
        });
        Rates::new(start, per_hour.collect())
    }

    fn utc_offset(&self, at: Timestamp) -> i32 {
        let begun = self.offsets.iter().rev().find(|(from, _)| *from <= at);
        begun
            .or_else(|| self.offsets.first())
            .map_or(0, |(_, seconds)| *seconds)
    }

    /// What bursts add to the minute that begins at this time, in starts per hour.
    fn burst(&self, at: Timestamp) -> f64 {
        let share = |(from, starts, within): &(Timestamp, f64, Duration)| {
            let (begin, end) = (at.max(*from), (at + MINUTE).min(*from + *within));
            starts * end.since(begin).as_secs_f64() / within.as_secs_f64() * 60.0
        };
        self.bursts.iter().map(share).sum()
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// A factor for each local day, the same whichever day is asked for first.
struct DayFactors {
    law: Option<Gamma<f64>>,
    draws: Draws,
    newest: Option<(i64, f64)>,
}

impl DayFactors {
    fn new(variation: f64, draws: Draws) -> Self {
        let squared = variation * variation;
        let law = (variation > 0.0).then(|| Gamma::new(1.0 / squared, squared).ok());
        Self {
            law: law.flatten(),
            draws,
            newest: None,
        }
    }

    fn of(&mut self, day: i64) -> f64 {
        let Some(law) = &self.law else { return 1.0 };
        match self.newest {
            Some((newest, factor)) if newest == day => factor,
            _ => {
                let mut stream = self.draws.stream(Purpose::Days, day.cast_unsigned());
                let factor = law.sample(&mut stream);
                self.newest = Some((day, factor));
                factor
            }
        }
    }
}

fn poisson(mean: f64, stream: &mut impl Rng) -> u32 {
    // There is no such law without a mean.
    let count = Poisson::new(mean).map_or(0.0, |law| law.sample(stream));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number, far below 2^32 for the rates that are allowed"
    )]
    let count = count as u32;
    count
}

#[cfg(test)]
mod tests;
