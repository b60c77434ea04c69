use std::collections::BTreeSet;

use super::*;

const CRASHED: ServiceState = ServiceState::Ended { code: Some(1) };
const GONE: ServiceState = ServiceState::Ended { code: Some(255) };

fn told() -> Drain {
    let mut drain = Drain::new(true);
    drain.latched();
    drain.told(Told::Yes);
    drain
}

fn gone() -> Drain {
    let mut drain = told();
    drain.process(DrainPhase::Finishing, GONE);
    drain
}

fn releasing() -> Drain {
    let mut drain = gone();
    drain.checked(DrainPhase::Checking, &CheckResult::Passed);
    drain.process(DrainPhase::Confirming, GONE);
    drain
}

#[test]
fn nothing_is_told_before_the_latch() {
    let mut drain = Drain::new(true);
    drain.told(Told::Yes);
    drain.process(DrainPhase::Latching, GONE);
    assert_eq!(drain.next(Place::Held), DrainAct::SetLatch);
    drain.latched();
    drain.process(DrainPhase::Latching, GONE);
    assert_eq!(
        drain.next(Place::Held),
        DrainAct::Tell,
        "that look was begun before the latch was set"
    );
}

#[test]
fn only_an_end_with_255_is_an_end() {
    for code in [Some(0), Some(1), Some(143), None] {
        let mut drain = told();
        drain.process(DrainPhase::Finishing, ServiceState::Ended { code });
        assert_eq!(drain.phase(), DrainPhase::Kept(Keep::Crashed), "{code:?}");
        drain.checked(drain.phase(), &CheckResult::Passed);
        assert_eq!(drain.phase(), DrainPhase::Kept(Keep::Crashed));
        for place in [Place::Held, Place::Retained] {
            assert_eq!(drain.next(place), DrainAct::Watch);
        }
        assert_eq!(drain.next(Place::InService), DrainAct::Watch);
    }
    let mut drain = told();
    for nothing in [ServiceState::Unknown, ServiceState::Running] {
        drain.process(DrainPhase::Finishing, nothing);
        assert_eq!(drain.phase(), DrainPhase::Finishing);
    }
}

#[test]
fn what_never_ran_needs_no_end_and_what_did_needs_one() {
    let mut never = Drain::new(true);
    never.latched();
    let mut ran = never.clone();
    never.process(DrainPhase::Telling, ServiceState::NotStarted);
    assert_eq!(never.phase(), DrainPhase::Checking);
    ran.process(DrainPhase::Telling, ServiceState::Running);
    ran.process(DrainPhase::Telling, ServiceState::NotStarted);
    assert_eq!(ran.phase(), DrainPhase::Kept(Keep::Crashed));
    let latch = Latch::new(crate::Timestamp::from_secs(0), "", true);
    let mut resumed = Drain::resumed(&latch);
    resumed.process(DrainPhase::Telling, ServiceState::NotStarted);
    assert_eq!(resumed.phase(), DrainPhase::Kept(Keep::Crashed));
    let mut pooled = Drain::resumed(&latch.with_to_pool(true));
    pooled.process(DrainPhase::Telling, ServiceState::NotStarted);
    assert_eq!(pooled.phase(), DrainPhase::Checking);
}

#[test]
fn one_that_is_free_since_it_was_told_was_restarted() {
    let mut drain = told();
    drain.answered(DrainPhase::Telling, false);
    drain.answered(DrainPhase::Finishing, true);
    assert_eq!(drain.phase(), DrainPhase::Finishing);
    drain.answered(DrainPhase::Finishing, false);
    assert_eq!(drain.next(Place::Held), DrainAct::Tell);
}

