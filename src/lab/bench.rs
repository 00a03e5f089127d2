//! The driver of the engine on a virtual clock: what rule tests, replay and the simulator share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Effects, Engine, Input, Outcome, Resumed, SavedState, Settings};
use crate::model::{Notification, NotificationId, Now, Time};

/// How long a notification takes, and what comes of it.
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
/// Every deadline of the engine is stepped at its own time, as a daemon would, and every notification is delivered at
/// once unless the bench was given another [`Delivery`]. Each step's effects go to an observer, in order.
pub struct Bench {
    settings: Settings,
    engine: Engine,
    /// What a store would hold: every piece of the engine's state, and the newest step.
    saved: BTreeMap<Arc<str>, Arc<[u8]>>,
    last_step: (u64, Time),
    /// The newest routes, switch and rules, in the order in which a daemon gives them at its start.
    in_force: [Option<Input>; 3],
    now: Now,
    deliver: Delivery,
    /// Notifications on their way, by the time of their end and their order.
    on_their_way: BTreeMap<(Time, u64), (NotificationId, Outcome)>,
    n_sent: u64,
}

/// Sees what each step did, and the engine after it.
pub trait Observer {
    /// One step was made.
    fn step(&mut self, engine: &Engine, effects: Effects);
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
            in_force: [None, None, None],
            now,
            deliver,
            on_their_way: BTreeMap::new(),
            n_sent: 0,
        }
    }

    /// The engine ends here, and another goes on from what was stored: at once, or after `down`. Notifications on their
    /// way go on; nobody watched meanwhile. Gives what could not be read of what was stored.
    pub fn restart(&mut self, down: Duration, observer: &mut dyn Observer) -> Vec<String> {
        self.now.time = self.now.time + down;
        let piece = |(key, value): (&Arc<str>, &Arc<[u8]>)| SavedState { key: key.clone(), value: Some(value.clone()) };
        let (sequence, time) = self.last_step;
        let resumed = Resumed { sequence, time, saved: self.saved.iter().map(piece).collect() };
        let (engine, problems) = Engine::resume(self.settings.clone(), self.now, resumed);
        self.engine = engine;
        for input in self.in_force.clone().into_iter().flatten() {
            self.feed(input, observer);
        }
        problems
    }

    /// Notifications are delivered so from now on.
    pub fn deliver_by(&mut self, deliver: Delivery) {
        self.deliver = deliver;
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
            let arrival = self.on_their_way.first_key_value().map(|((time, _), _)| *time);
            let next = [self.engine.next_deadline(), arrival].into_iter().flatten().min();
            let Some(due) = next.filter(|due| is_due(*due)) else { break };
            proceed()?;
            self.now.time = self.now.time.max(due);
            match arrival.filter(|arrival| *arrival <= due).and_then(|_| self.on_their_way.pop_first()) {
                Some((_, (notification, outcome))) => self.feed(Input::Delivered { notification, outcome }, observer),
                None => self.feed(Input::Tick, observer),
            }
        }
        self.now.time = self.now.time.max(time);
        Ok(())
    }

    /// Moves the clock without a step, as a daemon that wakes too late: what was due is done by the next input.
    pub fn oversleep(&mut self, time: Time) {
        self.now.time = self.now.time.max(time);
    }

    /// Gives the engine an input now, and delivers at once what takes no time.
    pub fn feed(&mut self, input: Input, observer: &mut dyn Observer) {
        self.step(input, observer);
        while let Some(entry) = self.on_their_way.first_entry()
            && entry.key().0 <= self.now.time
        {
            let (notification, outcome) = entry.remove();
            self.step(Input::Delivered { notification, outcome }, observer);
        }
    }

    fn step(&mut self, input: Input, observer: &mut dyn Observer) {
        match &input {
            Input::Routing(_) => self.in_force[0] = Some(input.clone()),
            Input::Alerting(_) => self.in_force[1] = Some(input.clone()),
            Input::Rules(_) => self.in_force[2] = Some(input.clone()),
            Input::Batch(_) | Input::Tick | Input::Delivered { .. } | Input::Revived { .. } | Input::Forget(_) => {}
        }
        let effects = self.engine.step(self.now, input);
        self.last_step = (effects.sequence, effects.now.time);
        for SavedState { key, value } in &effects.saved {
            match value {
                Some(value) => drop(self.saved.insert(key.clone(), value.clone())),
                None => drop(self.saved.remove(key)),
            }
        }
        for notification in &effects.notifications {
            if let Arrival::After(time, outcome) = (self.deliver)(notification) {
                self.n_sent += 1;
                let arrival = (self.now.time + time, self.n_sent);
                self.on_their_way.insert(arrival, (notification.id.clone(), outcome));
            }
        }
        observer.step(&self.engine, effects);
    }
}
