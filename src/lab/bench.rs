//! The driver of the engine on a virtual clock: what rule tests, replay and the simulator share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::lanes::{Backlog, Dispatch, Dispatched, Lanes, Receivers};
use crate::engine::{Effects, Engine, Input, Outcome, Resumed, SavedState, Settings};
use crate::history::{Block, Past, Threads};
use crate::model::{ChannelName, Notification, NotificationId, Now, Time};

/// What stands for a whole outbox: how long a notification takes, and what comes of it.
pub type Delivery = Box<dyn FnMut(&Notification) -> Arrival + Send>;

/// What becomes of one notification.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrival {
    /// It ends so, this long after it was decided.
    After(Duration, Outcome),
    /// Its receiver has not answered by the end of the story.
    Never,
}

/// An engine whose clock stands until it is moved.
///
/// Every deadline of the engine is stepped at its own time, as a daemon would. What the engine decides goes to an outbox
/// ([`Bench::dispatch_by`]), which sends, folds, tries again and gives up as the daemon's does; or it is simply delivered
/// ([`Bench::deliver_by`]), at once unless that says otherwise. Each step's effects and whatever the outbox does go to an
/// observer, in order.
pub struct Bench {
    settings: Settings,
    engine: Engine,
    /// What a store would hold: every piece of the engine's state, and the newest step.
    saved: BTreeMap<Arc<str>, Arc<[u8]>>,
    last_step: (u64, Time),
    /// What steps took, as a store would hold it.
    came: Block,
    /// The newest routes, switch and rules, in the order in which a daemon gives them at its start.
    in_force: [Option<Input>; 3],
    now: Now,
    way: Way,
    /// Ends that the engine is yet to hear of, by their time and order.
    on_their_way: BTreeMap<(Time, u64), (NotificationId, Outcome)>,
    n_sent: u64,
}

/// Where notifications go.
enum Way {
    Delivery(Delivery),
    Lanes(Box<Lanes>),
}

/// Sees what each step did, and the engine after it; and what the outbox does.
pub trait Observer {
    /// One step was made. Its notifications were decided: the outbox says when they are sent.
    fn step(&mut self, engine: &Engine, effects: Effects);

    /// The outbox did something: after the step that decided what it is about, and before the engine hears of it.
    fn outbox(&mut self, _dispatched: Dispatched) {}
}