#[test]
fn nothing_is_given_back_while_anybody_is_there() {
    let mut confirming = gone();
    confirming.checked(DrainPhase::Checking, &CheckResult::Passed);
    let mut kept = gone();
    kept.checked(DrainPhase::Checking, &CheckResult::Failed(String::new()));
    for drain in [gone(), confirming, releasing(), kept] {
        let phase = drain.phase();
        let mut runs = drain.clone();
        runs.process(phase, ServiceState::Running);
        assert_eq!(runs.phase(), DrainPhase::Telling, "{phase:?}");
        for busy in [false, true] {
            let mut answers = drain.clone();
            answers.answered(DrainPhase::Finishing, busy);
            assert_eq!(answers.phase(), phase, "that reading is older than its end");
            answers.answered(phase, busy);
            assert_eq!(answers.phase(), DrainPhase::Telling, "{phase:?}");
        }
        let mut crashes = drain.clone();
        crashes.process(phase, CRASHED);
        assert_eq!(
            crashes.phase(),
            DrainPhase::Kept(Keep::Crashed),
            "{phase:?}"
        );
    }
}

#[test]
fn gone_is_seen_twice() {
    let mut drain = gone();
    drain.checked(DrainPhase::Checking, &CheckResult::Passed);
    drain.process(DrainPhase::Checking, GONE);
    assert_eq!(
        drain.phase(),
        DrainPhase::Confirming,
        "a look from before the check had passed"
    );
    drain.process(DrainPhase::Confirming, GONE);
    assert_eq!(drain.phase(), DrainPhase::Releasing);
}

#[test]
fn a_check_that_fails_or_never_ends_keeps_the_machine_until_one_passes() {
    let failed = CheckResult::Failed("two files".into());
    let unclear = CheckResult::Inconclusive("it hangs".into());
    let mut drain = gone();
    drain.checked(DrainPhase::Checking, &unclear);
    drain.checked(DrainPhase::Checking, &unclear);
    assert_eq!(drain.phase(), DrainPhase::Checking);
    drain.checked(DrainPhase::Checking, &unclear);
    assert_eq!(drain.phase(), DrainPhase::Kept(Keep::CheckFailed));
    let mut drain = gone();
    drain.checked(DrainPhase::Checking, &failed);
    for place in [Place::Held, Place::Retained] {
        assert_eq!(drain.next(place), DrainAct::CheckRelease);
    }
    drain.checked(DrainPhase::Checking, &CheckResult::Passed);
    assert_eq!(
        drain.phase(),
        DrainPhase::Kept(Keep::CheckFailed),
        "that check is an older one"
    );
    drain.checked(drain.phase(), &CheckResult::Passed);
    assert_eq!(drain.phase(), DrainPhase::Confirming);
}

#[test]
fn only_what_is_kept_at_the_hook_for_long_is_abandoned_and_where_the_group_retains() {
    let kept = |why| Drain {
        phase: DrainPhase::Kept(why),
        ..releasing()
    };
    let drains = [
        Drain::new(true),
        told(),
        gone(),
        releasing(),
        kept(Keep::Crashed),
        kept(Keep::CheckFailed),
    ];
    let places = [
        Place::Unknown,
        Place::InService,
        Place::Leaving,
        Place::Held,
        Place::Retained,
        Place::Ending,
        Place::Elsewhere,
    ];
    let second = Duration::from_secs(1);
    for drain in drains {
        for place in places {
            for kept_for in [ABANDONED_AFTER, ABANDONED_AFTER.saturating_sub(second)] {
                for retains in [true, false] {
                    let is_kept = matches!(drain.phase, DrainPhase::Kept(_));
                    let is_due = kept_for == ABANDONED_AFTER && retains;
                    assert_eq!(
                        drain.may_be_abandoned(place, kept_for, retains),
                        is_kept && place == Place::Held && is_due,
                        "{drain:?} {place:?} {kept_for:?} {retains}"
                    );
                }
            }
        }
    }
}

