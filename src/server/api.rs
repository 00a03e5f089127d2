//! The documents of the API. Types of their own: what the engine looks like inside may change, these may only grow.
//! All times are the wall clock's, as RFC 3339 text.

mod alerts;
mod dashboard;
mod history;
mod lab;
mod lists;
mod on_call;
mod why;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use alerts::{AlertEventDto, AlertHistoryDto, AlertNotificationDto, AlertPageDto, SuppressedDto, TransitionDto};
pub use dashboard::{DashboardDto, DashboardSubjectDto, KindDto};
pub use history::HistoryDto;
pub use lab::{ReplayDto, RuleSourceDto};
pub use lists::{AuditDto, ChannelsDto, DeliveriesDto, HealthDto, PausedDto, RulesDto, SilencesDto, SubjectsDto};
pub use on_call::{AckDto, AcknowledgedDto, ForgottenDto, MutedDto, NextStepDto, PauseDto, SilenceDto, SilenceMadeDto};
pub use why::{
    WhyAskedDto, WhyAtLevelDto, WhyAttentionDto, WhyChannelDto, WhyCountsDto, WhyDeliveryDto, WhyDistanceDto, WhyDto,
    WhyExpressionDto, WhyFaultDto, WhyFiringDto, WhyLevelDto, WhyMembersDto, WhyMismatchDto, WhyNearDto, WhyNextDto,
    WhyOutboxDto, WhyOutcomeDto, WhyPartDto, WhyRouteDto, WhyRuleDto, WhySamplesDto, WhySilenceDto, WhyStagesDto,
    WhyStateDto, WhySubjectDto, WhySubjectsDto, WhyTimerDto, WhyToldDto, WhyVerdictCountDto, WhyVerdictDto,
};

use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{CloseReason, Labels, Level, Time, Value as FieldValue};

/// The overview: `GET /api/v1/status`.
#[derive(Clone, Debug, Serialize, ToSchema)]
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
    /// What is left alone for a while.
    pub paused: Vec<PauseDto>,
    /// How many silences are active.
    pub silences: usize,
    /// Who is on call, by rotation.
    pub on_call: BTreeMap<String, OnCallDto>,
    /// What is wrong, the worst first.
    pub problems: Vec<ProblemDto>,
}

/// Who is on call in a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OnCallDto {
    /// The channels now.
    pub now: Vec<String>,
    /// Until when, at least; null where nothing changes.
    pub until: Option<Time>,
    /// The channels then.
    pub next: Vec<String>,
}

/// Rules, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, ToSchema)]
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
    /// `ok`, `error` (its last evaluation failed), `quarantined` or `paused`.
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
    /// Operations that the interpreter used for them since the start; none where they are made without it.
    pub operations: u64,
    /// Its link for people.
    pub runbook: Option<String>,
    /// What in its conditions needs the interpreter, with its place; null where they are judged without it.
    pub not_lowered: Option<String>,
}

/// One alert.
#[derive(Clone, Debug, Serialize, ToSchema)]
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
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: Labels,
    /// `pending`, `firing`, `recovering` or `ended`.
    pub state: String,
    /// The level, where it is known.
    pub level: Option<Level>,
    /// Since when its condition holds, or it fires.
    pub since: Time,
    /// When it ended; null while it did not.
    pub ended: Option<Time>,
    /// Why it ended without being known to be well: `gone`; null where it did not, or recovered.
    pub reason: Option<CloseReason>,
    /// One line.
    pub message: Option<String>,
    /// The values that its condition read; of an ended one they are not kept.
    pub values: BTreeMap<String, FieldValue>,
    /// Channels that were told that it fires.
    pub told: Vec<String>,
    /// Channels that are not told for now, with the reason: `cooldown`, `in flight`, `outside active hours`, `silenced`,
    /// `inhibited` or `alerting disabled`.
    pub held: BTreeMap<String, String>,
    /// Who acknowledged it; null where nobody did, or its level has risen since.
    pub acknowledged: Option<AckDto>,
    /// The silences that cover it now.
    pub silenced_by: Vec<String>,
    /// What mutes it now.
    pub inhibited_by: Option<MutedDto>,
    /// Who is told next if nobody acknowledges it.
    pub escalation: Option<NextStepDto>,
    /// Since when it could not be judged, where that is so.
    pub not_judged_since: Option<Time>,
}

