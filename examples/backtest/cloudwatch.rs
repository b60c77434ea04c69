//! Recordings from the metrics of a group.

use crate::{arguments::Arguments, input::Input};

#[cfg(feature = "aws")]
pub(crate) use aws::read;

/// What that needs is built with the feature `aws`.
#[cfg(not(feature = "aws"))]
pub(crate) fn read(group: &str, _arguments: &Arguments) -> Result<Input, String> {
    Err(format!(
        "--from-cloudwatch {group}: this backtest was built without AWS; build it with `--features aws`"
    ))
}

#[cfg(feature = "aws")]
mod aws {
    use std::time::{Duration, SystemTime};

    use jibri_scaler_aws::{
        GroupName, Namespace,
        inspect::{BusyHistory, Inspector},
    };
    use jibri_scaler_core::{
        Timestamp,
        backtest::{BusyPeriod, Trace, sessions_from_busy},
    };

    use super::{Arguments, Input};

    /// A controller that is restarted leaves a gap of some minutes.
    const BRIDGE: Duration = Duration::from_mins(10);
    /// Many pages take their time.
    const TIMEOUT: Duration = Duration::from_mins(2);

    /// Reads how many Jibris were busy, and what recordings that makes.
    pub(crate) fn read(group: &str, arguments: &Arguments) -> Result<Input, String> {
        let wrong =
            |error: &dyn std::error::Error| format!("--from-cloudwatch {group}: {}", chain(error));
        let name: GroupName = group.parse().map_err(|error| wrong(&error))?;
        let namespace: Namespace = arguments
            .namespace
            .parse()
            .map_err(|error| format!("--namespace: {error}"))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| wrong(&error))?;
        let history = runtime.block_on(async {
            let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
            let inspector = Inspector::new(&sdk, name).map_err(|error| wrong(&error))?;
            let inspector = inspector.with_namespace(namespace).with_timeout(TIMEOUT);
            let now = Timestamp::from(SystemTime::now());
            let from = now.before(Duration::from_hours(24 * u64::from(arguments.days)));
            inspector
                .busy_history(from, now)
                .await
                .map_err(|error| wrong(&error))
        })?;
        recordings(group, &arguments.namespace, history)
    }

    fn recordings(group: &str, namespace: &str, history: BusyHistory) -> Result<Input, String> {
        if history.periods.is_empty() {
            return Err(format!(
                "--from-cloudwatch {group}: there is no point of `Busy`, and none of `InService` with `Idle`, in namespace {namespace}: a \
                 controller or agents must have published them; see that group, region and --namespace are right, or give a log with \
                 --sessions"
            ));
        }
        let (estimated, all) = (history.estimated, history.periods.len());
        let periods = history
            .periods
            .into_iter()
            .map(|period| BusyPeriod::new(period.at, period.length, period.busy));
        let found = sessions_from_busy(periods, BRIDGE);
        let mut notes = vec![found.exactness()];
        if estimated > 0 {
            notes.push(format!(
                "In {estimated} of {all} periods no controller published how many Jibris are busy; it was estimated from what agents \
                 publish, where all that are not idle count as busy, those that boot too"
            ));
        }
        Ok(Input {
            trace: Trace::new(found.sessions),
            origin: format!("the metrics of group {group}"),
            notes,
        })
    }

    /// An error and its causes on one line.
    fn chain(error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        // The SDK lists the places where it looked for credentials on lines of their own.
        text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_group_without_points_is_an_error_that_says_what_to_look_at() {
            let error = recordings("jibri", "Jibri", BusyHistory::default())
                .err()
                .unwrap();
            assert!(
                error.contains("no point of `Busy`") && error.contains("--sessions"),
                "{error}"
            );
        }

        #[test]
        fn names_are_checked_before_anything_is_asked() {
            use clap::Parser as _;
            let arguments =
                Arguments::try_parse_from(["backtest", "--from-cloudwatch", "x"]).unwrap();
            let error = read("", &arguments).err().unwrap();
            assert!(error.starts_with("--from-cloudwatch"), "{error}");
        }
    }
}
