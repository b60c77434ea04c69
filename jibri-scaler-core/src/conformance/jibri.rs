use std::pin::pin;

use async_trait::async_trait;
use futures_util::future::{Either, select};

use super::{Checked, Violation, ensure};
use crate::{
    BusyStatus, HealthStatus, Reachability,
    port::{DrainClient, HealthProbe, Presence, ProbeOutcome, Target, Told},
};

/// How a Jibri of the suite behaves at first.
///
/// ```
/// use jibri_scaler_core::conformance::JibriBehaviour;
///
/// assert_ne!(JibriBehaviour::Refusing, JibriBehaviour::Hanging);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JibriBehaviour {
    /// Runs, healthy and idle. Told to end, its process ends and is not started again.
    Idle,
    /// Runs, healthy, and records until [`JibriFixture::end_session`]. Told to end, its process ends when it has recorded.
    Busy,
    /// Does not run: both ports refuse the connection.
    Refusing,
    /// Both ports accept a connection and never answer.
    Hanging,
    /// Both ports answer every request with status 200 and a body that is not JSON.
    Garbage,
}

/// Makes Jibris for the suites, where the implementations under test can reach them.
///
/// With real sockets, [`settle`](Self::settle) sleeps for some milliseconds and [`call_limit`](Self::call_limit) for a few times
/// the timeout of the implementations. In memory, where a call is done when it is first polled, both can be empty:
///
/// ```
/// use std::{collections::BTreeMap, sync::Mutex};
/// use async_trait::async_trait;
/// use jibri_scaler_core::{
///     InstanceId,
///     conformance::{JibriBehaviour, JibriFixture},
///     port::Target,
/// };
///
/// #[derive(Default)]
/// struct Fleet(Mutex<BTreeMap<InstanceId, JibriBehaviour>>);
///
/// #[async_trait]
/// impl JibriFixture for Fleet {
///     async fn start(&self, behaviour: JibriBehaviour) -> Target {
///         let mut jibris = self.0.lock().unwrap();
///         let id: InstanceId = format!("i-{}", jibris.len()).parse().unwrap();
///         jibris.insert(id.clone(), behaviour);
///         Target::new(id)
///     }
///
///     async fn end_session(&self, target: &Target) {
///         self.0.lock().unwrap().insert(target.id.clone(), JibriBehaviour::Idle);
///     }
///
///     async fn settle(&self) {}
///
///     async fn call_limit(&self) {}
/// }
/// ```
#[async_trait]
pub trait JibriFixture: Send + Sync {
    /// Starts a Jibri that behaves so, at a target of its own that the implementations under test can address from now on.
    /// Returns when it does behave so.
    async fn start(&self, behaviour: JibriBehaviour) -> Target;

    /// Lets the recording of a busy Jibri end.
    async fn end_session(&self, target: &Target);

    /// Waits a little, so that what was set off can happen: a process that was told to end ends. It is called again, up to a
    /// hundred times, as long as that has not happened.
    async fn settle(&self);

    /// Ends after the longest time that one call of the implementations under test may take.
    async fn call_limit(&self);
}

/// Checks a probe. The names of its rules begin with `probe`.
///
/// # Errors
/// The first rule that is broken.
pub async fn health_probe(
    probe: &dyn HealthProbe,
    fixture: &dyn JibriFixture,
) -> Result<(), Violation> {
    let cases: [(_, _, Expected); 5] = [
        ("probe_reads_idle", JibriBehaviour::Idle, is_idle),
        ("probe_reads_busy", JibriBehaviour::Busy, is_busy),
        ("probe_tells_refused", JibriBehaviour::Refusing, is_refused),
        ("probe_times_out", JibriBehaviour::Hanging, is_timed_out),
        (
            "probe_reads_no_garbage",
            JibriBehaviour::Garbage,
            is_garbage,
        ),
    ];
    for (rule, behaviour, expected) in cases {
        let target = fixture.start(behaviour).await;
        // Twice, since a probe is harmless and keeps connections.
        for time in ["first", "second"] {
            let outcome = within_limit(fixture, probe.probe(&target)).await;
            let checked = outcome.and_then(|outcome| {
                ensure!(
                    expected(&outcome),
                    "the {time} probe of a Jibri that is {behaviour:?} is {outcome:?}"
                );
                Ok(())
            });
            checked.map_err(|seen| Violation::new(rule, seen))?;
        }
    }
    Ok(())
}

/// Checks a drain client, with a probe that passes its own suite to watch the Jibris. The names of its rules begin with `drain`.
///
/// # Errors
/// The first rule that is broken.
pub async fn drain_client(
    client: &dyn DrainClient,
    probe: &dyn HealthProbe,
    fixture: &dyn JibriFixture,
) -> Result<(), Violation> {
    let trial = Trial {
        client,
        probe,
        fixture,
    };
    let broken = |rule| move |seen| Violation::new(rule, seen);
    trial
        .looking_is_harmless()
        .await
        .map_err(broken("drain_looks_without_harm"))?;
    trial
        .an_idle_one_ends()
        .await
        .map_err(broken("drain_ends_idle"))?;
    trial
        .a_busy_one_finishes()
        .await
        .map_err(broken("drain_lets_busy_finish"))?;
    trial
        .a_refusing_one_was_not_told()
        .await
        .map_err(broken("drain_tells_refused"))?;
    trial
        .a_hanging_one_is_unknown()
        .await
        .map_err(broken("drain_times_out"))
}

