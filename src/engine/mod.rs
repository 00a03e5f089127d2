//! The engine: a pure, synchronous state machine. `step(now, input) -> effects`.
//!
//! Time is an argument; the engine owns no clock, socket or file. Deadlines are acted on at their own time, however
//! late the call comes: a step first does everything that was due before it, in order, and then takes its input. So
//! the same inputs give the same effects whether a daemon was quick to wake or a replay runs a day in a second.
//!
//! - [`Engine::step`] and the deadlines: `step.rs`
//! - which rule judges what, and when: `judge.rs`, sets in `set.rs`
//! - from a verdict to a firing and its end: `settle.rs`
//! - who is told: `tell.rs`; what several alerts were held back from at once: `held.rs`
//! - what holds alerts back: silences in `silence.rs`, other alerts in `inhibit.rs`
//! - rules and collectors that are left alone: `pause.rs`
//! - acknowledgements: `acknowledge.rs`; who is told while there is none: `escalate.rs`
//! - in groups: `group.rs`; what follows when a notification has come to its end: `flight.rs`; the books: `books.rs`
//! - new rules: `reload.rs`
//! - what is remembered over a restart: `saved.rs`
//! - why something fires or not: `explain.rs`

mod acknowledge;
mod alerts;
mod books;
mod escalate;
pub mod explain;
mod flight;
mod group;
mod held;
mod id;
mod inhibit;
mod input;
mod judge;
mod pause;
mod quarantine;
mod reload;
mod resting;
mod saved;
mod set;
mod settle;
mod silence;
mod state;
mod step;
mod tell;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::history::{SubjectId, World};
use crate::model::{ChannelName, FiringId, NotificationId, Now, RuleName, SubjectKey, Time};
use crate::routing::{Routing, Silences};
use crate::rules::RuleSet;

pub use crate::history::{Job, Together};
pub use acknowledge::Selector;
pub use books::Books;
pub use escalate::{Clock, NextStep};
pub use inhibit::Muted;
pub use input::{DeadLetter, Effects, Event, Input, Outcome, RuleFault, SavedState, Settings, Suppressed, Transition};
pub use pause::{Pause, Paused};
pub use quarantine::Quarantine;
pub use saved::Resumed;
pub use state::{Alert, Counts, Firing, Standing, TargetId};
pub use view::{AlertView, RuleView};

use flight::Flight;
use group::{Group, GroupKey};
use inhibit::Index;
use saved::Touched;
use state::RuleState;

/// An alert with what it is about, in the order in which messages list them.
type Member = (RuleName, SubjectKey, TargetId);

/// The engine.
pub struct Engine {
    settings: Settings,
    threads: crate::history::Threads,
    sequence: u64,
    /// The time of the newest step; time never goes back.
    now: Now,
    /// Shared with the rules while they are evaluated, and changed only between evaluations.
    world: Arc<World>,
    rules: Arc<RuleSet>,
    /// The rules of each kind, by name.
    by_kind: BTreeMap<Arc<str>, Vec<RuleName>>,
    routing: Arc<Routing>,
    alerting: bool,
    /// Who belongs to the sets that rules judge, where it is known.
    sets: BTreeMap<RuleName, set::KnownGroups>,
    states: BTreeMap<RuleName, RuleState>,
    /// When which alert wants to be looked at.
    deadlines: BTreeSet<(Time, RuleName, TargetId)>,
    /// When which rule judges time itself, or leaves its quarantine.
    wakes: BTreeSet<(Time, RuleName)>,
    /// When subjects are looked through for forgetting next.
    sweep_at: Time,
    /// Notifications on their way, and who waits for them.
    flights: BTreeMap<NotificationId, Flight>,
    /// Of firings that a channel is told of by a notification that had been given up: which one.
    revived: BTreeMap<(ChannelName, FiringId), NotificationId>,
    groups: BTreeMap<GroupKey, Group>,
    groups_due: BTreeSet<(Time, GroupKey)>,
    silences: Silences,
    /// What is left alone for a while.
    pauses: BTreeMap<Paused, Pause>,
    /// Which alerts that fire mute which.
    inhibitions: Index,
    /// Alerts that are told anew at the end of this instant: another one mutes them now, or no longer.
    retell: BTreeSet<Member>,
    /// The end of an instant: what waited for it is told now.
    settling: bool,
    /// What was held back and is due now, to be told together.
    released: BTreeMap<ChannelName, BTreeSet<Member>>,
    /// What each channel is owed.
    books: BTreeMap<ChannelName, Books>,
    /// The engine started again and was not given its rules yet: those that it has are only remembered.
    awaits_rules: bool,
    /// What reported, went or fell silent meanwhile, to be judged then.
    unjudged: BTreeSet<SubjectId>,
    /// What changed in this step, by the key under which it is stored.
    touched: BTreeMap<Arc<str>, Touched>,
    touched_subjects: Vec<SubjectId>,
    touched_books: BTreeSet<ChannelName>,
}

#[cfg(test)]
mod tests;
