//! Silences: whom nobody is told of for a time.

use std::time::Duration;

use crate::model::{Now, Time};
use crate::routing::{Covered, Silence, Silences};
use crate::rules::Rule;

use super::{Alert, Effects, Engine};

/// So many silences that ended are remembered at most: the newest.
const MOST_PAST: usize = 10_000;

impl Engine {
    /// All silences, those that ended too.
    pub fn silences(&self) -> &Silences {
        &self.silences
    }

    /// Which silences cover an alert that fires.
    pub fn silenced(&self, now: Now, rule: &Rule, alert: &Alert) -> Covered {
        let Some(firing) = alert.firing.as_ref().filter(|_| !self.silences.is_quiet()) else {
            return Covered::default();
        };
        self.with_facts(rule, alert, firing.level, |facts| self.silences.covering(facts, now.wall()))
    }

    /// Whether a silence would cover an alert that fires, once it is active.
    pub fn would_silence(&self, silence: &Silence, rule: &Rule, alert: &Alert) -> bool {
        let Some(firing) = &alert.firing else { return false };
        self.with_facts(rule, alert, firing.level, |facts| silence.matches(facts))
    }

    /// A silence is new, or no longer what it was: the alerts that it covered or covers are told what they should be.
    pub(super) fn put_silence(&mut self, now: Now, silence: Silence, effects: &mut Effects) {
        let before = self.silences.get(&silence.id).cloned();
        let matches = |engine: &Engine, rule: &Rule, alert: &Alert| {
            let would = |silence: &Silence| engine.would_silence(silence, rule, alert);
            would(&silence) || before.as_ref().is_some_and(would)
        };
        let covered = self.alerts_that(matches);
        self.touch_silence(&silence.id);
        self.silences.put(silence, now.wall());
        self.tell_these(now, covered, effects);
    }

    /// Forgets silences that ended long ago.
    pub(super) fn sweep_silences(&mut self, now: Now) {
        let wall = now.wall();
        let horizon = Time::from_micros(wall.as_micros() - micros(self.settings.retention));
        for id in self.silences.sweep(wall, horizon, MOST_PAST) {
            self.touch_silence(&id);
        }
    }
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}
