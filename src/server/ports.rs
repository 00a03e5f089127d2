//! What the server needs of the rest of the daemon.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::api::{
    AcknowledgedDto, AlertDto, AlertHistoryDto, AlertPageDto, ChannelDto, DashboardDto, DeliveryDetailDto, DeliveryDto,
    ForgottenDto, HistoryDto, OperatedDto, PauseDto, ReplayDto, RuleDto, RuleSourceDto, SilenceDto, SilenceMadeDto,
    StatusDto, SubjectDto, WhyDto,
};
use crate::export::{AlertFilter, Format, MetricFilter};
use crate::exposition::Family;
use crate::history::{Batch, Refusal};
use crate::model::{FiringId, Level, Now, Time};
use crate::routing::{Plan, SilenceState};

/// Where pushes go.
pub trait Intake: Send + Sync + 'static {
    /// Engine time.
    fn now(&self) -> Now;

    /// Whether a kind is written by larum itself, so that a push may not write it: `collector`, `larum`, and the kinds
    /// of the collectors that run.
    fn is_reserved(&self, kind: &str) -> bool;

    /// Hands a batch to the engine, and answers when the effects of its step are stored (or cannot be: `durable`).
    ///
    /// # Errors
    /// At once where the queue is full, or the daemon is stopping. Then nothing of the batch was taken.
    fn push(&self, batch: Batch) -> BoxFuture<'_, Result<PushReceipt, PushError>>;
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PushReceipt {
    /// How many snapshots were taken.
    pub taken: usize,
    /// How many were equal to what was known.
    pub duplicates: usize,
    /// What was refused, by index in the batch.
    pub refused: Vec<(usize, Refusal)>,
    /// Whether the effects are stored.
    pub durable: bool,
}

/// Why a batch was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The queue is full.
    #[error("the engine's queue is full")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// No collector takes pushes.
    #[error("pushes are not taken here")]
    Off,
    /// Pushes are paused.
    #[error("pushes are paused")]
    Paused,
    /// The daemon is stopping.
    #[error("larum is stopping")]
    Stopping,
}

/// What can be seen from outside, as the documents of the API.
pub trait View: Send + Sync + 'static {
    /// Whether rules are loaded and the store is open.
    fn readiness(&self) -> Readiness;
    /// The overview.
    fn status(&self) -> BoxFuture<'_, Result<StatusDto, Unavailable>>;
    /// All figures, for `/metrics`.
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<Family>, Unavailable>>;
    /// All rules, in the order of their names.
    fn rules(&self) -> BoxFuture<'_, Result<Vec<RuleDto>, Unavailable>>;
    /// All alerts that are not inactive, by rule and subject.
    fn alerts(&self) -> BoxFuture<'_, Result<Vec<AlertDto>, Unavailable>>;
    /// Firings, those that ended too, newest raise first: one page.
    fn firings(&self, asked: FiringQuery) -> BoxFuture<'_, Result<AlertPageDto, PastError>>;
    /// One firing, by its id or the beginning of it.
    fn firing(&self, id: String) -> BoxFuture<'_, Result<Found, PastError>>;
    /// All subjects, by kind and name.
    fn subjects(&self) -> BoxFuture<'_, Result<Vec<SubjectDto>, Unavailable>>;
    /// The batches that are taken from now on, until the daemon stops.
    ///
    /// # Errors
    /// Where too many follow already.
    fn follow(&self) -> Result<BoxStream<'static, Followed>, TooManyFollowers>;
    /// All channels, in the order of their names.
    fn channels(&self) -> BoxFuture<'_, Result<Vec<ChannelDto>, Unavailable>>;
    /// Notifications, the newest first.
    fn outbox(&self, query: OutboxQuery) -> BoxFuture<'_, Result<Vec<DeliveryDto>, Unavailable>>;
    /// One notification with its attempts.
    fn delivery(&self, id: &str) -> BoxFuture<'_, Result<Option<DeliveryDetailDto>, Unavailable>>;
    /// The audit log, newest first, each entry with its number.
    fn audit(&self, asked: AuditQuery) -> BoxFuture<'_, Result<Vec<(i64, AuditEntry)>, PastError>>;
    /// What is left alone for a while.
    fn pauses(&self) -> BoxFuture<'_, Result<Vec<PauseDto>, Unavailable>>;
    /// Silences, the newest first.
    fn silences(&self, asked: SilenceQuery) -> BoxFuture<'_, Result<Vec<SilenceDto>, Unavailable>>;
    /// What the dashboard shows at once.
    fn dashboard(&self, asked: DashboardQuery) -> BoxFuture<'_, Result<DashboardDto, Unavailable>>;
    /// What happens from now on, until the daemon stops.
    ///
    /// # Errors
    /// Where too many watch already.
    fn events(&self) -> Result<BoxStream<'static, Happening>, TooManyFollowers>;
    /// The text of the file that registered a rule; `None` where there is no such rule.
    fn rule_source(&self, rule: String) -> BoxFuture<'_, Result<Option<RuleSourceDto>, Unavailable>>;
    /// The samples of one field.
    fn history(&self, asked: HistoryQuery) -> BoxFuture<'_, Result<HistoryDto, HistoryError>>;
    /// What is stored, as bytes of a document, a piece at a time.
    fn export(
        &self,
        what: Exported,
        format: Format,
    ) -> BoxFuture<'_, Result<BoxStream<'static, io::Result<Bytes>>, PastError>>;
    /// Why a rule fires on something, or not.
    fn why(&self, asked: WhyQuery) -> BoxFuture<'_, Result<WhyDto, WhyError>>;
    /// Why a rule fired on something at a time, or not, by what is stored: a [`WhyDto`] as JSON.
    fn why_at(&self, asked: WhyQuery, at: Time) -> BoxFuture<'_, Result<serde_json::Value, WhyError>>;
}

