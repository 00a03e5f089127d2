//! Between the engine and the outbox: notifications go in, attempts go to the store, ends go back to the engine.

mod log;
mod operate;
mod resume;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

pub(super) use operate::{GivenUp, OperatorError, Retried};

use super::clock::Clock;
use super::committer::Writer;
use super::engine_thread::Handle;
use super::tasks::{Group, Policy};
use crate::channels::{Configured, Texts};
use crate::engine::{DeadLetter, Effects, Engine, Input, Outcome};
use crate::model::{ChannelName, Notification, NotificationId};
use crate::outbox::{self, AttemptRecord, Closed, Context, End, Health, Next, Outbox, Report, Waiting, is_summary};
use crate::store::{self, Attempt, AttemptResult, Reader, Record};

/// Reports that are not yet noted.
const REPORTS: usize = 1024;
/// Reports that are noted together.
const TOGETHER: usize = 256;

impl outbox::Clock for Clock {
    fn now(&self) -> crate::model::Now {
        Clock::now(self)
    }
}

/// What waits for a channel, and how its deliveries go.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelFigures {
    /// The file that configures it.
    pub(super) file: Arc<str>,
    /// Its kind.
    pub(super) kind: &'static str,
    /// Notifications that wait, by themselves or in a summary.
    pub(super) waiting: u64,
    /// Notifications that were given up and wait again, or did so until they ended anew.
    pub(super) revived: u64,
    /// How its deliveries go.
    pub(super) health: Health,
}

impl ChannelFigures {
    /// Notifications that were given up and still are.
    pub(super) fn dead(&self) -> u64 {
        self.health.dead.saturating_sub(self.revived)
    }
}

/// The channels together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) waiting: u64,
    pub(super) dead: u64,
    /// Channels whose newest attempt failed.
    pub(super) failing: u64,
    /// How long the oldest has waited.
    pub(super) oldest_waiting: Option<Duration>,
}

/// All deliveries.
pub(super) struct Deliveries {
    state: Mutex<State>,
    engine: Handle<Engine>,
    writer: Writer,
    clock: Clock,
    reader: Arc<dyn Reader>,
    /// Something was delivered or given up.
    ended: Notify,
}

struct State {
    way: Way,
    figures: BTreeMap<ChannelName, ChannelFigures>,
    /// What came to no end yet, summaries and what they stand for among them. Only looked up.
    open: HashMap<NotificationId, ChannelName>,
}

impl State {
    /// Notes that a notification waits, and what ends with it. Gives how many of these the engine decided.
    fn open_all(&mut self, waiting: &Waiting) -> u64 {
        let channel = &waiting.notification.channel;
        let members = waiting.absorbed.iter().flat_map(|absorbed| &absorbed.notifications);
        let mut n_decided = 0;
        for id in [&waiting.notification.id].into_iter().chain(members) {
            self.open.insert(id.clone(), channel.clone());
            n_decided += u64::from(!is_summary(id));
        }
        self.figures.entry(channel.clone()).or_default().waiting += n_decided;
        n_decided
    }
}

/// Where notifications go.
enum Way {
    Outbox(Outbox),
    /// A dry run: they are printed as they would be sent.
    Printed {
        channels: Vec<Configured>,
        texts: Texts,
    },
}

impl Deliveries {
    /// Without channels yet. `context` makes the outbox's surroundings from where it reports to; `None` is a dry run.
    pub(super) fn new(
        engine: Handle<Engine>,
        writer: Writer,
        clock: Clock,
        reader: Arc<dyn Reader>,
        context: Option<impl FnOnce(mpsc::Sender<Report>) -> Context>,
    ) -> (Arc<Deliveries>, mpsc::Receiver<Report>) {
        let (reports, receiver) = mpsc::channel(REPORTS);
        let way = match context {
            Some(context) => Way::Outbox(Outbox::new(context(reports))),
            None => Way::Printed { channels: Vec::new(), texts: Texts::default() },
        };
        let state = State { way, figures: BTreeMap::new(), open: HashMap::new() };
        let deliveries = Deliveries { state: Mutex::new(state), engine, writer, clock, reader, ended: Notify::new() };
        (Arc::new(deliveries), receiver)
    }

