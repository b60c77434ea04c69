//! The order of the effects, and the stages of the explanation.

use jibri_scaler_core::{Lifecycle, Stage};

use crate::common::{Jibri, Run, all, many, plan};

#[test]
fn protect_comes_first_then_the_capacity_then_retirements() {
    let mut run = Run::new((0, 9, 3), "min_idle = 2");
    let fleet = [
        Jibri::idle("b").unprotected(),
        Jibri::busy("a").unprotected(),
        Jibri::unhealthy("x").unprotected(),
    ];
    assert_eq!(
        plan(&run.tick(0, &fleet)),
        "protect a, protect b, protect x, set 4, replace x"
    );
    let next = run.tick(30, &fleet);
    assert_eq!(
        plan(&next),
        "protect a, protect b, protect x",
        "one that is being retired may still record"
    );
}

#[test]
fn every_instance_in_service_is_protected_and_no_other() {
    let unprotected = [
        (Jibri::idle("i"), true),
        (Jibri::busy("i"), true),
        (Jibri::idle("i").refused(), true),
        (Jibri::silent("i"), true),
        (Jibri::silent("i").launched(-9999), true),
        (
            Jibri::expired("i").drain(jibri_scaler_core::DrainPath::None),
            true,
        ),
    ];
    for (jibri, protect) in unprotected {
        let decision = Run::new((0, 9, 1), "min_idle = 0").tick(0, &[jibri.clone().unprotected()]);
        assert_eq!(plan(&decision).contains("protect i"), protect, "{jibri:?}");
        let decision = Run::new((0, 9, 1), "min_idle = 0").tick(0, &[jibri]);
        assert!(!plan(&decision).contains("protect i"));
    }
    for state in Lifecycle::KNOWN
        .iter()
        .filter(|state| **state != Lifecycle::InService)
    {
        let fleet = [Jibri::idle("i").unprotected().lifecycle(state.as_str())];
        assert_eq!(
            plan(&Run::new((0, 9, 1), "min_idle = 0").tick(0, &fleet)),
            "",
            "{state}"
        );
    }
}

#[test]
fn one_listed_twice_is_protected_where_any_row_shows_it_unprotected() {
    let fleet = [Jibri::idle("i"), Jibri::idle("i").unprotected()];
    assert_eq!(
        plan(&Run::new((0, 9, 1), "min_idle = 0").tick(0, &fleet)),
        "protect i"
    );
}

/// Stage, before, after.
fn stages(decision: &jibri_scaler_core::Decision) -> Vec<(&'static str, u32, u32)> {
    let steps = decision.explanation.steps.iter();
    steps
        .map(|step| (step.stage.as_str(), step.before, step.after))
        .collect()
}

#[test]
fn a_growing_group_is_explained_with_its_capacities() {
    let mut run = Run::new((0, 12, 4), "min_idle = 30\nmax_launch = 5");
    let fleet = all(&[&many('b', 3, Jibri::busy), &many('n', 1, Jibri::silent)]);
    let decision = run.tick(0, &fleet);
    assert_eq!(plan(&decision), "set 8");
    assert_eq!(
        stages(&decision),
        [
            ("wanted_spare", 4, 33),
            ("bounds", 33, 12),
            ("launch_budget", 12, 8),
            ("surplus", 0, 0),
            ("eligible", 0, 0),
            ("headroom", 0, 0),
            ("safe_retirement", 0, 0),
            ("plan", 0, 0),
        ]
    );
}

#[test]
fn a_shrinking_group_is_explained_with_its_retirements() {
    let mut run = Run::new(
        (6, 99, 12),
        "min_idle = 1\nmax_retire = 7\nsurplus_hold = '0s'",
    );
    let idle = many('i', 8, Jibri::idle);
    let stays = Jibri::idle("j").drain(jibri_scaler_core::DrainPath::None);
    let rest = |x| [stays.clone(), Jibri::busy("b"), x, Jibri::busy("y")];
    let early = all(&[&idle, &rest(Jibri::busy("x"))]);
    run.observe(0, 30, &early);
    let napping = many('i', 3, |id| Jibri::says(id, "NAPPING", "HEALTHY"));
    run.pass(31, &all(&[&napping, &early[3..]]));
    let decision = run.tick(60, &all(&[&idle, &rest(Jibri::expired("x"))]));
    assert_eq!(
        stages(&decision)[2..],
        [
            ("launch_budget", 12, 12),
            ("surplus", 8, 8),
            ("eligible", 8, 6),
            ("headroom", 6, 6),
            ("safe_retirement", 6, 5),
            ("plan", 5, 6),
        ]
    );
}

#[test]
fn each_stage_goes_on_where_the_one_before_it_ended_and_says_why_in_numbers() {
    let fleets = [
        vec![],
        many('b', 3, Jibri::busy),
        many('i', 9, Jibri::idle),
        all(&[
            &many('u', 3, |id| Jibri::idle(id).refused()),
            &many('x', 2, Jibri::expired),
        ]),
    ];
    for fleet in fleets {
        let mut run = Run::new((1, 9, 3), "min_idle = 2");
        for secs in [0, 30, 60] {
            run.memory.assume_told(crate::common::at(secs));
            let decision = run.tick(secs, &fleet);
            let steps = &decision.explanation.steps;
            assert!(steps.iter().map(|step| step.stage).eq(Stage::ALL));
            for pair in steps
                .windows(2)
                .filter(|pair| pair[1].stage != Stage::Surplus)
            {
                assert_eq!(pair[0].after, pair[1].before, "{pair:?}");
            }
            for step in steps {
                let because = step.because.to_string();
                let numbers = because.contains(|c: char| c.is_ascii_digit());
                assert!(numbers || because.contains("blind"), "{step:?}");
            }
        }
    }
}
