//! A fake Jibri, faithful to the real one in everything that matters to a scaler.
//!
//! [`FakeJibri`] is the state machine on virtual time: it does no I/O, and time is what its caller says. [`FakeServer`] puts it
//! on two real loopback ports, and sends its statsd counters where [`Profile::statsd`] says. It sends no webhook itself: it says
//! which ones it would send, and [`Profile::webhooks`] what the receivers do.
//!
#![doc = include_str!("fake/behaviours.md")]

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
mod statsd;
mod version;

pub use fault::Fault;
pub use jibri::FakeJibri;
pub use jwt::Jwt;
pub use profile::{Profile, Supervisor, Upload, WebhookReceiver};
pub use report::{SessionEvent, SessionReport, Webhook};
pub use request::{Answer, Api, ErrorScope, Exit, LinkEvent, Request, Sink, StartOutcome, Ticket};
pub use server::FakeServer;
pub use version::Version;

/// The XMPP server of a fake, which is also its environment.
const XMPP_HOST: &str = "fake-xmpp.example";
