//! Acknowledgements: of one firing, or of all that match.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;

use super::Shared;
use super::access::Caller;
use super::api::AcknowledgedDto;
use super::error::ApiError;
use super::operate::{body, clean, operate_error, person};
use super::ports::Acknowledgement;
use super::read::{NoQuery, query};
use crate::routing::MAX_COMMENT;

/// Who, and why; all of it may be left out.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    by: Option<String>,
    #[serde(default)]
    comment: String,
    /// The acknowledgement is taken back.
    #[serde(default)]
    undo: bool,
}

/// The same, with what the firings must be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    rule: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    by: Option<String>,
    #[serde(default)]
    comment: String,
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
