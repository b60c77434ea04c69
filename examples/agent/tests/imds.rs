//! The instance metadata service.

use std::{
    collections::BTreeMap,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::task::AbortHandle;

use super::http;

/// Metadata that a test changes.
#[derive(Clone)]
pub(super) struct FakeImds {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
    listening: AbortHandle,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<&'static str, String>,
    hangs: bool,
}

impl FakeImds {
    pub(super) async fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let served = Arc::clone(&state);
        let (address, listening) = http::serve(move |request| {
            let (answer, hangs) = {
                let state = served.lock().unwrap();
                (state.answer(&request), state.hangs)
            };
            async move {
                if hangs {
                    pending::<()>().await;
                }
                answer
            }
        })
        .await;
        Self {
            address,
            state,
            listening,
        }
    }

    pub(super) fn set(&self, path: &'static str, text: &str) {
        let mut state = self.state.lock().unwrap();
        state.entries.insert(path, text.into());
    }

    /// It has nothing any more: 404.
    pub(super) fn forget(&self) {
        self.state.lock().unwrap().entries.clear();
    }

    /// It takes longer than anybody waits.
    pub(super) fn hang(&self) {
        self.state.lock().unwrap().hangs = true;
    }

    /// Nobody listens any more.
    pub(super) fn refuse(&self) {
        self.listening.abort();
    }
}

impl State {
    fn answer(&self, request: &http::Request) -> Vec<u8> {
        if request.line == "PUT /latest/api/token" {
            let headers = "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
            return http::response("200 OK", headers, b"token");
        }
        let path = request.line.strip_prefix("GET /latest/meta-data/");
        let has_token = request
            .headers
            .to_lowercase()
            .contains("metadata-token: token\r\n");
        let entry = path.and_then(|path| self.entries.get(path));
        match entry.filter(|_| has_token) {
            Some(text) => http::response("200 OK", "", text.as_bytes()),
            None => http::response("404 Not Found", "", b""),
        }
    }
}
