//! The reports of agents to a controller: the status of their Jibri, pushed over HTTP. This is the side of the agents; the other one is
//! `receiver`, behind the feature of that name.
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
//! | answer | what an agent does |
//! |---|---|
//! | 200 | |
//! | 404, 408 | report again at its usual time |
//! | 400, 401, 403, 405, 413 | say so: it has another version or token than the controller |

#[cfg_attr(
    not(feature = "receiver"),
    allow(dead_code, reason = "an agent only writes what a receiver reads")
)]
pub(crate) mod body;
mod sender;
mod token;

pub use sender::{ReportSender, SendError};
pub use token::{InvalidToken, Token};