/// What the dashboard asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DashboardQuery {
    /// Sparklines look back so far.
    pub length: Duration,
    /// Only subjects of this kind.
    pub kind: Option<String>,
    /// So many subjects of each kind at most.
    pub limit: usize,
}

/// Subjects that one event tells at most.
pub const SAMPLED: usize = 200;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// What: `alert`, `state`, `snapshots`, `rules` or `missed`.
    pub event: &'static str,
    /// More of it, as JSON.
    pub data: String,
}

/// What is to be exported.
#[derive(Clone, Debug, PartialEq)]
pub enum Exported {
    /// Snapshots.
    Metrics(MetricFilter),
    /// Alerts.
    Alerts(AlertFilter),
}

/// Which samples are asked for; times are the wall clock's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The kind of the subject.
    pub kind: String,
    /// The name of the subject.
    pub name: String,
    /// The field.
    pub field: String,
    /// At or after this time.
    pub from: Time,
    /// Before this time.
    pub to: Time,
    /// Over how long they are summed up.
    pub step: Option<Duration>,
}

/// Why no samples are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryError {
    /// The past cannot be told.
    Past(PastError),
    /// There is no such subject.
    Unknown {
        /// What is not there.
        error: String,
        /// What to do.
        hint: Option<String>,
    },
    /// There are too many.
    TooMany {
        /// The limit.
        max: usize,
    },
}

impl From<PastError> for HistoryError {
    fn from(error: PastError) -> HistoryError {
        HistoryError::Past(error)
    }
}

/// What is to be explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhyQuery {
    /// The rule.
    pub rule: String,
    /// The kind of the subject, which must be the rule's.
    pub kind: Option<String>,
    /// The name of the subject or group; without it all that the rule judges.
    pub name: Option<String>,
}

/// Why nothing is explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyError {
    /// The engine does not answer.
    Unavailable(Unavailable),
    /// What is stored cannot be looked at now: why.
    Later(String),
    /// There is no such rule or subject.
    Unknown {
        /// What is not there.
        error: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// A batch that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// When it came.
    pub now: Now,
    /// The batch.
    pub batch: Arc<Batch>,
    /// Which of its snapshots were refused, in order.
    pub refused: Vec<usize>,
    /// How many snapshots before it were missed, because whoever follows is too slow.
    pub missed: u64,
}

