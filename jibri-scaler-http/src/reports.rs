//! The reports of agents to a controller: the status of their Jibri, pushed over HTTP.
//!
//! An agent posts what Jibri's own webhook would, with its version, and a bearer token:
//!
//! ```text
//! POST /v1/status HTTP/1.1
//! Authorization: Bearer <token>
//! Content-Type: application/json
//!
//! {"jibriId": "i-0abc", "status": {"busyStatus": "IDLE", "health": {"healthStatus": "HEALTHY", "details": {}}},
//!  "agent": {"version": "0.1.0"}}
//! ```
//!
//! | answer | when | what an agent does |
//! |---|---|---|
//! | 200 | taken in | |
//! | 400 | the body cannot be read | say so: the two are of different versions |
//! | 401 | no token, or a wrong one | say so: nothing is taken in |
//! | 404 | another path, or an instance that the controller has not listed (yet) | report again at its usual time |
//! | 405 | another method | |
//! | 408 | the body did not end in time | report again at its usual time |
//! | 413 | more than 64 KiB | |
//!
//! Whoever has the token can report for every instance of the group, so it must not leave the instances and the controller.

mod body;
mod receiver;
mod sender;
mod token;

pub use receiver::{ReceiveError, ReportReceiver};
pub use sender::{ReportSender, SendError};
pub use token::{InvalidToken, Token};
