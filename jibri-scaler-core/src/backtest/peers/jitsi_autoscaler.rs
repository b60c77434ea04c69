use std::{collections::VecDeque, fmt, time::Duration};

use super::group::{Members, counting};
use crate::{
    Timestamp,
    backtest::{Fleet, Reading, Scaler, Seen},
    port::Decrement,
    time::readable,
};

/// The rule of [jitsi-autoscaler](https://github.com/jitsi/jitsi-autoscaler) for groups of type `jibri`.
///
/// Sources: `src/autoscaler.ts`, `src/instance_tracker.ts`, `src/instance_launcher.ts` and `groups.json`. Each report of a sidecar counts 1
/// where its Jibri is IDLE, else 0; the value of a period is the sum over the instances of the mean of each. An instance without a report
/// in a period that has one in the next newer one, and in the next older one unless the period is the newest, counts as its last report. One
/// step up where all of the newest periods are below a threshold, one down where all of more periods are above another, and then none for
/// a grace time, as after the group was made; nothing while the number of instances is not the desired one. It ends those that boot first, then idle ones, then busy
/// ones, which its sidecar lets finish. [`Default`] is the shipped `groups.json`; its maximum size is left to the group.
///
/// ```
/// use jibri_scaler_core::backtest::peers::JitsiAutoscaler;
///
/// let group = JitsiAutoscaler::default();
/// // Two instances; the newest period first.
/// assert_eq!(group.step(2, &[0.5, 0.0, 1.0, 1.0]), 1);
/// assert_eq!(group.step(3, &[3.0, 2.5, 3.0, 3.0]), -1);
/// assert_eq!(group.to_string(), "+1 below 1 idle for 2m, -1 above 2 for 4m, grace 8m, at least 1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JitsiAutoscaler {
    /// The fewest instances.
    pub min_desired: u32,
    /// Up where fewer than so many are idle.
    pub scale_up_threshold: u32,
    /// Down where more than so many are.
    pub scale_down_threshold: u32,
    /// So many more at once.
    pub scale_up_quantity: u32,
    /// So many fewer at once.
    pub scale_down_quantity: u32,
    /// How long a period is.
    pub scale_period: Duration,
    /// So many periods must be below.
    pub scale_up_periods: u32,
    /// So many periods must be above.
    pub scale_down_periods: u32,
    /// How long nothing is done after an action.
    pub grace_period: Duration,
}

impl Default for JitsiAutoscaler {
    fn default() -> Self {
        Self {
            min_desired: 1,
            scale_up_threshold: 1,
            scale_down_threshold: 2,
            scale_up_quantity: 1,
            scale_down_quantity: 1,
            scale_period: Duration::from_secs(60),
            scale_up_periods: 2,
            scale_down_periods: 4,
            grace_period: Duration::from_secs(480),
        }
    }
}

impl JitsiAutoscaler {
    /// By how many a group of so many instances is to change, where so many were idle in the periods, the newest first. A period that is
    /// not there counts as none idle.
    #[must_use]
    pub fn step(&self, count: u32, idle: &[f64]) -> i64 {
        let all = |periods: u32, breaches: &dyn Fn(f64) -> bool| {
            (0..periods).all(|period| {
                let at = usize::try_from(period).unwrap_or(usize::MAX);
                breaches(idle.get(at).copied().unwrap_or(0.0))
            })
        };
        let (low, high) = (self.scale_up_threshold, self.scale_down_threshold);
        let up = all(self.scale_up_periods, &|idle| idle < low.into());
        if up || count < self.min_desired {
            i64::from(self.scale_up_quantity)
        } else if count > self.min_desired
            && all(self.scale_down_periods, &|idle| idle > high.into())
        {
            -i64::from(self.scale_down_quantity)
        } else {
            0
        }
    }

