//! Groups of EC2 Auto Scaling, whose Jibris are asked over HTTP.

use std::{
    collections::BTreeMap,
    error::Error,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::{BehaviorVersion, SdkConfig};
use futures_util::StreamExt as _;
use jibri_scaler_aws::{AutoScalingGroup, CallBudget, ControllerName, Ownership, TableName};
use jibri_scaler_core::{
    Controller, Timestamp,
    observe::AgentReports,
    port::{KeptMemory, Leadership, MemoryStore},
    wake::promptly,
};
use jibri_scaler_http::{
    AddressBook, DrainConfig, HttpDrain, HttpProbe, ProbeConfig, addresses::LiveAddresses,
    receiver::Receiver,
};
use tokio::time::sleep;

#[path = "../support/clock.rs"]
mod clock;

use crate::{
    arguments::Arguments, group::Clock, keeper::Ticks, said::say, support::memory_file::MemoryFile,
};

/// The time between ticks.
const INTERVAL: Duration = Duration::from_secs(10);
/// The least of it, where a report makes one come at once.
pub(crate) const DISTANCE: Duration = Duration::from_secs(2);

/// What a controller needs of the world around it.
pub(crate) struct Ports {
    /// The time between ticks.
    pub(crate) tick: Duration,
    #[cfg(feature = "ec2")]
    pub(crate) listing: jibri_scaler_aws::Ec2Listing<AutoScalingGroup>,
    #[cfg(not(feature = "ec2"))]
    pub(crate) listing: AutoScalingGroup,
    pub(crate) control: AutoScalingGroup,
    pub(crate) probe: HttpProbe,
    pub(crate) drain: Arc<HttpDrain>,
    pub(crate) memory: Box<dyn MemoryStore>,
    pub(crate) company: Company,
    pub(crate) clock: Clock,
    pub(crate) ticks: Ticks,
}

/// Who else keeps a group.
pub(crate) struct Company {
    leadership: Option<Box<dyn Leadership>>,
    ownership: Ownership,
}

impl Company {
    /// Of several replicas of this service one leads; and a group that scaling policies or another controller change is only observed.
    pub(crate) fn join(self, controller: Controller) -> Controller {
        let controller = controller.with_ownership(self.ownership, false);
        match self.leadership {
            Some(leadership) => controller.with_leadership(leadership),
            None => controller,
        }
    }
}

/// What the groups share.
pub(crate) struct World {
    sdk: SdkConfig,
    /// All Auto Scaling calls of an account share one allowance. This is enough for thirty groups that tick each 10 s.
    budget: CallBudget,
    /// EC2 counts its calls apart.
    #[cfg(feature = "ec2")]
    ec2_budget: CallBudget,
    jibris: Arc<dyn AddressBook>,
    memory: Option<PathBuf>,
    /// What is remembered in the process, where it is kept nowhere else.
    kept: BTreeMap<String, Arc<KeptMemory>>,
    lead_table: Option<TableName>,
}

impl World {
    pub(crate) async fn new(arguments: &Arguments) -> Result<Self, Box<dyn Error>> {
        let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Self::with_sdk(sdk, arguments)
    }

    pub(crate) fn with_sdk(sdk: SdkConfig, arguments: &Arguments) -> Result<Self, Box<dyn Error>> {
        let jibris: Arc<dyn AddressBook> = match arguments.urls()? {
            Some(urls) => Arc::new(urls),
            // Only their agents are heard.
            None => Arc::new(LiveAddresses::default()),
        };
        let names = arguments.groups()?.into_iter().map(|named| named.name);
        if arguments.memory.is_none() && arguments.lead_table.is_none() {
            say(
                "without --memory or --lead-table a restart forgets which Jibris were told to go, what is paused and what is kept",
            );
        }
        Ok(Self {
            sdk,
            budget: CallBudget::new(8.0, 20)?,
            #[cfg(feature = "ec2")]
            ec2_budget: CallBudget::new(8.0, 20)?,
            jibris,
            memory: arguments.memory.clone(),
            kept: names.map(|name| (name, Arc::default())).collect(),
            lead_table: arguments.lead_table.clone(),
        })
    }

    /// The time between ticks.
    #[expect(clippy::unused_self, reason = "groups in memory may be faster")]
    pub(crate) const fn interval(&self) -> Duration {
        INTERVAL
    }

    /// The same receiver, by the clock of this machine.
    #[expect(
        clippy::unused_self,
        reason = "that of the groups in memory has a clock"
    )]
    pub(crate) fn received(&self, _name: &str, receiver: Receiver) -> Receiver {
        receiver
    }

    /// What the controller of this group needs.
    pub(crate) fn ports(
        &self,
        name: &str,
        reports: &Arc<AgentReports>,
    ) -> Result<Ports, Box<dyn Error>> {
        let group = AutoScalingGroup::new(&self.sdk, name.parse()?)?
            .with_agents(true)
            .with_budget(&self.budget);
        let (leadership, shared) = match &self.lead_table {
            Some(table) => {
                in_table(&self.sdk, table, name).map(|(lead, memory)| (Some(lead), Some(memory)))?
            }
            None => (None, None),
        };
        // What the replicas share, unless they share a file.
        let memory: Box<dyn MemoryStore> = match (&self.memory, shared) {
            (Some(folder), _) => Box::new(MemoryFile::new(folder.join(format!("{name}.json")))),
            (None, Some(shared)) => shared,
            (None, None) => Box::new(self.kept.get(name).cloned().unwrap_or_default()),
        };
        let listing = group.clone();
        #[cfg(feature = "ec2")]
        let listing = jibri_scaler_aws::Ec2Listing::new(&self.sdk, listing)?
            .with_budget(&self.ec2_budget, &name.parse()?);
        Ok(Ports {
            tick: INTERVAL,
            listing,
            control: group.clone(),
            probe: HttpProbe::new(Arc::clone(&self.jibris), &ProbeConfig::default())?,
            drain: Arc::new(HttpDrain::new(
                Arc::clone(&self.jibris),
                &DrainConfig::default(),
            )?),
            memory,
            company: Company {
                leadership,
                ownership: Ownership::new(group, mark(self.lead_table.as_ref())?),
            },
            clock: Box::new(|| Timestamp::from(SystemTime::now())),
            ticks: promptly(
                clock::ticks(INTERVAL),
                reports.wakes(),
                || Timestamp::from(SystemTime::now()),
                || sleep(DISTANCE),
            )
            .boxed(),
        })
    }
}

