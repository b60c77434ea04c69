//! What the service answers.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, FromRequestParts, Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use jibri_scaler_core::{controller::OperateError, operator::OperatorCommand};
use jibri_scaler_http::receiver::Receiver;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Map, json};
use subtle::ConstantTimeEq as _;
use tokio::time::timeout;

use crate::{
    group::{Group, Refused},
    page,
    said::chain,
};

/// No command is longer.
const MAX_COMMAND: usize = 4 * 1024;
/// So long its body may take, as that of what is pushed.
pub(crate) const PATIENCE: Duration = Receiver::PATIENCE;
/// Nothing is loaded from elsewhere, and nothing in the page runs.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'",
);

struct Service {
    groups: Vec<Group>,
    token: Option<String>,
    numbers: PrometheusHandle,
}

impl Service {
    #[expect(
        clippy::result_large_err,
        reason = "it is an answer, and given at once"
    )]
    fn group(&self, name: &str) -> Result<&Group, Response> {
        let group = self.groups.iter().find(|group| group.name() == name);
        group.ok_or_else(|| {
            says(
                StatusCode::NOT_FOUND,
                &format!("there is no group `{name}`"),
            )
        })
    }
}

/// All routes but those of what is pushed.
pub(crate) fn routes(
    groups: Vec<Group>,
    token: Option<String>,
    numbers: PrometheusHandle,
) -> Router {
    let service = Service {
        groups,
        token,
        numbers,
    };
    Router::new()
        .route("/", get(status))
        .route("/style.css", get(async || text("text/css", page::STYLE)))
        .route(
            "/refresh.js",
            get(async || text("text/javascript", page::SCRIPT)),
        )
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/groups/{group}/leader", get(leader))
        .route("/groups/{group}/commands", post(command))
        .layer(DefaultBodyLimit::max(MAX_COMMAND))
        .with_state(Arc::new(service))
}

async fn status(State(service): State<Arc<Service>>) -> Response {
    let views: Vec<_> = service.groups.iter().map(Group::view).collect();
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Html(page::page(&views))).into_response()
}

fn text(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, service.numbers.render()).into_response()
}

/// Whether every group was seen lately, and which of them this replica leads.
async fn health(State(service): State<Arc<Service>>) -> Response {
    let (mut groups, mut is_well) = (Map::new(), true);
    for group in &service.groups {
        let trouble = group.trouble();
        is_well &= trouble.is_none();
        let mut about = json!({ "ok": trouble.is_none(), "leads": group.leads() });
        if let Some(why) = trouble {
            about["why"] = why.into();
        }
        groups.insert(group.name().into(), about);
    }
    let status = if is_well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let about = Json(json!({ "ok": is_well, "groups": groups }));
    (status, about).into_response()
}

/// Whether this replica leads the group, for a load balancer that sends commands to the one that does.
async fn leader(State(service): State<Arc<Service>>, Path(name): Path<String>) -> Response {
    match service.group(&name) {
        Ok(group) if group.leads() => Json(json!({ "leads": true })).into_response(),
        Ok(_) => {
            let what = format!("this replica does not lead `{name}`, as far as it knows");
            says(StatusCode::SERVICE_UNAVAILABLE, &what)
        }
        Err(refusal) => refusal,
    }
}

/// Who showed the token, which is known before any of the body is read: whoever has none holds no connection by a body that never ends.
struct Operator;

impl FromRequestParts<Arc<Service>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, Response> {
        allowed(service.token.as_deref(), &parts.headers).map(|()| Self)
    }
}

async fn command(
    _operator: Operator,
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let group = match service.group(&name) {
        Ok(group) => group,
        Err(refusal) => return refusal,
    };
    let body = match timeout(PATIENCE, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(refusal)) => return refusal.into_response(),
        Err(_) => {
            let what = format!(
                "the body did not end within {} s: send it at once",
                PATIENCE.as_secs()
            );
            return says(StatusCode::REQUEST_TIMEOUT, &what);
        }
    };
    let command: OperatorCommand = match serde_json::from_slice(&body) {
        Ok(command) => command,
        Err(error) => {
            let what = format!("the body is no command: {error}");
            return says(StatusCode::BAD_REQUEST, &what);
        }
    };
    match group.command(command).await {
        Ok(()) => (StatusCode::OK, Json(json!({ "taken": true }))).into_response(),
        Err(Refused::Busy) => says(
            StatusCode::SERVICE_UNAVAILABLE,
            "too much waits for the end of a tick, or the service ends: try again",
        ),
        Err(Refused::Down(why)) => {
            let what = format!("nobody keeps `{name}` at present: {why}");
            says(StatusCode::SERVICE_UNAVAILABLE, &what)
        }
        Err(Refused::By(error @ OperateError::NotLeading)) => {
            says(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
        }
        Err(Refused::By(OperateError::Refused(error))) => {
            says(StatusCode::CONFLICT, &error.to_string())
        }
        Err(Refused::By(error)) => says(StatusCode::BAD_GATEWAY, &chain(&error)),
    }
}

/// Whether the request shows the token. Nobody may do anything where there is none.
#[expect(
    clippy::result_large_err,
    reason = "it is an answer, and given at once"
)]
fn allowed(token: Option<&str>, headers: &HeaderMap) -> Result<(), Response> {
    let Some(token) = token else {
        let what = "commands are off: start the service with --token-file";
        return Err(says(StatusCode::FORBIDDEN, what));
    };
    let shown = headers
        .get(header::AUTHORIZATION)
        .map(HeaderValue::as_bytes);
    let shown = shown.and_then(|shown| shown.strip_prefix(b"Bearer "));
    // In constant time, so that how long it takes tells nothing about the token.
    if shown.is_some_and(|shown| bool::from(shown.ct_eq(token.as_bytes()))) {
        return Ok(());
    }
    let mut answer = says(
        StatusCode::UNAUTHORIZED,
        "show the bearer token of --token-file",
    );
    let kind = HeaderValue::from_static("Bearer");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, kind);
    Err(answer)
}

fn says(status: StatusCode, what: &str) -> Response {
    (status, Json(json!({ "error": what }))).into_response()
}
