//! The document that says why a rule fires on something, or not: `GET /api/v1/why`. Clients read it too: the text of
//! `larum why` is made from it, whoever answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AckDto, AlertNotificationDto, MutedDto, NextStepDto, PauseDto, SuppressedDto};
use crate::model::{CloseReason, EventKind, Labels, Level, Time, Value as FieldValue};

/// Why a rule fires on one subject or group, or not; or, where no subject was named, how all of them fare.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyDto {
    /// When this was so.
    pub time: Time,
    /// The rule.
    pub rule: WhyRuleDto,
    /// What is explained; null where no subject was named.
    pub subject: Option<WhySubjectDto>,
    /// What the evaluation says.
    pub verdict: Option<WhyVerdictDto>,
    /// The closures that were asked, seen from inside.
    #[serde(default)]
    pub evaluation: Vec<WhyPartDto>,
    /// The values that the condition read.
    #[serde(default)]
    pub values: BTreeMap<String, FieldValue>,
    /// The alert's state and its timers.
    pub state: Option<WhyStateDto>,
    /// When it is judged or looked at next.
    #[serde(default)]
    pub next: Vec<WhyNextDto>,
    /// Who is told, stage by stage.
    pub stages: Option<WhyStagesDto>,
    /// What people have said of it.
    #[serde(default)]
    pub attention: Option<WhyAttentionDto>,
    /// The newest firing that is stored, where a running daemon was asked.
    pub last_firing: Option<WhyFiringDto>,
    /// Where no subject was named: all of them.
    pub subjects: Option<WhySubjectsDto>,
}

/// The rule, and how it fares.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WhyRuleDto {
    /// Its name.
    pub name: String,
    /// The file that registered it.
    pub file: String,
    /// The line of its `rule(...)` call.
    pub line: usize,
    /// The kind of what it judges.
    pub kind: String,
    /// `on` (one alert per subject) or `over` (one per set).
    pub scope: String,
    /// With `over`, the labels that it groups by.
    pub by: Vec<String>,
    /// Its times that are not zero: `hold 30s`, `cooldown 5m`.
    pub times: Vec<String>,
    /// Its verdicts since the start.
    pub verdicts: WhyCountsDto,
    /// Its newest fault: in any closure, of any subject.
    pub fault: Option<WhyFaultDto>,
    /// Until when it is left alone.
    pub quarantined_until: Option<Time>,
    /// An operator leaves it alone.
    #[serde(default)]
    pub paused: Option<PauseDto>,
    /// Its file has errors, so that its last good text is in force: the first of them.
    pub file_problem: Option<String>,
}

/// What people have said of an alert, or are to be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyAttentionDto {
    /// Who acknowledged it.
    pub acknowledged: Option<AckDto>,
    /// The silences that cover it.
    pub silences: Vec<WhySilenceDto>,
    /// What mutes it.
    pub inhibited_by: Option<MutedDto>,
    /// Who is told next if nobody acknowledges it.
    pub escalation: Option<NextStepDto>,
}

/// A silence that covers an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhySilenceDto {
    /// Its id.
    pub id: String,
    /// What it covers, as it is typed.
    #[serde(rename = "match")]
    pub matches: String,
    /// Who made it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// When it ends or pauses by itself.
    pub until: Option<Time>,
}

/// Verdicts, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyCountsDto {
    /// Some condition was true.
    pub fire: u64,
    /// None was.
    pub clear: u64,
    /// There was no answer.
    pub no_data: u64,
    /// The script failed.
    pub error: u64,
}

/// A script that failed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyFaultDto {
    /// When.
    pub time: Time,
    /// What is wrong.
    pub message: String,
    /// The line in the rule's file, where it is known.
    pub line: Option<usize>,
    /// The column.
    pub column: Option<usize>,
}

