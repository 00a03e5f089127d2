//! How a channel is doing, readable while its worker works.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::channels::{Limit, Verdict};
use crate::model::Time;

/// How a channel is doing. Times are the wall clock's, and what is counted is counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Notifications that were neither delivered nor given up yet, those on their way among them. A summary is one.
    pub waiting: usize,
    /// Notifications on their way.
    pub in_flight: usize,
    /// Nothing can be tried now: what waits, waits for a time.
    pub resting: bool,
    /// Notifications that the receiver took by themselves.
    pub delivered: u64,
    /// Notifications that it took in a summary.
    pub absorbed: u64,
    /// Summaries that it took.
    pub summaries: u64,
    /// Notifications that were given up, those in a summary among them.
    pub dead: u64,
    /// Attempts by what they came to.
    pub attempts: Attempts,
    /// Failed attempts since the last success.
    pub consecutive_failures: u32,
    /// When the receiver last took one.
    pub last_success: Option<Time>,
    /// When an attempt last failed.
    pub last_failure: Option<Time>,
    /// Why the last failed attempt failed.
    pub last_error: Option<String>,
    /// When the oldest was decided that waits.
    pub oldest_waiting: Option<Time>,
    /// The receiver takes nothing before that.
    pub paused_until: Option<Time>,
    /// The limit lets nothing through before that.
    pub limited_until: Option<Time>,
    /// The limit in force.
    #[serde(skip)]
    pub limit: Option<Limit>,
    /// Attempts that may be on their way at once.
    pub concurrency: usize,
    /// Nobody works for it: there is no such channel, or its file was never good.
    pub nobody: bool,
}

/// Attempts by what they came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attempts {
    /// The receiver took it.
    pub ok: u64,
    /// Some recipients took it, and the others never will.
    pub partial: u64,
    /// It may go well later.
    pub retry: u64,
    /// It will never go well.
    pub permanent: u64,
}

impl Health {
    /// Counts an attempt that ended.
    pub(super) fn note(&mut self, verdict: &Verdict, time: Time) {
        match verdict {
            Verdict::Ok => {
                self.attempts.ok += 1;
                self.consecutive_failures = 0;
                self.last_success = Some(time);
            }
            Verdict::OkPartial { detail } => {
                self.attempts.partial += 1;
                self.consecutive_failures = 0;
                self.last_success = Some(time);
                self.last_failure = Some(time);
                self.last_error = Some(detail.clone());
            }
            Verdict::Retry { reason, .. } | Verdict::RetryRest { reason, .. } => {
                self.attempts.retry += 1;
                self.failed(reason, time);
            }
            Verdict::Permanent { reason } => {
                self.attempts.permanent += 1;
                self.failed(reason, time);
            }
        }
    }

    fn failed(&mut self, reason: &str, time: Time) {
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        self.last_failure = Some(time);
        self.last_error = Some(reason.to_string());
    }
}

/// The health that a worker writes and others read.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Health>);

impl Shared {
    pub(super) fn read(&self) -> Health {
        self.lock().clone()
    }

    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Health) -> T) -> T {
        change(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        // Plain figures: whoever panicked while holding the lock left none of them half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
