//! The document of the dashboard's first page.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::{AlertDto, StatusDto};
use crate::model::{Labels, Level, Time, Value as FieldValue};

/// What the dashboard shows at once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DashboardDto {
    /// The version of larum.
    pub version: &'static str,
    /// Counts, health and problems.
    pub status: StatusDto,
    /// Alerts that are pending, fire or recover: the highest level first, then the newest. At most 1,000.
    pub alerts: Vec<AlertDto>,
    /// What the rules of these alerts ask, as it is written, by rule and level; for all levels, the level is `any`.
    /// Without conditions that are written in files which the rule's imports.
    pub conditions: BTreeMap<String, BTreeMap<String, String>>,
    /// How many alerts there are, by state.
    pub states: BTreeMap<String, usize>,
    /// How many alerts fire, by level.
    pub levels: BTreeMap<String, usize>,
    /// Kinds of subjects, in order.
    pub kinds: Vec<KindDto>,
    /// From when on the sparklines are.
    pub since: Time,
    /// Seconds between the points of a sparkline.
    pub step_seconds: f64,
}

/// The subjects of a kind.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KindDto {
    /// The kind.
    pub kind: String,
    /// How many there are.
    pub total: usize,
    /// How many of these are stale.
    pub stale: usize,
    /// The field that stands for each of them; null where they have no numbers.
    #[schema(value_type = Option<String>)]
    pub field: Option<Arc<str>>,
    /// It counts up: its rate per second is shown.
    pub rate: bool,
    /// Those that alerts are about first, then by name; a part of them where there are many.
    pub subjects: Vec<DashboardSubjectDto>,
}

/// A subject on the dashboard.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DashboardSubjectDto {
    /// Which one.
    pub name: String,
    /// Its labels.
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: Labels,
    /// The fields of its newest snapshot.
    #[schema(value_type = BTreeMap<String, FieldValue>)]
    pub fields: BTreeMap<Arc<str>, FieldValue>,
    /// The time of its newest snapshot.
    pub time: Time,
    /// No snapshot came for too long.
    pub stale: bool,
    /// Its source says that it no longer exists.
    pub gone: bool,
    /// The highest level of an alert about it that fires.
    pub level: Option<Level>,
    /// The means of its kind's field over the time that was asked for, or its rates per second; null where there are too few
    /// samples.
    pub spark: Vec<Option<f64>>,
}
