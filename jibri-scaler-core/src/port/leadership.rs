use std::sync::Arc;

use async_trait::async_trait;

use super::PortError;

/// Which of several replicas of a controller acts on a group: only the one that leads; the others observe.
///
/// Two that lead at once, with the same limits, lose no recording, but they work against each other, as two controllers do.
///
/// # Contract
/// - [`campaign`](Self::campaign) is called before each tick. It takes the lead where nobody has it, prolongs it where this replica has
///   it, and never takes it from a replica that still [`leads`](Self::leads). One that finds that another has led since this replica did
///   gives false once, also where the lead is free again, so that this one learns that what it remembers may be old.
/// - The lead runs out by itself, so that a replica that died is followed by another within a stated time. It runs out for who has it
///   before another can take it, also where that one is frozen, cut off or has a wrong clock.
/// - [`leads`](Self::leads) is what this replica knows without asking anybody, and true only after a campaign succeeded. It is asked
///   again before every act, since a lead may run out in the middle of a tick. An act that had begun before is not called back: for as
///   long as one call takes, an act of the old leader may meet those of the new one.
/// - [`resign`](Self::resign) lets another replica take the lead at once. A replica that ends without it only makes the others wait.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::port::{Leadership, PortError};
///
/// /// The only replica.
/// struct Alone;
///
/// #[async_trait]
/// impl Leadership for Alone {
///     async fn campaign(&self) -> Result<bool, PortError> {
///         Ok(true)
///     }
///
///     fn leads(&self) -> bool {
///         true
///     }
///
///     async fn resign(&self) -> Result<(), PortError> {
///         Ok(())
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Leadership: Send + Sync {
    /// Takes the lead or prolongs it. Returns whether this replica leads now.
    ///
    /// Cancellation: a future that is dropped may or may not have taken or prolonged it.
    ///
    /// # Errors
    /// Where it is not known who leads. A lead that was taken before goes on until it runs out.
    async fn campaign(&self) -> Result<bool, PortError>;

    /// Whether this replica leads at this moment.
    fn leads(&self) -> bool;

    /// Gives the lead up, where this replica has it. From then on it does not lead, whatever comes of the call.
    ///
    /// Cancellation: a future that is dropped may or may not have freed it; it runs out by itself.
    ///
    /// # Errors
    /// Where it is not certain that another replica can take the lead at once; it can when the lead has run out.
    async fn resign(&self) -> Result<(), PortError>;
}

macro_rules! forward_leadership {
    ($($pointer:ty),+) => {$(
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<T: Leadership + ?Sized> Leadership for $pointer {
            async fn campaign(&self) -> Result<bool, PortError> {
                (**self).campaign().await
            }

            fn leads(&self) -> bool {
                (**self).leads()
            }

            async fn resign(&self) -> Result<(), PortError> {
                (**self).resign().await
            }
        }
    )+};
}
forward_leadership!(&T, Box<T>, Arc<T>);
