//! Delivery: what to try next (pure), and one worker per channel that tries it.
//!
//! A slow channel holds back only itself: each has its own worker, queue and connections. The worker is a future that
//! the caller runs; it reports every attempt, every summary and every end. [`Lane`] decides for it.
//!
//! Queues here have no bound of their own: the engine has at most one notification of each alert and channel on its way,
//! so alerts times channels is the bound.

mod decide;
mod handles;
mod health;
mod lane;
mod queue;
mod report;
mod summary;
mod window;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::mpsc;

pub use decide::{Next, Policy, hold, next, seed};
pub use handles::{Applied, Outbox, Refused, Wish};
pub use health::{Attempts, Health};
pub use lane::{Begun, DROPPED, Dropped, Ended, Hurried, Lane, Step, Terms};
pub use queue::Absorbed;
pub use report::{AttemptRecord, Closed, End, Report};
pub use summary::{is_summary, summarise};
pub use worker::Worker;

use crate::channels::Transport;
use crate::model::{Notification, Now, Time};

/// Where the outbox gets the time from: engine time for waiting, the wall clock for what receivers see.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Now;
}

/// What all workers share.
#[derive(Clone)]
pub struct Context {
    /// What attempts are made with.
    pub transport: Transport,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long and how often to try.
    pub policy: Policy,
    /// The seed of this installation: jitter is a hash of it.
    pub seed: u64,
    /// Where attempts and ends are reported.
    pub reports: mpsc::Sender<Report>,
}

/// A notification that waits, with what is known of its attempts. Times are engine time.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// What is told.
    pub notification: Arc<Notification>,
    /// How many attempts there were.
    pub attempts: u32,
    /// When the first of them ended.
    pub first_attempt: Option<Time>,
    /// When it may be tried again; `None` is at once.
    pub next: Option<Time>,
    /// Recipients that have it already, by their places in the request's list.
    pub settled: Vec<usize>,
    /// Of a summary: what it took in.
    pub absorbed: Option<Box<Absorbed>>,
}

impl Waiting {
    /// A notification that is new.
    pub fn of(notification: Arc<Notification>) -> Waiting {
        let (attempts, first_attempt, next, settled, absorbed) = (0, None, None, Vec::new(), None);
        Waiting { notification, attempts, first_attempt, next, settled, absorbed }
    }
}
