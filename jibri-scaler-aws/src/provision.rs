//! From a policy to the AWS resources that make a group keep itself right, and back.
//!
//! [`plan`] says what is missing, [`Provisioner::apply`] makes it, and [`destroy`] says how to take exactly that away again.
//! Alarms grow the group as [`Growth`](jibri_scaler_core::native::Growth) says; its agents shrink it.
//!
//! | stage | what is made |
//! |---|---|
//! | [`HooksAndRetention`](Stage::HooksAndRetention) | abandoned instances are retained; the TERMINATING hook (1 h, ABANDON); the LAUNCHING hook (the boot deadline, ABANDON) |
//! | [`GroupProtection`](Stage::GroupProtection) | new instances are born protected; `AZRebalance` suspended; EC2 health checks only |
//! | [`InstanceProtection`](Stage::InstanceProtection) | the instances that are there are protected |
//! | — | waits until the agents of all instances in service have published `InService` in every period of a minute |
//! | [`Growth`](Stage::Growth) | group metrics; alarms to an SNS topic; the step policy and the alarm that runs it; a dashboard |
//! | [`Shrinking`](Stage::Shrinking) | the tag [`SHRINK_TAG`](jibri_scaler_core::native::SHRINK_TAG), which lets agents end themselves |
//!
//! The names are fixed: hooks [`HOOK_LAUNCHING`](jibri_scaler_core::agent::HOOK_LAUNCHING) and
//! [`HOOK_TERMINATING`](jibri_scaler_core::agent::HOOK_TERMINATING), policy `jibri-scaler-growth`, alarms
//! `jibri-scaler-…-GROUP`, dashboard `jibri-scaler-GROUP`. So a hook is changed in place and never made again under another name,
//! which would let go what the old one holds. What was made, and what was there before, is kept in the tag [`RECORD_TAG`] of the
//! group; alarms carry the tag `jibri-scaler`.
//!
//! # The alarms for a human
//! | alarm | fires when | by the metric |
//! |---|---|---|
//! | `silent` | fewer than half of those in service publish, for 3 minutes: the group no longer grows | `Idle`, `InService` of the agents |
//! | `publishers` | fewer publish than are in service, for 5 minutes | `Idle`, and `GroupInServiceInstances` of AWS |
//! | `busy` | a Jibri has been busy for longer than `max_busy` | `BusySeconds` |
//! | `retained` | an instance is kept for a human | `Retained`, which the other agents publish |
//! | `hook` | a termination has been held for `max_busy`, or a day | `HookSeconds` |
//! | `release` | a release check has failed, or a Jibri has crashed | `ReleaseCheckFailed` |
//!
//! Missing data is breaching for the first two, and only for them: nobody publishing is what they are about.

mod apply;
mod current;
mod dashboard;
mod desired;
mod destroy;
mod diff;
mod gate;
pub mod iam;
mod options;
mod plan;
mod record;
mod refusal;
mod same;
mod there;
mod words;

pub use apply::Provisioner;
pub use current::Current;
pub use destroy::destroy;
pub use diff::plan;
pub use options::{InvalidOption, Options};
pub use plan::{Change, ProvisionPlan, ProvisionStep, Stage};
pub use record::RECORD_TAG;
pub use refusal::Refusal;
