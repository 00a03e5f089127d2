//! Subjects by id.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::arrivals::Arrivals;
use super::field::Field;
use super::{Subject, SubjectId};
use crate::model::{Labels, Time, Value};

/// The place at which a field was found last: the subjects of a kind mostly have the same fields.
#[derive(Debug, Default)]
pub(crate) struct Place(AtomicUsize);

impl Place {
    /// Where the field was found last.
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clone for Place {
    fn clone(&self) -> Place {
        Place(AtomicUsize::new(self.get()))
    }
}

/// It is only a guess.
impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

/// A subject with its history.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) subject: Subject,
    /// Every field that it ever had, in the order of their names. A vector, because most subjects have few.
    pub(crate) fields: Vec<(Arc<str>, Field)>,
    pub(crate) arrivals: Arrivals,
    /// When its first snapshot arrived, in engine time, whether anybody watched since or not.
    pub(crate) began: Time,
    /// The time of its newest snapshot with fields: that of a gone subject is newer.
    pub(crate) observed: Time,
    /// Where it stands among the fresh ones: when it turns stale. `None` where it is stale, and was told so, or gone.
    pub(crate) fresh_until: Option<Time>,
    /// What is stored of it.
    pub(crate) piece: Piece,
}

/// How far what was stored of a subject, in a piece of its own, tells what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// It must be stored anew.
    Outdated,
    /// What came since then leads from it to what the subject is.
    Behind,
    /// It is what the subject is.
    Current,
}

impl Record {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        let place = self.fields.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(&self.fields[place].1)
    }

    /// As [`Record::field`], of a name that is looked for in many records, with the field's place in this one: `place` may
    /// be another by now, as other threads look at other records.
    pub(crate) fn field_at(&self, name: &str, place: &Place) -> Option<(usize, &Field)> {
        let guess = place.get();
        if let Some((known, field)) = self.fields.get(guess)
            && **known == *name
        {
            return Some((guess, field));
        }
        let found = self.fields.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        place.0.store(found, Ordering::Relaxed);
        Some((found, &self.fields[found].1))
    }

    /// Whether it ever had all of these fields.
    pub(crate) fn has_all(&self, fields: &BTreeMap<Arc<str>, Value>) -> bool {
        let mut known = self.fields.iter();
        fields.keys().all(|field| known.any(|(known, _)| known == field))
    }

    /// A snapshot came after what was stored; it leads on from there or not. Says whether the piece only now falls behind.
    pub(crate) fn move_piece(&mut self, leads_on: bool) -> bool {
        let was = self.piece;
        match was {
            _ if !leads_on => self.piece = Piece::Outdated,
            Piece::Current => self.piece = Piece::Behind,
            Piece::Behind | Piece::Outdated => {}
        }
        leads_on && was == Piece::Current
    }

    /// About how many bytes it takes, with its entries in the indexes.
    pub(crate) fn bytes(&self) -> usize {
        let labels = label_bytes(&self.subject.labels);
        let fields: usize = self.fields.iter().map(|(name, field)| field_bytes(name, field)).sum();
        size_of::<Record>() + 300 + 2 * self.subject.key.name.len() + labels + fields + self.arrivals.bytes()
    }
}

/// About how many bytes labels take, with their entries in the index.
pub(crate) fn label_bytes(labels: &Labels) -> usize {
    labels.keys().map(|label| 150 + label.len()).sum()
}

/// About how many bytes a field takes in its record.
pub(crate) fn field_bytes(name: &str, field: &Field) -> usize {
    16 + name.len() + field.bytes()
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
    (id.place(), (id.0 >> 32) as u32)
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

    /// Takes a record out of its slot for a while: until it is put back, its id finds nothing.
    pub(crate) fn take_out(&mut self, id: SubjectId) -> Option<Box<Record>> {
        let (place, generation) = split(id);
        self.slots.get_mut(place).filter(|slot| slot.generation == generation)?.record.take()
    }

    /// Puts a record back into the slot from which it was taken out.
    pub(crate) fn put_back(&mut self, id: SubjectId, record: Box<Record>) {
        if let Some(slot) = self.slots.get_mut(id.place()) {
            slot.record = Some(record);
        }
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

    /// The ids of all of them, in no order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SubjectId> {
        let known = self.slots.iter().enumerate().filter(|(_, slot)| slot.record.is_some());
        known.map(|(place, slot)| SubjectId(u64::from(slot.generation) << 32 | place as u64))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.slots.iter_mut().filter_map(|slot| slot.record.as_deref_mut())
    }
}
