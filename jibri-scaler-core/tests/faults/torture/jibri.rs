//! One Jibri on virtual time, with its quirks.

use std::{collections::VecDeque, time::Duration};

use jibri_scaler_core::{BusyStatus, HealthStatus, JibriStatus, Timestamp, port::Told};

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

/// How long a session takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    pub(crate) chrome: Duration,
    pub(crate) recording: Duration,
    pub(crate) upload: Duration,
}

#[derive(Debug)]
pub(crate) struct Jibri {
    /// When its process runs and answers from; absent after it has exited for good.
    up_from: Option<Timestamp>,
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
        if done {
            self.session = None;
            self.expired |= self.single_use;
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
        let had_ended = self.up_from.is_none();
        if had_ended {
            self.up_from = Some(now + RESTART);
        }
        had_ended
    }

    /// Its process dies and is started again. Returns whether a recording was cut.
    pub(crate) fn crash(&mut self, now: Timestamp) -> bool {
        let cut = self.session.take().is_some();
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
        format!(
            "{up}, {}, {:?}, {:?}",
            self.status(now).busy.as_str(),
            self.session,
            self.pending
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
        self.up_from = match why {
            Pending::End => self.resurrects.map(|after| now + after),
            Pending::Restart => Some(now + RESTART),
        };
    }
}
