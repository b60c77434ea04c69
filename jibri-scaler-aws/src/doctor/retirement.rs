//! Rules about instances that should be gone.

use std::time::Duration;

use jibri_scaler_core::retirement::Phase;

use super::{
    case::{Case, Sign, span},
    command,
};

/// A retirement takes this long at most where no recording holds it up.
const PATIENCE: Duration = Duration::from_mins(15);

/// Instances that were kept for a human.
pub(super) fn retained(case: &Case<'_>) -> Vec<Sign> {
    let pool = case.setup.warm_pool.as_ref().ok().and_then(Option::as_ref);
    let pooled = pool
        .map(|pool| pool.instances.as_slice())
        .unwrap_or_default();
    case.setup
        .instances
        .iter()
        .chain(pooled)
        .filter(|member| member.lifecycle.as_str().ends_with(":Retained"))
        .map(|member| {
            Sign::new(
                format!(
                    "{} is {}: its agent did not say that all was well, so that its disk may have a recording that is nowhere \
                     else; it costs as one in service does, and does not count",
                    member.id, member.lifecycle
                ),
                "look into the log of its agent, save what is in its recordings directory, and end it",
            )
            .command(command::terminate(&member.id))
            .about(vec![member.id.clone()])
        })
        .collect()
}

/// Instances in service whose Jibris were told to end, and whose retirement does not come on.
pub(super) fn told_and_running(case: &Case<'_>) -> Vec<Sign> {
    let Some(memory) = &case.doctor.memory else {
        return Vec::new();
    };
    let now = case.setup.read_at;
    case.setup
        .in_service()
        .filter_map(|member| {
            let retirement = memory.retirements().get(&member.id)?;
            let age = now.since(retirement.told_at().unwrap_or_else(|| retirement.since()));
            let patience = match retirement.phase() {
                Phase::GivenUp => Duration::ZERO,
                // It ends when its recording is done.
                Phase::Finishing => case.doctor.longest_recording,
                _ => PATIENCE,
            };
            if age < patience {
                return None;
            }
            let (what, fix) = if retirement.phase() == Phase::GivenUp {
                (
                    "the controller gave up on retiring it: its Jibri could not be told, or was started again and again".into(),
                    "see what starts its Jibri again (it must stay down after exit code 255), let it record nothing, and end it",
                )
            } else {
                (
                    format!(
                        "the controller began to retire it {} ago, and it is still in service (phase {:?})",
                        span(age),
                        retirement.phase()
                    ),
                    "start the controller with this memory, which goes on where it was; or, where its Jibri has ended, end it",
                )
            };
            let id = &member.id;
            let sign = Sign::new(format!("{id}: {what}"), fix);
            let sign = sign.command(command::terminate(id));
            Some(sign.about(vec![id.clone()]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::{Lifecycle, Memory, Timestamp};

    use super::super::{Doctor, Finding, sample};
    use super::*;
    use crate::inspect::WarmPool;

    #[test]
    fn retained_instances_are_named_with_the_way_out() {
        let mut setup = sample::native();
        setup
            .instances
            .push(sample::member("i-r", Lifecycle::TerminatingRetained));
        let finding = sample::only(&setup, "retained");
        assert_eq!(finding.instances[0].as_str(), "i-r");
        assert_eq!(
            finding.commands,
            [
                "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id i-r \
                 --no-should-decrement-desired-capacity"
            ]
        );
        let mut setup = sample::native();
        let mut pool = WarmPool::new("Stopped");
        pool.instances = vec![sample::member("i-p", Lifecycle::WarmedPendingRetained)];
        setup.warm_pool = Ok(Some(pool));
        assert_eq!(sample::rules(&setup), ["warm_pool", "retained"]);
    }

    /// What is found of a retirement of `i-a` in that phase, that many seconds after it began.
    fn found(phase: &str, seconds: u64) -> Vec<Finding> {
        let began = sample::now().before(Duration::from_secs(seconds));
        Doctor::default()
            .with_memory(memory(phase, began))
            .examine(&sample::controlled())
    }

    fn memory(phase: &str, began: Timestamp) -> Memory {
        let text = serde_json::json!({
            "version": 1,
            "retirements": {"i-a": {
                "phase": phase,
                "since": began,
                "untold_since": began,
                "replace": false,
                "told_at": began,
                "seen_busy": phase == "finishing",
                "refusing_since": null,
                "released_at": null,
                "returns": 0,
            }},
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn a_retirement_that_does_not_come_on_is_found() {
        for (phase, patience) in [
            ("told", 900),
            ("gone", 900),
            ("finishing", 43_200),
            ("given_up", 0),
        ] {
            if patience > 0 {
                assert_eq!(found(phase, patience - 1), [], "{phase}");
            }
            let findings = found(phase, patience);
            assert_eq!(findings.len(), 1, "{phase}: {findings:?}");
            assert_eq!(findings[0].rule, "told_and_running");
            assert_eq!(findings[0].instances[0].as_str(), "i-a");
        }
    }

    #[test]
    fn one_that_is_on_its_way_out_is_no_finding() {
        let mut setup = sample::controlled();
        setup.instances[0].lifecycle = Lifecycle::TerminatingWait;
        setup.desired = 3;
        let doctor = Doctor::default().with_memory(memory("told", Timestamp::from_secs(0)));
        assert!(
            doctor
                .examine(&setup)
                .iter()
                .all(|finding| finding.rule != "told_and_running")
        );
    }
}
