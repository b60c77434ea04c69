//! When a point of the idle signal is published.

use crate::{
    Timestamp,
    agent::{AgentConfig, Publish, pace::Seed, port::SignalPoint},
};

/// So many periods go into one request when publishing in batches.
const BATCH: i64 = 6;

/// `CloudWatch` refuses points further ahead than this, in microseconds.
const TOO_FAR_AHEAD: i64 = 2 * 3600 * 1_000_000;

/// The points of one instance: at most one per period, ever.
///
/// A period begins at a multiple of its length since the epoch. A point lies in the middle fifth of it, at a place that is the same
/// for an instance and differs between them, so that a clock a quarter period off moves no point into another period, and not
/// all agents call at the same moment.
#[derive(Clone, Debug)]
pub(super) struct Publisher {
    period: i64,
    /// How far inside a period the point is due.
    phase: i64,
    batched: bool,
    /// The newest period for which nothing is to be published any more.
    done: i64,
    batch: Vec<SignalPoint>,
}

impl Publisher {
    /// One that was started then. An agent before it may have published in this period already, so it is left out.
    pub(super) fn new(config: &AgentConfig, seed: Seed, now: Timestamp) -> Self {
        let period = i64::try_from(config.period().as_micros()).unwrap_or(i64::MAX);
        let inside = 0.4 + 0.2 * seed.share(0);
        let phase = config.period().mul_f64(inside).as_micros();
        Self {
            period,
            phase: i64::try_from(phase).unwrap_or(i64::MAX),
            batched: config.publish() == Publish::Batched,
            done: now.as_micros().div_euclid(period),
            batch: Vec::new(),
        }
    }

    /// The points that are to be sent now. `point` is what is observed now, and `None` where the instance has nothing to say: it is
    /// booting, or leaving.
    ///
    /// Where a request is still under way the points are dropped: what is sent later would pile up, and be read as new.
    pub(super) fn due(
        &mut self,
        now: Timestamp,
        point: Option<SignalPoint>,
        under_way: bool,
    ) -> Option<Vec<SignalPoint>> {
        let micros = now.as_micros();
        let (slot, inside) = (
            micros.div_euclid(self.period),
            micros.rem_euclid(self.period),
        );
        if self.done > slot && (self.done - slot).saturating_mul(self.period) > TOO_FAR_AHEAD {
            // The clock was that far ahead, and what was published then was refused.
            self.done = slot;
            self.batch.clear();
        }
        let late = self.period / 4 * 3;
        if let Some(point) = point
            && slot > self.done
            && (self.phase..late).contains(&inside)
        {
            self.done = slot;
            if self.batched || !under_way {
                self.batch.push(point);
            }
        }
        let oldest = self.batch.first()?.at.as_micros().div_euclid(self.period);
        let full = slot >= oldest + BATCH - 1 && inside >= self.phase;
        if self.batched && !full && point.is_some() {
            return None;
        }
        let points = std::mem::take(&mut self.batch);
        // Also what waited for longer than a batch is too old to be sent.
        (!under_way && slot < oldest + 2 * BATCH).then_some(points)
    }