#[test]
fn how_it_is_given_back_depends_on_where_it_is() {
    let mut drain = releasing();
    let cases = [
        (Place::Unknown, DrainAct::LookAtGroup),
        (Place::Leaving, DrainAct::LookAtGroup),
        (Place::Held, DrainAct::Complete),
        (Place::Retained, DrainAct::End(Decrement::No)),
        (Place::InService, DrainAct::End(Decrement::No)),
        (Place::Ending, DrainAct::Watch),
        (Place::Elsewhere, DrainAct::Watch),
    ];
    for (place, act) in cases {
        assert_eq!(drain.next(place), act, "{place:?}");
    }
    drain.released();
    assert_eq!(drain.next(Place::InService), DrainAct::Rest);
    let mut smaller = Drain::new(false);
    smaller.phase = DrainPhase::Releasing;
    assert_eq!(
        smaller.next(Place::InService),
        DrainAct::End(Decrement::Yes)
    );
    assert_eq!(smaller.next(Place::Retained), DrainAct::End(Decrement::No));
    smaller.keep_size();
    assert_eq!(smaller.next(Place::InService), DrainAct::End(Decrement::No));
}

/// A machine as it really is, with a drain beside it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Machine {
    drain: Drain,
    latch: bool,
    process: ServiceState,
    session: bool,
    told: bool,
    /// Something is left that was not uploaded.
    left: bool,
    /// A look at the process, and one at the health, that is under way: what it will say, and when it was begun.
    look: Option<(DrainPhase, ServiceState)>,
    /// A release check that is under way.
    check: Option<(DrainPhase, bool)>,
    reading: Option<(DrainPhase, bool)>,
    /// How often it may still crash, be restarted against the latch, and take a recording.
    crashes: u8,
    restarts: u8,
    sessions: u8,
    agents: u8,
    /// Whether its supervisor heeds the latch.
    heeds: bool,
}

impl Machine {
    fn runs(&self) -> bool {
        self.process == ServiceState::Running
    }

    fn end(&mut self, code: Option<i32>) {
        self.process = ServiceState::Ended { code };
        self.told = false;
        // Without a latch a supervisor may bring it back.
        if !self.latch && code != Some(TOLD_TO_END) {
            self.process = ServiceState::Running;
        }
    }

    /// All that may happen next.
    fn next(&self) -> Vec<Self> {
        let mut all = self.world();
        all.extend(self.agent());
        all
    }

    /// All that may happen without the agent, and its end.
    fn world(&self) -> Vec<Self> {
        let mut all = vec![];
        let mut may = |change: &dyn Fn(&mut Self)| {
            let mut next = self.clone();
            change(&mut next);
            all.push(next);
        };
        if self.runs() && !self.session && self.sessions > 0 {
            may(&|m| {
                m.session = true;
                m.sessions -= 1;
            });
        }
        if self.session {
            for uploaded in [true, false] {
                may(&|m| {
                    m.session = false;
                    m.left |= !uploaded;
                    if m.told {
                        m.end(Some(TOLD_TO_END));
                    }
                });
            }
        }
        if self.runs() && self.crashes > 0 {
            may(&|m| {
                m.crashes -= 1;
                m.left |= m.session;
                m.session = false;
                m.end(Some(1));
            });
        }
        if !self.runs() && self.restarts > 0 {
            may(&|m| {
                m.restarts -= 1;
                m.process = ServiceState::Running;
            });
        }
        if self.agents > 0 {
            may(&|m| {
                let latch = Latch::new(crate::Timestamp::from_secs(0), "", true);
                m.drain = if m.latch {
                    Drain::resumed(&latch)
                } else {
                    Drain::new(true)
                };
                m.agents -= 1;
                (m.look, m.check, m.reading) = (None, None, None);
            });
        }
        all
    }

