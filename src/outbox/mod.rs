//! Delivery: what to try next (pure), and one worker per channel that tries it.
//!
//! A slow channel holds back only itself: each has its own worker, queue and connections. The worker is a future that
//! the caller runs; it reports every attempt and every end.

mod decide;
mod health;
mod queue;
mod worker;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

pub use decide::{Next, Policy, next, seed};
pub use health::Health;
pub use worker::Worker;

use crate::channels::{Configured, Texts, Transport, Verdict};
use crate::engine::Outcome;
use crate::model::{ChannelName, Notification, NotificationId, Now, Time};

/// Notifications that may wait in front of one worker before it takes them up.
const INBOX: usize = 1024;

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

/// What a worker tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// An attempt was made.
    Attempt(AttemptRecord),
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
    /// When it began, by the wall clock.
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
    /// Which notification.
    pub notification: NotificationId,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it was given up; or which recipients were not reached.
    pub reason: Option<String>,
    /// When, by the wall clock.
    pub time: Time,
}

/// Why a notification was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such channel.
    #[error("there is no channel `{0}`")]
    Unknown(ChannelName),
    /// Too many wait for it: keep the notification and offer it again.
    #[error("too many notifications wait for the channel `{0}`")]
    Full(ChannelName),
}

/// A channel and the words of its messages, as its worker uses them.
#[derive(Debug)]
struct Setup {
    configured: Configured,
    texts: Texts,
}

struct Handle {
    inbox: mpsc::Sender<Arc<Notification>>,
    setup: watch::Sender<Arc<Setup>>,
    health: Arc<health::Shared>,
}

/// All channels that notifications can be sent to.
pub struct Outbox {
    context: Context,
    handles: BTreeMap<ChannelName, Handle>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.handles.keys()).finish()
    }
}

impl Outbox {
    /// An outbox without channels.
    pub fn new(context: Context) -> Outbox {
        Outbox { context, handles: BTreeMap::new() }
    }

    /// Makes these the channels there are. Gives the workers of new channels, to be run by the caller.
    ///
    /// The worker of a channel that remains uses the new configuration from its next attempt on, which is at once for
    /// what waits to be tried again. The worker of a channel that is gone finishes what is on its way and gives up the
    /// rest.
    pub fn apply(&mut self, channels: Vec<Configured>, texts: &Texts) -> Vec<Worker> {
        let mut before = std::mem::take(&mut self.handles);
        let mut workers = Vec::new();
        for configured in channels {
            let name = configured.name().clone();
            let setup = Arc::new(Setup { configured, texts: texts.clone() });
            let handle = match before.remove(&name).filter(|handle| !handle.inbox.is_closed()) {
                Some(handle) => {
                    handle.setup.send_replace(setup);
                    handle
                }
                None => {
                    let (handle, worker) = self.start(name.clone(), setup);
                    workers.push(worker);
                    handle
                }
            };
            self.handles.insert(name, handle);
        }
        workers
    }

    fn start(&self, name: ChannelName, setup: Arc<Setup>) -> (Handle, Worker) {
        let (inbox, received) = mpsc::channel(INBOX);
        let (setup, current) = watch::channel(setup);
        let health = Arc::new(health::Shared::default());
        let worker = Worker::new(name, self.context.clone(), received, current, health.clone());
        (Handle { inbox, setup, health }, worker)
    }

    /// Hands a notification to its channel's worker. Never waits.
    ///
    /// # Errors
    /// Where it was not taken.
    pub fn send(&self, notification: Arc<Notification>) -> Result<(), Refused> {
        let name = notification.channel.clone();
        let Some(handle) = self.handles.get(&name) else { return Err(Refused::Unknown(name)) };
        match handle.inbox.try_send(notification) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Refused::Full(name)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Refused::Unknown(name)),
        }
    }

    /// How each channel is doing.
    pub fn health(&self) -> BTreeMap<ChannelName, Health> {
        let health = |handle: &Handle| {
            let mut health = handle.health.read();
            health.waiting += handle.inbox.max_capacity() - handle.inbox.capacity();
            health
        };
        self.handles.iter().map(|(name, handle)| (name.clone(), health(handle))).collect()
    }
}