type Expected = fn(&ProbeOutcome) -> bool;

struct Trial<'a> {
    client: &'a dyn DrainClient,
    probe: &'a dyn HealthProbe,
    fixture: &'a dyn JibriFixture,
}

impl Trial<'_> {
    async fn looking_is_harmless(&self) -> Checked {
        for (behaviour, expected) in [
            (JibriBehaviour::Idle, is_idle as Expected),
            (JibriBehaviour::Busy, is_busy),
        ] {
            let target = self.fixture.start(behaviour).await;
            self.reachable(&target, true).await?;
            self.looks(&target, Presence::Answers).await?;
            self.fixture.settle().await;
            self.probes(&target, expected).await?;
        }
        Ok(())
    }

    async fn an_idle_one_ends(&self) -> Checked {
        let target = self.fixture.start(JibriBehaviour::Idle).await;
        self.tells(&target, Told::Yes).await?;
        self.comes_to_refuse(&target).await?;
        self.probes(&target, is_refused).await?;
        self.reachable(&target, false).await
    }

    async fn a_busy_one_finishes(&self) -> Checked {
        let target = self.fixture.start(JibriBehaviour::Busy).await;
        self.tells(&target, Told::Yes).await?;
        for _ in 0..3 {
            self.fixture.settle().await;
            self.probes(&target, is_busy).await?;
            self.looks(&target, Presence::Answers).await?;
        }
        // Telling it again may go unanswered, but stops nothing.
        let again = within_limit(self.fixture, self.client.tell(&target)).await?;
        ensure!(
            again != Told::Refused,
            "a Jibri that is there is told again: {again:?}"
        );
        self.fixture.settle().await;
        self.probes(&target, is_busy).await?;
        self.fixture.end_session(&target).await;
        self.comes_to_refuse(&target).await
    }

    async fn a_refusing_one_was_not_told(&self) -> Checked {
        let target = self.fixture.start(JibriBehaviour::Refusing).await;
        self.reachable(&target, false).await?;
        self.tells(&target, Told::Refused).await?;
        self.looks(&target, Presence::BothRefuse).await
    }

    async fn a_hanging_one_is_unknown(&self) -> Checked {
        let target = self.fixture.start(JibriBehaviour::Hanging).await;
        self.reachable(&target, false).await?;
        self.tells(&target, Told::Unknown).await?;
        let presence = within_limit(self.fixture, self.client.look(&target)).await?;
        ensure!(
            presence != Presence::BothRefuse,
            "both ports accept, and it looks {presence:?}"
        );
        Ok(())
    }

    async fn reachable(&self, target: &Target, expected: bool) -> Checked {
        let reachable = within_limit(self.fixture, self.client.is_reachable(target)).await?;
        ensure!(reachable == expected, "is_reachable is {reachable}");
        Ok(())
    }

    async fn tells(&self, target: &Target, expected: Told) -> Checked {
        let told = within_limit(self.fixture, self.client.tell(target)).await?;
        ensure!(told == expected, "told is {told:?}, not {expected:?}");
        Ok(())
    }

    async fn looks(&self, target: &Target, expected: Presence) -> Checked {
        let presence = within_limit(self.fixture, self.client.look(target)).await?;
        ensure!(
            presence == expected,
            "it looks {presence:?}, not {expected:?}"
        );
        Ok(())
    }

    async fn probes(&self, target: &Target, expected: Expected) -> Checked {
        let outcome = within_limit(self.fixture, self.probe.probe(target)).await?;
        ensure!(expected(&outcome), "the probe says {outcome:?}");
        Ok(())
    }

    async fn comes_to_refuse(&self, target: &Target) -> Checked {
        for _ in 0..100 {
            let presence = within_limit(self.fixture, self.client.look(target)).await?;
            if presence == Presence::BothRefuse {
                return Ok(());
            }
            self.fixture.settle().await;
        }
        Err("a Jibri that was told and is free still does not look BothRefuse".into())
    }
}

async fn within_limit<T>(
    fixture: &dyn JibriFixture,
    call: impl Future<Output = T> + Send,
) -> Result<T, String> {
    let limit = fixture.call_limit();
    match select(pin!(call), limit).await {
        Either::Left((outcome, _)) => Ok(outcome),
        Either::Right(_) => Err("the call does not end within the limit of the fixture".into()),
    }
}

fn is_idle(outcome: &ProbeOutcome) -> bool {
    says(outcome, &BusyStatus::Idle)
}

fn is_busy(outcome: &ProbeOutcome) -> bool {
    says(outcome, &BusyStatus::Busy)
}

fn says(outcome: &ProbeOutcome, busy: &BusyStatus) -> bool {
    let status = outcome.status();
    status.is_some_and(|status| status.busy == *busy && status.health == HealthStatus::Healthy)
}

fn is_refused(outcome: &ProbeOutcome) -> bool {
    *outcome == ProbeOutcome::Refused
}

fn is_timed_out(outcome: &ProbeOutcome) -> bool {
    outcome.reachability() == Reachability::TimedOut
}

fn is_garbage(outcome: &ProbeOutcome) -> bool {
    outcome.status().is_none() && outcome.reachability() == Reachability::Answered
}