    pub(super) fn scaler(&self) -> impl Scaler + 'static {
        Run {
            settings: self.clone(),
            samples: VecDeque::new(),
            grace_until: None,
        }
    }

    pub(super) fn curves() -> Vec<Vec<Self>> {
        let mut curves = Vec::new();
        for (quantity, periods, grace) in [
            (1, (2, 4), 480),
            (1, (1, 4), 120),
            (4, (1, 4), 180),
            (8, (1, 4), 180),
            (8, (1, 2), 90),
        ] {
            for (period, band) in [(60, 1), (60, 4), (30, 2)] {
                let settings = |spare: u32| Self {
                    min_desired: spare,
                    scale_up_threshold: spare,
                    scale_down_threshold: spare + band,
                    scale_up_quantity: quantity,
                    scale_down_quantity: quantity.div_ceil(2),
                    scale_period: Duration::from_secs(period),
                    scale_up_periods: periods.0,
                    scale_down_periods: periods.1,
                    grace_period: Duration::from_secs(grace),
                };
                curves.push(super::SPARES.map(settings).to_vec());
            }
        }
        curves
    }
}

impl fmt::Display for JitsiAutoscaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "+{} below {} idle for {}, -{} above {} for {}, grace {}, at least {}",
            self.scale_up_quantity,
            self.scale_up_threshold,
            readable(self.scale_period * self.scale_up_periods),
            self.scale_down_quantity,
            self.scale_down_threshold,
            readable(self.scale_period * self.scale_down_periods),
            readable(self.grace_period),
            self.min_desired
        )
    }
}

struct Run {
    settings: JitsiAutoscaler,
    /// Reports, the newest last: when, of which instance, and whether it was idle.
    samples: VecDeque<(Timestamp, u32, bool)>,
    grace_until: Option<Timestamp>,
}

impl Run {
    fn track(&mut self, fleet: &Fleet<'_>) {
        let now = fleet.now();
        // What is provisioning, or was told to end, writes nothing.
        for seen in counting(fleet).filter(|seen| seen.answered) {
            let idle = seen.reading == Reading::Idle;
            self.samples.push_back((now, seen.number, idle));
        }
        let oldest = now.before(self.settings.scale_period * self.periods());
        while self.samples.front().is_some_and(|(at, _, _)| *at <= oldest) {
            self.samples.pop_front();
        }
    }

    fn periods(&self) -> u32 {
        let settings = &self.settings;
        settings.scale_up_periods.max(settings.scale_down_periods)
    }

    /// How many were idle in each period, the newest first.
    fn idle(&self, now: Timestamp) -> Vec<f64> {
        let periods = usize::try_from(self.periods()).unwrap_or(1).max(1);
        let length = self.settings.scale_period.as_micros().max(1);
        let mut numbers: Vec<u32> = self.samples.iter().map(|(_, number, _)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        // The cells of an instance are together, the newest period first.
        let mut cells = vec![Cell::default(); numbers.len() * periods];
        for (at, number, idle) in &self.samples {
            let age = now.since(*at).as_micros() / length;
            let period = usize::try_from(age).ok().filter(|age| *age < periods);
            if let (Ok(place), Some(period)) = (numbers.binary_search(number), period) {
                let cell = &mut cells[place * periods + period];
                cell.reports += 1;
                cell.idle += u32::from(*idle);
                cell.newest = *idle;
            }
        }
        let sum = |period| cells.chunks(periods).map(|cells| mean(cells, period)).sum();
        (0..periods).map(sum).collect()
    }
}

/// The reports of one instance in one period.
#[derive(Clone, Copy, Default)]
struct Cell {
    reports: u32,
    /// So many of them were idle.
    idle: u32,
    /// The newest was.
    newest: bool,
}

/// What an instance counts in a period, where a gap is filled with what came before it.
fn mean(cells: &[Cell], period: usize) -> f64 {
    let cell = cells[period];
    if cell.reports > 0 {
        return f64::from(cell.idle) / f64::from(cell.reports);
    }
    let older = cells.get(period + 1).filter(|cell| cell.reports > 0);
    let newer = period == 0 || cells[period - 1].reports > 0;
    f64::from(u8::from(newer && older.is_some_and(|cell| cell.newest)))
}

impl Scaler for Run {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        let count = Members::look(fleet).all();
        let now = fleet.now();
        self.track(fleet);
        let desired = fleet.group().desired;
        // A group that was just made is in its grace time.
        let first = now + self.settings.grace_period;
        let waits = now < *self.grace_until.get_or_insert(first);
        // It does nothing while none is tracked, or another number than is desired; the launcher does what is missing.
        if waits || count == 0 || count != desired {
            if count == 0 {
                fleet.set_desired(desired.max(self.settings.min_desired));
            }
            return;
        }
        let step = self.settings.step(count, &self.idle(now));
        if step == 0 {
            return;
        }
        let to = i64::from(desired) + step;
        let to = u32::try_from(to)
            .unwrap_or(0)
            .max(self.settings.min_desired);
        if to > desired {
            fleet.set_desired(to);
        } else {
            let mut members: Vec<Seen> = counting(fleet).collect();
            members.sort_by_key(order);
            let too_many = usize::try_from(desired - to).unwrap_or(usize::MAX);
            for seen in members.iter().take(too_many) {
                fleet.drain(seen.number, Decrement::Yes);
            }
        }
        self.grace_until = Some(now + self.settings.grace_period);
    }
}

