//! The configurations that are explored. Together they have every actor that can meet another at one machine.

mod by_agent;
mod direct;
mod several;

pub use by_agent::*;
pub use direct::*;
pub use several::*;

use crate::{
    liveness::PATIENCE,
    world::{Config, Faults},
};

/// Nothing goes wrong.
pub const NONE: Faults = Faults {
    calls: false,
    controllers: false,
    agents: false,
    system_errors: false,
    finalize: false,
    channel: false,
    by_hand: false,
    slow: false,
    old_listing: false,
    lagging: false,
    ended: false,
    hook_removed: false,
    relied_on: false,
    loops: false,
    late: false,
    timeout: false,
};

/// All that are explored whole on request.
pub fn all() -> Vec<Config> {
    let alive = |config| Config {
        patience: PATIENCE,
        ..config
    };
    let endless = |config, name| Config {
        name,
        endless: true,
        ..config
    };
    let all = vec![
        direct(),
        direct_in_company(),
        hooked(),
        restarted_whatever(),
        told_twice(),
        Config {
            name: "one Jibri, two sessions, two restarts, one controller, beside any number of controllers",
            company: true,
            ..told_twice()
        },
        expired(),
        two_controllers(),
        protected(),
        agent(),
        agent_in_company(),
        unhooked(),
        unretained(),
        stubborn(),
        Config {
            name: "one Jibri, two sessions, its agent, the group and its hook",
            sessions: 2,
            ..agent()
        },
        Config {
            name: "one Jibri, two sessions, its agent, beside any number of controllers",
            sessions: 2,
            ..agent_in_company()
        },
        Config {
            name: "one Jibri, two controllers, calls that fail",
            sessions: 1,
            faults: Faults {
                calls: true,
                ..NONE
            },
            ..two_controllers()
        },
        handed_over(),
        Config {
            name: "one Jibri, its agent, the group and its hook, at the minimum size",
            min: 1,
            ..agent()
        },
        bounds(),
        endless(
            bounds(),
            "two Jibris, one controller: bounds, recordings never end",
        ),
        shrinking(),
        endless(
            shrinking(),
            "two Jibris, one controller: shrinking, recordings never end",
        ),
        draining_beside(),
        agents_shrinking(),
        hook_removed(),
        unheard(),
        shrinking_badly(),
        reporting_without_a_crash(),
        reporting_unhooked(),
    ];
    all.into_iter().map(alive).collect()
}

/// Three more, which are searched depth first.
pub fn largest() -> [Config; 3] {
    [
        two_hand_over_without_a_crash(),
        reporting_bounds(),
        reporting(),
    ]
    .map(|config| Config {
        patience: PATIENCE,
        ..config
    })
}
