use std::time::Duration;

use rand_chacha::rand_core::Rng;
use rand_distr::{Distribution as _, LogNormal};

use crate::{
    OutOfRange,
    sim::draws::{Draws, Purpose},
};

/// How long a launch takes, from the request to the moment at which Jicofo can select the new Jibri.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::backtest::BootTime;
///
/// let boot = BootTime::lognormal(Duration::from_secs(120), Duration::from_secs(160))?;
/// assert_eq!(boot.mean().as_secs(), 123);
/// assert!(BootTime::lognormal(Duration::from_secs(120), Duration::from_secs(60)).is_err());
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BootTime(Law);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Law {
    Fixed(Duration),
    Lognormal(LogNormal<f64>, Duration),
    TwoPoint {
        short: Duration,
        long: Duration,
        share_long: f64,
    },
}

const RANGE: &str = "\"0s\"–\"24h\"";
const DAY: Duration = Duration::from_secs(86_400);
/// How many standard deviations above the median the ninetieth percentile of a normal distribution is.
const Z90: f64 = 1.281_551_565_544_6;

impl BootTime {
    /// Always the same.
    ///
    /// # Errors
    /// Where it is longer than a day.
    pub fn fixed(time: Duration) -> Result<Self, OutOfRange> {
        in_range("boot", time)?;
        Ok(Self(Law::Fixed(time)))
    }

    /// Lognormal with this median and ninetieth percentile; never longer than a day.
    ///
    /// # Errors
    /// Where the median is zero, the percentile is below it, or either is longer than a day.
    pub fn lognormal(median: Duration, p90: Duration) -> Result<Self, OutOfRange> {
        in_range("median", median)?;
        in_range("p90", p90)?;
        let wrong = || OutOfRange::new("p90", format!("{p90:?}"), "median–\"24h\"");
        if median.is_zero() || p90 < median {
            return Err(wrong());
        }
        let location = median.as_secs_f64().ln();
        let scale = (p90.as_secs_f64().ln() - location) / Z90;
        let law = LogNormal::new(location, scale).map_err(|_| wrong())?;
        let mean = Duration::from_secs_f64((location + scale * scale / 2.0).exp());
        Ok(Self(Law::Lognormal(law, mean)))
    }

    /// One of two, the long one with this probability.
    ///
    /// # Errors
    /// Where the probability is outside 0–1, or a time is longer than a day.
    pub fn two_point(short: Duration, long: Duration, share_long: f64) -> Result<Self, OutOfRange> {
        in_range("short", short)?;
        in_range("long", long)?;
        if !(0.0..=1.0).contains(&share_long) {
            return Err(OutOfRange::new("share_long", share_long.to_string(), "0–1"));
        }
        Ok(Self(Law::TwoPoint {
            short,
            long,
            share_long,
        }))
    }

    /// How long it takes on average.
    #[must_use]
    pub fn mean(&self) -> Duration {
        match self.0 {
            Law::Fixed(time) => time,
            Law::Lognormal(_, mean) => mean,
            Law::TwoPoint {
                short,
                long,
                share_long,
            } => short.mul_f64(1.0 - share_long) + long.mul_f64(share_long),
        }
    }

    /// The time of the launch of this number: the same whatever was launched before.
    pub(super) fn draw(&self, draws: Draws, launch: u64) -> Duration {
        match self.0 {
            Law::Fixed(time) => time,
            Law::Lognormal(law, _) => sample(&law, &mut draws.stream(Purpose::BootTime, launch)),
            Law::TwoPoint {
                short,
                long,
                share_long,
            } => {
                if draws.chance(Purpose::BootTime, launch, share_long) {
                    long
                } else {
                    short
                }
            }
        }
    }
}

fn sample(law: &LogNormal<f64>, stream: &mut impl Rng) -> Duration {
    // To the microsecond, as timestamps are.
    let micros = Duration::from_secs_f64(law.sample(stream).min(DAY.as_secs_f64())).as_micros();
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

fn in_range(key: &'static str, time: Duration) -> Result<(), OutOfRange> {
    if time > DAY {
        return Err(OutOfRange::new(key, format!("{time:?}"), RANGE));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_have_the_mean_and_the_percentiles_they_were_made_with() {
        let secs = Duration::from_secs;
        let boot = BootTime::lognormal(secs(120), secs(160)).unwrap();
        let draws = Draws::new(1);
        let mut times: Vec<_> = (0..4000).map(|launch| boot.draw(draws, launch)).collect();
        times.sort_unstable();
        assert!(
            (117..123).contains(&times[2000].as_secs()),
            "{:?}",
            times[2000]
        );
        assert!(
            (156..165).contains(&times[3600].as_secs()),
            "{:?}",
            times[3600]
        );
        let mean = times.iter().sum::<Duration>() / 4000;
        assert!(mean.abs_diff(boot.mean()) < secs(2), "{mean:?}");

        let boot = BootTime::two_point(secs(60), secs(300), 0.25).unwrap();
        let long = (0..4000)
            .filter(|n| boot.draw(draws, *n) == secs(300))
            .count();
        assert!((900..1100).contains(&long), "{long}");
        assert_eq!(boot.mean(), secs(120));
    }

    #[test]
    fn wrong_numbers_are_refused_by_name() {
        let secs = Duration::from_secs;
        let refused = [
            (BootTime::fixed(2 * DAY), "boot"),
            (BootTime::lognormal(secs(0), secs(1)), "p90"),
            (BootTime::lognormal(secs(2), secs(1)), "p90"),
            (
                BootTime::two_point(secs(1), secs(2), f64::NAN),
                "share_long",
            ),
            (BootTime::two_point(secs(1), 2 * DAY, 0.5), "long"),
        ];
        for (result, key) in refused {
            assert_eq!(result.unwrap_err().key, key);
        }
    }
}
