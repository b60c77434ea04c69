use std::time::Duration;

use super::{Session, changes::Change};
use crate::{Timestamp, time::readable};

/// The recordings that were asked for, in the order of their starts.
///
/// They may overlap, have no length, and come in any order. A recording that was refused when it was asked for has no length: one is
/// put in its place, since a policy with more spare would have served it. The lengths that are known, in their order, are dealt out to
/// the refused ones in even steps, so that both have the same distribution; where none is known, it is
/// [`Trace::LENGTH_OF_NONE_KNOWN`]. [`imputation`](Self::imputation) says so in a sentence, which belongs beside every result.
///
/// ```
/// use jibri_scaler_core::{Timestamp, backtest::{Session, Trace}};
///
/// let at = Timestamp::from_secs;
/// let trace = Trace::new([Session::new(at(50), at(90))?, Session::new(at(0), at(60))?]).with_refused([at(55)]);
/// assert_eq!(trace.sessions().len(), 3);
/// assert_eq!(trace.sessions()[0].start(), at(0));
/// assert_eq!((trace.refused(), trace.most_at_once()), (1, 3));
/// # Ok::<(), jibri_scaler_core::backtest::NegativeSession>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    sessions: Vec<Session>,
    refused: usize,
}

/// The golden section of 2⁶⁴.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Trace {
    /// How long a refused recording counts as, where no recording with a length is known.
    pub const LENGTH_OF_NONE_KNOWN: Duration = Duration::from_secs(40 * 60);

    /// These recordings.
    #[must_use]
    pub fn new(sessions: impl IntoIterator<Item = Session>) -> Self {
        let mut sessions: Vec<_> = sessions.into_iter().collect();
        sessions.sort_unstable();
        Self {
            sessions,
            refused: 0,
        }
    }

    /// The same with recordings that were asked for at these times, and refused.
    #[must_use]
    pub fn with_refused(mut self, starts: impl IntoIterator<Item = Timestamp>) -> Self {
        let mut starts: Vec<_> = starts.into_iter().collect();
        starts.sort_unstable();
        let mut lengths: Vec<_> = self.sessions.iter().map(|s| s.length()).collect();
        lengths.sort_unstable();
        self.refused += starts.len();
        for (number, start) in (1_u64..).zip(starts) {
            // Multiples of the golden section fill the range evenly, however many there are of them.
            let even = u128::from(number.wrapping_mul(GOLDEN)) * lengths.len() as u128;
            // The product of a 64-bit number and a length, shifted by 64 bits, is below that length.
            let at = usize::try_from(even >> u64::BITS).unwrap_or(0);
            let length = lengths.get(at).copied();
            let end = start + length.unwrap_or(Self::LENGTH_OF_NONE_KNOWN);
            self.sessions.push(Session { start, end });
        }
        self.sessions.sort_unstable();
        self
    }

    /// All recordings, by start, then end.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// How many of them were refused when they were asked for.
    #[must_use]
    pub const fn refused(&self) -> usize {
        self.refused
    }

    /// Where lengths were put in place of unknown ones: how many, and how.
    #[must_use]
    pub fn imputation(&self) -> Option<String> {
        if self.refused == 0 {
            return None;
        }
        let how = if self.refused == self.sessions.len() {
            let length = readable(Self::LENGTH_OF_NONE_KNOWN);
            format!("each counts as {length} long, since no length at all is known")
        } else {
            "each counts as long as one of the others, dealt out evenly over all their lengths"
                .into()
        };
        Some(format!(
            "{} of {} recordings were refused, so that their lengths are not known: {how}",
            self.refused,
            self.sessions.len()
        ))
    }

    /// From the first start to the last end; absent where there is no recording.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.sessions.first()?.start();
        let last = self.sessions.iter().map(|s| s.end()).max()?;
        Some((first, last))
    }

    /// The most recordings at one time, where one that ends makes room for one that starts at the same moment.
    #[must_use]
    pub fn most_at_once(&self) -> u32 {
        let (mut recording, mut most) = (0, 0);
        for (_, change) in self.changes() {
            match change {
                Change::End => recording -= 1,
                Change::StartAndEnd => most = most.max(recording + 1),
                Change::Start => {
                    recording += 1;
                    most = most.max(recording);
                }
            }
        }
        most
    }

    /// The time that all recordings take together.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.sessions.iter().map(|s| s.length()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(start: i64, end: i64) -> Session {
        Session::new(Timestamp::from_secs(start), Timestamp::from_secs(end)).unwrap()
    }

    #[test]
    fn refused_ones_get_lengths_of_the_distribution_that_is_known() {
        let known = (0..100).map(|i| session(i * 1000, i * 1000 + i));
        let refused = (0..100).map(|i| Timestamp::from_secs(500 + i * 1000));
        let trace = Trace::new(known).with_refused(refused);
        let mut lengths: Vec<_> = trace
            .sessions()
            .iter()
            .filter(|s| s.start().as_micros() % 1_000_000_000 != 0)
            .map(|s| s.length().as_secs())
            .collect();
        lengths.sort_unstable();
        lengths.dedup();
        assert!(lengths.len() > 45, "{lengths:?}");
        let sum: u64 = lengths.iter().sum();
        let mean = sum / lengths.len() as u64;
        assert!((40..60).contains(&mean), "{mean}");
        assert!(trace.imputation().unwrap().contains("100 of 200"));
        assert_eq!(Trace::new([session(0, 1)]).imputation(), None);
    }

    #[test]
    fn where_no_length_is_known_it_says_so() {
        let trace = Trace::default().with_refused([Timestamp::from_secs(7)]);
        assert_eq!(trace.sessions()[0].length(), Trace::LENGTH_OF_NONE_KNOWN);
        assert!(trace.imputation().unwrap().contains("40m"));
    }

    #[test]
    fn the_most_at_once_counts_as_a_jibri_would() {
        let cases = [
            (vec![], 0),
            (vec![session(0, 10), session(10, 20)], 1),
            (vec![session(0, 11), session(10, 20)], 2),
            (vec![session(5, 5), session(5, 5)], 1),
            (vec![session(0, 30), session(5, 5), session(5, 6)], 2),
            (
                vec![session(0, 9), session(1, 9), session(2, 9), session(9, 9)],
                3,
            ),
        ];
        for (sessions, most) in cases {
            assert_eq!(
                Trace::new(sessions.clone()).most_at_once(),
                most,
                "{sessions:?}"
            );
        }
    }
}
