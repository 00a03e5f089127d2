//! What came in a stretch of time, by columns: how samples are kept outside of memory.
//!
//! A block has the inputs of the stretch, and for each subject its rows: of which input each is, its time, its labels
//! where they changed, and a column for each field. So it can be replayed as it came, and one series can be read without
//! the others. It packs into bytes that say themselves what they are, with a checksum.

mod bytes;
mod column;
mod pack;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use bytes::Damaged;
pub(crate) use column::Column;
pub use replay::{Came, in_order};

use super::{Batch, BatchReport, Source};
use crate::model::{Labels, Now, Snapshot, SubjectKey, Time};

/// One input of a block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Input {
    /// The step that took it.
    pub(crate) sequence: u64,
    /// When it came.
    pub(crate) now: Now,
    /// Who made it.
    pub(crate) source: Source,
    /// What was taken of it is missing: it could not be stored.
    pub(crate) is_lost: bool,
}

/// What came of one subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows {
    /// The place of each row's input.
    pub(crate) inputs: Vec<u32>,
    /// Each row's time, in engine time.
    pub(crate) times: Vec<Time>,
    /// The rows that say that it is gone, in order.
    pub(crate) gone: Vec<u32>,
    /// From which row on it has which labels.
    pub(crate) labels: Vec<(u32, Labels)>,
    /// In the order of their names.
    pub(crate) fields: Vec<(Arc<str>, Column)>,
}

impl Rows {
    fn push(&mut self, input: u32, snapshot: &Snapshot) {
        let row = self.times.len() as u32;
        self.inputs.push(input);
        self.times.push(snapshot.time);
        if snapshot.gone {
            self.gone.push(row);
            return;
        }
        if self.labels.last().is_none_or(|(_, labels)| *labels != snapshot.labels) {
            self.labels.push((row, snapshot.labels.clone()));
        }
        for (place, (field, value)) in snapshot.fields.iter().enumerate() {
            // Nearly always the same fields come again.
            let known = self.fields.get(place).is_some_and(|(known, _)| known == field);
            let place = if known { place } else { self.place_of(field) };
            self.fields[place].1.push(row, value.clone());
        }
    }

    /// The place of a field, which it has from now on.
    fn place_of(&mut self, field: &Arc<str>) -> usize {
        self.fields.binary_search_by(|(known, _)| known.cmp(field)).unwrap_or_else(|place| {
            self.fields.insert(place, (field.clone(), Column::default()));
            place
        })
    }

    /// Adds what came later, in inputs that stand `inputs` places behind.
    fn append(&mut self, later: Rows, inputs: u32) {
        let n_rows = self.times.len() as u32;
        self.inputs.extend(later.inputs.into_iter().map(|input| input + inputs));
        self.times.extend(later.times);
        self.gone.extend(later.gone.into_iter().map(|row| row + n_rows));
        for (row, labels) in later.labels {
            if self.labels.last().is_none_or(|(_, known)| *known != labels) {
                self.labels.push((row + n_rows, labels));
            }
        }
        for (field, column) in later.fields {
            let place = self.place_of(&field);
            self.fields[place].1.append(column, n_rows);
        }
    }

    /// How many values it has.
    fn len(&self) -> usize {
        self.fields.iter().map(|(_, column)| column.len()).sum()
    }

    /// The labels of a row.
    pub(crate) fn labels_of(&self, row: usize) -> Option<&Labels> {
        let place = self.labels.partition_point(|(from, _)| *from as usize <= row);
        self.labels[..place].last().map(|(_, labels)| labels)
    }
}

/// What came in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    pub(crate) inputs: Vec<Input>,
    pub(crate) subjects: BTreeMap<SubjectKey, Rows>,
}

/// What a block is about, so that it can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The sequences of its first and its last input.
    pub sequences: (u64, u64),
    /// When its first and its last input came, in engine time.
    pub arrived: (Time, Time),
    /// Its first and its last subject. `None` where it has none.
    pub subjects: Option<(SubjectKey, SubjectKey)>,
    /// How many values it has.
    pub samples: usize,
}

