//! The audit log: every write, who asked for it, and what came of it. `GET /api/v1/audit`.

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Shared;
use super::access::Caller;
use super::api::AuditDto;
use super::error::ApiError;
use super::openapi::Doc;
use super::ports::{AuditEntry, AuditQuery, PastError};
use super::read::query;
use crate::model::{Time, duration};

/// So much of what was sent is written down, in bytes.
const SAID: usize = 1024;
/// Nothing that an operator sends is longer.
const MAX_BODY: usize = 64 << 10;
/// How many are listed where `limit` is not given.
const LIMIT: usize = 100;
/// How many are listed at most.
const MOST: usize = 1000;

/// The body of a write, read so that it can be written down too.
pub(super) async fn body(sent: Body) -> Result<Bytes, ApiError> {
    to_bytes(sent, MAX_BODY).await.map_err(|_| {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {MAX_BODY} bytes, or was cut off"),
        )
    })
}

/// What somebody asked for, as one line.
pub(super) fn said(method: &str, path: &str, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(&body[..body.len().min(SAID)]);
    let line = format!("{method} {path} {}", body.trim());
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim_end().to_string()
}

/// One write that was asked for.
pub(super) fn entry(caller: &Caller, time: Time, what: String, status: StatusCode) -> AuditEntry {
    AuditEntry {
        time,
        who: caller.who.to_string(),
        address: caller.address.map(|address| address.to_string()),
        what,
        status: status.as_u16(),
    }
}

/// Which entries are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// How far back, or from when: `7d`, `2026-11-21T10:00:00Z`.
    since: Option<String>,
    /// By the token of this name.
    who: Option<String>,
    /// How many of them a page has; 100 unless said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

pub(super) async fn list(State(shared): State<Shared>, uri: Uri) -> Result<Json<AuditDto>, ApiError> {
    let asked: Asked = query(&uri)?;
    let bad = |error: String| ApiError::new(StatusCode::BAD_REQUEST, error);
    let limit = asked.limit.unwrap_or(LIMIT);
    if limit == 0 || limit > MOST {
        return Err(bad(format!("`limit` is between 1 and {MOST}")));
    }
    let since = match asked.since.as_deref() {
        None => None,
        Some(text) => match (duration::parse(text), Time::parse_rfc3339(text)) {
            (Ok(length), _) => Some(shared.intake.now().wall() - length),
            (_, Ok(time)) => Some(time),
            _ => {
                let error = bad(format!("`since` is `{text}`, which is neither a duration nor a time"));
                return Err(error.hint("write how long ago, as `7d`, or a time, as `2026-11-21T10:00:00Z`"));
            }
        },
    };
    let before = asked.cursor.as_deref().map(str::parse::<i64>).transpose();
    let before = before.map_err(|_| bad(super::NoCursor.to_string()))?;
    let wanted = AuditQuery { since, who: asked.who, limit: limit + 1, before };
    let mut found = shared.view.audit(wanted).await.map_err(|error| match error {
        PastError::Unavailable(error) => super::read::unavailable(error),
        PastError::Store(_) => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    })?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(number, _)| number.to_string());
    Ok(Json(AuditDto { audit: found.into_iter().map(|(_, entry)| entry).collect(), next }))
}

pub(super) fn list_doc() -> Doc {
    Doc::new("list_audit", "Who asked for which write, and what came of it")
        .query::<Asked>()
        .answers::<AuditDto>(StatusCode::OK, "One page of the log.")
}
