//! What can be asked: `GET` routes.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Shared;
use super::api::{ChannelsDto, HealthDto, RulesDto, StatusDto, SubjectsDto};
use super::error::ApiError;
use super::openapi::Doc;
use super::ports::Unavailable;
use crate::model::{Time, duration};

/// The process is alive.
pub(super) async fn healthz() -> Json<HealthDto> {
    Json(HealthDto { status: "alive".to_string() })
}

pub(super) fn healthz_doc() -> Doc {
    Doc::new("healthz", "Whether the process is alive").answers::<HealthDto>(StatusCode::OK, "It is.")
}

/// The daemon does its work: rules are loaded and the store is open.
pub(super) async fn readyz(State(shared): State<Shared>) -> Result<Json<HealthDto>, ApiError> {
    let missing = shared.view.readiness().missing;
    match missing.is_empty() {
        true => Ok(Json(HealthDto { status: "ready".to_string() })),
        false => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}", missing.join(", ")))
            .hint("GET /api/v1/status lists the problems")
            .retry_after(1)),
    }
}

pub(super) fn readyz_doc() -> Doc {
    Doc::new("readyz", "Whether the daemon does its work")
        .answers::<HealthDto>(StatusCode::OK, "Rules are loaded, and the store is open.")
        .fails(StatusCode::SERVICE_UNAVAILABLE, "What is still missing.")
}

pub(super) async fn status(State(shared): State<Shared>, uri: Uri) -> Result<Json<StatusDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    Ok(Json(shared.view.status().await.map_err(unavailable)?))
}

pub(super) fn status_doc() -> Doc {
    Doc::new("status", "The overview: figures, channels, collectors and problems")
        .answers::<StatusDto>(StatusCode::OK, "How it is now.")
}

pub(super) async fn rules(State(shared): State<Shared>, uri: Uri) -> Result<Json<RulesDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let rules = shared.view.rules().await.map_err(unavailable)?;
    Ok(Json(RulesDto { rules, next: None }))
}

pub(super) fn rules_doc() -> Doc {
    Doc::new("list_rules", "Rules with their health and cost").answers::<RulesDto>(StatusCode::OK, "All of them.")
}

pub(super) async fn channels(State(shared): State<Shared>, uri: Uri) -> Result<Json<ChannelsDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let channels = shared.view.channels().await.map_err(unavailable)?;
    Ok(Json(ChannelsDto { channels, next: None }))
}

pub(super) fn channels_doc() -> Doc {
    Doc::new("list_channels", "Channels with the books of what they were told")
        .answers::<ChannelsDto>(StatusCode::OK, "All of them.")
}

/// Which subjects are asked for; all that is given must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct SubjectQuery {
    /// Of this kind.
    kind: Option<String>,
    /// Of this name.
    name: Option<String>,
}

pub(super) async fn subjects(State(shared): State<Shared>, uri: Uri) -> Result<Json<SubjectsDto>, ApiError> {
    let asked: SubjectQuery = query(&uri)?;
    let mut subjects = shared.view.subjects().await.map_err(unavailable)?;
    let is = |asked: &Option<String>, value: &str| asked.as_deref().is_none_or(|asked| asked == value);
    subjects.retain(|subject| is(&asked.kind, &subject.kind) && is(&asked.name, &subject.name));
    Ok(Json(SubjectsDto { subjects, next: None }))
}

pub(super) fn subjects_doc() -> Doc {
    Doc::new("list_subjects", "What is watched, each with its newest snapshot")
        .query::<SubjectQuery>()
        .answers::<SubjectsDto>(StatusCode::OK, "The subjects that are asked for.")
}

/// A route that takes no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoQuery {}

/// The parameters of a request. One that is not known is an error: a filter with a slip must not answer with everything.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    let parsed = Query::<T>::try_from_uri(uri);
    parsed.map(|Query(query)| query).map_err(|error| {
        ApiError::new(StatusCode::BAD_REQUEST, format!("the parameters cannot be read: {}", error.body_text()))
    })
}

/// A time that a parameter says: how long before now, or a whole time.
pub(super) fn time(key: &str, text: &str, now: Time) -> Result<Time, ApiError> {
    if let Ok(length) = duration::parse(text) {
        return Ok(now - length);
    }
    Time::parse_rfc3339(text).map_err(|_| {
        let error = format!("`{key}` is `{text}`, which is neither a duration nor a time");
        ApiError::new(StatusCode::BAD_REQUEST, error).hint("write it like `7d`, `90m` or `2026-11-21T10:00:00Z`")
    })
}

pub(super) fn unavailable(error: Unavailable) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        .hint("larum is starting or stopping")
        .retry_after(1)
}
