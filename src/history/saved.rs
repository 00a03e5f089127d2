//! What is remembered of subjects over a restart, and the world as it is after one.
//!
//! A subject is not stored with each snapshot: what it is stored as, and the rows of the blocks that came since, are what
//! it is ([`SavedSubject::follow`]). It is stored anew where its rows do not say all, and every quarter of an hour, so that
//! not much has to be read to find them.
//!
//! Samples are not among it: they come from blocks that were stored ([`Past`]); a window that reaches back before
//! those has no answer, instead of a wrong one. Times that count how long something has lasted are moved by the time in which nobody watched, so that it does not count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::arrivals::Arrivals;
use super::backfill::{Backfill, OfSubject};
use super::block::{Block, Rows};
use super::field::{Field, Observation, readable, same};
use super::table::{Piece, Record};
use super::{Limits, Past, Subject, SubjectId, World};
use crate::model::{Labels, Now, SubjectKey, Time, Value};

/// What came in so long before the engine stopped must be known to it when it starts again: subjects that were stored before
/// are brought up to date from it.
pub const LEADS_UP: Duration = Duration::from_secs(20 * 60);

/// A subject that is behind is stored within so many minutes, each at another one.
const MINUTES_BEHIND: u32 = 15;

const MINUTE: Duration = Duration::from_secs(60);

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

impl SavedSubject {
    /// When its first snapshot came, whether anybody watched since or not.
    pub(super) fn began(&self) -> Time {
        self.began.unwrap_or(self.first_seen)
    }

    /// Becomes what it was after the rows that came since it was stored.
    pub(super) fn follow(&mut self, block: &Block, rows: &Rows) {
        let arrived = |input: &u32| block.inputs.get(*input as usize).map(|input| input.now.time);
        let first = rows.inputs.partition_point(|input| arrived(input).is_none_or(|arrived| arrived <= self.arrived));
        for row in first..rows.times.len() {
            let Some(arrived) = arrived(&rows.inputs[row]) else { continue };
            // One that says that it is gone is stored as such.
            if rows.gone.binary_search(&(row as u32)).is_ok() {
                continue;
            }
            let before = std::mem::replace(&mut self.arrived, arrived);
            (self.time, self.observed) = (rows.times[row], rows.times[row]);
            (self.stale_from, self.blind) = (None, Duration::ZERO);
            for (name, known) in &mut self.fields {
                let column = rows.fields.binary_search_by(|(field, _)| field.cmp(name)).ok();
                let value = column.and_then(|column| rows.fields[column].1.get(row)).filter(readable);
                let goes_on = known.as_ref().zip(value.as_ref()).is_some_and(|(known, value)| same(known, value));
                if goes_on {
                    self.held.entry(name.clone()).or_insert(before);
                } else {
                    self.held.remove(name);
                }
                *known = value;
            }
        }
    }

    /// Something that came at a time is missing: fields may have had other values then.
    pub(super) fn doubt(&mut self, missing: Time) {
        self.held.values_mut().for_each(|since| *since = missing.max(*since));
    }
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
        let keys: Vec<SubjectKey> = subjects.iter().map(|saved| saved.key.clone()).collect();
        let mut known = Backfill::of(past, (world.limits.memory, world.calendar.clone()), subjects);
        for key in keys {
            let Some(subject) = known.remove(&key) else { continue };
            let watched = world.paused_since(&subject.saved.source).map_or(stopped, |since| since.min(stopped));
            world.take_up(subject, (watched, blind, now));
        }
        for since in world.paused.values_mut() {
            *since = *since + blind;
        }
        for (source, since) in world.paused.clone() {
            world.pause(source, since);
        }
        world
    }

    fn take_up(&mut self, subject: OfSubject, (stopped, blind, now): (Time, Duration, Now)) {
        let OfSubject { saved, fields: mut past, cut, is_doubtful, .. } = subject;
        let began = saved.began();
        // Of one whose newest snapshots are missing it is not known that it was silent.
        let was_fresh =
            !saved.gone && (is_doubtful || stopped < saved.stale_from.unwrap_or(saved.arrived) + saved.stale_after);
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
        let piece = Piece::Outdated;
        let mut record = Record { subject, fields, arrivals, began, observed, fresh_until: None, piece };
        let members = self.kinds.entry(kind).or_default();
        for (name, value) in saved.fields {
            let since = saved.held.get(&name).map_or(saved.arrived, |since| *since);
            let observation = Observation { time: saved.observed, arrived: since + blind, day, value };
            let place = past.binary_search_by(|(known, _)| known.cmp(&name)).ok();
            let known = place.map(|place| past.remove(place).1).and_then(|field| field.go_on(&observation, cut));
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

    /// Whether what is stored of a subject must be stored anew.
    pub(crate) fn is_outdated(&self, id: SubjectId) -> bool {
        self.table.get(id).is_some_and(|record| record.piece == Piece::Outdated)
    }

    /// What is to be remembered of a subject is stored as it is now.
    pub(crate) fn is_stored(&mut self, id: SubjectId) {
        if let Some(record) = self.table.get_mut(id) {
            record.piece = Piece::Current;
        }
    }

    /// A snapshot came of a subject whose piece was what it is.
    pub(super) fn fall_behind(&mut self, now: Time, id: SubjectId) {
        let minutes = id.place() as u32 % MINUTES_BEHIND;
        self.behind.entry(now.next_multiple(MINUTE) + minutes * MINUTE).or_default().push(id);
    }

    /// The subjects that are behind for so long that they must be stored anew. A few may be current again.
    pub(crate) fn far_behind(&mut self, now: Time) -> Vec<SubjectId> {
        let mut far = Vec::new();
        while let Some(due) = self.behind.first_entry().filter(|due| *due.key() <= now) {
            far.extend(due.remove());
        }
        far.retain(|id| self.table.get(*id).is_some_and(|record| record.piece == Piece::Behind));
        far
    }

    /// Whether any subject of a kind is [awaited](World::is_awaited): then its sets are not whole.
    pub fn awaits_any(&self, kind: &str) -> bool {
        !self.awaited.is_empty()
            && self.awaited.iter().any(|id| self.subject(*id).is_some_and(|subject| &*subject.key.kind == kind))
    }
}
