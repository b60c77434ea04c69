//! What the agent asks of AWS.

mod imds;
mod instance;
mod signal;
