//! What is published, and rules about it.

use std::time::Duration;

use jibri_scaler_core::{Timestamp, agent::port::SignalSum};

use super::case::{Case, RECENT, Sign, count, span};
use crate::inspect::Signal;

const BUCKET: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_mins(1);

/// So many whole periods are looked at.
const PERIODS: usize = 3;

/// Points that are this many periods late are not just under way.
const LATE: u32 = 3;

/// So many periods go into one batch of an agent: what is older has its points, whatever the moment at which each agent sends its
/// batch.
const BATCH: u32 = 6;

/// What was published of late.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Published {
    /// How often each instance publishes, as far as can be told: 10, 20, 30 or 60 s.
    pub(super) period: Duration,
    /// The newest periods that should be whole, oldest first: the numbers of one period each. The very newest is left out.
    pub(super) whole: Vec<SignalSum>,
    /// The periods that ended one to two batches ago.
    settled: Vec<SignalSum>,
    /// How long ago the newest period with a point ended.
    pub(super) lag: Duration,
}

impl Published {
    /// `None` where nothing was published of late.
    pub(super) fn new(signal: &Signal, now: Timestamp) -> Option<Self> {
        let period = period(&signal.short)?;
        let sums = if period == BUCKET {
            signal.short.clone()
        } else {
            per_period(&signal.minutes, period)
        };
        let newest = sums.last()?.at;
        if now.since(newest) > RECENT {
            return None;
        }
        let length = period.max(if period == BUCKET { BUCKET } else { MINUTE });
        let before = &sums[..sums.len() - 1];
        // Whole periods follow each other without a gap; one before a gap is long ago.
        let whole = before.iter().rev().take(PERIODS).rev().copied().collect();
        let batch = length * BATCH;
        let settled = before.iter().filter(|sum| {
            let age = now.since(sum.at + length);
            (batch..batch * 2).contains(&age)
        });
        Some(Self {
            period,
            whole,
            settled: settled.copied().collect(),
            lag: now.since(newest + length),
        })
    }

    /// Whether the newest periods lack points that come later: agents that send batches do so at moments of their own, so that
    /// the newest point of all is never old.
    pub(super) fn fills_up(&self, in_service: usize) -> bool {
        let all = number(in_service);
        let filled = self.settled.iter().filter(|sum| sum.publishers >= all);
        self.most() < all && filled.count() * 2 > self.settled.len()
    }

    /// How many published in a period where they send batches, the newest periods not being full yet; `None` where each period
    /// is published by itself.
    pub(super) fn in_batches(&self, in_service: usize) -> Option<f64> {
        // Later than two batches nothing is sent at all.
        let is_late = (self.period * LATE..self.period * BATCH * 2).contains(&self.lag)
            || self.fills_up(in_service);
        let most = self.settled.iter().map(|sum| sum.publishers);
        is_late.then(|| most.fold(0.0, f64::max))
    }

    /// The most instances that published in one of the whole periods.
    pub(super) fn most(&self) -> f64 {
        self.whole
            .iter()
            .map(|sum| sum.publishers)
            .fold(0.0, f64::max)
    }

    /// The fewest.
    fn fewest(&self) -> f64 {
        self.whole
            .iter()
            .map(|sum| sum.publishers)
            .fold(f64::INFINITY, f64::min)
    }
}

/// The numbers of one period, from those of whole minutes.
pub(super) fn per_period(minutes: &[SignalSum], period: Duration) -> Vec<SignalSum> {
    let periods = (MINUTE.as_secs_f64() / period.as_secs_f64()).max(1.0);
    let of = |sum: &SignalSum| SignalSum::new(sum.at, sum.idle / periods, sum.publishers / periods);
    minutes.iter().map(of).collect()
}

/// How often is published, by how many of the six buckets of a minute regularly have points. Points of standard resolution are
/// all in the first.
fn period(short: &[SignalSum]) -> Option<Duration> {
    let slot = |sum: &SignalSum| sum.at.as_micros().div_euclid(10_000_000);
    let (first, last) = (slot(short.first()?), slot(short.last()?));
    let minutes = (last - first) / 6 + 1;
    let used = (0..6)
        .filter(|position| {
            let points = short
                .iter()
                .filter(|sum| slot(sum).rem_euclid(6) == *position)
                .count();
            i64::try_from(points).is_ok_and(|points| points * 2 > minutes)
        })
        .count();
    match used {
        0 => None,
        1 => Some(MINUTE),
        2 => Some(MINUTE / 2),
        3 => Some(MINUTE / 3),
        // With four or five the rhythm is not kept; no other goes into a minute.
        _ => Some(BUCKET),
    }
}

