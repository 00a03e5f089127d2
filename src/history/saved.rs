//! What is remembered of subjects over a restart, and the world as it is after one.
//!
//! Samples are not among it: a window that reaches back before the restart has no answer, instead of a wrong one. Times
//! that count how long something has lasted are moved by the time in which nobody watched, so that it does not count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::arrivals::Arrivals;
use super::field::{Field, Observation};
use super::table::Record;
use super::{Limits, Subject, SubjectId, World};
use crate::model::{Labels, Now, SubjectKey, Time, Value};

/// One subject, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSubject {
    /// Kind and name.
    pub key: SubjectKey,
    /// The labels of its newest snapshot.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Labels,
    /// The `time` of its newest snapshot.
    pub time: Time,
    /// The `time` of its newest snapshot with fields.
    pub observed: Time,
    /// When its newest snapshot arrived, in engine time.
    pub arrived: Time,
    /// From when on its silence makes it stale, where that is later: the engine started again since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_from: Option<Time>,
    /// How long nobody watched since its newest snapshot.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub blind: Duration,
    /// When its first snapshot arrived, in engine time.
    pub first_seen: Time,
    /// Who writes it.
    pub source: Arc<str>,
    /// After how long without a snapshot it is stale.
    pub stale_after: Duration,
    /// Its source says that it no longer exists.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Every field that it ever had, with its newest value; `None` where the newest snapshot lacks it, or it cannot be
    /// read.
    pub fields: BTreeMap<Arc<str>, Option<Value>>,
    /// Since when fields have had their values, in engine time, where that is before the newest snapshot.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<Arc<str>, Time>,
}

impl World {
    /// What is to be remembered of a subject. `None` once it was forgotten.
    pub fn saved(&self, id: SubjectId) -> Option<SavedSubject> {
        let record = self.table.get(id)?;
        let subject = &record.subject;
        let held = record.fields.iter().filter_map(|(name, field)| {
            let (_, since) = field.held().filter(|(_, since)| *since < subject.arrived)?;
            Some((name.clone(), since))
        });
        let value = |field: &Field| field.newest().filter(|v| v.as_number().is_none_or(f64::is_finite)).cloned();
        Some(SavedSubject {
            key: subject.key.clone(),
            labels: subject.labels.clone(),
            time: subject.time,
            observed: record.observed,
            arrived: subject.arrived,
            stale_from: Some(subject.stale_from).filter(|from| *from != subject.arrived),
            blind: subject.blind,
            first_seen: subject.first_seen,
            source: subject.source.clone(),
            stale_after: subject.stale_after,
            gone: subject.gone,
            fields: record.fields.iter().map(|(name, field)| (name.clone(), value(field))).collect(),
            held: held.collect(),
        })
    }

    /// The world after a restart at `now`, of which the last that was stored is of `stopped`. Subjects that were fresh then
    /// are awaited, and turn stale anew.
    ///
    /// `paused` are the sources that were paused then, and since when.
    pub fn restore(
        limits: Limits,
        zone: jiff::tz::TimeZone,
        (stopped, now): (Time, Now),
        paused: BTreeMap<Option<Arc<str>>, Time>,
        subjects: impl IntoIterator<Item = SavedSubject>,
    ) -> World {
        let mut world = World::new(limits, zone, now);
        world.paused = paused;
        let blind = now.time.since(stopped);
        world.started = Time::EPOCH;
        world.blind = Some((stopped, now.time));
        for saved in subjects {
            let watched = world.paused_since(&saved.source).map_or(stopped, |since| since.min(stopped));
            world.take_up(saved, watched, blind, now);
        }
        for since in world.paused.values_mut() {
            *since = *since + blind;
        }
        for (source, since) in world.paused.clone() {
            world.pause(source, since);
        }
        world
    }

    fn take_up(&mut self, saved: SavedSubject, stopped: Time, blind: Duration, now: Now) {
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
        let mut record = Record { subject, fields: Vec::new(), arrivals, observed: saved.observed };
        let members = self.kinds.entry(kind).or_default();
        for (name, value) in saved.fields {
            let since = saved.held.get(&name).map_or(saved.arrived, |since| *since);
            let observation = Observation { time: saved.observed, arrived: since + blind, day, value };
            record.fields.push((members.add_field(name), Field::after_restart(observation, now.time)));
        }
        let id = self.table.insert(record);
        let Some(record) = self.table.get_mut(id) else { return };
        members.insert(id, &record.subject.key.name, &record.subject.source);
        record.subject.labels = members.label(&saved.labels, &record.subject.key.name, id);
        self.bytes += record.bytes();
        self.by_arrival.insert((silent_since, id));
        let stale_at = record.subject.stale_at();
        if was_fresh {
            self.fresh.insert((stale_at, id));
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
            true => self.by_arrival.iter().map(|(_, id)| *id).collect(),
            false => self.awaited.iter().copied().collect(),
        }
    }

    /// Whether any subject of a kind is [awaited](World::is_awaited): then its sets are not whole.
    pub fn awaits_any(&self, kind: &str) -> bool {
        !self.awaited.is_empty()
            && self.awaited.iter().any(|id| self.subject(*id).is_some_and(|subject| &*subject.key.kind == kind))
    }
}
