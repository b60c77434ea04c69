//! One leader of several replicas, by a lease in a `DynamoDB` table.

mod clock;
mod row;

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_types::SdkConfig;
use jibri_scaler_core::{
    OutOfRange,
    lease::Lease,
    port::{Leadership, PortError, PortErrorKind},
};

pub use clock::Clock;

use crate::{
    BuildError, ControllerName, GroupName, TableName, build,
    call::{Deadline, SHORTEST_TIMEOUT},
};
use clock::{Moment, SystemClock, Watch};
use row::Row;

/// Short enough to fit, beside a listing, into the shortest usual control interval of 10 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(4);

/// How often a replica tries to give up what it has, where the record changes meanwhile: by a write of its own that was under way.
const RESIGN_ATTEMPTS: usize = 2;

/// The lead of a group as an item in a `DynamoDB` table, as [`Leadership`]. Needs the feature `dynamodb`.
///
/// The rules are those of [`Lease`](jibri_scaler_core::lease): the item holds a version and no time, and every write has the condition
/// that nothing has changed since it was read. Reads are consistent. A campaign is one `GetItem`, and a `PutItem` where this replica
/// leads or takes the lead; it is asked for once a tick.
///
/// # How long two can lead
/// Not at all, as far as they believe: who leads stops to believe so when a fifth of the time is left, counted from before its last
/// write, and another takes the lead only after it has seen the same version for the whole time, by its own clock. That holds where the
/// clocks of the two run at speeds that differ by a tenth each, whatever time of day they show; where one is frozen or cut off; and where an answer is lost
/// after the write was done. For who leads, the larger of what the monotonic clock and the time of day say has passed counts, so a machine that was
/// suspended does not believe in its old lead. (A virtual machine that is paused from outside, whose clocks both stand still, believes
/// in it until its time of day is set: do not pause one.)
///
/// An act that had begun is not called back. For as long as one call takes (the timeout of the port, 9 s unless told otherwise) an act
/// of the old leader may still meet those of the new one, which loses no recording: that is so with any two
/// [controllers](jibri_scaler_core::Controller).
///
/// # The table
/// One for all groups. Its key is one string, `lead`; it needs no expiry of items, and has one item of about 100 bytes per group, beside that
/// of its memory where [`DynamoDbMemory`](crate::DynamoDbMemory) keeps it there:
///
/// ```sh
/// aws dynamodb create-table --table-name jibri-scaler-leads --billing-mode PAY_PER_REQUEST \
///     --attribute-definitions AttributeName=lead,AttributeType=S --key-schema AttributeName=lead,KeyType=HASH
/// ```
///
/// or in `CloudFormation`:
///
/// ```yaml
/// Leads:
///   Type: AWS::DynamoDB::Table
///   Properties:
///     TableName: jibri-scaler-leads
///     BillingMode: PAY_PER_REQUEST
///     AttributeDefinitions: [{ AttributeName: lead, AttributeType: S }]
///     KeySchema: [{ AttributeName: lead, KeyType: HASH }]
/// ```
///
/// Not a global table: replicas in two regions would write to two copies. The rights are `dynamodb:GetItem` and `dynamodb:PutItem` on it;
/// [`provision::iam`](crate::provision::iam) has the policy.
///
/// # What it costs
/// A tick is one read request unit per replica, and one write request unit for who leads. At a tick each 10 s and 30 days that is
/// 259,200 of each: at $0.125 for a million reads and $0.625 for a million writes (us-east-1 on demand, as last seen) $0.19 a month for
/// who leads and $0.03 for each other replica.
///
/// # The memory
/// Give all replicas the same [memory](jibri_scaler_core::Controller::with_memory): [`DynamoDbMemory`](crate::DynamoDbMemory) keeps it in
/// this table. Without that nothing is lost: who takes the lead goes on from what it has seen itself, shrinks later, and does not know which
/// Jibris the one before it had told to go, what is paused and what is kept.
///
/// # Errors of its port
/// As those of [`AutoScalingGroup`](crate::AutoScalingGroup). The read is tried up to three times, the write once: the next campaign is
/// its retry, and starts from a fresh read.
///
/// # Why no crate does this
/// `dynamodb-lease` 0.22 compares times of day that the replicas write, so a clock that is wrong by more than the lease makes two
/// leaders; its background task stops at the first failure to prolong, and who holds a lease is not told that it has run out.
/// `dynamodb_lock` 0.6 has the same rules as this, but stands on rusoto, which is no longer maintained and brings an old HTTP and TLS
/// stack; it counts by the time of day, and does not tell the holder when its lock has run out. So the rules are in the core, without a
/// clock or a table, and this is the two calls.
///
/// ```no_run
/// use std::time::Duration;
/// use jibri_scaler_aws::DynamoDbLeadership;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let table = "jibri-scaler-leads".parse()?;
/// let leadership = DynamoDbLeadership::new(
///     &sdk,
///     table,
///     "jibri-production".parse()?,
///     &"scaler-a".parse()?,
///     Duration::from_secs(30), // three ticks of 10 s
/// )?;
/// # let _ = leadership; // for Controller::with_leadership
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DynamoDbLeadership {
    row: Row,
    timeout: Duration,
    watch: Watch,
    own: Mutex<Own>,
}

