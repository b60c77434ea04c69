//! A seeded working day of meetings that are recorded.

use std::time::Duration;

use jibri_scaler_core::Timestamp;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use rand_distr::{Distribution as _, Exp, LogNormal};

/// When the day begins: a Monday in local time, written as UTC.
pub(crate) const BEGIN: Timestamp = Timestamp::from_secs(1_795_417_200); // 2026-11-23T07:00:00Z
/// How long recordings are asked for.
pub(crate) const LENGTH: Duration = Duration::from_hours(12);

/// Recordings asked for per hour, from the first hour of the day on.
const PER_HOUR: [f64; 12] = [
    3.0, 8.0, 15.0, 18.0, 14.0, 6.0, 10.0, 16.0, 15.0, 10.0, 5.0, 2.0,
];
/// So many of the starts come within minutes of :00 and :30.
const AT_THE_HALF_HOUR: f64 = 0.6;
const LONGEST: Duration = Duration::from_hours(3);

/// A meeting that asks for a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Meeting {
    /// When it asks.
    pub(crate) at: Timestamp,
    /// How long it is recorded, if it is.
    pub(crate) lasts: Duration,
}

/// The meetings of a day, in the order of time; `load` multiplies how many there are.
///
/// Starts are Poisson by the hour with most of them just after :00 and :30; lengths are lognormal, 30 minutes in the median.
pub(crate) fn meetings(seed: u64, load: f64) -> Result<Vec<Meeting>, String> {
    if !(load.is_finite() && load > 0.0 && load <= 100.0) {
        return Err(format!(
            "--load is {load}, but must be above 0 and at most 100"
        ));
    }
    let unlikely = |error: &dyn std::fmt::Display| format!("the day could not be drawn: {error}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let lateness = Exp::new(1.0 / 120.0).map_err(|error| unlikely(&error))?;
    let length = LogNormal::new(f64::ln(30.0 * 60.0), 0.7).map_err(|error| unlikely(&error))?;
    let mut meetings = Vec::new();
    for (hour, per_hour) in (0_u32..).zip(PER_HOUR) {
        let gaps = Exp::new(per_hour * load / 3600.0).map_err(|error| unlikely(&error))?;
        let mut second = gaps.sample(&mut rng);
        while second < 3600.0 {
            let start = if fraction(&mut rng) < AT_THE_HALF_HOUR {
                let half = if second < 1800.0 { 0.0 } else { 1800.0 };
                half + lateness.sample(&mut rng)
            } else {
                second
            };
            let at = BEGIN + Duration::from_secs_f64(f64::from(hour) * 3600.0 + start);
            let lasts = Duration::from_secs_f64(length.sample(&mut rng).min(LONGEST.as_secs_f64()));
            meetings.push(Meeting { at, lasts });
            second += gaps.sample(&mut rng);
        }
    }
    meetings.sort_by_key(|meeting| meeting.at);
    meetings.retain(|meeting| meeting.at < BEGIN + LENGTH);
    Ok(meetings)
}

/// Uniform in 0..1.
fn fraction(rng: &mut ChaCha8Rng) -> f64 {
    f64::from(rng.next_u32()) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_day_and_another_seed_another() {
        assert_eq!(meetings(1, 1.0), meetings(1, 1.0));
        assert_ne!(meetings(1, 1.0), meetings(2, 1.0));
    }

    #[test]
    fn the_load_multiplies_the_meetings() {
        let count = |load| meetings(1, load).map(|day| day.len()).unwrap_or_default();
        assert!((90..160).contains(&count(1.0)), "{}", count(1.0));
        assert!(
            (count(1.0) * 17 / 10..count(1.0) * 23 / 10).contains(&count(2.0)),
            "{}",
            count(2.0)
        );
        assert!(meetings(1, f64::NAN).is_err() && meetings(1, 0.0).is_err());
    }

    #[test]
    fn they_come_in_order_and_inside_the_day() {
        let day = meetings(3, 2.0).unwrap();
        assert!(day.is_sorted_by_key(|meeting| meeting.at));
        assert!(
            day.iter()
                .all(|m| m.at >= BEGIN && m.at < BEGIN + LENGTH && m.lasts <= LONGEST)
        );
    }
}
