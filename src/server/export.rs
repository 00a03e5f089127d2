//! `GET /api/v1/export/metrics` and `GET /api/v1/export/alerts`: what is stored, a piece at a time.

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Shared;
use super::alerts::past_error;
use super::error::ApiError;
use super::openapi::Doc;
use super::ports::Exported;
use super::read::{query, time};
use crate::export::{AlertFilter, Format, MetricFilter};
use crate::model::Time;

/// The types of content of the formats.
const CONTENT_TYPES: [&str; 3] = ["application/x-ndjson", "application/json", "text/csv"];

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct MetricQuery {
    /// `jsonl` unless said; `json` or `csv`.
    format: Option<String>,
    /// From when on: how far back (`7d`), or a time.
    since: Option<String>,
    /// Until when, as above.
    until: Option<String>,
    /// Only these kinds, separated by commas.
    kind: Option<String>,
    /// Only subjects of these names, separated by commas.
    name: Option<String>,
    /// Only these fields, separated by commas.
    field: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AlertQuery {
    /// `jsonl` unless said; `json` or `csv`.
    format: Option<String>,
    /// Raised from then on, or still firing then: how far back (`7d`), or a time.
    since: Option<String>,
    /// Raised before then, as above.
    until: Option<String>,
    /// Only those of this rule.
    rule: Option<String>,
    /// Only those of subjects of this kind.
    kind: Option<String>,
    /// Only those of subjects of this name.
    name: Option<String>,
}

pub(super) async fn metrics(State(shared): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let asked: MetricQuery = query(&uri)?;
    let names = |text: Option<String>| {
        text.into_iter().flat_map(|text| text.split(',').map(str::to_string).collect::<Vec<_>>()).collect()
    };
    let (since, until) = span(&shared, asked.since.as_deref(), asked.until.as_deref())?;
    let filter = MetricFilter {
        kinds: names(asked.kind),
        subjects: names(asked.name),
        fields: names(asked.field),
        since,
        until,
    };
    answer(&shared, Exported::Metrics(filter), asked.format.as_deref()).await
}

pub(super) async fn alerts(State(shared): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let AlertQuery { format, since, until, rule, kind, name } = query(&uri)?;
    let (since, until) = span(&shared, since.as_deref(), until.as_deref())?;
    answer(&shared, Exported::Alerts(AlertFilter { rule, kind, name, since, until }), format.as_deref()).await
}

fn span(shared: &Shared, since: Option<&str>, until: Option<&str>) -> Result<(Option<Time>, Option<Time>), ApiError> {
    let now = shared.intake.now().wall();
    let since = since.map(|text| time("since", text, now)).transpose()?;
    let until = until.map(|text| time("until", text, now)).transpose()?;
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        let error = ApiError::new(StatusCode::BAD_REQUEST, format!("nothing lies between {since} and {until}"));
        return Err(error.hint("`since` must be before `until`"));
    }
    Ok((since, until))
}

async fn answer(shared: &Shared, what: Exported, format: Option<&str>) -> Result<Response, ApiError> {
    let format = match format {
        None => Format::default(),
        Some(name) => Format::named(name).ok_or_else(|| {
            let names: Vec<&str> = Format::ALL.iter().map(|(name, _)| *name).collect();
            ApiError::new(StatusCode::BAD_REQUEST, format!("`{name}` is no format"))
                .hint(format!("the formats are {}", names.join(", ")))
        })?,
    };
    let bytes = shared.view.export(what, format).await.map_err(past_error)?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], Body::from_stream(bytes)).into_response())
}

pub(super) fn metrics_doc() -> Doc {
    Doc::new("export_metrics", "Stored snapshots, for other programs")
        .query::<MetricQuery>()
        .answers_text(&CONTENT_TYPES, "As many as there are, a piece at a time.")
}

pub(super) fn alerts_doc() -> Doc {
    Doc::new("export_alerts", "Alerts that fired, for other programs")
        .query::<AlertQuery>()
        .answers_text(&CONTENT_TYPES, "As many as there are, a piece at a time.")
}
