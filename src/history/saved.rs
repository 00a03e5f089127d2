//! What is remembered of subjects over a restart, and the world as it is after one.
//!
//! Samples are not among it: they come from blocks that were stored ([`Past`]); a window that reaches back before
//! those has no answer, instead of a wrong one. Times that count how long something has lasted are moved by the time in which nobody watched, so that it does not count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::arrivals::Arrivals;
use super::backfill::Backfill;
use super::field::{Field, Observation};
use super::table::Record;
use super::{Limits, Past, Subject, SubjectId, World};
use crate::model::{Labels, Now, SubjectKey, Time, Value};

/// One subject, as it is stored.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SavedSubject {
    /// Kind and name.
    pub key: SubjectKey,
    /// The labels of its newest snapshot.
    #[serde(default)]
    pub labels: Labels,
    /// The `time` of its newest snapshot.
    pub time: Time,
    /// The `time` of its newest snapshot with fields.
    pub observed: Time,
    /// When its newest snapshot arrived, in engine time.
    pub arrived: Time,
    /// From when on its silence makes it stale, where that is later: the engine started again since.
    #[serde(default)]
    pub stale_from: Option<Time>,
    /// How long nobody watched since its newest snapshot.
    #[serde(default)]
    pub blind: Duration,
    /// When its first snapshot arrived, in engine time.
    pub first_seen: Time,
    /// That, with the time in which nobody watched, where there was any.
    #[serde(default)]
    pub began: Option<Time>,
    /// Who writes it.
    pub source: Arc<str>,
    /// After how long without a snapshot it is stale.
    pub stale_after: Duration,
    /// Its source says that it no longer exists.
    #[serde(default)]
    pub gone: bool,
    /// Every field that it ever had, with its newest value; `None` where the newest snapshot lacks it, or it cannot be
    /// read.
    pub fields: BTreeMap<Arc<str>, Option<Value>>,
    /// Since when fields have had their values, in engine time, where that is before the newest snapshot.
    #[serde(default)]
    pub held: BTreeMap<Arc<str>, Time>,
}

/// A subject as it is to be stored: the same JSON as of a [`SavedSubject`].
pub(crate) struct ToSave<'a>(&'a Record);

impl Serialize for ToSave<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ToSave(record) = self;
        let subject = &record.subject;
        let value = |field: &'_ Field| field.newest().filter(|v| v.as_number().is_none_or(f64::is_finite)).cloned();
        let mut saved = serializer.serialize_struct("SavedSubject", 14)?;
        saved.serialize_field("key", &subject.key)?;
        if !subject.labels.is_empty() {
            saved.serialize_field("labels", &subject.labels)?;
        }
        saved.serialize_field("time", &subject.time)?;
        saved.serialize_field("observed", &record.observed)?;
        saved.serialize_field("arrived", &subject.arrived)?;
        if subject.stale_from != subject.arrived {
            saved.serialize_field("stale_from", &subject.stale_from)?;
        }
        if !subject.blind.is_zero() {
            saved.serialize_field("blind", &subject.blind)?;
        }
        saved.serialize_field("first_seen", &subject.first_seen)?;
        if record.began != subject.first_seen {
            saved.serialize_field("began", &record.began)?;
        }
        saved.serialize_field("source", &subject.source)?;
        saved.serialize_field("stale_after", &subject.stale_after)?;
        if subject.gone {
            saved.serialize_field("gone", &true)?;
        }
        saved.serialize_field("fields", &Entries(|| record.fields.iter().map(|(name, field)| (name, value(field)))))?;
        let held = || {
            record.fields.iter().filter_map(|(name, field)| {
                let (_, since) = field.held().filter(|(_, since)| *since < subject.arrived)?;
                Some((name, since))
            })
        };
        if held().next().is_some() {
            saved.serialize_field("held", &Entries(held))?;
        }
        saved.end()
    }
}

/// A map that is made while it is written.
struct Entries<F>(F);

impl<F: Fn() -> I, K: Serialize, V: Serialize, I: Iterator<Item = (K, V)>> Serialize for Entries<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)())
    }
}

