//! Events of alerts, and the notifications that tell a channel of them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ChannelName, FiringId, Labels, Level, NotificationId, RuleName, SubjectKey, Time, Value};

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// It began to fire.
    Raised,
    /// Its level rose.
    Escalated,
    /// Its level fell, and it still fires.
    Eased,
    /// It still fires, and nobody acknowledged it.
    Reminded,
    /// Nobody acknowledged it for so long that a route's `escalate` tells others.
    Unacknowledged,
    /// Somebody acknowledged it. No channel is told.
    Acknowledged,
    /// Its subject went silent while it fires: told once, then reminders stop.
    Stale,
    /// It goes up and down so often that its raises and recoveries are no longer told.
    Flapping,
    /// Its condition is known to be over.
    Recovered,
    /// It ended without being known to be well.
    Closed,
}

impl EventKind {
    /// The kind as the formats write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventKind::Raised => "raised",
            EventKind::Escalated => "escalated",
            EventKind::Eased => "eased",
            EventKind::Reminded => "reminded",
            EventKind::Unacknowledged => "unacknowledged",
            EventKind::Acknowledged => "acknowledged",
            EventKind::Stale => "stale",
            EventKind::Flapping => "flapping",
            EventKind::Recovered => "recovered",
            EventKind::Closed => "closed",
        }
    }

    /// Whether the firing is over with this event.
    pub const fn is_end(self) -> bool {
        matches!(self, EventKind::Recovered | EventKind::Closed)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a firing ended without being known to be well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The source says that the subject no longer exists.
    Gone,
    /// The rule was removed.
    RuleRemoved,
    /// The rule now judges other subjects.
    RuleChanged,
    /// The rule's `where` no longer takes the subject.
    NoLongerCovered,
    /// No data, and the rule says `no_data: "close"`.
    NoData,
    /// The subject was silent for `forget_firing_after`, or was forgotten by hand.
    Vanished,
}

impl CloseReason {
    /// The reason in words, as DESIGN.md has them.
    pub const fn as_str(self) -> &'static str {
        match self {
            CloseReason::Gone => "gone",
            CloseReason::RuleRemoved => "rule removed",
            CloseReason::RuleChanged => "rule changed",
            CloseReason::NoLongerCovered => "no longer covered",
            CloseReason::NoData => "no data",
            CloseReason::Vanished => "vanished",
        }
    }

    /// Whether an incident at a pager is resolved with it: silence is not known to be well.
    pub const fn resolves(self) -> bool {
        !matches!(self, CloseReason::NoData | CloseReason::Vanished)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What one channel is told, once: one event, or several folded into one.
///
/// Stored as JSON; keys that are left out have their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Stable over all delivery attempts: the idempotency key at the receiver.
    pub id: NotificationId,
    /// Who is told.
    pub channel: ChannelName,
    /// When it was decided, by the wall clock.
    pub time: Time,
    /// The alerts it tells of; at least one.
    pub alerts: Vec<AlertNote>,
    /// What brought them together.
    #[serde(default, skip_serializing_if = "Occasion::is_alert")]
    pub occasion: Occasion,
}

/// What brought the alerts of a notification together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// Something happened to one alert.
    #[default]
    Alert,
    /// A route's `group_by`.
    Group(Group),
    /// The channel's `limit`: it stands for notifications that could not all be sent.
    Summary(Summary),
    /// Another channel could not be told: this is the fallback channel.
    Undelivered(Undelivered),
}

impl Occasion {
    /// Whether it is about one alert alone.
    pub const fn is_alert(&self) -> bool {
        matches!(self, Occasion::Alert)
    }
}

/// What a group's message says besides what is new and what ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The values of the labels that it groups by.
    pub by: Labels,
    /// Members that still fire and of which nothing is new, the first of them.
    pub firing: Vec<StillFiring>,
    /// How many more of these there are.
    #[serde(default)]
    pub firing_omitted: usize,
}

/// A member of a group of which nothing is new.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StillFiring {
    /// The firing.
    pub id: FiringId,
    /// The rule.
    pub rule: RuleName,
    /// The subject.
    pub subject: SubjectKey,
    /// How bad it is now.
    pub level: Level,
    /// When it was raised.
    pub since: Time,
}

/// What a summary stands for. Its `alerts` are the first of what it stands for, the most urgent first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The notifications that it stands for.
    pub stands_for: Vec<NotificationId>,
    /// How many alerts they tell of that are not among `alerts`.
    pub omitted: usize,
    /// How many of which event there are, by rule and level: all of them.
    pub counts: Vec<SummaryCount>,
    /// How many events it stands for in all, with those that were folded before.
    pub events: u64,
}

/// One line of a summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SummaryCount {
    /// The rule.
    pub rule: RuleName,
    /// The level.
    pub level: Level,
    /// What happened.
    pub event: EventKind,
    /// How many alerts.
    pub count: usize,
}

/// What could not be delivered elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undelivered {
    /// The channel that could not be told.
    pub channel: ChannelName,
    /// The notification that was given up there.
    pub notification: NotificationId,
    /// Why, without secrets.
    pub reason: String,
}

impl Notification {
    /// How many events it stands for: those that it tells, those that are folded into them, and those of a summary.
    pub fn events(&self) -> u64 {
        match &self.occasion {
            Occasion::Summary(summary) => summary.events,
            Occasion::Alert | Occasion::Group(_) | Occasion::Undelivered(_) => {
                self.alerts.iter().map(|note| 1 + note.n_folded()).sum()
            }
        }
    }

    /// The highest level among its alerts.
    pub fn level(&self) -> Level {
        self.alerts.iter().map(|alert| alert.level).max().unwrap_or(Level::Info)
    }
}

/// One alert as a notification tells it. All times are the wall clock's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertNote {
    /// The firing: stable from raise to end.
    pub id: FiringId,
    /// What happened.
    pub event: EventKind,
    /// Why it was closed, where `event` is [`EventKind::Closed`].
    pub reason: Option<CloseReason>,
    /// The rule that judged.
    pub rule: RuleName,
    /// How bad it is now; at an end, how bad it was last.
    pub level: Level,
    /// The level told before, where the event changed it.
    pub previous_level: Option<Level>,
    /// The subject; of a set its kind, and the group's labels as its name.
    pub subject: SubjectKey,
    /// The subject's labels and the rule's.
    pub labels: Labels,
    /// One line, from the rule's `message`.
    pub message: String,
    /// The field values that the condition read.
    pub values: Vec<(Arc<str>, Value)>,
    /// When it was raised.
    pub since: Time,
    /// When it ended, at an end.
    pub ended: Option<Time>,
    /// The rule cannot judge (an error, or no data) since then.
    pub not_judged_since: Option<Time>,
    /// The rule's link for people.
    pub runbook: Option<Arc<str>>,
    /// Who acknowledged it, where somebody did and its level has not risen since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
    /// Earlier events that this one stands for, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folded: Vec<FoldedEvent>,
    /// How many still earlier ones are not among them.
    #[serde(default)]
    pub folded_omitted: u64,
}

/// Who acknowledged an alert, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who.
    pub by: Arc<str>,
    /// When, by the wall clock.
    pub at: Time,
    /// What they said; empty where nothing.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub comment: Arc<str>,
}

impl AlertNote {
    /// How many earlier events it stands for.
    pub fn n_folded(&self) -> u64 {
        self.folded.len() as u64 + self.folded_omitted
    }
}

/// An event that was folded into a later notification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldedEvent {
    /// What happened.
    pub event: EventKind,
    /// At which level.
    pub level: Level,
    /// When, by the wall clock.
    pub time: Time,
}
