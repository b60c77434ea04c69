use std::{collections::VecDeque, time::Duration};

use jibri_scaler_core::Timestamp;
use serde_json::{Value, json};

use super::super::{
    ErrorScope, Exit, Profile, Request, Sink, Ticket, Version, WebhookReceiver, jwt::Bearer,
    metrics::Metrics,
};

/// What dies with the process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) internal_at: Timestamp,
    pub(super) external_at: Timestamp,
    /// What was last published; not what is so.
    busy: &'static str,
    pub(super) healthy: bool,
    /// Whether its presence in Jicofo's room says that it is free and healthy.
    pub(super) offers_itself: bool,
    /// How it stands with Jicofo's room.
    pub(super) room: Room,
    /// The service that makes `busy()` true: set once Chrome runs, until the finalize script has returned.
    pub(super) active: Option<Session>,
    /// The one slot of `executeWhenIdle`.
    pub(super) pending: Option<Exit>,
    /// What is done inside the lock.
    pub(super) held: Option<Held>,
    /// Who waits for the lock; without ticket, who was answered before.
    pub(super) waiting: VecDeque<(Option<Ticket>, Request)>,
    /// What was answered, and begins only then.
    pub(super) delayed: VecDeque<(Timestamp, Request)>,
    /// What the finalize scripts have left running: until when, and for which session.
    pub(super) uploads: Vec<(Timestamp, String)>,
    /// When the webhook of every minute is due.
    pub(super) webhook_at: Option<Timestamp>,
    /// What the webhooks carry.
    pub(super) bearer: Option<Bearer>,
    pub(super) metrics: Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// It joins when the internal API listens.
    NotYet,
    Joined,
    Left,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) name: String,
    pub(super) duration: Option<Duration>,
    pub(super) sink: Sink,
    pub(super) asker: Asker,
    /// When the next step of its end is due.
    pub(super) ends_at: Option<Timestamp>,
    pub(super) end: End,
    pub(super) failure: Option<ErrorScope>,
    /// Whether a `stopService` has failed.
    pub(super) stop_failed: bool,
}

/// What comes next where a session ends by itself or by an error. Each step may take time, and an exception in it skips the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The webhook of the session.
    Tell,
    /// UNHEALTHY, where the error is one of the machine.
    Publish,
    /// `stopService`.
    Stop,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    Http { sip_address: Option<String> },
    Jicofo,
}

#[derive(Debug)]
pub(super) struct Held {
    /// `None`: for ever.
    pub(super) until: Option<Timestamp>,
    pub(super) step: Step,
}

#[derive(Debug)]
pub(super) enum Step {
    Launching(Session, Option<Ticket>),
    AnnouncingStart(Option<Ticket>),
    Finalizing(Stopper),
    AnnouncingEnd(Stopper),
    /// A stop that calls itself without end.
    Looping(Stopper),
}

/// Who called `stopService`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stopper {
    Session,
    Request(Option<Ticket>),
    Shutdown(Option<Ticket>),
}

impl Process {
    pub(super) fn new(profile: &Profile, now: Timestamp) -> Self {
        let internal_at = now + profile.internal_api_after;
        Self {
            internal_at,
            // The external API is started last.
            external_at: internal_at.max(now + profile.external_api_after),
            busy: "IDLE",
            healthy: true,
            offers_itself: true,
            room: Room::NotYet,
            active: None,
            pending: None,
            held: None,
            waiting: VecDeque::new(),
            delayed: VecDeque::new(),
            uploads: Vec::new(),
            webhook_at: (profile.receiver() != WebhookReceiver::None).then_some(now),
            bearer: Bearer::new(profile, now),
            metrics: Metrics::new(now),
        }
    }

    pub(super) fn next_event(&self, now: Timestamp) -> Option<Timestamp> {
        let listening = [self.internal_at, self.external_at]
            .into_iter()
            .filter(|at| *at > now);
        // A session that ends while the lock is held waits for it.
        let work = match &self.held {
            Some(held) => held.until,
            None => self.ends_at(),
        };
        let delayed = self.delayed.front().map(|(at, _)| *at);
        listening
            .chain(work)
            .chain(delayed)
            .chain(self.webhook_at)
            .min()
    }

    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        self.active.as_ref()?.ends_at
    }

    /// The request that was answered before and begins now.
    pub(super) fn take_delayed(&mut self, now: Timestamp) -> Option<Request> {
        let (at, _) = self.delayed.front()?;
        if *at > now {
            return None;
        }
        self.delayed.pop_front().map(|(_, request)| request)
    }

    /// The session that would be lost with the process.
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.held {
            Some(Held {
                step: Step::Launching(session, _),
                ..
            }) => Some(session),
            _ => self.active.as_ref(),
        }
    }

    /// Whether a stop is under way that has not published its end yet.
    pub(super) fn is_stopping(&self) -> bool {
        let step = self.held.as_ref().map(|held| &held.step);
        matches!(step, Some(Step::Finalizing(_) | Step::Looping(_)))
    }

    /// Whether BUSY was published and its webhook has not been answered yet.
    pub(super) fn is_announcing(&self) -> bool {
        let step = self.held.as_ref().map(|held| &held.step);
        matches!(step, Some(Step::AnnouncingStart(_)))
    }

    /// Publishes that it is busy or not; whether that is a change.
    pub(super) fn publish(&mut self, busy: &'static str) -> bool {
        std::mem::replace(&mut self.busy, busy) != busy
    }

    /// Tells metrics and Jicofo what was published. Jicofo is not told EXPIRED: it goes on seeing BUSY.
    pub(super) fn show(&mut self) {
        self.metrics.healthy = self.healthy;
        self.metrics.recording = self.busy == "BUSY";
        self.offers_itself = self.busy == "IDLE" && self.healthy;
    }

    /// The body of a health answer, but for the context.
    pub(super) fn health(&self, version: Version) -> Value {
        if version == Version::BeforeV6_5 {
            json!({ "busy": self.busy == "BUSY" })
        } else {
            json!({ "status": self.status() })
        }
    }

    /// The member `status` of health and webhooks.
    pub(super) fn status(&self) -> Value {
        // The details stay empty until the first update, and the only update ever made is to UNHEALTHY.
        let health = if self.healthy {
            json!({ "healthStatus": "HEALTHY", "details": {} })
        } else {
            let part = json!({ "healthStatus": "UNHEALTHY", "detail": "" });
            json!({ "healthStatus": "UNHEALTHY", "details": { "JibriManager": part } })
        };
        json!({ "busyStatus": self.busy, "health": health })
    }
}

impl Session {
    pub(super) fn new(name: &str, duration: Option<Duration>, sink: Sink, asker: Asker) -> Self {
        Self {
            name: name.into(),
            duration,
            sink,
            asker,
            ends_at: None,
            end: End::Tell,
            failure: None,
            stop_failed: false,
        }
    }
}

impl Step {
    pub(super) const fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Launching(_, ticket) | Self::AnnouncingStart(ticket) => *ticket,
            Self::Finalizing(stopper) | Self::AnnouncingEnd(stopper) | Self::Looping(stopper) => {
                stopper.ticket()
            }
        }
    }
}

impl Stopper {
    pub(super) const fn ticket(self) -> Option<Ticket> {
        match self {
            Self::Session => None,
            Self::Request(ticket) | Self::Shutdown(ticket) => ticket,
        }
    }
}
