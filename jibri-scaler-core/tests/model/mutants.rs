//! Each safety rule is removed, and the checker must find what it prevents.
//!
//! Some rules are second lines: what they prevent, another prevents too. Of those both are shown: with the rule alone removed nothing
//! is found, and with the other one gone as well it is.

use jibri_scaler_core::safeguard::Safeguard as S;

use crate::{
    configs,
    figures::{explore, say_without},
    liveness::PATIENCE,
    world::{Config, Faults, Rebinding},
};

const LOST: &str = "no recording is lost";
const LEFT: &str = "no recording is left behind";
const BELOW: &str = "never below the minimum";
const LIVE: &str = "without faults the goal is reached";

/// A Jibri that is told during its first session, reconfigured or crashed, and given a second one.
fn told_twice() -> Config {
    Config {
        sessions: 2,
        faults: Faults::default(),
        ..configs::direct()
    }
}

fn restarted() -> Config {
    Config {
        restarts: 2,
        ..told_twice()
    }
}

fn restarted_by_hand() -> Config {
    configs::told_twice()
}

/// One that never records, crashes once, moves its ports then, and is started by hand once.
fn idle_and_restarted() -> Config {
    Config {
        sessions: 0,
        ..configs::told_twice()
    }
}

fn alive(config: Config) -> Config {
    Config {
        patience: PATIENCE,
        ..config
    }
}

fn draining() -> Config {
    let config = configs::agent();
    Config {
        faults: Faults {
            calls: false,
            agents: false,
            ..config.faults
        },
        ..config
    }
}

/// Processes crash only while they are drained.
fn crashing_late() -> Config {
    let config = draining();
    Config {
        faults: Faults {
            late: true,
            finalize: false,
            by_hand: false,
            ..config.faults
        },
        ..config
    }
}

/// A Jibri that becomes unhealthy and does not answer any more.
fn silent() -> Config {
    Config {
        restarts: 0,
        faults: Faults {
            calls: true,
            system_errors: true,
            ..Faults::default()
        },
        ..configs::direct()
    }
}

fn three() -> Config {
    Config {
        machines: 3,
        max: 3,
        wanted: 2,
        ..configs::bounds()
    }
}

/// A group at its maximum size.
fn full() -> Config {
    Config {
        max: 1,
        ..configs::bounds()
    }
}

/// Somebody lowers the desired capacity to the minimum while a retirement is under way.
fn lowered() -> Config {
    Config {
        outside: 1,
        patience: PATIENCE,
        ..configs::shrinking()
    }
}

/// Two controllers at once shrink a group.
fn two_shrinking() -> Config {
    Config {
        controllers: 2,
        ..configs::shrinking()
    }
}

/// What is removed, in which configuration, and what must be found.
fn killed() -> Vec<(&'static [S], Config, &'static str)> {
    vec![
        (&[S::WaitForGone], told_twice(), LOST),
        (&[S::GoneConfirmed], told_twice(), LOST),
        (&[S::LastLook], restarted_by_hand(), LOST),
        (&[S::NotWhileItAnswers], restarted_by_hand(), LOST),
        (&[S::ToldBeforeGone], told_twice(), LOST),
        (&[S::BothPorts], told_twice(), LOST),
        (&[S::FreeIsUntold], alive(told_twice()), LIVE),
        (&[S::TellAgain], alive(idle_and_restarted()), LIVE),
        (
            &[S::ReplaceWhatIsMissing],
            configs::bounds(),
            "no decrement while spare is missing",
        ),
        (&[S::BackIsToldAgain], alive(draining()), LIVE),
        (&[S::CompleteAfterGone], handing_over(), LOST),
        (&[S::Protect], configs::protected(), LOST),
        (
            &[S::NoLoweringOfOurOwn],
            three(),
            "desired is never lowered to shrink",
        ),
        (
            &[S::CountTheComing],
            configs::bounds(),
            "no more is launched than is wanted",
        ),
        (&[S::DecrementAboveMin], lowered(), LIVE),
        (
            &[S::DecrementAboveMin],
            Config {
                patience: 0,
                ..lowered()
            },
            BELOW,
        ),
        (&[S::Headroom, S::Check], two_shrinking(), BELOW),
        (&[S::LatchFirst], draining(), LOST),
        (&[S::AgentWaitsForGone], draining(), LOST),
        (&[S::ReleaseCheck], draining(), LEFT),
        (&[S::ConfirmGone], draining(), LOST),
        (&[S::BegunInPhase], draining(), LOST),
        (&[S::KeptIsAbandoned], draining(), LEFT),
        (&[S::AbandonedWhereRetained], configs::unretained(), LEFT),
        (&[S::ProtectedWithoutHook], configs::unhooked(), LOST),
        (&[S::NoGaps], restarted(), LOST),
    ]
}

fn handing_over() -> Config {
    Config {
        channel: 0,
        outside: 1,
        faults: Faults {
            ended: true,
            ..Faults::default()
        },
        ..configs::hook_removed()
    }
}

