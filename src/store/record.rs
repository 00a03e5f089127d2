//! What is written, and what is read back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Sealed;
use crate::engine::Effects;
use crate::model::{
    ChannelName, CloseReason, FiringId, Labels, Level, Notification, NotificationId, RuleName, SubjectKey, Time,
};

/// One thing to be stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// What one step of the engine did.
    Step(Arc<Effects>),
    /// One attempt to deliver a notification.
    Attempt(Attempt),
    /// A summary that stands for notifications which wait: they are told by it from now on.
    Summary(Arc<Notification>),
    /// A notification that was given up is tried again: an operator asked for it.
    Revived {
        /// Which notification.
        notification: NotificationId,
        /// When, by the wall clock.
        time: Time,
    },
    /// A notification that waits is given up without a further attempt: an operator asked for it, or its channel is gone.
    Dropped {
        /// Which notification.
        notification: NotificationId,
        /// When, by the wall clock.
        time: Time,
        /// Why.
        reason: String,
    },
    /// Something was asked for by somebody.
    Audit(Audit),
    /// A part of what came in a while, sealed.
    Sealed(Sealed),
    /// A file that was loaded without an error.
    Text(Text),
    /// A file that is no more: its text is not run after a restart.
    TextGone {
        /// Path relative to the project folder.
        file: Arc<str>,
    },
}

impl From<Effects> for Record {
    fn from(effects: Effects) -> Record {
        Record::Step(Arc::new(effects))
    }
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// When, by the wall clock.
    pub time: Time,
    /// Who: the name of a token, or `local`.
    pub who: String,
    /// From which address.
    pub address: Option<String>,
    /// What was asked for.
    pub what: String,
    /// What came of it: the status of the answer, as HTTP has it.
    pub status: u16,
}

/// Which entries of the audit log are asked for. Every condition that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// At or after this time.
    pub since: Option<Time>,
    /// By this token.
    pub who: Option<String>,
    /// How many at most.
    pub limit: usize,
    /// Before the entry with this number.
    pub before: Option<i64>,
}

/// The last good text of a rule file, a channel file or larum.yaml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Path relative to the project folder: `rules/service.rhai`.
    pub file: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    /// The texts of the files that it imported then, by path inside its folder: they belong to what was good.
    pub imports: BTreeMap<Arc<str>, Arc<str>>,
}

/// One attempt to deliver a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which notification.
    pub notification: NotificationId,
    /// Counts the attempts of this notification, from 1.
    pub number: u32,
    /// When it ended, by the wall clock.
    pub time: Time,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub result: AttemptResult,
}

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// The receiver took it: the end of the notification.
    Delivered {
        /// Who of several recipients did not get it and never will, and why; `None` where all did.
        partly: Option<String>,
    },
    /// It failed and will be tried again.
    Failed {
        /// Why, without secrets.
        error: String,
        /// When it is tried again, by the wall clock.
        next: Time,
    },
    /// It failed and is given up: the end of the notification.
    Dead {
        /// Why, without secrets.
        error: String,
    },
}

/// How far a notification has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits for its next attempt.
    Waiting {
        /// When that is, by the wall clock; at once where there was none yet.
        next: Option<Time>,
    },
    /// The receiver took it.
    Delivered {
        /// When, by the wall clock.
        time: Time,
    },
    /// A summary stands for it, whose own state tells what became of both.
    Absorbed {
        /// The summary.
        by: NotificationId,
    },
    /// It was given up.
    Dead {
        /// When, by the wall clock.
        time: Time,
        /// Why, without secrets.
        error: String,
    },
}

/// A notification and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// What the channel is told.
    pub notification: Notification,
    /// How far it has come.
    pub state: DeliveryState,
    /// How many attempts there were.
    pub attempts: u32,
    /// When the first of them ended, by the wall clock; since it was last revived, where it was.
    pub first_attempt: Option<Time>,
    /// The newest attempts, oldest first; a store may keep fewer than there were.
    pub newest_attempts: Vec<Attempt>,
}

