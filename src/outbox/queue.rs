//! What waits for one channel, and in which order it goes. Pure.
//!
//! Errors and criticals go before lower levels, and reminders go last; within that the older goes first. Two
//! notifications of the same firing never overtake each other. What waits to be tried again blocks nothing else.
//!
//! Deliveries are known by numbers, which grow along every line: a summary takes the place and the number of the oldest
//! that it stands for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::Waiting;
use crate::model::{AlertNote, EventKind, FiringId, Level, Notification, NotificationId, Occasion, Time};

/// How urgent a notification is; the lower the sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    Severe,
    Mild,
    Reminder,
}

impl Urgency {
    pub(super) fn of_note(note: &AlertNote) -> Urgency {
        match note.event {
            EventKind::Reminded => Urgency::Reminder,
            _ if note.level >= Level::Error => Urgency::Severe,
            _ => Urgency::Mild,
        }
    }

    fn of(notification: &Notification) -> Urgency {
        notification.alerts.iter().map(Urgency::of_note).min().unwrap_or(Urgency::Reminder)
    }
}

/// Where a notification is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A summary that is not stored yet.
    Unstored,
    /// A summary that is stored and was never tried: the token that was left for it is kept.
    Fresh,
    /// It waits for its turn.
    Waiting,
    /// An attempt is being made.
    InFlight,
    /// It waits for the time of its next attempt.
    RetryAt(Time),
}

/// What a summary took in, itself or by another summary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Absorbed {
    /// The notifications, and the summaries among them, that end with it.
    pub notifications: Vec<NotificationId>,
    /// The firings that they tell of.
    pub firings: Vec<FiringId>,
}

/// A notification that was neither delivered nor given up yet.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) notification: Arc<Notification>,
    /// Attempts that were begun.
    pub(super) attempts: u32,
    /// When the first one ended; of a summary, where that is earlier, when that of the first ended which it stands for.
    pub(super) first_attempt: Option<Time>,
    /// Recipients that need it no more, by their places in the request's list.
    pub(super) settled: Vec<usize>,
    /// Of a summary.
    pub(super) absorbed: Option<Box<Absorbed>>,
    /// When it was decided, or the oldest that it stands for, by the wall clock.
    pub(super) since: Time,
    /// It is given up when the attempt that is being made fails.
    pub(super) drop_asked: bool,
    pub(super) state: State,
    urgency: Urgency,
}

impl Delivery {
    /// The firings that it tells of, each once, but for those that it has several alerts of.
    fn firings(&self) -> impl Iterator<Item = &FiringId> {
        let absorbed = self.absorbed.iter().flat_map(|absorbed| &absorbed.firings);
        let own = self.absorbed.is_none().then_some(&self.notification.alerts);
        absorbed.chain(own.into_iter().flatten().map(|note| &note.id))
    }
}

/// The deliveries of one firing in their order: only the first may go. Most are alone.
#[derive(Debug)]
struct Line {
    first: u64,
    rest: VecDeque<u64>,
}

