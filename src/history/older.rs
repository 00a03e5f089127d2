//! What is older than everything that is kept, of the fields that rules look back on for longer: read from blocks that were
//! stored when rules are put in force, and put before what the world has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::backfill::Filling;
use super::calendar::Calendar;
use super::field::Field;
use super::world::lookback;
use super::{BEFORE, Block, Reach, World};
use crate::model::{SubjectKey, Time};

/// A subject that was silent for so long may have been forgotten meanwhile.
const SILENCE: Duration = Duration::from_secs(60);

/// The past of fields, from what was stored.
#[derive(Debug)]
pub struct Older {
    reach: Reach,
    /// From when on everything is in it, in engine time.
    since: Time,
    /// When the newest of it came.
    until: Time,
    /// About how many bytes it takes.
    bytes: usize,
    calendar: Calendar,
    subjects: HashMap<SubjectKey, Past>,
}

/// The past of one subject's fields.
#[derive(Debug, Default)]
struct Past {
    /// In the order of their names.
    fields: Vec<(Arc<str>, Field)>,
    is_gone: bool,
    /// When a snapshot came after a silence, and the earliest time of those that came from then on up to the next one.
    stretches: Vec<(Time, Time)>,
    arrived: Option<Time>,
}

impl Past {
    /// Takes the arrival of a snapshot of a time.
    fn note(&mut self, arrived: Time, time: Time) {
        let is_heard = self.arrived.replace(arrived).is_some_and(|before| arrived.since(before) < SILENCE);
        match self.stretches.last_mut().filter(|_| is_heard) {
            Some((_, earliest)) => *earliest = time.min(*earliest),
            None => self.stretches.push((arrived, time)),
        }
    }

    /// The earliest time of what came from then on.
    fn earliest(&self, began: Time) -> Time {
        let place = self.stretches.partition_point(|(arrived, _)| *arrived < began);
        let since = &self.stretches[place..];
        // It may have come without a silence, where it was forgotten by hand.
        let first = Some(began).filter(|began| since.first().is_none_or(|(arrived, _)| arrived != began));
        since.iter().map(|(_, time)| *time).chain(first).min().unwrap_or(began)
    }
}

impl Older {
    /// Nothing yet, of the fields that are looked at. Everything that came after `since` is yet to be taken.
    pub fn new(reach: Reach, since: Time) -> Older {
        // Days are summed up when their samples come, and not here.
        let (calendar, subjects) = (Calendar::new(jiff::tz::TimeZone::UTC), HashMap::new());
        Older { reach, since, until: since, bytes: 0, calendar, subjects }
    }

    /// Whether it takes anything of the subjects of a kind.
    pub fn wants(&self, kind: &str) -> bool {
        self.reach.asks_of(kind)
    }

    /// Takes what came after all that it has.
    pub fn take(&mut self, mut block: Block) {
        for input in block.inputs.iter().filter(|input| input.is_lost) {
            self.since = self.since.max(input.now.time);
        }
        self.until = self.until.max(block.inputs.last().map_or(self.until, |input| input.now.time));
        for (subject, mut rows) in std::mem::take(&mut block.subjects) {
            rows.fields.retain(|(field, _)| !self.reach.of(&subject.kind, field).is_zero());
            if rows.fields.is_empty() && !self.subjects.contains_key(&subject) {
                continue;
            }
            let subject_kind = subject.kind.clone();
            let past = self.subjects.entry(subject).or_default();
            let was_gone = past.is_gone;
            if let Some(last) = rows.times.len().checked_sub(1) {
                past.is_gone = rows.gone.binary_search(&(last as u32)).is_ok();
            }
            for (time, input) in rows.times.iter().zip(&rows.inputs) {
                block.inputs.get(*input as usize).into_iter().for_each(|input| past.note(input.now.time, *time));
            }
            let days: Vec<_> = rows.times.iter().map(|time| self.calendar.remember_day_of(*time)).collect();
            let began = Time::from_micros(i64::MIN);
            let before = bytes_of(&past.fields);
            // Each field is kept for as long as it is looked back on; one that nobody looks at any more is not there.
            let kept =
                rows.fields.iter().map(|(field, _)| self.reach.of(&subject_kind, field)).max().unwrap_or_default();
            let filling = Filling { block: &block, rows: &rows, days: &days, began, was_gone, kept: kept + BEFORE };
            filling.fill(&mut past.fields);
            self.bytes = self.bytes - before + bytes_of(&past.fields);
        }
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives up the older half of it, as it is at a time.
    pub fn halve(&mut self, now: Time) {
        self.since = now - now.since(self.since) / 2;
        self.bytes = 0;
        for past in self.subjects.values_mut() {
            for (_, field) in &mut past.fields {
                field.give_up(self.since, Duration::ZERO);
                field.shrink();
            }
            self.bytes += bytes_of(&past.fields);
        }
    }
}

fn bytes_of(fields: &[(Arc<str>, Field)]) -> usize {
    fields.iter().map(|(_, field)| field.bytes()).sum()
}

impl World {
    /// From now on keeps fields for as long as rules look back at them, and everything else for as long as ever.
    pub fn look_back(&mut self, reach: &Reach) {
        let reach = reach.beyond(self.limits.memory);
        if reach == self.reach {
            return;
        }
        self.reach = reach;
        for record in self.table.iter_mut() {
            for (name, field) in &mut record.fields {
                field.stretch(stretch(&self.reach, &record.subject.key.kind, name, self.limits.memory));
            }
        }
    }

    /// Puts what was stored before what it has of the fields that are looked back on.
    pub fn put_before(&mut self, older: &Older) {
        self.look_back(&older.reach);
        for (subject, past) in &older.subjects {
            let id = self.find(&subject.kind, &subject.name);
            let Some(record) = id.and_then(|id| self.table.get_mut(id)) else { continue };
            let since = Some(older.since).filter(|since| *since > record.began);
            // What came before was of one that was forgotten.
            let first = since.unwrap_or_else(|| past.earliest(record.began));
            let before = record.bytes();
            for (name, past) in &past.fields {
                if let Ok(place) = record.fields.binary_search_by(|(known, _)| known.cmp(name)) {
                    let field = &mut record.fields[place].1;
                    // What was given up and is not stored yet would be missing in between.
                    if field.given_up().is_none_or(|given_up| given_up <= older.until) {
                        field.put_before(past, first, since);
                        field.give_up(record.subject.time - lookback(record.subject.stale_after), self.kept);
                    }
                }
            }
            self.bytes = self.bytes - before + record.bytes();
        }
    }
}

/// How many times as long as everything else a field is kept; at least 1.
pub(super) fn stretch(reach: &Reach, kind: &str, field: &str, memory: Duration) -> f32 {
    (reach.of(kind, field).as_secs_f64() / memory.as_secs_f64()).max(1.0) as f32
}
