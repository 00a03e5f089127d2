//! What goes into the engine, and what comes out.

use std::sync::Arc;
use std::time::Duration;

use crate::history::{Batch, BatchReport, Block, Older};
use crate::model::{
    AlertNote, ChannelName, CloseReason, EventKind, FiringId, Labels, Level, Notification, NotificationId, Now,
    RuleName, SubjectKey, Time,
};
use crate::routing::{Routing, Silence};
use crate::rules::{Context, Fault, Rule, RuleSet};

use super::pause::Paused;

/// What the engine is told. Each input is one step.
#[derive(Clone, Debug)]
pub enum Input {
    /// Snapshots: a push, or one pass of a collector.
    Batch(Arc<Batch>),
    /// Nothing but the time: a deadline has come.
    Tick,
    /// What is older than everything that is kept, of the fields that the next rules look back on for longer.
    Backfill(Arc<Older>),
    /// The rules that are in force from now on.
    Rules(Arc<RuleSet>),
    /// The routes and channels that are in force from now on.
    Routing(Arc<Routing>),
    /// A notification came to its end at a channel.
    Delivered {
        /// Which notification.
        notification: NotificationId,
        /// How it ended.
        outcome: Outcome,
    },
    /// A notification that was given up is tried again: an operator asked for it.
    Revived {
        /// Which notification.
        notification: Arc<Notification>,
        /// How the firings ended of which it tells as if they still fired: who is told of them now is told that too.
        ends: Vec<AlertNote>,
    },
    /// Switches alerting on or off: rules are judged all the same, and nobody is told while it is off.
    Alerting(bool),
    /// Forget a subject and close its alerts as vanished.
    Forget(SubjectKey),
    /// A silence is new, or is no longer what it was: one that a person ended has its [`Silence::expired`] set.
    Silence(Silence),
    /// Somebody acknowledges firings, or takes it back. Those that are over are left out.
    Acknowledge {
        /// Which firings.
        firings: Vec<FiringId>,
        /// Who.
        by: Arc<str>,
        /// What they say; may be empty.
        comment: Arc<str>,
        /// It is taken back: reminders and escalation go on.
        withdraw: bool,
    },
    /// Rules or collectors are left alone from now on.
    Pause {
        /// Which.
        what: Paused,
        /// Who asks for it.
        by: Arc<str>,
        /// Why; may be empty.
        comment: Arc<str>,
    },
    /// Rules or collectors go on. To let all go on also ends the pauses of single ones.
    Resume(Paused),
}

/// How a notification ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// The receiver took a summary that stands for it.
    Absorbed,
    /// It was given up: where nothing else of its firing arrived, the channel was told nothing. It is raised there again
    /// when it would have been reminded, and who was told nothing gets no end.
    Dead {
        /// What was given up, and why, where the fallback channel is to be told of it.
        letter: Option<Arc<DeadLetter>>,
    },
}

impl Outcome {
    /// Given up, and nobody else is to be told of it.
    pub const fn dead() -> Outcome {
        Outcome::Dead { letter: None }
    }

    /// Whether the receiver has it, by itself or in a summary.
    pub const fn has_arrived(&self) -> bool {
        match self {
            Outcome::Delivered | Outcome::Absorbed => true,
            Outcome::Dead { .. } => false,
        }
    }
}

/// A notification that was given up.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The notification.
    pub notification: Arc<Notification>,
    /// Why it was given up, without secrets.
    pub reason: String,
}

/// What the engine is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The seed of this installation: ids are hashes of it.
    pub seed: u64,
    /// A subject without an open alert is forgotten this long after its newest snapshot.
    pub forget_after: Duration,
    /// A firing alert of a stale subject is closed as vanished after this long.
    pub forget_firing_after: Duration,
    /// Silences that ended are remembered for so long.
    pub retention: Duration,
    /// Days and hours of rules are of this zone.
    pub zone: jiff::tz::TimeZone,
    /// Bounds of the world.
    pub limits: crate::history::Limits,
    /// Steps give what is to be stored for a restart.
    pub remembers: bool,
}

/// What a larum.yaml comes to that says nothing of these, without a seed. Nothing is given for a restart.
impl Default for Settings {
    fn default() -> Settings {
        Settings {
            seed: 1,
            forget_after: Duration::from_secs(3600),
            forget_firing_after: Duration::from_secs(24 * 3600),
            retention: Duration::from_secs(90 * 24 * 3600),
            zone: jiff::tz::TimeZone::UTC,
            limits: crate::history::Limits::default(),
            remembers: false,
        }
    }
}

