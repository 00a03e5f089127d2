//! The worker of one channel: takes notifications, makes attempts, reports.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::decide::{Next, next, seed};
use super::queue::Queue;
use super::{AttemptRecord, Context, End, Report, Setup, health};
use crate::channels::{Attempt, Verdict};
use crate::engine::Outcome;
use crate::model::{ChannelName, Notification, Now};

/// Notifications that one worker holds; beyond it the inbox fills, and then the sender is told.
const MOST_WAITING: usize = 4096;
/// A panic of ours in an attempt is tried again, but not for a day.
const MOST_PANICS: u32 = 3;

/// The worker of one channel. It does nothing until [`Worker::run`] is polled.
pub struct Worker {
    channel: ChannelName,
    context: Context,
    inbox: mpsc::Receiver<Arc<Notification>>,
    setup: watch::Receiver<Arc<Setup>>,
    health: Arc<health::Shared>,
    queue: Queue,
    in_flight: FuturesUnordered<BoxFuture<'static, Attempted>>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// An attempt that was made.
struct Attempted {
    delivery: u64,
    began: Now,
    ended: Now,
    verdict: Verdict,
    /// By what it was made.
    setup: Arc<Setup>,
}

/// Why the worker wakes up.
enum Wake {
    Attempted(Attempted),
    Received(Arc<Notification>),
    Due,
    NewSetup,
    Removed,
    Stop,
}

impl Worker {
    pub(super) fn new(
        channel: ChannelName,
        context: Context,
        inbox: mpsc::Receiver<Arc<Notification>>,
        setup: watch::Receiver<Arc<Setup>>,
        health: Arc<health::Shared>,
    ) -> Worker {
        let in_flight = FuturesUnordered::new();
        Worker { channel, context, inbox, setup, health, queue: Queue::default(), in_flight }
    }