/// Nobody else can follow now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{max} already follow the snapshots, which is the limit")]
pub struct TooManyFollowers {
    /// The limit.
    pub max: usize,
}

/// Which notifications are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxQuery {
    /// In this state: one of [`super::api::DELIVERY_STATES`].
    pub state: Option<String>,
    /// For this channel.
    pub channel: Option<String>,
    /// How many at most.
    pub limit: usize,
    /// How many of the newest to leave out first.
    pub offset: usize,
}

/// What an operator can do.
pub trait Operator: Send + Sync + 'static {
    /// Tries a notification now: one that waits, or one that was given up.
    ///
    /// # Errors
    /// Where it neither waits nor was given up.
    fn retry_delivery(&self, id: &str) -> BoxFuture<'_, Result<OperatedDto, OperateError>>;

    /// Gives up a notification that waits.
    ///
    /// # Errors
    /// Where it does not wait.
    fn drop_delivery(&self, id: &str) -> BoxFuture<'_, Result<OperatedDto, OperateError>>;

    /// Makes a silence, or with `preview` only says what it would cover.
    ///
    /// # Errors
    /// Where the plan makes no silence.
    fn silence(&self, plan: Plan, preview: bool) -> BoxFuture<'_, Result<SilenceMadeDto, OperateError>>;

    /// One silence and what it covers now, by its id or the beginning of it.
    ///
    /// # Errors
    /// Where there is none, or several.
    fn show_silence(&self, id: String) -> BoxFuture<'_, Result<SilenceMadeDto, OperateError>>;

    /// Ends a silence now. `by` may be empty.
    ///
    /// # Errors
    /// Where there is none, several, or it is over.
    fn end_silence(&self, id: String, by: String) -> BoxFuture<'_, Result<SilenceDto, OperateError>>;

    /// Writes a write down. Gives whether that is stored.
    fn note(&self, entry: AuditEntry) -> BoxFuture<'_, bool>;

    /// Leaves rules or collectors alone. Gives what is paused then.
    ///
    /// # Errors
    /// Where a name is not known; then nothing is changed.
    fn pause(&self, asked: PauseAsked) -> BoxFuture<'_, Result<Vec<PauseDto>, OperateError>>;

    /// Lets rules or collectors go on. Gives what is paused then.
    ///
    /// # Errors
    /// Where one is not paused; then nothing is changed.
    fn resume(&self, asked: PauseAsked) -> BoxFuture<'_, Result<Vec<PauseDto>, OperateError>>;

    /// Runs the rules over what is stored, as they are saved and with one file edited.
    ///
    /// # Errors
    /// Where another one runs, the file is none of rules, or it takes too long.
    fn replay(&self, asked: ReplayAsked) -> BoxFuture<'_, Result<ReplayDto, OperateError>>;

    /// Sends a sample notification to a channel. Gives what is said of it.
    ///
    /// # Errors
    /// Where there is no such channel, or it did not take the sample.
    fn test_channel(&self, channel: String) -> BoxFuture<'_, Result<String, OperateError>>;

    /// Forgets a subject, and closes its alerts as vanished.
    ///
    /// # Errors
    /// Where it is not known.
    fn forget(&self, kind: String, name: String) -> BoxFuture<'_, Result<ForgottenDto, OperateError>>;

    /// Acknowledges firings, or takes it back.
    ///
    /// # Errors
    /// Where nothing that fires is meant.
    fn acknowledge(&self, asked: Acknowledgement) -> BoxFuture<'_, Result<AcknowledgedDto, OperateError>>;
}

/// An edited file of rules that is to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayAsked {
    /// Its path in the project folder.
    pub file: String,
    /// Its text.
    pub text: String,
    /// How far back.
    pub length: Duration,
}

