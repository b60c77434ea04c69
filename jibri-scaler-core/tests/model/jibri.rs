//! A Jibri as it really behaves, and the supervisor that keeps its process.
//!
//! Every quirk here was read in Jibri's source: BUSY is published late, one lock joins starting a session and `gracefulShutdown`,
//! the finalize script runs inside BUSY, one slot holds what is to happen after the session (the last writer wins), an EXPIRED
//! Jibri still accepts, UNHEALTHY lasts until a restart, and the health port is opened last.

/// The work of a Jibri.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    Free,
    /// It has accepted a session, and has not published BUSY yet: Chrome is being started.
    Accepted,
    Recording,
    /// The finalize script uploads what was recorded; the lock is held.
    Finalizing,
}

/// What it publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::enum_variant_names, reason = "so the values are named")]
pub enum Busy {
    Idle,
    Busy,
    Expired,
}

/// The body of a health answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    pub busy: Busy,
    pub healthy: bool,
}

impl Status {
    pub const IDLE: Self = Self {
        busy: Busy::Idle,
        healthy: true,
    };

    pub fn is_idle(self) -> bool {
        self == Self::IDLE
    }
}

/// What is to happen at the end of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    Nothing,
    /// `gracefulShutdown`: it exits with 255.
    End,
    /// `notifyConfigChanged`: it exits with 0, and its supervisor starts it again.
    Restart,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    Told,
    Config,
    Crash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    NotStarted,
    Up,
    /// It has ended. `restart` is the number of time units since it ended where its supervisor starts it again.
    Ended {
        exit: Exit,
        restart: Option<u8>,
    },
}

/// Which ports a controller reaches: each is bound to loopback, or not, by a setting of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    pub health: bool,
    pub internal: bool,
}

impl Binding {
    pub const OPEN: Self = Self {
        health: true,
        internal: true,
    };
}

/// What the supervisor does when the process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Supervisor {
    /// systemd with `RestartPreventExitStatus=255`, as Jibri's package ships it.
    Systemd,
    /// A container runtime that restarts whatever ends, after a while.
    Stubborn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says of another thing whether it is so"
)]
pub struct Jibri {
    pub process: Process,
    pub work: Work,
    pub shown: Status,
    slot: Slot,
    /// A `gracefulShutdown` that waits for the lock while the finalize script runs.
    blocked: bool,
    /// Whether the health port is open: it is opened last, and a session may come before.
    health_open: bool,
    pub binding: Binding,
    /// Whether an upload that finalize has detached is under way.
    pub uploading: bool,
    /// Whether a recording lies on the disk that nobody uploads.
    pub unsaved: bool,
    /// How many sessions may yet come to this machine.
    pub sessions: u8,
    /// How many units ago a process ended here last, or was started again, up to [`SETTLED`].
    ended_ago: u8,
}

/// A process that was started again runs for so many units before it ends: longer than two looks are apart (`report_ttl`), a slow tick
/// and a restart. One that ends sooner could be down in each look, and up between.
const SETTLED: u8 = 5;

/// How a finalize script ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finalize {
    Uploaded,
    /// Jibri ignores its exit code, so that nobody sees it but the release check.
    Failed,
    /// It returns while the upload goes on, which ends with the process.
    Detached,
}

/// What came of a `gracefulShutdown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Post {
    Took,
    Blocked,
    Refused,
}

impl Jibri {
    pub fn new(sessions: u8) -> Self {
        Self {
            process: Process::NotStarted,
            work: Work::Free,
            shown: Status::IDLE,
            slot: Slot::Nothing,
            blocked: false,
            health_open: false,
            binding: Binding::OPEN,
            uploading: false,
            unsaved: false,
            sessions,
            ended_ago: SETTLED,
        }
    }

    /// Time passes.
    pub fn pass(&mut self) {
        self.ended_ago = SETTLED.min(self.ended_ago + 1);
        if let Process::Ended {
            restart: Some(age), ..
        } = &mut self.process
        {
            *age += 1;
        }
    }

    /// Nobody asks any more when it ended.
    pub fn settle(&mut self) {
        self.ended_ago = SETTLED;
    }

    pub fn has_settled(&self) -> bool {
        self.ended_ago == SETTLED
    }

