//! Groups of EC2 Auto Scaling, whose Jibris are asked over HTTP.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::BehaviorVersion;
use futures_util::{StreamExt as _, stream::BoxStream};
use jibri_scaler_aws::AutoScalingGroup;
use jibri_scaler_core::{
    Timestamp,
    port::{KeptMemory, MemoryStore},
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
    pub(crate) clock: Clock,
    pub(crate) ticks: BoxStream<'static, Timestamp>,
}

impl Ports {
    pub(crate) async fn of(arguments: &Arguments, name: &str) -> Result<Self, Box<dyn Error>> {
        let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let group = AutoScalingGroup::new(&sdk, name.parse()?)?.with_agents(true);
        let addresses = Arc::new(Addresses::from_templates(
            &arguments.jibri_url,
            &arguments.internal_url,
        )?);
        let memory: Box<dyn MemoryStore> = if let Some(folder) = &arguments.memory {
            Box::new(MemoryFile::new(folder.join(format!("{name}.json"))))
        } else {
            say("without --memory a restart forgets which Jibris were told to go");
            Box::new(KeptMemory::default())
        };
        Ok(Self {
            interval: INTERVAL,
            tick: INTERVAL,
            listing: group.clone(),
            control: group,
            probe: HttpProbe::new(Arc::clone(&addresses), &ProbeConfig::default())?,
            drain: Arc::new(HttpDrain::new(addresses, &DrainConfig::default())?),
            memory,
            clock: Box::new(|| Timestamp::from(SystemTime::now())),
            ticks: clock::ticks(INTERVAL).boxed(),
        })
    }
}