/// Which notifications are asked for. Every condition that is set must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// In this state.
    pub state: Option<DeliveryStateName>,
    /// For this channel.
    pub channel: Option<ChannelName>,
    /// How many at most.
    pub limit: usize,
    /// How many of the newest to leave out first.
    pub offset: usize,
}

impl Default for DeliveryFilter {
    fn default() -> DeliveryFilter {
        DeliveryFilter { state: None, channel: None, limit: 100, offset: 0 }
    }
}

/// The state of a delivery without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryStateName {
    /// It waits for its next attempt.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// A summary stands for it.
    Absorbed,
    /// It was given up.
    Dead,
}

impl DeliveryStateName {
    /// All states.
    pub const ALL: [DeliveryStateName; 4] = [
        DeliveryStateName::Waiting,
        DeliveryStateName::Delivered,
        DeliveryStateName::Absorbed,
        DeliveryStateName::Dead,
    ];

    /// The state as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeliveryStateName::Waiting => "waiting",
            DeliveryStateName::Delivered => "delivered",
            DeliveryStateName::Absorbed => "absorbed",
            DeliveryStateName::Dead => "dead",
        }
    }
}

impl DeliveryState {
    /// The state without its data.
    pub const fn name(&self) -> DeliveryStateName {
        match self {
            DeliveryState::Waiting { .. } => DeliveryStateName::Waiting,
            DeliveryState::Delivered { .. } => DeliveryStateName::Delivered,
            DeliveryState::Absorbed { .. } => DeliveryStateName::Absorbed,
            DeliveryState::Dead { .. } => DeliveryStateName::Dead,
        }
    }
}

impl DeliveryFilter {
    /// Whether a notification is asked for.
    pub fn takes(&self, delivery: &Delivery) -> bool {
        self.state.is_none_or(|state| state == delivery.state.name())
            && self.channel.as_ref().is_none_or(|channel| *channel == delivery.notification.channel)
    }
}

/// The newest stored step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastStep {
    /// Counts the steps, over restarts too.
    pub sequence: u64,
    /// Its engine time: time goes on from here after a restart, never before it.
    pub time: Time,
}

/// One firing of one alert, from its raise to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// Its id.
    pub id: FiringId,
    /// The rule.
    pub rule: RuleName,
    /// The subject.
    pub subject: SubjectKey,
    /// The labels of its newest event.
    pub labels: Labels,
    /// The level of its newest event.
    pub level: Level,
    /// The message of its newest event.
    pub message: String,
    /// When it was raised, by the wall clock.
    pub since: Time,
    /// When it ended, by the wall clock; `None` while it fires.
    pub ended: Option<Time>,
    /// Why it was closed, where it was.
    pub reason: Option<CloseReason>,
}

/// Which firings are asked for. Every condition that is set must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiringFilter {
    /// Only those that still fire, or only those that ended.
    pub firing: Option<bool>,
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
    /// How many of the newest to leave out first.
    pub offset: usize,
}

impl Default for FiringFilter {
    fn default() -> FiringFilter {
        FiringFilter {
            firing: None,
            rule: None,
            kind: None,
            name: None,
            level: None,
            since: None,
            limit: 100,
            offset: 0,
        }
    }
}

impl FiringFilter {
    /// Whether a firing is asked for.
    pub fn takes(&self, firing: &Firing) -> bool {
        let same = |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|wanted| wanted == have);
        self.firing.is_none_or(|firing_now| firing_now == firing.ended.is_none())
            && same(&self.rule, firing.rule.as_str())
            && same(&self.kind, &firing.subject.kind)
            && same(&self.name, &firing.subject.name)
            && self.level.is_none_or(|level| level == firing.level)
            && self.since.is_none_or(|since| firing.ended.is_none_or(|ended| ended >= since))
    }
}
