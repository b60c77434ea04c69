//! What an `SdkConfig` must have before a client can be made of it.

use aws_types::SdkConfig;

/// An [`SdkConfig`] that no AWS client can be made of.
///
/// ```
/// use aws_config::SdkConfig;
/// use jibri_scaler_aws::{AutoScalingGroup, BuildError};
///
/// let bare = SdkConfig::builder().build();
/// let error = AutoScalingGroup::new(&bare, "jibri".parse()?).unwrap_err();
/// assert_eq!(error, BuildError::NoBehaviorVersion);
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Without a behaviour version the SDK would panic.
    #[error(
        "the SdkConfig has no behavior version: make it with `aws_config::load_defaults(BehaviorVersion::latest())`, or set one \
         on its builder"
    )]
    NoBehaviorVersion,
    /// Without a region it is not known where to call, and no request can be signed.
    #[error(
        "the SdkConfig has no region: set AWS_REGION or the region of the profile, or set one on its builder"
    )]
    NoRegion,
}

/// Refuses a configuration with which the SDK would panic, or every call fail.
pub(crate) fn check(sdk: &SdkConfig) -> Result<(), BuildError> {
    check_version(sdk)?;
    if sdk.region().is_none() {
        return Err(BuildError::NoRegion);
    }
    Ok(())
}

/// The same for what is in no region.
pub(crate) fn check_version(sdk: &SdkConfig) -> Result<(), BuildError> {
    if sdk.behavior_version().is_none() {
        return Err(BuildError::NoBehaviorVersion);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let bare = SdkConfig::builder().build();
        assert_eq!(check(&bare), Err(BuildError::NoBehaviorVersion));
        let versioned = SdkConfig::builder().behavior_version(BehaviorVersion::latest());
        assert_eq!(check(&versioned.build()), Err(BuildError::NoRegion));
        let whole = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"));
        assert_eq!(check(&whole.build()), Ok(()));
    }
}
