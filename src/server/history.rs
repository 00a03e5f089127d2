//! `GET /api/v1/history`: the samples of one field.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Shared;
use super::alerts::past_error;
use super::api::HistoryDto;
use super::error::ApiError;
use super::openapi::Doc;
use super::ports::{HistoryError, HistoryQuery};
use super::read::{query, time};
use crate::model::duration;

/// So far back, unless said otherwise.
const HOUR: Duration = Duration::from_secs(3600);
/// Points that may be asked for.
const MOST_POINTS: u128 = 11_000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The kind of the subject.
    kind: String,
    /// The name of the subject.
    name: String,
    /// The field.
    field: String,
    /// From when on: how far back, or a time; an hour back unless said.
    from: Option<String>,
    /// Until when, as above; now unless said.
    to: Option<String>,
    /// Over how long samples are summed up; each by itself unless said.
    step: Option<String>,
}

pub(super) async fn history(State(shared): State<Shared>, uri: Uri) -> Result<Json<HistoryDto>, ApiError> {
    let asked: Asked = query(&uri)?;
    let now = shared.intake.now().wall();
    let from = asked.from.as_deref().map(|text| time("from", text, now)).transpose()?;
    let to = asked.to.as_deref().map(|text| time("to", text, now)).transpose()?.unwrap_or(now);
    let from = from.unwrap_or(to - HOUR);
    let bad = |error: String| ApiError::new(StatusCode::BAD_REQUEST, error);
    if from >= to {
        return Err(bad(format!("nothing lies between {from} and {to}")).hint("`from` must be before `to`"));
    }
    let step = asked.step.as_deref().map(duration::parse).transpose();
    let step = step.map_err(|error| bad(format!("`step`: {error}")))?.filter(|step| !step.is_zero());
    if let Some(step) = step
        && to.since(from).as_micros() / step.as_micros().max(1) > MOST_POINTS
    {
        return Err(bad(format!("more than {MOST_POINTS} points would be given"))
            .hint("ask for a longer `step`, or for less time"));
    }
    let asked = HistoryQuery { kind: asked.kind, name: asked.name, field: asked.field, from, to, step };
    shared.view.history(asked).await.map(Json).map_err(|error| match error {
        HistoryError::Past(error) => past_error(error),
        HistoryError::Unknown { error, hint } => {
            let error = ApiError::new(StatusCode::NOT_FOUND, error);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        }
        HistoryError::TooMany { max } => {
            bad(format!("more than {max} samples would be given")).hint("ask for a `step`, or for less time")
        }
    })
}

pub(super) fn history_doc() -> Doc {
    Doc::new("history", "The samples of one field")
        .query::<Asked>()
        .answers::<HistoryDto>(StatusCode::OK, "What memory has, and before that what is stored.")
        .fails(StatusCode::NOT_FOUND, "There is no such subject, and nothing is stored of it.")
}
