//! Acknowledgements: of one firing, or of all that match.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Shared;
use super::access::Caller;
use super::api::AcknowledgedDto;
use super::error::ApiError;
use super::openapi::Doc;
use super::operate::{body, clean, operate_error, person};
use super::ports::Acknowledgement;
use super::read::{NoQuery, query};
use crate::routing::MAX_COMMENT;

/// Who, and why; all of it may be left out.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = AckAsked)]
#[serde(deny_unknown_fields)]
struct One {
    /// Who; whose token it is unless said.
    by: Option<String>,
    /// What they say.
    #[serde(default)]
    comment: String,
    /// The acknowledgement is taken back.
    #[serde(default)]
    undo: bool,
}

/// The same, with what the firings must be.
#[derive(Deserialize, ToSchema)]
#[schema(as = AckSeveralAsked, examples(json!({ "rule": "high_error_rate", "by": "anna", "comment": "looking" })))]
#[serde(deny_unknown_fields)]
struct Several {
    /// Of this rule.
    rule: Option<String>,
    /// Of subjects of this kind.
    kind: Option<String>,
    /// Of subjects of this name.
    name: Option<String>,
    /// Who; whose token it is unless said.
    by: Option<String>,
    /// What they say.
    #[serde(default)]
    comment: String,
    /// The acknowledgement is taken back.
    #[serde(default)]
    undo: bool,
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
    sent: Body,
) -> Result<Json<AcknowledgedDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let One { by, comment, undo } = body(sent).await?;
    let asked = Acknowledgement { id: Some(id), undo, ..Acknowledgement::default() };
    acknowledge(shared, &caller, asked, by, comment).await
}

pub(super) fn one_doc() -> Doc {
    Doc::new("acknowledge_alert", "Acknowledge one firing, or take it back")
        .path("id", "The alert's id, or the beginning of it.")
        .optional_body::<One>("Who, and why.")
        .answers::<AcknowledgedDto>(StatusCode::OK, "The alert as it is now.")
        .fails(StatusCode::NOT_FOUND, "Nothing that fires has this id.")
        .fails(StatusCode::CONFLICT, "Several alerts have an id that begins so, or it is not in a state for it.")
}

pub(super) async fn several(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    sent: Body,
) -> Result<Json<AcknowledgedDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let Several { rule, kind, name, by, comment, undo } = body(sent).await?;
    if rule.is_none() && kind.is_none() && name.is_none() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "this would acknowledge everything that fires")
            .hint("give `rule`, `kind` or `name`, or POST to /api/v1/alerts/{id}/ack"));
    }
    let asked = Acknowledgement { rule, kind, name, undo, ..Acknowledgement::default() };
    acknowledge(shared, &caller, asked, by, comment).await
}

pub(super) fn several_doc() -> Doc {
    Doc::new("acknowledge_alerts", "Acknowledge all that fires and matches, or take it back")
        .body::<Several>("What is meant: at least one of `rule`, `kind` and `name`; who, and why.")
        .answers::<AcknowledgedDto>(StatusCode::OK, "The alerts as they are now.")
        .fails(StatusCode::NOT_FOUND, "Nothing that fires matches.")
        .fails(StatusCode::CONFLICT, "It is not in a state for it.")
}

async fn acknowledge(
    shared: Shared,
    caller: &Caller,
    asked: Acknowledgement,
    by: Option<String>,
    comment: String,
) -> Result<Json<AcknowledgedDto>, ApiError> {
    let bad = |problem: String| ApiError::new(StatusCode::BAD_REQUEST, problem);
    let by = person(by, caller, "by").map_err(bad)?;
    let comment = clean(comment, "comment").map_err(bad)?;
    if comment.len() > MAX_COMMENT {
        return Err(bad(format!("`comment` is longer than {MAX_COMMENT} bytes")));
    }
    shared.operator.acknowledge(Acknowledgement { by, comment, ..asked }).await.map(Json).map_err(operate_error)
}
