//! Instance refreshes.

use aws_sdk_autoscaling::types::{InstanceRefresh as Row, InstanceRefreshStatus as Status};
use jibri_scaler_core::port::PortError;

use super::{Inspector, page};
use crate::failure::Failure;

/// What an instance refresh does with instances that are protected from scale-in.
///
/// ```
/// use jibri_scaler_aws::inspect::Treatment;
///
/// assert_eq!(Treatment::from("Refresh"), Treatment::Replace);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Treatment {
    /// It leaves them, and goes on with the others.
    Ignore,
    /// It replaces them all the same.
    Replace,
    /// It waits an hour for their protection to go, and then fails.
    Wait,
    /// A treatment unknown here, as AWS wrote it.
    Unknown(Box<str>),
}

impl From<&str> for Treatment {
    fn from(text: &str) -> Self {
        match text {
            "Ignore" => Self::Ignore,
            "Refresh" => Self::Replace,
            "Wait" => Self::Wait,
            other => Self::Unknown(other.into()),
        }
    }
}

/// An instance refresh that is under way.
///
/// ```
/// use jibri_scaler_aws::inspect::{Refresh, Treatment};
///
/// let refresh = Refresh::new("08b91cf7");
/// assert_eq!(refresh.protected, Treatment::Wait, "the default of AWS");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refresh {
    /// Its id.
    pub id: String,
    /// `Pending`, `InProgress`, `Cancelling`, `RollbackInProgress` or `Baking`.
    pub status: String,
    /// What it does with protected instances.
    pub protected: Treatment,
    /// Whether it replaces root volumes, and leaves the instances: without a lifecycle hook for termination.
    pub replaces_root_volumes: bool,
    /// How far it is, 0 to 100.
    pub percent_complete: u32,
}

impl Refresh {
    /// A refresh in progress, with the defaults of AWS.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            status: "InProgress".into(),
            protected: Treatment::Wait,
            replaces_root_volumes: false,
            percent_complete: 0,
        }
    }
}

impl Inspector {
    pub(super) async fn refresh(&self) -> Result<Option<Refresh>, PortError> {
        let operation = || self.of_group("the instance refreshes");
        let rows = page::all(operation(), self.timeout, |token, left| async move {
            self.autoscaling
                .describe_instance_refreshes()
                .auto_scaling_group_name(self.name.as_str())
                .set_next_token(token)
                .customize()
                .config_override(self.autoscaling_override(left))
                .send()
                .await
                .map(|page| {
                    let rows = page.instance_refreshes.unwrap_or_default();
                    // The newest come first, and one at most is under way: what follows one that has ended is history.
                    let ended = rows.iter().any(|row| !is_under_way(row));
                    (rows, page.next_token.filter(|_| !ended))
                })
                .map_err(|error| {
                    Failure::new("autoscaling:DescribeInstanceRefreshes", error).during(operation())
                })
        })
        .await?;
        Ok(rows.into_iter().find(is_under_way).map(refresh))
    }
}

fn is_under_way(row: &Row) -> bool {
    !matches!(
        row.status,
        Some(
            Status::Cancelled
                | Status::Failed
                | Status::RollbackFailed
                | Status::RollbackSuccessful
                | Status::Successful
        )
    )
}

fn refresh(row: Row) -> Refresh {
    let mut refresh = Refresh::new(row.instance_refresh_id.unwrap_or_default());
    if let Some(status) = row.status {
        refresh.status = status.as_str().into();
    }
    let protected = row.preferences.and_then(|p| p.scale_in_protected_instances);
    if let Some(protected) = protected {
        refresh.protected = Treatment::from(protected.as_str());
    }
    refresh.replaces_root_volumes = row
        .strategy
        .is_some_and(|strategy| strategy.as_str() == "ReplaceRootVolume");
    refresh.percent_complete = row
        .percentage_complete
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(0);
    refresh
}