impl World {
    /// What is to be remembered of a subject. `None` once it was forgotten.
    pub(crate) fn saved(&self, id: SubjectId) -> Option<ToSave<'_>> {
        self.table.get(id).map(ToSave)
    }

    /// The world after a restart at `now`, of which the last that was stored is of `stopped`. Subjects that were fresh then
    /// are awaited, and turn stale anew. Their samples are those of `past`.
    ///
    /// `paused` are the sources that were paused then, and since when.
    pub fn restore(
        limits: Limits,
        zone: jiff::tz::TimeZone,
        (stopped, now): (Time, Now),
        paused: BTreeMap<Option<Arc<str>>, Time>,
        subjects: impl IntoIterator<Item = SavedSubject>,
        past: Option<Past<'_>>,
    ) -> World {
        let mut world = World::new(limits, zone, now);
        world.paused = paused;
        let blind = now.time.since(stopped);
        world.started = Time::EPOCH;
        world.blind = Some((stopped, now.time));
        let subjects: Vec<SavedSubject> = subjects.into_iter().collect();
        let mut past = past.map(|past| {
            let known = subjects.iter().map(|saved| (saved.key.clone(), saved.began.unwrap_or(saved.first_seen)));
            Backfill::of(past, (world.limits.memory, world.calendar.clone()), known)
        });
        for saved in subjects {
            let watched = world.paused_since(&saved.source).map_or(stopped, |since| since.min(stopped));
            world.take_up(saved, past.as_mut(), (watched, blind, now));
        }
        for since in world.paused.values_mut() {
            *since = *since + blind;
        }
        for (source, since) in world.paused.clone() {
            world.pause(source, since);
        }
        world
    }

    fn take_up(
        &mut self,
        saved: SavedSubject,
        past: Option<&mut Backfill>,
        (stopped, blind, now): (Time, Duration, Now),
    ) {
        let began = saved.began.unwrap_or(saved.first_seen);
        // Nothing is missing of what came after the past begins.
        let cut = past.as_ref().and_then(|past| past.cut(began));
        let mut past = past.map(|past| past.remove(&saved.key)).unwrap_or_default();
        let was_fresh = !saved.gone && stopped < saved.stale_from.unwrap_or(saved.arrived) + saved.stale_after;
        // How long it has been silent counts only time in which somebody watched.
        let silent_since = saved.arrived + blind;
        let kind = self.kinds.get_key_value(&saved.key.kind).map_or(&saved.key.kind, |(known, _)| known).clone();
        let subject = Subject {
            key: SubjectKey { kind: kind.clone(), name: saved.key.name },
            labels: Labels::new(),
            time: saved.time,
            arrived: silent_since,
            stale_from: if was_fresh { now.time } else { silent_since },
            first_seen: saved.first_seen + blind,
            source: saved.source,
            stale_after: saved.stale_after,
            gone: saved.gone,
            blind: saved.blind + blind,
        };
        let mut arrivals = Arrivals::default();
        arrivals.push(silent_since, self.calendar.day_of(now.wall_of(silent_since)));
        arrivals.forget_before(silent_since);
        let day = self.calendar.remember_day_of(now.wall_of(saved.observed));
        let (fields, observed) = (Vec::new(), saved.observed);
        let mut record = Record { subject, fields, arrivals, began, observed, fresh_until: None };
        let members = self.kinds.entry(kind).or_default();
        for (name, value) in saved.fields {
            let since = saved.held.get(&name).map_or(saved.arrived, |since| *since);
            let observation = Observation { time: saved.observed, arrived: since + blind, day, value };
            let known = past.take(&name).and_then(|field| field.go_on(&observation, cut));
            let field = known.unwrap_or_else(|| Field::after_restart(observation, now.time));
            record.fields.push((members.add_field(name), field));
        }
        let id = self.table.insert(record);
        let Some(record) = self.table.get_mut(id) else { return };
        members.insert(id, &record.subject.key.name, &record.subject.source);
        record.subject.labels = members.label(&saved.labels, &record.subject.key.name, id);
        self.bytes += record.bytes();
        self.by_arrival.insert(silent_since, id);
        self.move_to(id, silent_since, was_fresh);
        if was_fresh {
            self.awaited.insert(id);
        }
    }

    /// From when until when nobody watched, in engine time: the engine was down. `None` where it never was.
    pub fn blind(&self) -> Option<(Time, Time)> {
        self.blind
    }

    /// Whether a subject was fresh when the engine stopped, and neither reported nor turned stale since it started again.
    pub fn is_awaited(&self, id: SubjectId) -> bool {
        self.awaited.contains(&id)
    }

    /// The subjects whose times are not what was stored of them: all that the engine's absence has moved.
    pub fn moved(&self) -> Vec<SubjectId> {
        let is_moved = self.blind.is_some_and(|(stopped, restarted)| stopped < restarted);
        match is_moved {
            true => self.ids().collect(),
            false => self.awaited.iter().copied().collect(),
        }
    }

    /// Whether any subject of a kind is [awaited](World::is_awaited): then its sets are not whole.
    pub fn awaits_any(&self, kind: &str) -> bool {
        !self.awaited.is_empty()
            && self.awaited.iter().any(|id| self.subject(*id).is_some_and(|subject| &*subject.key.kind == kind))
    }
}
