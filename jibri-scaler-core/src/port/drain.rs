use async_trait::async_trait;

use super::{Target, forward};
use crate::safeguard::{Safeguard, holds};

/// What came of telling a Jibri to end when it is free.
///
/// ```
/// use jibri_scaler_core::port::Told;
///
/// assert_ne!(Told::Refused, Told::Yes, "a refused connection told nobody anything");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Told {
    /// The Jibri took the request: 200, or connected and then reset or closed, since an idle Jibri exits before it answers.
    Yes,
    /// The connection was refused outright: nobody was told, and nobody is known to be gone.
    Refused,
    /// It is not known (a timeout, another HTTP status, a failure on the way), or the request is still waiting for its answer.
    Unknown,
}

/// Whether the process of a Jibri is there, judged by both of its ports.
///
/// ```
/// use jibri_scaler_core::port::Presence;
///
/// assert_ne!(Presence::Unclear, Presence::BothRefuse, "a timeout says nothing");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Presence {
    /// At least one port answers over HTTP or accepts a connection.
    Answers,
    /// Both ports refuse the connection.
    BothRefuse,
    /// Neither of the two can be said.
    Unclear,
}

/// What came of an attempt to connect to one port of a Jibri.
///
/// ```
/// use jibri_scaler_core::port::{Knock, Presence};
///
/// assert_eq!(Presence::of(Knock::Refused, Knock::Opened), Presence::Answers);
/// assert_eq!(Presence::of(Knock::Refused, Knock::Unclear), Presence::Unclear);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Knock {
    /// It was accepted.
    Opened,
    /// It was refused: nothing listens there.
    Refused,
    /// Neither, as after a timeout.
    Unclear,
}

impl Presence {
    /// What both ports say together. Jibri opens its internal port first and its health port last, and each may be bound to
    /// loopback by a setting of its own, so that one that refuses alone says nothing.
    #[must_use]
    pub fn of(health: Knock, internal: Knock) -> Self {
        match (health, internal) {
            (Knock::Refused, _) | (_, Knock::Refused) if !holds(Safeguard::BothPorts) => {
                Self::BothRefuse
            }
            (Knock::Opened, _) | (_, Knock::Opened) => Self::Answers,
            (Knock::Refused, Knock::Refused) => Self::BothRefuse,
            _ => Self::Unclear,
        }
    }
}

/// Speaks to the internal API of one Jibri to take it out of service without losing its recording.
///
/// # Contract
/// - It never terminates an instance. It never stops a recording: [`tell`](Self::tell) is Jibri's `gracefulShutdown`, nothing
///   else.
/// - Every call ends within a few seconds, whatever the Jibri does; a `gracefulShutdown` blocks while a finalize script runs,
///   so a request may outlive the call that sent it.
/// - At most one `gracefulShutdown` is outstanding per instance: calling [`tell`](Self::tell) again while one is waits for that
///   one.
/// - Cancel-safe: a future that is dropped may have told the Jibri, and it may be told again.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::port::{DrainClient, Presence, Target, Told};
///
/// /// Reaches nobody, so that nothing is ever retired.
/// struct Unreachable;
///
/// #[async_trait]
/// impl DrainClient for Unreachable {
///     async fn is_reachable(&self, _: &Target) -> bool {
///         false
///     }
///
///     async fn tell(&self, _: &Target) -> Told {
///         Told::Unknown
///     }
///
///     async fn look(&self, _: &Target) -> Presence {
///         Presence::Unclear
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait DrainClient: Send + Sync {
    /// Whether the internal API of this instance answers a harmless request over HTTP, so that it can be told.
    async fn is_reachable(&self, target: &Target) -> bool;

    /// Tells the Jibri to end as soon as it is free, at once if it is free now.
    async fn tell(&self, target: &Target) -> Told;

    /// Looks whether the process is there, at both ports.
    async fn look(&self, target: &Target) -> Presence;
}

forward!(DrainClient {
    is_reachable(target: &Target) -> bool;
    tell(target: &Target) -> Told;
    look(target: &Target) -> Presence;
});
