//! Takes in what is pushed to a controller: the reports of agents, and Jibri's own webhooks.
//!
//! ```text
//! POST {base}/v1/status            an agent's report, or Jibri's webhook: its status
//! POST {base}/v1/session/status    Jibri's webhook: a session over HTTP began, ended or failed
//! POST {base}/{id}/v1/…            the same of the instance with this id, where `jibriId` is empty, as `jibri.id` is by default
//! ```
//!
//! [`Receiver`] is the tower service, [`Access`] says who may push and about which instance, [`Listener`] serves it where there is no
//! server yet. What the body of an agent looks like is in [`reports`](crate::reports).
//!
//! | answer | when |
//! |---|---|
//! | 200 | taken in; the body is empty |
//! | 400 | the body broke off, is no status, names no instance, or another one than the path |
//! | 401 | no token, more than one, a wrong one, or one that has expired, whatever the path |
//! | 403 | a token of another instance; or the report of an agent with the token of a Jibri |
//! | 404 | another path; or an instance that is not in the group, as it was listed last |
//! | 405 | another method than `POST` |
//! | 408 | the body did not end within [`Receiver::PATIENCE`] |
//! | 413 | the body has more than [`Receiver::MAX_BODY`] bytes |
//!
//! There is no 5xx, nothing is retried after, and no answer depends on the controller: it may hang, or not have begun. Instances are known
//! from its first tick on.
//!
//! # Jibri's own webhooks
//!
//! Jibri sends them inside the lock under which it starts and stops recordings. Any *answer* does it no harm: what is not 200 it logs, and
//! goes on. What harms it is to wait, up to 2 s for each start and stop, and above all *no connection*: when nobody listens at the
//! subscriber's address, the next recording fails to start, its Jibri reads BUSY with nothing running, and its webhooks of every minute
//! end until it is restarted. So
//! - make it listen before the first Jibri starts, at an address that never refuses; if a controller may be down, let a load balancer
//!   or a service on each machine answer in its place, or do without webhooks: they win a few seconds and no more;
//! - keep connections open for longer than the 60 s between two webhooks ([`Listener`] does for 5 minutes; look at the idle timeout
//!   of a load balancer);
//! - `jibri.id` must be the id of the instance, or be in the path of the subscriber: `subscribers = ["https://host/hook/i-0abc"]`;
//! - a Jibri from November 2024 on shows the token that it signed at its start for ever: see [`Expiry`].
//!
//! # What becomes of it
//!
//! [`AgentReports`](jibri_scaler_core::observe::AgentReports) keeps it, stamped by the receiver's clock when its head had arrived, for a
//! [`JoinedObserver`](jibri_scaler_core::observe::JoinedObserver). The report of an agent stands for an answer of its instance. Jibri's
//! webhook does not: it is the newest status until a probe reads one. A session webhook is only a hint to look. What is news makes the next
//! tick come at once, where the embedder merges the [wake-ups](jibri_scaler_core::observe::AgentReports::wakes) into its ticks:
//!
//! ```
//! use std::{sync::Arc, time::{Duration, SystemTime}};
//! use futures_util::{Stream, StreamExt as _};
//! use jibri_scaler_core::{Controller, Timestamp, observe::AgentReports, wake::promptly};
//!
//! async fn run(mut controller: Controller, reports: Arc<AgentReports>, every_10_s: impl Stream<Item = Timestamp> + Send + 'static) {
//!     let now = || Timestamp::from(SystemTime::now());
//!     let at_most_every_2_s = || tokio::time::sleep(Duration::from_secs(2));
//!     let ticks = promptly(every_10_s, reports.wakes(), now, at_most_every_2_s);
//!     controller.run(ticks, |result| println!("{}", result.is_ok())).await;
//! }
//! ```

mod access;
mod jwt;
mod key;
mod listener;
mod service;

pub use access::{Access, InvalidSecret, TokenSecret};
pub use jwt::{Expiry, Jwt};
pub use key::InvalidKey;
pub use listener::{ListenError, Listener};
pub use service::Receiver;
