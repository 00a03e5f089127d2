//! Events of alerts, and the notifications that tell a channel of them.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{ChannelName, FiringId, Labels, Level, NotificationId, RuleName, SubjectKey, Time, Value};

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
    /// Its subject went silent while it fires: told once, then reminders stop.
    Stale,
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
            EventKind::Stale => "stale",
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// Stable over all delivery attempts: the idempotency key at the receiver.
    pub id: NotificationId,
    /// Who is told.
    pub channel: ChannelName,
    /// When it was decided, by the wall clock.
    pub time: Time,
    /// The alerts it tells of; at least one.
    pub alerts: Vec<AlertNote>,
}

impl Notification {
    /// The highest level among its alerts.
    pub fn level(&self) -> Level {
        self.alerts.iter().map(|alert| alert.level).max().unwrap_or(Level::Info)
    }
}

/// One alert as a notification tells it. All times are the wall clock's.
#[derive(Clone, Debug, PartialEq)]
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
    /// Earlier events that this one stands for, oldest first.
    pub folded: Vec<FoldedEvent>,
}

/// An event that was folded into a later notification.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedEvent {
    /// What happened.
    pub event: EventKind,
    /// At which level.
    pub level: Level,
    /// When, by the wall clock.
    pub time: Time,
}
