//! The documents of past alerts, and of one alert with all that is known of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AlertDto, AttemptDto};
use crate::model::{CloseReason, EventKind, Level, Time};

/// One page of firings.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct AlertPageDto {
    /// The firings, newest raise first.
    pub alerts: Vec<AlertDto>,
    /// Gives the next page as `cursor`; null on the last one.
    pub next: Option<String>,
}

/// One firing with its history: `GET /api/v1/alerts/{id}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertHistoryDto {
    /// The alert.
    pub alert: AlertDto,
    /// What happened to it, oldest first.
    pub events: Vec<AlertEventDto>,
    /// The states in which it was, oldest first, from where it left `inactive`.
    pub transitions: Vec<TransitionDto>,
    /// What channels were told of it, oldest first.
    pub notifications: Vec<AlertNotificationDto>,
    /// What channels were not told of it, for good. What is only held for now stands in the alert's `held`.
    pub suppressed: Vec<SuppressedDto>,
}

/// Something that happened to an alert.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertEventDto {
    /// When.
    pub time: Time,
    /// What.
    pub event: EventKind,
    /// Why, where it was closed.
    pub reason: Option<CloseReason>,
    /// The level then.
    pub level: Level,
    /// One line.
    pub message: String,
}

/// A change of an alert's state.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransitionDto {
    /// When.
    pub time: Time,
    /// The state before.
    pub from: String,
    /// The state from then on.
    pub to: String,
}

/// A notification that tells of an alert.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertNotificationDto {
    /// Its id.
    pub id: String,
    /// Who is told.
    pub channel: String,
    /// When it was decided.
    pub time: Time,
    /// What it tells of this alert.
    pub events: Vec<EventKind>,
    /// What brought it about: `alert`, `group`, `summary` or `undelivered`.
    pub occasion: String,
    /// `waiting`, `delivered`, `absorbed` (a summary tells it) or `dead`.
    pub state: String,
    /// When it was delivered or given up.
    pub ended: Option<Time>,
    /// When it is tried next, where it waits and was tried before.
    pub next_attempt: Option<Time>,
    /// The summary that tells it, where it is absorbed.
    pub absorbed_by: Option<String>,
    /// Why it was given up.
    pub error: Option<String>,
    /// How many attempts there were.
    pub n_attempts: u32,
    /// The newest of them, oldest first.
    pub attempts: Vec<AttemptDto>,
}

/// Something that a channel was not told, for good.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SuppressedDto {
    /// The channel.
    pub channel: String,
    /// Why: `cooldown`.
    pub reason: String,
}
