//! The store without a disk: bounded, and empty after a restart.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    Attempt, AttemptResult, Delivery, DeliveryState, Error, Firing, FiringFilter, Reader, Record, Store, Text,
};
use crate::engine::{Effects, Event, Suppressed};
use crate::model::{EventKind, FiringId, Notification, NotificationId};

/// How much a [`Memory`] keeps. What still fires or still waits is never dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Events, and as many suppressions.
    pub events: usize,
    /// Notifications that came to their end.
    pub notifications: usize,
    /// Firings that ended.
    pub firings: usize,
    /// Attempts of one notification.
    pub attempts: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { events: 10_000, notifications: 10_000, firings: 10_000, attempts: 20 }
    }
}

/// A [`Store`] in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bounds: Bounds,
    sequence: Option<u64>,
    events: VecDeque<Event>,
    suppressed: VecDeque<Suppressed>,
    firings: BTreeMap<FiringId, Firing>,
    /// Ended firings in the order of their ends: the oldest is dropped first.
    ended: VecDeque<FiringId>,
    deliveries: BTreeMap<NotificationId, Delivery>,
    /// All notifications that are kept, in the order in which they were decided.
    order: VecDeque<NotificationId>,
    texts: BTreeMap<Arc<str>, Text>,
}

impl Memory {
    /// An empty store.
    pub fn new(bounds: Bounds) -> Memory {
        Memory { state: Arc::new(Mutex::new(State { bounds, ..State::default() })) }
    }

    /// A panic elsewhere cannot leave the state half-changed in a way that matters here: the records are plain data.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn commit(&mut self, batch: &[Record]) -> Result<(), Error> {
        let mut state = self.state();
        for record in batch {
            match record {
                Record::Step(effects) => state.step(effects),
                Record::Attempt(attempt) => state.attempt(attempt),
                Record::Text(text) => {
                    state.texts.insert(text.file.clone(), text.clone());
                }
                Record::TextGone { file } => {
                    state.texts.remove(file);
                }
            }
        }
        state.trim();
        Ok(())
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }
}

impl State {
    fn step(&mut self, effects: &Effects) {
        if self.sequence.is_some_and(|known| known >= effects.sequence) {
            return;
        }
        self.sequence = Some(effects.sequence);
        for event in &effects.events {
            self.event(event);
        }
        self.suppressed.extend(effects.suppressed.iter().cloned());
        for notification in &effects.notifications {
            self.notification(notification);
        }
    }

    fn event(&mut self, event: &Event) {
        let firing = self.firings.entry(event.firing.clone()).or_insert_with(|| Firing {
            id: event.firing.clone(),
            rule: event.rule.clone(),
            subject: event.subject.clone(),
            labels: Default::default(),
            level: event.level,
            message: String::new(),
            since: event.time,
            ended: None,
            reason: None,
        });
        firing.level = event.level;
        firing.message.clone_from(&event.message);
        match event.kind {
            EventKind::Recovered | EventKind::Closed => {
                firing.ended = Some(event.time);
                firing.reason = event.reason;
                self.ended.push_back(event.firing.clone());
            }
            EventKind::Raised | EventKind::Escalated | EventKind::Eased | EventKind::Reminded | EventKind::Stale => {}
        }
        self.events.push_back(event.clone());
    }

    fn notification(&mut self, notification: &Notification) {
        for alert in &notification.alerts {
            if let Some(firing) = self.firings.get_mut(&alert.id) {
                firing.labels.clone_from(&alert.labels);
            }
        }
        self.order.push_back(notification.id.clone());
        self.deliveries.insert(
            notification.id.clone(),
            Delivery {
                notification: notification.clone(),
                state: DeliveryState::Waiting { next: None },
                attempts: 0,
                newest_attempts: Vec::new(),
            },
        );
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let bound = self.bounds.attempts;
        let Some(delivery) = self.deliveries.get_mut(&attempt.notification) else { return };
        if attempt.number <= delivery.attempts {
            return;
        }
        delivery.attempts = attempt.number;
        if delivery.newest_attempts.len() >= bound {
            delivery.newest_attempts.remove(0);
        }
        delivery.newest_attempts.push(attempt.clone());
        delivery.state = match &attempt.result {
            AttemptResult::Delivered => DeliveryState::Delivered { time: attempt.time },
            AttemptResult::Failed { next, .. } => DeliveryState::Waiting { next: Some(*next) },
            AttemptResult::Dead { error } => DeliveryState::Dead { time: attempt.time, error: error.clone() },
        };
    }

