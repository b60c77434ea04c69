//! The warm pool.

use aws_sdk_autoscaling::types::{WarmPoolConfiguration, WarmPoolState};
use jibri_scaler_core::port::{PortError, PortErrorKind};

use super::{Inspector, Member, group::member, page};
use crate::failure::Failure;

/// The warm pool of the group: instances launched ahead, stopped or running, that are not in service.
///
/// ```
/// use jibri_scaler_aws::inspect::WarmPool;
///
/// let pool = WarmPool::new("Stopped");
/// assert!(pool.instances.is_empty() && !pool.reuse_on_scale_in);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WarmPool {
    /// What its instances are: `Stopped`, `Running` or `Hibernated`.
    pub state: String,
    /// Whether an instance that is scaled in returns to the pool in place of ending.
    pub reuse_on_scale_in: bool,
    /// How many instances it has at least.
    pub min_size: u32,
    /// How many the group and the pool have together at most; `None` for the maximum size of the group.
    pub max_prepared: Option<u32>,
    /// Its instances, in the order of their ids.
    pub instances: Vec<Member>,
}

impl WarmPool {
    /// An empty pool with the defaults of AWS.
    #[must_use]
    pub fn new(state: impl Into<String>) -> Self {
        Self {
            state: state.into(),
            reuse_on_scale_in: false,
            min_size: 0,
            max_prepared: None,
            instances: Vec::new(),
        }
    }
}

impl Inspector {
    pub(crate) async fn warm_pool(&self) -> Result<Option<WarmPool>, PortError> {
        let operation = || self.of_group("the warm pool");
        let pages = page::all(operation(), self.timeout, |token, left| async move {
            self.autoscaling
                .describe_warm_pool()
                .auto_scaling_group_name(self.name.as_str())
                .set_next_token(token)
                .customize()
                .config_override(self.autoscaling_override(left))
                .send()
                .await
                .map(|page| {
                    let instances = page.instances.unwrap_or_default();
                    (
                        vec![(page.warm_pool_configuration, instances)],
                        page.next_token,
                    )
                })
                .map_err(|error| {
                    Failure::new("autoscaling:DescribeWarmPool", error).during(operation())
                })
        })
        .await?;
        let mut pool = None;
        let mut instances = Vec::new();
        for (configuration, rows) in pages {
            pool = pool.or(configuration);
            for row in &rows {
                instances.push(member(row).map_err(|why| {
                    PortError::new(PortErrorKind::Transient, operation()).with_source(why)
                })?);
            }
        }
        instances.sort_by(|a, b| a.id.cmp(&b.id));
        // Without a pool AWS answers with neither.
        if pool.is_none() && instances.is_empty() {
            return Ok(None);
        }
        let mut pool = pool.map_or_else(|| WarmPool::new("Stopped"), configured);
        pool.instances = instances;
        Ok(Some(pool))
    }
}

fn configured(row: WarmPoolConfiguration) -> WarmPool {
    // Stopped is the default of AWS.
    let state = row
        .pool_state
        .as_ref()
        .map_or("Stopped", WarmPoolState::as_str);
    let mut pool = WarmPool::new(state);
    pool.reuse_on_scale_in = row
        .instance_reuse_policy
        .is_some_and(|policy| policy.reuse_on_scale_in == Some(true));
    pool.min_size = row
        .min_size
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(0);
    // AWS writes "as large as the group" as -1.
    pool.max_prepared = row
        .max_group_prepared_capacity
        .and_then(|n| u32::try_from(n).ok());
    pool
}