/// What this replica knows of its own lead.
#[derive(Debug)]
struct Own {
    lease: Lease,
    /// How often it has resigned, so that a campaign that was under way then does not bring the lead back.
    resigned: u64,
}

/// No lead can be asked for with this.
///
/// ```
/// use std::time::Duration;
/// use aws_config::SdkConfig;
/// use jibri_scaler_aws::DynamoDbLeadership;
///
/// let bare = SdkConfig::builder().build();
/// let (table, group, name) = ("leads".parse()?, "jibri".parse()?, "scaler-a".parse()?);
/// let error = DynamoDbLeadership::new(&bare, table, group, &name, Duration::from_secs(30)).unwrap_err();
/// assert!(error.to_string().contains("behavior version"));
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub enum LeadershipError {
    /// No client can be made of the configuration.
    Sdk(#[from] BuildError),
    /// The time for which a lead is taken is out of range.
    Ttl(#[from] OutOfRange),
}

impl DynamoDbLeadership {
    /// Asks for the lead of this group in this table, for `ttl` at a time: 5 s to 1 h, and at least three times what is between two
    /// ticks. So long after the leader has died another leads at the latest, plus a tick. Nothing is called yet.
    ///
    /// The name is for people, and to it comes something random, so that a process that starts again is another one: the one before it
    /// may only be frozen.
    ///
    /// # Errors
    /// Where the configuration lacks a behaviour version or a region, or the time is out of range.
    pub fn new(
        sdk: &SdkConfig,
        table: TableName,
        group: GroupName,
        name: &ControllerName,
        ttl: Duration,
    ) -> Result<Self, LeadershipError> {
        build::check(sdk)?;
        // Seeded by the operating system.
        let random = RandomState::new().build_hasher().finish();
        let lease = Lease::new(format!("{name} {random:016x}"), ttl)?;
        Ok(Self {
            row: Row::new(sdk, table, group),
            timeout: DEFAULT_TIMEOUT,
            watch: Watch::new(Box::new(SystemClock::new())),
            own: Mutex::new(Own { lease, resigned: 0 }),
        })
    }

    /// Lets a campaign, or resigning, take this long at most, its requests and retries together; 4 s by default. Less than 100 ms
    /// counts as 100 ms.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(SHORTEST_TIMEOUT);
        self
    }

    /// Goes by these clocks, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.watch = Watch::new(Box::new(clock));
        self
    }

    /// Who this replica is in the table: its name and what is random.
    #[must_use]
    pub fn holder(&self) -> String {
        self.own().lease.holder().to_owned()
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        // Nothing panics while it is held.
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leads_at(&self, now: Moment) -> bool {
        self.own().lease.leads(now.leading)
    }
}

#[async_trait]
impl Leadership for DynamoDbLeadership {
    async fn campaign(&self) -> Result<bool, PortError> {
        let deadline = Deadline::after(self.timeout);
        let resigned = self.own().resigned;
        let begun = self.watch.now();
        let stored = self.row.read(deadline).await?;
        let ended = self.watch.now();
        let write = self.own().lease.read(stored, begun.waiting, ended.waiting);
        let Some(write) = write else { return Ok(false) };
        let begun = self.watch.now();
        let written = self.row.write(&write, "take or prolong", deadline).await?;
        let mut own = self.own();
        if !written {
            own.lease.refused();
        } else if own.resigned == resigned {
            own.lease.written(&write, begun.leading);
        }
        drop(own);
        Ok(self.leads())
    }

    fn leads(&self) -> bool {
        self.leads_at(self.watch.now())
    }

    async fn resign(&self) -> Result<(), PortError> {
        let deadline = Deadline::after(self.timeout);
        {
            let mut own = self.own();
            own.resigned += 1;
            // At once, whatever is stored: nothing is to be written for that.
            let _ = own.lease.resign(None);
        }
        for _ in 0..RESIGN_ATTEMPTS {
            let stored = self.row.read(deadline).await?;
            let Some(write) = self.own().lease.resign(stored) else {
                return Ok(());
            };
            if self.row.write(&write, "give up", deadline).await? {
                return Ok(());
            }
        }
        let doing = format!("give up the lead of group `{}`", self.row.group);
        Err(PortError::new(PortErrorKind::Transient, doing)
            .with_source("it was prolonged at the same time; it runs out by itself"))
    }
}
