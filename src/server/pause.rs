//! What is left alone for a while: `GET` and `POST /api/v1/pause`, `POST /api/v1/resume`; and `POST /api/v1/forget`.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::json;

use super::Shared;
use super::access::Caller;
use super::api::ForgottenDto;
use super::error::ApiError;
use super::operate::{body, clean, operate_error, person};
use super::ports::{Named, PauseAsked};
use super::read::{NoQuery, query, unavailable};
use crate::routing::MAX_COMMENT;

/// What is to be paused, or to go on.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    rules: Named,
    #[serde(default)]
    collectors: Named,
    by: Option<String>,
    #[serde(default)]
    comment: String,
}

/// `true` for all, or a list of names.
impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named, D::Error> {
        struct NamedVisitor;
        impl<'de> Visitor<'de> for NamedVisitor {
            type Value = Named;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`true` for all, or a list of names")
            }
            fn visit_bool<E: de::Error>(self, all: bool) -> Result<Named, E> {
                Ok(if all { Named::All } else { Named::Some(Vec::new()) })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Named, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = access.next_element()? {
                    names.push(name);
                }
                Ok(Named::Some(names))
            }
        }
        deserializer.deserialize_any(NamedVisitor)
    }
}

async fn asked(sent: Body, caller: &Caller) -> Result<PauseAsked, ApiError> {
    let Asked { rules, collectors, by, comment } = body(sent).await?;
    let bad = |problem: String| ApiError::new(StatusCode::BAD_REQUEST, problem);
    if rules.is_nothing() && collectors.is_nothing() {
        return Err(bad("neither rules nor collectors are named".to_string())
            .hint("send `{\"rules\": [\"cpu_high\"]}`, `{\"collectors\": [\"host\"]}`, or `true` for all of them"));
    }
    let by = person(by, caller, "by").map_err(bad)?;
    let comment = clean(comment, "comment").map_err(bad)?;
    if comment.len() > MAX_COMMENT {
        return Err(bad(format!("`comment` is longer than {MAX_COMMENT} bytes")));
    }
    Ok(PauseAsked { rules, collectors, by, comment })
}

pub(super) async fn list(State(shared): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let NoQuery {} = query(&uri)?;
    let paused = shared.view.pauses().await.map_err(unavailable)?;
    Ok(Json(json!({ "paused": paused, "next": null })).into_response())
}

pub(super) async fn pause(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    sent: Body,
) -> Result<Response, ApiError> {
    let NoQuery {} = query(&uri)?;
    let paused = shared.operator.pause(asked(sent, &caller).await?).await.map_err(operate_error)?;
    Ok(Json(json!({ "paused": paused, "next": null })).into_response())
}

pub(super) async fn resume(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    sent: Body,
) -> Result<Response, ApiError> {
    let NoQuery {} = query(&uri)?;
    let paused = shared.operator.resume(asked(sent, &caller).await?).await.map_err(operate_error)?;
    Ok(Json(json!({ "paused": paused, "next": null })).into_response())
}

/// What is to be forgotten.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    kind: String,
    name: String,
}

pub(super) async fn forget(State(shared): State<Shared>, uri: Uri, sent: Body) -> Result<Json<ForgottenDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let Forgotten { kind, name } = body(sent).await?;
    shared.operator.forget(kind, name).await.map(Json).map_err(operate_error)
}
