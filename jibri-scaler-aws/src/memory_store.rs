//! The memory of a group in a `DynamoDB` table.

mod fence;
mod item;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client, config,
    error::SdkError,
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use aws_types::SdkConfig;
use jibri_scaler_core::{
    Memory,
    port::{MemoryStore, PortError, PortErrorKind},
};

use crate::{
    BuildError, GroupName, TableName, build,
    call::{self, Configure as _, Deadline, SHORTEST_TIMEOUT},
    failure::Failure,
    name::MEMORY_PREFIX,
    table::{CHANGED, Item, KEY, left},
};
use fence::{Fence, Save};

/// Short enough to fit, beside a campaign and a listing, into the shortest usual control interval of 10 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(4);

/// The memory of a group as an item in a `DynamoDB` table, as [`MemoryStore`]. Needs the feature `dynamodb`.
///
/// It is for replicas on several machines, each with a store of its own: what one was told, a pause for instance, holds for the next one that
/// leads. The table may be that of the leads ([`DynamoDbLeadership`](crate::DynamoDbLeadership) says how to make it) or another one like
/// it; the key of the item is `memory:` and the name of the group, which is the key of no lead, since the name of a group has no colon.
///
/// # Who may write
/// A store writes only over what it has loaded or saved last, which `DynamoDB` looks at as it writes. So a save that arrives late, of a
/// replica that has lost the lead meanwhile, takes the place of nothing, and the first save of a store that has loaded nothing writes only
/// where nothing is. Whoever is refused has the error "another replica has saved since", and knows then what is stored: its next save goes
/// over that, unless somebody has saved once more. A replica that does not lead saves nothing, so that is for a leader that is refused: the
/// last save of the one before it arrived after it had loaded, or the item was deleted. It then only grows in that tick. A
/// [controller with a lead](jibri_scaler_core::Controller::with_leadership) whose save has failed loads before the next one, so that what the
/// leader before it was told at last is kept.
///
/// A save whose answer was lost, and one whose future was dropped, may have been done. The next one of the same store goes over either.
///
/// # How large a memory may be
/// An item holds 400 KB, and the memory is compressed. What 500 instances and the largest demand that can be learned come to is 63 KB; 7,000
/// instances fit. A memory that is too large is refused, and what was there stays: a controller then grows the group, and does nothing else.
///
/// # What it costs
/// A save is one write request unit for each KB, a load one read request unit for each 4 KB. A leader saves once a tick, and up to twice more
/// in a tick that has begun or finished something, or has seen a Jibri refuse that is to go; one that does not lead loads in each tick. At a tick each 10 s and 30 days that is 259,200
/// of each, and more where pushes wake ticks: with $0.625 for a million write and $0.125 for a million read request units (us-east-1 on
/// demand, as last seen)
///
/// | group | item | who leads, a month | each other replica, a month |
/// |---|---|---|---|
/// | 20 instances, 240 recordings on a working day | 6 KB | $0.97 | $0.06 |
/// | 100 instances, 1,200 recordings | 12 KB | $1.94 | $0.10 |
/// | 500 instances, 6,000 recordings | 32 KB | $5.18 | $0.26 |
/// | 500 instances, the largest demand | 63 KB | $10.21 | $0.52 |
///
/// # To look into it
/// ```sh
/// aws dynamodb get-item --consistent-read --table-name jibri-scaler-leads --key '{"lead": {"S": "memory:jibri-production"}}' \
///     --query Item.memory.B --output text | base64 --decode | gunzip >memory.json
/// ```
///
/// To start anew, which delays shrinking and forgets what is paused and kept, stop all replicas and delete the item.
///
/// # Errors of its port
/// As those of [`AutoScalingGroup`](crate::AutoScalingGroup). A load is tried up to three times, a save once. An item that can't be read is
/// an error, and not taken for none. The rights are those of the lead: `dynamodb:GetItem` and `dynamodb:PutItem`, which
/// [`provision::iam`](crate::provision::iam) holds to the two items of the group.
///
/// ```no_run
/// use jibri_scaler_aws::DynamoDbMemory;
///
/// # async fn example(controller: jibri_scaler_core::Controller) -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let memory = DynamoDbMemory::new(&sdk, "jibri-scaler-leads".parse()?, "jibri-production".parse()?)?;
/// let controller = controller.with_memory(memory);
/// # let _ = controller;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DynamoDbMemory {
    sdk: SdkConfig,
    client: Client,
    table: TableName,
    group: GroupName,
    timeout: Duration,
    fence: Mutex<Fence>,
}

