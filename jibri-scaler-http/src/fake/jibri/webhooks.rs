use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{ErrorScope, Version, Webhook, WebhookReceiver},
    FakeJibri, Life,
    process::{Asker, Session},
};

const TIMEOUT: Duration = Duration::from_secs(2);

/// How it goes on after a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// At once.
    Now,
    /// After this time: nobody has answered.
    After(Duration),
    /// Not at all: an exception skips whatever comes after the webhook.
    Never,
}

impl FakeJibri {
    /// Sends the webhook of a changed status. What else follows a change comes after it.
    pub(super) fn announce(&mut self) -> Announced {
        self.send_status();
        let announced = self.delivered();
        if announced == Announced::Now {
            self.show();
        }
        announced
    }

    /// How it goes on after a webhook to its receiver.
    fn delivered(&self) -> Announced {
        match self.profile.receiver() {
            WebhookReceiver::None | WebhookReceiver::Answers | WebhookReceiver::AnswersError => {
                Announced::Now
            }
            WebhookReceiver::TimesOut => Announced::After(TIMEOUT),
            WebhookReceiver::Refuses => Announced::Never,
        }
    }

    /// Shows metrics and Jicofo what was published.
    pub(super) fn show(&mut self) {
        if let Life::Up(process) = &mut self.life {
            process.show();
        }
    }

    pub(super) fn send_status(&mut self) {
        if let Life::Up(process) = &self.life {
            let body = json!({ "jibriId": self.profile.jibri_id, "status": process.status() });
            self.send("/v1/status", body);
        }
    }

    /// Sends how a session stands; nothing where Jicofo asked for it. The service of the session does that, in a thread of its own:
    /// how it goes on matters only to what that thread does next.
    pub(super) fn send_session(&mut self, session: &Session, status: &str) -> Announced {
        let Asker::Http { sip_address } = &session.asker else {
            return Announced::Now;
        };
        if self.profile.version < Version::SESSION_WEBHOOKS {
            return Announced::Now;
        }
        let failure = session.failure.map(|scope| {
            let (scope, detail) = match scope {
                ErrorScope::Session => ("SESSION", "Failed to join the call"),
                ErrorScope::System if self.disk_full => {
                    ("SYSTEM", "Could not write meeting metadata")
                }
                ErrorScope::System => ("SYSTEM", "Ffmpeg failed to start"),
            };
            json!({ "reason": "ERROR", "error": { "scope": scope, "detail": detail } })
        });
        let session = json!({
            "sessionId": session.name,
            "status": status,
            "sipAddress": sip_address,
            "shouldRetry": failure.as_ref().map(|_| true),
            "failure": failure,
        });
        let body = json!({ "jibriId": self.profile.jibri_id, "session": session });
        self.send("/v1/session/status", body);
        self.delivered()
    }

    fn send(&mut self, path: &'static str, body: Value) {
        if self.profile.receiver() == WebhookReceiver::None {
            return;
        }
        let at = self.now;
        let bearer = match &mut self.life {
            Life::Up(process) => process.bearer.as_mut(),
            Life::Down { .. } => None,
        };
        let authorization = bearer.map(|bearer| bearer.value(&self.profile, at));
        self.webhooks.push(Webhook {
            at,
            path,
            body,
            authorization,
        });
    }
}
