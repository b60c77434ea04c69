use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};

/// How long the instances of a group took to boot: from the launch (or, where that is not known, from when the instance was seen
/// first) to the first healthy IDLE.
///
/// The last 32 are kept, in whole seconds rounded up: at most 200 bytes as JSON. Fewer than 20 say nothing yet.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::learned::BootTimes;
///
/// let mut boots = BootTimes::default();
/// (0..19).for_each(|_| boots.record(Duration::from_secs(90)));
/// assert_eq!(boots.p90(), None);
/// boots.record(Duration::from_secs(600));
/// assert_eq!(boots.p90(), Some(Duration::from_secs(90)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct BootTimes(VecDeque<u32>);

impl BootTimes {
    /// So many make a quantile.
    const ENOUGH: usize = 20;
    /// So many are kept.
    const KEPT: usize = 32;

    pub(super) const fn nothing() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a boot, in place of the oldest where there are enough.
    pub fn record(&mut self, boot: Duration) {
        let whole = boot
            .as_secs()
            .saturating_add(u64::from(boot.subsec_nanos() > 0));
        self.0.push_back(u32::try_from(whole).unwrap_or(u32::MAX));
        while self.0.len() > Self::KEPT {
            self.0.pop_front();
        }
    }

    /// Within this time nine of ten of the last boots were done; absent while there were fewer than 20.
    #[must_use]
    pub fn p90(&self) -> Option<Duration> {
        let mut sorted: Vec<_> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let rank = (sorted.len() * 9).div_ceil(10);
        let secs = sorted.get(rank.checked_sub(1)?)?;
        (sorted.len() >= Self::ENOUGH).then(|| Duration::from_secs(u64::from(*secs)))
    }
}

impl<'de> Deserialize<'de> for BootTimes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut kept = VecDeque::<u32>::deserialize(deserializer)?;
        kept.drain(..kept.len().saturating_sub(Self::KEPT));
        Ok(Self(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_shows_within_a_few_boots_and_the_ring_is_bounded() {
        let mut boots = BootTimes::default();
        let secs = Duration::from_secs;
        for _ in 0..100 {
            boots.record(secs(90));
        }
        assert_eq!(boots.0.len(), BootTimes::KEPT);
        for _ in 0..3 {
            boots.record(secs(240));
        }
        assert_eq!(boots.p90(), Some(secs(90)), "three slow ones are no change");
        boots.record(Duration::from_millis(239_001));
        assert_eq!(boots.p90(), Some(secs(240)));
        for _ in 0..100 {
            boots.record(Duration::MAX);
        }
        let text = serde_json::to_string(&boots).unwrap();
        assert!(text.len() <= 400, "{}", text.len());
        assert_eq!(serde_json::from_str::<BootTimes>(&text).unwrap(), boots);
    }

    #[test]
    fn too_many_in_a_file_are_cut() {
        let text = serde_json::to_string(&vec![7; 1000]).unwrap();
        let boots: BootTimes = serde_json::from_str(&text).unwrap();
        assert_eq!(boots.0.len(), BootTimes::KEPT);
    }
}
