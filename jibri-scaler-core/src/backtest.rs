//! What a policy would have done with recordings that are known: a simulator, and the bounds that no policy can beat.

mod session;

pub use session::{NegativeSession, Session};
