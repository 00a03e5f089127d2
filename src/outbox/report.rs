//! What a worker tells of its channel.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::decide::Next;
use super::summary::is_summary;
use crate::channels::Verdict;
use crate::engine::Outcome;
use crate::model::{ChannelName, Notification, NotificationId, Time};

/// What a worker tells.
#[derive(Debug)]
pub enum Report {
    /// An attempt was made.
    Attempt(AttemptRecord),
    /// A summary stands for some that waited. It is sent when this is answered: whether it is stored.
    Summary(Arc<Notification>, oneshot::Sender<bool>),
    /// A notification came to its end.
    End(End),
}

/// One attempt that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    /// At which channel.
    pub channel: ChannelName,
    /// Of which notification.
    pub notification: NotificationId,
    /// Which attempt it was, from 1.
    pub number: u32,
    /// When it ended, by the wall clock.
    pub time: Time,
    /// How long it took.
    pub took: Duration,
    /// What it came to.
    pub verdict: Verdict,
    /// What follows; times are engine time.
    pub next: Next,
}

/// The end of a notification at its channel.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// At which channel.
    pub channel: ChannelName,
    /// What ended, and how.
    pub closed: Closed,
    /// When, by the wall clock.
    pub time: Time,
}

/// What ended, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// Which notification.
    pub notification: NotificationId,
    /// Whether it is a summary, which the engine did not decide.
    pub is_summary: bool,
    /// What ends with it: all that it stands for, itself or by another summary.
    pub absorbed: Vec<NotificationId>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it was given up; or which recipients were not reached.
    pub reason: Option<String>,
    /// It was given up while no attempt was made: no attempt says so.
    pub unattempted: bool,
}

impl Closed {
    /// Each notification that ended, itself first, with its outcome. What a summary stood for is absorbed where that
    /// arrived. The letter of a summary that was given up tells of all of them.
    pub fn each(&self) -> impl Iterator<Item = (&NotificationId, Outcome)> {
        let absorbed = if self.outcome.has_arrived() { Outcome::Absorbed } else { Outcome::dead() };
        let with_it = self.absorbed.iter().map(move |id| (id, absorbed.clone()));
        std::iter::once((&self.notification, self.outcome.clone())).chain(with_it)
    }

    /// How many notifications ended that the engine decided.
    pub fn n_decided(&self) -> u64 {
        self.each().filter(|(id, _)| !is_summary(id)).count() as u64
    }
}
