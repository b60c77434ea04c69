//! The rule about terminations that do not come on.

use std::time::Duration;

use jibri_scaler_core::{InstanceId, Lifecycle, agent::port::Transition};

use super::{
    case::{Case, Sign, count, span},
    signal::number,
};

/// The agent of a held instance is heard with each heartbeat: a quarter of the hook's timeout apart, and later where AWS fails.
const HEARTBEATS_MISSED: u32 = 2;

/// And its points are there after so long.
const UNDER_WAY: Duration = Duration::from_mins(5);

const MINUTE: Duration = Duration::from_mins(1);

/// A termination waits for longer than a recording takes, or for an agent that is not heard.
pub(super) fn long(case: &Case<'_>) -> Vec<Sign> {
    let held = held(case);
    let Ok(signal) = &case.setup.signal else {
        return Vec::new();
    };
    if held.is_empty() {
        return Vec::new();
    }
    let now = case.setup.read_at;
    let silence = silence(case);
    let newest = signal
        .hook_seconds
        .iter()
        .filter(|(at, _)| now.since(*at) <= silence);
    let longest = newest
        .map(|(at, seconds)| {
            Duration::try_from_secs_f64(*seconds).unwrap_or_default() + now.since(*at)
        })
        .max();
    let names: Vec<_> = held.iter().map(InstanceId::as_str).collect();
    let names = names.join(", ");
    let sign = match longest {
        Some(longest) if longest > case.doctor.longest_recording => Sign::new(
            format!(
                "a termination has been held for {}, longer than the longest recording ({}); those that wait: {names}",
                span(Duration::from_secs(longest.as_secs() / 60 * 60)),
                span(case.doctor.longest_recording),
            ),
            "look into the log of its agent for what it waits for (a meeting that never ends, a finalize script that hangs), and end \
             that: the hook ends its wait after 48 hours at most",
        ),
        None if waits_since(case, silence) => Sign::new(
            format!(
                "{names} {} to end, but no agent has said so for {} (`HookSeconds`): nobody drains what is on {}",
                if held.len() == 1 { "waits" } else { "wait" },
                span(silence),
                count(held.len(), "instance"),
            ),
            "start the agent there, which goes on where it was (`systemctl status jibri-scaler-agent` says why it does not run); or \
             save what is in the recordings directory and complete the lifecycle action by hand",
        ),
        _ => return Vec::new(),
    };
    vec![sign.about(held)]
}

/// The instances that a terminating hook holds.
fn held(case: &Case<'_>) -> Vec<InstanceId> {
    let pool = case.setup.warm_pool.as_ref().ok().and_then(Option::as_ref);
    let reused = pool.is_some_and(|pool| pool.reuse_on_scale_in);
    let pooled = pool.map(|pool| pool.instances.as_slice());
    let all = case
        .setup
        .instances
        .iter()
        .chain(pooled.unwrap_or_default());
    all.filter(|member| match member.lifecycle {
        Lifecycle::TerminatingWait | Lifecycle::WarmedTerminatingWait => true,
        // Either on its way back, held by the terminating hook, or on its first way in, held by the launching one.
        Lifecycle::WarmedPendingWait => reused,
        _ => false,
    })
    .map(|member| member.id.clone())
    .collect()
}

/// How long the agent of a held instance may be unheard.
fn silence(case: &Case<'_>) -> Duration {
    let hooks = case.hooks(Transition::Terminating);
    let timeout = hooks.map(|hook| hook.heartbeat_timeout).max();
    timeout.unwrap_or_default() / 4 * HEARTBEATS_MISSED + UNDER_WAY
}

