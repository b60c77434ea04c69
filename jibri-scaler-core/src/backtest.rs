//! What a policy would have done with recordings that are known: a simulator, and the bounds that no policy can beat.
//!
//! [`simulate`] plays a [`Trace`] through a group of Jibris that a [`Scaler`] sizes: discrete events on virtual time, Jicofo's way of handing
//! out recordings, and the very code that runs in production ([`PolicyScaler`]).

mod boot;
pub mod bound;
mod changes;
mod environment;
mod event;
mod fleet;
mod jicofo;
mod machine;
mod meter;
mod outcome;
pub mod peers;
mod policy_scaler;
mod reconstruct;
mod session;
mod simulate;
mod trace;
mod view;
pub mod workload;

pub use boot::BootTime;
pub use environment::Environment;
pub use fleet::{Fleet, Seen};
pub use machine::Reading;
pub use outcome::{Outcome, Sample};
pub use policy_scaler::PolicyScaler;
pub use reconstruct::{BusyPeriod, Reconstruction, sessions_from_busy};
pub use session::{NegativeSession, Session};
pub use simulate::{Scaler, simulate};
pub use trace::Trace;
