//! Who goes when there are more idle Jibris than wanted.
//!
//! Every agent computes the same from the same closed window and the same list, so that exactly the surplus ends itself. For that
//! all of them read before the first of them acts: within 20 s after each multiple of the cadence they read, and a minute after it
//! they act; who could not read within 45 s leaves it to the next time. That holds with clocks that are 7 s apart either way.
//!
//! Who is sorted follows from the list alone, so that it is the same for all, whatever an agent knows besides:
//!
//! | the list says | sorted are | in an order that changes with |
//! |---|---|---|
//! | the terminating hook holds what ends | those in service that are not protected: their agents have seen them idle for long | the day |
//! | it does not | all in service, since without the hook all are protected for life | each multiple of the cadence |
//!
//! In the second case busy ones have their places among the first, and leave them unused: fewer than the surplus go at once, never
//! more. The order is another one each time, so that in the end all of the surplus goes.
//!
//! Agents may see different things all the same: a list that is a little old, a point that came late. At worst each of them believes
//! to be among the first, and every idle instance above the minimum size of the group ends at once. No recording is touched by
//! that, since each of them drains first, and growth launches again what is missing.

use std::time::Duration;

use crate::{
    Group, InstanceId, Lifecycle, Tally, Timestamp,
    agent::{pace::hash, port::SignalSum},
    policy::{MinIdle, PercentIdle, Policy as _, Situation},
    port::Listing,
};

/// A stretch of closed periods.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, agent::SurplusWindow};
///
/// let minute = Duration::from_secs(60);
/// let window = SurplusWindow::before(Timestamp::from_secs(3_600), minute, 10 * minute);
/// assert_eq!((window.from, window.to), (Timestamp::from_secs(2_940), Timestamp::from_secs(3_540)));
/// assert_eq!(window.periods(), 10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SurplusWindow {
    /// The start of the first period.
    pub from: Timestamp,
    /// The end of the last period.
    pub to: Timestamp,
    /// How long a period is.
    pub period: Duration,
}

impl SurplusWindow {
    /// The window of at least one period that covers `hold` and ends one period before `boundary`, since the newest period may
    /// still lack points.
    #[must_use]
    pub fn before(boundary: Timestamp, period: Duration, hold: Duration) -> Self {
        let to = boundary.before(period);
        let periods = hold.as_micros().div_ceil(period.as_micros().max(1)).max(1);
        let length = period.saturating_mul(u32::try_from(periods).unwrap_or(u32::MAX));
        Self {
            from: to.before(length),
            to,
            period,
        }
    }

    /// How many periods it has.
    #[must_use]
    pub fn periods(&self) -> usize {
        let periods = self.to.since(self.from).as_micros() / self.period.as_micros().max(1);
        usize::try_from(periods).unwrap_or(usize::MAX)
    }
}

/// How many idle Jibris are wanted while so many instances publish and so many of them are idle: the larger vote of the policies.
///
/// ```
/// use jibri_scaler_core::{agent::wanted_idle, policy::{MinIdle, Percent, PercentIdle}};
///
/// let (min, share) = (MinIdle::new(1)?, PercentIdle::new(Percent::new(20.0)?));
/// assert_eq!(wanted_idle(min, share, 2, 10), 2, "8 are in use, and 2 of 10 are 20 %");
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[must_use]
pub fn wanted_idle(
    min_idle: MinIdle,
    percent_idle: PercentIdle,
    idle: u32,
    publishers: u32,
) -> u32 {
    let in_use = publishers.saturating_sub(idle);
    let tally = Tally::default();
    let group = Group::new(0, u32::MAX, publishers);
    // These policies look at nothing but the number in use.
    let situation = Situation::new(Timestamp::MIN, group, &tally, in_use);
    min_idle
        .vote(&situation)
        .spare
        .max(percent_idle.vote(&situation).spare)
}

