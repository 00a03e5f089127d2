//! Sources that are paused: their subjects are neither heard of nor held to be silent.
//!
//! While a source is paused, what it would have told is not known: no data. When it goes on, it is for its subjects as
//! after a restart: those that were fresh are awaited and turn stale anew, and the time in between does not count.

use std::sync::Arc;
use std::time::Duration;

use super::arrivals::Arrivals;
use super::{Subject, SubjectId, World};
use crate::model::Time;

impl World {
    /// A source makes no snapshots from now on; `None` is every source. To pause `push` pauses all that is pushed, whoever
    /// pushes it. Gives the subjects that were fresh, in the order of their keys.
    pub(crate) fn pause(&mut self, source: Option<Arc<str>>, since: Time) -> Vec<SubjectId> {
        self.paused.insert(source.clone(), since);
        self.kinds.values_mut().for_each(|kind| kind.membership += 1);
        let mut ids = self.subjects_of(source.as_deref());
        ids.retain(|id| self.put_aside(*id));
        self.sort_by_key(&mut ids);
        ids
    }

    /// A source goes on. Gives its subjects that are known, in the order of their keys.
    pub(crate) fn go_on(&mut self, source: Option<&str>, now: Time) -> Vec<SubjectId> {
        let key = source.map(Arc::from);
        let Some(since) = self.paused.remove(&key) else { return Vec::new() };
        let mut ids = self.subjects_of(source);
        ids.retain(|id| self.subject(*id).is_some_and(|subject| self.paused_since(&subject.source).is_none()));
        for id in &ids {
            self.take_on(*id, now.since(since), now);
        }
        self.kinds.values_mut().for_each(|kind| kind.membership += 1);
        self.sort_by_key(&mut ids);
        ids
    }

    /// Since when a source is paused, in engine time. `None` where it is not.
    pub fn paused_since(&self, source: &str) -> Option<Time> {
        if self.paused.is_empty() {
            return None;
        }
        let of = |key: Option<&str>| self.paused.get(&key.map(Arc::from)).copied();
        let pushes = source.starts_with("push:").then(|| of(Some("push"))).flatten();
        [of(None), of(Some(source)), pushes].into_iter().flatten().min()
    }

    /// Up to when somebody watched a subject.
    pub(super) fn watched(&self, subject: &Subject, now: Time) -> Time {
        self.paused_since(&subject.source).map_or(now, |since| since.min(now))
    }

    fn subjects_of(&self, source: Option<&str>) -> Vec<SubjectId> {
        let is_of = |name: &str| match source {
            None => true,
            Some("push") => name == "push" || name.starts_with("push:"),
            Some(source) => name == source,
        };
        self.ids().filter(|id| self.subject(*id).is_some_and(|subject| is_of(&subject.source))).collect()
    }

    /// A subject is awaited while its source is paused. `false` where it was not fresh.
    fn put_aside(&mut self, id: SubjectId) -> bool {
        let fresh_until = self.table.get_mut(id).and_then(|record| record.fresh_until.take());
        if let Some(time) = fresh_until {
            self.fresh.remove(time);
            self.awaited.insert(id);
        }
        fresh_until.is_some()
    }

    /// The time in which a subject's source was paused does not count.
    fn take_on(&mut self, id: SubjectId, blind: Duration, now: Time) {
        let is_awaited = self.awaited.contains(&id);
        let Some(record) = self.table.get_mut(id) else { return };
        let subject = &mut record.subject;
        let arrived = subject.arrived;
        let was_fresh = record.fresh_until.is_some();
        subject.arrived = subject.arrived + blind;
        subject.first_seen = subject.first_seen + blind;
        subject.blind += blind;
        subject.stale_from = if is_awaited { now } else { subject.stale_from + blind };
        let mut arrivals = Arrivals::default();
        if let Some(day) = record.arrivals.newest_day() {
            arrivals.push(subject.arrived, day);
        }
        arrivals.forget_before(subject.arrived);
        record.arrivals = arrivals;
        for (_, field) in &mut record.fields {
            field.put_off(blind);
        }
        self.move_to(id, arrived, is_awaited || was_fresh);
    }
}
