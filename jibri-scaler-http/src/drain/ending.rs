use std::time::Duration;

use futures_util::FutureExt as _;
use jibri_scaler_core::{InstanceId, port::Told};
use reqwest::{Client, StatusCode};
use tokio::time::timeout;

use super::{
    DrainConfig,
    outstanding::{Answer, Outstanding},
};
use crate::{BuildError, client, failure::Failure};

/// A request that ends a Jibri may wait for hours. Where the other side vanishes without a word, this ends the wait.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 4;

/// Sends requests that end the process of a Jibri, at most one at a time to each instance.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(super) client: Client,
    patience: Duration,
    outstanding: Outstanding,
}

impl Ending {
    pub(crate) fn new(config: &DrainConfig) -> Result<Self, BuildError> {
        // A connection that was kept from a Jibri that has gone must not be mistaken for one that took the request.
        let builder = client::builder(config.connect_timeout())
            .pool_max_idle_per_host(0)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE)
            .tcp_keepalive_retries(KEEPALIVE_RETRIES);
        Ok(Self {
            client: client::build(builder)?,
            patience: config.patience(),
            outstanding: Outstanding::default(),
        })
    }

    /// What came of the request by the end of the patience; it stays under way if nothing has.
    pub(crate) async fn ask(&self, id: &InstanceId, url: &str) -> Told {
        timeout(self.patience, self.ask_to_end(id, url))
            .await
            .unwrap_or(Told::Unknown)
    }

    /// Waits for the request under way and asks anew where that one was taken: the process that took it may have died and been
    /// restarted since, and the new one has been told nothing. Telling twice does no harm.
    async fn ask_to_end(&self, id: &InstanceId, url: &str) -> Told {
        let (answer, is_new) = self.outstanding.join(id, || self.post(url).boxed());
        let told = self.outcome(id, answer).await;
        if is_new || told != Told::Yes {
            return told;
        }
        let again = || {
            let again = self.post(url);
            // Nobody is there any more: the one that took the first request was the last.
            again.map(|told| {
                if told == Told::Refused {
                    Told::Yes
                } else {
                    told
                }
            })
        };
        let (answer, _) = self.outstanding.join(id, || again().boxed());
        self.outcome(id, answer).await
    }

    async fn outcome(&self, id: &InstanceId, answer: Answer) -> Told {
        let told = answer.clone().await;
        self.outstanding.finished(id, &answer);
        told
    }

    fn post(&self, url: &str) -> impl Future<Output = Told> + Send + use<> {
        let request = self.client.post(url);
        async move {
            match request.send().await {
                Ok(response) if response.status() == StatusCode::OK => Told::Yes,
                Ok(_) => Told::Unknown,
                Err(error) => told_by(error),
            }
        }
    }
}

/// What a request without an answer means. Only where the connection had come about can the Jibri have taken it.
fn told_by(error: reqwest::Error) -> Told {
    let connected = !error.is_connect();
    match Failure::of(error) {
        Failure::Refused => Told::Refused,
        Failure::Broken if connected => Told::Yes,
        _ => Told::Unknown,
    }
}