/// The newest points are missing though those before are there: published in batches, or held up.
pub(super) fn late(case: &Case<'_>) -> Vec<Sign> {
    let Some(published) = &case.published else {
        return Vec::new();
    };
    let alarms: Vec<_> = case
        .alarms()
        .iter()
        .filter(|alarm| case.reads_idle(alarm))
        .map(|alarm| format!("`{}`", alarm.name))
        .collect();
    let is_held_up = published.lag >= published.period * LATE;
    let fills_up = published.fills_up(case.in_service());
    if !(is_held_up || fills_up) || alarms.is_empty() {
        return Vec::new();
    }
    let what = if is_held_up {
        format!(
            "the newest points of `Idle` are {} old though there is one every {}: they are published in batches, or held up, and \
             the alarms ({}) look at periods that are still empty",
            span(published.lag),
            span(published.period),
            alarms.join(", ")
        )
    } else {
        format!(
            "the newest periods of `Idle` have {} points at most, those {} older all {}: they are published in batches, and the \
             alarms ({}) look at periods that are not full yet. (Or an agent has just fallen silent: then the next look says so.)",
            published.most().round(),
            span(published.period * BATCH),
            case.in_service(),
            alarms.join(", ")
        )
    };
    vec![Sign::new(
        what,
        "let agents publish each period by itself (without `--publish batched`); batches are for dashboards and controllers",
    )]
}

/// More points than instances: SUM counts too many idle ones.
pub(super) fn doubled(case: &Case<'_>) -> Vec<Sign> {
    let Some(published) = &case.published else {
        return Vec::new();
    };
    let leaving = case
        .setup
        .instances
        .iter()
        .filter(|member| member.lifecycle.is_leaving());
    // What is on its way out has published before.
    let most = case.in_service() + leaving.count();
    if published.whole.len() < PERIODS || published.fewest() <= number(most) {
        return Vec::new();
    }
    let reason = if case.agents_publish && case.controlled {
        "both the agents and a controller publish"
    } else {
        "an instance has two publishers, or requests are sent again after a timeout"
    };
    vec![Sign::new(
        format!(
            "`Idle` has {} points in a period of {}, but there are {}: {reason}, and SUM counts more idle Jibris than there are",
            published.fewest().round(),
            span(published.period),
            count(most, "instance"),
        ),
        "let one publisher speak for each instance: leave `Idle` to the agents (the example controller does with `--agents`), or stop \
         the second agent",
    )]
}

/// As many points as there should be in a minute, but two of an instance in one period of it and none in another.
pub(super) fn uneven(case: &Case<'_>) -> Vec<Sign> {
    let (Ok(signal), Some(published)) = (&case.setup.signal, &case.published) else {
        return Vec::new();
    };
    let instances = number(case.in_service());
    let minute = |sum: &SignalSum| sum.at.as_micros().div_euclid(60_000_000);
    let minutes: Vec<_> = signal
        .short
        .chunk_by(|a, b| minute(a) == minute(b))
        .collect();
    let uneven = minutes
        .iter()
        // Those at the ends may be cut.
        .take(minutes.len().saturating_sub(1))
        .skip(1)
        .filter(|buckets| {
            let points: f64 = buckets.iter().map(|sum| sum.publishers).sum();
            let is_whole = (points - 6.0 * instances).abs() < 0.5;
            is_whole && buckets.iter().any(|sum| sum.publishers > instances)
        })
        .count();
    if published.period != BUCKET || uneven == 0 {
        return Vec::new();
    }
    vec![Sign::new(
        format!(
            "in {uneven} of the last 15 minutes some instance has two points of `Idle` in one period of 10 s and none in another, so \
             that SUM is now too high and now too low"
        ),
        "publish at a fixed phase of the clock, away from the edges of the period, as the agents do; not every ten seconds after the \
         request before",
    )]
}

