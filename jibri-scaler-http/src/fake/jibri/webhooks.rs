use serde_json::{Value, json};

use super::{
    super::{Webhook, WebhookReceiver},
    FakeJibri, Life,
};

impl FakeJibri {
    /// What follows a change of the status: the webhook, then the presence, which an exception in the webhook skips.
    pub(super) fn announce(&mut self) {
        self.send_status();
        if self.profile.webhooks != WebhookReceiver::Refuses
            && let Life::Up(process) = &mut self.life
        {
            process.show_presence();
        }
    }

    pub(super) fn send_status(&mut self) {
        if let Life::Up(process) = &self.life {
            let body = json!({ "jibriId": self.profile.jibri_id, "status": process.status() });
            self.send("/v1/status", body);
        }
    }

    pub(super) fn send_session(&mut self, session: &str, status: &str) {
        let session = json!({ "sessionId": session, "status": status });
        let body = json!({ "jibriId": self.profile.jibri_id, "session": session });
        self.send("/v1/session/status", body);
    }

    fn send(&mut self, path: &'static str, body: Value) {
        if self.profile.webhooks != WebhookReceiver::None {
            let at = self.now;
            self.webhooks.push(Webhook { at, path, body });
        }
    }
}
