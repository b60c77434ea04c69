//! The configurations that are explored. Together they have every actor that can meet another at one machine.

use std::sync::Arc;

use crate::{
    jibri::Supervisor,
    liveness::PATIENCE,
    world::{ANY, Config, Faults, Rebinding},
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
    loops: false,
    late: false,
    timeout: false,
};

/// One Jibri without an agent, and a controller that retires it over HTTP. Ports move, processes crash and are reconfigured, calls
/// fail before and after they have acted, ticks are slow, the controller crashes with and without its memory.
pub fn direct() -> Config {
    Config {
        name: "one Jibri, one controller, directly",
        machines: 1,
        launched: 1,
        sessions: 1,
        shared: false,
        controllers: 1,
        channel: 0,
        min: 0,
        max: 1,
        wanted: 0,
        agents: false,
        direct: true,
        hook: false,
        retention: false,
        supervisor: Supervisor::Systemd,
        single_use: false,
        born_protected: false,
        outside: 0,
        restarts: 1,
        rebinding: Rebinding::UntilTold,
        faults: Faults {
            calls: true,
            controllers: true,
            slow: true,
            by_hand: true,
            system_errors: true,
            ..NONE
        },
        forced: Arc::default(),
        company: false,
        rules: Arc::new([]),
        patience: 0,
        endless: false,
    }
}

/// The same beside any number of other controllers. What they do to a Jibri they may do at any time: that they end an instance only
/// on what they have seen themselves is shown in `alone`.
pub fn direct_in_company() -> Config {
    Config {
        name: "one Jibri, one controller, directly, beside any number of controllers",
        company: true,
        ..direct()
    }
}

/// The same in a group whose hook holds what is given back, until the controller lets it go. Nobody starts a Jibri by hand there.
pub fn hooked() -> Config {
    let config = direct();
    Config {
        name: "one Jibri, one controller, directly, and the hook",
        hook: true,
        retention: true,
        faults: Faults {
            by_hand: false,
            ..config.faults
        },
        ..config
    }
}

/// The same beside a supervisor that restarts even after 255. There is no other controller: one that tells the Jibri again as soon as it is
/// back lets it be down in each look, and record in between.
pub fn restarted_whatever() -> Config {
    Config {
        name: "one Jibri, one controller, directly, and a supervisor that restarts even after 255",
        supervisor: Supervisor::Stubborn,
        ..direct()
    }
}

/// One beside systemd with two controllers at once, by accident.
pub fn two_controllers() -> Config {
    Config {
        name: "one Jibri, two sessions, two controllers",
        sessions: 2,
        controllers: 2,
        restarts: 0,
        rebinding: Rebinding::Never,
        faults: NONE,
        ..direct()
    }
}

/// One controller where somebody lowers the desired capacity, or takes the machine by force.
pub fn protected() -> Config {
    Config {
        name: "one Jibri, one controller, the group and operators",
        outside: 1,
        restarts: 0,
        rebinding: Rebinding::Never,
        faults: Faults {
            calls: true,
            ..NONE
        },
        ..direct()
    }
}

/// One Jibri with its agent in a group with the hook and with retention, and no controller. The agent crashes, finalize fails or
/// detaches its upload, the hook times out, others end the instance, somebody starts the process while the check runs.
pub fn agent() -> Config {
    Config {
        name: "one Jibri, its agent, the group and its hook",
        controllers: 0,
        agents: true,
        direct: false,
        hook: true,
        retention: true,
        outside: 1,
        faults: Faults {
            calls: true,
            agents: true,
            system_errors: true,
            finalize: true,
            by_hand: true,
            ended: true,
            timeout: true,
            ..NONE
        },
        ..direct()
    }
}

/// The same beside any number of controllers. Nobody starts a Jibri by hand during the check: a recording that another controller
/// ends, and whose upload fails, all between two looks of the agent, would be left.
pub fn agent_in_company() -> Config {
    Config {
        name: "one Jibri, its agent, the group and its hook, beside any number of controllers",
        company: true,
        faults: Faults {
            by_hand: false,
            ..agent().faults
        },
        ..agent()
    }
}

