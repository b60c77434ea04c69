use aws_sdk_autoscaling::{
    Client,
    config::{self, Region},
};
use jibri_scaler_core::{
    InstanceId,
    port::{PortError, PortErrorKind},
};

use super::{Imds, membership};
use crate::{
    GroupName,
    call::{self, Configure as _, DEFAULT_TIMEOUT},
};

const INSTANCE_ID: &str = "instance-id";
const REGION: &str = "placement/region";
/// There where the launch template allows tags in the metadata (`InstanceMetadataTags: enabled`).
const GROUP_TAG: &str = "tags/instance/aws:autoscaling:groupName";

/// Which instance this machine is.
///
/// ```
/// use jibri_scaler_aws::agent::Identity;
///
/// let mut identity = Identity::new("i-0123456789abcdef0".parse()?, "eu-central-1");
/// assert_eq!(identity.group, None);
/// identity.group = Some("jibri-production".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Its id.
    pub instance_id: InstanceId,
    /// The region it is in, which is that of its group.
    pub region: Box<str>,
    /// The Auto Scaling group it is in; `None` where it is in none.
    pub group: Option<GroupName>,
}

impl Identity {
    /// An instance that is in no group.
    #[must_use]
    pub fn new(instance_id: InstanceId, region: impl Into<Box<str>>) -> Self {
        Self {
            instance_id,
            region: region.into(),
            group: None,
        }
    }
}

impl Imds {
    /// Finds out which instance this is, and in which group: from the metadata alone where they have the instance's tags, else with
    /// one `DescribeAutoScalingInstances` in the region of the instance. For the start of an agent; it does not change.
    /// Harmless and cancel-safe.
    ///
    /// # Errors
    /// Where it could not be read, or this is no EC2 instance.
    pub async fn identity(&self) -> Result<Identity, PortError> {
        let id = self.required(INSTANCE_ID).await?;
        let id: InstanceId = id
            .parse()
            .map_err(|error| Self::unreadable(INSTANCE_ID, &id, error))?;
        let region = self.required(REGION).await?;
        let mut identity = Identity::new(id, region);
        identity.group = match self.read(GROUP_TAG).await? {
            Some(name) => Some(
                name.parse()
                    .map_err(|error| Self::unreadable(GROUP_TAG, &name, error))?,
            ),
            None => self.group_by_api(&identity).await?,
        };
        Ok(identity)
    }

    /// What every instance has, and is one word.
    async fn required(&self, path: &str) -> Result<String, PortError> {
        let text = self.read(path).await?.ok_or_else(|| {
            PortError::new(PortErrorKind::Permanent, Self::reading(path)).with_source(
                "it is not there; see that this is an EC2 instance, and correct AWS_EC2_METADATA_SERVICE_ENDPOINT if it is set",
            )
        })?;
        Self::word(path, text)
    }

    async fn group_by_api(&self, identity: &Identity) -> Result<Option<GroupName>, PortError> {
        let region = Region::new(identity.region.to_string());
        let client = Client::from_conf(
            config::Builder::from(&self.sdk)
                .counted()
                .region(region)
                .build(),
        );
        let reading = call::read(&self.sdk, DEFAULT_TIMEOUT);
        let row = membership::row(&client, &identity.instance_id, reading).await?;
        let Some(name) = row.and_then(|row| row.auto_scaling_group_name) else {
            return Ok(None);
        };
        name.parse().map(Some).map_err(|error| {
            let operation = format!(
                "take the Auto Scaling group that instance `{}` is in",
                identity.instance_id
            );
            PortError::new(PortErrorKind::Permanent, operation)
                .with_source(Box::new(error) as Box<dyn std::error::Error + Send + Sync>)
        })
    }
}
