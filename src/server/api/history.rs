//! The document of one field's samples.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::Time;

/// The samples of one field.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HistoryDto {
    /// The kind of the subject.
    pub kind: String,
    /// The name of the subject.
    pub name: String,
    /// The field.
    pub field: String,
    /// From when on.
    pub from: Time,
    /// Until when.
    pub to: Time,
    /// Over how many seconds samples are summed up; 0 where each is given.
    pub step_seconds: f64,
    /// Of samples that are further apart than so many seconds nothing is known in between.
    pub gap_seconds: f64,
    /// When, in seconds since 1970, with the mean, the smallest and the largest of the samples from then on for a step.
    /// Steps without samples are left out.
    pub points: Vec<[f64; 4]>,
}
