//! What is owed to channels: `GET /api/v1/outbox`, one notification with its attempts, and what an operator does with it.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::api::{DELIVERY_STATES, DeliveriesDto, DeliveryDetailDto, OperatedDto};
use super::error::ApiError;
use super::openapi::Doc;
use super::operate::operate_error;
use super::ports::{OperateError, OutboxQuery};
use super::read::{NoQuery, query, unavailable};

/// How many are listed where `limit` is not given.
const LIMIT: usize = 100;
/// How many are listed at most.
const MOST: usize = 1000;
/// Nothing that is sent here is longer.
const MAX_BODY: usize = 1024;

const ID: &str = "The id of the notification.";
const NONE: &str = "There is no such notification.";

/// An object without keys.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

type Id = Result<Path<String>, PathRejection>;

/// Which notifications are asked for; all that is given must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// `waiting`, `delivered`, `absorbed` or `dead`.
    state: Option<String>,
    /// For this channel.
    channel: Option<String>,
    /// How many of them a page has; 100 unless said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

pub(super) async fn list(State(shared): State<Shared>, uri: Uri) -> Result<Json<DeliveriesDto>, ApiError> {
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
    Ok(Json(DeliveriesDto { outbox: found, next }))
}

pub(super) fn list_doc() -> Doc {
    Doc::new("list_outbox", "Notifications, delivered or not")
        .query::<Asked>()
        .answers::<DeliveriesDto>(StatusCode::OK, "One page of them.")
}

pub(super) async fn show(State(shared): State<Shared>, id: Id, uri: Uri) -> Result<Json<DeliveryDetailDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let id = read_id(id)?;
    let found = shared.view.delivery(&id).await.map_err(unavailable)?;
    found.map(Json).ok_or_else(|| refused(OperateError::Unknown(format!("there is no notification `{id}`"))))
}

pub(super) fn show_doc() -> Doc {
    Doc::new("show_notification", "One notification with its attempts")
        .path("id", ID)
        .answers::<DeliveryDetailDto>(StatusCode::OK, "The notification.")
        .fails(StatusCode::NOT_FOUND, NONE)
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

pub(super) fn retry_doc() -> Doc {
    operation_doc(Doc::new("retry_notification", "Try a notification again now"))
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

pub(super) fn drop_doc() -> Doc {
    operation_doc(Doc::new("drop_notification", "Give up a notification that waits"))
}

fn operation_doc(doc: Doc) -> Doc {
    doc.path("id", ID)
        .optional_body::<Nothing>("Nothing, or an empty object.")
        .answers::<OperatedDto>(StatusCode::OK, "What became of it.")
        .fails(StatusCode::NOT_FOUND, NONE)
        .fails(StatusCode::CONFLICT, "It is not in a state for it.")
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
