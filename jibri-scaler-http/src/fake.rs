//! A fake Jibri, faithful to the real one in everything that matters to a scaler.
//!
//! [`FakeJibri`] is the state machine on virtual time: it does no I/O, and time is what its caller says. [`FakeServer`] puts it
//! on two real loopback ports. What it copies, read from the source of [jitsi/jibri](https://github.com/jitsi/jibri):
//!
//! - BUSY is published only after Chrome has started, seconds after a recording was accepted; a Chrome that does not start
//!   leaves a Jibri that looks healthy and records nothing;
//! - start, stop and `gracefulShutdown` share one lock, which a starting Chrome and a finalize script hold; requests wait for
//!   it in the order they came; health never waits;
//! - the finalize script runs inside BUSY; where an end is pending, it comes before IDLE is published;
//! - the pending end has one slot, and the last writer wins;
//! - an exit with 255 stays down under systemd, every other end is restarted;
//! - in single-use mode a used Jibri is EXPIRED, and still accepts a recording; UNHEALTHY lasts until a restart;
//! - the internal API listens before the external one, so that a Jibri can be busy while its health port refuses;
//! - webhooks at each change and every minute; a receiver that refuses makes a start fail and leaves BUSY behind.

mod fault;
mod jibri;
mod jwt;
mod metrics;
mod port;
mod profile;
mod report;
mod request;
mod routes;
mod server;
mod start_params;
mod version;

pub use fault::Fault;
pub use jibri::FakeJibri;
pub use jwt::Jwt;
pub use profile::{Profile, Supervisor, Upload, WebhookReceiver};
pub use report::{SessionEvent, SessionReport, Webhook};
pub use request::{Answer, Api, ErrorScope, Exit, Request, StartOutcome, Ticket};
pub use server::FakeServer;
pub use version::Version;
