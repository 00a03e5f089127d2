//! All decisions about one channel: what is sent when, what is folded into a summary, what is tried again, what is given
//! up. Pure: time is an argument, and whoever drives it makes the attempts. The workers do, and so may the lab:
//!
//! ```text
//! push, restore -> next(now) -> Attempt   -> make it       -> ended(number, verdict, now) -> Ended
//!                            -> Summarise -> store it      -> stored(number)
//!                            -> Until     -> wait for that time, or for what comes sooner
//!                            -> Idle      -> wait for what comes
//! ```
//!
//! Attempts take tokens of the channel's limit. While two are left, what waits goes one by one, the most urgent first.
//! With the last one everything that may go is folded into one summary; it keeps that token while it is stored.

use std::sync::Arc;
use std::time::Duration;

use super::decide::{Next, Policy, hold, next, seed};
use super::queue::{Delivery, Queue, State};
use super::summary::summarise;
use super::window::Window;
use super::{Closed, Waiting};
use crate::channels::{Limit, Verdict};
use crate::engine::{DeadLetter, Outcome};
use crate::model::{ChannelName, Notification, NotificationId, Now, Occasion, Time};

/// Why a notification was given up that an operator dropped.
pub const DROPPED: &str = "dropped by an operator";

/// What of a channel's configuration decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How many attempts may be made in how much time.
    pub limit: Option<Limit>,
    /// How many may be on their way at once.
    pub concurrency: usize,
}

/// What must be done now.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an attempt that is not made holds its notification for ever"]
pub enum Step {
    /// Make this attempt, and say how it went by [`Lane::ended`].
    Attempt(Begun),
    /// Store this summary, and say so by [`Lane::stored`].
    Summarise {
        /// Its number.
        number: u64,
        /// The summary.
        summary: Arc<Notification>,
    },
    /// Nothing before that time.
    Until(Time),
    /// Nothing until something else happens.
    Idle,
}

/// An attempt that begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// The number of the delivery.
    pub number: u64,
    /// What is told.
    pub notification: Arc<Notification>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// Recipients that have it from an earlier attempt, by their places in the request's list.
    pub settled: Vec<usize>,
}

/// What followed from the end of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The notification.
    pub notification: NotificationId,
    /// Which attempt it was.
    pub attempt: u32,
    /// What follows.
    pub next: Next,
    /// The end of the notification, where it is that.
    pub closed: Option<Closed>,
}

/// What became of an operator's wish to try a notification now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurried {
    /// It goes as soon as the limit and the receiver allow.
    Goes,
    /// An attempt is being made.
    InFlight,
    /// It does not wait here.
    Unknown,
}

/// What became of an operator's wish to give a notification up.
#[derive(Clone, Debug, PartialEq)]
pub enum Dropped {
    /// It is given up.
    Now(Closed),
    /// An attempt is being made: it is given up when that fails.
    WhenEnded,
    /// It does not wait here.
    Unknown,
}

/// The state of one channel.
#[derive(Debug)]
pub struct Lane {
    channel: ChannelName,
    seed: u64,
    policy: Policy,
    concurrency: usize,
    queue: Queue,
    window: Window,
    in_flight: usize,
    /// The receiver takes nothing before that.
    held_until: Option<Time>,
    /// How often in a row it said so.
    holds: u32,
}

impl Lane {
    /// A channel for which nothing waits. `seed` is the installation's.
    pub fn new(channel: ChannelName, seed: u64, policy: Policy, terms: Terms) -> Lane {
        let mut lane = Lane {
            channel,
            seed,
            policy,
            concurrency: 1,
            queue: Queue::default(),
            window: Window::default(),
            in_flight: 0,
            held_until: None,
            holds: 0,
        };
        lane.set_terms(terms);
        lane
    }

    /// Other terms are in force from the next attempt on; nothing else changes.
    pub fn set_terms(&mut self, terms: Terms) {
        self.concurrency = terms.concurrency.max(1);
        if self.window.limit() != terms.limit {
            self.window.set_limit(terms.limit);
        }
    }

    /// The channel has a new configuration: what waits to be tried again goes at once, and to all recipients.
    pub fn start_anew(&mut self) {
        self.held_until = None;
        self.holds = 0;
        self.queue.start_anew();
    }

    /// Takes attempts that ended before a restart: the limit counts them.
    pub fn refill(&mut self, ends: impl IntoIterator<Item = Time>) {
        self.window.refill(ends);
    }

