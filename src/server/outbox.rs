//! What is owed to channels: `GET /api/v1/outbox`, one notification with its attempts, and what an operator does with it.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use super::api::{DELIVERY_STATES, DeliveryDetailDto, OperatedDto};
use super::error::ApiError;
use super::operate::operate_error;
use super::ports::{OperateError, OutboxQuery};
use super::read::{NoQuery, query, unavailable};

/// How many are listed where `limit` is not given.
const LIMIT: usize = 100;
/// How many are listed at most.
const MOST: usize = 1000;
/// Nothing that is sent here is longer.
const MAX_BODY: usize = 1024;

type Id = Result<Path<String>, PathRejection>;

/// Which notifications are asked for; all that is given must hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    state: Option<String>,
    channel: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn list(State(shared): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let asked: Asked = query(&uri)?;
    let bad = |error: String| ApiError::new(StatusCode::BAD_REQUEST, error);
    if let Some(state) = asked.state.as_deref().filter(|state| !DELIVERY_STATES.contains(state)) {
        return Err(bad(format!("`{state}` is no state of a notification"))
            .hint(format!("the states are {}", DELIVERY_STATES.join(", "))));
    }
    let limit = asked.limit.unwrap_or(LIMIT);
    if limit == 0 || limit > MOST {
        return Err(bad(format!("`limit` is between 1 and {MOST}")));
    }
    let offset = asked.cursor.as_deref().map(str::parse::<usize>).transpose();
    let offset =
        offset.map_err(|_| bad("this is no cursor".into()).hint("take it from `next` of the former answer"))?;
    let offset = offset.unwrap_or(0);
    // One more says whether there is a next page.
    let wanted = OutboxQuery { state: asked.state, channel: asked.channel, limit: limit + 1, offset };
    let mut found = shared.view.outbox(wanted).await.map_err(unavailable)?;
    let next = (found.len() > limit).then(|| (offset + limit).to_string());
    found.truncate(limit);
    Ok(Json(json!({ "outbox": found, "next": next })).into_response())
}

pub(super) async fn show(State(shared): State<Shared>, id: Id, uri: Uri) -> Result<Json<DeliveryDetailDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let id = read_id(id)?;
    let found = shared.view.delivery(&id).await.map_err(unavailable)?;
    found.map(Json).ok_or_else(|| refused(OperateError::Unknown(format!("there is no notification `{id}`"))))
}

pub(super) async fn retry(
    State(shared): State<Shared>,
    id: Id,
    uri: Uri,
    body: Body,
) -> Result<Json<OperatedDto>, ApiError> {
    let id = operand(id, &uri, body).await?;
    shared.operator.retry_delivery(&id).await.map(Json).map_err(refused)
}

pub(super) async fn drop(
    State(shared): State<Shared>,
    id: Id,
    uri: Uri,
    body: Body,
) -> Result<Json<OperatedDto>, ApiError> {
    let id = operand(id, &uri, body).await?;
    shared.operator.drop_delivery(&id).await.map(Json).map_err(refused)
}

/// The id of the notification that is to be operated on, by a request with nothing else in it.
async fn operand(id: Id, uri: &Uri, body: Body) -> Result<String, ApiError> {
    let NoQuery {} = query(uri)?;
    no_content(body).await?;
    read_id(id)
}

fn read_id(id: Id) -> Result<String, ApiError> {
    let bad = |_| ApiError::new(StatusCode::BAD_REQUEST, "the id of the notification is not text");
    id.map(|Path(id)| id).map_err(bad)
}

/// These take no parameters: one that is given would be left out silently.
async fn no_content(body: Body) -> Result<(), ApiError> {
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_else(|_| "too long".into());
    match body.trim_ascii() {
        b"" | b"{}" => Ok(()),
        _ => Err(ApiError::new(StatusCode::BAD_REQUEST, "this takes no parameters").hint("send `{}`")),
    }
}

fn refused(error: OperateError) -> ApiError {
    let is_unknown = matches!(error, OperateError::Unknown(_));
    let error = operate_error(error);
    match is_unknown {
        true => error.hint("`larum outbox list`, or GET /api/v1/outbox, shows the ids; give the whole id"),
        false => error,
    }
}