/// Fewer points than instances: SUM counts too few.
pub(super) fn missing(case: &Case<'_>) -> Vec<Sign> {
    let in_service = case.in_service();
    if in_service == 0 || case.setup.signal.is_err() {
        return Vec::new();
    }
    let Some(published) = &case.published else {
        return vec![Sign::new(
            format!(
                "nothing has published `Idle` in namespace `{}` for the last {}, though {} in service: no alarm and no dashboard \
                 sees how many Jibris are idle",
                case.setup.namespace,
                span(RECENT),
                is(in_service),
            ),
            "start an agent on every instance, or the controller; see that it may call cloudwatch:PutMetricData, and that the \
             namespace is the same",
        )];
    };
    let most = published.most();
    let is_whole = most >= number(in_service) || published.fills_up(in_service);
    if published.whole.len() < PERIODS || is_whole {
        return Vec::new();
    }
    vec![Sign::new(
        format!(
            "`Idle` has {} points in a period of {}, but {} in service: some publish nothing, and SUM counts fewer idle Jibris \
             than there are",
            most.round(),
            span(published.period),
            is(in_service),
        ),
        "look for those that are silent: an agent publishes once its Jibri has answered, and only if it may call \
         cloudwatch:PutMetricData; a controller publishes what it has heard, so see which Jibris it cannot reach",
    )]
}

fn is(number: usize) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", count(number, "instance"))
}