/// The same without other controllers beside a supervisor that restarts even after 255: a Jibri that is EXPIRED after its first recording, and
/// is given a second one.
pub fn stubborn() -> Config {
    Config {
        name: "one Jibri for one recording, two sessions, its agent, and a supervisor that restarts even after 255",
        supervisor: Supervisor::Stubborn,
        single_use: true,
        sessions: 2,
        ..agent()
    }
}

/// One Jibri with its agent, which reports to a controller over a channel of any depth that delays, reorders, duplicates and loses;
/// the controller hands over to it, and speaks HTTP where it is silent.
pub fn reporting() -> Config {
    Config {
        name: "one Jibri, its agent, reports of any age, one controller with HTTP",
        controllers: 1,
        channel: ANY,
        direct: true,
        restarts: 0,
        rebinding: Rebinding::Never,
        faults: Faults {
            agents: true,
            channel: true,
            ended: true,
            ..NONE
        },
        ..agent()
    }
}

/// The same with two sessions, beside any number of other controllers: all actors at once.
pub fn reporting_in_company() -> Config {
    Config {
        name: "one Jibri with everybody: two sessions, its agent, reports of any age, one controller with HTTP, any number of others",
        sessions: 2,
        company: true,
        patience: PATIENCE,
        ..reporting()
    }
}

/// Two controllers at once, by accident, each with a memory of its own, which both hear the agent and hand over to it.
pub fn two_hand_over() -> Config {
    Config {
        name: "one Jibri, two sessions, its agent, reports of any age, two controllers without HTTP",
        sessions: 2,
        controllers: 2,
        direct: false,
        outside: 0,
        patience: PATIENCE,
        faults: Faults {
            agents: true,
            channel: true,
            ..NONE
        },
        ..reporting()
    }
}

/// The same beside an agent that does not crash.
pub fn two_hand_over_without_a_crash() -> Config {
    Config {
        name: "one Jibri, two sessions, its agent that does not crash, reports of any age, two controllers without HTTP",
        faults: Faults {
            channel: true,
            ..NONE
        },
        ..two_hand_over()
    }
}

/// One beside an agent that does not crash.
pub fn reporting_without_a_crash() -> Config {
    let config = reporting();
    Config {
        name: "one Jibri, its agent that does not crash, reports of any age, one controller with HTTP",
        faults: Faults {
            agents: false,
            ..config.faults
        },
        ..config
    }
}

/// One whose uploads fail, beside an agent that the controller does not hear: it retires the Jibri over HTTP, and lets go what the agent may
/// be keeping.
pub fn unheard() -> Config {
    Config {
        name: "one Jibri, its agent that is not heard, one controller with HTTP, uploads that fail",
        channel: 0,
        outside: 0,
        faults: Faults {
            finalize: true,
            slow: true,
            ..NONE
        },
        ..reporting()
    }
}

/// One report under way at a time, which is not lost, and a controller without HTTP: it hands over, also while the agent
/// leaves by itself and keeps what it has not uploaded.
pub fn handed_over() -> Config {
    Config {
        name: "one Jibri, its agent, reports one at a time, one controller without HTTP",
        direct: false,
        born_protected: true,
        outside: 0,
        channel: 1,
        faults: Faults {
            finalize: true,
            ..NONE
        },
        ..reporting()
    }
}

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

/// A Jibri that is told during its first session, reconfigured or crashed, and given a second one.
pub fn told_twice() -> Config {
    Config {
        name: "one Jibri, two sessions, two restarts, one controller",
        sessions: 2,
        restarts: 2,
        faults: Faults {
            by_hand: true,
            ..NONE
        },
        ..direct()
    }
}

/// One that is EXPIRED after its first recording, and accepts another one.
pub fn expired() -> Config {
    Config {
        name: "one Jibri for one recording, two sessions, two restarts, one controller",
        single_use: true,
        ..told_twice()
    }
}

/// A controller that hands over to an agent while somebody deletes the hook, and that comes back when it is gone.
pub fn hook_removed() -> Config {
    Config {
        name: "one Jibri, its agent, reports one at a time, one controller without HTTP, a hook that somebody deletes",
        direct: false,
        channel: 1,
        faults: Faults {
            controllers: true,
            hook_removed: true,
            ..NONE
        },
        ..reporting()
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