/// How many may go: the smallest surplus of all periods of the window. `None` where a period is missing: no data is not idle.
///
/// `wanted` says how many are wanted with so many idle of so many publishers.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, agent::{SurplusWindow, port::SignalSum, surplus}};
///
/// let (minute, at) = (Duration::from_secs(60), Timestamp::from_secs);
/// let window = SurplusWindow::before(at(180), minute, 2 * minute);
/// let sums = [SignalSum::new(at(0), 5.0, 9.0), SignalSum::new(at(60), 3.0, 9.0)];
/// assert_eq!(surplus(&sums, &window, |_, _| 2), Some(1));
/// assert_eq!(surplus(&sums[..1], &window, |_, _| 2), None);
/// ```
#[must_use]
pub fn surplus(
    sums: &[SignalSum],
    window: &SurplusWindow,
    wanted: impl Fn(u32, u32) -> u32,
) -> Option<u32> {
    let mut due = window.from;
    let mut smallest = u32::MAX;
    for sum in sums {
        if sum.at != due {
            return None;
        }
        let (idle, publishers) = (whole(sum.idle.floor())?, whole(sum.publishers.ceil())?);
        smallest = smallest.min(idle.saturating_sub(wanted(idle, publishers)));
        due = due + window.period;
    }
    (due == window.to && !sums.is_empty()).then_some(smallest)
}

/// Whether this instance is among the first `count` of those that may go, in an order that all agents compute alike. `at` is the
/// multiple of the cadence for which they look, the same for all.
///
/// Where the [hook](Listing::drains_on_termination) holds what ends, those are in service and not protected, and the order changes
/// with the day, so that no instance is always the first. Without it all in service are sorted, and the order changes with `at`:
/// whether one is idle only its own agent knows then, and a busy one does not go.
///
/// The order of two instances does not depend on the others, so that agents whose lists differ by a few instances differ by no more
/// than as many victims. No more than the group can lose above its minimum size are counted.
///
/// ```
/// use jibri_scaler_core::{Group, Instance, Lifecycle, Timestamp, agent::is_surplus, port::Listing};
///
/// let idle = |id: &str| Instance::new(id.parse().expect("not empty"), Lifecycle::InService);
/// let listing = Listing::new(Group::new(1, 9, 3), vec![idle("i-a"), idle("i-b"), idle("i-c")]);
/// let at = Timestamp::from_secs(1_763_800_200);
/// let going = |count| listing.instances.iter().filter(|i| is_surplus(&i.id, &listing, count, at)).count();
/// assert_eq!((going(0), going(1), going(2)), (0, 1, 2));
/// assert_eq!(going(3), 2, "the minimum size is 1");
/// ```
#[must_use]
pub fn is_surplus(id: &InstanceId, listing: &Listing, count: u32, at: Timestamp) -> bool {
    let has_hook = listing.drains_on_termination;
    let turn = if has_hook {
        at.as_micros().div_euclid(86_400_000_000)
    } else {
        at.as_micros()
    };
    let key = |id: &InstanceId| {
        let mut bytes = turn.to_le_bytes().to_vec();
        bytes.extend_from_slice(id.as_str().as_bytes());
        (hash(&bytes), id.clone())
    };
    let headroom = listing.group.desired.saturating_sub(listing.group.min_size);
    let mut keys: Vec<_> = listing
        .instances
        .iter()
        .filter(|row| row.lifecycle == Lifecycle::InService && !(has_hook && row.protected))
        .map(|row| key(&row.id))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let own = key(id);
    let first = usize::try_from(count.min(headroom)).unwrap_or(usize::MAX);
    keys.iter().take(first).any(|key| *key == own)
}

/// A count that `CloudWatch` gives as a floating-point number.
fn whole(number: f64) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in the range of u32, as just checked"
    )]
    (0.0..=f64::from(u32::MAX))
        .contains(&number)
        .then_some(number as u32)
}

/// Agents read within so long after a multiple of the cadence, spread so that not all call at the same moment.
const SPREAD: Duration = Duration::from_secs(20);
/// Who reads later than so long after it may see what others have done already.
const TOO_LATE: Duration = Duration::from_secs(45);
/// So long after it the chosen ones act.
const ACT_AFTER: Duration = Duration::from_secs(60);

/// Whether what is read now was read before anybody acts.
pub(super) fn is_in_time(boundary: Timestamp, now: Timestamp) -> bool {
    now >= boundary && now.since(boundary) < TOO_LATE
}

/// Whether the chosen ones act now; `None` where the moment has passed.
pub(super) fn is_time_to_act(boundary: Timestamp, now: Timestamp) -> Option<bool> {
    let after = now.since(boundary);
    (now >= boundary && after < ACT_AFTER + TOO_LATE).then_some(after >= ACT_AFTER)
}