/// What is judged.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WhySubjectDto {
    /// What sort of thing it is.
    pub kind: String,
    /// Which one; of a set its group, as `region=eu`, or `all`.
    pub name: String,
    /// The subject's labels.
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: Labels,
    /// The time of its newest snapshot.
    pub snapshot: Option<Time>,
    /// Since when it is stale: no snapshot came for too long.
    pub stale_since: Option<Time>,
    /// Its source says that it no longer exists.
    pub gone: bool,
    /// Of a set: the fresh members that `where` takes.
    pub members: Option<WhyMembersDto>,
}

/// The members of a set.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WhyMembersDto {
    /// How many.
    pub count: usize,
    /// The first of them.
    pub names: Vec<String>,
    /// How many subjects of the kind there are.
    pub of_kind: usize,
}

/// What an evaluation says.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WhyVerdictDto {
    /// `fire`, `clear`, `between` (neither `when` nor `clear` is true), `no_data`, `error`, `excluded` (`where` does not
    /// take it), `not_concerned` (it never had a field), or `not_judged`.
    pub says: String,
    /// Of a rule with levels: what is said of each, from the highest.
    pub levels: Vec<WhyLevelDto>,
    /// Why, where that is not in the evaluation.
    pub reason: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The place in the rule's file, where it failed.
    pub line: Option<usize>,
    /// The column.
    pub column: Option<usize>,
    /// Of a condition that is not true: the comparison that decides.
    pub missing: Option<WhyDistanceDto>,
}

/// What is said of one level.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyLevelDto {
    /// The level.
    pub level: Level,
    /// `fire`, `clear` or `between`.
    pub says: String,
}

/// How far a comparison is from being true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyDistanceDto {
    /// As it is written.
    pub comparison: String,
    /// With the values in place of its sides.
    pub values: String,
    /// What is missing, as a part of the threshold.
    pub missing: f64,
}

/// One closure of a rule, seen from inside.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyPartDto {
    /// `where`, `when`, `clear` or `level`.
    pub part: String,
    /// The level that it is about.
    pub level: Option<Level>,
    /// The line in the rule's file.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// As it is written, on one line.
    pub text: String,
    /// What it came to.
    pub outcome: WhyOutcomeDto,
    /// Its expressions, each before those that it is made of.
    pub expressions: Vec<WhyExpressionDto>,
}

/// One expression.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyExpressionDto {
    /// How deep it stands below the closure's own expression, which has 0.
    pub depth: usize,
    /// The line in the rule's file.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// As it is written, on one line.
    pub text: String,
    /// What it came to.
    pub outcome: WhyOutcomeDto,
    /// What it asked of history.
    pub asked: Vec<WhyAskedDto>,
}

/// What something came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyOutcomeDto {
    /// `value`, `values` (of several evaluations), `not_reached`, `no_data` or `error`.
    pub result: String,
    /// The value, or the reason.
    pub text: String,
}

/// One question to history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyAskedDto {
    /// As a rule writes it.
    pub question: String,
    /// Who was asked, where it is not the judged subject.
    pub subject: Option<String>,
    /// The answer.
    pub outcome: WhyOutcomeDto,
    /// The samples behind it.
    pub samples: Option<WhySamplesDto>,
}

/// The samples that a window had.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhySamplesDto {
    /// How many.
    pub count: usize,
    /// Where the window begins.
    pub start: Time,
    /// Where it ends.
    pub end: Time,
    /// The oldest sample's time.
    pub first: Option<Time>,
    /// The newest sample's time.
    pub last: Option<Time>,
}

/// An alert's state and its timers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WhyStateDto {
    /// `inactive`, `pending`, `firing` or `recovering`.
    pub state: String,
    /// The firing's id.
    pub id: Option<String>,
    /// Its level.
    pub level: Option<Level>,
    /// Since when it fires.
    pub firing_since: Option<Time>,
    /// Its message.
    pub message: Option<String>,
    /// Between two raises of a flapping alert: since when its condition is over.
    pub rests_since: Option<Time>,
    /// Of a flapping alert: when it will have been quiet for long enough.
    pub flapping_until: Option<Time>,
    /// Since when the rule could not judge it.
    pub not_judged_since: Option<Time>,
    /// Of each condition whose timer counts: one per level.
    pub timers: Vec<WhyTimerDto>,
}

