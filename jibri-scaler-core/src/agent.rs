//! The agent that runs beside a Jibri on its instance.
//!
//! It publishes the idle signal, holds the instance's scale-in protection, and drains the Jibri when its instance is to go, so
//! that a group can be kept right by alarms and its own agents, without a server.
//!
//! [`Agent`] is a pure state machine: [`Input`]s go in, [`Output`]s come out, time is an argument. [`Drain`] is its part in the
//! retirement protocol, by itself. [`AgentLoop`] drives both over the [ports](port).

mod act;
mod concern;
mod config;
mod drain;
mod health;
mod jibris;
mod listed;
mod machine;
mod pace;
pub mod port;
mod protection;
mod publish;
mod run;
mod surplus;
mod whereabouts;

pub use act::{Act, ActKind, Input, Output};
pub use config::{AgentConfig, OnSpot, Publish};
#[doc(hidden)]
pub use drain::BegunIn;
pub use drain::{Drain, DrainAct, DrainPhase, Keep, Place};
pub use health::Reading;
pub use machine::Agent;
#[doc(hidden)]
pub use protection::{may_be_chosen, would_be_held};
pub use run::{AgentEvent, AgentLoop, Ending, GroupPorts, LocalPorts};
pub use surplus::{SurplusWindow, is_surplus, surplus, wanted_idle};

/// The name of the lifecycle hook that holds an instance on its way into service until its Jibri answers.
pub const HOOK_LAUNCHING: &str = "jibri-scaler-launching";

/// The name of the lifecycle hook that holds an instance on its way out until its Jibri is gone.
pub const HOOK_TERMINATING: &str = "jibri-scaler-terminating";