/// When an agent looks whether it is surplus: once after each multiple of the cadence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cadence {
    every: i64,
    /// How long after the multiple.
    delay: i64,
    done: i64,
}

impl Cadence {
    /// One that begins after the next multiple; `share` of the spread is the delay.
    pub(super) fn new(every: Duration, share: f64, now: Timestamp) -> Self {
        let every = i64::try_from(every.as_micros()).unwrap_or(i64::MAX);
        let delay = i64::try_from(SPREAD.mul_f64(share).as_micros()).unwrap_or(0);
        Self {
            every,
            delay,
            done: now.as_micros().div_euclid(every),
        }
    }

    /// The multiple that is due, once.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<Timestamp> {
        let micros = now.as_micros();
        let slot = micros.div_euclid(self.every);
        if slot == self.done || micros.rem_euclid(self.every) < self.delay {
            return None;
        }
        self.done = slot;
        let boundary = Timestamp::from_micros(slot * self.every);
        is_in_time(boundary, now).then_some(boundary)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        Instance,
        native::Growth,
        policy::{MaxOf, Percent, Policy},
    };

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn sums(idle: &[f64]) -> Vec<SignalSum> {
        (0..)
            .zip(idle)
            .map(|(n, idle)| SignalSum::new(at(n * 60), *idle, 20.0))
            .collect()
    }

    fn window(periods: u32) -> SurplusWindow {
        SurplusWindow::before(at(i64::from(periods + 1) * 60), MINUTE, MINUTE * periods)
    }

    #[test]
    fn the_smallest_surplus_of_the_window_counts() {
        let wanted = |_: u32, _: u32| 2;
        let cases: [(&[f64], Option<u32>); 7] = [
            (&[5.0, 4.0, 6.0], Some(2)),
            (&[5.0, 2.0, 6.0], Some(0)),
            (&[5.0, 0.0, 6.0], Some(0)),
            (&[5.0, 4.9, 6.0], Some(2)),
            (&[5.0, f64::NAN, 6.0], None),
            (&[5.0, -1.0, 6.0], None),
            (&[5.0, 6.0], None),
        ];
        for (idle, expected) in cases {
            assert_eq!(
                surplus(&sums(idle), &window(3), wanted),
                expected,
                "{idle:?}"
            );
        }
        let mut gap = sums(&[5.0, 5.0, 5.0, 5.0]);
        gap.remove(1);
        assert_eq!(surplus(&gap, &window(4), wanted), None);
        assert_eq!(surplus(&[], &window(1), wanted), None);
        let too_old = [SignalSum::new(at(-60), 9.0, 9.0)];
        assert_eq!(surplus(&too_old, &window(1), wanted), None);
    }

    #[test]
    fn what_is_wanted_follows_the_number_in_use() {
        let share = PercentIdle::new(Percent::new(20.0).unwrap());
        let min = |n| MinIdle::new(n).unwrap();
        let cases = [
            (1, 5, 9, 1),
            (1, 5, 13, 2),
            (3, 5, 9, 3),
            (0, 9, 9, 1),
            (0, 12, 9, 1),
        ];
        for (least, idle, publishers, wanted) in cases {
            assert_eq!(wanted_idle(min(least), share, idle, publishers), wanted);
        }
    }

    #[test]
    fn alarms_grow_by_the_same_number() {
        let share = PercentIdle::new(Percent::new(12.5).unwrap());
        let min = MinIdle::new(2).unwrap();
        let policy = MaxOf::new([Box::new(min) as Box<dyn Policy>, Box::new(share)]);
        let growth = Growth::new(&policy, 20, 1).unwrap();
        for publishers in 0..100 {
            for idle in 0..=publishers {
                let short = growth.short(f64::from(idle), f64::from(publishers));
                let wanted = f64::from(wanted_idle(min, share, idle, publishers));
                assert!((wanted - f64::from(idle) - short).abs() < f64::EPSILON);
            }
        }
    }

    fn group(min: u32, ids: &[&str]) -> Listing {
        let rows: Vec<_> = ids
            .iter()
            .map(|id| Instance::new(id.parse().unwrap(), Lifecycle::InService))
            .collect();
        let desired = u32::try_from(rows.len()).unwrap();
        let mut listing = Listing::new(Group::new(min, 99, desired), rows);
        listing.drains_on_termination = true;
        listing
    }

    fn going(listing: &Listing, count: u32, now: Timestamp) -> BTreeSet<InstanceId> {
        let ids = listing.instances.iter().map(|row| row.id.clone());
        ids.filter(|id| is_surplus(id, listing, count, now))
            .collect()
    }

    #[test]
    fn exactly_the_surplus_goes_and_never_a_protected_one() {
        let mut listing = group(1, &["i-a", "i-b", "i-c", "i-d", "i-e"]);
        listing.instances[0].protected = true;
        listing.instances[1].lifecycle = Lifecycle::Terminating;
        for count in 0..9 {
            let going = going(&listing, count, at(0));
            assert_eq!(going.len(), usize::try_from(count.min(3)).unwrap());
            assert!(!going.contains(&"i-a".parse().unwrap()));
            assert!(!going.contains(&"i-b".parse().unwrap()));
        }
        assert!(
            !is_surplus(&"i-x".parse().unwrap(), &listing, 9, at(0)),
            "it is not listed"
        );
        listing.group.min_size = 4;
        assert_eq!(
            going(&listing, 9, at(0)).len(),
            1,
            "no lower than the minimum size"
        );
        listing.instances.reverse();
        assert_eq!(
            going(&listing, 9, at(0)).len(),
            1,
            "the order of the listing does not matter"
        );
    }

    #[test]
    fn no_instance_is_always_the_first() {
        let listing = group(0, &["i-a", "i-b", "i-c", "i-d"]);
        let first: BTreeSet<_> = (0..60)
            .flat_map(|day| going(&listing, 1, at(day * 86_400)))
            .collect();
        assert_eq!(first.len(), 4);
        let (dawn, dusk) = (at(86_400), at(2 * 86_400 - 1));
        assert_eq!(going(&listing, 1, dawn), going(&listing, 1, dusk));
    }

    #[test]
    fn without_the_hook_protection_hides_nobody_and_the_order_changes_each_time() {
        let mut listing = group(1, &["i-a", "i-b", "i-c", "i-d"]);
        listing.drains_on_termination = false;
        for row in &mut listing.instances[1..] {
            row.protected = true;
        }
        for count in 0..9 {
            let going = going(&listing, count, at(300)).len();
            assert_eq!(going, usize::try_from(count.min(3)).unwrap());
        }
        let first: BTreeSet<_> = (0..60)
            .flat_map(|turn| going(&listing, 1, at(turn * 300)))
            .collect();
        assert_eq!(first.len(), 4);
    }

    #[test]
    fn lists_that_differ_by_one_instance_differ_by_no_more_than_one_victim() {
        let ids: Vec<String> = (0..20).map(|n| format!("i-{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for missing in 0..20 {
            let mut some = ids.clone();
            some.remove(missing);
            for count in 0..6 {
                let mut both = going(&group(0, &ids), count, at(0));
                both.extend(going(&group(0, &some), count, at(0)));
                assert!(both.len() <= usize::try_from(count).unwrap() + 1);
            }
        }
    }

    #[test]
    fn agents_look_once_after_each_multiple_of_the_cadence() {
        let mut cadence = Cadence::new(5 * MINUTE, 0.5, at(299));
        assert_eq!(cadence.due(at(299)), None);
        assert_eq!(
            cadence.due(at(309)),
            None,
            "the delay of this instance is 10 s"
        );
        assert_eq!(cadence.due(at(310)), Some(at(300)));
        assert_eq!(cadence.due(at(311)), None);
        assert_eq!(cadence.due(at(645)), None, "too late");
        assert_eq!(cadence.due(at(930)), Some(at(900)));
    }

    #[test]
    fn all_read_before_the_first_acts() {
        let boundary = at(300);
        assert!(is_in_time(boundary, at(344)) && !is_in_time(boundary, at(345)));
        assert!(!is_in_time(boundary, at(299)), "the clock has stepped back");
        assert_eq!(is_time_to_act(boundary, at(359)), Some(false));
        assert_eq!(is_time_to_act(boundary, at(360)), Some(true));
        assert_eq!(is_time_to_act(boundary, at(405)), None);
        assert_eq!(is_time_to_act(boundary, at(299)), None);
    }
}
