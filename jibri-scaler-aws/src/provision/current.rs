use crate::inspect::GroupSetup;

/// What is there: how the group is set up, and its dashboard.
///
/// ```
/// use jibri_scaler_aws::{inspect::GroupSetup, provision::Current};
/// use jibri_scaler_core::Timestamp;
///
/// let setup = GroupSetup::new("jibri".parse()?, Timestamp::from_secs(1_763_800_000));
/// let current = Current::new(setup, "eu-central-1");
/// assert_eq!(current.dashboard, None);
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Current {
    /// The group.
    pub setup: GroupSetup,
    /// The region it is in.
    pub region: String,
    /// The body of the dashboard that provisioning makes, if there is one.
    pub dashboard: Option<String>,
}

impl Current {
    /// A group in that region, without a dashboard.
    #[must_use]
    pub fn new(setup: GroupSetup, region: impl Into<String>) -> Self {
        Self {
            setup,
            region: region.into(),
            dashboard: None,
        }
    }
}
