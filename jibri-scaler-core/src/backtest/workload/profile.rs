//! How the rate of starts depends on local time, as a share of its peak.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    Constant,
    Office,
    Clustered,
    Timetable,
}

/// A weekday in an office, by the hour; 7.97 peak hours in all.
const OFFICE: [f64; 24] = [
    0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.2, 0.6, 1.0, 1.0, 0.9, 0.5, 0.8, 1.0, 0.9, 0.6,
    0.25, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01,
];
/// A day of a weekend has so many times the starts of a weekday.
const WEEKEND: f64 = 0.05;
/// 60 % of the starts of a half hour come in its first four minutes.
const IN_CLUSTER: f64 = 0.6 * 30.0 / 4.0;
const OUTSIDE: f64 = 0.4 * 30.0 / 26.0;
/// When lessons begin, in minutes of the day.
const LESSONS: [i64; 5] = [8 * 60, 9 * 60 + 45, 11 * 60 + 30, 14 * 60, 15 * 60 + 45];
/// Within so many minutes the recordings of a lesson start.
const LESSON_START: i64 = 5;

impl Profile {
    /// The share of the peak in the local minute that is so many minutes after 1970 began.
    pub(super) fn share(self, minute: i64) -> f64 {
        let (day, minute) = (minute.div_euclid(1440), minute.rem_euclid(1440));
        // 1970 began on a Thursday; weeks are taken from Monday on.
        let weekend = (day + 3).rem_euclid(7) >= 5;
        let office = || {
            let hour = usize::try_from(minute / 60).unwrap_or(0);
            OFFICE[hour] * if weekend { WEEKEND } else { 1.0 }
        };
        match self {
            Self::Constant => 1.0,
            Self::Office => office(),
            Self::Clustered if minute % 30 < 4 => office() * IN_CLUSTER,
            Self::Clustered => office() * OUTSIDE,
            Self::Timetable => {
                let begins = |lesson: &i64| (0..LESSON_START).contains(&(minute - lesson));
                if !weekend && LESSONS.iter().any(begins) {
                    // Half of a peak hour's starts, in these few minutes.
                    6.0
                } else {
                    0.0
                }
            }
        }
    }
}
