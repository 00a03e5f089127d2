//! What waits for one channel, and in which order it goes. Pure.
//!
//! Errors and criticals go before lower levels, and reminders go last; within that the older goes first. Two
//! notifications of the same firing never overtake each other. What waits to be tried again blocks nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::model::{EventKind, FiringId, Level, Notification, Time};

/// How urgent a notification is; the lower the sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Severe,
    Mild,
    Reminder,
}

impl Urgency {
    fn of(notification: &Notification) -> Urgency {
        let events = || notification.alerts.iter().filter(|alert| alert.event != EventKind::Reminded);
        if events().any(|alert| alert.level >= Level::Error) {
            Urgency::Severe
        } else if events().next().is_some() {
            Urgency::Mild
        } else {
            Urgency::Reminder
        }
    }
}

/// Where a notification is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits for its turn.
    Waiting,
    /// An attempt is being made.
    InFlight,
    /// It waits for the time of its next attempt.
    RetryAt(Time),
}

/// A notification that was neither delivered nor given up yet.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) notification: Arc<Notification>,
    /// Attempts that were begun.
    pub(super) attempts: u32,
    /// When the first one began.
    pub(super) first_attempt_at: Option<Time>,
    /// Recipients that need it no more, by their places in the request's list.
    pub(super) settled: Vec<usize>,
    urgency: Urgency,
    state: State,
}

/// What waits for one channel. Deliveries are known by their number in the order of arrival.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next_number: u64,
    deliveries: BTreeMap<u64, Delivery>,
    /// Of each firing, its deliveries in order; only the first may go.
    lines: BTreeMap<FiringId, VecDeque<u64>>,
    /// What may go now.
    ready: BTreeSet<(Urgency, u64)>,
    /// What may go later.
    due: BTreeSet<(Time, u64)>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.deliveries.len()
    }

    pub(super) fn push(&mut self, notification: Arc<Notification>) {
        let number = self.next_number;
        self.next_number += 1;
        for firing in firings(&notification) {
            self.lines.entry(firing).or_default().push_back(number);
        }
        let urgency = Urgency::of(&notification);
        let delivery = Delivery {
            notification,
            attempts: 0,
            first_attempt_at: None,
            settled: Vec::new(),
            urgency,
            state: State::Waiting,
        };
        self.deliveries.insert(number, delivery);
        self.offer(number);
    }

    /// Makes a waiting delivery ready where it is the first of all its firings.
    fn offer(&mut self, number: u64) {
        let Some(delivery) = self.deliveries.get(&number) else { return };
        let first = |firing: FiringId| self.lines.get(&firing).and_then(|line| line.front()) == Some(&number);
        if delivery.state == State::Waiting && firings(&delivery.notification).into_iter().all(first) {
            self.ready.insert((delivery.urgency, number));
        }
    }

    /// The most urgent delivery that may go now. It is on its way until [`Queue::retry`] or [`Queue::finish`].
    pub(super) fn take(&mut self, now: Time) -> Option<(u64, &mut Delivery)> {
        while let Some((at, number)) = self.due.first().copied()
            && at <= now
        {
            self.due.remove(&(at, number));
            if let Some(delivery) = self.deliveries.get_mut(&number) {
                delivery.state = State::Waiting;
                self.offer(number);
            }
        }
        let (_, number) = self.ready.pop_first()?;
        let delivery = self.deliveries.get_mut(&number)?;
        delivery.state = State::InFlight;
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.first_attempt_at.get_or_insert(now);
        Some((number, delivery))
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Delivery> {
        self.deliveries.get_mut(&number)
    }

    /// Puts a delivery that is on its way back, to be tried again.
    pub(super) fn retry(&mut self, number: u64, at: Time) {
        if let Some(delivery) = self.deliveries.get_mut(&number) {
            delivery.state = State::RetryAt(at);
            self.due.insert((at, number));
        }
    }

    /// Takes a delivery out for good, and lets what stood behind it go.
    pub(super) fn finish(&mut self, number: u64) -> Option<Delivery> {
        let delivery = self.deliveries.remove(&number)?;
        self.ready.remove(&(delivery.urgency, number));
        if let State::RetryAt(at) = delivery.state {
            self.due.remove(&(at, number));
        }
        let mut freed = Vec::new();
        for firing in firings(&delivery.notification) {
            if let Some(line) = self.lines.get_mut(&firing) {
                line.retain(|other| *other != number);
                freed.extend(line.front());
                if line.is_empty() {
                    self.lines.remove(&firing);
                }
            }
        }
        freed.into_iter().for_each(|number| self.offer(number));
        Some(delivery)
    }

    /// When the next delivery that waits for a time may go.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The channel has a new configuration. What waits for a time goes at once, for what stood in its way may be gone,
    /// and to all recipients, for the list of them may be another.
    pub(super) fn start_anew(&mut self) {
        self.deliveries.values_mut().for_each(|delivery| delivery.settled.clear());
        for (_, number) in std::mem::take(&mut self.due) {
            if let Some(delivery) = self.deliveries.get_mut(&number) {
                delivery.state = State::Waiting;
                self.offer(number);
            }
        }
    }

    /// The numbers of all that is not on its way.
    pub(super) fn idle(&self) -> Vec<u64> {
        let idle = self.deliveries.iter().filter(|(_, delivery)| delivery.state != State::InFlight);
        idle.map(|(number, _)| *number).collect()
    }

    /// All that is left, in the order of arrival.
    pub(super) fn into_notifications(self) -> impl Iterator<Item = Arc<Notification>> {
        self.deliveries.into_values().map(|delivery| delivery.notification)
    }
}

