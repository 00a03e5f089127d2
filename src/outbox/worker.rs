//! The worker of one channel: takes notifications, makes the attempts that its lane decides on, reports.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::handles::{Inbound, REMOVED, Setup, Wish};
use super::lane::{Begun, Dropped, Lane, Step, Terms};
use super::{AttemptRecord, Closed, Context, End, Report, health};
use crate::channels::{Attempt, Configured, Verdict};
use crate::engine::Outcome;
use crate::model::{ChannelName, Notification, Now, Time};

/// A panic of ours in an attempt is tried again, but not for a day.
const MOST_PANICS: u32 = 3;

/// The worker of one channel. It does nothing until [`Worker::run`] is polled.
pub struct Worker {
    channel: ChannelName,
    context: Context,
    inbox: mpsc::UnboundedReceiver<Inbound>,
    setups: watch::Receiver<Arc<Setup>>,
    setup: Arc<Setup>,
    health: Arc<health::Shared>,
    lane: Lane,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// Something that the worker waited for.
enum Done {
    Attempted(Attempted),
    /// The summary of that number is stored, or cannot be.
    Stored(u64),
}

/// An attempt that was made.
struct Attempted {
    number: u64,
    began: Now,
    ended: Now,
    verdict: Verdict,
    /// What it was made with.
    fingerprint: u64,
}

/// Why the worker wakes up.
enum Wake {
    Done(Done),
    Received(Inbound),
    Due,
    NewSetup,
    Removed,
    Stop,
}

impl Worker {
    /// `past` are the ends of attempts before the start that the channel's limit counts.
    pub(super) fn new(
        channel: ChannelName,
        context: Context,
        inbox: mpsc::UnboundedReceiver<Inbound>,
        setups: watch::Receiver<Arc<Setup>>,
        health: Arc<health::Shared>,
        past: Vec<Time>,
    ) -> Worker {
        let setup = setups.borrow().clone();
        let mut lane = Lane::new(channel.clone(), context.seed, context.policy, terms(&setup.configured));
        lane.refill(past);
        Worker { channel, context, inbox, setups, setup, health, lane, under_way: FuturesUnordered::new() }
    }

    /// The channel that it works for.
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// Works until `stop` is cancelled or the channel is removed. After the stop nothing new begins, and what is on
    /// its way may end within `grace`. Gives what was not delivered, in its order.
    pub async fn run(mut self, stop: CancellationToken, grace: Duration) -> Vec<Arc<Notification>> {
        loop {
            // All of it first: what came together is decided on together.
            while let Ok(inbound) = self.inbox.try_recv() {
                self.receive(inbound).await;
            }
            if self.setups.has_changed().unwrap_or(false) {
                self.take_setup();
            }
            let until = self.begin().await;
            self.note_figures(self.under_way.is_empty());
            match self.wake(&stop, until).await {
                Wake::Done(done) => self.settle(done).await,
                Wake::Received(inbound) => self.receive(inbound).await,
                Wake::Due => {}
                Wake::NewSetup => self.take_setup(),
                Wake::Removed => {
                    self.give_up().await;
                    return Vec::new();
                }
                Wake::Stop => break,
            }
        }
        // What is not settled by then is left: it may arrive twice, under the same id.
        drop(tokio::time::timeout(grace, self.finish_attempts()).await);
        self.inbox.close();
        while let Ok(inbound) = self.inbox.try_recv() {
            self.receive(inbound).await;
        }
        self.lane.waiting().map(|waiting| waiting.notification).collect()
    }