    /// Takes a notification that is new.
    pub fn push(&mut self, notification: Arc<Notification>) {
        self.queue.push(Waiting::of(notification));
    }

    /// Takes a notification that waited before a restart, or was revived.
    pub fn restore(&mut self, waiting: Waiting) {
        self.queue.push(waiting);
    }

    /// What must be done now. To be asked again until it says that there is nothing.
    pub fn next(&mut self, now: Now) -> Step {
        self.queue.wake(now.time);
        if self.in_flight >= self.concurrency || self.queue.len() == self.in_flight + self.queue.n_unstored() {
            return Step::Idle;
        }
        match self.held_until {
            Some(until) if now.time < until => return Step::Until(until),
            _ => self.held_until = None,
        }
        let free = self.window.free(now.time, self.in_flight);
        if let Some(number) = self.queue.first_fresh() {
            return if free == Some(0) { self.wait_for_token() } else { self.begin(number) };
        }
        let Some(first) = self.queue.first_ready() else {
            return self.queue.next_due().map_or(Step::Idle, Step::Until);
        };
        match free.map(|free| free.saturating_sub(self.queue.n_unstored())) {
            Some(0) => self.wait_for_token(),
            Some(1) => self.use_last_token(first, now),
            None | Some(_) => self.begin(first),
        }
    }

    fn wait_for_token(&self) -> Step {
        let at = self.window.free_at(1 + self.queue.n_unstored(), self.in_flight);
        at.map_or(Step::Idle, Step::Until)
    }

    fn begin(&mut self, number: u64) -> Step {
        let Some(delivery) = self.queue.begin(number) else { return Step::Idle };
        self.in_flight += 1;
        Step::Attempt(Begun {
            number,
            notification: delivery.notification.clone(),
            attempt: delivery.attempts,
            settled: delivery.settled.clone(),
        })
    }

    /// Folds all that may go into one. Where the first is none of those that may be folded, it goes by itself.
    fn use_last_token(&mut self, first: u64, now: Now) -> Step {
        let lifetime = self.policy.retry_for;
        let may_fold = |delivery: &Delivery| is_young(delivery, lifetime, now.time);
        if !self.queue.get(first).is_some_and(may_fold) {
            return self.begin(first);
        }
        let members = self.queue.foldable(may_fold);
        if members.len() < 2 {
            return self.begin(first);
        }
        let notifications: Vec<Arc<Notification>> = members
            .iter()
            .filter_map(|number| self.queue.get(*number))
            .map(|delivery| delivery.notification.clone())
            .collect();
        let told: Vec<&Notification> = notifications.iter().map(|notification| &**notification).collect();
        let summary = Arc::new(summarise(self.seed, &self.channel, &told, now.wall()));
        let number = self.queue.replace(&members, summary.clone());
        Step::Summarise { number, summary }
    }

    /// A summary is stored, or cannot be: it may go.
    pub fn stored(&mut self, number: u64) {
        self.queue.stored(number);
    }

    /// An attempt ended. `same_recipients`: it was made with the configuration that is in force.
    pub fn ended(&mut self, number: u64, verdict: &Verdict, same_recipients: bool, now: Time) -> Option<Ended> {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.window.note(now);
        if matches!(verdict, Verdict::Ok | Verdict::OkPartial { .. }) {
            self.holds = 0;
        }
        self.hold(verdict, now);
        let delivery = self.queue.get_mut(number)?;
        if let Verdict::RetryRest { settled, .. } = verdict
            && same_recipients
        {
            delivery.settled.extend(settled);
            delivery.settled.sort_unstable();
            delivery.settled.dedup();
        }
        let first = *delivery.first_attempt.get_or_insert(now);
        let (id, attempt, drop_asked) = (delivery.notification.id.clone(), delivery.attempts, delivery.drop_asked);
        let jitter = match verdict {
            Verdict::Ok => 0,
            _ => seed(self.seed, &self.channel, &id),
        };
        let mut next = next(attempt, verdict, first, now, &self.policy, jitter);
        if drop_asked && let Next::RetryAt { reason, .. } | Next::Dead { reason } = &next {
            next = Next::Dead { reason: format!("{DROPPED}; the last attempt: {reason}") };
        }
        let closed = match &next {
            Next::RetryAt { at, .. } => {
                self.queue.retry(number, *at);
                None
            }
            Next::Done => self.queue.finish(number).map(|delivery| {
                let partly = verdict.reason().map(str::to_string);
                closed(delivery, Outcome::Delivered, partly, false)
            }),
            Next::Dead { reason } => self.give_up(number, reason.clone(), !drop_asked, false),
        };
        Some(Ended { notification: id, attempt, next, closed })
    }

