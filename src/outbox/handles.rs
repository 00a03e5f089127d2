//! All channels that notifications can be sent to: the way to their workers, and what waits where there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::health::{self, Health};
use super::lane::{Dropped, Hurried, Lane, Terms};
use super::worker::Worker;
use super::{Context, End, Waiting};
use crate::channels::{Configured, Texts};
use crate::model::{ChannelName, Notification, NotificationId, Time};

/// Why notifications of a channel that is no more are given up.
pub(super) const REMOVED: &str = "the channel was removed";

/// A channel and the words of its messages, as its worker uses them.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) configured: Configured,
    pub(super) texts: Texts,
}

/// There is no such channel.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("there is no channel `{channel}`")]
pub struct Refused {
    /// Its name.
    pub channel: ChannelName,
    /// What was not taken.
    pub notifications: Vec<Arc<Notification>>,
}

/// What a worker is told.
pub(super) enum Inbound {
    Push(Vec<Arc<Notification>>),
    Restore(Box<Waiting>),
    Hurry(NotificationId, oneshot::Sender<Hurried>),
    Drop(NotificationId, oneshot::Sender<Wish>),
}

/// What became of the wish to give a notification up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It is given up.
    Done,
    /// It is given up when the attempt that is being made fails.
    WhenEnded,
    /// It does not wait here.
    Unknown,
}

struct Handle {
    inbox: mpsc::UnboundedSender<Inbound>,
    setup: watch::Sender<Arc<Setup>>,
    health: Arc<health::Shared>,
}

impl Handle {
    /// Tells the worker. Gives it back where the worker has ended.
    fn send(&self, inbound: Inbound) -> Result<(), Inbound> {
        let n_notifications = match &inbound {
            Inbound::Push(notifications) => notifications.len(),
            Inbound::Restore(_) => 1,
            Inbound::Hurry(..) | Inbound::Drop(..) => 0,
        };
        // Under one lock: a worker that is quick would have noted already that nothing waits, and what is added after
        // that would stand there until the next notification.
        self.health.update(|health| {
            self.inbox.send(inbound).map_err(|unsent| unsent.0)?;
            health.waiting += n_notifications;
            health.resting = false;
            Ok(())
        })
    }
}

/// What [`Outbox::apply`] leads to.
#[derive(Debug, Default)]
pub struct Applied {
    /// The workers of new channels, to be run by the caller.
    pub workers: Vec<Worker>,
    /// The ends of what waited for a channel that nobody worked for, and that is removed.
    pub ends: Vec<End>,
}

/// All channels that notifications can be sent to.
pub struct Outbox {
    context: Context,
    handles: BTreeMap<ChannelName, Handle>,
    /// The channels that have a file, good or broken; `None` while that is not known.
    known: Option<BTreeSet<ChannelName>>,
    /// What waits for a channel that nobody works for.
    orphans: BTreeMap<ChannelName, Lane>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.handles.keys()).finish()
    }
}

impl Outbox {
    /// An outbox without channels: what is sent waits until it is known which there are.
    pub fn new(context: Context) -> Outbox {
        Outbox { context, handles: BTreeMap::new(), known: None, orphans: BTreeMap::new() }
    }

    /// Makes these the channels there are. `known` are the names of all channels that have a file, so also of those
    /// whose file is broken; `past` gives when attempts at a channel ended that count for its limit.
    ///
    /// The worker of a channel that remains uses the new configuration from its next attempt on, which is at once for
    /// what waits to be tried again. A channel whose file is broken and was good before goes on as it was; for one whose
    /// file never was, everything waits. The worker of a channel that has no file any more finishes what is on its way
    /// and gives up the rest.
    pub fn apply(
        &mut self,
        channels: Vec<Configured>,
        known: BTreeSet<ChannelName>,
        texts: &Texts,
        past: impl Fn(&Configured) -> Vec<Time>,
    ) -> Applied {
        let mut applied = Applied::default();
        let mut before = std::mem::take(&mut self.handles);
        for configured in channels {
            let name = configured.name().clone();
            let handle = match before.remove(&name).filter(|handle| !handle.inbox.is_closed()) {
                Some(handle) => {
                    handle.setup.send_replace(Arc::new(Setup { configured, texts: texts.clone() }));
                    handle
                }
                None => {
                    let past = past(&configured);
                    let setup = Arc::new(Setup { configured, texts: texts.clone() });
                    let (handle, worker) = self.start(name.clone(), setup, past);
                    applied.workers.push(worker);
                    handle
                }
            };
            self.handles.insert(name, handle);
        }
        self.handles.extend(before.into_iter().filter(|(name, _)| known.contains(name)));
        for (channel, mut orphans) in std::mem::take(&mut self.orphans) {
            if self.handles.contains_key(&channel) || known.contains(&channel) {
                orphans.waiting().for_each(|waiting| self.restore(waiting));
            } else {
                let (time, closed) = (self.wall(), orphans.give_up_all(REMOVED).into_iter());
                applied.ends.extend(closed.map(|closed| End { channel: channel.clone(), closed, time }));
            }
        }
        self.known = Some(known);
        applied
    }

