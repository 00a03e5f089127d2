//! The store without a disk: bounded, and empty after a restart.

mod pieces;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    Attempt, AttemptResult, Audit, AuditFilter, Delivery, DeliveryFilter, DeliveryState, Error, Firing, FiringFilter,
    LastStep, Piece, PieceFilter, Reader, Record, Store, Text,
};
use crate::engine::{Effects, Event, SavedState, Suppressed, Transition};
use crate::history::Block;
use crate::model::{
    ChannelName, EventKind, FiringId, Notification, NotificationId, Occasion, RuleName, SubjectKey, Time,
};
use pieces::Pieces;

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
    /// Bytes of what came.
    pub history: u64,
    /// What [`Reader::seed`] gives.
    pub seed: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { events: 10_000, notifications: 10_000, firings: 10_000, attempts: 20, history: 64 << 20, seed: 0 }
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
    last_step: Option<LastStep>,
    saved: BTreeMap<Arc<str>, Arc<[u8]>>,
    transitions: VecDeque<Transition>,
    events: VecDeque<Event>,
    suppressed: VecDeque<Suppressed>,
    firings: BTreeMap<FiringId, Firing>,
    /// Ended firings in the order of their ends: the oldest is dropped first.
    ended: VecDeque<FiringId>,
    deliveries: BTreeMap<NotificationId, Delivery>,
    /// What operators did to notifications, so that the same record that comes again is known.
    interventions: BTreeMap<NotificationId, BTreeSet<Intervention>>,
    /// All notifications that are kept, in the order in which they were decided.
    order: VecDeque<NotificationId>,
    texts: BTreeMap<Arc<str>, Text>,
    /// As many as events, each with its number.
    audit: VecDeque<(i64, Audit)>,
    n_audit: i64,
    history: Pieces,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Intervention {
    Revived(Time),
    Dropped(Time),
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
        let mut came = Block::default();
        for record in batch {
            match record {
                Record::Step(effects) => state.step(effects, &mut came),
                Record::Attempt(attempt) => state.attempt(attempt),
                Record::Summary(summary) => state.summary(summary),
                Record::Revived { notification, time } => state.revive(notification, *time),
                Record::Dropped { notification, time, reason } => state.give_up(notification, *time, reason),
                Record::Audit(audit) => state.audit(audit),
                Record::Sealed(part) => state.history.seal(part),
                Record::Text(text) => {
                    state.texts.insert(text.file.clone(), text.clone());
                }
                Record::TextGone { file } => {
                    state.texts.remove(file);
                }
            }
        }
        let most = state.bounds.history;
        state.history.add(came, most);
        state.trim();
        Ok(())
    }

    /// The rest is bounded by itself.
    fn trim(&mut self, before: Time) -> Result<usize, Error> {
        let audit = &mut self.state().audit;
        let n_before = audit.len();
        audit.retain(|(_, entry)| entry.time >= before);
        Ok(n_before - audit.len())
    }

    fn trim_history(&mut self, before: Time, bytes: u64) -> Result<usize, Error> {
        Ok(self.state().history.trim(before, bytes))
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }
}

impl State {
    fn audit(&mut self, audit: &Audit) {
        if self.audit.iter().any(|(_, known)| known == audit) {
            return;
        }
        self.n_audit += 1;
        self.audit.push_back((self.n_audit, audit.clone()));
        if self.audit.len() > self.bounds.events {
            self.audit.pop_front();
        }
    }

    /// Puts a notification into another state, where `change` (which is told whether it waits) gives one.
    fn set(&mut self, id: &NotificationId, change: impl FnOnce(bool) -> Option<DeliveryState>) {
        if let Some(delivery) = self.deliveries.get_mut(id)
            && let Some(state) = change(matches!(delivery.state, DeliveryState::Waiting { .. }))
        {
            delivery.state = state;
        }
    }

    fn summary(&mut self, summary: &Notification) {
        if self.deliveries.contains_key(&summary.id) {
            return;
        }
        self.notification(summary);
        if let Occasion::Summary(content) = &summary.occasion {
            for id in &content.stands_for {
                self.set(id, |waiting| waiting.then(|| DeliveryState::Absorbed { by: summary.id.clone() }));
            }
        }
    }