    /// How long nothing is published because the clock has stepped back into periods that have their points.
    pub(super) fn silent_until(&self, now: Timestamp) -> Option<Timestamp> {
        let slot = now.as_micros().div_euclid(self.period);
        let until = Timestamp::from_micros((self.done + 1).saturating_mul(self.period));
        (self.done > slot).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(secs: f64) -> Timestamp {
        Timestamp::from_secs(0) + Duration::from_secs_f64(secs)
    }

    fn say(secs: f64, idle: bool) -> SignalPoint {
        SignalPoint::new(at(secs), idle)
    }

    fn config(period: u64, publish: Publish) -> AgentConfig {
        AgentConfig::default()
            .with_period(Duration::from_secs(period))
            .unwrap()
            .with_publish(publish)
    }

    fn publisher(period: u64, publish: Publish, start: f64) -> Publisher {
        let seed = Seed::new(&"i-0abc".parse().unwrap());
        Publisher::new(&config(period, publish), seed, at(start))
    }

    /// The times of all points of a run of `secs` seconds with ten ticks a second.
    fn run(publisher: &mut Publisher, from: f64, secs: u32) -> Vec<(f64, usize)> {
        (0..secs * 10)
            .filter_map(|tick| {
                let now = from + f64::from(tick) / 10.0;
                let points = publisher.due(at(now), Some(say(now, true)), false)?;
                Some((now, points.len()))
            })
            .collect()
    }

    #[test]
    fn each_period_has_one_point_in_its_middle() {
        for period in [10_u32, 60] {
            let mut publisher = publisher(period.into(), Publish::Each, 0.0);
            let sent = run(&mut publisher, 0.0, 3600);
            let all_but_the_first = usize::try_from(3600 / period - 1).unwrap();
            assert_eq!(sent.len(), all_but_the_first, "not the one it started in");
            for (n, (time, points)) in (1..).zip(&sent) {
                let inside = (time - f64::from(period * n)) / f64::from(period);
                assert!((0.4..0.62).contains(&inside), "{time}");
                assert_eq!(*points, 1);
            }
        }
    }

    #[test]
    fn a_restart_publishes_no_second_point() {
        let mut first = publisher(10, Publish::Each, 0.0);
        assert_eq!(
            run(&mut first, 0.0, 38).len(),
            3,
            "in the periods that begin at 10, 20 and 30"
        );
        let mut second = publisher(10, Publish::Each, 38.0);
        let sent = run(&mut second, 38.0, 10);
        assert!(
            sent.iter().all(|(time, _)| *time > 40.0) && sent.len() == 1,
            "{sent:?}"
        );
        // One that starts before the point is due can't know whether another one was before it.
        let mut early = publisher(10, Publish::Each, 51.0);
        assert!(run(&mut early, 51.0, 9).is_empty());
    }

    #[test]
    fn a_late_tick_publishes_nothing() {
        let mut publisher = publisher(10, Publish::Each, 0.0);
        assert_eq!(publisher.due(at(17.5), Some(say(17.5, true)), false), None);
        assert!(
            publisher
                .due(at(27.4), Some(say(27.4, true)), false)
                .is_some()
        );
        assert_eq!(
            publisher.due(at(27.45), Some(say(27.45, true)), false),
            None,
            "one is enough"
        );
    }

    #[test]
    fn what_cannot_be_sent_is_dropped_and_not_sent_later() {
        let mut publisher = publisher(10, Publish::Each, 0.0);
        for n in 1..400 {
            let now = f64::from(n) * 10.0 + 6.5;
            assert_eq!(publisher.due(at(now), Some(say(now, true)), true), None);
        }
        let points = publisher
            .due(at(4006.5), Some(say(4006.5, true)), false)
            .unwrap();
        assert_eq!(points, [SignalPoint::new(at(4006.5), true)]);
    }

    #[test]
    fn it_says_nothing_where_there_is_nothing_to_say() {
        let mut publisher = publisher(10, Publish::Each, 0.0);
        assert_eq!(publisher.due(at(16.5), None, false), None);
        assert!(
            publisher
                .due(at(16.6), Some(say(16.6, false)), false)
                .is_some(),
            "it came into service"
        );
    }

    #[test]
    fn batches_carry_one_point_per_period_each_with_its_time() {
        let mut publisher = publisher(10, Publish::Batched, 0.0);
        let mut sent = vec![];
        for second in 0..3600 {
            sent.extend(
                publisher
                    .due(
                        at(f64::from(second)),
                        Some(say(f64::from(second), true)),
                        false,
                    )
                    .inspect(|batch| {
                        assert_eq!(batch.len(), 6);
                    }),
            );
            assert!(publisher.batch.len() < 6);
        }
        let slots: Vec<_> = sent
            .concat()
            .iter()
            .map(|point| point.at.as_micros() / 10_000_000)
            .collect();
        assert_eq!(slots, (1..=354).collect::<Vec<_>>());
    }

    #[test]
    fn batches_that_cannot_be_sent_are_dropped() {
        let mut publisher = publisher(10, Publish::Batched, 0.0);
        for second in 0..3600 {
            assert_eq!(
                publisher.due(
                    at(f64::from(second)),
                    Some(say(f64::from(second), true)),
                    true
                ),
                None
            );
            assert!(publisher.batch.len() <= 6, "nothing is queued for ever");
        }
        let oldest = (3600..3700).find_map(|second| {
            publisher.due(
                at(f64::from(second)),
                Some(say(f64::from(second), true)),
                false,
            )
        });
        assert!(oldest.unwrap().iter().all(|point| point.at >= at(3540.0)));
    }

    #[test]
    fn what_is_batched_is_sent_when_the_instance_leaves() {
        let mut publisher = publisher(10, Publish::Batched, 0.0);
        for second in 0..40 {
            assert_eq!(
                publisher.due(
                    at(f64::from(second)),
                    Some(say(f64::from(second), true)),
                    false
                ),
                None
            );
        }
        assert_eq!(
            publisher
                .due(at(41.0), None, false)
                .map(|points| points.len()),
            Some(3)
        );
        assert_eq!(publisher.due(at(42.0), None, false), None);
    }

    #[test]
    fn a_clock_that_steps_back_fills_no_period_twice() {
        let mut publisher = publisher(10, Publish::Each, 0.0);
        let before = run(&mut publisher, 0.0, 600).len();
        assert_eq!(before, 59);
        assert_eq!(publisher.silent_until(at(300.0)), Some(at(600.0)));
        assert_eq!(
            run(&mut publisher, 300.0, 300),
            [],
            "these have their points"
        );
        assert_eq!(publisher.silent_until(at(600.0)), None);
        assert_eq!(run(&mut publisher, 600.0, 100).len(), 10);
        // What was published more than two hours ahead was refused.
        let mut ahead = Publisher::new(
            &config(10, Publish::Each),
            Seed::new(&"i-0abc".parse().unwrap()),
            at(9000.0),
        );
        assert_eq!(run(&mut ahead, 9000.0, 100).len(), 9);
        assert_eq!(run(&mut ahead, 0.0, 100).len(), 9);
    }
}