/// The name under which other controllers see this service, which takes what has its own name for itself: that of the table which its
/// replicas share, or else that of the machine.
fn mark(lead_table: Option<&TableName>) -> Result<ControllerName, Box<dyn Error>> {
    let machine = || {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    };
    let name = lead_table.map_or_else(machine, |table| table.as_str().to_owned());
    Ok(name.parse()?)
}

/// What replicas share: who leads, and what is remembered.
type Shared = (Box<dyn Leadership>, Box<dyn MemoryStore>);

#[cfg(feature = "dynamodb")]
fn in_table(sdk: &SdkConfig, table: &TableName, group: &str) -> Result<Shared, Box<dyn Error>> {
    use jibri_scaler_aws::{DynamoDbLeadership, DynamoDbMemory, GroupName};

    let group: GroupName = group.parse()?;
    let memory = DynamoDbMemory::new(sdk, table.clone(), group.clone())?;
    let replica = "embed".parse()?;
    let lead = DynamoDbLeadership::new(sdk, table.clone(), group, &replica, 3 * INTERVAL)?;
    Ok((Box::new(lead), Box::new(memory)))
}

#[cfg(not(feature = "dynamodb"))]
fn in_table(_: &SdkConfig, _: &TableName, _: &str) -> Result<Shared, Box<dyn Error>> {
    Err("this service was built without `--lead-table`: build it with `--features dynamodb`".into())
}
