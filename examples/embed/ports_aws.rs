//! Groups of EC2 Auto Scaling, whose Jibris are asked over HTTP.

use std::{
    error::Error,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::{BehaviorVersion, SdkConfig};
use futures_util::{StreamExt as _, stream::BoxStream};
use jibri_scaler_aws::{AutoScalingGroup, CallBudget, TableName};
use jibri_scaler_core::{
    Timestamp,
    port::{KeptMemory, Leadership, MemoryStore},
};
use jibri_scaler_http::{Addresses, DrainConfig, HttpDrain, HttpProbe, ProbeConfig};

#[path = "../support/clock.rs"]
mod clock;
#[path = "../support/memory_file.rs"]
mod memory_file;

use crate::{arguments::Arguments, group::Clock, say};
use memory_file::MemoryFile;

/// The time between ticks.
const INTERVAL: Duration = Duration::from_secs(10);

/// What a controller needs of the world around it.
pub(crate) struct Ports {
    /// The time between ticks by the wall clock.
    pub(crate) interval: Duration,
    /// The same in the time of the group, which is that of the wall clock.
    pub(crate) tick: Duration,
    pub(crate) listing: AutoScalingGroup,
    pub(crate) control: AutoScalingGroup,
    pub(crate) probe: HttpProbe,
    pub(crate) drain: Arc<HttpDrain>,
    pub(crate) memory: Box<dyn MemoryStore>,
    /// Where there are several replicas of this service, who of them acts.
    pub(crate) leadership: Option<Box<dyn Leadership>>,
    pub(crate) clock: Clock,
    pub(crate) ticks: BoxStream<'static, Timestamp>,
}

/// What the groups share.
pub(crate) struct World {
    sdk: SdkConfig,
    /// All Auto Scaling calls of an account share one allowance. This is enough for fifty groups that tick each 10 s.
    budget: CallBudget,
    jibris: Arc<Addresses>,
    memory: Option<PathBuf>,
    lead_table: Option<TableName>,
}

impl World {
    pub(crate) async fn new(arguments: &Arguments) -> Result<Self, Box<dyn Error>> {
        let jibris = Addresses::from_templates(&arguments.jibri_url, &arguments.internal_url)?;
        if arguments.memory.is_none() {
            say("without --memory a restart forgets which Jibris were told to go");
        }
        Ok(Self {
            sdk: aws_config::load_defaults(BehaviorVersion::latest()).await,
            budget: CallBudget::new(8.0, 20)?,
            jibris: Arc::new(jibris),
            memory: arguments.memory.clone(),
            lead_table: arguments.lead_table.clone(),
        })
    }

    /// What the controller of this group needs.
    pub(crate) fn ports(&self, name: &str) -> Result<Ports, Box<dyn Error>> {
        let group = AutoScalingGroup::new(&self.sdk, name.parse()?)?
            .with_agents(true)
            .with_budget(&self.budget);
        let memory: Box<dyn MemoryStore> = match &self.memory {
            Some(folder) => Box::new(MemoryFile::new(folder.join(format!("{name}.json")))),
            None => Box::new(KeptMemory::default()),
        };
        let leadership = match &self.lead_table {
            Some(table) => Some(lead(&self.sdk, table, name)?),
            None => None,
        };
        Ok(Ports {
            interval: INTERVAL,
            tick: INTERVAL,
            listing: group.clone(),
            control: group,
            probe: HttpProbe::new(Arc::clone(&self.jibris), &ProbeConfig::default())?,
            drain: Arc::new(HttpDrain::new(
                Arc::clone(&self.jibris),
                &DrainConfig::default(),
            )?),
            memory,
            leadership,
            clock: Box::new(|| Timestamp::from(SystemTime::now())),
            ticks: clock::ticks(INTERVAL).boxed(),
        })
    }
}

#[cfg(feature = "dynamodb")]
fn lead(
    sdk: &SdkConfig,
    table: &TableName,
    group: &str,
) -> Result<Box<dyn Leadership>, Box<dyn Error>> {
    let replica = "embed".parse()?;
    let leadership = jibri_scaler_aws::DynamoDbLeadership::new(
        sdk,
        table.clone(),
        group.parse()?,
        &replica,
        3 * INTERVAL,
    )?;
    Ok(Box::new(leadership))
}

#[cfg(not(feature = "dynamodb"))]
fn lead(_: &SdkConfig, _: &TableName, _: &str) -> Result<Box<dyn Leadership>, Box<dyn Error>> {
    Err("this service was built without `--lead-table`: build it with `--features dynamodb`".into())
}
