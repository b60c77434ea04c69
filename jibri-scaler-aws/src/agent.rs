//! What the agent on an instance asks of AWS: the ports of [`jibri_scaler_core::agent`].

mod identity;
mod imds;
mod instance;
mod membership;
mod signal;

pub use identity::Identity;
pub use imds::Imds;
pub use instance::AgentInstance;
pub use signal::CloudWatchIdle;
