//! What is left alone for a while: `GET` and `POST /api/v1/pause`, `POST /api/v1/resume`; and `POST /api/v1/forget`.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, Uri};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use utoipa::ToSchema;

use super::Shared;
use super::access::Caller;
use super::api::{ForgottenDto, PausedDto};
use super::error::ApiError;
use super::openapi::Doc;
use super::operate::{body, clean, operate_error, person};
use super::ports::{Named, PauseAsked};
use super::read::{NoQuery, query, unavailable};
use crate::routing::MAX_COMMENT;

/// What is to be paused, or to go on.
#[derive(serde::Deserialize, ToSchema)]
#[schema(as = PauseAsked, examples(json!({ "collectors": ["push"], "by": "anna", "comment": "moving the rack" })))]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Which rules.
    #[serde(default)]
    rules: Named,
    /// Which collectors.
    #[serde(default)]
    collectors: Named,
    /// Who; whose token it is unless said.
    by: Option<String>,
    /// Why.
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

pub(super) async fn list(State(shared): State<Shared>, uri: Uri) -> Result<Json<PausedDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let paused = shared.view.pauses().await.map_err(unavailable)?;
    Ok(Json(PausedDto { paused, next: None }))
}

pub(super) fn list_doc() -> Doc {
    Doc::new("list_paused", "What is left alone for a while").answers::<PausedDto>(StatusCode::OK, "All of it.")
}

pub(super) async fn pause(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    sent: Body,
) -> Result<Json<PausedDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let paused = shared.operator.pause(asked(sent, &caller).await?).await.map_err(operate_error)?;
    Ok(Json(PausedDto { paused, next: None }))
}

pub(super) fn pause_doc() -> Doc {
    change_doc(Doc::new("pause", "Leave rules or collectors alone"))
}

pub(super) async fn resume(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    sent: Body,
) -> Result<Json<PausedDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let paused = shared.operator.resume(asked(sent, &caller).await?).await.map_err(operate_error)?;
    Ok(Json(PausedDto { paused, next: None }))
}

pub(super) fn resume_doc() -> Doc {
    change_doc(Doc::new("resume", "Let rules or collectors go on"))
}

fn change_doc(doc: Doc) -> Doc {
    doc.body::<Asked>("Rules, collectors or both; who, and why.")
        .answers::<PausedDto>(StatusCode::OK, "What is paused then.")
        .fails(StatusCode::NOT_FOUND, "A rule or collector of this name is not there, or not paused.")
        .fails(StatusCode::CONFLICT, "It is not in a state for it.")
}

/// What is to be forgotten.
#[derive(serde::Deserialize, ToSchema)]
#[schema(as = ForgetAsked, examples(json!({ "kind": "service", "name": "billing" })))]
#[serde(deny_unknown_fields)]
struct Forgotten {
    /// Its kind.
    kind: String,
    /// Its name.
    name: String,
}

pub(super) async fn forget(State(shared): State<Shared>, uri: Uri, sent: Body) -> Result<Json<ForgottenDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let Forgotten { kind, name } = body(sent).await?;
    shared.operator.forget(kind, name).await.map(Json).map_err(operate_error)
}

pub(super) fn forget_doc() -> Doc {
    Doc::new("forget_subject", "Forget a subject, and close its alerts")
        .body::<Forgotten>("Which one.")
        .answers::<ForgottenDto>(StatusCode::OK, "What was forgotten.")
        .fails(StatusCode::NOT_FOUND, "There is no such subject.")
        .fails(StatusCode::CONFLICT, "It is not in a state for it.")
}
