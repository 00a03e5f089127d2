//! `POST /api/v1/snapshots`: snapshots from outside.
//!
//! Bounded at each stage: the bytes of one body (as sent, and inflated), the bytes of all bodies that are held at one
//! moment, the entries of one push. A bad entry is refused with its index, and the others are taken; a body that is
//! over a bound is refused as a whole, before anything of it is taken.

mod body;
mod entries;

pub(super) use body::Bodies;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::access::Caller;
use super::api::{PushDto, RefusedDto};
use super::error::{ApiError, ErrorDto};
use super::openapi::{Doc, any_of, one_or_many, text};
use super::ports::{PushError, PushReceipt};
use super::{Settings, Shared};
use crate::history::{Batch, Source};
use crate::model::wire::WireSnapshot;
use body::{Encoding, Received};
use entries::Entries;

/// A body of at most this many bytes is parsed at once; a larger one (1 ms and more) on a thread that may block.
const PARSED_AT_ONCE: usize = 32 << 10;

/// Of the refused entries of one push, this many are listed.
const LISTED: usize = 10_000;

pub(super) async fn snapshots(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let encoding = Encoding::of(&headers)?;
    let received = body::read(&shared.bodies, shared.settings.max_body, &headers, body).await?;
    let entries = if encoding == Encoding::Identity && received.bytes.len() <= PARSED_AT_ONCE {
        parse(&shared, &caller, encoding, received)?
    } else {
        let (shared, caller) = (shared.clone(), caller.clone());
        let parsing = tokio::task::spawn_blocking(move || parse(&shared, &caller, encoding, received));
        // A panic while parsing goes on where panics are answered.
        parsing.await.unwrap_or_else(|failed| match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(stopping()),
        })?
    };
    let Entries { snapshots, places, mut refused } = entries;
    let receipt = match snapshots.is_empty() {
        // Nothing is owed to anybody, so nothing has to be stored first.
        true => PushReceipt { durable: true, ..PushReceipt::default() },
        false => {
            let source = Source { name: caller.source(), stale_after: shared.settings.push_stale_after };
            let batch = Batch { source, snapshots, complete: Vec::new() };
            shared.intake.push(batch).await.map_err(not_taken)?
        }
    };
    refused.extend(
        receipt.refused.iter().filter_map(|(index, refusal)| {
            Some(RefusedDto { index: *places.get(*index)?, error: refusal.to_string() })
        }),
    );
    refused.sort_by_key(|refused| refused.index);
    Ok(answer(&receipt, refused))
}

pub(super) fn snapshots_doc() -> Doc {
    let mut doc = Doc::new("push_snapshots", "Push snapshots");
    let snapshot = doc.schema_of::<WireSnapshot>();
    let refused = any_of([doc.schema_of::<PushDto>(), doc.schema_of::<ErrorDto>()]);
    doc.about("Judged and stored before the answer comes. May be packed with `Content-Encoding: gzip`.")
        .body_as("application/json", one_or_many(snapshot), "A snapshot, a list of them, or one a line.")
        .body_as("application/x-ndjson", text(), "A snapshot, a list of them, or one a line.")
        .answers::<PushDto>(StatusCode::OK, "What became of the entries; some may have been refused.")
        .answers_as(StatusCode::BAD_REQUEST, &["application/json"], refused, "Nothing was taken.")
}

/// From the bytes of a body to entries.
fn parse(shared: &Shared, caller: &Caller, encoding: Encoding, received: Received) -> Result<Entries, ApiError> {
    let Settings { max_body, max_entries, limits, .. } = *shared.settings;
    let received = match encoding {
        Encoding::Identity => received,
        Encoding::Gzip => body::inflate(&shared.bodies, max_body, &received)?,
    };
    let intake = Arc::clone(&shared.intake);
    entries::read(&received.bytes, max_entries, &limits, intake.now(), |subject| {
        if intake.is_reserved(&subject.kind) {
            return Some(format!("the kind `{}` is written by larum itself: choose another", subject.kind));
        }
        let token = caller.token.as_ref()?;
        (!token.may_push(&subject.kind, &subject.name))
            .then(|| format!("the token `{}` may not push {subject}: it is bound to other kinds or names", token.name))
    })
}

fn answer(receipt: &PushReceipt, mut refused: Vec<RefusedDto>) -> Response {
    let all_refused = receipt.taken == 0 && receipt.duplicates == 0 && !refused.is_empty();
    let refused_omitted = refused.len().saturating_sub(LISTED);
    refused.truncate(LISTED);
    let (status, error, hint) = match (all_refused, refused.first()) {
        (true, Some(first)) => (
            StatusCode::BAD_REQUEST,
            Some(format!("nothing was taken; entry {}: {}", first.index, first.error)),
            Some("`refused` says of each entry why".to_string()),
        ),
        _ => (StatusCode::OK, None, None),
    };
    let document = PushDto {
        error,
        hint,
        taken: receipt.taken,
        duplicates: receipt.duplicates,
        refused,
        refused_omitted,
        durable: receipt.durable,
    };
    (status, Json(document)).into_response()
}

fn not_taken(error: PushError) -> ApiError {
    match error {
        PushError::Busy { retry_after } => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            .hint("nothing of this push was taken: send it again after `Retry-After` seconds")
            .retry_after(retry_after.as_secs_f64().ceil() as u64),
        PushError::Off => ApiError::new(StatusCode::FORBIDDEN, error.to_string())
            .hint("add `- { type: push }` to `collectors` in larum.yaml"),
        PushError::Paused => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            .hint("nothing of this push was taken; an operator lets them go on with `larum resume --collector push`")
            .retry_after(60),
        PushError::Stopping => stopping(),
    }
}

fn stopping() -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, PushError::Stopping.to_string())
        .hint("nothing of this push was taken: send it again when larum runs")
        .retry_after(5)
}
