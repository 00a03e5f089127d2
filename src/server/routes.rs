//! The one list of routes: what is served, who may ask for it, and what the document says of it. The router, the guard,
//! `/openapi.json` and the tests of all of them are made from it, so that a new route cannot be forgotten.

use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, post};

use crate::access::Scope;

use super::openapi::{self, Doc};
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
    /// What `/openapi.json` says of it.
    pub(super) doc: fn() -> Doc,
}

const fn asks(
    path: &'static str,
    scope: Option<Scope>,
    handler: fn() -> MethodRouter<Shared>,
    doc: fn() -> Doc,
) -> Route {
    Route { method: || Method::GET, path, scope, handler, doc }
}

const fn does(path: &'static str, scope: Scope, handler: fn() -> MethodRouter<Shared>, doc: fn() -> Doc) -> Route {
    Route { method: || Method::POST, path, scope: Some(scope), handler, doc }
}

const READ: Option<Scope> = Some(Scope::Read);

/// All of them.
pub(super) const ROUTES: &[Route] = &[
    asks("/", None, || get(web::index), web::index_doc),
    asks("/assets/{*path}", None, || get(web::asset), web::asset_doc),
    asks("/healthz", None, || get(read::healthz), read::healthz_doc),
    asks("/readyz", None, || get(read::readyz), read::readyz_doc),
    asks("/metrics", READ, || get(metrics::metrics), metrics::metrics_doc),
    asks("/api/v1/snapshots", READ, || get(follow::snapshots), follow::snapshots_doc),
    does("/api/v1/snapshots", Scope::Push, || post(push::snapshots), push::snapshots_doc),
    asks("/api/v1/status", READ, || get(read::status), read::status_doc),
    asks("/api/v1/rules", READ, || get(read::rules), read::rules_doc),
    asks("/api/v1/rules/{name}/source", READ, || get(lab::source), lab::source_doc),
    does("/api/v1/replay", Scope::Write, || post(lab::replay), lab::replay_doc),
    asks("/api/v1/alerts", READ, || get(alerts::list), alerts::list_doc),
    asks("/api/v1/alerts/{id}", READ, || get(alerts::one), alerts::one_doc),
    does("/api/v1/alerts/{id}/ack", Scope::Write, || post(ack::one), ack::one_doc),
    does("/api/v1/ack", Scope::Write, || post(ack::several), ack::several_doc),
    asks("/api/v1/silences", READ, || get(silences::list), silences::list_doc),
    does("/api/v1/silences", Scope::Write, || post(silences::make), silences::make_doc),
    asks("/api/v1/silences/{id}", READ, || get(silences::one), silences::one_doc),
    asks("/openapi.json", None, || get(openapi::document), openapi::document_doc),
    Route {
        method: || Method::DELETE,
        path: "/api/v1/silences/{id}",
        scope: Some(Scope::Write),
        handler: || delete(silences::end),
        doc: silences::end_doc,
    },
    asks("/api/v1/pause", READ, || get(pause::list), pause::list_doc),
    does("/api/v1/pause", Scope::Write, || post(pause::pause), pause::pause_doc),
    does("/api/v1/resume", Scope::Write, || post(pause::resume), pause::resume_doc),
    does("/api/v1/forget", Scope::Write, || post(pause::forget), pause::forget_doc),
    asks("/api/v1/audit", READ, || get(audit::list), audit::list_doc),
    asks("/api/v1/subjects", READ, || get(read::subjects), read::subjects_doc),
    asks("/api/v1/dashboard", READ, || get(dashboard::dashboard), dashboard::dashboard_doc),
    asks("/api/v1/events", READ, || get(events::events), events::events_doc),
    asks("/api/v1/history", READ, || get(history::history), history::history_doc),
    asks("/api/v1/export/metrics", READ, || get(export::metrics), export::metrics_doc),
    asks("/api/v1/export/alerts", READ, || get(export::alerts), export::alerts_doc),
    asks("/api/v1/channels", READ, || get(read::channels), read::channels_doc),
    does("/api/v1/channels/{name}/test", Scope::Write, || post(lab::test_channel), lab::test_channel_doc),
    asks("/api/v1/why", READ, || get(why::why), why::why_doc),
    asks("/api/v1/outbox", READ, || get(outbox::list), outbox::list_doc),
    asks("/api/v1/outbox/{id}", READ, || get(outbox::show), outbox::show_doc),
    does("/api/v1/outbox/{id}/retry", Scope::Write, || post(outbox::retry), outbox::retry_doc),
    does("/api/v1/outbox/{id}/drop", Scope::Write, || post(outbox::drop), outbox::drop_doc),
];

impl Route {
    /// Its path as the document writes it, which knows no parameter that goes over several parts of a path.
    pub(super) fn documented_path(&self) -> String {
        self.path.replace("{*", "{")
    }

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
    format!("/healthz, /readyz, /openapi.json, /metrics and /api/v1/{{{}}}", names.join(","))
}
