//! The documents of the lab.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::Time;

/// The text of the file that registered a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleSourceDto {
    /// The file.
    pub file: String,
    /// The line of the rule in it.
    pub line: usize,
    /// The text of the file, as it is in force.
    pub text: String,
}

/// What rules would have told over a time, as they are saved and with one file edited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ReplayDto {
    /// What is wrong with the edited text; then nothing was run.
    pub problems: Option<String>,
    /// From when on.
    pub from: Time,
    /// Until when.
    pub to: Time,
    /// What would have happened with the edited text: the events of `larum replay --format json`.
    pub events: Vec<serde_json::Value>,
    /// What would have happened with the text as it is saved.
    pub saved: Vec<serde_json::Value>,
}
