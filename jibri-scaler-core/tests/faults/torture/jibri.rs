//! One Jibri on virtual time, with its quirks.

use std::{collections::VecDeque, time::Duration};

use jibri_scaler_core::{
    BusyStatus, HealthStatus, JibriStatus, Timestamp,
    agent::port::{CheckResult, Latch, ServiceState},
    port::Told,
};

/// A recording, from the moment it was accepted.
#[derive(Clone, Copy, Debug)]
struct Session {
    /// When BUSY is published: Chrome has started.
    busy_from: Timestamp,
    /// When it is recorded and the upload begins, inside BUSY.
    recorded: Timestamp,
    /// When it is uploaded too.
    ends: Timestamp,
}

/// What it does as soon as it is free. There is one place for it: the last writer wins.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pending {
    /// It exits with 255, and stays down.
    End,
    /// It exits with 0 for a new configuration, and is started again.
    Restart,
}

/// The exit code of one that was told to end.
const TOLD: i32 = 255;

/// How long a session takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    pub(crate) chrome: Duration,
    pub(crate) recording: Duration,
    pub(crate) upload: Duration,
}

/// What is to become of the files of a recording when finalize returns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Finalize {
    /// They are uploaded before it returns.
    #[default]
    Uploads,
    /// They stay: the upload has failed, which Jibri ignores.
    Fails,
    /// They are uploaded in the background, which takes so long.
    Detaches(Duration),
}

/// What lies on the disk that must be kept.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Files {
    /// It is being uploaded, until then.
    Until(Timestamp),
    /// A human must save it.
    Left,
}

#[derive(Debug)]
pub(crate) struct Jibri {
    /// When its process runs and answers from; absent after it has exited for good.
    up_from: Option<Timestamp>,
    /// With what code it has exited for good, if it has.
    exit: Option<i32>,
    /// The restart latch that its agent has set.
    pub(crate) latch: Option<Latch>,
    /// How the next recording is finalized.
    pub(crate) finalize: Finalize,
    files: Option<Files>,
    session: Option<Session>,
    pending: Option<Pending>,
    /// Whether a supervisor starts it again although it exited with 255.
    pub(crate) resurrects: Option<Duration>,
    pub(crate) unhealthy: bool,
    /// Whether it expires after a recording.
    pub(crate) single_use: bool,
    expired: bool,
    /// How often it came back although it had been told to end.
    pub(crate) resurrections: u64,
    /// What it has published, and since when; the newest last.
    said: VecDeque<(Timestamp, JibriStatus)>,
}

/// How long a supervisor takes to start it again.
const RESTART: Duration = Duration::from_secs(8);

impl Jibri {
    /// Its process starts, and answers from that time on.
    pub(crate) fn new(up_from: Option<Timestamp>) -> Self {
        Self {
            up_from,
            exit: None,
            latch: None,
            finalize: Finalize::Uploads,
            files: None,
            session: None,
            pending: None,
            resurrects: None,
            unhealthy: false,
            single_use: false,
            expired: false,
            resurrections: 0,
            said: VecDeque::new(),
        }
    }

    pub(crate) fn is_up(&self, now: Timestamp) -> bool {
        self.up_from.is_some_and(|from| from <= now)
    }

    /// Whether its process has exited for good, or never runs.
    pub(crate) const fn is_down(&self) -> bool {
        self.up_from.is_none()
    }

    pub(crate) const fn is_recording(&self) -> bool {
        self.session.is_some()
    }

    /// Whether there is anything on the machine that must not be lost.
    pub(crate) const fn has_something(&self) -> bool {
        self.session.is_some() || self.files.is_some()
    }

    /// Whether it waits for a human who saves what was not uploaded.
    pub(crate) fn needs_saving(&self) -> bool {
        self.is_down() && self.latch.is_some() && self.files == Some(Files::Left)
    }

    /// A human saves what was not uploaded.
    pub(crate) const fn save(&mut self) {
        self.files = None;
    }

    /// Whether it has ended, under the latch, otherwise than by having been told to: a human is to decide.
    pub(crate) fn has_crashed_for_good(&self) -> bool {
        self.latch.is_some() && self.exit.is_some_and(|code| code != TOLD)
    }

    /// The process, as its supervisor sees it.
    pub(crate) fn process(&self) -> ServiceState {
        match (self.up_from, self.exit) {
            (None, Some(code)) => ServiceState::Ended { code: Some(code) },
            // One that hangs while it starts runs too.
            _ => ServiceState::Running,
        }
    }

    pub(crate) fn check_release(&self) -> CheckResult {
        match self.files {
            None => CheckResult::Passed,
            Some(_) => CheckResult::Failed("a recording is left".into()),
        }
    }

    /// Whether Jicofo picks it: it says that it is idle and healthy.
    pub(crate) fn is_offered(&self, now: Timestamp) -> bool {
        self.is_up(now) && self.status(now).is_available()
    }

    /// Takes a recording, whatever it publishes, unless it has one. An expired one takes it too.
    pub(crate) fn record(&mut self, length: Length, now: Timestamp) -> bool {
        let takes = self.is_up(now) && self.session.is_none();
        if takes {
            let busy_from = now + length.chrome;
            let recorded = busy_from + length.recording;
            self.session = Some(Session {
                busy_from,
                recorded,
                ends: recorded + length.upload,
            });
        }
        takes
    }