    pub fn is_up(&self) -> bool {
        self.process == Process::Up
    }

    /// Whether a session, or its upload, is in progress.
    pub fn is_working(&self) -> bool {
        self.work != Work::Free || self.uploading
    }

    /// The health, as read on the machine itself.
    pub fn health(&self) -> Option<Status> {
        (self.is_up() && self.health_open).then_some(self.shown)
    }

    pub fn can_start(&self) -> bool {
        match self.process {
            Process::NotStarted => true,
            Process::Up => false,
            Process::Ended { restart, .. } => restart.is_some(),
        }
    }

    pub fn start(&mut self, binding: Binding) {
        let is_first = self.process == Process::NotStarted;
        *self = Self {
            process: Process::Up,
            binding,
            unsaved: self.unsaved,
            ended_ago: if is_first { SETTLED } else { 0 },
            ..Self::new(self.sessions)
        };
    }

    pub fn can_open_health(&self) -> bool {
        self.is_up() && !self.health_open
    }

    pub fn open_health(&mut self) {
        self.health_open = true;
    }

    /// Also while it shows EXPIRED or UNHEALTHY: only the lock decides.
    pub fn can_accept(&self) -> bool {
        self.is_up() && self.work == Work::Free && self.sessions > 0
    }

    pub fn accept(&mut self) {
        self.sessions -= 1;
        self.work = Work::Accepted;
    }

    pub fn publish_busy(&mut self) {
        self.work = Work::Recording;
        self.shown.busy = Busy::Busy;
    }

    /// The session ends, well or with an error of the system, which is never forgotten.
    pub fn stop(&mut self, system_error: bool) {
        self.work = Work::Finalizing;
        self.shown.healthy &= !system_error;
    }

    /// What waits in the slot runs before IDLE is published.
    pub fn finalized(
        &mut self,
        how: Finalize,
        single_use: bool,
        supervisor: Supervisor,
        latch: bool,
    ) {
        self.work = Work::Free;
        self.unsaved |= how == Finalize::Failed;
        self.uploading |= how == Finalize::Detached;
        match self.slot {
            Slot::End => self.exit(Exit::Told, supervisor, latch),
            Slot::Restart => self.exit(Exit::Config, supervisor, latch),
            Slot::Nothing => {
                self.shown.busy = if single_use {
                    Busy::Expired
                } else {
                    Busy::Idle
                };
                if self.blocked {
                    self.exit(Exit::Told, supervisor, latch);
                }
            }
        }
    }

    /// `gracefulShutdown`, under the lock that starting a session takes too.
    pub fn post_end(&mut self, supervisor: Supervisor, latch: bool) -> Post {
        if !self.is_up() {
            return Post::Refused;
        }
        match self.work {
            Work::Free => self.exit(Exit::Told, supervisor, latch),
            Work::Finalizing => {
                self.blocked = true;
                return Post::Blocked;
            }
            Work::Accepted | Work::Recording => self.slot = Slot::End,
        }
        Post::Took
    }

    /// `notifyConfigChanged`. While finalize runs it would wait for the lock; then it is as if it came later.
    pub fn post_config(&mut self, supervisor: Supervisor, latch: bool) {
        match self.work {
            Work::Free => self.exit(Exit::Config, supervisor, latch),
            _ => self.slot = Slot::Restart,
        }
    }

    pub fn can_take_config(&self) -> bool {
        self.is_up() && self.work != Work::Finalizing && self.slot != Slot::Restart
    }

    pub fn crash(&mut self, supervisor: Supervisor, latch: bool) {
        self.unsaved |= self.work != Work::Free;
        self.exit(Exit::Crash, supervisor, latch);
    }

    fn exit(&mut self, exit: Exit, supervisor: Supervisor, latch: bool) {
        let restarts = !latch && (exit != Exit::Told || supervisor == Supervisor::Stubborn);
        *self = Self {
            process: Process::Ended {
                exit,
                restart: restarts.then_some(0),
            },
            binding: self.binding,
            // The upload that was detached is killed with the process.
            unsaved: self.unsaved || self.uploading,
            ended_ago: 0,
            ..Self::new(self.sessions)
        };
    }
}