/// A timer of one condition.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyTimerDto {
    /// The level; null for a rule without levels.
    pub level: Option<Level>,
    /// `hold` (pending) or `keep` (recovering).
    pub timer: String,
    /// Since when the condition is true, or clear.
    pub since: Time,
    /// What was counted, in seconds.
    pub counted_seconds: f64,
    /// What must be counted, in seconds.
    pub length_seconds: f64,
    /// When that is; null while it stands still.
    pub until: Option<Time>,
}

/// When something is judged or looked at next.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyNextDto {
    /// `snapshot`, `stale`, `tick`, `released` (from quarantine) or `timer`.
    pub what: String,
    /// When, where that is known.
    pub time: Option<Time>,
}

/// Who is told, stage by stage.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyStagesDto {
    /// It does not fire: this is as if it did now.
    pub what_if: bool,
    /// At this level; null where that cannot be told.
    pub level: Option<Level>,
    /// Why the level cannot be told: then `levels` has who would be told at each, instead of `routes` and `channels`.
    #[serde(default)]
    pub level_unknown: Option<String>,
    /// The labels that routes look at: the subject's and the rule's.
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: Labels,
    /// Whether alerts are told at all.
    pub alerting: bool,
    /// The rule's own `notify`, past the routes.
    pub notify: Option<Vec<String>>,
    /// The routes, in their order.
    pub routes: Vec<WhyRouteDto>,
    /// The channels that are told, or were.
    pub channels: Vec<WhyChannelDto>,
    /// Of an unknown level: who would be told at each that it may have, from the highest.
    #[serde(default)]
    pub levels: Vec<WhyAtLevelDto>,
}

/// Who would be told at one level.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyAtLevelDto {
    /// The level.
    pub level: Level,
    /// The routes, in their order.
    pub routes: Vec<WhyRouteDto>,
    /// The channels that would be told.
    pub channels: Vec<WhyChannelDto>,
}

impl WhyStagesDto {
    /// All channels, those of each level that it may have among them.
    pub fn channels_mut(&mut self) -> impl Iterator<Item = &mut WhyChannelDto> {
        self.channels.iter_mut().chain(self.levels.iter_mut().flat_map(|at| &mut at.channels))
    }
}

/// One route.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyRouteDto {
    /// Its place in the list, from 1.
    pub number: usize,
    /// Its line in larum.yaml, where it is written there.
    pub line: Option<usize>,
    /// Whom it tells.
    pub to: Vec<String>,
    /// Of these, the channels that do not exist.
    pub missing: Vec<String>,
    /// The routes after it are asked too.
    #[serde(rename = "continue")]
    pub continues: bool,
    /// `takes`, `closed`, `mismatch` or `not_asked`.
    pub says: String,
    /// The matcher that fails, where one does.
    pub mismatch: Option<WhyMismatchDto>,
    /// When its window opens, where it is closed.
    pub opens: Option<Time>,
}

/// A matcher that fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyMismatchDto {
    /// `level`, `rule`, `kind`, `name` or a label.
    pub key: String,
    /// What the route wants.
    pub wants: String,
    /// What the alert has; empty where it lacks the label.
    pub saw: String,
}

