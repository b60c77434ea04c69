use std::time::Duration;

use rand_chacha::rand_core::Rng;
use rand_distr::{Distribution as _, LogNormal};

use crate::OutOfRange;

/// How long recordings last.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::backtest::workload::Lengths;
///
/// let calls = Lengths::lognormal(Duration::from_secs(27 * 60), 0.63)?;
/// assert_ne!(calls, Lengths::default());
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lengths(LogNormal<f64>);

impl Lengths {
    /// Lognormal with this mean, and this standard deviation of the logarithm; never longer than a day.
    ///
    /// # Errors
    /// Where the mean is outside 1 s to 24 h, or the deviation outside 0–3.
    pub fn lognormal(mean: Duration, sigma: f64) -> Result<Self, OutOfRange> {
        if !(Duration::from_secs(1)..=DAY).contains(&mean) {
            return Err(OutOfRange::new(
                "mean",
                format!("{mean:?}"),
                "\"1s\"–\"24h\"",
            ));
        }
        let wrong = || OutOfRange::new("sigma", sigma.to_string(), "0–3");
        if !(0.0..=3.0).contains(&sigma) {
            return Err(wrong());
        }
        let location = mean.as_secs_f64().ln() - sigma * sigma / 2.0;
        Ok(Self(LogNormal::new(location, sigma).map_err(|_| wrong())?))
    }

    pub(super) fn draw(&self, stream: &mut impl Rng) -> Duration {
        let secs = self.0.sample(stream).min(DAY.as_secs_f64());
        // To the microsecond, as timestamps are.
        let micros = Duration::from_secs_f64(secs).as_micros();
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Lengths {
    /// A mean of 40 minutes with a long tail (σ = 0.9).
    fn default() -> Self {
        const LOCATION: f64 = 7.378_224_016_336_04; // ln 2400 − 0.9²/2
        match LogNormal::new(LOCATION, 0.9) {
            Ok(law) => Self(law),
            Err(_) => unreachable!("the deviation is a positive number"),
        }
    }
}
