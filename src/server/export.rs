//! `GET /api/v1/export/metrics` and `GET /api/v1/export/alerts`: what is stored, a piece at a time.

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Shared;
use super::alerts::past_error;
use super::error::ApiError;
use super::ports::Exported;
use super::read::{query, time};
use crate::export::{AlertFilter, Format, MetricFilter};
use crate::model::Time;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricQuery {
    format: Option<String>,
    since: Option<String>,
    until: Option<String>,
    /// Several are separated by commas, as names and fields are.
    kind: Option<String>,
    name: Option<String>,
    field: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertQuery {
    format: Option<String>,
    since: Option<String>,
    until: Option<String>,
    rule: Option<String>,
    kind: Option<String>,
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
