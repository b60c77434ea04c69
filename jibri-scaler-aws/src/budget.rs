//! A shared budget of calls.

mod bucket;
mod retries;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_smithy_async::rt::sleep::{AsyncSleep as _, SharedAsyncSleep, default_async_sleep};
use aws_types::SdkConfig;

use crate::failure::Failure;
use bucket::Bucket;

pub(crate) use retries::CountRetries;

/// How many calls a second, and how many at once.
const RATES: std::ops::RangeInclusive<f64> = 0.1..=1000.0;
const BURSTS: std::ops::RangeInclusive<u32> = 4..=10_000;

/// What of a call's time may be waited away; the rest is for the call.
const PATIENCE: f64 = 0.75;

/// A budget of AWS calls that many groups of one process share: so many a second, and so many at once.
///
/// All Auto Scaling calls of an account in a region draw on
/// [one allowance](https://docs.aws.amazon.com/autoscaling/ec2/APIReference/Welcome.html) whose size AWS does not publish; where it is
/// used up, every group of the account is refused, and so is whoever else scales there. A controller makes one call a tick for a group
/// (two with agents) and three a minute to see who else controls it. So fifty groups that tick each 10 s make 7.5 calls a second, and
/// ten of them 1.5; where they tick together, some wait for the others. Clones are the same budget.
///
/// # Who waits for whom
/// - Groups take turns, so one that calls in a loop, or is told to retry, has its turn and no more. What one does not use the others
///   may.
/// - A read waits for its turn, for three quarters of its timeout at most; then it fails as `Throttled`, without a call.
/// - A quarter of the budget is for acts alone, so that no number of reads keeps an act from being made. What is left of it goes to
///   all.
/// - The SDK's retries of a read wait for nobody, and are paid for before the next read of the same group.
///
/// Give CloudWatch, EC2 and Auto Scaling a budget each, where they are to have one: AWS counts them apart.
/// [`provision`](crate::provision), [`inspect`](crate::inspect), the agent's parts and the lead of `DynamoDB` take none.
///
/// ```no_run
/// use jibri_scaler_aws::{AutoScalingGroup, CallBudget, GroupName};
///
/// # async fn example(names: Vec<GroupName>) -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let budget = CallBudget::new(8.0, 20)?;
/// for name in names {
///     let group = AutoScalingGroup::new(&sdk, name)?.with_budget(&budget);
///     # let _ = group;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CallBudget {
    bucket: Arc<Mutex<Bucket>>,
    started: Instant,
}

impl CallBudget {
    /// So many calls a second in the long run, 0.1 to 1000, and so many at once after a rest, 4 to 10,000.
    ///
    /// # Errors
    /// Where a number is out of range.
    pub fn new(per_second: f64, burst: u32) -> Result<Self, InvalidBudget> {
        if !RATES.contains(&per_second) {
            return Err(InvalidBudget {
                what: "the calls a second",
                value: per_second.to_string(),
                allowed: "0.1–1000",
            });
        }
        if !BURSTS.contains(&burst) {
            return Err(InvalidBudget {
                what: "the calls at once",
                value: burst.to_string(),
                allowed: "4–10000",
            });
        }
        Ok(Self {
            bucket: Arc::new(Mutex::new(Bucket::new(per_second, burst))),
            started: Instant::now(),
        })
    }

    /// What is taken from it on behalf of that group.
    pub(crate) fn share(&self, group: &str, sdk: &SdkConfig) -> Share {
        let sleep = sdk.sleep_impl().or_else(default_async_sleep);
        Share {
            lane: self.bucket().lane(group),
            budget: self.clone(),
            sleep,
        }
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        // Nothing panics while it is held.
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CallBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallBudget").finish_non_exhaustive()
    }
}

/// A number of calls that no budget can have.
///
/// ```
/// use jibri_scaler_aws::CallBudget;
///
/// let error = CallBudget::new(0.0, 20).unwrap_err();
/// assert_eq!(error.to_string(), "the calls a second of a budget cannot be 0, only 0.1–1000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} of a budget cannot be {value}, only {allowed}")]
pub struct InvalidBudget {
    what: &'static str,
    value: String,
    allowed: &'static str,
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Act,
}

/// The share of a group in a budget.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    budget: CallBudget,
    lane: Arc<str>,
    sleep: Option<SharedAsyncSleep>,
}

/// Waits until a call may be made that has so much time, where there is a budget. Returns the time that is then left for it.
pub(crate) async fn turn(
    share: Option<&Share>,
    call: Call,
    time: Duration,
) -> Result<Duration, Failure> {
    match share {
        Some(share) => share.turn(call, time).await,
        None => Ok(time),
    }
}

impl Share {
    async fn turn(&self, call: Call, time: Duration) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let patience = time.mul_f64(PATIENCE);
        let ticket = Ticket {
            share: self,
            number: self.budget.bucket().enter(&self.lane, call),
        };
        loop {
            let looked = {
                let now = self.budget.started.elapsed();
                self.budget.bucket().look(ticket.number, call, now)
            };
            let waited = begun.elapsed();
            let Err(wait) = looked else {
                return Ok(time.saturating_sub(waited));
            };
            // Without a way to sleep the SDK has no timeouts either; its own error says so better.
            let (Some(sleep), Some(left)) = (&self.sleep, patience.checked_sub(waited)) else {
                return Err(Failure::no_turn(waited));
            };
            sleep.sleep(wait.min(left)).await;
        }
    }
}

/// A place in the queue, which is given up where nobody waits any more.
struct Ticket<'a> {
    share: &'a Share,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.share
            .budget
            .bucket()
            .leave(&self.share.lane, self.number);
    }
}
