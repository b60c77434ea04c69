//! How much more is asked for of late than in the weeks before.

use serde::{Deserialize, Serialize};

/// The last few hundred starts, beside what the weeks before let expect in the same minutes. A mean over weeks lags behind a demand that
/// grows: at a fifth more each week by half. This does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Level {
    /// In parts of a start, both.
    seen: u32,
    expected: u32,
}

/// So many parts are a start, so that a quiet minute is not rounded away.
const START: f64 = 65_536.0;
/// So many starts are of late: enough that chance moves their number by a twentieth only.
const LATE: f64 = 400.0;
/// So many starts are taken to have been as expected, until there are more.
const DOUBT: f64 = 20.0;
/// It is not believed to be more than so many times as many.
const MOST: f64 = 4.0;

impl Level {
    /// Takes in a minute, in starts. The older counts less with each start that was expected.
    pub(super) fn add(&mut self, seen: f64, expected: f64) {
        let (seen, expected) = (
            f64::from(self.seen) / START + seen,
            f64::from(self.expected) / START + expected,
        );
        let kept = LATE / expected.max(LATE);
        self.seen = parts(seen * kept);
        self.expected = parts(expected * kept);
    }

    /// So many times what the weeks before let expect, and never less.
    pub(super) fn factor(self) -> f64 {
        let [seen, expected] = [self.seen, self.expected].map(|parts| f64::from(parts) / START);
        ((seen + DOUBT) / (expected + DOUBT)).clamp(1.0, MOST)
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with a reference"
    )]
    pub(super) fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

fn parts(starts: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates, and a count is not negative"
    )]
    let parts = (starts * START).round() as u32;
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_is_asked_for_of_late_upward_only() {
        let mut level = Level::default();
        assert!(level.is_unknown() && (level.factor() - 1.0).abs() < 1e-9);
        (0..10).for_each(|_| level.add(1.0, 0.5));
        assert!((1.1..1.3).contains(&level.factor()), "few are doubted");
        (0..3000).for_each(|_| level.add(1.0, 0.5));
        assert!((1.9..2.01).contains(&level.factor()), "{level:?}");
        (0..8000).for_each(|_| level.add(0.1, 0.5));
        assert!((level.factor() - 1.0).abs() < 1e-9, "{level:?}");
        (0..2000).for_each(|_| level.add(9.0, 0.5));
        assert!(level.factor() <= MOST);
    }

    #[test]
    fn whatever_a_file_says_it_is_a_number_in_its_range() {
        for seen in [0, 1, u32::MAX] {
            for expected in [0, 1, u32::MAX] {
                let mut level = Level { seen, expected };
                level.add(1.0, 1.0);
                assert!((1.0..=MOST).contains(&level.factor()), "{level:?}");
            }
        }
    }
}