    async fn wake(&mut self, stop: &CancellationToken, until: Option<Time>) -> Wake {
        let now = self.context.clock.now();
        let sleep = async {
            match until {
                Some(at) => tokio::time::sleep(at.since(now.time)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Wake::Stop,
            Some(done) = self.under_way.next() => Wake::Done(done),
            changed = self.setups.changed() => if changed.is_ok() { Wake::NewSetup } else { Wake::Removed },
            received = self.inbox.recv() => received.map_or(Wake::Removed, Wake::Received),
            () = sleep => Wake::Due,
        }
    }

    async fn receive(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Push(notifications) => {
                notifications.into_iter().for_each(|notification| self.lane.push(notification));
            }
            Inbound::Restore(waiting) => self.lane.restore(*waiting),
            // Whoever asked may have gone away meanwhile.
            Inbound::Hurry(id, reply) => {
                reply.send(self.lane.hurry(&id)).ok();
            }
            Inbound::Drop(id, reply) => {
                let wish = match self.lane.drop(&id) {
                    Dropped::Now(closed) => {
                        let now = self.context.clock.now();
                        self.end(closed, now).await;
                        Wish::Done
                    }
                    Dropped::WhenEnded => Wish::WhenEnded,
                    Dropped::Unknown => Wish::Unknown,
                };
                reply.send(wish).ok();
            }
        }
    }

    fn take_setup(&mut self) {
        let setup = self.setups.borrow_and_update().clone();
        self.lane.set_terms(terms(&setup.configured));
        // Other channels' files lead here too, and must not hurry what waits at this one.
        if setup.configured.fingerprint() != self.setup.configured.fingerprint() {
            self.lane.start_anew();
        }
        self.setup = setup;
    }

    /// Begins all that may begin now. Gives until when nothing more may.
    async fn begin(&mut self) -> Option<Time> {
        let now = self.context.clock.now();
        loop {
            match self.lane.next(now) {
                Step::Attempt(begun) => self.attempt(begun, now),
                Step::Summarise { number, summary } => {
                    let (reply, stored) = oneshot::channel();
                    self.report(Report::Summary(summary, reply)).await;
                    // Stored or not: while the store cannot write, alerts are sent nevertheless.
                    self.under_way.push(stored.map(move |_| Done::Stored(number)).boxed());
                }
                Step::Until(at) => return Some(at),
                Step::Idle => return None,
            }
        }
    }

    fn attempt(&self, begun: Begun, began: Now) {
        let Begun { number, notification, attempt, settled } = begun;
        let attempt = Attempt { id: notification.id.clone(), number: attempt, time: began.wall(), reached: settled };
        let (setup, context) = (self.setup.clone(), self.context.clone());
        let made = async move {
            let attempting = AssertUnwindSafe(make(&setup, &context, &notification, &attempt)).catch_unwind();
            let verdict = attempting.await.unwrap_or_else(|_| Verdict::Retry {
                reason: "the attempt broke off by an error in larum itself".to_string(),
                after: None,
                at_most: Some(MOST_PANICS),
                holds_channel: false,
            });
            let fingerprint = setup.configured.fingerprint();
            Done::Attempted(Attempted { number, began, ended: context.clock.now(), verdict, fingerprint })
        };
        self.under_way.push(made.boxed());
    }

    async fn finish_attempts(&mut self) {
        while self.lane.in_flight() > 0
            && let Some(done) = self.under_way.next().await
        {
            self.settle(done).await;
        }
    }

    /// Takes what was waited for, does what follows, and tells it.
    async fn settle(&mut self, done: Done) {
        let Attempted { number, began, ended, verdict, fingerprint } = match done {
            Done::Attempted(attempted) => attempted,
            Done::Stored(number) => return self.lane.stored(number),
        };
        let same_recipients = fingerprint == self.setup.configured.fingerprint();
        let Some(followed) = self.lane.ended(number, &verdict, same_recipients, ended.time) else { return };
        self.health.update(|health| health.note(&verdict, ended.wall()));
        let record = AttemptRecord {
            channel: self.channel.clone(),
            notification: followed.notification,
            number: followed.attempt,
            time: ended.wall(),
            took: ended.time.since(began.time),
            verdict,
            next: followed.next,
        };
        self.report(Report::Attempt(record)).await;
        if let Some(closed) = followed.closed {
            self.end(closed, ended).await;
        }
    }

    async fn end(&mut self, closed: Closed, now: Now) {
        let n_decided = closed.n_decided();
        self.health.update(|health| match (&closed.outcome, closed.is_summary) {
            (Outcome::Delivered | Outcome::Absorbed, false) => health.delivered += 1,
            (Outcome::Delivered | Outcome::Absorbed, true) => {
                health.summaries += 1;
                health.absorbed += n_decided;
            }
            (Outcome::Dead { .. }, _) => health.dead += n_decided,
        });
        self.note_figures(false);
        self.report(Report::End(End { channel: self.channel.clone(), closed, time: now.wall() })).await;
    }

    /// The channel is gone: ends what is on its way, and gives up the rest.
    async fn give_up(&mut self) {
        while let Ok(inbound) = self.inbox.try_recv() {
            self.receive(inbound).await;
        }
        self.finish_attempts().await;
        let now = self.context.clock.now();
        for closed in self.lane.give_up_all(REMOVED) {
            self.end(closed, now).await;
        }
    }

    /// `resting`: nothing is under way, and nothing may begin now.
    fn note_figures(&self, resting: bool) {
        let now = self.context.clock.now();
        let (lane, configured) = (&self.lane, &self.setup.configured);
        let wall = |time: Option<Time>| time.map(|time| now.wall_of(time));
        self.health.update(|health| {
            health.waiting = lane.len();
            health.in_flight = lane.in_flight();
            // Whoever sends notes that afterwards, under the same lock: so nothing that was sent is missed.
            health.resting = resting && self.inbox.is_empty();
            health.oldest_waiting = lane.oldest();
            health.paused_until = wall(lane.held_until(now.time));
            health.limited_until = wall(lane.next_token(now.time));
            (health.limit, health.concurrency) = (configured.limit(), configured.concurrency());
        });
    }

    async fn report(&mut self, report: Report) {
        // Nobody listens any more only when the daemon ends.
        drop(self.context.reports.send(report).await);
    }
}

fn terms(configured: &Configured) -> Terms {
    Terms { limit: configured.limit(), concurrency: configured.concurrency() }
}

async fn make(setup: &Setup, context: &Context, notification: &Notification, attempt: &Attempt) -> Verdict {
    match setup.configured.render(notification, &setup.texts) {
        Ok(request) => setup.configured.attempt(&context.transport, &request, attempt).await,
        Err(error) => Verdict::permanent(error.to_string()),
    }
}