/// One channel.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WhyChannelDto {
    /// Its name.
    pub name: String,
    /// Whether something leads there now.
    pub routed: bool,
    /// `tell`, `hold` or `nothing`.
    pub decision: String,
    /// What it is told, where it is told now.
    pub event: Option<EventKind>,
    /// What holds it back: `cooldown`, `in flight`, `outside active hours`, `alerting disabled`, `flapping` or `group`.
    pub held_by: Option<String>,
    /// Until when.
    pub held_until: Option<Time>,
    /// When it is reminded, if nothing changes.
    pub reminder: Option<Time>,
    /// The labels of the group that tells it.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub group: Option<Labels>,
    /// What was decided last to be told of the present firing.
    pub told: Option<WhyToldDto>,
    /// Whether it has that.
    #[serde(default)]
    pub delivery: Option<WhyDeliveryDto>,
    /// The notification on its way.
    pub in_flight: Option<String>,
    /// No firing notification follows before, but for a higher level.
    pub cooldown_until: Option<Time>,
    /// Events that it will hear of with the next notification.
    pub missed: u64,
    /// It is owed the end of an earlier firing.
    pub owes_end: bool,
    /// How its deliveries go, where a running daemon was asked.
    pub outbox: Option<WhyOutboxDto>,
}

/// What became of the newest notification of the present firing to a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyDeliveryDto {
    /// `delivered`, `waiting` or `dead` (given up).
    pub state: String,
    /// How many attempts there were, where that is known.
    pub attempts: Option<u32>,
    /// When it is tried next, where it was tried before.
    pub next: Option<Time>,
    /// Why the newest attempt failed, or why it was given up.
    pub error: Option<String>,
}

/// What was decided last to be told to a channel.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyToldDto {
    /// The level.
    pub level: Level,
    /// When.
    pub time: Time,
    /// Some notification of the firing arrived.
    pub heard: bool,
    /// It was told that the subject is silent.
    pub stale: bool,
    /// It was told that the alert is flapping.
    pub flapping: bool,
}

/// How a channel's deliveries go.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WhyOutboxDto {
    /// Notifications that wait there, of all alerts.
    pub waiting: usize,
    /// The limit: `20/1m`.
    pub limit: Option<String>,
    /// How many attempts of the limit are used.
    pub limit_used: Option<usize>,
    /// How many there are.
    pub limit_count: Option<usize>,
    /// The limit lets nothing through before that.
    pub limited_until: Option<Time>,
    /// The receiver takes nothing before that.
    pub paused_until: Option<Time>,
    /// Failed attempts since the last success.
    pub consecutive_failures: u32,
    /// Why the newest attempt failed.
    pub problem: Option<String>,
}

/// A firing that is stored, and what became of its notifications.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyFiringDto {
    /// Its id.
    pub id: String,
    /// The level at last.
    pub level: Level,
    /// When it was raised.
    pub since: Time,
    /// When it ended.
    pub ended: Option<Time>,
    /// Why, where it is not known to be well.
    pub reason: Option<CloseReason>,
    /// What channels were told of it, oldest first.
    pub notifications: Vec<AlertNotificationDto>,
    /// What they were not told, for good.
    pub suppressed: Vec<SuppressedDto>,
}

/// All subjects or groups of a rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WhySubjectsDto {
    /// How many there are.
    pub total: usize,
    /// The newest verdicts.
    pub verdicts: Vec<WhyVerdictCountDto>,
    /// How many are `pending`, `firing` and `recovering`.
    pub states: BTreeMap<String, usize>,
    /// Those that fire, the first of them.
    pub firing: Vec<WhyNearDto>,
    /// The nearest to firing: pending ones by the time that is left, then by how far their condition is from true.
    pub nearest: Vec<WhyNearDto>,
    /// Of how many that are not pending it was looked how far they are.
    pub measured: usize,
}

/// How many subjects have a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyVerdictCountDto {
    /// As [`WhyVerdictDto::says`].
    pub says: String,
    /// Why, where there is a reason.
    pub reason: Option<String>,
    /// How many.
    pub count: usize,
}

/// One subject or group of a rule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyNearDto {
    /// Its name.
    pub name: String,
    /// The level, where it is known.
    pub level: Option<Level>,
    /// Since when it is pending, or fires.
    pub since: Option<Time>,
    /// When it fires if nothing changes.
    pub until: Option<Time>,
    /// How far its condition is from true.
    pub missing: Option<WhyDistanceDto>,
}
