//! The documents of the API. Types of their own: what the engine looks like inside may change, these may only grow.
//! All times are the wall clock's, as RFC 3339 text.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{Labels, Level, Time, Value};

/// The overview: `GET /api/v1/status`.
#[derive(Clone, Debug, Serialize)]
pub struct StatusDto {
    /// When this was true.
    pub timestamp: Time,
    /// Whether collectors and rules run.
    pub monitoring_enabled: bool,
    /// The worst status of all services: `running`, `error`, `stopped`; `unknown` where none is watched.
    pub service_status: String,
    /// The port under which this is served.
    pub metrics_port: u16,
    /// Whether alerts are sent.
    pub alert_enabled: bool,
    /// The busiest host's CPU, in percent.
    pub cpu_usage: Option<f64>,
    /// The fullest host's memory, in percent.
    pub memory_usage: Option<f64>,
    /// The fullest disk, in percent.
    pub disk_usage: Option<f64>,
    /// The slowest service's response time, in seconds.
    pub response_time: Option<f64>,
    /// Rules, counted.
    pub rules: RulesSummaryDto,
    /// Channels, each with its figures.
    pub channels: Vec<ChannelDto>,
    /// Collectors, each with its health.
    pub collectors: Vec<CollectorDto>,
    /// What is owed to channels.
    pub outbox: OutboxDto,
    /// What is wrong, the worst first.
    pub problems: Vec<ProblemDto>,
}

/// Rules, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RulesSummaryDto {
    /// Rules in force.
    pub total: usize,
    /// Of them, those that fail and are not judged for now.
    pub quarantined: usize,
    /// Counts the reloads that changed something.
    pub generation: u64,
    /// Alerts that are pending.
    pub pending: usize,
    /// Alerts that fire.
    pub firing: usize,
}

/// One rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleDto {
    /// Unique over all files.
    pub name: String,
    /// The file that registered it.
    pub file: String,
    /// The line of its `rule(...)` call.
    pub line: usize,
    /// The kind of subject that it judges.
    pub kind: String,
    /// `on` (one alert per subject) or `over` (one per set).
    pub scope: String,
    /// With `over`, the labels that it groups by.
    pub by: Vec<String>,
    /// `ok`, `error` (its last evaluation failed) or `quarantined`.
    pub health: String,
    /// Why it is not `ok`.
    pub problem: Option<String>,
    /// Subjects that take part.
    pub taking_part: usize,
    /// Alerts that are pending.
    pub pending: usize,
    /// Alerts that fire.
    pub firing: usize,
    /// Evaluations since the start.
    pub evaluations: u64,
    /// Evaluations that failed since the start.
    pub errors: u64,
    /// Its link for people.
    pub runbook: Option<String>,
}

/// One alert.
#[derive(Clone, Debug, Serialize)]
pub struct AlertDto {
    /// Stable for one firing; null while pending.
    pub id: Option<String>,
    /// The rule.
    pub rule: String,
    /// The kind of the subject.
    pub kind: String,
    /// The name of the subject.
    pub name: String,
    /// The labels of the subject and the rule.
    pub labels: Labels,
    /// `pending`, `firing` or `recovering`.
    pub state: String,
    /// The level, where it is known.
    pub level: Option<Level>,
    /// Since when its condition holds, or it fires.
    pub since: Time,
    /// One line.
    pub message: Option<String>,
    /// The values that its condition read.
    pub values: BTreeMap<String, Value>,
    /// Channels that were told that it fires.
    pub told: Vec<String>,
    /// Channels that are not told for now, with the reason: `cooldown`, `in flight`, `outside active hours` or
    /// `alerting disabled`.
    pub held: BTreeMap<String, String>,
    /// Since when it could not be judged, where that is so.
    pub not_judged_since: Option<Time>,
}

/// One subject.
#[derive(Clone, Debug, Serialize)]
pub struct SubjectDto {
    /// What sort of thing it is.
    pub kind: String,
    /// Which one.
    pub name: String,
    /// The labels of its newest snapshot.
    pub labels: Labels,
    /// The fields of its newest snapshot.
    pub fields: BTreeMap<Arc<str>, Value>,
    /// The time of its newest snapshot.
    pub time: Time,
    /// Seconds since then.
    pub age_seconds: f64,
    /// Who writes it.
    pub source: String,
    /// No snapshot came for too long.
    pub stale: bool,
    /// Its source says that it no longer exists.
    pub gone: bool,
}

