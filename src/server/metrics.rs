//! `GET /metrics`: figures for Prometheus.

use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::error::ApiError;
use super::openapi::Doc;
use super::read::{NoQuery, query, unavailable};
use crate::exposition::{Format, write};

pub(super) async fn metrics(State(shared): State<Shared>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let NoQuery {} = query(&uri)?;
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::for_accept(&accept.collect::<Vec<_>>().join(","));
    let families = shared.view.metrics().await.map_err(unavailable)?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], write(&families, format)).into_response())
}

pub(super) fn metrics_doc() -> Doc {
    Doc::new("metrics", "Figures for Prometheus")
        .about("In the format that `Accept` asks for: Prometheus' text format, or OpenMetrics.")
        .answers_text(&["text/plain", "application/openmetrics-text"], "Larum's own figures, and what it watches.")
}