/// A number of instances as CloudWatch counts them.
pub(super) fn number(of: usize) -> f64 {
    u32::try_from(of).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::Lifecycle;

    use super::super::{Doctor, sample};
    use super::*;
    use crate::inspect::GroupSetup;

    #[test]
    fn the_period_is_told_by_which_buckets_have_points() {
        for seconds in [10, 20, 30, 60] {
            let period = Duration::from_secs(seconds);
            let signal = sample::signal(period, 2.0, 4.0);
            let published = Published::new(&signal, sample::now()).unwrap();
            assert_eq!(published.period, period);
            assert_eq!(published.whole.len(), PERIODS);
            for sum in &published.whole {
                assert_eq!((sum.idle, sum.publishers), (2.0, 4.0), "{seconds}");
            }
        }
        assert_eq!(Published::new(&Signal::default(), sample::now()), None);
    }

    #[test]
    fn points_that_come_late_go_ill_with_alarms() {
        let mut setup = sample::native();
        let signal = setup.signal.as_mut().unwrap();
        signal.short.truncate(signal.short.len() - 2);
        assert_eq!(Doctor::default().examine(&setup), []);
        let signal = setup.signal.as_mut().unwrap();
        signal.short.pop();
        let finding = sample::only(&setup, "late_points");
        assert!(
            finding
                .what
                .contains("are 37 s old though there is one every 10 s"),
            "{}",
            finding.what
        );
        assert!(finding.what.contains("`jibri-grow`"), "{}", finding.what);
        // For dashboards it does no harm.
        let mut setup = sample::controlled();
        setup.signal.as_mut().unwrap().short.truncate(60);
        assert!(!sample::rules(&setup).contains(&"late_points"));
    }

    /// `setup` with the points of four agents, each of which sends a batch of six at a second of its own of each minute.
    fn batched(setup: &mut GroupSetup, seconds: [i64; 4]) {
        let now = sample::now().as_micros() / 1_000_000;
        for sum in &mut setup.signal.as_mut().unwrap().short {
            // A point lies in the middle of its period.
            let point = sum.at.as_micros() / 1_000_000 + 5;
            let sent = |second: &&i64| point <= now - (now - **second).rem_euclid(60);
            let agents = seconds.iter().filter(sent).count();
            (sum.publishers, sum.idle) = (number(agents), number(agents));
        }
        let signal = setup.signal.as_mut().unwrap();
        signal.short.retain(|sum| sum.publishers > 0.0);
        // Agents that send batches leave this out.
        signal.by_agents.clear();
    }

    #[test]
    fn batches_at_moments_of_their_own_are_late_and_not_missing() {
        for seconds in [[5, 20, 35, 50], [30, 31, 32, 50], [36, 36, 36, 40]] {
            let mut setup = sample::native();
            batched(&mut setup, seconds);
            let finding = sample::only(&setup, "late_points");
            assert!(finding.fix.contains("--publish batched"), "{seconds:?}");
            // What is still to come is no difference to Jicofo's count.
            let findings = Doctor::default().with_jicofo(4).examine(&setup);
            assert_eq!(findings, [finding]);
            // Who has no alarm does without the newest points.
            let mut setup = sample::controlled();
            batched(&mut setup, seconds);
            assert_eq!(Doctor::default().examine(&setup), [], "{seconds:?}");
        }
    }

    #[test]
    fn an_agent_that_is_silent_for_long_does_not_come_late() {
        let mut setup = sample::native();
        for sum in setup
            .signal
            .as_mut()
            .unwrap()
            .short
            .iter_mut()
            .rev()
            .take(12)
        {
            sum.publishers = 3.0;
        }
        assert_eq!(sample::rules(&setup), ["missing_points"]);
    }

    #[test]
    fn more_points_than_instances_are_doubled() {
        let mut setup = sample::native();
        setup.signal = Ok(sample::signal(BUCKET, 4.0, 8.0));
        let finding = sample::only(&setup, "doubled_points");
        assert!(
            finding
                .what
                .contains("8 points in a period of 10 s, but there are 4 instances"),
            "{}",
            finding.what
        );
        assert!(finding.what.contains("two publishers"), "{}", finding.what);
        // What is on its way out has published before.
        setup.signal = Ok(sample::signal(BUCKET, 2.0, 5.0));
        assert_eq!(sample::rules(&setup), ["doubled_points"]);
        setup
            .instances
            .push(sample::member("i-e", Lifecycle::TerminatingWait));
        assert_eq!(Doctor::default().examine(&setup), []);
    }

    #[test]
    fn agents_and_a_controller_in_one_namespace_are_named() {
        let mut setup = sample::controlled();
        let wanted = setup.signal.unwrap().wanted_spare;
        let mut signal = sample::signal(BUCKET, 2.0, 8.0);
        signal.wanted_spare = wanted;
        setup.signal = Ok(signal);
        let finding = sample::only(&setup, "doubled_points");
        assert!(
            finding.what.contains("both the agents and a controller"),
            "{}",
            finding.what
        );
    }

    #[test]
    fn a_publisher_that_drifts_over_the_edge_of_a_period_is_found() {
        let mut setup = sample::native();
        let short = &mut setup.signal.as_mut().unwrap().short;
        // Both in the same minute, some minutes ago.
        let at = short
            .iter()
            .position(|sum| sum.at.to_string().ends_with("09:55:20Z"))
            .unwrap();
        short[at].publishers = 5.0;
        short[at + 1].publishers = 3.0;
        let finding = sample::only(&setup, "uneven_points");
        assert!(
            finding.what.starts_with("in 1 of the last 15 minutes"),
            "{}",
            finding.what
        );
        // A lost point is another matter.
        setup.signal.as_mut().unwrap().short[at].publishers = 4.0;
        assert_eq!(Doctor::default().examine(&setup), []);
    }

    #[test]
    fn fewer_points_than_instances_are_missing() {
        let mut setup = sample::native();
        let mut signal = sample::signal(BUCKET, 2.0, 3.0);
        // As agents alone would, so that only this rule speaks.
        signal.by_agents = setup.signal.unwrap().by_agents;
        setup.signal = Ok(signal);
        let finding = sample::only(&setup, "missing_points");
        assert!(
            finding
                .what
                .contains("3 points in a period of 10 s, but 4 instances are"),
            "{}",
            finding.what
        );
    }

    #[test]
    fn silence_is_found_unless_nothing_is_in_service() {
        let mut setup = sample::controlled();
        let signal = setup.signal.as_mut().unwrap();
        signal.short.clear();
        signal.minutes.clear();
        let finding = sample::only(&setup, "missing_points");
        assert!(
            finding
                .what
                .contains("for the last 10 min, though 4 instances are"),
            "{}",
            finding.what
        );
        setup.instances.clear();
        setup.desired = 0;
        assert_eq!(Doctor::default().examine(&setup), []);
    }
}
