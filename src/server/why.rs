//! Why a rule fires on something, or not: `GET /api/v1/why`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Shared;
use super::api::WhyDto;
use super::error::ApiError;
use super::openapi::Doc;
use super::ports::{WhyError, WhyQuery};
use super::read::{query, time, unavailable};

/// What is to be explained.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The rule.
    #[param(required = true)]
    rule: Option<String>,
    /// The kind of the subject, which must be the rule's.
    kind: Option<String>,
    /// The name of the subject or group; without it all that the rule judges.
    name: Option<String>,
    /// As it was then, by what is stored: how far back, or a time.
    at: Option<String>,
}

pub(super) async fn why(State(shared): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let Asked { rule, kind, name, at } = query(&uri)?;
    let bad = |error: &str, hint: &str| ApiError::new(StatusCode::BAD_REQUEST, error).hint(hint);
    let rule = rule.filter(|rule| !rule.is_empty());
    let Some(rule) = rule else {
        return Err(bad("`rule` is missing", "write it like `?rule=high_error_rate&name=shop-api`"));
    };
    if kind.is_some() && name.is_none() {
        return Err(bad("`kind` without `name` names no subject", "add `name`, or leave `kind` out for all of them"));
    }
    let at = at.as_deref().map(|text| time("at", text, shared.intake.now().wall())).transpose()?;
    let asked = WhyQuery { rule, kind, name };
    let found = match at {
        None => shared.view.why(asked).await.map(|document| Json(document).into_response()),
        Some(at) => shared.view.why_at(asked, at).await.map(|document| Json(document).into_response()),
    };
    found.map_err(|error| match error {
        WhyError::Later(error) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error).retry_after(2),
        WhyError::Unavailable(error) => unavailable(error),
        WhyError::Unknown { error, hint } => {
            let error = ApiError::new(StatusCode::NOT_FOUND, error);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        }
    })
}

pub(super) fn why_doc() -> Doc {
    Doc::new("why", "Why a rule fires on something, or not")
        .query::<Asked>()
        .answers::<WhyDto>(StatusCode::OK, "The explanation.")
        .fails(StatusCode::NOT_FOUND, "There is no such rule or subject.")
}
