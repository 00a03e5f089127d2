//! How a channel is doing, readable while its worker works.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::model::Time;

/// How a channel is doing. Times are the wall clock's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Notifications that were neither delivered nor given up yet, those on their way among them.
    pub waiting: usize,
    /// Notifications on their way.
    pub in_flight: usize,
    /// Notifications that the receiver took, since the start.
    pub delivered: u64,
    /// Notifications that were given up, since the start.
    pub dead: u64,
    /// Failed attempts since the last success.
    pub consecutive_failures: u32,
    /// When the receiver last took one.
    pub last_success: Option<Time>,
    /// When an attempt last failed.
    pub last_failure: Option<Time>,
    /// Why the last failed attempt failed.
    pub last_error: Option<String>,
}

/// The health that a worker writes and others read.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Health>);

impl Shared {
    pub(super) fn read(&self) -> Health {
        self.lock().clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Health)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        // Plain figures: whoever panicked while holding the lock left none of them half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