/// Whether, as far as Auto Scaling's own count says, as many have been on their way out for so long. Without that count nothing is
/// known: each of them may have come a minute ago, before the first heartbeat of its agent.
fn waits_since(case: &Case<'_>, silence: Duration) -> bool {
    let Ok(signal) = &case.setup.signal else {
        return false;
    };
    let own = case.setup.instances.iter();
    let held = own
        .filter(|member| member.lifecycle == Lifecycle::TerminatingWait)
        .count();
    let since = case.setup.read_at.before(silence);
    let counts: Vec<f64> = signal
        .terminating
        .iter()
        .filter(|(at, _)| *at >= since)
        .map(|(_, count)| *count)
        .collect();
    // A point comes some minutes late, and one may be lost.
    let expected = silence.as_secs().saturating_sub(UNDER_WAY.as_secs()) / MINUTE.as_secs();
    held > 0
        && u64::try_from(counts.len()).is_ok_and(|counts| counts >= expected)
        && counts.iter().all(|count| *count >= number(held))
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::Timestamp;

    use super::super::{Doctor, sample};
    use super::*;
    use crate::inspect::{GroupSetup, WarmPool};

    /// A group with one more instance that has been held for so many minutes, as Auto Scaling counts.
    fn holding(minutes: u64) -> GroupSetup {
        let mut setup = sample::native();
        let held = sample::member("i-h", Lifecycle::TerminatingWait);
        setup.instances.push(held);
        let signal = setup.signal.as_mut().unwrap();
        // The point of the minute before is not there yet.
        let at = |ago: u64| {
            (
                sample::now().before(MINUTE * u32::try_from(ago).unwrap()),
                1.0,
            )
        };
        signal.terminating = (2..=minutes).rev().map(at).collect();
        setup
    }

    fn heard(setup: &mut GroupSetup, ago: Duration, held: Duration) {
        let at: Timestamp = sample::now().before(ago);
        let points = &mut setup.signal.as_mut().unwrap().hook_seconds;
        points.push((at, held.as_secs_f64()));
    }

    #[test]
    fn a_termination_that_outlasts_every_recording_is_found() {
        let (minute, hour) = (MINUTE, Duration::from_hours(1));
        for (ago, held, found) in [
            (minute * 10, hour, false),
            (minute * 10, minute * 710, false),
            (minute * 10, minute * 711, true),
            (minute * 35, hour * 12, true),
        ] {
            let mut setup = holding(90);
            heard(&mut setup, ago, held);
            if found {
                let finding = sample::only(&setup, "held_long");
                assert_eq!(finding.instances[0].as_str(), "i-h");
                assert!(
                    finding.what.contains("those that wait: i-h"),
                    "{}",
                    finding.what
                );
            } else {
                assert_eq!(sample::rules(&setup), [""; 0], "{held:?} {ago:?} ago");
            }
        }
        // What was held before that has gone.
        let mut setup = sample::native();
        heard(&mut setup, minute, hour * 20);
        assert_eq!(sample::rules(&setup), [""; 0]);
        let mut setup = holding(90);
        heard(&mut setup, minute, hour * 7);
        let doctor = Doctor::default().with_longest_recording(hour * 6);
        assert_eq!(doctor.examine(&setup)[0].rule, "held_long");
    }

    #[test]
    fn a_termination_of_which_no_agent_says_anything_is_found() {
        for (minutes, found) in [(1, false), (30, false), (36, true), (100, true)] {
            let setup = holding(minutes);
            let rules = sample::rules(&setup);
            assert_eq!(rules.contains(&"held_long"), found, "{minutes}");
        }
        let finding = sample::only(&holding(90), "held_long");
        assert!(
            finding.what.starts_with("i-h waits to end"),
            "{}",
            finding.what
        );
        assert!(finding.what.contains("for 35 min"), "{}", finding.what);
        // Heard long ago is not heard.
        let mut setup = holding(90);
        heard(&mut setup, MINUTE * 36, MINUTE);
        assert_eq!(sample::rules(&setup), ["held_long"]);
        // They may have come one after the other.
        let mut setup = holding(90);
        setup
            .instances
            .push(sample::member("i-i", Lifecycle::TerminatingWait));
        assert_eq!(sample::rules(&setup), [""; 0]);
    }

    #[test]
    fn on_the_way_back_to_the_warm_pool_it_is_the_same() {
        for (reuse, found) in [(false, false), (true, true)] {
            let mut setup = sample::native();
            let mut pool = WarmPool::new("Stopped");
            pool.reuse_on_scale_in = reuse;
            pool.instances = vec![sample::member("i-p", Lifecycle::WarmedPendingWait)];
            setup.warm_pool = Ok(Some(pool));
            heard(&mut setup, MINUTE, Duration::from_hours(13));
            assert_eq!(sample::rules(&setup).contains(&"held_long"), found);
        }
    }
}
