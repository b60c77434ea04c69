use std::time::Duration;

use super::Workload;
use crate::{OutOfRange, TimeZone, Timestamp, backtest::Environment};

/// A kind of demand together with what goes wrong meanwhile.
///
/// ```
/// use jibri_scaler_core::{Timestamp, backtest::{Environment, workload::Scenario}};
///
/// let monday: Timestamp = "2026-10-05T00:00:00Z".parse()?;
/// let all = Scenario::all(30.0, monday, 28)?;
/// assert_eq!(all.len(), 10);
/// let slow = all.iter().find(|scenario| scenario.name == "slow boots").expect("one of them");
/// assert_ne!(slow.in_environment(Environment::new(1, 99)?)?, Environment::new(1, 99)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Scenario {
    /// What to call it.
    pub name: &'static str,
    /// The demand.
    pub workload: Workload,
    /// From when on launches take how many times as long.
    pub slower_boot: Option<(Timestamp, f64)>,
    /// With what probability launches fail.
    pub launch_failure: f64,
    /// Whether a scaler that learns is to begin without having learned.
    pub cold_start: bool,
    /// By whose clock the demand comes.
    pub zone: TimeZone,
    /// What nothing that came before could have foretold.
    pub unforeseen: Option<Unforeseen>,
}

/// A time in which more starts than what came before can foretell, so that only somebody who is told of it can be ready.
///
/// ```
/// use jibri_scaler_core::{Timestamp, backtest::workload::Scenario};
///
/// let monday: Timestamp = "2026-10-05T00:00:00Z".parse()?;
/// let all = Scenario::all(30.0, monday, 28)?;
/// let burst = all.iter().find_map(|scenario| scenario.unforeseen).expect("all hands");
/// assert_eq!((burst.from.to_string().as_str(), burst.starts), ("2026-10-19T10:00:00Z", 30.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Unforeseen {
    /// When it begins.
    pub from: Timestamp,
    /// When all is as before, or known.
    pub until: Timestamp,
    /// So many starts are to be expected in one lead time at most, beside those that were foretold.
    pub starts: f64,
}

impl Scenario {
    /// All kinds, with that many starts in a peak hour, for a time of so many days: what happens once happens in its middle.
    ///
    /// # Errors
    /// Where the rate is outside 0–10000.
    pub fn all(peak: f64, start: Timestamp, days: u32) -> Result<Vec<Self>, OutOfRange> {
        if !(0.0..=10_000.0).contains(&peak) {
            return Err(OutOfRange::new("peak", peak.to_string(), "0–10000"));
        }
        let middle = start + DAY * (days / 2);
        let burst = middle + 10 * HOUR;
        let office = || Workload::office(peak);
        let clustered = || Workload::clustered(peak);
        let plain = Self::new;
        // Central Europe goes over to winter time, if the middle is that day.
        let change = middle + Duration::from_secs(3600);
        let berlin = "Europe/Berlin".parse().unwrap_or_default();
        Ok(vec![
            plain("office", office()?),
            plain("clustered", clustered()?),
            plain("random days", office()?.with_random_days(0.3)?),
            plain("timetable", Workload::timetable(peak)?),
            Self {
                unforeseen: Some(Unforeseen {
                    from: burst,
                    until: burst + 600 * SECOND,
                    starts: peak,
                }),
                ..plain(
                    "all hands",
                    office()?.with_burst(burst, peak, 120 * SECOND)?,
                )
            },
            plain("growth", clustered()?.with_growth(1.2)?),
            Self {
                cold_start: true,
                unforeseen: Some(Unforeseen {
                    from: start,
                    until: start + 7 * DAY,
                    // The cluster of a half hour.
                    starts: 0.3 * peak,
                }),
                ..plain("cold start", clustered()?)
            },
            Self {
                slower_boot: Some((middle, 2.0)),
                ..plain("slow boots", clustered()?)
            },
            Self {
                launch_failure: 0.1,
                ..plain("launch failures", clustered()?)
            },
            Self {
                zone: berlin,
                ..plain(
                    "daylight saving",
                    clustered()?
                        .with_utc_offset(start, 7200)?
                        .with_utc_offset(change, 3600)?,
                )
            },
        ])
    }

    fn new(name: &'static str, workload: Workload) -> Self {
        Self {
            name,
            workload,
            slower_boot: None,
            launch_failure: 0.0,
            cold_start: false,
            zone: TimeZone::default(),
            unforeseen: None,
        }
    }

    /// An environment with what goes wrong in this scenario.
    ///
    /// # Errors
    /// Where a number of the scenario was changed to one that is out of range.
    pub fn in_environment(&self, environment: Environment) -> Result<Environment, OutOfRange> {
        let mut environment = environment;
        if let Some((from, times)) = self.slower_boot {
            environment = environment.with_slower_boot(from, times)?;
        }
        if self.launch_failure > 0.0 {
            environment = environment.with_launch_failures(self.launch_failure, 60 * SECOND)?;
        }
        Ok(environment)
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
