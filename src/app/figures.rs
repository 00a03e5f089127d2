//! What the daemon counts of itself, for `/metrics`, `status` and the rules that watch it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
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

/// The bounds of durations of steps, in seconds.
const BOUNDS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// Counters since start, and a few levels.
#[derive(Debug, Default)]
pub struct Figures {
    /// Steps of the engine.
    pub steps: Counter,
    /// Microseconds that all steps took together.
    pub step_micros: Counter,
    /// Steps by how long they took: those that took longer than the bound before, and at most so long.
    steps_within: [Counter; BOUNDS.len()],
    /// Microseconds that the longest step took since this was last asked.
    longest_step_micros: AtomicU64,
    /// Snapshots that were taken.
    pub samples_taken: Counter,
    /// Snapshots that were equal to what was known.
    pub samples_duplicate: Counter,
    /// Snapshots that were refused.
    pub samples_refused: Counter,
    /// What happened to alerts, and how often.
    events: Mutex<BTreeMap<&'static str, u64>>,
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
        if let Some(place) = BOUNDS.iter().position(|bound| took.as_secs_f64() <= *bound) {
            self.steps_within[place].add(1);
        }
        if !effects.events.is_empty() {
            let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            for event in &effects.events {
                *events.entry(event.kind.as_str()).or_default() += 1;
            }
        }
        self.notifications.add(effects.notifications.len() as u64);
        self.suppressed.add(effects.suppressed.len() as u64);
    }

    /// What happened to alerts since the start, and how often.
    pub fn events(&self) -> BTreeMap<&'static str, u64> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many steps took at most so long, in seconds, and how long all of them took together.
    pub(super) fn step_durations(&self) -> (Vec<(f64, f64)>, f64) {
        // A step that ends meanwhile may be in one of these and not yet in the other.
        let (mut count, mut buckets) = (0, Vec::with_capacity(BOUNDS.len() + 1));
        for (bound, steps) in BOUNDS.iter().zip(&self.steps_within) {
            count += steps.get();
            buckets.push((*bound, count as f64));
        }
        buckets.push((f64::INFINITY, self.steps.get().max(count) as f64));
        (buckets, self.step_micros.get() as f64 / 1e6)
    }

    /// How long the longest step took since this was last asked.
    pub(super) fn take_longest_step(&self) -> Duration {
        Duration::from_micros(self.longest_step_micros.swap(0, Ordering::Relaxed))
    }
}
