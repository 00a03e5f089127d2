//! Escalation: for how long nobody has acknowledged an alert, and who is told then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::alert::Timer;
use crate::model::{ChannelName, EventKind, FoldedEvent, Now, Time};
use crate::routing::Escalation;
use crate::rules::Rule;

use super::{Alert, Effects, Engine};

/// Counts how long nobody has acknowledged a firing, in one window of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Stands still while nobody could acknowledge.
    pub timer: Timer,
    /// The `after` of the last step that was reached.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub reached: Duration,
}

impl Alert {
    /// Whether a step of escalation is reached, and nobody has acknowledged.
    pub fn is_reached(&self, now: Time, escalation: &Escalation) -> bool {
        let elapsed = self.clocks.get(&escalation.clock).map(|clock| clock.timer.elapsed(now));
        self.acknowledged.is_none() && elapsed.is_some_and(|elapsed| elapsed >= escalation.after)
    }
}

/// The level has risen: an acknowledgement is void, and the time without one is counted anew.
pub(super) fn restart_escalation(alert: &mut Alert, now: Now) {
    alert.acknowledged = None;
    for clock in alert.clocks.values_mut() {
        *clock = Clock { timer: Timer::start(now.time), reached: Duration::ZERO };
    }
    let channels: Vec<ChannelName> = alert.told.keys().cloned().collect();
    for channel in channels {
        alert.told.of(&channel).restart_escalation();
    }
}

/// The step of an alert's escalation that comes next.
#[derive(Clone, Debug, PartialEq)]
pub struct NextStep {
    /// When it is reached in engine time, if nothing changes; `None` while the time stands still.
    pub at: Option<Time>,
    /// After so long without an acknowledgement.
    pub after: Duration,
    /// So much of it has passed.
    pub passed: Duration,
    /// Who is told then: channels.
    pub to: Vec<ChannelName>,
}

impl Engine {
    /// The step of an alert's escalation that comes next. `None` where there is none, or somebody acknowledged it.
    pub fn next_step(&self, now: Now, rule: &Rule, alert: &Alert) -> Option<NextStep> {
        alert.firing.as_ref().filter(|_| alert.acknowledged.is_none() && self.routing.escalates())?;
        let escalations = self.targets(now, rule, alert).escalations;
        let steps = escalations.into_iter().filter_map(|escalation| {
            let timer = alert.clocks.get(&escalation.clock)?.timer;
            let (after, passed) = (escalation.after, timer.elapsed(now.time));
            let next = || NextStep { at: timer.deadline(after), after, passed, to: escalation.to };
            (passed < after).then(next)
        });
        steps.min_by_key(|step| (step.at.is_none(), step.after.saturating_sub(step.passed)))
    }

    /// Lets the clocks of an alert run or stand, as it is now, and notes steps that are reached. Gives when the next one
    /// is, in engine time, if nothing changes.
    pub(super) fn run_clocks(
        &mut self,
        now: Now,
        rule: &Rule,
        alert: &mut Alert,
        effects: &mut Effects,
    ) -> Option<Time> {
        if !self.routing.escalates() || alert.firing.is_none() {
            alert.clocks.clear();
            return None;
        }
        let escalations = self.targets(now, rule, alert).escalations;
        let used: BTreeSet<&Arc<str>> = escalations.iter().map(|escalation| &escalation.clock).collect();
        alert.clocks.retain(|key, _| used.contains(key));
        let (held, _) = self.held_by(now, rule, alert);
        let may_run = alert.is_up() && alert.acknowledged.is_none() && held.is_none();
        let mut next = None;
        for escalation in &escalations {
            let start = Clock { timer: Timer::start(now.time), reached: Duration::ZERO };
            let clock = alert.clocks.entry(escalation.clock.clone()).or_insert(start);
            clock.timer = match may_run && escalation.is_open {
                true => clock.timer.resume(now.time),
                false => clock.timer.pause(now.time),
            };
            if clock.timer.elapsed(now.time) < escalation.after {
                next = [next, clock.timer.deadline(escalation.after)].into_iter().flatten().min();
            }
        }
        if alert.acknowledged.is_none() {
            self.reach_steps(now, rule, alert, &escalations, effects);
        }
        next
    }

    /// Notes steps that are reached: an event, of which their channels should hear.
    fn reach_steps(
        &mut self,
        now: Now,
        rule: &Rule,
        alert: &mut Alert,
        escalations: &[Escalation],
        effects: &mut Effects,
    ) {
        let is_new = |alert: &Alert, escalation: &&Escalation| {
            let reached = alert.clocks.get(&escalation.clock).map(|clock| clock.reached);
            alert.is_reached(now.time, escalation) && reached.is_some_and(|reached| reached < escalation.after)
        };
        let reached: Vec<&Escalation> = escalations.iter().filter(|escalation| is_new(alert, escalation)).collect();
        let Some(level) = alert.firing.as_ref().map(|firing| firing.level).filter(|_| !reached.is_empty()) else {
            return;
        };
        effects.events.extend(self.event_of(now, rule, alert, EventKind::Unacknowledged, None));
        let channels: BTreeSet<&ChannelName> = reached.iter().flat_map(|escalation| &escalation.to).collect();
        let missed = FoldedEvent { event: EventKind::Unacknowledged, level, time: now.wall() };
        for channel in channels {
            self.books_of(channel).owe(1);
            alert.told.of(channel).miss(missed.clone());
        }
        for escalation in reached {
            if let Some(clock) = alert.clocks.get_mut(&escalation.clock) {
                clock.reached = clock.reached.max(escalation.after);
            }
        }
    }
}
