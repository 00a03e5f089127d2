//! The engine: a pure, synchronous state machine. `step(now, input) -> effects`.
//!
//! Time is an argument; the engine owns no clock, socket or file. Deadlines are acted on at their own time, however
//! late the call comes: a step first does everything that was due before it, in order, and then takes its input. So
//! the same inputs give the same effects whether a daemon was quick to wake or a replay runs a day in a second.
//!
//! - [`Engine::step`] and the deadlines: `step.rs`
//! - which rule judges what, and when: `judge.rs`, sets in `set.rs`
//! - from a verdict to a firing and its end: `settle.rs`
//! - who is told: `tell.rs`
//! - new rules: `reload.rs`

mod id;
mod input;
mod judge;
mod quarantine;
mod reload;
mod set;
mod settle;
mod state;
mod step;
mod tell;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::alert::OwedEnd;
use crate::history::World;
use crate::model::{ChannelName, NotificationId, Now, RuleName, Time};
use crate::routing::Routing;
use crate::rules::RuleSet;

pub use input::{Effects, Event, Input, Outcome, RuleFault, Settings, Suppressed};
pub use quarantine::Quarantine;
pub use state::{Alert, Counts, Firing, Standing, TargetId};
pub use view::{AlertView, RuleView};

use state::RuleState;

/// The engine.
pub struct Engine {
    settings: Settings,
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
    states: BTreeMap<RuleName, RuleState>,
    /// When which alert wants to be looked at.
    deadlines: BTreeSet<(Time, RuleName, TargetId)>,
    /// When which rule judges time itself, or leaves its quarantine.
    wakes: BTreeSet<(Time, RuleName)>,
    /// When subjects are looked through for forgetting next.
    sweep_at: Time,
    /// Notifications on their way, and the alert that waits for them.
    in_flight: BTreeMap<NotificationId, (ChannelName, RuleName, TargetId)>,
    /// Ends that are owed to a channel after a notification on its way, of alerts that are no longer remembered.
    orphans: BTreeMap<NotificationId, (ChannelName, Vec<OwedEnd>)>,
}

#[cfg(test)]
mod tests;
