use std::{error::Error, fmt};

/// What kind of failure a port met, which says what to do about it.
///
/// ```
/// use jibri_scaler_core::port::PortErrorKind;
///
/// assert_eq!(PortErrorKind::Throttled.to_string(), "throttled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PortErrorKind {
    /// It will fail again until somebody changes something: a right is missing, a name is wrong, a bound is violated.
    Permanent,
    /// The other side asks to be called less often. The next tick may try again.
    Throttled,
    /// It may work the next time: a timeout, a broken connection, a fault of the other side.
    Transient,
}

impl PortErrorKind {
    /// The name of the kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
        }
    }
}

impl fmt::Display for PortErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A port could not do what it was asked.
///
/// `Display` says what was being done, to what, and the kind; the cause is in [`source`](Error::source).
///
/// ```
/// use jibri_scaler_core::port::{PortError, PortErrorKind};
///
/// let error = PortError::new(PortErrorKind::Throttled, "set the desired capacity of group `jibri`")
///     .with_source("Rate exceeded");
/// assert_eq!(error.to_string(), "could not set the desired capacity of group `jibri` (throttled)");
/// assert_eq!(error.report(), "could not set the desired capacity of group `jibri` (throttled): Rate exceeded");
/// ```
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} ({kind})")]
pub struct PortError {
    kind: PortErrorKind,
    operation: String,
    /// The method of the port.
    call: Option<&'static str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl PortError {
    /// A failure of that kind in that operation. The operation completes the sentence "could not …".
    #[must_use]
    pub fn new(kind: PortErrorKind, operation: impl Into<String>) -> Self {
        Self {
            kind,
            operation: operation.into(),
            call: None,
            source: None,
        }
    }

    /// The same failure of this method of a port. The controller says it of all that it calls.
    pub(crate) const fn in_call(mut self, call: &'static str) -> Self {
        self.call = Some(call);
        self
    }

    /// The same failure with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// What was being done, and to what.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// The method of the port that failed, such as `set_capacity`: a name out of few, to count by. Absent where no controller called it.
    #[must_use]
    pub const fn call(&self) -> Option<&'static str> {
        self.call
    }

    /// The failure and all its causes on one line.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