impl Block {
    /// Adds an input that came after all others: what the world took of it.
    pub fn take(&mut self, sequence: u64, now: Now, batch: &Batch, report: &BatchReport) {
        let refused = |index: &usize| report.refused.binary_search_by_key(index, |(refused, _)| *refused).is_ok();
        let taken = batch.snapshots.iter().enumerate().filter(|(index, _)| !refused(index));
        let mut taken: Vec<&Snapshot> = taken.map(|(_, snapshot)| snapshot).collect();
        if taken.is_empty() && report.missing.is_empty() {
            return;
        }
        // As the world takes them.
        let order = |a: &&Snapshot, b: &&Snapshot| a.subject.cmp(&b.subject).then(a.time.cmp(&b.time));
        if !taken.is_sorted_by(|a, b| order(a, b).is_le()) {
            taken.sort_by(order);
        }
        let input = self.inputs.len() as u32;
        self.inputs.push(Input { sequence, now, source: batch.source.clone(), is_lost: false });
        for snapshot in taken {
            match self.subjects.get_mut(&snapshot.subject) {
                Some(rows) => rows.push(input, snapshot),
                None => self.subjects.entry(snapshot.subject.clone()).or_default().push(input, snapshot),
            }
        }
        for subject in &report.missing {
            let gone = Snapshot {
                subject: subject.clone(),
                time: now.time,
                labels: Labels::new(),
                fields: BTreeMap::new(),
                gone: true,
            };
            self.subjects.entry(subject.clone()).or_default().push(input, &gone);
        }
    }

    /// Adds an input that came after all others, of which it is only known that something was taken.
    pub fn lose(&mut self, sequence: u64, now: Now) {
        let source = Source { name: "unknown".into(), stale_after: Duration::ZERO };
        self.inputs.push(Input { sequence, now, source, is_lost: true });
    }

    /// Adds what came after all that it has.
    pub fn append(&mut self, later: Block) {
        let n_inputs = self.inputs.len() as u32;
        self.inputs.extend(later.inputs);
        for (subject, rows) in later.subjects {
            self.subjects.entry(subject).or_default().append(rows, n_inputs);
        }
    }

    /// What it is about. `None` where nothing came.
    pub fn extent(&self) -> Option<Extent> {
        let (first, last) = (self.inputs.first()?, self.inputs.last()?);
        let subjects = self.subjects.first_key_value().zip(self.subjects.last_key_value());
        Some(Extent {
            sequences: (first.sequence, last.sequence),
            arrived: (first.now.time, last.now.time),
            subjects: subjects.map(|((first, _), (last, _))| (first.clone(), last.clone())),
            samples: self.subjects.values().map(Rows::len).sum(),
        })
    }

    /// How far the wall clock was ahead of engine time at its last input, in microseconds.
    pub fn wall_offset(&self) -> Option<i64> {
        self.inputs.last().map(|input| input.now.wall_offset)
    }

    /// Parts with some subjects each, in their order, of about so many values.
    pub fn split(self, samples: usize) -> Vec<Block> {
        if self.subjects.is_empty() && !self.inputs.is_empty() {
            // Nothing but that something is missing.
            return vec![self];
        }
        let mut parts: Vec<(usize, Block)> = Vec::new();
        for (subject, rows) in self.subjects {
            let n_more = rows.len();
            let part = match parts.pop() {
                Some((n_samples, part)) if n_samples + n_more <= samples => (n_samples, part),
                full => {
                    parts.extend(full);
                    (0, Block { inputs: self.inputs.clone(), subjects: BTreeMap::new() })
                }
            };
            let (n_samples, mut part) = part;
            part.subjects.insert(subject, rows);
            parts.push((n_samples + n_more, part));
        }
        parts.into_iter().map(|(_, part)| part).collect()
    }
}
