//! Between the engine and the outbox: notifications go in, attempts go to the store, ends go back to the engine.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::clock::Clock;
use super::committer::Writer;
use super::engine_thread::Handle;
use super::tasks::{Group, Policy};
use crate::channels::{Configured, Texts, Verdict};
use crate::engine::{Effects, Engine, Input, Outcome};
use crate::model::{ChannelName, Notification, NotificationId, Time};
use crate::outbox::{self, AttemptRecord, Context, End, Health, Next, Outbox, Refused, Report};
use crate::store::{Attempt, AttemptResult, Record};

/// Attempts that are reported and not yet noted.
const REPORTS: usize = 1024;

impl outbox::Clock for Clock {
    fn now(&self) -> crate::model::Now {
        Clock::now(self)
    }
}

/// What a channel is owed, and what became of it.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelFigures {
    /// The file that configures it.
    pub(super) file: Arc<str>,
    /// Its kind.
    pub(super) kind: &'static str,
    /// Notifications that were decided for it, sent or not.
    pub(super) owed: u64,
    /// Of these, those that it will not be told.
    pub(super) suppressed: u64,
    /// Of these, those that wait.
    pub(super) waiting: u64,
    /// How its deliveries go.
    pub(super) health: Health,
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
    /// Something was delivered or given up.
    ended: Notify,
}