    /// Goes on with what waits in the store. To be called once, before anything is sent; best before the first
    /// [`Deliveries::set_channels`], which then lets it go. A dry run leaves it alone.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub(super) fn resume(&self) -> Result<(), store::Error> {
        if matches!(self.state().way, Way::Printed { .. }) {
            return Ok(());
        }
        let now = self.clock.now();
        let mut all = Vec::new();
        for delivery in self.reader.waiting()? {
            all.push(resume::waiting(&*self.reader, delivery, now)?);
        }
        if !all.is_empty() {
            tracing::info!(notifications = all.len(), "going on with what waited before the start");
        }
        // A summary goes before all that came after what it stands for.
        all.sort_by_key(|waiting| waiting.absorbed.is_none());
        let mut state = self.state();
        for waiting in all {
            state.open_all(&waiting);
            if let Way::Outbox(outbox) = &mut state.way {
                outbox.restore(waiting);
            }
        }
        Ok(())
    }

    /// Makes these the channels there are, and starts the workers of new ones. `known` are the names of all channels
    /// that have a file, good or broken: what waits for another is given up.
    pub(super) fn set_channels(
        &self,
        channels: Vec<Configured>,
        known: BTreeSet<ChannelName>,
        texts: &Texts,
        group: &Group,
        grace: Duration,
    ) {
        let mut state = self.state();
        let exists = |name: &ChannelName| channels.iter().any(|channel| channel.name() == name);
        state.figures.retain(|name, figures| exists(name) || figures.waiting > 0);
        for channel in &channels {
            let figures = state.figures.entry(channel.name().clone()).or_default();
            (figures.kind, figures.file) = (channel.kind(), channel.file().clone());
        }
        match &mut state.way {
            Way::Printed { channels: known, texts: words } => (*known, *words) = (channels, texts.clone()),
            Way::Outbox(outbox) => {
                let now = self.clock.now();
                let past = |channel: &Configured| resume::past_attempts(&*self.reader, channel, now);
                let applied = outbox.apply(channels, known, texts, past);
                for end in applied.ends {
                    self.note_end(&mut state, &end);
                }
                for worker in applied.workers {
                    let name = format!("channel {}", worker.channel());
                    let mut worker = Some(worker);
                    // A worker guards each attempt by itself; where it fails nevertheless, its queue is lost with it.
                    group.start_once(name, Policy::StopDaemon, move |stop| {
                        let worker = worker.take();
                        async move {
                            if let Some(worker) = worker {
                                let left = worker.run(stop, grace).await;
                                if !left.is_empty() {
                                    tracing::warn!(notifications = left.len(), "not delivered before the stop");
                                }
                            }
                            Ok(())
                        }
                    });
                }
            }
        }
    }

    /// Takes what a step wants to be told, after its commit.
    pub(super) fn take(&self, effects: &Effects) {
        if effects.notifications.is_empty() {
            return;
        }
        let mut state = self.state();
        // What was decided together goes together, so that a limit sees all of it at once.
        let mut together: BTreeMap<ChannelName, Vec<Arc<Notification>>> = BTreeMap::new();
        for notification in &effects.notifications {
            let figures = state.figures.entry(notification.channel.clone()).or_default();
            figures.waiting += 1;
            state.open.insert(notification.id.clone(), notification.channel.clone());
            together.entry(notification.channel.clone()).or_default().push(Arc::new(notification.clone()));
        }
        for (channel, notifications) in together {
            self.send(&mut state, &channel, notifications);
        }
    }

    fn send(&self, state: &mut State, channel: &ChannelName, notifications: Vec<Arc<Notification>>) {
        match &mut state.way {
            Way::Printed { channels, texts } => {
                for notification in &notifications {
                    print(channels, texts, notification);
                }
                for notification in notifications {
                    self.close(state, &notification.id, Outcome::Delivered);
                }
            }
            Way::Outbox(outbox) => {
                let Err(refused) = outbox.send(channel, notifications) else { return };
                // Its file was removed between the decision and now.
                let reason = refused.to_string();
                for notification in refused.notifications {
                    let letter = DeadLetter { notification: notification.clone(), reason: reason.clone() };
                    let closed = Closed {
                        notification: notification.id.clone(),
                        is_summary: false,
                        absorbed: Vec::new(),
                        outcome: Outcome::Dead { letter: Some(Arc::new(letter)) },
                        reason: Some(reason.clone()),
                        unattempted: true,
                    };
                    let end = End { channel: channel.clone(), closed, time: self.clock.now().wall() };
                    self.note_end(state, &end);
                }
            }
        }
    }

    /// Notes an end, and tells the engine.
    fn note_end(&self, state: &mut State, end: &End) {
        let Closed { notification, outcome, reason, unattempted, .. } = &end.closed;
        if let (true, Outcome::Dead { .. }) = (unattempted, outcome) {
            log::unattempted(end);
            self.writer.note(Record::Dropped {
                notification: notification.clone(),
                time: end.time,
                reason: reason.clone().unwrap_or_default(),
            });
        }
        for (id, outcome) in end.closed.each() {
            self.close(state, id, outcome);
        }
    }

    /// A notification came to its end: tells the engine.
    fn close(&self, state: &mut State, id: &NotificationId, outcome: Outcome) {
        if let Some(channel) = state.open.remove(id)
            && let Some(figures) = state.figures.get_mut(&channel)
            && !is_summary(id)
        {
            figures.waiting = figures.waiting.saturating_sub(1);
        }
        // While the daemon stops nobody waits for it any more.
        self.engine.tell(Input::Delivered { notification: id.clone(), outcome }).ok();
    }

    /// Notes what workers report, until there is none left.
    pub(super) async fn note_reports(self: Arc<Self>, mut reports: mpsc::Receiver<Report>) {
        let mut log = log::Log::default();
        let mut together = Vec::new();
        let mut storing: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
        loop {
            tokio::select! {
                n_reports = reports.recv_many(&mut together, TOGETHER) => if n_reports == 0 { return },
                Some(()) = storing.next() => continue,
            }
            for report in together.drain(..) {
                match report {
                    Report::Attempt(attempt) => {
                        log.attempt(&attempt);
                        self.writer.note(Record::Attempt(self.stored(attempt)));
                    }
                    Report::Summary(summary, reply) => {
                        self.state().open.insert(summary.id.clone(), summary.channel.clone());
                        let writer = self.writer.clone();
                        storing.push(Box::pin(async move {
                            // A worker that has ended meanwhile does not ask any more.
                            reply.send(writer.store(Record::Summary(summary)).await).ok();
                        }));
                    }
                    Report::End(end) => self.note_end(&mut self.state(), &end),
                }
            }
            self.ended.notify_waiters();
        }
    }

    /// Lets [`Deliveries::note_reports`] end once all workers have: nothing is sent any more.
    pub(super) fn close_reports(&self) {
        if let Way::Outbox(outbox) = &mut self.state().way {
            outbox.close_reports();
        }
    }

    fn stored(&self, attempt: AttemptRecord) -> Attempt {
        let result = match attempt.next {
            Next::Done => AttemptResult::Delivered { partly: attempt.verdict.reason().map(str::to_string) },
            Next::RetryAt { at, reason } => AttemptResult::Failed { error: reason, next: self.clock.now().wall_of(at) },
            Next::Dead { reason } => AttemptResult::Dead { error: reason },
        };
        Attempt {
            notification: attempt.notification,
            number: attempt.number,
            time: attempt.time,
            took: attempt.took,
            result,
        }
    }

    /// Waits until nothing waits but for a time at which it may be tried, until the deadline.
    pub(super) async fn drained(&self, deadline: Instant) {
        loop {
            let ended = self.ended.notified();
            let busy = self.figures().values().any(|figures| !figures.health.resting && figures.health.waiting > 0);
            if !busy || tokio::time::timeout_at(deadline, ended).await.is_err() {
                return;
            }
        }
    }

    /// The figures of each channel.
    pub(super) fn figures(&self) -> BTreeMap<ChannelName, ChannelFigures> {
        let state = self.state();
        let mut figures = state.figures.clone();
        if let Way::Outbox(outbox) = &state.way {
            for (name, health) in outbox.health() {
                figures.entry(name).or_default().health = health;
            }
        }
        figures
    }

    /// The channels together.
    pub(super) fn totals(&self) -> Totals {
        let figures = self.figures();
        let oldest = figures.values().filter_map(|figures| figures.health.oldest_waiting).min();
        Totals {
            waiting: figures.values().map(|figures| figures.waiting).sum(),
            // Those of before the start too. Where the store cannot be read, that is told elsewhere.
            dead: self.reader.dead_letters().unwrap_or_else(|_| figures.values().map(ChannelFigures::dead).sum()),
            failing: figures.values().filter(|figures| figures.health.consecutive_failures > 0).count() as u64,
            oldest_waiting: oldest.map(|since| self.clock.now().wall().since(since)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints a notification as it would be sent.
fn print(channels: &[Configured], texts: &Texts, notification: &Notification) {
    let Some(channel) = channels.iter().find(|channel| *channel.name() == notification.channel) else { return };
    let text = match channel.render(notification, texts) {
        Ok(request) => request.to_string(),
        Err(error) => format!("it cannot be told: {error}"),
    };
    let lines: String = text.lines().map(|line| format!("  {line}\n")).collect();
    let header = format!("would tell {} ({}):\n{lines}", channel.name(), channel.kind());
    // Where nobody reads it, nobody misses it.
    std::io::stdout().lock().write_all(header.as_bytes()).ok();
}
