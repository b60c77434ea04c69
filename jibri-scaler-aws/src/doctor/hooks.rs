//! Rules about the lifecycle hooks.

use jibri_scaler_core::agent::{
    HOOK_LAUNCHING, HOOK_TERMINATING,
    port::{HookResult, Transition},
};

use super::{
    case::{Case, Sign, span},
    command,
};
use crate::inspect::{GroupSetup, Hook};

const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";

/// What provisioning takes: 100 heartbeats make more than the 48 hours that AWS allows.
const TIMEOUT: u64 = 3600;

/// No hook holds an instance that is to end until its recording is done.
pub(super) fn none(case: &Case<'_>) -> Vec<Sign> {
    if case.setup.hooks.is_err() || case.is_drained_by_agents() {
        return Vec::new();
    }
    let others: Vec<_> = case
        .hooks(Transition::Terminating)
        .map(|hook| format!("`{}`", hook.name))
        .collect();
    let besides = if others.is_empty() {
        String::new()
    } else {
        format!(" (agents do not answer {})", others.join(", "))
    };
    vec![
        Sign::new(
            format!(
                "no lifecycle hook `{HOOK_TERMINATING}` holds an instance that is to end{besides}: whatever ends one (health \
                 checks, a refresh, rebalancing, an operator) cuts off its recording"
            ),
            "let an agent run on every instance, then add the hook, and let the group keep what is abandoned",
        )
        .command(put_hook(case.setup, HOOK_TERMINATING, TERMINATING, TIMEOUT))
        .command(retain(case.setup)),
    ]
}

/// A hook lets an instance go of which nothing is heard.
pub(super) fn continues(case: &Case<'_>) -> Vec<Sign> {
    case.hooks(Transition::Terminating)
        .filter(|hook| hook.default_result == HookResult::Continue)
        .map(|hook| {
            Sign::new(
                format!(
                    "lifecycle hook `{}` has the default result CONTINUE: when its agent is silent for {}, the instance ends with \
                     its recording",
                    hook.name,
                    span(hook.heartbeat_timeout),
                ),
                "change the hook in place to ABANDON, and let the group keep what is abandoned",
            )
            .command(put_hook(
                case.setup,
                &hook.name,
                TERMINATING,
                hook.heartbeat_timeout.as_secs(),
            ))
            .command(retain(case.setup))
        })
        .collect()
}

/// An abandoned instance ends, since the group does not keep it.
pub(super) fn does_not_retain(case: &Case<'_>) -> Vec<Sign> {
    let abandons = |hook: &Hook| hook.default_result == HookResult::Abandon;
    let Some(hook) = case
        .hooks(Transition::Terminating)
        .find(|hook| abandons(hook))
    else {
        return Vec::new();
    };
    if case.setup.retains_abandoned {
        return Vec::new();
    }
    vec![
        Sign::new(
            format!(
                "lifecycle hook `{}` abandons an instance whose agent is silent, and the group does not keep abandoned instances: \
                 the recording on its disk ends with it",
                hook.name
            ),
            "set the instance lifecycle policy that keeps abandoned instances for a human",
        )
        .command(retain(case.setup)),
    ]
}

/// A hook lets go before the longest recording is done.
pub(super) fn too_short(case: &Case<'_>) -> Vec<Sign> {
    let longest = case.doctor.longest_recording;
    case.hooks(Transition::Terminating)
        .filter(|hook| hook.longest_hold < longest)
        .map(|hook| {
            Sign::new(
                format!(
                    "lifecycle hook `{}` holds an instance for {} at most (100 times its heartbeat timeout of {}), but a recording \
                     may take {}",
                    hook.name,
                    span(hook.longest_hold),
                    span(hook.heartbeat_timeout),
                    span(longest),
                ),
                "change the heartbeat timeout in place; deleting the hook would let go what waits in it",
            )
            .command(put_hook(case.setup, &hook.name, TERMINATING, TIMEOUT))
        })
        .collect()
}

/// In native mode: nothing replaces an instance whose Jibri never comes up.
pub(super) fn launches_unchecked(case: &Case<'_>) -> Vec<Sign> {
    if case.setup.hooks.is_err() || !case.is_native() {
        return Vec::new();
    }
    let hook = case
        .hooks(Transition::Launching)
        .find(|hook| hook.name == HOOK_LAUNCHING);
    let (what, timeout) = match hook {
        Some(hook) if hook.default_result == HookResult::Abandon => return Vec::new(),
        Some(hook) => (
            format!("lifecycle hook `{HOOK_LAUNCHING}` has the default result CONTINUE"),
            hook.heartbeat_timeout.as_secs(),
        ),
        None => (
            format!("there is no lifecycle hook `{HOOK_LAUNCHING}`"),
            600,
        ),
    };
    vec![
        Sign::new(
            format!(
                "{what}: an instance whose Jibri never comes up stays in service and counts, but can record nothing"
            ),
            "hold new instances until their agents say that their Jibris answer; the timeout is the boot deadline",
        )
        .command(put_hook(case.setup, HOOK_LAUNCHING, LAUNCHING, timeout)),
    ]
}

