//! What a failed request means, read from the chain of its causes.

use std::{error::Error, io::ErrorKind};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The host name has no address.
    NoName(String),
    /// The connection was refused.
    Refused,
    /// A connection was there, and was reset or closed by the other side.
    Broken,
    TimedOut,
    Other(String),
}

impl Failure {
    /// The URL is left out of all texts: the caller names the instance.
    pub(crate) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            return Self::TimedOut;
        }
        if error.is_dns() {
            return Self::NoName(innermost(&error));
        }
        let by_peer = causes(&error).find_map(|cause| {
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                return match io.kind() {
                    ErrorKind::ConnectionRefused => Some(Self::Refused),
                    ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::NotConnected
                    | ErrorKind::UnexpectedEof => Some(Self::Broken),
                    _ => None,
                };
            }
            let http = cause.downcast_ref::<hyper::Error>()?;
            let ended = http.is_incomplete_message() || http.is_canceled() || http.is_closed();
            ended.then_some(Self::Broken)
        });
        by_peer.unwrap_or_else(|| Self::Other(innermost(&error)))
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}