/// Something that happened to an alert, told to anybody or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, by the wall clock.
    pub time: Time,
    /// What.
    pub kind: EventKind,
    /// Why, where it was closed.
    pub reason: Option<CloseReason>,
    /// The firing.
    pub firing: FiringId,
    /// The rule.
    pub rule: RuleName,
    /// The subject.
    pub subject: SubjectKey,
    /// The level now.
    pub level: Level,
    /// The labels of the subject and the rule.
    pub labels: Labels,
    /// One line.
    pub message: String,
}

/// An alert that came into another state: inactive, pending, firing, recovering.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// When, by the wall clock.
    pub time: Time,
    /// The rule.
    pub rule: RuleName,
    /// The subject.
    pub subject: SubjectKey,
    /// The state before.
    pub from: &'static str,
    /// The state now.
    pub to: &'static str,
}

/// A piece of the engine's state that changed: what is needed to go on after a restart as if there had been none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedState {
    /// What it is, and of what: `alert ["cpu_high","host","web-1"]`.
    pub key: Arc<str>,
    /// The piece as JSON; `None` where there is nothing to remember any more.
    pub value: Option<Arc<[u8]>>,
}

/// Why a channel was not told of something, for good.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppressed {
    /// The channel that was not told.
    pub channel: ChannelName,
    /// Of which firing.
    pub firing: FiringId,
    /// The rule.
    pub rule: RuleName,
    /// The subject.
    pub subject: SubjectKey,
    /// Why: "cooldown".
    pub reason: &'static str,
    /// How many events of it: a raise that is never told takes its end with it.
    pub events: u64,
}

/// An evaluation that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleFault {
    /// The rule.
    pub rule: RuleName,
    /// The subject that was judged.
    pub subject: SubjectKey,
    /// What is wrong, and where.
    pub fault: Fault,
}

/// What a step did and what must be done now. One step's effects are one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Effects {
    /// Counts the steps.
    pub sequence: u64,
    /// When the step was.
    pub now: Now,
    /// What happened, by (rule, subject).
    pub events: Vec<Event>,
    /// Who must be told.
    pub notifications: Vec<Notification>,
    /// Who will not be told, and why.
    pub suppressed: Vec<Suppressed>,
    /// Alerts that came into another state, told or not.
    pub transitions: Vec<Transition>,
    /// What of the engine's state changed, each piece once, in the order of the keys.
    pub saved: Vec<SavedState>,
    /// Evaluations that failed: the first of each rule.
    pub faults: Vec<RuleFault>,
    /// Rules that were put into quarantine, until when.
    pub quarantined: Vec<(RuleName, Time)>,
    /// How many evaluations were made.
    pub evaluations: u64,
    /// Lines that scripts printed, with their rule's name.
    pub prints: Vec<(RuleName, String)>,
    /// The batch that was taken, where it was one; `None` also where it was given up for want of room.
    pub batch: Option<Arc<Batch>>,
    /// What became of it.
    pub report: BatchReport,
}

impl Effects {
    /// Takes what a rule's closures printed.
    pub(super) fn take_prints(&mut self, rule: &Rule, context: &Context) {
        self.prints.extend(context.budget.take_prints().into_iter().map(|line| (rule.name.clone(), line)));
    }

    /// Puts all that happened at one time in the order of (rule, subject), and keeps the order of what happened to one
    /// alert.
    pub(super) fn sort(&mut self) {
        self.events.sort_by(|a, b| (a.time, &a.rule, &a.subject).cmp(&(b.time, &b.rule, &b.subject)));
        self.notifications.sort_by(|a, b| {
            let key = |n: &Notification| n.alerts.first().map(|alert| (alert.rule.clone(), alert.subject.clone()));
            a.time.cmp(&b.time).then_with(|| key(a).cmp(&key(b)))
        });
        self.suppressed.sort_by(|a, b| (&a.rule, &a.subject, &a.channel).cmp(&(&b.rule, &b.subject, &b.channel)));
    }

    /// Adds what the step took to what came before.
    pub fn add_to(&self, came: &mut Block) {
        match &self.batch {
            Some(batch) => came.take(self.sequence, self.now, batch, &self.report),
            None if self.report.taken > 0 || !self.report.missing.is_empty() => came.lose(self.sequence, self.now),
            None => {}
        }
    }

    /// A step without effects.
    pub fn none(sequence: u64, now: Now) -> Effects {
        Effects {
            sequence,
            now,
            events: Vec::new(),
            notifications: Vec::new(),
            suppressed: Vec::new(),
            transitions: Vec::new(),
            saved: Vec::new(),
            faults: Vec::new(),
            quarantined: Vec::new(),
            evaluations: 0,
            prints: Vec::new(),
            batch: None,
            report: BatchReport::default(),
        }
    }
}
