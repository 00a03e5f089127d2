//! The HTTP surface: `/healthz`, `/readyz` and `/api/v1`.
//!
//! It checks who asks and what is sent, and turns domain values into documents ([`api`]). It knows neither engine nor
//! store: pushes leave through [`Intake`], reads come through [`View`], and an operator's wishes leave through
//! [`Operator`]; the app implements all three.
//! Every answer is JSON, errors too: `{"error": "...", "hint": "..."}` with the status that fits.

mod access;
mod ack;
mod alerts;
mod answer;
pub mod api;
mod audit;
mod dashboard;
mod error;
mod events;
mod export;
mod follow;
mod guard;
mod history;
mod lab;
mod listen;
mod metrics;
mod openapi;
mod operate;
mod outbox;
mod overview;
mod pause;
mod ports;
mod push;
mod read;
mod routes;
mod silences;
mod web;
mod why;

pub use access::{Access, Caller};
pub use guard::AllowedHosts;
pub use listen::{Certificate, Listener, serve};
pub use overview::{Overview, overview};
pub use ports::{
    Acknowledgement, AuditEntry, AuditQuery, Cursor, DashboardQuery, Exported, FiringQuery, Followed, Found, Happening,
    HistoryError, HistoryQuery, Intake, Named, NoCursor, OperateError, Operator, OutboxQuery, PastError, PauseAsked,
    PushError, PushReceipt, Readiness, ReplayAsked, SAMPLED, SilenceQuery, TooManyFollowers, Unavailable, View,
    WhyError, WhyQuery,
};

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use tower_http::catch_panic::CatchPanicLayer;

use crate::model::wire::WireLimits;
use error::ApiError;

/// What can be set of the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The names under which it may be addressed.
    pub allowed_hosts: AllowedHosts,
    /// The largest body of a push in bytes, as sent and after inflation.
    pub max_body: usize,
    /// Bytes of all pushes together that are read and parsed at one moment.
    pub max_bodies: usize,
    /// The most entries of one push.
    pub max_entries: usize,
    /// The bounds of one entry.
    pub limits: WireLimits,
    /// A request must be read and answered within this time.
    pub request_timeout: Duration,
    /// After how long without a snapshot a pushed subject is stale.
    pub push_stale_after: Duration,
    /// The zone of days and hours for which none is said.
    pub time_zone: TimeZone,
    /// Who may ask.
    pub access: Arc<Access>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            allowed_hosts: AllowedHosts::default(),
            max_body: 64 << 20,
            max_bodies: 256 << 20,
            max_entries: 500_000,
            limits: WireLimits::default(),
            request_timeout: Duration::from_secs(30),
            push_stale_after: Duration::from_secs(300),
            time_zone: TimeZone::UTC,
            access: Arc::default(),
        }
    }
}

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    settings: Arc<Settings>,
    intake: Arc<dyn Intake>,
    view: Arc<dyn View>,
    operator: Arc<dyn Operator>,
    bodies: push::Bodies,
}

/// All routes with their checks.
pub fn router(settings: Settings, intake: Arc<dyn Intake>, view: Arc<dyn View>, operator: Arc<dyn Operator>) -> Router {
    let bodies = push::Bodies::new(settings.max_bodies);
    let shared = Shared { settings: Arc::new(settings), intake, view, operator, bodies };
    let routes = routes::ROUTES.iter();
    let router = routes.fold(Router::new(), |router, route| router.route(route.path, (route.handler)()));
    let router = router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        // The last is the outermost: a panic anywhere is an answer, and nothing is done for a stranger.
        .layer(middleware::from_fn(answer::tag))
        .layer(middleware::from_fn_with_state(shared.clone(), limit_time))
        .layer(middleware::from_fn_with_state(shared.clone(), guard::check))
        .layer(CatchPanicLayer::custom(panicked));
    answer::finish(router).with_state(shared)
}

async fn limit_time(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let limit = shared.settings.request_timeout;
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let within = crate::model::duration::format(limit);
        ApiError::new(StatusCode::REQUEST_TIMEOUT, format!("the request was not read and answered within {within}"))
            .hint("send smaller batches; a batch that was sent whole may have been taken, and can be sent again")
            .into_response()
    })
}

async fn not_found(request: Request) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("there is no {}", request.uri().path()))
        .hint(format!("the routes are {}", routes::summary()))
}

async fn method_not_allowed(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    let known = request.extensions().get::<MatchedPath>().map(|matched| routes::methods(matched.as_str()));
    let error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} does not answer to {method}"));
    match known {
        Some(methods) => error.hint(format!("it answers to {methods}")),
        None => error,
    }
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("not a text"), "a request handler panicked");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed on this request")
        .hint("this is a fault of larum: the log has more, please report it")
        .into_response()
}

#[cfg(test)]
mod tests;
