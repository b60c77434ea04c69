//! The metrics of native mode, and who publishes each.
//!
//! | metric | unit | published by | read by |
//! |---|---|---|---|
//! | [`IDLE`] | Count | the agent of each instance in service, once a period | the growth alarm, agents, dashboards |
//! | [`IN_SERVICE`] | Count | the same agents, in the same request | the growth alarm, as its guard |
//! | [`RETAINED`] | Count | the same agents, in the same request | an alarm for a human |
//! | [`BUSY_SECONDS`] | Seconds | the agent of a busy Jibri, in the same request | an alarm for a human |
//! | [`HOOK_SECONDS`] | Seconds | the agent of an instance whose termination is held, with each heartbeat | an alarm for a human |
//! | [`RELEASE_CHECK_FAILED`] | Count | the agent whose release check has failed, or whose Jibri has crashed, once | an alarm for a human |
//!
//! All have the one dimension [`GROUP_DIMENSION`](super::GROUP_DIMENSION), and keep their unit for ever: CloudWatch aggregates
//! points of different units apart. All that belong to one period go in one request, so that five metrics cost no more requests
//! than one.

/// 1 where the Jibri is idle, healthy and was just read, else 0. SUM is the number of idle Jibris, `SampleCount` that of the
/// publishers, AVERAGE the idle share.
pub const IDLE: &str = "Idle";

/// At least so many instances of the group are in service. Maximum.
///
/// The maximum is the number itself, no older than some minutes: every five minutes about six agents of a group list it, whatever its
/// size. The others publish 1, so that each agent has a point in each period, which says that it is one. Agents that publish in
/// [batches](crate::agent::Publish::Batched) leave it out.
pub const IN_SERVICE: &str = "InService";

/// How many instances were kept for a human (`Terminating:Retained`) in the last listing of an agent that has listed the group lately.
/// Maximum.
///
/// The others publish it, since the usual reason for a retained instance is that its own agent is dead.
pub const RETAINED: &str = "Retained";

/// How long the Jibri has been busy. Maximum.
pub const BUSY_SECONDS: &str = "BusySeconds";

/// How long the terminating hook has held the instance. Maximum.
pub const HOOK_SECONDS: &str = "HookSeconds";

/// 1 when an instance is kept for a human: its release check has failed, or its Jibri has ended otherwise than it was told to, so that
/// a recording may lie there unfinished. Sum.
pub const RELEASE_CHECK_FAILED: &str = "ReleaseCheckFailed";
