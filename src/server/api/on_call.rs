//! The documents of silences and acknowledgements.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AlertDto;
use crate::model::Time;
use crate::routing::Matchers;

/// One silence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SilenceDto {
    /// Its id.
    pub id: String,
    /// `planned`, `active`, `waiting` (between two windows) or `ended`.
    pub state: String,
    /// Which alerts it covers.
    #[serde(rename = "match")]
    pub matches: Matchers,
    /// From when on.
    pub from: Time,
    /// Until when; null where it recurs for ever.
    pub until: Option<Time>,
    /// Its weekly windows: `Sun 02:00-04:00`.
    pub every: Option<String>,
    /// The zone of these.
    pub time_zone: Option<String>,
    /// When its state next changes by itself.
    pub next_change: Option<Time>,
    /// Who made it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// When it was made.
    pub created: Time,
    /// When a person ended it.
    pub expired: Option<Time>,
    /// Who.
    pub expired_by: Option<String>,
}

/// A silence with what it covers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SilenceMadeDto {
    /// The silence.
    pub silence: SilenceDto,
    /// Alerts that fire and that it covers whenever it is active, the first of them.
    pub covers: Vec<AlertDto>,
    /// How many there are.
    pub covers_total: usize,
    /// What may be wrong with it.
    pub warnings: Vec<String>,
    /// Whether it is stored. Of a preview: false.
    pub durable: bool,
}

/// What was acknowledged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AcknowledgedDto {
    /// The alerts as they are now.
    pub acknowledged: Vec<AlertDto>,
    /// Whether that is stored.
    pub durable: bool,
}

/// Who acknowledged an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AckDto {
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
    /// What they said; may be empty.
    pub comment: String,
}

/// The alert that mutes another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MutedDto {
    /// Its rule.
    pub rule: String,
    /// The kind of its subject; null where its rule has not judged yet.
    pub kind: Option<String>,
    /// The name of its subject.
    pub name: Option<String>,
    /// Until when a rule that has not judged yet is waited for.
    pub until: Option<Time>,
}

/// The next step of an alert's escalation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NextStepDto {
    /// When it is reached, if nothing changes; null while the time stands still.
    pub at: Option<Time>,
    /// After how many seconds without an acknowledgement.
    pub after_seconds: f64,
    /// How many of these have passed.
    pub passed_seconds: f64,
    /// Who is told then.
    pub to: Vec<String>,
}

/// Something that is left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseDto {
    /// `rules` or `collectors`.
    pub what: String,
    /// Which of them; null for all.
    pub name: Option<String>,
    /// Since when.
    pub since: Time,
    /// Who asked for it.
    pub by: String,
    /// Why; may be empty.
    pub comment: String,
}

/// A subject that was forgotten.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ForgottenDto {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its alerts that fired, and are closed.
    pub closed: Vec<AlertDto>,
    /// Whether that is stored.
    pub durable: bool,
}