/// Which firings somebody acknowledges. All conditions that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgement {
    /// One firing: its id, or the beginning of it.
    pub id: Option<String>,
    /// All firings of this rule.
    pub rule: Option<String>,
    /// All firings about subjects of this kind.
    pub kind: Option<String>,
    /// All firings about subjects or groups of this name.
    pub name: Option<String>,
    /// Who; empty where that is not said.
    pub by: String,
    /// What they say; may be empty.
    pub comment: String,
    /// It is taken back.
    pub undo: bool,
}

/// One write that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// When, by the wall clock.
    pub time: Time,
    /// Who: the name of a token, or `local`.
    pub who: String,
    /// From which address.
    pub address: Option<String>,
    /// What was asked for: method, path and what was sent.
    pub what: String,
    /// What came of it: the status of the answer.
    pub status: u16,
}

/// Which entries of the audit log are asked for. Every condition that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// At or after this time.
    pub since: Option<Time>,
    /// By this token.
    pub who: Option<String>,
    /// How many at most.
    pub limit: usize,
    /// Before the entry with this number.
    pub before: Option<i64>,
}

/// Some of something, or all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// All.
    All,
    /// These.
    Some(Vec<String>),
}

impl Default for Named {
    fn default() -> Named {
        Named::Some(Vec::new())
    }
}

impl Named {
    /// Whether it names nothing.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Named::Some(names) if names.is_empty())
    }
}

/// What is to be paused, or to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PauseAsked {
    /// Rules.
    pub rules: Named,
    /// Collectors.
    pub collectors: Named,
    /// Who asks; empty where that is not said.
    pub by: String,
    /// Why; may be empty.
    pub comment: String,
}

/// Which silences are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SilenceQuery {
    /// In one of these states.
    pub states: Vec<SilenceState>,
}

/// Why an operator's wish was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperateError {
    /// There is no such thing.
    Unknown(String),
    /// There is nothing of which it could be done.
    Nothing {
        /// What is not there.
        said: String,
        /// What to do.
        hint: Option<String>,
    },
    /// What is asked for makes no sense.
    Refused {
        /// Why.
        said: String,
        /// What to do.
        hint: Option<String>,
    },
    /// It is not in a state in which this can be done.
    Conflict {
        /// Why.
        said: String,
        /// What to do.
        hint: Option<String>,
    },
    /// It cannot be done for now.
    Failed(String),
}

/// Which firings are asked for. Every condition that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FiringQuery {
    /// Only those that ended.
    pub ended: bool,
    /// Of this rule.
    pub rule: Option<String>,
    /// Of subjects of this kind.
    pub kind: Option<String>,
    /// Of subjects with this name.
    pub name: Option<String>,
    /// At this level.
    pub level: Option<Level>,
    /// Raised at or after this time, or still firing then.
    pub since: Option<Time>,
    /// How many at most.
    pub limit: usize,
    /// After which firing of an earlier page to go on.
    pub after: Option<Cursor>,
}

/// The last firing of a page, and how many there were up to it. Written `17-1795255200000000-6f2a..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// How many firings were on this page and those before.
    pub seen: usize,
    /// When the last one was raised.
    pub since: Time,
    /// Its id.
    pub id: FiringId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.seen, self.since.as_micros(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Cursor, NoCursor> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(NoCursor);
        let seen = part()?.parse().map_err(|_| NoCursor)?;
        let since = Time::from_micros(part()?.parse().map_err(|_| NoCursor)?);
        Ok(Cursor { seen, since, id: part()?.into() })
    }
}

/// A text that no page gave as its `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor: give the `next` of the page before as it is")]
pub struct NoCursor;

/// What is found under the beginning of an id.
#[derive(Clone, Debug)]
pub enum Found {
    /// The firing.
    One(Box<AlertHistoryDto>),
    /// No firing.
    None,
    /// Several firings: the ids of the first of them.
    Several(Vec<String>),
}

/// Why the past cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PastError {
    /// The engine does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// What is stored cannot be read.
    #[error("what is stored cannot be read: {0}")]
    Store(String),
}

/// Whether the daemon does its work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// What is still missing, for people: "the store is not open". Empty when ready.
    pub missing: Vec<String>,
}

/// The part of the daemon that knows has stopped, or does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine does not answer")]
pub struct Unavailable;
