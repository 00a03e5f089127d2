//! The one list of routes: what is served, and who may ask for it. The router, the guard and the tests of both are made
//! from it, so that a new route cannot be forgotten.

use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, post};

use crate::access::Scope;

use super::{
    Shared, ack, alerts, audit, dashboard, events, export, follow, history, lab, metrics, outbox, pause, push, read,
    silences, web, why,
};

/// One route.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) method: fn() -> Method,
    /// As axum writes it: `/api/v1/alerts/{id}`.
    pub(super) path: &'static str,
    /// What is needed; `None` for what anybody may ask.
    pub(super) scope: Option<Scope>,
    /// Makes its handler.
    pub(super) handler: fn() -> MethodRouter<Shared>,
}

const fn asks(path: &'static str, scope: Option<Scope>, handler: fn() -> MethodRouter<Shared>) -> Route {
    Route { method: || Method::GET, path, scope, handler }
}

const fn does(path: &'static str, scope: Scope, handler: fn() -> MethodRouter<Shared>) -> Route {
    Route { method: || Method::POST, path, scope: Some(scope), handler }
}

const READ: Option<Scope> = Some(Scope::Read);

/// All of them.
pub(super) const ROUTES: &[Route] = &[
    asks("/", None, || get(web::index)),
    asks("/assets/{*path}", None, || get(web::asset)),
    asks("/healthz", None, || get(read::healthz)),
    asks("/readyz", None, || get(read::readyz)),
    asks("/metrics", READ, || get(metrics::metrics)),
    asks("/api/v1/snapshots", READ, || get(follow::snapshots)),
    does("/api/v1/snapshots", Scope::Push, || post(push::snapshots)),
    asks("/api/v1/status", READ, || get(read::status)),
    asks("/api/v1/rules", READ, || get(read::rules)),
    asks("/api/v1/rules/{name}/source", READ, || get(lab::source)),
    does("/api/v1/replay", Scope::Write, || post(lab::replay)),
    asks("/api/v1/alerts", READ, || get(alerts::list)),
    asks("/api/v1/alerts/{id}", READ, || get(alerts::one)),
    does("/api/v1/alerts/{id}/ack", Scope::Write, || post(ack::one)),
    does("/api/v1/ack", Scope::Write, || post(ack::several)),
    asks("/api/v1/silences", READ, || get(silences::list)),
    does("/api/v1/silences", Scope::Write, || post(silences::make)),
    asks("/api/v1/silences/{id}", READ, || get(silences::one)),
    Route {
        method: || Method::DELETE,
        path: "/api/v1/silences/{id}",
        scope: Some(Scope::Write),
        handler: || delete(silences::end),
    },
    asks("/api/v1/pause", READ, || get(pause::list)),
    does("/api/v1/pause", Scope::Write, || post(pause::pause)),
    does("/api/v1/resume", Scope::Write, || post(pause::resume)),
    does("/api/v1/forget", Scope::Write, || post(pause::forget)),
    asks("/api/v1/audit", READ, || get(audit::list)),
    asks("/api/v1/subjects", READ, || get(read::subjects)),
    asks("/api/v1/dashboard", READ, || get(dashboard::dashboard)),
    asks("/api/v1/events", READ, || get(events::events)),
    asks("/api/v1/history", READ, || get(history::history)),
    asks("/api/v1/export/metrics", READ, || get(export::metrics)),
    asks("/api/v1/export/alerts", READ, || get(export::alerts)),
    asks("/api/v1/channels", READ, || get(read::channels)),
    does("/api/v1/channels/{name}/test", Scope::Write, || post(lab::test_channel)),
    asks("/api/v1/why", READ, || get(why::why)),
    asks("/api/v1/outbox", READ, || get(outbox::list)),
    asks("/api/v1/outbox/{id}", READ, || get(outbox::show)),
    does("/api/v1/outbox/{id}/retry", Scope::Write, || post(outbox::retry)),
    does("/api/v1/outbox/{id}/drop", Scope::Write, || post(outbox::drop)),
];

impl Route {
    /// Whether it does something that is written down in the audit log. Snapshots are counted elsewhere: there are too many.
    pub(super) fn is_audited(&self) -> bool {
        self.scope == Some(Scope::Write)
    }
}

/// The route that answers to a method at a path as axum writes it. Who may get may ask for the head.
pub(super) fn find(method: &Method, path: &str) -> Option<&'static Route> {
    let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
    ROUTES.iter().find(|route| route.path == path && (route.method)() == method)
}

/// The methods to which a path answers, in words: `GET and POST`.
pub(super) fn methods(path: &str) -> String {
    let methods: Vec<String> =
        ROUTES.iter().filter(|route| route.path == path).map(|route| (route.method)().to_string()).collect();
    methods.join(" and ")
}

/// The first words of all paths, for hints: `/api/v1/{snapshots,status,..}`.
pub(super) fn summary() -> String {
    let mut names: Vec<&str> = Vec::new();
    for route in ROUTES {
        let name = route.path.strip_prefix("/api/v1/").and_then(|rest| rest.split('/').next());
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    format!("/healthz, /readyz, /metrics and /api/v1/{{{}}}", names.join(","))
}