    /// The channel that it works for.
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// Works until `stop` is cancelled or the channel is removed. After the stop nothing new begins, and what is on
    /// its way may end within `grace`. Gives what was not delivered, in the order of arrival.
    pub async fn run(mut self, stop: CancellationToken, grace: Duration) -> Vec<Arc<Notification>> {
        loop {
            self.begin_attempts();
            self.note_waiting();
            match self.wake(&stop).await {
                Wake::Attempted(attempted) => self.settle(attempted).await,
                Wake::Received(notification) => self.queue.push(notification),
                Wake::Due => {}
                Wake::NewSetup => self.queue.start_anew(),
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
        while let Ok(notification) = self.inbox.try_recv() {
            self.queue.push(notification);
        }
        self.queue.into_notifications().collect()
    }

    async fn wake(&mut self, stop: &CancellationToken) -> Wake {
        let now = self.context.clock.now();
        let free = self.in_flight.len() < self.setup.borrow().configured.concurrency();
        let due = self.queue.next_due().filter(|_| free);
        let sleep = async {
            match due {
                Some(at) => tokio::time::sleep(at.since(now.time)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Wake::Stop,
            Some(attempted) = self.in_flight.next() => Wake::Attempted(attempted),
            changed = self.setup.changed() => if changed.is_ok() { Wake::NewSetup } else { Wake::Removed },
            received = self.inbox.recv(), if self.queue.len() < MOST_WAITING => {
                received.map_or(Wake::Removed, Wake::Received)
            }
            () = sleep => Wake::Due,
        }
    }

    fn begin_attempts(&mut self) {
        let now = self.context.clock.now();
        let setup = self.setup.borrow().clone();
        while self.in_flight.len() < setup.configured.concurrency() {
            let Some((delivery, waiting)) = self.queue.take(now.time) else { break };
            let attempt = Attempt {
                id: waiting.notification.id.clone(),
                number: waiting.attempts,
                time: now.wall(),
                reached: waiting.settled.clone(),
            };
            let notification = waiting.notification.clone();
            let (setup, context) = (setup.clone(), self.context.clone());
            let made = async move {
                let attempting = AssertUnwindSafe(make(&setup, &context, &notification, &attempt)).catch_unwind();
                let verdict = attempting.await.unwrap_or_else(|_| Verdict::Retry {
                    reason: "the attempt broke off by an error in larum itself".to_string(),
                    after: None,
                    at_most: Some(MOST_PANICS),
                });
                Attempted { delivery, began: now, ended: context.clock.now(), verdict, setup }
            };
            self.in_flight.push(made.boxed());
        }
    }

    async fn finish_attempts(&mut self) {
        while let Some(attempted) = self.in_flight.next().await {
            self.settle(attempted).await;
        }
    }

    /// Decides what follows an attempt, does it, and tells it.
    async fn settle(&mut self, attempted: Attempted) {
        let Attempted { delivery: number, began, ended, verdict, setup } = attempted;
        let same_recipients = Arc::ptr_eq(&setup, &*self.setup.borrow());
        let Some(delivery) = self.queue.get_mut(number) else { return };
        if let Verdict::RetryRest { settled, .. } = &verdict
            && same_recipients
        {
            delivery.settled.extend(settled);
            delivery.settled.sort_unstable();
            delivery.settled.dedup();
        }
        let id = delivery.notification.id.clone();
        let attempts = delivery.attempts;
        let first = delivery.first_attempt_at.unwrap_or(began.time);
        let jitter = seed(self.context.seed, &self.channel, &id);
        let next = next(attempts, &verdict, first, ended.time, &self.context.policy, jitter);
        let outcome = match &next {
            Next::RetryAt { at, .. } => {
                self.queue.retry(number, *at);
                None
            }
            Next::Done => Some((Outcome::Delivered, verdict.reason().map(str::to_string))),
            Next::Dead { reason } => Some((Outcome::Dead, Some(reason.clone()))),
        };
        self.note(&verdict, ended);
        let record = AttemptRecord {
            channel: self.channel.clone(),
            notification: id,
            number: attempts,
            time: began.wall(),
            took: ended.time.since(began.time),
            verdict,
            next,
        };
        self.report(Report::Attempt(record)).await;
        if let Some((outcome, reason)) = outcome {
            self.end(number, outcome, reason, ended).await;
        }
    }

    async fn end(&mut self, number: u64, outcome: Outcome, reason: Option<String>, now: Now) {
        let Some(delivery) = self.queue.finish(number) else { return };
        self.health.update(|health| match outcome {
            Outcome::Delivered => health.delivered += 1,
            Outcome::Dead => health.dead += 1,
        });
        self.note_waiting();
        let notification = delivery.notification.id.clone();
        let end = End { channel: self.channel.clone(), notification, outcome, reason, time: now.wall() };
        self.report(Report::End(end)).await;
    }

    /// The channel is gone: ends what is on its way, and gives up the rest.
    async fn give_up(&mut self) {
        while let Ok(notification) = self.inbox.try_recv() {
            self.queue.push(notification);
        }
        self.finish_attempts().await;
        let now = self.context.clock.now();
        for number in self.queue.idle() {
            self.end(number, Outcome::Dead, Some("the channel was removed".to_string()), now).await;
        }
    }

    fn note(&self, verdict: &Verdict, now: Now) {
        self.health.update(|health| match verdict {
            Verdict::Ok => {
                health.consecutive_failures = 0;
                health.last_success = Some(now.wall());
            }
            Verdict::OkPartial { detail } => {
                health.consecutive_failures = 0;
                health.last_success = Some(now.wall());
                health.last_failure = Some(now.wall());
                health.last_error = Some(detail.clone());
            }
            Verdict::Retry { reason, .. } | Verdict::RetryRest { reason, .. } | Verdict::Permanent { reason } => {
                health.consecutive_failures = health.consecutive_failures.saturating_add(1);
                health.last_failure = Some(now.wall());
                health.last_error = Some(reason.clone());
            }
        });
    }

    fn note_waiting(&self) {
        let (waiting, in_flight) = (self.queue.len(), self.in_flight.len());
        self.health.update(|health| {
            health.waiting = waiting;
            health.in_flight = in_flight;
        });
    }

    async fn report(&mut self, report: Report) {
        // Nobody listens any more only when the daemon ends.
        drop(self.context.reports.send(report).await);
    }
}

async fn make(setup: &Setup, context: &Context, notification: &Notification, attempt: &Attempt) -> Verdict {
    match setup.configured.render(notification, &setup.texts) {
        Ok(request) => setup.configured.attempt(&context.transport, &request, attempt).await,
        Err(error) => Verdict::permanent(error.to_string()),
    }
}