impl DynamoDbMemory {
    /// The memory of this group in this table. Nothing is called yet.
    ///
    /// # Errors
    /// Where the configuration lacks a behaviour version or a region.
    pub fn new(sdk: &SdkConfig, table: TableName, group: GroupName) -> Result<Self, BuildError> {
        build::check(sdk)?;
        Ok(Self {
            sdk: sdk.clone(),
            client: Client::from_conf(config::Builder::from(sdk).counted().build()),
            table,
            group,
            timeout: DEFAULT_TIMEOUT,
            fence: Mutex::new(Fence::new()),
        })
    }

    /// Lets a load or a save take this long at most, its requests and retries together; 4 s by default. Less than 100 ms counts as 100 ms.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(SHORTEST_TIMEOUT);
        self
    }

    fn key(&self) -> String {
        format!("{MEMORY_PREFIX}{}", self.group)
    }

    fn doing(&self, what: &str) -> String {
        format!(
            "{what} the memory of group `{}` in DynamoDB table `{}`",
            self.group, self.table
        )
    }

    fn permanent(&self, what: &str) -> PortError {
        PortError::new(PortErrorKind::Permanent, self.doing(what))
    }

    fn fence(&self) -> MutexGuard<'_, Fence> {
        // Nothing panics while it is held.
        self.fence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is stored, by a read that sees every write which had ended before it began.
    async fn read(&self) -> Result<Option<Item>, PortError> {
        let doing = || self.doing("load");
        let deadline = Deadline::after(self.timeout);
        let patience = call::read(&self.sdk, left(deadline, doing)?);
        let answer = self
            .client
            .get_item()
            .table_name(self.table.as_str())
            .key(KEY, AttributeValue::S(self.key()))
            .consistent_read(true)
            .customize()
            .config_override(config::Builder::new().with_patience(patience))
            .send()
            .await
            .map_err(|error| Failure::new("dynamodb:GetItem", error).during(doing()))?;
        Ok(answer.item)
    }

    /// Writes once, over what the save may go over.
    async fn write(&self, save: &Save, memory: Vec<u8>) -> Result<(), PortError> {
        let doing = || self.doing("save");
        let deadline = Deadline::after(self.timeout);
        let patience = call::act(&self.sdk, left(deadline, doing)?);
        let mut put = self
            .client
            .put_item()
            .table_name(self.table.as_str())
            .set_item(Some(item::of(self.key(), save.stamp(), memory)))
            .condition_expression(save.condition())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for (name, attribute) in save.names() {
            put = put.expression_attribute_names(name, attribute);
        }
        for (name, value) in save.values() {
            put = put.expression_attribute_values(name, value);
        }
        let sent = put
            .customize()
            .config_override(config::Builder::new().with_patience(patience))
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        let stored = stored(&error);
        let failure = Failure::new("dynamodb:PutItem", error);
        if !failure.has_code(&CHANGED) {
            return Err(failure.during(doing()));
        }
        let stored = stored.as_ref().map(item::read).transpose();
        // What this release does not understand it does not go over.
        let stored = stored.map_err(|error| self.permanent("save").with_source(error))?;
        self.fence().seen(stored.map(|(stamp, _)| stamp));
        Err(
            PortError::new(PortErrorKind::Transient, doing()).with_source(
                "another replica has saved since, or the item was deleted: nothing was changed, and the next save goes over what is \
                 there now, unless it is loaded before; if it comes again, see that all who keep this memory agree in one table who leads",
            ),
        )
    }
}

/// What was there, where a write was refused for it.
fn stored<R>(error: &SdkError<PutItemError, R>) -> Option<Item> {
    match error.as_service_error()? {
        PutItemError::ConditionalCheckFailedException(refused) => refused.item.clone(),
        _ => None,
    }
}

#[async_trait]
impl MemoryStore for DynamoDbMemory {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        let Some(item) = self.read().await? else {
            self.fence().seen(None);
            return Ok(None);
        };
        let (stamp, memory) =
            item::read(&item).map_err(|error| self.permanent("understand").with_source(error))?;
        // Only now: what is not understood must not be written over.
        self.fence().seen(Some(stamp));
        Ok(Some(memory))
    }

    async fn save(&self, memory: &Memory) -> Result<(), PortError> {
        let packed =
            item::pack(memory).map_err(|error| self.permanent("save").with_source(error))?;
        let save = self.fence().begin();
        self.write(&save, packed).await?;
        self.fence().written(&save);
        Ok(())
    }
}
