use stateright::{Checker as _, HasDiscoveries};

use super::*;
use crate::figures::say_without;

/// Explores a controller in any world. Returns what it did without evidence.
fn explore(any: AnyWorld) -> Vec<&'static str> {
    let begun = crate::figures::now();
    let rules = Arc::clone(&any.config.rules);
    let world = if any.config.direct {
        "any world"
    } else {
        "any world without HTTP"
    };
    let checker = any
        .checker()
        .threads(crate::threads())
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    let seconds = begun.elapsed().as_secs_f64();
    let discoveries = checker.discoveries();
    let found: Vec<_> = discoveries.keys().copied().collect();
    if rules.is_empty() {
        println!(
            "model: {states:>9} states, depth {depth:>3}, {seconds:>7.1} s  a controller in {world}"
        );
        for (name, path) in discoveries {
            println!("{name}: {:#?}", path.into_actions());
        }
    } else {
        let how = format!("({states} states, {seconds:.1} s: a controller in {world})");
        say_without(&rules, &found, &how);
    }
    found
}

const IDLE: Probe = said(Busy::Idle, true);
const UNHEALTHY: Probe = said(Busy::Idle, false);
const BUSY: Probe = said(Busy::Busy, true);
const EXPIRED: Probe = said(Busy::Expired, true);
const DOWN: Probe = Probe::Refused;

const TOLD: Step = Step::Answer(Outcome::Seen(0, Seen::Told(Told::Yes)));
const REFUSES: Step = Step::Answer(Outcome::Seen(0, Seen::Looked(Presence::BothRefuse)));
const REFUSES_STILL: Step = Step::Answer(Outcome::Seen(0, Seen::LookedLast(Presence::BothRefuse)));
const DONE: Step = Step::Answer(Outcome::Done(Ok(())));

const fn said(busy: Busy, healthy: bool) -> Probe {
    Probe::Answered(Status { busy, healthy }, true)
}

const fn tick(probe: Probe) -> Step {
    tick_at(Place::InService, probe)
}

const fn tick_at(place: Place, probe: Probe) -> Step {
    Step::Tick(Scene {
        machine: Shown {
            place,
            protected: true,
            probe,
        },
        desired: 1,
        has_hook: true,
        unsaved: false,
    })
}

/// Lives these steps, each of which must be possible, without these rules. Returns what was done without evidence, and the last call.
fn live(rules: &[Safeguard], steps: &[Step]) -> (Option<&'static str>, Option<Call>) {
    let any = any_world(rules);
    let mut state = any.init_states().remove(0);
    for step in steps {
        let mut possible = Vec::new();
        state.saves.clear();
        any.actions(&state, &mut possible);
        let mut step = *step;
        if let Step::Tick(scene) = &mut step {
            scene.machine = any.alike(&state.controller, scene.machine);
        }
        assert!(possible.contains(&step), "{step:?} of {possible:?}");
        state = any.next_state(&state, step).unwrap_or(state);
    }
    (state.unfounded, state.controller.call())
}

/// The way that the exploration found before such a tick counted as one without a look.
#[test]
fn one_that_answers_while_the_memory_cannot_be_saved_has_not_refused_without_a_gap() {
    let Step::Tick(idle) = tick(IDLE) else {
        unreachable!()
    };
    let unsaved = Step::Tick(Scene {
        unsaved: true,
        ..idle
    });
    let before = [
        tick(UNHEALTHY),
        TOLD,
        Step::Pass,
        tick(DOWN),
        REFUSES,
        Step::Pass,
        unsaved,
        Step::Pass,
        tick(DOWN),
        REFUSES,
        Step::Pass,
        tick(DOWN),
    ];
    let (unfounded, call) = live(&[], &before);
    assert_eq!(unfounded, None);
    assert!(is_look(call.as_ref()), "not yet gone: {call:?}");
    let mut steps = before.to_vec();
    steps.extend([REFUSES_STILL, DONE]);
    let (unfounded, _) = live(&[Safeguard::NoGaps], &steps);
    assert_eq!(unfounded, Some("ended"));
}

fn is_look(call: Option<&Call>) -> bool {
    matches!(call, Some(Call::Jibris(errands)) if errands[0].question == Question::Look)
}

/// A way to a machine that was given back in vain: the act was lost, and the listing shows that.
const GIVEN_BACK_IN_VAIN: [Step; 17] = [
    tick(UNHEALTHY),
    TOLD,
    Step::Pass,
    tick(BUSY),
    Step::Pass,
    tick(DOWN),
    REFUSES,
    Step::Pass,
    Step::Pass,
    tick(DOWN),
    REFUSES,
    Step::Pass,
    tick(DOWN),
    REFUSES_STILL,
    DONE,
    Step::Pass,
    Step::Pass,
];

/// The way that the exploration found before one that was given back in vain refused anew: it has answered meanwhile.
#[test]
fn one_that_was_given_back_in_vain_has_not_refused_without_a_gap() {
    let (mut before, mut then) = (GIVEN_BACK_IN_VAIN.to_vec(), GIVEN_BACK_IN_VAIN.to_vec());
    before.extend([tick(EXPIRED), Step::Pass, tick(DOWN)]);
    then.extend([tick(DOWN), Step::Pass, tick(EXPIRED)]);
    for mut steps in [before, then] {
        steps.extend([Step::Pass, tick(DOWN), REFUSES_STILL]);
        assert_eq!(live(&[], &steps), (None, None), "it refuses anew");
        steps.push(DONE);
        let (unfounded, _) = live(&[Safeguard::NoGaps], &steps);
        assert_eq!(unfounded, Some("ended"));
    }
}

#[test]
fn the_hook_of_what_was_given_back_is_let_go_after_some_time_and_not_before() {
    let held = tick_at(Place::Waiting(0), DOWN);
    let mut steps = GIVEN_BACK_IN_VAIN[..15].to_vec();
    steps.extend([Step::Pass, Step::Pass, held]);
    assert_eq!(
        live(&[], &steps),
        (None, None),
        "its agent may be there yet"
    );
    steps.extend([Step::Pass, held]);
    let (unfounded, call) = live(&[], &steps);
    assert_eq!(unfounded, None);
    assert!(matches!(call, Some(Call::Complete(_))), "{call:?}");
    steps.push(DONE);
    assert_eq!(live(&[], &steps), (None, None));
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_a_controller_keeps_the_promises_in_any_world() {
    let mut without_http = any_world(&[]);
    without_http.config.direct = false;
    for any in [any_world(&[]), without_http] {
        let unfounded = explore(any);
        assert!(unfounded.is_empty(), "{unfounded:?}");
    }
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_a_controller_in_any_world_needs_its_rules() {
    use Safeguard as S;
    for (rule, expected) in [
        (S::WaitForGone, "ended only"),
        (S::GoneConfirmed, "ended only"),
        (S::ToldBeforeGone, "ended only"),
        (S::HandOverToTheHeard, "ended only"),
        (S::CompleteAfterGone, "the hook ends"),
        (S::LastLook, "ended only"),
        (S::NotWhileItAnswers, "ended only"),
        (S::NoGaps, "ended only"),
        (S::TellSeldom, "told only"),
    ] {
        let unfounded = explore(any_world(&[rule]));
        let is_expected = unfounded.iter().any(|it| it.contains(expected));
        assert!(is_expected, "without {rule:?}: {unfounded:?}");
    }
}
