use std::{ops::RangeInclusive, time::Duration};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// What a number is drawn for. Each purpose has its own numbers, so that a change of one leaves the others as they are.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(crate) enum Purpose {
    IdPrefix = 1,
    LaunchDelay = 2,
    LaunchFailure = 3,
    BootTime = 4,
    ReportLoss = 5,
    Arrivals = 6,
    Lengths = 7,
    Days = 8,
}

/// The chance in a simulated group: a pure function of seed, purpose and the number of the launch, on every machine the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws {
    seed: u64,
}

impl Draws {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub(crate) fn bits(self, purpose: Purpose, number: u64) -> u64 {
        self.stream(purpose, number).next_u64()
    }

    /// A stream of numbers, where one is not enough.
    pub(crate) fn stream(self, purpose: Purpose, number: u64) -> ChaCha8Rng {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(seed);
        rng.set_stream(number);
        rng
    }

    /// Uniform over the range, to the microsecond.
    pub(crate) fn within(
        self,
        purpose: Purpose,
        number: u64,
        range: &RangeInclusive<Duration>,
    ) -> Duration {
        let width = range.end().saturating_sub(*range.start()).as_micros();
        let width = u64::try_from(width).unwrap_or(u64::MAX - 1);
        let scaled =
            (u128::from(self.bits(purpose, number)) * (u128::from(width) + 1)) >> u64::BITS;
        // The product of a 64-bit number and at most 2^64, shifted by 64 bits, fits.
        *range.start() + Duration::from_micros(u64::try_from(scaled).unwrap_or(width))
    }

    /// True with this probability: never at 0, always at 1.
    pub(crate) fn chance(self, purpose: Purpose, number: u64, probability: f64) -> bool {
        // 53 bits fill the mantissa, so the fraction is uniform in [0, 1) and exact.
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in an f64")]
        let fraction = (self.bits(purpose, number) >> 11) as f64 / (1_u64 << 53) as f64;
        fraction < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_same_on_every_machine_and_in_every_release() {
        const PINNED: u64 = 16_771_593_830_305_434_091;
        let draws = Draws::new(7);
        assert_eq!(draws.bits(Purpose::LaunchDelay, 0), PINNED);
        assert_ne!(draws.bits(Purpose::LaunchFailure, 0), PINNED);
        assert_ne!(draws.bits(Purpose::LaunchDelay, 1), PINNED);
        assert_ne!(Draws::new(8).bits(Purpose::LaunchDelay, 0), PINNED);
    }

    #[test]
    fn delays_fill_their_range() {
        let draws = Draws::new(1);
        let range = Duration::from_secs(30)..=Duration::from_secs(90);
        let delays: Vec<Duration> = (0..1000)
            .map(|n| draws.within(Purpose::LaunchDelay, n, &range))
            .collect();
        assert!(delays.iter().all(|delay| range.contains(delay)));
        assert!(delays.iter().any(|delay| *delay < Duration::from_secs(33)));
        assert!(delays.iter().any(|delay| *delay > Duration::from_secs(87)));
        let one = Duration::from_secs(5);
        assert_eq!(draws.within(Purpose::LaunchDelay, 0, &(one..=one)), one);
    }

    #[test]
    fn chances_come_as_often_as_they_should() {
        let draws = Draws::new(1);
        let count = |probability| {
            (0..1000)
                .filter(|n| draws.chance(Purpose::LaunchFailure, *n, probability))
                .count()
        };
        assert_eq!((count(0.0), count(1.0)), (0, 1000));
        assert!((200..300).contains(&count(0.25)), "{}", count(0.25));
    }
}
