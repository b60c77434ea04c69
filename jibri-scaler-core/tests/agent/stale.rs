//! Answers that come late, when what they say no longer holds.

use jibri_scaler_core::{
    BusyStatus, HealthStatus, JibriStatus, Timestamp,
    agent::{
        ActKind, Agent, AgentConfig, DrainPhase, Input, Output,
        port::{CheckResult, ServiceState, TargetState},
    },
    port::{ProbeOutcome, Told},
};

use crate::world::{GONE, START, id};

/// An agent whose acts are answered by hand.
struct Hand {
    agent: Agent,
    now: i64,
}

impl Hand {
    /// One whose Jibri was told.
    fn finishing() -> Self {
        let start = Timestamp::from_secs(START);
        let agent = Agent::new(AgentConfig::default(), id(0), start);
        let mut hand = Self { agent, now: 0 };
        hand.tick();
        hand.give(Input::LatchLoaded(Ok(None)));
        hand.give(Input::Target(Ok(Some(TargetState::Terminated))));
        hand.give(Input::LatchSet(Ok(())));
        hand.give(Input::Told(vec![Told::Yes]));
        // What was under way before is answered.
        hand.give(Input::Service(vec![ServiceState::Running]));
        hand.give(Input::Health(vec![ProbeOutcome::TimedOut]));
        assert_eq!(hand.phase(), DrainPhase::Finishing);
        hand
    }

    fn give(&mut self, input: Input) -> Vec<ActKind> {
        let now = Timestamp::from_secs(START + self.now);
        let outputs = self.agent.step(now, input);
        let acts = outputs.iter().filter_map(Output::act);
        acts.map(jibri_scaler_core::agent::Act::kind).collect()
    }

    /// Twelve seconds pass: nothing waits for its time any more.
    fn tick(&mut self) -> Vec<ActKind> {
        self.now += 12;
        self.give(Input::Tick)
    }

    fn free(&mut self) {
        let status = JibriStatus::new(BusyStatus::Idle, HealthStatus::Healthy);
        self.give(Input::Health(vec![ProbeOutcome::Answered(status)]));
    }

    fn phase(&self) -> DrainPhase {
        self.agent.drain().expect("it drains").phase()
    }
}

#[test]
fn a_look_from_before_a_restart_is_not_an_end() {
    let mut hand = Hand::finishing();
    let begun = hand.tick();
    assert!(begun.contains(&ActKind::ReadService) && begun.contains(&ActKind::ReadHealth));
    hand.free();
    assert_eq!(hand.phase(), DrainPhase::Telling);
    hand.tick();
    hand.give(Input::Told(vec![Told::Yes]));
    assert_eq!(hand.phase(), DrainPhase::Finishing);
    hand.give(Input::Service(vec![GONE]));
    assert_eq!(
        hand.phase(),
        DrainPhase::Finishing,
        "it had ended, and was started again since"
    );
    hand.tick();
    hand.give(Input::Service(vec![GONE]));
    assert_eq!(hand.phase(), DrainPhase::Checking);
}

#[test]
fn a_release_check_from_before_a_restart_is_not_a_result() {
    let mut hand = Hand::finishing();
    hand.tick();
    hand.give(Input::Service(vec![GONE]));
    let begun = hand.tick();
    assert!(begun.contains(&ActKind::ReadService));
    assert_eq!(hand.phase(), DrainPhase::Checking);
    hand.give(Input::Service(vec![ServiceState::Running]));
    assert_eq!(hand.phase(), DrainPhase::Telling);
    hand.tick();
    hand.give(Input::Told(vec![Told::Yes]));
    hand.give(Input::Service(vec![ServiceState::Running]));
    hand.tick();
    hand.give(Input::Service(vec![GONE]));
    assert_eq!(hand.phase(), DrainPhase::Checking);
    hand.give(Input::ReleaseChecked(CheckResult::Passed));
    assert_eq!(
        hand.phase(),
        DrainPhase::Checking,
        "it was checked before the last recording"
    );
    hand.tick();
    hand.give(Input::ReleaseChecked(CheckResult::Passed));
    assert_eq!(hand.phase(), DrainPhase::Confirming);
}
