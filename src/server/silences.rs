//! Silences: `GET` and `POST /api/v1/silences`, one of them, and its end by `DELETE`.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::access::Caller;
use super::api::{SilenceDto, SilenceMadeDto, SilencesDto};
use super::error::ApiError;
use super::openapi::Doc;
use super::operate::{body, clean, operate_error, person};
use super::ports::SilenceQuery;
use super::read::{NoQuery, query, unavailable};
use crate::model::{Time, duration};
use crate::routing::{Active, Matchers, Plan, Recurrence, SilenceState};

/// How many are listed where `limit` is not given.
const LIMIT: usize = 100;
/// How many are listed at most.
const MOST: usize = 1000;

const ID: &str = "Its id, or the beginning of it.";
const NONE: &str = "There is no such silence.";

/// A silence as somebody asks for it.
#[derive(Deserialize, ToSchema)]
#[schema(
    as = SilenceAsked,
    examples(json!({ "match": { "rule": "cpu_*" }, "for": "2h", "author": "anna", "comment": "deploy" }))
)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Which alerts it covers.
    #[serde(rename = "match")]
    matches: Matchers,
    /// From when on; from now on unless said.
    from: Option<Time>,
    /// Until when.
    until: Option<Time>,
    /// For how long: `2h`.
    #[serde(rename = "for")]
    length: Option<String>,
    /// Weekly windows, as a route's `active`.
    every: Option<String>,
    /// The zone of these, by its IANA name.
    time_zone: Option<String>,
    /// Why.
    #[serde(default)]
    comment: String,
    /// Who makes it; whose token it is unless said.
    author: Option<String>,
    /// Nothing is made: only what it would cover is told.
    #[serde(default)]
    preview: bool,
}

/// Which silences are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// `planned`, `active`, `waiting`, `ended`, or `all`; those that are not ended unless said.
    state: Option<String>,
    /// How many of them a page has; 100 unless said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

pub(super) async fn make(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    sent: Body,
) -> Result<Response, ApiError> {
    let NoQuery {} = query(&uri)?;
    let asked: Asked = body(sent).await?;
    let preview = asked.preview;
    let plan = plan(asked, &caller, &shared.settings.time_zone)?;
    let made: SilenceMadeDto = shared.operator.silence(plan, preview).await.map_err(operate_error)?;
    let status = if preview { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(made)).into_response())
}

pub(super) fn make_doc() -> Doc {
    Doc::new("make_silence", "Make a silence, or see what it would cover")
        .body::<Asked>("What it covers, when, who makes it, and why.")
        .answers::<SilenceMadeDto>(StatusCode::CREATED, "It is made.")
        .answers::<SilenceMadeDto>(StatusCode::OK, "A preview: nothing is made.")
        .fails(StatusCode::CONFLICT, "It is not in a state for it.")
        .fails(StatusCode::NOT_FOUND, "It names what is not there.")
}

/// What is asked for, as a plan.
fn plan(asked: Asked, caller: &Caller, own_zone: &TimeZone) -> Result<Plan, ApiError> {
    let mut problems: Vec<String> = Vec::new();
    let length = asked.length.as_deref().map(duration::parse).transpose();
    let length = length.map_err(|error| problems.push(format!("`for`: {error}"))).ok().flatten();
    let windows = asked.every.as_deref().map(str::parse::<Active>).transpose();
    let windows = windows.map_err(|error| problems.push(format!("`every`: {error}"))).ok().flatten();
    let zone = asked.time_zone.as_deref().map(TimeZone::get).transpose();
    let zone = zone.map_err(|_| problems.push("`time_zone` is not known: write its IANA name".into())).ok().flatten();
    if zone.is_some() && asked.every.is_none() {
        problems.push("`time_zone` says in which zone `every` is, which is missing".to_string());
    }
    let author = person(asked.author, caller, "author").map_err(|problem| problems.push(problem)).unwrap_or_default();
    let comment = clean(asked.comment, "comment").map_err(|problem| problems.push(problem)).unwrap_or_default();
    if !problems.is_empty() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, problems.join("; ")));
    }
    Ok(Plan {
        matches: asked.matches,
        from: asked.from,
        until: asked.until,
        length,
        recurs: windows.map(|windows| Recurrence { windows, zone: zone.unwrap_or_else(|| own_zone.clone()) }),
        author,
        comment,
    })
}

pub(super) async fn list(State(shared): State<Shared>, uri: Uri) -> Result<Json<SilencesDto>, ApiError> {
    let asked: Listed = query(&uri)?;
    let bad = |error: String| ApiError::new(StatusCode::BAD_REQUEST, error);
    let states = SilenceState::ALL.map(SilenceState::as_str);
    let states: Vec<SilenceState> = match asked.state.as_deref() {
        None => SilenceState::ALL.into_iter().filter(|state| *state != SilenceState::Ended).collect(),
        Some("all") => SilenceState::ALL.to_vec(),
        Some(name) => match SilenceState::ALL.into_iter().find(|state| state.as_str() == name) {
            Some(state) => vec![state],
            None => {
                return Err(bad(format!("`{name}` is no state of a silence"))
                    .hint(format!("the states are {} and all", states.join(", "))));
            }
        },
    };
    let limit = asked.limit.unwrap_or(LIMIT);
    if limit == 0 || limit > MOST {
        return Err(bad(format!("`limit` is between 1 and {MOST}")));
    }
    let from = asked.cursor.as_deref().map(str::parse::<usize>).transpose();
    let from = from.map_err(|_| bad(super::NoCursor.to_string()))?.unwrap_or(0);
    let found = shared.view.silences(SilenceQuery { states }).await.map_err(unavailable)?;
    let to = from.saturating_add(limit).min(found.len());
    let next = (to < found.len()).then(|| to.to_string());
    let silences = found.get(from..to).unwrap_or_default().to_vec();
    Ok(Json(SilencesDto { silences, next }))
}

pub(super) fn list_doc() -> Doc {
    Doc::new("list_silences", "Silences").query::<Listed>().answers::<SilencesDto>(StatusCode::OK, "One page of them.")
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<SilenceMadeDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    shared.operator.show_silence(id).await.map(Json).map_err(operate_error)
}

pub(super) fn one_doc() -> Doc {
    Doc::new("show_silence", "One silence, and what it covers now")
        .path("id", ID)
        .answers::<SilenceMadeDto>(StatusCode::OK, "The silence.")
        .fails(StatusCode::NOT_FOUND, NONE)
        .fails(StatusCode::CONFLICT, "Several silences have an id that begins so.")
}

/// Who ends it; the body may be empty.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = SilenceEndAsked)]
#[serde(deny_unknown_fields)]
struct Ending {
    /// Who; whose token it is unless said.
    by: Option<String>,
}

pub(super) async fn end(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
    sent: Body,
) -> Result<Json<SilenceDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    let asked: Ending = body(sent).await?;
    let by = person(asked.by, &caller, "by").map_err(|problem| ApiError::new(StatusCode::BAD_REQUEST, problem))?;
    shared.operator.end_silence(id, by).await.map(Json).map_err(operate_error)
}

pub(super) fn end_doc() -> Doc {
    Doc::new("end_silence", "End a silence now")
        .path("id", ID)
        .optional_body::<Ending>("Who ends it.")
        .answers::<SilenceDto>(StatusCode::OK, "The silence as it is now.")
        .fails(StatusCode::NOT_FOUND, NONE)
        .fails(StatusCode::CONFLICT, "It is over already, or several silences have an id that begins so.")
}
