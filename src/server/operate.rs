//! What all routes share that do something: the body, who asks, and why it was not done.

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::access::Caller;
use super::error::ApiError;
use super::ports::OperateError;
use crate::diagnostic::is_invisible;
use crate::routing::MAX_AUTHOR;

/// What operators send is small.
const MAX_BODY: usize = 64 << 10;

/// The body as what it should be; an empty one as `{}`.
pub(super) async fn body<T: DeserializeOwned>(sent: Body) -> Result<T, ApiError> {
    let bytes = to_bytes(sent, MAX_BODY).await.map_err(|_| {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {MAX_BODY} bytes, or was cut off"),
        )
    })?;
    let text = match bytes.trim_ascii() {
        b"" => &b"{}"[..],
        text => text,
    };
    serde_json::from_slice(text).map_err(|error| {
        ApiError::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"))
            .hint("the README and `larum man` name the keys of each route")
    })
}

/// A text without control characters, in one line.
pub(super) fn clean(text: String, key: &str) -> Result<String, String> {
    match text.chars().find(|c| c.is_control() || is_invisible(*c)) {
        Some(c) => Err(format!("`{key}` has the character U+{:04X}, which cannot be shown", u32::from(c))),
        None => Ok(text.trim().to_string()),
    }
}

/// Who asks: as they say, else whose token it is; empty where neither says it.
pub(super) fn person(name: Option<String>, caller: &Caller, key: &str) -> Result<String, String> {
    let name = clean(name.unwrap_or_default(), key)?;
    let name = match name.is_empty() && caller.is_named() {
        true => caller.who.to_string(),
        false => name,
    };
    match name.len() > MAX_AUTHOR {
        true => Err(format!("`{key}` is longer than {MAX_AUTHOR} bytes")),
        false => Ok(name),
    }
}

/// Why it was not done, as an answer.
pub(super) fn operate_error(error: OperateError) -> ApiError {
    let with_hint = |error: ApiError, hint: Option<String>| match hint {
        Some(hint) => error.hint(hint),
        None => error,
    };
    match error {
        OperateError::Unknown(said) => ApiError::new(StatusCode::NOT_FOUND, said),
        OperateError::Nothing { said, hint } => with_hint(ApiError::new(StatusCode::NOT_FOUND, said), hint),
        OperateError::Refused { said, hint } => with_hint(ApiError::new(StatusCode::BAD_REQUEST, said), hint),
        OperateError::Conflict { said, hint } => with_hint(ApiError::new(StatusCode::CONFLICT, said), hint),
        OperateError::Failed(said) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, said).retry_after(1),
    }
}
