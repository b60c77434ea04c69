//! Several Jibris, and what is walked through at random.

use super::{NONE, agent, direct};
use crate::{
    jibri::Supervisor,
    world::{ANY, Config, Faults, Rebinding},
};

/// Two Jibris, of which one is there, and one is wanted idle: bounds, growth, and what blocks what.
pub fn bounds() -> Config {
    Config {
        name: "two Jibris, one controller: bounds and blocking",
        machines: 2,
        launched: 1,
        max: 2,
        wanted: 1,
        restarts: 0,
        rebinding: Rebinding::Never,
        born_protected: true,
        faults: Faults {
            old_listing: true,
            lagging: true,
            ..NONE
        },
        ..direct()
    }
}

/// Two idle Jibris in a group that may not become smaller than one.
pub fn shrinking() -> Config {
    Config {
        name: "two Jibris, one controller: shrinking to the minimum",
        launched: 2,
        min: 1,
        wanted: 0,
        ..bounds()
    }
}

/// Two idle Jibris in such a group, whose calls fail before and after they have acted.
pub fn shrinking_badly() -> Config {
    Config {
        name: "two Jibris, one controller, calls that fail: shrinking to the minimum",
        faults: Faults {
            calls: true,
            ..shrinking().faults
        },
        ..shrinking()
    }
}

/// More slots than the group may have in service: what drains is there beside it. In this group the hook holds it.
pub fn draining_beside() -> Config {
    Config {
        name: "three slots, two Jibris at most, one controller, the hook: running beside draining",
        machines: 3,
        hook: true,
        retention: true,
        ..bounds()
    }
}

/// Two Jibris with their agents and the hook, of which one is there, and one is wanted idle. Their reports come in at any time, and the
/// controller hands over to the agents. There is one session, for either.
pub fn reporting_bounds() -> Config {
    Config {
        name: "two Jibris, one session, their agents, the hook, reports of any age, one controller without HTTP: bounds",
        agents: true,
        direct: false,
        hook: true,
        retention: true,
        channel: ANY,
        shared: true,
        faults: Faults {
            old_listing: true,
            ..NONE
        },
        ..bounds()
    }
}

/// Two idle Jibris with their agents, which shrink the group by themselves, down to its minimum.
pub fn agents_shrinking() -> Config {
    Config {
        name: "two Jibris, their agents, the group and its hook: shrinking to the minimum",
        machines: 2,
        launched: 2,
        max: 2,
        min: 1,
        restarts: 0,
        outside: 0,
        faults: NONE,
        ..agent()
    }
}

/// Three Jibris, two sessions each, two controllers, and nearly everything that may go wrong: too large to be explored.
pub fn three() -> Config {
    Config {
        name: "three Jibris, two sessions, their agents, two controllers, at random",
        machines: 3,
        launched: 2,
        sessions: 2,
        controllers: 2,
        channel: 2,
        max: 3,
        wanted: 1,
        agents: true,
        hook: true,
        retention: true,
        outside: 2,
        restarts: 3,
        born_protected: true,
        faults: Faults {
            calls: true,
            controllers: true,
            agents: true,
            system_errors: true,
            finalize: true,
            channel: true,
            by_hand: true,
            slow: true,
            old_listing: true,
            ended: true,
            timeout: true,
            ..NONE
        },
        ..direct()
    }
}

/// The literal product: one Jibri with every actor, and nearly everything that may go wrong. It is walked through at random, and its parts
/// are explored.
pub fn product() -> Config {
    Config {
        name: "one Jibri, two sessions, its agent, reports, two controllers, at random",
        machines: 1,
        launched: 1,
        max: 1,
        wanted: 0,
        born_protected: false,
        ..three()
    }
}

/// What can't all be there at once in a walk is there by turns: a hook that somebody deletes, where uploads work and no Jibri crashes; a Jibri that is EXPIRED
/// after a recording; listings that lag; and a supervisor that restarts even after 255, with controllers that only hand over, where the hook
/// is deleted too.
pub fn varied(config: Config, seed: u64) -> Config {
    match seed % 4 {
        0 => Config {
            restarts: 0,
            faults: Faults {
                hook_removed: true,
                finalize: false,
                ..config.faults
            },
            ..config
        },
        1 => Config {
            single_use: true,
            ..config
        },
        2 => Config {
            faults: Faults {
                lagging: true,
                slow: false,
                ..config.faults
            },
            ..config
        },
        3 => Config {
            supervisor: Supervisor::Stubborn,
            direct: false,
            faults: Faults {
                hook_removed: true,
                ..config.faults
            },
            ..config
        },
        _ => config,
    }
}
