//! HTTP requests and answers of the two APIs.

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Response, StatusCode,
    body::Frame,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    http::Result,
};

use super::{
    Answer, Api, Fault, Request, Version,
    metrics::{Format, Metrics},
};

const EXTERNAL: &str = "/jibri/api/v1.0/";
const INTERNAL: &str = "/jibri/api/internal/v1.0/";
const JSON: &str = "application/json";
const OVERSIZE: usize = 100 * 1024;

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Health,
    Metrics,
    Start,
    /// A request without parameters.
    Plain(Request),
    NotFound,
    MethodNotAllowed,
}

pub(super) fn route(api: Api, method: &Method, path: &str) -> Route {
    if api == Api::External && path == "/metrics" {
        return if *method == Method::GET {
            Route::Metrics
        } else {
            Route::MethodNotAllowed
        };
    }
    let base = match api {
        Api::External => EXTERNAL,
        Api::Internal => INTERNAL,
    };
    let Some(name) = path.strip_prefix(base) else {
        return Route::NotFound;
    };
    let found = match (api, name) {
        (Api::External, "health") => Route::Health,
        (Api::External, "startService") => Route::Start,
        (Api::External, "stopService") => Route::Plain(Request::Stop),
        (Api::Internal, "gracefulShutdown") => Route::Plain(Request::GracefulShutdown),
        (Api::Internal, "notifyConfigChanged") => Route::Plain(Request::NotifyConfigChanged),
        (Api::Internal, "shutdown") => Route::Plain(Request::Shutdown),
        _ => return Route::NotFound,
    };
    let expected = if found == Route::Health {
        Method::GET
    } else {
        Method::POST
    };
    if *method == expected {
        found
    } else {
        Route::MethodNotAllowed
    }
}

pub(super) fn empty(status: StatusCode) -> Result<Response<Body>> {
    text(status, "")
}

pub(super) fn text(status: StatusCode, text: &'static str) -> Result<Response<Body>> {
    let response = Response::builder().status(status);
    response.body(whole(Bytes::from_static(text.as_bytes())))
}

pub(super) fn json(body: String) -> Result<Response<Body>> {
    typed(JSON, body)
}

pub(super) fn metrics(accept: &str, metrics: Option<&Metrics>) -> Result<Response<Body>> {
    let Some(metrics) = metrics else {
        return empty(StatusCode::NOT_FOUND);
    };
    match Format::accepted(accept) {
        Some(format) => typed(format.content_type(), metrics.render(format)),
        None => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// A start that cannot be. Old versions do not say why.
pub(super) fn refused(version: Version, why: &'static str) -> Result<Response<Body>> {
    let why = if version < Version::KTOR { "" } else { why };
    text(StatusCode::PRECONDITION_FAILED, why)
}

/// `None` where the connection ends without an answer.
pub(super) fn answer(version: Version, answer: Answer) -> Option<Result<Response<Body>>> {
    match answer {
        Answer::Ok => Some(empty(StatusCode::OK)),
        Answer::Busy => Some(refused(version, "Jibri is currently busy")),
        Answer::NotFound => Some(empty(StatusCode::NOT_FOUND)),
        Answer::Failed => Some(empty(StatusCode::INTERNAL_SERVER_ERROR)),
        Answer::Closed => None,
    }
}

/// The answer of a port with this fault, to a request whose right answer would be `health`; `None` where there is none.
pub(super) fn faulty(fault: Fault, health: String) -> Option<Result<Response<Body>>> {
    let length = health.len();
    let half = Bytes::copy_from_slice(&health.as_bytes()[..length / 2]);
    let with_length = || {
        Response::builder()
            .header(CONTENT_TYPE, JSON)
            .header(CONTENT_LENGTH, length)
    };
    match fault {
        Fault::Garbage => Some(json(r#"{"name":"not a Jibri"}"#.into())),
        Fault::HangAfterHeaders => {
            let never = stream::pending::<io::Result<Frame<Bytes>>>();
            Some(with_length().body(StreamBody::new(never).boxed_unsync()))
        }
        Fault::Oversized => Some(json(health + &" ".repeat(OVERSIZE))),
        Fault::Status(status) => Some(empty(
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        )),
        Fault::Truncated => {
            // The pause lets the first half out, which an error at once would swallow.
            let cut = stream::once(async {
                tokio::task::yield_now().await;
                Err(io::ErrorKind::UnexpectedEof.into())
            });
            let body = stream::iter([Ok(Frame::data(half))]).chain(cut);
            Some(with_length().body(StreamBody::new(body).boxed_unsync()))
        }
        Fault::WrongContentType => {
            let response = Response::builder().header(CONTENT_TYPE, "text/html");
            Some(response.body(whole(health.into())))
        }
        Fault::Hang | Fault::Refuse | Fault::Reset => None,
    }
}

fn typed(content_type: &'static str, body: String) -> Result<Response<Body>> {
    let response = Response::builder().header(CONTENT_TYPE, content_type);
    response.body(whole(body.into()))
}

fn whole(body: Bytes) -> Body {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_has_its_own_paths_and_methods() {
        let found = |api, method, path: &str| route(api, &method, path);
        let health = "/jibri/api/v1.0/health";
        let graceful = "/jibri/api/internal/v1.0/gracefulShutdown";
        assert_eq!(found(Api::External, Method::GET, health), Route::Health);
        assert_eq!(
            found(Api::External, Method::POST, health),
            Route::MethodNotAllowed
        );
        assert_eq!(found(Api::Internal, Method::GET, health), Route::NotFound);
        assert_eq!(
            found(Api::Internal, Method::POST, graceful),
            Route::Plain(Request::GracefulShutdown)
        );
        assert_eq!(
            found(Api::Internal, Method::GET, graceful),
            Route::MethodNotAllowed
        );
        assert_eq!(
            found(Api::External, Method::POST, graceful),
            Route::NotFound
        );
        assert_eq!(found(Api::External, Method::GET, "/"), Route::NotFound);
        assert_eq!(
            found(Api::External, Method::GET, "/metrics"),
            Route::Metrics
        );
        assert_eq!(
            found(Api::Internal, Method::GET, "/metrics"),
            Route::NotFound
        );
    }
}