/// One subject.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SubjectDto {
    /// What sort of thing it is.
    pub kind: String,
    /// Which one.
    pub name: String,
    /// The labels of its newest snapshot.
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: Labels,
    /// The fields of its newest snapshot.
    #[schema(value_type = BTreeMap<String, FieldValue>)]
    pub fields: BTreeMap<Arc<str>, FieldValue>,
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
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ChannelDto {
    /// Its name: the stem of its file.
    pub name: String,
    /// Its kind: `wecom`, `email`.
    #[serde(rename = "type")]
    pub channel_type: String,
    /// Its file.
    pub file: String,
    /// Events that are owed to it, over restarts too: owed = delivered + absorbed + waiting + dead + suppressed.
    pub owed: u64,
    /// Of them: told by themselves, and taken by the receiver.
    pub delivered: u64,
    /// Of them: folded into a later event or a summary that the receiver took.
    pub absorbed: u64,
    /// Of them: held back, or on their way.
    pub waiting: u64,
    /// Of them: given up.
    pub dead: u64,
    /// Of them: not to be told.
    pub suppressed: u64,
    /// Of those that wait: on their way.
    pub in_flight: u64,
    /// Summaries that the receiver took.
    pub summaries: u64,
    /// Attempts since the start, by what they came to.
    pub attempts: AttemptCountsDto,
    /// Failed attempts since the last success.
    pub consecutive_failures: u32,
    /// When the oldest was decided that waits.
    pub oldest_waiting: Option<Time>,
    /// How many attempts may be made in how much time, where that is limited: `20/1m`.
    pub limit: Option<String>,
    /// How many attempts may be on their way at once; null where nobody works for it.
    pub concurrency: Option<usize>,
    /// The limit lets nothing through before that.
    pub limited_until: Option<Time>,
    /// The receiver takes nothing before that: it said so.
    pub paused_until: Option<Time>,
    /// When the receiver last took one.
    pub last_delivered: Option<Time>,
    /// Why its newest attempt failed, where it did.
    pub problem: Option<String>,
}

/// Attempts by what they came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AttemptCountsDto {
    /// The receiver took it.
    pub ok: u64,
    /// Some recipients took it, and the others never will.
    pub partial: u64,
    /// It may go well later.
    pub retry: u64,
    /// It will never go well.
    pub permanent: u64,
}

/// The states of a notification.
pub const DELIVERY_STATES: [&str; 4] = ["waiting", "delivered", "absorbed", "dead"];

/// One notification: `GET /api/v1/outbox`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct DeliveryDto {
    /// Stable over all its attempts.
    pub id: String,
    /// Who is told.
    pub channel: String,
    /// One of [`DELIVERY_STATES`].
    pub state: String,
    /// What brought its alerts together: `alert`, `group`, `summary` or `undelivered`.
    pub occasion: String,
    /// The rule of its first alert.
    pub rule: Option<String>,
    /// The kind of that alert's subject.
    pub kind: Option<String>,
    /// The name of that alert's subject.
    pub name: Option<String>,
    /// What happened to that alert.
    pub event: Option<String>,
    /// The level of that alert.
    pub level: Option<Level>,
    /// How many alerts it tells of.
    pub alerts: usize,
    /// How many events it stands for, with those that were folded.
    pub events: u64,
    /// When it was decided.
    pub time: Time,
    /// How many attempts there were.
    pub attempts: u32,
    /// When it is tried again, where it waits for that.
    pub next_attempt: Option<Time>,
    /// When it was delivered or given up.
    pub ended: Option<Time>,
    /// The summary that stands for it.
    pub absorbed_by: Option<String>,
    /// Why it was given up, or why its newest attempt failed.
    pub error: Option<String>,
}

/// One notification with its attempts: `GET /api/v1/outbox/{id}`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct DeliveryDetailDto {
    /// The notification.
    #[serde(flatten)]
    pub delivery: DeliveryDto,
    /// When the first attempt ended.
    pub first_attempt: Option<Time>,
    /// Its alerts, each in a line; of a summary the first ones.
    pub told: Vec<ToldDto>,
    /// Of a summary: the notifications that it stands for.
    pub stands_for: Vec<String>,
    /// The newest attempts, oldest first.
    pub newest_attempts: Vec<AttemptDto>,
}

/// One alert that a notification tells of.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ToldDto {
    /// The firing.
    pub id: String,
    /// What happened.
    pub event: String,
    /// The rule.
    pub rule: String,
    /// The level.
    pub level: Level,
    /// The kind of the subject.
    pub kind: String,
    /// The name of the subject.
    pub name: String,
    /// One line.
    pub message: String,
}

/// One attempt.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AttemptDto {
    /// Counts the attempts of the notification, from 1.
    pub number: u32,
    /// When it ended.
    pub time: Time,
    /// How long it took.
    pub duration_seconds: f64,
    /// `delivered`, `failed` or `dead`.
    pub result: String,
    /// Why it failed, or who of several recipients was not reached.
    pub error: Option<String>,
    /// When the next one is, where there is one.
    pub next_attempt: Option<Time>,
}

/// What became of an operator's wish: `POST /api/v1/outbox/{id}/retry` and `/drop`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OperatedDto {
    /// The notification.
    pub id: String,
    /// `waiting` (it goes as soon as the channel's limit and its receiver allow), `in_flight` (an attempt is being made),
    /// `revived` (it was given up, and waits again), `dropped`, or `dropped_after_attempt` (when the attempt that is being
    /// made fails).
    pub result: String,
}

/// One collector.
#[derive(Clone, Debug, Serialize, ToSchema)]
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
    /// It is left alone for a while.
    pub paused: bool,
}

/// What is owed to all channels together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, ToSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedDto {
    /// Its place in the push, from 0.
    pub index: usize,
    /// Why.
    pub error: String,
}