    /// Lets time go on. Returns whether a recording ended, with its upload.
    pub(crate) fn advance(&mut self, now: Timestamp) -> bool {
        let done = self.session.is_some_and(|session| session.ends <= now);
        if matches!(self.files, Some(Files::Until(until)) if until <= now) {
            self.files = None;
        }
        if done {
            self.session = None;
            self.expired |= self.single_use;
            // What was left before stays left.
            if self.files != Some(Files::Left) {
                self.files = match self.finalize {
                    Finalize::Uploads => self.files,
                    Finalize::Fails => Some(Files::Left),
                    Finalize::Detaches(upload) => Some(Files::Until(now + upload)),
                };
            }
            // What is pending runs before anything else is published.
            if let Some(pending) = self.pending.take() {
                self.exit(pending, now);
            }
        }
        if self.is_up(now) {
            let status = self.status(now);
            if self.said.back().is_none_or(|(_, said)| *said != status) {
                self.said.push_back((now, status));
                if self.said.len() > 4 {
                    self.said.pop_front();
                }
            }
        }
        done
    }

    /// `gracefulShutdown`: ends when it is free. While it uploads, the call does not return in time.
    pub(crate) fn tell(&mut self, now: Timestamp) -> Told {
        if !self.is_up(now) {
            return Told::Refused;
        }
        self.after_session(Pending::End, now);
        match self.session {
            Some(session) if session.recorded <= now => Told::Unknown,
            _ => Told::Yes,
        }
    }

    /// `notifyConfigChanged`: restarts when it is free. Returns whether a pending end was overwritten by it.
    pub(crate) fn change_config(&mut self, now: Timestamp) -> bool {
        let overwrites = self.pending == Some(Pending::End);
        if self.is_up(now) {
            self.after_session(Pending::Restart, now);
        }
        overwrites
    }

    /// Somebody starts it although it has ended. Returns whether it had.
    pub(crate) fn start_by_hand(&mut self, now: Timestamp) -> bool {
        let had_ended = self.has_ended();
        if had_ended {
            self.up_from = Some(now + RESTART);
        }
        had_ended
    }

    /// Whether it ran, and has ended.
    const fn has_ended(&self) -> bool {
        self.up_from.is_none() && self.exit.is_some()
    }

    /// Somebody has started it a while ago, unseen until now, and it records at once.
    pub(crate) fn back_and_recording(&mut self, length: Length, now: Timestamp) -> bool {
        let had_ended = self.has_ended();
        if had_ended {
            self.up_from = Some(now);
            self.record(length, now);
        }
        had_ended
    }

    /// Its process dies and is started again, unless there is a latch. Returns whether a recording was cut. What there is of it
    /// stays on the disk, where `keeps` says that anybody looks for it.
    pub(crate) fn crash(&mut self, now: Timestamp, keeps: bool) -> bool {
        let cut = self.session.take().is_some();
        if cut && keeps {
            self.files = Some(Files::Left);
        }
        if self.is_up(now) {
            self.exit(Pending::Restart, now);
        }
        cut
    }

    /// What it publishes.
    pub(crate) fn status(&self, now: Timestamp) -> JibriStatus {
        let busy = match self.session {
            Some(session) if session.busy_from <= now => BusyStatus::Busy,
            _ if self.expired => BusyStatus::Expired,
            _ => BusyStatus::Idle,
        };
        let health = if self.unhealthy {
            HealthStatus::Unhealthy
        } else {
            HealthStatus::Healthy
        };
        JibriStatus::new(busy, health)
    }

    /// What it published so long ago.
    pub(crate) fn said(&self, ago: Duration, now: Timestamp) -> Option<&JibriStatus> {
        let at = now.before(ago);
        let said = self.said.iter().rev().find(|(since, _)| *since <= at);
        said.map(|(_, status)| status)
    }

    /// What it published before what it publishes now, if that has changed lately.
    pub(crate) fn said_before(&self, now: Timestamp) -> Option<&JibriStatus> {
        const LATELY: Duration = Duration::from_secs(60);
        let changed = self.said.back().filter(|(at, _)| now.since(*at) <= LATELY);
        let before = self.said.iter().rev().nth(1);
        changed.and(before).map(|(_, status)| status)
    }

    /// For people.
    pub(crate) fn describe(&self, now: Timestamp) -> String {
        let up = if self.is_up(now) { "up" } else { "down" };
        let latch = if self.latch.is_some() {
            ", latched"
        } else {
            ""
        };
        format!(
            "{up}, {}, {:?}, {:?}, {:?}{latch}",
            self.status(now).busy.as_str(),
            self.session,
            self.pending,
            self.files
        )
    }

    fn after_session(&mut self, pending: Pending, now: Timestamp) {
        if self.session.is_some() {
            self.pending = Some(pending);
        } else {
            self.exit(pending, now);
        }
    }

    fn exit(&mut self, why: Pending, now: Timestamp) {
        self.pending = None;
        self.unhealthy = false;
        self.expired = false;
        self.said.clear();
        self.resurrections += u64::from(why == Pending::End && self.resurrects.is_some());
        let (code, restart) = match why {
            // A supervisor that does not care for the code does not care for the latch either.
            Pending::End => (TOLD, self.resurrects),
            Pending::Restart => (0, Some(RESTART).filter(|_| self.latch.is_none())),
        };
        self.exit = Some(code);
        self.up_from = restart.map(|after| now + after);
    }
}