/// Rules that are covered by another one: the rule, the other, and what is found without both.
fn covered() -> Vec<(S, &'static [S], Config, &'static str)> {
    let lowered = "desired is never lowered to shrink";
    let not_free = "only the free are retired";
    vec![
        (S::OnlyRaised, &[S::Check], configs::bounds(), lowered),
        (S::Headroom, &[S::Check], configs::shrinking(), BELOW),
        (S::OnlyTheFree, &[S::Check], configs::bounds(), not_free),
        (S::StaleIsUnknown, &[S::Check], silent(), not_free),
        (
            S::OverdueStays,
            &[S::OnlyTheTellable, S::Check],
            configs::bounds(),
            "only what can be told is retired",
        ),
        (
            S::OnlyTheTellable,
            &[S::Check],
            told_twice(),
            "only what can be told is retired",
        ),
        (
            S::MaxSize,
            &[S::Check],
            full(),
            "desired is never above the maximum",
        ),
        (S::Only255, &[S::ReleaseCheck], crashing_late(), LEFT),
    ]
}

fn found(rules: &[S], config: &Config, at_most: Option<usize>) -> Vec<&'static str> {
    let config = Config {
        rules: rules.into(),
        ..config.clone()
    };
    let figures = explore(&config, 2, at_most);
    let found: Vec<_> = figures.violations.iter().map(|(name, _)| *name).collect();
    if rules.is_empty() {
        println!("{figures}");
    } else {
        let (states, seconds) = (figures.unique, figures.took.as_secs_f64());
        let how = format!("({states} states, {seconds:.1} s: {})", figures.name);
        say_without(rules, &found, &how);
    }
    found
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_each_rule_is_needed() {
    for (rules, config, expected) in killed() {
        let found = found(rules, &config, Some(6_000_000));
        assert!(found.contains(&expected), "without {rules:?}: {found:?}");
    }
}

/// Else that it is not reached without a rule would say nothing.
#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_with_the_rules_the_goal_is_reached() {
    for config in [told_twice(), idle_and_restarted(), draining()] {
        let found = found(&[], &alive(config), None);
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
#[ignore = "explores millions of states; run on request"]
fn full_with_the_rules_the_goal_is_reached_by_a_group_that_somebody_lowers() {
    let found = found(&[], &lowered(), None);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
#[ignore = "explores millions of states; run on request"]
fn full_what_is_kept_waits_at_the_hook_while_a_tick_may_still_end_it() {
    let found = found(&[S::AbandonedLate], &configs::handed_over(), None);
    assert!(found.contains(&LEFT), "{found:?}");
}

#[test]
#[ignore = "explores millions of states; run on request"]
fn full_an_instance_is_handed_over_only_to_an_agent_that_is_heard() {
    let found = found(&[S::HandOverToTheHeard], &configs::hook_removed(), None);
    assert!(found.contains(&LOST), "{found:?}");
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_what_is_covered_twice_is_needed_once() {
    for (rule, others, config, expected) in covered() {
        let mut both = vec![rule];
        both.extend(others);
        let without_both = found(&both, &config, Some(6_000_000));
        assert!(
            without_both.contains(&expected),
            "{both:?}: {without_both:?}"
        );
    }
}

#[test]
#[ignore = "explores whole configurations; run on request"]
fn full_what_is_covered_twice_is_covered() {
    for (rule, others, config, _) in covered() {
        for rules in [&[rule][..], others] {
            let needed = killed().iter().any(|(killed, ..)| *killed == rules);
            let found = found(rules, &config, None);
            assert!(needed || found.is_empty(), "{rules:?}: {found:?}");
        }
    }
}

/// What is assumed, and that it must be: without it a controller without an agent can be deceived.
#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_the_assumptions_are_needed() {
    let moved = Config {
        rebinding: Rebinding::Always,
        ..told_twice()
    };
    let config = restarted_by_hand();
    let looping = Config {
        faults: Faults {
            loops: true,
            ..config.faults
        },
        ..config
    };
    let unretained = Config {
        retention: false,
        ..configs::agent()
    };
    let unhooked_while_relied_on = Config {
        faults: Faults {
            relied_on: true,
            ..configs::hook_removed().faults
        },
        ..configs::hook_removed()
    };
    let started_in_the_check = Config {
        faults: Faults {
            by_hand: true,
            ..configs::agent_in_company().faults
        },
        ..configs::agent_in_company()
    };
    // An agent runs the release check at the hook: without one a controller that speaks HTTP ends the instance past it.
    let unhooked = Config {
        hook: false,
        retention: false,
        faults: Faults {
            finalize: true,
            ..Faults::default()
        },
        ..configs::reporting()
    };
    // Whoever of them tells the Jibri as soon as it is back lets it be down in each look, and record in between.
    let fought_over = Config {
        company: true,
        ..configs::restarted_whatever()
    };
    for (config, expected) in [
        (fought_over, LOST),
        (moved, LOST),
        (looping, LOST),
        (unretained, LOST),
        (unhooked_while_relied_on, LOST),
        (started_in_the_check, LEFT),
        (unhooked, LEFT),
    ] {
        let found = found(&[], &config, None);
        assert!(found.contains(&expected), "{}: {found:?}", config.name);
    }
}
