//! How long a call may take and how often it may be tried, and the count of the requests.

#[cfg(feature = "metrics")]
mod counting;

use std::time::{Duration, Instant};

use aws_sdk_autoscaling::config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::SdkConfig;

/// The longest that one call takes unless told otherwise: a little under the shortest usual control interval of 10 s.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(9);

/// No network answers in less, so a shorter timeout is taken for a mistake.
pub(crate) const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);

/// How often a read is tried. Acts are tried once: the next tick is their retry, and it starts from a fresh view.
const READ_ATTEMPTS: u32 = 3;

/// Waits between the attempts of a read, short enough to leave room for them inside the timeout. (The SDK's own are 1 s to 20 s.)
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// The time that is left for a call made of several requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    started: Instant,
    total: Duration,
}

impl Deadline {
    pub(crate) fn after(total: Duration) -> Self {
        Self {
            started: Instant::now(),
            total,
        }
    }

    /// `None` once it has passed.
    pub(crate) fn remaining(self) -> Option<Duration> {
        self.total
            .checked_sub(self.started.elapsed())
            .filter(|left| !left.is_zero())
    }

    /// For the next of so many parts that are still to come: its share of what is left, so that one that hangs leaves the others
    /// theirs.
    pub(crate) fn share(self, parts: usize) -> Self {
        let parts = u32::try_from(parts).unwrap_or(u32::MAX).max(1);
        Self::after(self.remaining().unwrap_or_default() / parts)
    }
}

/// How long a call may take, and how often it is tried.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    timeouts: TimeoutConfig,
    retries: RetryConfig,
}

/// What the clients of all services are configured with, and their calls.
pub(crate) trait Configure {
    /// The same counting its requests, where that is wanted. Every client is made of such a configuration.
    fn counted(self) -> Self;

    fn with_patience(self, patience: Patience) -> Self;
}

macro_rules! configure {
    ($($builder:ty),+) => {
        $(impl Configure for $builder {
            #[cfg(feature = "metrics")]
            fn counted(self) -> Self {
                self.interceptor(counting::Counting)
            }

            #[cfg(not(feature = "metrics"))]
            fn counted(self) -> Self {
                self
            }

            fn with_patience(self, patience: Patience) -> Self {
                self.timeout_config(patience.timeouts)
                    .retry_config(patience.retries)
            }
        })+
    };
}

configure!(
    aws_sdk_autoscaling::config::Builder,
    aws_sdk_cloudwatch::config::Builder
);
#[cfg(feature = "dynamodb")]
configure!(aws_sdk_dynamodb::config::Builder);
#[cfg(feature = "ec2")]
configure!(aws_sdk_ec2::config::Builder);

/// One attempt, which may take the whole time.
pub(crate) fn act(sdk: &SdkConfig, total: Duration) -> Patience {
    Patience {
        timeouts: timeouts(sdk, total, total),
        retries: RetryConfig::disabled(),
    }
}

/// A few attempts that share the time.
pub(crate) fn read(sdk: &SdkConfig, total: Duration) -> Patience {
    let retries = RetryConfig::standard()
        .with_max_attempts(READ_ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF);
    Patience {
        timeouts: timeouts(sdk, total, total / READ_ATTEMPTS),
        retries,
    }
}

/// The SDK has no timeouts of its own but for connecting. What the embedder set for connecting and reading stays.
fn timeouts(sdk: &SdkConfig, total: Duration, attempt: Duration) -> TimeoutConfig {
    let ours = TimeoutConfig::builder()
        .operation_timeout(total)
        .operation_attempt_timeout(attempt);
    match sdk.timeout_config() {
        Some(theirs) => ours.take_unset_from(theirs.clone().into_builder()).build(),
        None => ours.build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_for_connecting_stay_and_the_others_are_ours() {
        let theirs = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_timeout(Duration::from_hours(1))
            .build();
        let sdk = SdkConfig::builder().timeout_config(theirs).build();
        let Patience { timeouts, retries } = read(&sdk, Duration::from_secs(9));
        assert_eq!(timeouts.connect_timeout(), Some(Duration::from_secs(2)));
        assert_eq!(timeouts.operation_timeout(), Some(Duration::from_secs(9)));
        assert_eq!(
            timeouts.operation_attempt_timeout(),
            Some(Duration::from_secs(3))
        );
        assert_eq!(retries.max_attempts(), 3);
    }

    #[test]
    fn an_act_is_tried_once() {
        let sdk = SdkConfig::builder().build();
        let Patience { timeouts, retries } = act(&sdk, Duration::from_secs(9));
        assert_eq!(timeouts.operation_timeout(), Some(Duration::from_secs(9)));
        assert_eq!(retries.max_attempts(), 1);
        assert!(!retries.has_retry());
    }

    #[test]
    fn a_deadline_that_has_passed_leaves_nothing() {
        assert!(
            Deadline::after(Duration::from_hours(1))
                .remaining()
                .is_some()
        );
        let passed = Deadline::after(Duration::ZERO);
        assert_eq!(passed.remaining(), None);
        assert_eq!(passed.share(2).remaining(), None);
    }

    #[test]
    fn a_part_has_its_share_of_what_is_left() {
        let whole = Duration::from_hours(1);
        for (parts, at_most) in [(0, whole), (1, whole), (4, whole / 4)] {
            let left = Deadline::after(whole).share(parts).remaining().unwrap();
            assert!(left <= at_most && left > at_most / 2, "{parts}: {left:?}");
        }
    }
}
