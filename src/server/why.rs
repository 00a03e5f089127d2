//! Why a rule fires on something, or not: `GET /api/v1/why`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;

use super::Shared;
use super::api::WhyDto;
use super::error::ApiError;
use super::ports::{WhyError, WhyQuery};
use super::read::{query, unavailable};

/// What is to be explained.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    rule: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    at: Option<String>,
}

pub(super) async fn why(State(shared): State<Shared>, uri: Uri) -> Result<Json<WhyDto>, ApiError> {
    let Asked { rule, kind, name, at } = query(&uri)?;
    let bad = |error: &str, hint: &str| ApiError::new(StatusCode::BAD_REQUEST, error).hint(hint);
    let rule = rule.filter(|rule| !rule.is_empty());
    let Some(rule) = rule else {
        return Err(bad("`rule` is missing", "write it like `?rule=high_error_rate&name=shop-api`"));
    };
    if at.is_some() {
        return Err(bad(
            "a running daemon explains the present alone",
            "for the past, `larum why --at` reads what was stored",
        ));
    }
    if kind.is_some() && name.is_none() {
        return Err(bad("`kind` without `name` names no subject", "add `name`, or leave `kind` out for all of them"));
    }
    let found = shared.view.why(WhyQuery { rule, kind, name }).await;
    found.map(Json).map_err(|error| match error {
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
