//! One Jibri without an agent.

use std::sync::Arc;

use super::NONE;
use crate::{
    jibri::Supervisor,
    world::{Config, Faults, Rebinding},
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

/// The same beside a supervisor that restarts even after 255. There is no other controller: those of the company tell at any time,
/// and what matters here is how seldom a controller does (`at_once`).
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