/// What waits for one channel.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next_number: u64,
    deliveries: BTreeMap<u64, Delivery>,
    /// By firing. Only looked up, so that its order decides nothing.
    lines: HashMap<FiringId, Line>,
    /// What may go now.
    ready: BTreeSet<(Urgency, u64)>,
    /// What may go later.
    due: BTreeSet<(Time, u64)>,
    /// Summaries that keep a token.
    fresh: BTreeSet<u64>,
    n_unstored: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// When the oldest was decided, by the wall clock.
    pub(super) fn oldest(&self) -> Option<Time> {
        self.deliveries.values().next().map(|delivery| delivery.since)
    }

    pub(super) fn get(&self, number: u64) -> Option<&Delivery> {
        self.deliveries.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Delivery> {
        self.deliveries.get_mut(&number)
    }

    /// The number of a notification. Only an operator asks, so it is looked for.
    pub(super) fn find(&self, id: &NotificationId) -> Option<u64> {
        let found = self.deliveries.iter().find(|(_, delivery)| delivery.notification.id == *id);
        found.map(|(number, _)| *number)
    }

    /// Puts a notification behind all that is there.
    pub(super) fn push(&mut self, waiting: Waiting) {
        let Waiting { notification, attempts, first_attempt, next, settled, absorbed } = waiting;
        let number = self.next_number;
        self.next_number += 1;
        let never_tried = matches!(notification.occasion, Occasion::Summary(_)) && attempts == 0;
        let state = match next {
            Some(at) => State::RetryAt(at),
            None if never_tried => State::Fresh,
            None => State::Waiting,
        };
        let delivery = Delivery {
            urgency: Urgency::of(&notification),
            since: notification.time,
            notification,
            attempts,
            first_attempt,
            settled,
            absorbed,
            drop_asked: false,
            state,
        };
        for firing in delivery.firings() {
            match self.lines.get_mut(firing) {
                Some(line) if line.first == number || line.rest.back() == Some(&number) => {}
                Some(line) => line.rest.push_back(number),
                None => drop(self.lines.insert(firing.clone(), Line { first: number, rest: VecDeque::new() })),
            }
        }
        self.deliveries.insert(number, delivery);
        match state {
            State::RetryAt(at) => drop(self.due.insert((at, number))),
            State::Fresh => drop(self.fresh.insert(number)),
            State::Waiting | State::Unstored | State::InFlight => self.offer(number),
        }
    }

    /// Makes a waiting delivery ready where it is the first of all its firings.
    fn offer(&mut self, number: u64) {
        let Some(delivery) = self.deliveries.get(&number) else { return };
        let is_first = |firing: &FiringId| self.lines.get(firing).is_none_or(|line| line.first == number);
        if delivery.state == State::Waiting && delivery.firings().all(is_first) {
            self.ready.insert((delivery.urgency, number));
        }
    }

    /// Takes up what waited for a time that has come.
    pub(super) fn wake(&mut self, now: Time) {
        while let Some((at, number)) = self.due.first().copied()
            && at <= now
        {
            self.due.remove(&(at, number));
            self.make_waiting(number);
        }
    }

    fn make_waiting(&mut self, number: u64) {
        if let Some(delivery) = self.deliveries.get_mut(&number) {
            delivery.state = State::Waiting;
            self.offer(number);
        }
    }

    /// The most urgent delivery that may go now.
    pub(super) fn first_ready(&self) -> Option<u64> {
        self.ready.first().map(|(_, number)| *number)
    }

    /// The oldest summary that is stored and keeps a token.
    pub(super) fn first_fresh(&self) -> Option<u64> {
        self.fresh.first().copied()
    }

    /// How many summaries are being stored.
    pub(super) fn n_unstored(&self) -> usize {
        self.n_unstored
    }

    /// When the next delivery that waits for a time may go.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// An attempt begins. It is on its way until [`Queue::retry`] or [`Queue::finish`].
    pub(super) fn begin(&mut self, number: u64) -> Option<&Delivery> {
        let delivery = self.deliveries.get_mut(&number)?;
        self.ready.remove(&(delivery.urgency, number));
        self.fresh.remove(&number);
        delivery.state = State::InFlight;
        delivery.attempts = delivery.attempts.saturating_add(1);
        Some(delivery)
    }

    /// Puts a delivery that is on its way back, to be tried again.
    pub(super) fn retry(&mut self, number: u64, at: Time) {
        if let Some(delivery) = self.deliveries.get_mut(&number) {
            delivery.state = State::RetryAt(at);
            self.due.insert((at, number));
        }
    }

    /// A delivery that waits for a time waits no longer.
    pub(super) fn hurry(&mut self, number: u64) {
        if let Some(State::RetryAt(at)) = self.deliveries.get(&number).map(|delivery| delivery.state) {
            self.due.remove(&(at, number));
            self.make_waiting(number);
        }
    }

    /// Takes a delivery out for good, and lets what stood behind it go.
    pub(super) fn finish(&mut self, number: u64) -> Option<Delivery> {
        let delivery = self.remove(number)?;
        let mut freed = Vec::new();
        for firing in delivery.firings() {
            let Some(line) = self.lines.get_mut(firing) else { continue };
            if line.first != number {
                line.rest.retain(|other| *other != number);
            } else if let Some(next) = line.rest.pop_front() {
                line.first = next;
                freed.push(next);
            } else {
                self.lines.remove(firing);
            }
        }
        freed.into_iter().for_each(|number| self.offer(number));
        Some(delivery)
    }

    /// Takes a delivery out of all but its lines.
    fn remove(&mut self, number: u64) -> Option<Delivery> {
        let delivery = self.deliveries.remove(&number)?;
        match delivery.state {
            State::RetryAt(at) => drop(self.due.remove(&(at, number))),
            State::Fresh => drop(self.fresh.remove(&number)),
            State::Unstored => self.n_unstored -= 1,
            State::Waiting => drop(self.ready.remove(&(delivery.urgency, number))),
            State::InFlight => {}
        }
        Some(delivery)
    }

    /// What a summary may take, in the order of arrival: all that waits for nothing but its turn, where it is the first
    /// of all its firings or those before it are taken too. Of the rest, nothing that stands behind something left out.
    pub(super) fn foldable(&self, may_fold: impl Fn(&Delivery) -> bool) -> Vec<u64> {
        let mut blocked: HashSet<&FiringId> = HashSet::new();
        let mut taken = Vec::new();
        for (number, delivery) in &self.deliveries {
            let free = delivery.state == State::Waiting && may_fold(delivery);
            if free && (blocked.is_empty() || !delivery.firings().any(|firing| blocked.contains(firing))) {
                taken.push(*number);
            } else {
                blocked.extend(delivery.firings());
            }
        }
        taken
    }

    /// Puts a summary, which is to be stored, in the place of those that it stands for. Gives its number.
    pub(super) fn replace(&mut self, members: &[u64], summary: Arc<Notification>) -> u64 {
        let Some(number) = members.first().copied() else { return self.next_number };
        let mut absorbed = Absorbed::default();
        let mut firings = HashSet::new();
        let mut first_attempt = None;
        let mut since = summary.time;
        for member in members {
            let Some(delivery) = self.remove(*member) else { continue };
            first_attempt = [first_attempt, delivery.first_attempt].into_iter().flatten().min();
            since = since.min(delivery.since);
            for firing in delivery.firings() {
                if firings.insert(firing.clone()) {
                    absorbed.firings.push(firing.clone());
                }
                if let Some(line) = self.lines.get_mut(firing) {
                    // The members are the first of their lines, one after the other.
                    while line.rest.front() == Some(member) {
                        line.rest.pop_front();
                    }
                    line.first = number;
                }
            }
            absorbed.notifications.push(delivery.notification.id.clone());
            absorbed.notifications.extend(delivery.absorbed.into_iter().flat_map(|inner| inner.notifications));
        }
        let delivery = Delivery {
            urgency: Urgency::of(&summary),
            notification: summary,
            attempts: 0,
            first_attempt,
            settled: Vec::new(),
            absorbed: Some(Box::new(absorbed)),
            since,
            drop_asked: false,
            state: State::Unstored,
        };
        self.deliveries.insert(number, delivery);
        self.n_unstored += 1;
        number
    }

    /// A summary is stored, and may go.
    pub(super) fn stored(&mut self, number: u64) {
        if let Some(delivery) = self.deliveries.get_mut(&number)
            && delivery.state == State::Unstored
        {
            delivery.state = State::Fresh;
            self.n_unstored -= 1;
            self.fresh.insert(number);
        }
    }

    /// The channel has a new configuration. What waits for a time goes at once, for what stood in its way may be gone,
    /// and to all recipients, for the list of them may be another.
    pub(super) fn start_anew(&mut self) {
        self.deliveries.values_mut().for_each(|delivery| delivery.settled.clear());
        for (_, number) in std::mem::take(&mut self.due) {
            self.make_waiting(number);
        }
    }

    /// The numbers of all that is not on its way.
    pub(super) fn idle(&self) -> Vec<u64> {
        let idle = self.deliveries.iter().filter(|(_, delivery)| delivery.state != State::InFlight);
        idle.map(|(number, _)| *number).collect()
    }

    /// All that is there, in its order, as it would be put into an empty queue.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Waiting> {
        self.deliveries.values().map(|delivery| Waiting {
            notification: delivery.notification.clone(),
            attempts: delivery.attempts - u32::from(delivery.state == State::InFlight),
            first_attempt: delivery.first_attempt,
            next: match delivery.state {
                State::RetryAt(at) => Some(at),
                State::Unstored | State::Fresh | State::Waiting | State::InFlight => None,
            },
            settled: delivery.settled.clone(),
            absorbed: delivery.absorbed.clone(),
        })
    }

    /// Whether nothing is left in any of the lists.
    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.deliveries.is_empty()
            && self.lines.is_empty()
            && self.ready.is_empty()
            && self.due.is_empty()
            && self.fresh.is_empty()
            && self.n_unstored == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::message::samples;
    use std::time::Duration;

    const NOW: Time = Time::from_micros(1_000_000_000_000);

    fn notification(firing: &str, event: EventKind, level: Level) -> Waiting {
        let mut notification = samples().remove(0);
        notification.alerts[0].id = firing.into();
        notification.alerts[0].event = event;
        notification.alerts[0].level = level;
        Waiting::of(Arc::new(notification))
    }

    fn raised(firing: &str) -> Waiting {
        notification(firing, EventKind::Raised, Level::Warning)
    }

    fn take(queue: &mut Queue, now: Time) -> Option<u64> {
        queue.wake(now);
        let number = queue.first_ready()?;
        queue.begin(number).map(|_| number)
    }

    #[test]
    fn errors_go_first_and_reminders_last() {
        let mut queue = Queue::default();
        queue.push(notification("a", EventKind::Reminded, Level::Critical));
        queue.push(raised("b"));
        queue.push(raised("c"));
        queue.push(notification("d", EventKind::Raised, Level::Error));
        queue.push(notification("e", EventKind::Recovered, Level::Critical));
        let order: Vec<u64> = std::iter::from_fn(|| take(&mut queue, NOW)).collect();
        assert_eq!(order, [3, 4, 1, 2, 0]);
    }

    #[test]
    fn what_waits_to_be_tried_again_holds_back_only_its_own_firing() {
        let mut queue = Queue::default();
        queue.push(raised("a"));
        queue.push(notification("a", EventKind::Recovered, Level::Warning));
        queue.push(raised("b"));
        assert_eq!(take(&mut queue, NOW), Some(0));
        let later = NOW + Duration::from_secs(60);
        queue.retry(0, later);
        assert_eq!(take(&mut queue, NOW), Some(2));
        assert_eq!((take(&mut queue, NOW), queue.next_due()), (None, Some(later)));
        assert_eq!(take(&mut queue, later), Some(0));
        assert_eq!(queue.finish(0).unwrap().attempts, 2);
        assert_eq!(take(&mut queue, later), Some(1));
    }

    #[test]
    fn a_new_configuration_is_tried_at_once() {
        let mut queue = Queue::default();
        queue.push(raised("a"));
        assert_eq!(take(&mut queue, NOW), Some(0));
        queue.retry(0, Time::MAX);
        assert_eq!(queue.idle(), [0]);
        queue.start_anew();
        assert_eq!(take(&mut queue, NOW), Some(0));
        assert!(queue.idle().is_empty());
    }

    #[test]
    fn a_summary_takes_whole_beginnings_of_lines_and_stands_at_their_head() {
        let mut queue = Queue::default();
        for firing in ["a", "b", "a", "b", "c"] {
            queue.push(raised(firing));
        }
        assert_eq!(take(&mut queue, NOW), Some(0));
        assert_eq!(queue.foldable(|_| true), [1, 3, 4], "what stands behind an attempt stays");
        let summary = raised("b").notification;
        let number = queue.replace(&[1, 3, 4], summary);
        assert_eq!((number, queue.len(), queue.n_unstored()), (1, 3, 1));
        queue.push(raised("b"));
        assert_eq!((take(&mut queue, NOW), queue.first_fresh()), (None, None), "the summary is not stored yet");
        queue.stored(number);
        assert_eq!((queue.first_fresh(), queue.foldable(|_| true)), (Some(1), vec![]), "and it is not folded again");
        assert!(queue.begin(1).is_some() && queue.finish(1).is_some());
        assert_eq!(take(&mut queue, NOW), Some(5), "what came later goes after the summary");
        assert!(queue.finish(0).is_some() && queue.finish(5).is_some());
        assert_eq!(take(&mut queue, NOW), Some(2));
        assert!(queue.finish(2).is_some() && queue.is_clean());
    }
}
