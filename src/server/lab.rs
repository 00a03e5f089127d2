//! `GET /api/v1/rules/{name}/source`, `POST /api/v1/replay` and `POST /api/v1/channels/{name}/test`: looking at a rule's text,
//! trying it over what is stored, and trying a channel.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Shared;
use super::api::{ReplayDto, RuleSourceDto};
use super::error::ApiError;
use super::openapi::Doc;
use super::operate::operate_error;
use super::ports::ReplayAsked;
use super::read::{NoQuery, query, unavailable};
use crate::model::duration;

/// A text of rules is not longer than this, in bytes.
const MOST_TEXT: usize = 1 << 20;
/// A replay goes back at most so far.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

#[derive(Deserialize, ToSchema)]
#[schema(as = ReplayBody)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The file: `rules/host.rhai`.
    file: String,
    /// Its text, edited.
    text: String,
    /// How far back; a day unless said.
    from: Option<String>,
}

pub(super) async fn source(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<RuleSourceDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let found = shared.view.rule_source(name.clone()).await.map_err(unavailable)?;
    found.map(Json).ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, format!("there is no rule `{name}`")))
}

pub(super) async fn replay(State(shared): State<Shared>, uri: Uri, body: Bytes) -> Result<Json<ReplayDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let bad = |error: String| ApiError::new(StatusCode::BAD_REQUEST, error);
    if body.len() > MOST_TEXT {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a text of rules has at most {MOST_TEXT} bytes"),
        ));
    }
    let asked: Asked = serde_json::from_slice(&body).map_err(|error| {
        bad(format!("the body cannot be read: {error}"))
            .hint("send {\"file\": \"rules/host.rhai\", \"text\": \"..\", \"from\": \"24h\"}")
    })?;
    let length =
        duration::parse(asked.from.as_deref().unwrap_or("24h")).map_err(|error| bad(format!("`from`: {error}")))?;
    if length.is_zero() || length > LONGEST {
        return Err(bad("`from` is at most 31d".to_string()));
    }
    let asked = ReplayAsked { file: asked.file, text: asked.text, length };
    shared.operator.replay(asked).await.map(Json).map_err(operate_error)
}

pub(super) async fn test_channel(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let NoQuery {} = query(&uri)?;
    let said = shared.operator.test_channel(name).await.map_err(operate_error)?;
    Ok(Json(json!({ "said": said })).into_response())
}

pub(super) fn source_doc() -> Doc {
    Doc::new("rule_source", "The text of the file that registered a rule")
        .path("name", "The rule.")
        .answers::<RuleSourceDto>(StatusCode::OK, "The text as it is in force.")
        .fails(StatusCode::NOT_FOUND, "There is no such rule.")
}

pub(super) fn replay_doc() -> Doc {
    Doc::new("try_rules", "Runs the rules over what is stored, as they are saved and with one file edited")
        .about("One at a time, in a child process with limits. Nothing is saved, and nobody is told.")
        .body::<Asked>("The file, its edited text, and how far back.")
        .answers::<ReplayDto>(StatusCode::OK, "What would have happened, or what is wrong with the text.")
        .fails(StatusCode::CONFLICT, "Another one runs.")
}

pub(super) fn test_channel_doc() -> Doc {
    Doc::new("test_channel", "Sends a sample notification to a channel")
        .path("name", "The channel.")
        .answers_any(StatusCode::OK, "What is said of it.")
        .fails(StatusCode::NOT_FOUND, "There is no such channel.")
}