impl<F: FnMut(&Engine, Effects)> Observer for F {
    fn step(&mut self, engine: &Engine, effects: Effects) {
        self(engine, effects);
    }
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Bench {
    /// An engine that knows nothing yet, whose notifications are delivered at once.
    pub fn new(settings: Settings, now: Now) -> Bench {
        let deliver = Box::new(|_: &Notification| Arrival::After(Duration::ZERO, Outcome::Delivered));
        Bench {
            engine: Engine::new(settings.clone(), now),
            settings,
            saved: BTreeMap::new(),
            last_step: (0, now.time),
            came: Block::default(),
            in_force: [None, None, None],
            now,
            way: Way::Delivery(deliver),
            on_their_way: BTreeMap::new(),
            n_sent: 0,
        }
    }

    /// The engine ends here, and another goes on from what was stored: at once, or after `down`. The outbox goes on with
    /// what waited; a [`Delivery`] never stopped. Nobody watched meanwhile. Gives what could not be read of what was stored.
    pub fn restart(&mut self, down: Duration, observer: &mut dyn Observer) -> Vec<String> {
        self.now.time = self.now.time + down;
        let piece = |(key, value): (&Arc<str>, &Arc<[u8]>)| SavedState { key: key.clone(), value: Some(value.clone()) };
        let (sequence, time) = self.last_step;
        let past = Past {
            since: Time::from_micros(i64::MIN),
            blocks: Box::new(std::iter::once(self.came.clone())),
            threads: Threads::default(),
        };
        let resumed = Resumed { sequence, time, saved: self.saved.iter().map(piece).collect(), past: Some(past) };
        let (engine, problems) = Engine::resume(self.settings.clone(), self.now, resumed);
        self.engine = engine;
        if let Way::Lanes(lanes) = &mut self.way {
            lanes.restart(self.now.time);
        }
        for input in self.in_force.clone().into_iter().flatten() {
            self.feed(input, observer);
        }
        problems
    }

    /// Notifications are delivered so from now on, without an outbox.
    pub fn deliver_by(&mut self, deliver: Delivery) {
        self.way = Way::Delivery(deliver);
    }

    /// Notifications go through an outbox from now on, for which nothing waits yet.
    pub fn dispatch_by(&mut self, dispatch: Dispatch) {
        self.way = Way::Lanes(Box::new(Lanes::new(dispatch)));
    }

    /// The outbox has other receivers from the next attempt on.
    pub fn receive_by(&mut self, receivers: Receivers) {
        if let Way::Lanes(lanes) = &mut self.way {
            lanes.receive_by(receivers);
        }
    }

    /// What waits for a channel in the outbox.
    pub fn backlog(&self, channel: &ChannelName) -> Backlog {
        match &self.way {
            Way::Lanes(lanes) => lanes.backlog(channel, self.now.time),
            Way::Delivery(_) => Backlog::default(),
        }
    }

    /// The time.
    pub const fn now(&self) -> Now {
        self.now
    }

    /// Sets how far the wall clock is ahead of engine time from now on, in microseconds.
    pub const fn set_wall_offset(&mut self, micros: i64) {
        self.now.wall_offset = micros;
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, at the end of the story.
    pub fn into_engine(self) -> Engine {
        self.engine
    }

    /// Moves the clock, and steps everything that is due on the way, up to and including `time`.
    ///
    /// # Errors
    /// The first error of `proceed`, which is asked before each step; the clock then stands at the step before.
    pub fn advance<E>(
        &mut self,
        time: Time,
        observer: &mut dyn Observer,
        proceed: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        self.run_until(|due| due <= time, time, observer, proceed)
    }

    /// Moves the clock to `time`, and steps everything that is due before it. What is due at `time` itself is left to
    /// the input that follows: the engine takes that first.
    ///
    /// # Errors
    /// As [`Bench::advance`].
    pub fn approach<E>(
        &mut self,
        time: Time,
        observer: &mut dyn Observer,
        proceed: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        self.run_until(|due| due < time, time, observer, proceed)
    }

    fn run_until<E>(
        &mut self,
        is_due: impl Fn(Time) -> bool,
        time: Time,
        observer: &mut dyn Observer,
        mut proceed: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let next = [self.engine.next_deadline(), self.next_arrival(), self.next_dispatch()];
            let Some(due) = next.into_iter().flatten().min().filter(|due| is_due(*due)) else { break };
            proceed()?;
            self.now.time = self.now.time.max(due);
            match self.deliver_one(due, observer) {
                true => while self.deliver_one(self.now.time, observer) {},
                false => self.feed(Input::Tick, observer),
            }
        }
        self.now.time = self.now.time.max(time);
        Ok(())
    }

    /// Moves the clock without a step, as a daemon that wakes too late: what was due is done by the next input.
    pub fn oversleep(&mut self, time: Time) {
        self.now.time = self.now.time.max(time);
    }

    /// Gives the engine an input now. What the outbox can do now is done, and ends of notifications are told.
    pub fn feed(&mut self, input: Input, observer: &mut dyn Observer) {
        self.step(input, observer);
        while self.deliver_one(self.now.time, observer) {}
    }

    /// When the engine is next to hear of an end.
    fn next_arrival(&self) -> Option<Time> {
        self.on_their_way.first_key_value().map(|((time, _), _)| *time)
    }

    /// When the outbox next does something by itself.
    fn next_dispatch(&self) -> Option<Time> {
        match &self.way {
            Way::Lanes(lanes) => lanes.next_deadline(),
            Way::Delivery(_) => None,
        }
    }

    /// Tells the engine of the next end, or lets the outbox do something, where that is due. Says whether there was any.
    fn deliver_one(&mut self, due: Time, observer: &mut dyn Observer) -> bool {
        if let Some(entry) = self.on_their_way.first_entry()
            && entry.key().0 <= due
        {
            let (notification, outcome) = entry.remove();
            self.step(Input::Delivered { notification, outcome }, observer);
            return true;
        }
        let is_due = self.next_dispatch().is_some_and(|dispatch| dispatch <= due);
        if let Way::Lanes(lanes) = &mut self.way
            && is_due
        {
            let mut ends = Vec::new();
            lanes.run(self.now, observer, &mut ends);
            self.hear_of(ends);
        }
        is_due
    }

    /// The engine is to hear of these ends now, after those that it is to hear of already.
    fn hear_of(&mut self, ends: Vec<(NotificationId, Outcome)>) {
        for end in ends {
            self.n_sent += 1;
            self.on_their_way.insert((self.now.time, self.n_sent), end);
        }
    }

    fn step(&mut self, input: Input, observer: &mut dyn Observer) {
        match &input {
            Input::Routing(_) => self.in_force[0] = Some(input.clone()),
            Input::Alerting(_) => self.in_force[1] = Some(input.clone()),
            Input::Rules(_) => self.in_force[2] = Some(input.clone()),
            Input::Batch(_)
            | Input::Tick
            | Input::Backfill(_)
            | Input::Delivered { .. }
            | Input::Revived { .. }
            | Input::Forget(_)
            | Input::Silence(_)
            | Input::Acknowledge { .. }
            | Input::Pause { .. }
            | Input::Resume(_) => {}
        }
        let effects = self.engine.step(self.now, input);
        self.last_step = (effects.sequence, effects.now.time);
        if self.settings.remembers {
            effects.add_to(&mut self.came);
        }
        for SavedState { key, value } in &effects.saved {
            match value {
                Some(value) => drop(self.saved.insert(key.clone(), value.clone())),
                None => drop(self.saved.remove(key)),
            }
        }
        match &mut self.way {
            Way::Delivery(deliver) => {
                for notification in &effects.notifications {
                    if let Arrival::After(time, outcome) = deliver(notification) {
                        self.n_sent += 1;
                        let arrival = (self.now.time + time, self.n_sent);
                        self.on_their_way.insert(arrival, (notification.id.clone(), outcome));
                    }
                }
                observer.step(&self.engine, effects);
            }
            Way::Lanes(lanes) => {
                let decided: Vec<Arc<Notification>> = effects.notifications.iter().cloned().map(Arc::new).collect();
                observer.step(&self.engine, effects);
                let mut ends = Vec::new();
                lanes.take(decided, self.now, observer, &mut ends);
                self.hear_of(ends);
            }
        }
    }
}
