//! `GET /api/v1/dashboard`: what the dashboard shows, as data.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Shared;
use super::api::DashboardDto;
use super::error::ApiError;
use super::openapi::Doc;
use super::ports::DashboardQuery;
use super::read::{query, unavailable};
use crate::model::duration;

/// Sparklines look back so far, unless said otherwise.
const HOUR: Duration = Duration::from_secs(3600);
/// And at most so far.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// Subjects of each kind that are told, unless said otherwise.
const SUBJECTS: usize = 200;
/// And at most.
const MOST_SUBJECTS: usize = 2000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// How far back sparklines look: `1h`.
    duration: Option<String>,
    /// Only subjects of this kind.
    kind: Option<String>,
    /// Subjects of each kind at most.
    limit: Option<usize>,
}

pub(super) async fn dashboard(State(shared): State<Shared>, uri: Uri) -> Result<Json<DashboardDto>, ApiError> {
    let asked: Asked = query(&uri)?;
    let bad = |error: String| ApiError::new(StatusCode::BAD_REQUEST, error);
    let length = asked.duration.as_deref().map(duration::parse).transpose();
    let length = length.map_err(|error| bad(format!("`duration`: {error}")))?.unwrap_or(HOUR);
    if !(Duration::from_secs(60)..=LONGEST).contains(&length) {
        return Err(bad("`duration` is between 1m and 7d".to_string()));
    }
    let limit = asked.limit.unwrap_or(SUBJECTS);
    if limit > MOST_SUBJECTS {
        return Err(bad(format!("`limit` is at most {MOST_SUBJECTS}")).hint("ask for one `kind` at a time"));
    }
    let asked = DashboardQuery { length, kind: asked.kind, limit };
    Ok(Json(shared.view.dashboard(asked).await.map_err(unavailable)?))
}

pub(super) fn dashboard_doc() -> Doc {
    Doc::new("dashboard", "What the dashboard shows at once")
        .query::<Asked>()
        .answers::<DashboardDto>(StatusCode::OK, "Alerts, subjects with sparklines, counts and problems.")
}