    /// Holds the whole channel where a verdict says so. A hold is never shortened.
    fn hold(&mut self, verdict: &Verdict, now: Time) {
        let in_a_row = self.holds.saturating_add(1);
        let seed = seed(self.seed, &self.channel, &"".into());
        if let Some(wait) = hold(verdict, in_a_row, &self.policy, seed) {
            self.holds = in_a_row;
            self.held_until = self.held_until.max(Some(now + wait));
        }
    }

    fn give_up(&mut self, number: u64, reason: String, with_letter: bool, unattempted: bool) -> Option<Closed> {
        let delivery = self.queue.finish(number)?;
        // Whoever is told that others were not told is the last: nobody is told of that again.
        let tells_of_another = matches!(delivery.notification.occasion, Occasion::Undelivered(_));
        let letter = (with_letter && !tells_of_another)
            .then(|| Arc::new(DeadLetter { notification: delivery.notification.clone(), reason: reason.clone() }));
        Some(closed(delivery, Outcome::Dead { letter }, Some(reason), unattempted))
    }

    /// An operator wants a notification to be tried now.
    pub fn hurry(&mut self, id: &NotificationId) -> Hurried {
        let Some(number) = self.queue.find(id) else { return Hurried::Unknown };
        match self.queue.get(number).map(|delivery| delivery.state) {
            Some(State::InFlight) => Hurried::InFlight,
            Some(_) => {
                self.queue.hurry(number);
                Hurried::Goes
            }
            None => Hurried::Unknown,
        }
    }

    /// An operator wants a notification to be given up.
    pub fn drop(&mut self, id: &NotificationId) -> Dropped {
        let Some(number) = self.queue.find(id) else { return Dropped::Unknown };
        match self.queue.get_mut(number) {
            Some(delivery) if delivery.state == State::InFlight => {
                delivery.drop_asked = true;
                Dropped::WhenEnded
            }
            _ => self.give_up(number, DROPPED.to_string(), false, true).map_or(Dropped::Unknown, Dropped::Now),
        }
    }

    /// Gives up all that is not on its way.
    pub fn give_up_all(&mut self, reason: &str) -> Vec<Closed> {
        let idle = self.queue.idle().into_iter();
        idle.filter_map(|number| self.give_up(number, reason.to_string(), true, true)).collect()
    }

    /// Notifications that were neither delivered nor given up, those on their way among them. A summary is one.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.queue.len() == 0
    }

    /// How many are on their way.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// When the oldest was decided, by the wall clock.
    pub fn oldest(&self) -> Option<Time> {
        self.queue.oldest()
    }

    /// Until when the receiver takes nothing.
    pub fn held_until(&self, now: Time) -> Option<Time> {
        self.held_until.filter(|until| *until > now)
    }

    /// When the limit next lets something through, where it lets nothing through now.
    pub fn next_token(&self, now: Time) -> Option<Time> {
        let free = self.window.free(now, self.in_flight)?;
        (free == 0).then(|| self.window.free_at(1, self.in_flight)).flatten()
    }

    /// All that waits, in its order: what [`Lane::restore`] takes to go on. What is on its way is as before its attempt.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting> {
        self.queue.waiting()
    }

    /// The attempts that the limit counts: what [`Lane::refill`] takes to go on.
    pub fn counted(&self) -> impl Iterator<Item = Time> {
        self.window.ends()
    }
}

/// Whether a delivery may be folded into a summary. A summary is given up when the oldest that it stands for would be, so
/// that a receiver which never comes back is noticed although new ones come all the time. Those that were tried for
/// a quarter of their time go by themselves: so each has three quarters of it at least.
fn is_young(delivery: &Delivery, lifetime: Duration, now: Time) -> bool {
    delivery.first_attempt.is_none_or(|first| now < first + lifetime / 4)
}

fn closed(delivery: Delivery, outcome: Outcome, reason: Option<String>, unattempted: bool) -> Closed {
    let is_summary = matches!(delivery.notification.occasion, Occasion::Summary(_));
    Closed {
        notification: delivery.notification.id.clone(),
        is_summary,
        absorbed: delivery.absorbed.map(|absorbed| absorbed.notifications).unwrap_or_default(),
        outcome,
        reason,
        unattempted,
    }
}

#[cfg(test)]
mod tests;