/// One channel with its figures: owed = delivered + absorbed + waiting + dead + suppressed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChannelDto {
    /// Its name: the stem of its file.
    pub name: String,
    /// Its kind: `wecom`, `email`.
    #[serde(rename = "type")]
    pub channel_type: String,
    /// Its file.
    pub file: String,
    /// Notifications that are owed to it since the start.
    pub owed: u64,
    /// Of them: taken by the receiver.
    pub delivered: u64,
    /// Of them: told by another that was delivered.
    pub absorbed: u64,
    /// Of them: not yet delivered.
    pub waiting: u64,
    /// Of them: given up.
    pub dead: u64,
    /// Of them: not to be told.
    pub suppressed: u64,
    /// When the receiver last took one.
    pub last_delivered: Option<Time>,
    /// Why its newest attempt failed, where it did.
    pub problem: Option<String>,
}

/// One collector.
#[derive(Clone, Debug, Serialize)]
pub struct CollectorDto {
    /// Its name.
    pub name: String,
    /// Whether its last pass succeeded; null before the first.
    pub up: Option<bool>,
    /// When its last pass began.
    pub last_pass: Option<Time>,
    /// How long that took.
    pub duration_seconds: Option<f64>,
    /// Passes that failed in a row.
    pub consecutive_failures: u64,
    /// What went wrong in the last pass.
    pub error: Option<String>,
}

/// What is owed to all channels together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OutboxDto {
    /// Not yet delivered.
    pub waiting: u64,
    /// Given up.
    pub dead: u64,
    /// Seconds that the oldest has been waiting.
    pub oldest_waiting_seconds: Option<u64>,
    /// Whether what was decided is stored so that it outlasts the process.
    pub durable: bool,
}

/// Something that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemDto {
    /// `error` or `warning`.
    pub severity: Severity,
    /// Of what: `rule`, `channel`, `config`, `collector`, `store`, `delivery`.
    pub area: String,
    /// Where: a file, or the name of the thing.
    pub place: String,
    /// Line from 1, where it is known.
    pub line: Option<usize>,
    /// Column from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The text of the line, where it is known.
    pub source_line: Option<String>,
}

impl ProblemDto {
    /// A problem of a file.
    pub fn of_file(area: &str, diagnostic: &Diagnostic) -> ProblemDto {
        ProblemDto {
            severity: diagnostic.severity,
            area: area.to_string(),
            place: diagnostic.file.to_string(),
            line: (diagnostic.line > 0).then_some(diagnostic.line),
            column: (diagnostic.column > 0).then_some(diagnostic.column),
            message: diagnostic.message.clone(),
            hint: diagnostic.hint.clone(),
            source_line: diagnostic.source_line.clone(),
        }
    }

    /// A problem of something that has no file.
    pub fn of_thing(severity: Severity, area: &str, name: impl Into<String>, message: impl Into<String>) -> ProblemDto {
        ProblemDto {
            severity,
            area: area.to_string(),
            place: name.into(),
            line: None,
            column: None,
            message: message.into(),
            hint: None,
            source_line: None,
        }
    }
}

/// What became of a push: `POST /api/v1/snapshots`.
///
/// The status is 200 where an entry was taken, was known already, or none was sent; 400 where all were refused, and then
/// `error` and `hint` are there too.
#[derive(Clone, Debug, Serialize)]
pub struct PushDto {
    /// What went wrong, where all were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do, where all were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Entries that were taken.
    pub taken: usize,
    /// Entries that were known already, with the same fields.
    pub duplicates: usize,
    /// Entries that were refused, in the order of their index.
    pub refused: Vec<RefusedDto>,
    /// How many more were refused than `refused` lists.
    #[serde(skip_serializing_if = "is_zero")]
    pub refused_omitted: usize,
    /// Whether what the push raised is stored.
    pub durable: bool,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// An entry that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedDto {
    /// Its place in the push, from 0.
    pub index: usize,
    /// Why.
    pub error: String,
}
