//! Rules about the size of the group.

use std::time::Duration;

use super::{
    case::{Case, Sign, count},
    command, signal,
};

/// A surplus that has stood for as long is not just waiting for its hold time.
const LONG: Duration = Duration::from_hours(1);

/// So much of that time must have points.
const COVERED: usize = 50;

/// More instances count than are desired: each one that loses its protection ends at once.
pub(super) fn too_many(case: &Case<'_>) -> Vec<Sign> {
    let counting = case
        .setup
        .instances
        .iter()
        .filter(|member| member.lifecycle.is_counting())
        .count();
    let desired = usize::try_from(case.setup.desired).unwrap_or(usize::MAX);
    if counting <= desired {
        return Vec::new();
    }
    vec![
        Sign::new(
            format!(
                "{} count, but only {desired} are desired: the desired capacity was lowered while instances were protected, and \
                 each one that loses its protection ends at once",
                count(counting, "instance")
            ),
            "raise the desired capacity to what is there; instances are to be ended by name, which lowers it with them",
        )
        .command(command::of_group(
            case.setup,
            "set-desired-capacity",
            &["--desired-capacity", &counting.to_string(), "--no-honor-cooldown"],
        )),
    ]
}

/// In native mode an empty group stays empty.
pub(super) fn min_size_zero(case: &Case<'_>) -> Vec<Sign> {
    if case.setup.min_size > 0 || !case.is_native() {
        return Vec::new();
    }
    vec![
        Sign::new(
            "the minimum size is 0: an empty group publishes nothing, and missing data never grows, so it stays empty",
            "set the minimum size to 1 or more",
        )
        .command(command::of_group(
            case.setup,
            "update-auto-scaling-group",
            &["--min-size", "1"],
        )),
    ]
}

/// More Jibris than wanted have stood idle for long, and the group does not shrink.
pub(super) fn desired_stuck(case: &Case<'_>) -> Vec<Sign> {
    let (Ok(signal), Some(published)) = (&case.setup.signal, &case.published) else {
        return Vec::new();
    };
    let since = case.setup.read_at.before(LONG);
    let sums: Vec<_> = signal::per_period(&signal.minutes, published.period)
        .into_iter()
        .filter(|sum| sum.at >= since)
        .collect();
    if sums.len() < COVERED {
        return Vec::new();
    }
    let wanted = signal
        .wanted_spare
        .iter()
        .filter(|(at, _)| *at >= since)
        .map(|(_, wanted)| *wanted)
        .reduce(f64::max);
    let least = sums
        .iter()
        .map(|sum| match (&case.doctor.growth, wanted) {
            (Some(growth), _) => -growth.short(sum.idle, sum.publishers),
            (None, Some(wanted)) => sum.idle - wanted,
            // Nobody says what is wanted; more than half of the group is more than any policy is likely to want.
            (None, None) => sum.idle - (sum.publishers / 2.0).ceil().max(1.0),
        })
        .fold(f64::INFINITY, f64::min);
    let headroom = case.setup.desired.saturating_sub(case.setup.min_size);
    let surplus = least.floor().min(f64::from(headroom));
    if surplus < 1.0 {
        return Vec::new();
    }
    let than = if case.doctor.growth.is_some() || wanted.is_some() {
        "than wanted"
    } else {
        "than half of the group (what is wanted is not known)"
    };
    vec![Sign::new(
        format!(
            "for the last hour at least {surplus} more Jibris {than} stood idle, and the desired capacity is still {}, above the \
             minimum size of {}",
            case.setup.desired, case.setup.min_size
        ),
        "never lower the desired capacity by hand; see why nobody retires them: in native mode the tag `jibri-scaler:shrink` must \
         be `enabled`, and the logs of the agents say what holds them; a controller explains itself in every tick",
    )]
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::{Lifecycle, native::Growth, policy::MinIdle};

    use super::super::{Doctor, sample};
    use super::*;

    #[test]
    fn more_instances_than_desired_owe_their_end() {
        let mut setup = sample::native();
        setup.desired = 3;
        assert_eq!(
            sample::only(&setup, "too_many_instances").commands,
            [
                "aws autoscaling set-desired-capacity --auto-scaling-group-name jibri --desired-capacity 4 --no-honor-cooldown"
            ]
        );
        setup.instances[0].lifecycle = Lifecycle::TerminatingWait;
        assert_eq!(Doctor::default().examine(&setup), []);
    }

    #[test]
    fn a_native_group_must_not_become_empty() {
        let mut setup = sample::native();
        setup.min_size = 0;
        sample::only(&setup, "min_size_zero");
        let mut setup = sample::controlled();
        setup.min_size = 0;
        assert_eq!(Doctor::default().examine(&setup), []);
    }

    #[test]
    fn a_surplus_that_stays_is_found_by_policy_controller_or_half() {
        // Three of four idle: more than half, and two more than one.
        let idle = sample::signal(Duration::from_secs(10), 3.0, 4.0);
        let mut setup = sample::native();
        setup.signal = Ok(idle.clone());
        let finding = sample::only(&setup, "desired_stuck");
        assert!(
            finding.what.contains("at least 1 more Jibris than half"),
            "{}",
            finding.what
        );

        let growth = |min| Growth::new(&MinIdle::new(min).unwrap(), 20, 1).unwrap();
        let findings = Doctor::default().with_growth(growth(1)).examine(&setup);
        assert!(
            findings[0]
                .what
                .contains("at least 2 more Jibris than wanted"),
            "{}",
            findings[0].what
        );
        assert_eq!(Doctor::default().with_growth(growth(3)).examine(&setup), []);

        let mut setup = sample::controlled();
        let wanted_spare = setup.signal.unwrap().wanted_spare;
        setup.signal = Ok(idle);
        setup.signal.as_mut().unwrap().wanted_spare = wanted_spare;
        let finding = sample::only(&setup, "desired_stuck");
        assert!(
            finding.what.contains("at least 1 more Jibris than wanted"),
            "{}",
            finding.what
        );
        // At its minimum size there is nothing to give back.
        setup.min_size = setup.desired;
        assert_eq!(Doctor::default().examine(&setup), []);
    }

    #[test]
    fn a_surplus_of_some_minutes_is_not_stuck() {
        let mut setup = sample::native();
        setup.signal = Ok(sample::signal(Duration::from_secs(10), 3.0, 4.0));
        let minutes = &mut setup.signal.as_mut().unwrap().minutes;
        let middle = minutes.len() - 30;
        minutes[middle].idle = 0.0;
        assert_eq!(Doctor::default().examine(&setup), []);
    }
}