    fn start(&self, name: ChannelName, setup: Arc<Setup>, past: Vec<Time>) -> (Handle, Worker) {
        let (inbox, received) = mpsc::unbounded_channel();
        let (setup, current) = watch::channel(setup);
        let health = Arc::new(health::Shared::default());
        let worker = Worker::new(name, self.context.clone(), received, current, health.clone(), past);
        (Handle { inbox, setup, health }, worker)
    }

    /// Reports no more of itself: once the workers have ended, nobody does.
    pub fn close_reports(&mut self) {
        self.context.reports = mpsc::channel(1).0;
    }

    /// What waits for a channel that nobody works for.
    fn orphans_of(&mut self, channel: &ChannelName) -> &mut Lane {
        let Context { seed, policy, .. } = self.context;
        let terms = Terms { limit: None, concurrency: 1 };
        self.orphans.entry(channel.clone()).or_insert_with(|| Lane::new(channel.clone(), seed, policy, terms))
    }

    /// Hands notifications of one channel to its worker, together: it decides when it has all of them. Never waits.
    ///
    /// # Errors
    /// Gives them back where there is no such channel.
    pub fn send(&mut self, channel: &ChannelName, notifications: Vec<Arc<Notification>>) -> Result<(), Refused> {
        let Some(handle) = self.handles.get(channel) else { return self.keep(channel, notifications) };
        match handle.send(Inbound::Push(notifications)) {
            Err(Inbound::Push(unsent)) => self.keep(channel, unsent),
            _ => Ok(()),
        }
    }

    /// Keeps what nobody takes now, where the channel is or may be one.
    fn keep(&mut self, channel: &ChannelName, unsent: Vec<Arc<Notification>>) -> Result<(), Refused> {
        if self.handles.contains_key(channel) || self.known.as_ref().is_none_or(|known| known.contains(channel)) {
            let orphans = self.orphans_of(channel);
            unsent.into_iter().for_each(|notification| orphans.push(notification));
            return Ok(());
        }
        Err(Refused { channel: channel.clone(), notifications: unsent })
    }

    /// Takes a notification that waited before a restart, or was revived. It waits where nobody works for its channel.
    pub fn restore(&mut self, waiting: Waiting) {
        let channel = waiting.notification.channel.clone();
        let Some(handle) = self.handles.get(&channel) else {
            return self.orphans_of(&channel).restore(waiting);
        };
        if let Err(Inbound::Restore(unsent)) = handle.send(Inbound::Restore(Box::new(waiting))) {
            self.orphans_of(&channel).restore(*unsent);
        }
    }

    /// Whether somebody works for a channel.
    pub fn has(&self, channel: &ChannelName) -> bool {
        self.handles.get(channel).is_some_and(|handle| !handle.inbox.is_closed())
    }

    /// Lets a notification that waits be tried now. The answer comes from the channel's worker; an error is as
    /// [`Hurried::Unknown`].
    pub fn hurry(&self, channel: &ChannelName, id: NotificationId) -> oneshot::Receiver<Hurried> {
        let (reply, answer) = oneshot::channel();
        if let Some(handle) = self.handles.get(channel) {
            // A worker that is gone drops the reply.
            handle.send(Inbound::Hurry(id, reply)).ok();
        }
        answer
    }

    /// Lets a notification that waits be given up. The answer comes from the channel's worker; an error is as
    /// [`Wish::Unknown`].
    pub fn drop(&self, channel: &ChannelName, id: NotificationId) -> oneshot::Receiver<Wish> {
        let (reply, answer) = oneshot::channel();
        if let Some(handle) = self.handles.get(channel) {
            handle.send(Inbound::Drop(id, reply)).ok();
        }
        answer
    }

    /// Gives up a notification that waits for a channel that nobody works for.
    pub fn drop_orphan(&mut self, channel: &ChannelName, id: &NotificationId) -> Option<End> {
        match self.orphans.get_mut(channel)?.drop(id) {
            Dropped::Now(closed) => Some(End { channel: channel.clone(), closed, time: self.wall() }),
            Dropped::WhenEnded | Dropped::Unknown => None,
        }
    }

    fn wall(&self) -> Time {
        self.context.clock.now().wall()
    }

    /// How each channel is doing; of one that nobody works for, what waits.
    pub fn health(&self) -> BTreeMap<ChannelName, Health> {
        let mut all: BTreeMap<ChannelName, Health> =
            self.handles.iter().map(|(name, handle)| (name.clone(), handle.health.read())).collect();
        for (name, orphans) in self.orphans.iter().filter(|(_, orphans)| !orphans.is_empty()) {
            let health = all.entry(name.clone()).or_default();
            health.waiting += orphans.len();
            health.oldest_waiting = orphans.oldest();
            (health.nobody, health.resting) = (true, true);
        }
        all
    }
}
