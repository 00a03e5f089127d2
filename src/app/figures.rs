//! What the daemon counts of itself, for `/metrics`, `status` and the rules that watch it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::Effects;

/// A number that many threads add to.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// Sets it, where it is a level and not a count.
    pub fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    /// What it is.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters since start, and a few levels.
#[derive(Debug, Default)]
pub struct Figures {
    /// Steps of the engine.
    pub steps: Counter,
    /// Microseconds that all steps took together.
    pub step_micros: Counter,
    /// Microseconds that the longest step took since this was last asked.
    longest_step_micros: AtomicU64,
    /// Snapshots that were taken.
    pub samples_taken: Counter,
    /// Snapshots that were equal to what was known.
    pub samples_duplicate: Counter,
    /// Snapshots that were refused.
    pub samples_refused: Counter,
    /// Events of alerts.
    pub events: Counter,
    /// Notifications that were decided.
    pub notifications: Counter,
    /// Notifications that were held back for good.
    pub suppressed: Counter,
    /// Transactions of the store.
    pub commits: Counter,
    /// Transactions that the store refused.
    pub commit_failures: Counter,
    /// Records that were decided and are not stored yet: the store refuses to write.
    pub unsaved: Counter,
    /// Records that will never be stored, because too many were unsaved.
    pub lost_records: Counter,
    /// Reloads that were looked at.
    pub reloads: Counter,
}

impl Figures {
    /// Counts one step and what it did.
    pub(super) fn count_step(&self, effects: &Effects, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.steps.add(1);
        self.step_micros.add(micros);
        self.longest_step_micros.fetch_max(micros, Ordering::Relaxed);
        self.samples_taken.add(effects.report.taken as u64);
        self.samples_duplicate.add(effects.report.duplicates as u64);
        self.samples_refused.add(effects.report.refused.len() as u64);
        self.events.add(effects.events.len() as u64);
        self.notifications.add(effects.notifications.len() as u64);
        self.suppressed.add(effects.suppressed.len() as u64);
    }

    /// How long the longest step took since this was last asked.
    pub(super) fn take_longest_step(&self) -> Duration {
        Duration::from_micros(self.longest_step_micros.swap(0, Ordering::Relaxed))
    }
}
