//! One Jibri with its agent.

use super::{NONE, direct};
use crate::{
    jibri::Supervisor,
    liveness::PATIENCE,
    world::{ANY, Config, Faults, Rebinding},
};

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

/// The same without other controllers in a group without the hook, where an agent keeps its protection and drains before it ends its instance.
pub fn unhooked() -> Config {
    Config {
        name: "one Jibri, its agent, a group without the hook",
        hook: false,
        retention: false,
        born_protected: true,
        ..agent()
    }
}

/// One that reports to a controller in a group without the hook: the controller retires it over HTTP, past its agent. Uploads work.
pub fn reporting_unhooked() -> Config {
    Config {
        name: "one Jibri, its agent that does not crash, reports of any age, one controller with HTTP, a group without the hook",
        hook: false,
        retention: false,
        born_protected: true,
        ..reporting_without_a_crash()
    }
}

/// One without a controller in a group with the hook that does not retain what is abandoned, where an agent that keeps its machine holds it at the hook. The hook
/// waits for as long as the agent is there.
pub fn unretained() -> Config {
    Config {
        name: "one Jibri, its agent that does not crash, a group that does not retain",
        retention: false,
        faults: Faults {
            agents: false,
            timeout: false,
            ..agent().faults
        },
        ..agent()
    }
}

/// One without other controllers beside a supervisor that restarts even after 255: a Jibri that is EXPIRED after its first recording, and
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