/// Who goes first.
fn order(seen: &Seen) -> u8 {
    match seen.reading {
        Reading::Never => 0,
        Reading::Idle => 1,
        Reading::Expired => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::peers::tests::sizes;

    #[test]
    fn the_shipped_group_steps_as_its_rule_says() {
        let group = JitsiAutoscaler::default();
        // Instances, idle in the periods (the newest first), step.
        let cases: [(u32, &[f64], i64); 9] = [
            (2, &[0.0, 0.0], 1),
            (2, &[0.0, 1.0], 0),
            (2, &[0.5, 0.9], 1),
            (2, &[], 1), // an empty period is none idle
            (0, &[3.0, 3.0, 3.0, 3.0], 1),
            (4, &[3.0, 3.0, 3.0, 3.0], -1),
            (4, &[3.0, 3.0, 3.0, 2.0], 0),
            (1, &[3.0, 3.0, 3.0, 3.0], 0),
            (4, &[2.0, 2.0, 2.0, 2.0], 0),
        ];
        for (count, idle, step) in cases {
            assert_eq!(group.step(count, idle), step, "{count}, {idle:?}");
        }
    }

    #[test]
    fn a_gap_between_two_reports_is_filled_and_a_longer_one_is_not() {
        let mut run = Run {
            settings: JitsiAutoscaler::default(),
            samples: VecDeque::new(),
            grace_until: None,
        };
        let now = Timestamp::from_secs(1000);
        // Instance 1 misses period 1; 2 misses periods 1 and 2; 3 misses the newest; 4 has spoken only four periods ago.
        for (age, number, idle) in [
            (190, 1, true),
            (130, 1, true),
            (10, 1, false),
            (190, 2, true),
            (10, 2, true),
            (70, 3, true),
            (190, 4, true),
        ] {
            let at = now.before(Duration::from_secs(age));
            run.samples.push_back((at, number, idle));
        }
        // Period 2 of instance 4 would need a report in period 1.
        let idle = run.idle(now);
        let expected = [2.0, 2.0, 1.0, 3.0];
        let same = |(a, b): (&f64, f64)| (a - b).abs() < 1e-9;
        assert!(idle.iter().zip(expected).all(same), "{idle:?}");
    }

    #[test]
    fn one_step_in_each_grace_time() {
        let sizes = sizes(JitsiAutoscaler::default().scaler(), [(9000, 9001)], 4, 2000);
        assert_eq!(sizes, [(0, 4), (480, 3), (960, 2)]);
    }
}