fn firings(notification: &Notification) -> BTreeSet<FiringId> {
    notification.alerts.iter().map(|alert| alert.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::message::samples;
    use proptest::prelude::*;
    use std::time::Duration;

    const NOW: Time = Time::from_micros(1_000_000_000_000);

    fn notification(firing: &str, event: EventKind, level: Level) -> Arc<Notification> {
        let mut notification = samples().remove(0);
        notification.alerts[0].id = firing.into();
        notification.alerts[0].event = event;
        notification.alerts[0].level = level;
        Arc::new(notification)
    }

    fn raised(firing: &str) -> Arc<Notification> {
        notification(firing, EventKind::Raised, Level::Warning)
    }

    fn take(queue: &mut Queue, now: Time) -> Option<u64> {
        queue.take(now).map(|(number, _)| number)
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

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_firing_is_overtaken(
            pushes in proptest::collection::vec((0u8..4, 0u8..4, 0u8..3), 1..40),
            choices in proptest::collection::vec(0u8..4, 0..200),
        ) {
            let mut queue = Queue::default();
            for (firing, level, event) in &pushes {
                let event = [EventKind::Raised, EventKind::Reminded, EventKind::Recovered][*event as usize];
                queue.push(notification(&firing.to_string(), event, Level::ALL[*level as usize]));
            }
            let firing = |number: u64| pushes[number as usize].0;
            let (mut now, mut flying, mut finished) = (NOW, Vec::new(), Vec::new());
            for choice in choices.into_iter().chain(std::iter::repeat_n(2, 200)) {
                match choice {
                    0 | 3 => flying.extend(take(&mut queue, now)),
                    1 => if let Some(number) = flying.pop() { queue.retry(number, now + Duration::from_secs(5)) },
                    _ => {
                        now = now + Duration::from_secs(10);
                        flying.extend(take(&mut queue, now));
                        if let Some(number) = flying.pop() {
                            prop_assert!(queue.finish(number).is_some());
                            let earlier = |other: &u64| *other > number && firing(*other) == firing(number);
                            prop_assert!(!finished.iter().any(earlier));
                            finished.push(number);
                        }
                    }
                }
                let mut firings: Vec<u8> = flying.iter().map(|number| firing(*number)).collect();
                firings.sort_unstable();
                prop_assert!(firings.windows(2).all(|pair| pair[0] != pair[1]), "one of a firing at a time");
            }
            prop_assert_eq!(finished.len(), pushes.len());
            prop_assert!(queue.deliveries.is_empty() && queue.lines.is_empty() && queue.ready.is_empty() && queue.due.is_empty());
        }
    }
}
