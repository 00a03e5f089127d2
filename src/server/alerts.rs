//! Alerts, present and past: `GET /api/v1/alerts` and `GET /api/v1/alerts/{id}`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Shared;
use super::api::{AlertDto, AlertHistoryDto, AlertPageDto};
use super::error::ApiError;
use super::openapi::Doc;
use super::ports::{FiringQuery, Found, PastError};
use super::read::{NoQuery, query, time, unavailable};
use crate::model::Level;

/// A page of past alerts has so many, unless asked otherwise.
const PAGE: usize = 100;
/// And never more than these.
const MAX_PAGE: usize = 1000;
/// The states of alerts that are there now.
const PRESENT: [&str; 3] = ["pending", "firing", "recovering"];

/// Which alerts are asked for; all that is given must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AlertQuery {
    /// One of the present states, `ended`, or `all` that ever fired; the present ones unless said.
    state: Option<String>,
    /// Of this rule.
    rule: Option<String>,
    /// Of subjects of this kind.
    kind: Option<String>,
    /// Of subjects of this name.
    name: Option<String>,
    /// At this level.
    level: Option<String>,
    /// How far back, or from when: `7d`, `2026-11-21T10:00:00Z`.
    since: Option<String>,
    /// How many of them a page has.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

pub(super) async fn list(State(shared): State<Shared>, uri: Uri) -> Result<Json<AlertPageDto>, ApiError> {
    let asked: AlertQuery = query(&uri)?;
    let level = asked.level.as_deref().map(str::parse::<Level>).transpose().map_err(|error| bad(error.to_string()))?;
    let since = asked.since.as_deref().map(|text| time("since", text, shared.intake.now().wall())).transpose()?;
    let limit = asked.limit.filter(|limit| (1..=MAX_PAGE).contains(limit));
    if limit.is_none() && asked.limit.is_some() {
        return Err(bad(format!("`limit` is between 1 and {MAX_PAGE}")));
    }
    let past = match asked.state.as_deref() {
        None => false,
        Some("ended" | "all") => true,
        Some(state) if PRESENT.contains(&state) => false,
        Some(state) => {
            return Err(bad(format!("`{state}` is no state of an alert"))
                .hint("the states are pending, firing, recovering and ended; `all` is all that ever fired"));
        }
    };
    if past {
        let after = asked.cursor.as_deref().map(str::parse).transpose();
        let asked = FiringQuery {
            ended: asked.state.as_deref() == Some("ended"),
            rule: asked.rule,
            kind: asked.kind,
            name: asked.name,
            level,
            since,
            limit: limit.unwrap_or(PAGE),
            after: after.map_err(|error: super::NoCursor| bad(error.to_string()))?,
        };
        return Ok(Json(shared.view.firings(asked).await.map_err(past_error)?));
    }
    let from = asked.cursor.as_deref().map(str::parse::<usize>).transpose();
    let from = from.map_err(|_| bad(super::NoCursor.to_string()))?.unwrap_or(0);
    let mut alerts = shared.view.alerts().await.map_err(unavailable)?;
    let is = |asked: &Option<String>, value: &str| asked.as_deref().is_none_or(|asked| asked == value);
    alerts.retain(|alert: &AlertDto| {
        is(&asked.state, &alert.state)
            && is(&asked.rule, &alert.rule)
            && is(&asked.kind, &alert.kind)
            && is(&asked.name, &alert.name)
            && level.is_none_or(|level| alert.level == Some(level))
    });
    let to = from.saturating_add(limit.unwrap_or(usize::MAX)).min(alerts.len());
    let next = (to < alerts.len()).then(|| to.to_string());
    let alerts = alerts.get(from..to).unwrap_or_default().to_vec();
    Ok(Json(AlertPageDto { alerts, next }))
}

pub(super) fn list_doc() -> Doc {
    Doc::new("list_alerts", "Alerts, present and past")
        .query::<AlertQuery>()
        .answers::<AlertPageDto>(StatusCode::OK, "One page of them.")
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<AlertHistoryDto>, ApiError> {
    let NoQuery {} = query(&uri)?;
    match shared.view.firing(id.clone()).await.map_err(past_error)? {
        Found::One(history) => Ok(Json(*history)),
        Found::None => Err(ApiError::new(StatusCode::NOT_FOUND, format!("there is no alert `{id}`")).hint(
            "`larum alerts --all`, or GET /api/v1/alerts?state=all, shows the ids; what ended long ago is forgotten",
        )),
        Found::Several(ids) => {
            Err(ApiError::new(StatusCode::CONFLICT, format!("several alerts have an id that begins with `{id}`"))
                .hint(format!("write more of it: {}", ids.join(", "))))
        }
    }
}

pub(super) fn one_doc() -> Doc {
    Doc::new("show_alert", "One alert with its history, and who was told of it")
        .path("id", "Its id, or the beginning of it.")
        .answers::<AlertHistoryDto>(StatusCode::OK, "The alert.")
        .fails(StatusCode::NOT_FOUND, "There is no such alert.")
        .fails(StatusCode::CONFLICT, "Several alerts have an id that begins so.")
}

/// A length of time before now, or a time.
fn bad(error: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, error)
}

pub(super) fn past_error(error: PastError) -> ApiError {
    match error {
        PastError::Unavailable(error) => unavailable(error),
        PastError::Store(_) => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            .hint("the log and GET /api/v1/status tell more of the store"),
    }
}
