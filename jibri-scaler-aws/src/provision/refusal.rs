use std::time::Duration;

use jibri_scaler_core::{InstanceId, native::NotByAlarm};

use super::words::span;
use crate::inspect::Unread;

/// Why a group is not provisioned, or not taken apart, and what to do.
///
/// ```
/// use jibri_scaler_aws::provision::Refusal;
///
/// assert!(Refusal::Batched.to_string().contains("one data point per period"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// An alarm can't do what the policy says.
    #[error("{0}")]
    Policy(#[from] NotByAlarm),
    /// Points that come several periods late are missing when the alarm looks.
    #[error(
        "agents that publish batched can't drive an alarm: it looks for one data point per period while the period lasts; start them \
         with --publish each, or run the controller"
    )]
    Batched,
    /// Spot ends recordings. Who says that there is some: the mixed instances policy, launch templates or configurations, or
    /// instances.
    #[error(
        "{}; AWS takes Spot instances back two minutes after a notice, in the middle of a recording: use On-Demand instances only, or \
         allow it with --allow-spot",
        .0.join("; ")
    )]
    Spot(Vec<String>),
    /// The launching hook can't wait that long or that short.
    #[error(
        "boot_deadline is {}, but a lifecycle hook waits from 30s to 2h; set boot_deadline in the policy to what it may wait",
        span(*.0)
    )]
    BootDeadline(Duration),
    /// The names of alarms have the name of the group in them.
    #[error(
        "the name of the group has {0} characters; with more than 220 there is no room left in the names of its alarms"
    )]
    LongName(usize),
    /// What is there could not be read, so that what is missing is not known.
    #[error("{what} {why}")]
    Unread {
        /// Which part.
        what: &'static str,
        /// What happened.
        why: Unread,
    },
    /// Deleting a hook lets all instances go that it holds, recordings and all.
    #[error(
        "{} of this group: to delete a hook lets go what it holds, recordings and all; wait until it is gone, or end a retained \
         instance when its recording is saved, and try again",
        leaving(.0)
    )]
    Leaving(Vec<InstanceId>),
    /// What was made can't be read from the group's tag.
    #[error("{0}")]
    Record(String),
}

fn leaving(ids: &[InstanceId]) -> String {
    match ids {
        [one] => format!("instance `{one}` is on its way out"),
        [first, rest @ ..] => format!(
            "instance `{first}` and {} more are on their way out",
            rest.len()
        ),
        [] => "nothing is on its way out".into(),
    }
}