struct State {
    way: Way,
    /// What the outbox had no room for, in order.
    overflow: BTreeMap<ChannelName, VecDeque<Arc<Notification>>>,
    figures: BTreeMap<ChannelName, ChannelFigures>,
    /// What is on its way, and since when, by the wall clock.
    open: BTreeMap<NotificationId, (ChannelName, Time)>,
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
        context: Option<impl FnOnce(mpsc::Sender<Report>) -> Context>,
    ) -> (Arc<Deliveries>, mpsc::Receiver<Report>) {
        let (reports, receiver) = mpsc::channel(REPORTS);
        let way = match context {
            Some(context) => Way::Outbox(Outbox::new(context(reports))),
            None => Way::Printed { channels: Vec::new(), texts: Texts::default() },
        };
        let state = State { way, overflow: BTreeMap::new(), figures: BTreeMap::new(), open: BTreeMap::new() };
        let deliveries = Deliveries { state: Mutex::new(state), engine, writer, clock, ended: Notify::new() };
        (Arc::new(deliveries), receiver)
    }

    /// Makes these the channels there are, and starts the workers of new ones.
    pub(super) fn set_channels(&self, channels: Vec<Configured>, texts: &Texts, group: &Group, grace: Duration) {
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
                for worker in outbox.apply(channels, texts) {
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
        if effects.notifications.is_empty() && effects.suppressed.is_empty() {
            return;
        }
        let mut state = self.state();
        for suppressed in &effects.suppressed {
            let figures = state.figures.entry(suppressed.channel.clone()).or_default();
            figures.owed += 1;
            figures.suppressed += 1;
        }
        for notification in &effects.notifications {
            let figures = state.figures.entry(notification.channel.clone()).or_default();
            figures.owed += 1;
            figures.waiting += 1;
            state.open.insert(notification.id.clone(), (notification.channel.clone(), notification.time));
            self.send(&mut state, Arc::new(notification.clone()));
        }
    }

    fn send(&self, state: &mut State, notification: Arc<Notification>) {
        if let Some(waiting) = state.overflow.get_mut(&notification.channel) {
            return waiting.push_back(notification);
        }
        match &state.way {
            Way::Printed { channels, texts } => {
                print(channels, texts, &notification);
                let id = notification.id.clone();
                self.close(state, &id, Outcome::Delivered);
            }
            Way::Outbox(outbox) => match outbox.send(notification.clone()) {
                Ok(()) => {}
                Err(Refused::Full(channel)) => {
                    state.overflow.entry(channel).or_default().push_back(notification);
                }
                Err(error @ Refused::Unknown(_)) => {
                    // Its file was removed between the decision and now.
                    let attempt = Attempt {
                        notification: notification.id.clone(),
                        number: 1,
                        time: self.clock.now().wall(),
                        took: Duration::ZERO,
                        result: AttemptResult::Dead { error: error.to_string() },
                    };
                    self.writer.note(Record::Attempt(attempt));
                    self.close(state, &notification.id, Outcome::Dead);
                }
            },
        }
    }

    /// Notes the end of a notification, and tells the engine.
    fn close(&self, state: &mut State, id: &NotificationId, outcome: Outcome) {
        if let Some((channel, _)) = state.open.remove(id)
            && let Some(figures) = state.figures.get_mut(&channel)
        {
            figures.waiting = figures.waiting.saturating_sub(1);
        }
        // While the daemon stops nobody waits for it any more.
        self.engine.tell(Input::Delivered { notification: id.clone(), outcome }).ok();
        self.ended.notify_waiters();
    }

    /// Notes what workers report, until there is none left.
    pub(super) async fn note_reports(self: Arc<Self>, mut reports: mpsc::Receiver<Report>) {
        let mut failing: BTreeMap<ChannelName, String> = BTreeMap::new();
        while let Some(report) = reports.recv().await {
            match report {
                Report::Attempt(attempt) => {
                    log_attempt(&attempt, &mut failing);
                    self.writer.note(Record::Attempt(self.stored(attempt)));
                    self.ended.notify_waiters();
                }
                Report::End(End { channel, notification, outcome, .. }) => {
                    let mut state = self.state();
                    self.close(&mut state, &notification, outcome);
                    // There is room for one more now.
                    if let Some(waiting) = state.overflow.remove(&channel) {
                        waiting.into_iter().for_each(|notification| self.send(&mut state, notification));
                    }
                }
            }
        }
    }

    /// Lets [`Deliveries::note_reports`] end once all workers have: nothing is sent any more.
    pub(super) fn close_reports(&self) {
        self.state().way = Way::Printed { channels: Vec::new(), texts: Texts::default() };
    }

    fn stored(&self, attempt: AttemptRecord) -> Attempt {
        let result = match attempt.next {
            Next::Done => AttemptResult::Delivered,
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

    /// Waits until nothing waits but what failed and is to be tried again, until the deadline.
    pub(super) async fn drained(&self, deadline: Instant) {
        loop {
            let ended = self.ended.notified();
            let busy = self.figures().values().any(|f| f.waiting > 0 && f.health.consecutive_failures == 0);
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
        let oldest = self.state().open.values().map(|(_, since)| *since).min();
        Totals {
            waiting: figures.values().map(|figures| figures.waiting).sum(),
            dead: figures.values().map(|figures| figures.health.dead).sum(),
            failing: figures.values().filter(|figures| figures.health.consecutive_failures > 0).count() as u64,
            oldest_waiting: oldest.map(|since| self.clock.now().wall().since(since)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says when a channel begins to fail, fails otherwise, and works again.
fn log_attempt(attempt: &AttemptRecord, failing: &mut BTreeMap<ChannelName, String>) {
    let channel = &attempt.channel;
    let (notification, number) = (&attempt.notification, attempt.number);
    match (&attempt.next, attempt.verdict.reason()) {
        (Next::Dead { reason }, _) => {
            tracing::error!(%channel, %notification, number, error = reason, "notification given up");
            failing.insert(channel.clone(), reason.clone());
        }
        (Next::RetryAt { .. }, reason) => {
            let reason = reason.unwrap_or_default();
            if failing.get(channel).is_none_or(|known| known != reason) {
                tracing::warn!(%channel, %notification, number, error = reason, "delivery failed, it is tried again");
                failing.insert(channel.clone(), reason.to_string());
            }
        }
        (Next::Done, partly) => {
            if let Some(reason) = partly {
                tracing::warn!(%channel, %notification, error = reason, "delivered to some only");
            }
            if failing.remove(channel).is_some() && matches!(attempt.verdict, Verdict::Ok) {
                tracing::info!(%channel, "channel works again");
            }
        }
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
