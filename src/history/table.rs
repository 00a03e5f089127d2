//! Subjects by id.

use std::sync::Arc;

use super::arrivals::Arrivals;
use super::field::Field;
use super::{Subject, SubjectId};
use crate::model::Time;

/// A subject with its history.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) subject: Subject,
    /// Every field that it ever had, in the order of their names. A vector, because most subjects have few.
    pub(crate) fields: Vec<(Arc<str>, Field)>,
    pub(crate) arrivals: Arrivals,
    /// The time of its newest snapshot with fields: that of a gone subject is newer.
    pub(crate) observed: Time,
}

impl Record {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        let place = self.fields.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(&self.fields[place].1)
    }

    /// The name of a field, shared.
    pub(crate) fn name_of(&self, name: &str) -> Option<Arc<str>> {
        let place = self.fields.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(self.fields[place].0.clone())
    }

    /// About how many bytes it takes, with its entries in the indexes.
    pub(crate) fn bytes(&self) -> usize {
        let labels: usize = self.subject.labels.keys().map(|label| 150 + label.len()).sum();
        let fields: usize = self.fields.iter().map(|(name, field)| 16 + name.len() + field.bytes()).sum();
        size_of::<Record>() + 300 + 2 * self.subject.key.name.len() + labels + fields + self.arrivals.bytes()
    }
}

/// Subjects by id. A slot is used again under a new generation, so that an old id never finds another subject.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Slot {
    generation: u32,
    record: Option<Box<Record>>,
}

fn split(id: SubjectId) -> (usize, u32) {
    ((id.0 & u64::from(u32::MAX)) as usize, (id.0 >> 32) as u32)
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn insert(&mut self, record: Record) -> SubjectId {
        let record = Some(Box::new(record));
        let place = match self.free.pop() {
            Some(place) => {
                let slot = &mut self.slots[place as usize];
                slot.generation += 1;
                slot.record = record;
                place
            }
            None => {
                self.slots.push(Slot { generation: 0, record });
                (self.slots.len() - 1) as u32
            }
        };
        SubjectId(u64::from(self.slots[place as usize].generation) << 32 | u64::from(place))
    }

    pub(crate) fn get(&self, id: SubjectId) -> Option<&Record> {
        let (place, generation) = split(id);
        self.slots.get(place).filter(|slot| slot.generation == generation)?.record.as_deref()
    }

    pub(crate) fn get_mut(&mut self, id: SubjectId) -> Option<&mut Record> {
        let (place, generation) = split(id);
        self.slots.get_mut(place).filter(|slot| slot.generation == generation)?.record.as_deref_mut()
    }

    pub(crate) fn remove(&mut self, id: SubjectId) -> Option<Record> {
        let (place, generation) = split(id);
        let slot = self.slots.get_mut(place).filter(|slot| slot.generation == generation)?;
        let record = slot.record.take()?;
        // A slot whose generations are used up is left alone.
        if generation < u32::MAX {
            self.free.push(place as u32);
        }
        Some(*record)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.slots.iter_mut().filter_map(|slot| slot.record.as_deref_mut())
    }
}
