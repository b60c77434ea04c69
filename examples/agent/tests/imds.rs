//! The instance metadata service.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use super::http;

/// Metadata that a test changes.
#[derive(Clone)]
pub(super) struct FakeImds {
    pub(super) address: SocketAddr,
    entries: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl FakeImds {
    pub(super) async fn start() -> Self {
        let entries = Arc::<Mutex<BTreeMap<&'static str, String>>>::default();
        let served = Arc::clone(&entries);
        let address = http::serve(move |request| {
            let answer = if request.line == "PUT /latest/api/token" {
                let headers = "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
                http::response("200 OK", headers, b"token")
            } else {
                let path = request.line.strip_prefix("GET /latest/meta-data/");
                let has_token = request
                    .headers
                    .to_lowercase()
                    .contains("metadata-token: token\r\n");
                let entry = path.and_then(|path| served.lock().unwrap().get(path).cloned());
                match entry.filter(|_| has_token) {
                    Some(text) => http::response("200 OK", "", text.as_bytes()),
                    None => http::response("404 Not Found", "", b""),
                }
            };
            async move { answer }
        })
        .await;
        Self { address, entries }
    }

    pub(super) fn set(&self, path: &'static str, text: &str) {
        self.entries.lock().unwrap().insert(path, text.into());
    }
}
