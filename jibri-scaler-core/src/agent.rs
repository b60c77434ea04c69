//! The agent that runs beside a Jibri on its instance.
//!
//! It publishes the idle signal, holds the instance's scale-in protection, and drains the Jibri when its instance is to go, so
//! that a group can be kept right by alarms and its own agents, without a server.

pub mod port;

/// The name of the lifecycle hook that holds an instance on its way into service until its Jibri answers.
pub const HOOK_LAUNCHING: &str = "jibri-scaler-launching";

/// The name of the lifecycle hook that holds an instance on its way out until its Jibri is gone.
pub const HOOK_TERMINATING: &str = "jibri-scaler-terminating";