    /// Notes what an operator did; false where there is no such notification, or it is noted already.
    fn intervene(&mut self, id: &NotificationId, intervention: Intervention) -> bool {
        self.deliveries.contains_key(id) && self.interventions.entry(id.clone()).or_default().insert(intervention)
    }

    fn revive(&mut self, id: &NotificationId, time: Time) {
        if self.intervene(id, Intervention::Revived(time))
            && let Some(delivery) = self.deliveries.get_mut(id)
            && matches!(delivery.state, DeliveryState::Dead { .. })
        {
            delivery.state = DeliveryState::Waiting { next: None };
            delivery.first_attempt = None;
        }
    }

    fn give_up(&mut self, id: &NotificationId, time: Time, reason: &str) {
        if self.intervene(id, Intervention::Dropped(time)) {
            self.set(id, |waiting| waiting.then(|| DeliveryState::Dead { time, error: reason.into() }));
        }
    }

    fn step(&mut self, effects: &Effects, came: &mut Block) {
        if self.last_step.is_some_and(|known| known.sequence >= effects.sequence) {
            return;
        }
        self.last_step = Some(LastStep { sequence: effects.sequence, time: effects.now.time });
        effects.add_to(came);
        for SavedState { key, value } in &effects.saved {
            match value {
                Some(value) => drop(self.saved.insert(key.clone(), value.clone())),
                None => drop(self.saved.remove(key)),
            }
        }
        self.transitions.extend(effects.transitions.iter().cloned());
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
            labels: event.labels.clone(),
            level: event.level,
            message: String::new(),
            since: event.time,
            ended: None,
            reason: None,
        });
        firing.level = event.level;
        if event.kind != EventKind::Acknowledged {
            firing.message.clone_from(&event.message);
        }
        firing.labels.clone_from(&event.labels);
        match event.kind {
            EventKind::Recovered | EventKind::Closed => {
                if firing.ended.is_none() {
                    self.ended.push_back(event.firing.clone());
                }
                firing.ended = Some(event.time);
                firing.reason = event.reason;
            }
            // A flapping alert is raised again under the same id.
            EventKind::Raised if firing.ended.is_some() => {
                (firing.ended, firing.reason) = (None, None);
                self.ended.retain(|id| *id != event.firing);
            }
            EventKind::Raised => {}
            EventKind::Escalated
            | EventKind::Eased
            | EventKind::Reminded
            | EventKind::Unacknowledged
            | EventKind::Acknowledged
            | EventKind::Stale
            | EventKind::Flapping => {}
        }
        self.events.push_back(event.clone());
    }

    fn notification(&mut self, notification: &Notification) {
        if self.deliveries.contains_key(&notification.id) {
            return;
        }
        self.order.push_back(notification.id.clone());
        self.deliveries.insert(
            notification.id.clone(),
            Delivery {
                notification: notification.clone(),
                state: DeliveryState::Waiting { next: None },
                attempts: 0,
                first_attempt: None,
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
        delivery.first_attempt.get_or_insert(attempt.time);
        if delivery.newest_attempts.len() >= bound {
            delivery.newest_attempts.remove(0);
        }
        delivery.newest_attempts.push(attempt.clone());
        delivery.state = match &attempt.result {
            AttemptResult::Delivered { .. } => DeliveryState::Delivered { time: attempt.time },
            AttemptResult::Failed { next, .. } => DeliveryState::Waiting { next: Some(*next) },
            AttemptResult::Dead { error } => DeliveryState::Dead { time: attempt.time, error: error.clone() },
        };
    }

    fn trim(&mut self) {
        let over = |len: usize, bound: usize| len.saturating_sub(bound);
        self.events.drain(..over(self.events.len(), self.bounds.events));
        self.suppressed.drain(..over(self.suppressed.len(), self.bounds.events));
        self.transitions.drain(..over(self.transitions.len(), self.bounds.events));
        for id in self.ended.drain(..over(self.ended.len(), self.bounds.firings)) {
            self.firings.remove(&id);
        }
        let mut surplus = over(self.order.len(), self.bounds.notifications);
        if surplus > 0 {
            let (deliveries, interventions) = (&mut self.deliveries, &mut self.interventions);
            self.order.retain(|id| {
                let waiting =
                    deliveries.get(id).is_some_and(|delivery| matches!(delivery.state, DeliveryState::Waiting { .. }));
                if surplus == 0 || waiting {
                    return true;
                }
                surplus -= 1;
                deliveries.remove(id);
                interventions.remove(id);
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

    fn seed(&self) -> u64 {
        self.state().bounds.seed
    }

    fn last_step(&self) -> Result<Option<LastStep>, Error> {
        Ok(self.state().last_step)
    }

    fn saved(&self) -> Result<Vec<SavedState>, Error> {
        let state = self.state();
        let piece = |(key, value): (&Arc<str>, &Arc<[u8]>)| SavedState { key: key.clone(), value: Some(value.clone()) };
        Ok(state.saved.iter().map(piece).collect())
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

    fn told(&self, id: &FiringId) -> Result<BTreeSet<ChannelName>, Error> {
        let state = self.state();
        let is_delivered = |delivery: &Delivery| matches!(delivery.state, DeliveryState::Delivered { .. });
        let has_arrived = |delivery: &&Delivery| match &delivery.state {
            DeliveryState::Absorbed { by } => state.deliveries.get(by).is_some_and(is_delivered),
            _ => is_delivered(delivery),
        };
        let of_it = state
            .deliveries
            .values()
            .filter(|delivery| delivery.notification.alerts.iter().any(|alert| alert.id == *id));
        Ok(of_it.filter(has_arrived).map(|delivery| delivery.notification.channel.clone()).collect())
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

    fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, Error> {
        let state = self.state();
        let newest = state.order.iter().rev().filter_map(|id| state.deliveries.get(id));
        let asked = newest.filter(|delivery| filter.takes(delivery));
        Ok(asked.skip(filter.offset).take(filter.limit).cloned().collect())
    }

    fn dead_letters(&self) -> Result<u64, Error> {
        let dead = |delivery: &&Delivery| matches!(delivery.state, DeliveryState::Dead { .. });
        Ok(self.state().deliveries.values().filter(dead).count() as u64)
    }

    fn attempt_times(&self, channel: &ChannelName, since: Time) -> Result<Vec<Time>, Error> {
        let state = self.state();
        let at_channel = state.deliveries.values().filter(|delivery| delivery.notification.channel == *channel);
        let attempts = at_channel.flat_map(|delivery| &delivery.newest_attempts).map(|attempt| attempt.time);
        let mut times: Vec<Time> = attempts.filter(|time| *time >= since).collect();
        times.sort_unstable();
        Ok(times)
    }

    fn transitions_of(&self, rule: &RuleName, subject: &SubjectKey, limit: usize) -> Result<Vec<Transition>, Error> {
        let state = self.state();
        let of_alert = state.transitions.iter().filter(|change| change.rule == *rule && change.subject == *subject);
        let all: Vec<&Transition> = of_alert.collect();
        Ok(all.iter().skip(all.len().saturating_sub(limit)).map(|change| (*change).clone()).collect())
    }

    fn audit(&self, filter: &AuditFilter) -> Result<Vec<(i64, Audit)>, Error> {
        let state = self.state();
        let is_wanted = |(number, audit): &&(i64, Audit)| {
            filter.since.is_none_or(|since| audit.time >= since)
                && filter.who.as_ref().is_none_or(|who| *who == audit.who)
                && filter.before.is_none_or(|before| *number < before)
        };
        Ok(state.audit.iter().rev().filter(is_wanted).take(filter.limit).cloned().collect())
    }

    fn texts(&self) -> Result<Vec<Text>, Error> {
        Ok(self.state().texts.values().cloned().collect())
    }

    fn pieces(&self, filter: &PieceFilter) -> Result<Vec<Piece>, Error> {
        Ok(self.state().history.shown().filter(|piece| filter.takes(piece)).cloned().collect())
    }

    fn piece(&self, id: i64) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.state().history.block(id))
    }

    fn bytes(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests;