    fn trim(&mut self) {
        let over = |len: usize, bound: usize| len.saturating_sub(bound);
        self.events.drain(..over(self.events.len(), self.bounds.events));
        self.suppressed.drain(..over(self.suppressed.len(), self.bounds.events));
        for id in self.ended.drain(..over(self.ended.len(), self.bounds.firings)) {
            self.firings.remove(&id);
        }
        let mut surplus = over(self.order.len(), self.bounds.notifications);
        if surplus > 0 {
            let deliveries = &mut self.deliveries;
            self.order.retain(|id| {
                let waiting =
                    deliveries.get(id).is_some_and(|delivery| matches!(delivery.state, DeliveryState::Waiting { .. }));
                if surplus == 0 || waiting {
                    return true;
                }
                surplus -= 1;
                deliveries.remove(id);
                false
            });
        }
    }

    fn deliveries_where(&self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        self.order
            .iter()
            .filter_map(|id| self.deliveries.get(id))
            .filter(|delivery| wanted(delivery))
            .cloned()
            .collect()
    }
}

impl Reader for Memory {
    fn is_durable(&self) -> bool {
        false
    }

    fn last_sequence(&self) -> Result<Option<u64>, Error> {
        Ok(self.state().sequence)
    }

    fn firings(&self, filter: &FiringFilter) -> Result<Vec<Firing>, Error> {
        let state = self.state();
        let mut firings: Vec<&Firing> = state.firings.values().filter(|firing| filter.takes(firing)).collect();
        firings.sort_by(|a, b| b.since.cmp(&a.since).then_with(|| a.id.cmp(&b.id)));
        Ok(firings.into_iter().skip(filter.offset).take(filter.limit).cloned().collect())
    }

    fn firing(&self, id: &FiringId) -> Result<Option<Firing>, Error> {
        Ok(self.state().firings.get(id).cloned())
    }

    fn events_of(&self, id: &FiringId) -> Result<Vec<Event>, Error> {
        Ok(self.state().events.iter().filter(|event| event.firing == *id).cloned().collect())
    }

    fn recent_events(&self, limit: usize) -> Result<Vec<Event>, Error> {
        Ok(self.state().events.iter().rev().take(limit).cloned().collect())
    }

    fn deliveries_of(&self, id: &FiringId) -> Result<Vec<Delivery>, Error> {
        Ok(self.state().deliveries_where(|delivery| delivery.notification.alerts.iter().any(|alert| alert.id == *id)))
    }

    fn suppressed_of(&self, id: &FiringId) -> Result<Vec<Suppressed>, Error> {
        Ok(self.state().suppressed.iter().filter(|suppressed| suppressed.firing == *id).cloned().collect())
    }

    fn delivery(&self, id: &NotificationId) -> Result<Option<Delivery>, Error> {
        Ok(self.state().deliveries.get(id).cloned())
    }

    fn waiting(&self) -> Result<Vec<Delivery>, Error> {
        Ok(self.state().deliveries_where(|delivery| matches!(delivery.state, DeliveryState::Waiting { .. })))
    }

    fn recent_deliveries(&self, limit: usize) -> Result<Vec<Delivery>, Error> {
        let state = self.state();
        Ok(state.order.iter().rev().filter_map(|id| state.deliveries.get(id)).take(limit).cloned().collect())
    }

    fn texts(&self) -> Result<Vec<Text>, Error> {
        Ok(self.state().texts.values().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{self, attempt, delivered, ended, raised, step_with};
    use super::*;

    #[test]
    fn the_store_in_memory_keeps_the_contract_of_a_store() {
        conformance::run(&mut || Box::new(Memory::default()));
    }

    #[test]
    fn ended_firings_and_delivered_notifications_are_dropped_oldest_first_and_open_ones_never() {
        let bounds = Bounds { events: 4, notifications: 2, firings: 2, attempts: 2 };
        let mut store = Memory::new(bounds);
        for n in 1..=10 {
            store.commit(&[step_with(2 * n - 1, vec![raised(n)]), step_with(2 * n, vec![ended(n)])]).unwrap();
            if n != 1 {
                store.commit(&[delivered(n)]).unwrap();
            }
        }
        let reader = store.reader();
        assert_eq!(reader.firings(&FiringFilter::default()).unwrap().len(), 2);
        assert_eq!(reader.recent_events(100).unwrap().len(), 4);
        let kept: Vec<String> =
            reader.recent_deliveries(100).unwrap().iter().map(|d| d.notification.id.to_string()).collect();
        assert_eq!(kept, ["n10", "n1"], "the first is still waiting, so it is kept");
    }

    #[test]
    fn of_many_attempts_the_newest_are_kept_and_all_are_counted() {
        let mut store = Memory::new(Bounds { attempts: 2, ..Bounds::default() });
        store.commit(&[step_with(1, vec![raised(1)])]).unwrap();
        for number in 1..=5 {
            store.commit(&[attempt(1, number)]).unwrap();
        }
        let delivery = store.reader().delivery(&"n1".into()).unwrap().unwrap();
        assert_eq!(delivery.attempts, 5);
        let numbers: Vec<u32> = delivery.newest_attempts.iter().map(|attempt| attempt.number).collect();
        assert_eq!(numbers, [4, 5]);
    }
}