fn put_hook(setup: &GroupSetup, name: &str, transition: &str, timeout: u64) -> String {
    command::of_group(
        setup,
        "put-lifecycle-hook",
        &[
            "--lifecycle-hook-name",
            name,
            "--lifecycle-transition",
            transition,
            "--heartbeat-timeout",
            &timeout.to_string(),
            "--default-result",
            "ABANDON",
        ],
    )
}

fn retain(setup: &GroupSetup) -> String {
    command::of_group(
        setup,
        "update-auto-scaling-group",
        &[
            "--instance-lifecycle-policy",
            r#"{"RetentionTriggers":{"TerminateHookAbandon":"retain"}}"#,
        ],
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Doctor, sample};
    use super::*;

    const PUT: &str = "aws autoscaling put-lifecycle-hook --auto-scaling-group-name jibri --lifecycle-hook-name \
                       jibri-scaler-terminating --lifecycle-transition autoscaling:EC2_INSTANCE_TERMINATING \
                       --heartbeat-timeout 3600 --default-result ABANDON";
    const RETAIN: &str = "aws autoscaling update-auto-scaling-group --auto-scaling-group-name jibri \
                          --instance-lifecycle-policy '{\"RetentionTriggers\":{\"TerminateHookAbandon\":\"retain\"}}'";

    fn terminating(setup: &mut GroupSetup) -> &mut Hook {
        let hooks = setup.hooks.as_mut().unwrap();
        hooks
            .iter_mut()
            .find(|hook| hook.name == HOOK_TERMINATING)
            .unwrap()
    }

    #[test]
    fn a_group_without_the_hook_is_in_danger() {
        let mut setup = sample::native();
        setup
            .hooks
            .as_mut()
            .unwrap()
            .retain(|hook| hook.name != HOOK_TERMINATING);
        let finding = sample::only(&setup, "no_hook");
        assert_eq!(finding.commands, [PUT, RETAIN]);
        // Another hook is none that agents answer.
        let another = Hook::new(
            "notify",
            Transition::Terminating,
            Duration::from_hours(1),
            HookResult::Abandon,
        );
        setup.hooks.as_mut().unwrap().push(another);
        let finding = sample::only(&setup, "no_hook");
        assert!(
            finding.what.contains("(agents do not answer `notify`)"),
            "{}",
            finding.what
        );
    }

    #[test]
    fn a_hook_that_continues_is_in_danger() {
        let mut setup = sample::native();
        terminating(&mut setup).default_result = HookResult::Continue;
        let finding = sample::only(&setup, "hook_continues");
        assert!(
            finding.what.contains("`jibri-scaler-terminating`"),
            "{}",
            finding.what
        );
        assert_eq!(finding.commands, [PUT, RETAIN]);
    }

    #[test]
    fn a_hook_that_abandons_needs_a_group_that_retains() {
        let mut setup = sample::native();
        setup.retains_abandoned = false;
        assert_eq!(
            sample::only(&setup, "hook_does_not_retain").commands,
            [RETAIN]
        );
    }

    #[test]
    fn a_hook_must_hold_for_as_long_as_the_longest_recording() {
        let mut setup = sample::native();
        *terminating(&mut setup) = Hook::new(
            HOOK_TERMINATING,
            Transition::Terminating,
            Duration::from_secs(431),
            HookResult::Abandon,
        );
        let finding = sample::only(&setup, "hook_too_short");
        assert!(
            finding.what.contains("for 43100 s at most"),
            "{}",
            finding.what
        );
        assert!(finding.what.contains("may take 12 h"), "{}", finding.what);
        assert_eq!(finding.commands, [PUT]);
        *terminating(&mut setup) = Hook::new(
            HOOK_TERMINATING,
            Transition::Terminating,
            Duration::from_secs(432),
            HookResult::Abandon,
        );
        assert_eq!(Doctor::default().examine(&setup), []);
        let longer = Doctor::default().with_longest_recording(Duration::from_hours(24));
        assert_eq!(longer.examine(&setup)[0].rule, "hook_too_short");
    }

    #[test]
    fn native_mode_needs_the_hook_for_launches() {
        let mut setup = sample::native();
        setup
            .hooks
            .as_mut()
            .unwrap()
            .retain(|hook| hook.name != HOOK_LAUNCHING);
        let finding = sample::only(&setup, "launches_unchecked");
        assert!(finding.commands[0].contains("--heartbeat-timeout 600"));
        let continues = Hook::new(
            HOOK_LAUNCHING,
            Transition::Launching,
            Duration::from_mins(15),
            HookResult::Continue,
        );
        setup.hooks.as_mut().unwrap().push(continues);
        let finding = sample::only(&setup, "launches_unchecked");
        assert!(finding.commands[0].contains("--heartbeat-timeout 900"));
    }
}