    /// All that the agent may do and be told next.
    fn agent(&self) -> Vec<Self> {
        let mut all = vec![];
        let mut may = |change: &dyn Fn(&mut Self)| {
            let mut next = self.clone();
            change(&mut next);
            all.push(next);
        };
        let phase = self.drain.phase();
        if self.look.is_none() {
            may(&|m| m.look = Some((phase, m.process)));
        }
        if self.reading.is_none() && self.runs() {
            // BUSY is published late: a recording that has begun may still read as free.
            may(&|m| m.reading = Some((phase, m.session)));
            may(&|m| m.reading = Some((phase, false)));
        }
        if let Some((begun, state)) = self.look {
            may(&|m| {
                m.look = None;
                m.with(|drain| drain.process(begun, state));
            });
        }
        if let Some((begun, busy)) = self.reading {
            may(&|m| {
                m.reading = None;
                m.with(|drain| drain.answered(begun, busy));
            });
        }
        if let Some((begun, left)) = self.check {
            let result = if left {
                CheckResult::Failed(String::new())
            } else {
                CheckResult::Passed
            };
            let unclear = CheckResult::Inconclusive(String::new());
            for result in [result, unclear] {
                may(&|m| {
                    m.check = None;
                    m.with(|drain| drain.checked(begun, &result));
                });
            }
        }
        match self.drain.next(Place::Held) {
            DrainAct::SetLatch => {
                may(&|m| {
                    m.latch = true;
                    m.with(Drain::latched);
                });
                // It was set, and the agent does not know.
                may(&|m| m.latch = true);
            }
            DrainAct::Tell => {
                let took = self.runs();
                may(&|m| {
                    m.told |= took;
                    if took && !m.session {
                        m.end(Some(TOLD_TO_END));
                    }
                    m.with(|drain| drain.told(if took { Told::Yes } else { Told::Refused }));
                });
                may(&|m| m.with(|drain| drain.told(Told::Unknown)));
            }
            DrainAct::CheckRelease if self.check.is_none() => {
                may(&|m| m.check = Some((phase, m.left)));
            }
            _ => {}
        }
        all
    }

    fn with(&mut self, change: impl FnOnce(&mut Drain)) {
        let before = self.drain.phase();
        change(&mut self.drain);
        let changed = before != self.drain.phase();
        if let (true, Some((begun, _))) = (changed, &mut self.look) {
            *begun = DrainPhase::Latching;
        }
        if let (true, Some((begun, _))) = (changed, &mut self.check) {
            *begun = DrainPhase::Latching;
        }
    }

    /// Whether the next act gives the machine back.
    fn is_given_back(&self) -> bool {
        self.drain.next(Place::Held) == DrainAct::Complete
    }
}

/// Every order of events on one machine, with a stale look and a stale reading under way, agents that are restarted, a supervisor that
/// restarts against the latch, crashes, uploads that fail: nothing is given back with a recording on it.
#[test]
fn nothing_is_given_back_with_a_recording_on_it() {
    let start = |restarts| Machine {
        drain: Drain::new(true),
        latch: false,
        process: ServiceState::Running,
        session: false,
        told: false,
        left: false,
        look: None,
        check: None,
        reading: None,
        crashes: 1,
        restarts,
        sessions: 2,
        agents: 1,
        heeds: restarts == 0,
    };
    // With a latch that holds, and with one that something ignores once.
    let mut open: Vec<Machine> = vec![start(0), start(1)];
    let mut seen = BTreeSet::new();
    let (mut released, mut kept) = (0, 0);
    while let Some(machine) = open.pop() {
        if !seen.insert(format!("{machine:?}")) {
            continue;
        }
        let is_abandoned = machine
            .drain
            .may_be_abandoned(Place::Held, ABANDONED_AFTER, true);
        kept += u32::from(is_abandoned);
        for next in machine.next() {
            if next.is_given_back() && !machine.is_given_back() {
                released += 1;
                assert!(next.latch, "{next:?}");
                // Against a supervisor that starts it in spite of the latch just now no look helps.
                assert!(!next.heeds || next.process == GONE, "{next:?}");
                assert!(!next.left || next.process != GONE, "{next:?}");
            }
            open.push(next);
        }
    }
    assert!(
        released > 50 && kept > 100,
        "{released} {kept} {}",
        seen.len()
    );
}
