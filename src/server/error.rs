//! Errors as answers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// An error as a client sees it.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    error: String,
    hint: Option<String>,
    retry_after_seconds: Option<u64>,
    authenticate: bool,
}

/// Why something was not done.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorDto {
    /// What is wrong.
    error: String,
    /// What to do.
    hint: Option<String>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> ApiError {
        ApiError { status, error: error.into(), hint: None, retry_after_seconds: None, authenticate: false }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> ApiError {
        self.hint = Some(hint.into());
        self
    }

    /// The answer says how to show who one is.
    pub(super) fn authenticate(mut self) -> ApiError {
        self.authenticate = true;
        self
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> ApiError {
        self.retry_after_seconds = Some(seconds.max(1));
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorDto { error: self.error, hint: self.hint })).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.authenticate {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
