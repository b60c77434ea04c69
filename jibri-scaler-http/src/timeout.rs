use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(60);

/// A timeout outside its range.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_http::ProbeConfig;
///
/// let error = ProbeConfig::default().with_timeout(Duration::ZERO).unwrap_err();
/// assert_eq!(error.to_string(), "`timeout` is 0ns: allowed is 10ms to 60s");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is {value:?}: allowed is {SHORTEST:?} to {LONGEST:?}")]
pub struct TimeoutOutOfRange {
    name: &'static str,
    value: Duration,
}

/// Long enough that a packet can arrive, short enough that a control loop goes on.
pub(crate) fn in_range(name: &'static str, value: Duration) -> Result<Duration, TimeoutOutOfRange> {
    if (SHORTEST..=LONGEST).contains(&value) {
        Ok(value)
    } else {
        Err(TimeoutOutOfRange { name, value })
    }
}
