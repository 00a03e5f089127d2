//! The newest numbers of a field of all subjects of a kind, side by side: for questions about sets, which would otherwise
//! look at each subject far away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::table::{Place, Record};
use super::{SubjectId, World};

/// As many fields of a kind have columns.
const MOST: usize = 64;

/// One field's numbers, by the subjects' places in the table.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// Not finite where the subject must be asked.
    numbers: Vec<f64>,
    place: Place,
}

impl Column {
    /// The field's number in the newest snapshot of a subject of the kind. `None` where it is no number, or not finite, or
    /// the subject lacks it.
    pub(crate) fn number(&self, id: SubjectId) -> Option<f64> {
        self.numbers.get(id.place()).copied().filter(|number| number.is_finite())
    }

    fn note(&mut self, field: &str, id: SubjectId, record: &Record) {
        let newest = record.field_at(field, &self.place).and_then(|(_, field)| field.newest()?.as_number());
        if self.numbers.len() <= id.place() {
            self.numbers.resize(id.place() + 1, f64::NAN);
        }
        self.numbers[id.place()] = newest.unwrap_or(f64::NAN);
    }
}

/// The columns of a kind: of the fields that sets were asked about. None of it is needed: a copy begins without.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    columns: BTreeMap<Arc<str>, Column>,
    /// Fields that were asked about and have no column.
    wanted: Mutex<BTreeSet<Arc<str>>>,
}

impl Clone for Columns {
    fn clone(&self) -> Columns {
        Columns::default()
    }
}

impl Columns {
    /// A subject took a snapshot.
    pub(crate) fn note(&mut self, id: SubjectId, record: &Record) {
        self.columns.iter_mut().for_each(|(field, column)| column.note(field, id, record));
    }
}

impl World {
    /// The numbers of a field of the fresh subjects of a kind. `None` where each must be asked: nobody asked before, or a
    /// source is paused.
    pub(crate) fn column(&self, kind: &str, field: &str) -> Option<&Column> {
        let members = self.kinds.get(kind)?;
        let columns = &members.columns;
        let column = columns.columns.get(field);
        if column.is_none()
            && columns.columns.len() < MOST
            && let Some(field) = members.fields().find(|known| ***known == *field)
        {
            columns.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(field.clone());
        }
        column.filter(|_| self.paused.is_empty())
    }

    /// Makes the columns that were asked for.
    pub(super) fn make_columns(&mut self) {
        for kind in self.kinds.values_mut() {
            let wanted = std::mem::take(kind.columns.wanted.get_mut().unwrap_or_else(PoisonError::into_inner));
            for field in wanted.into_iter().take(MOST.saturating_sub(kind.columns.columns.len())) {
                let mut column = Column::default();
                for id in kind.members.values() {
                    self.table.get(*id).into_iter().for_each(|record| column.note(&field, *id, record));
                }
                kind.columns.columns.insert(field, column);
            }
        }
    }

    /// Forgets columns: rules that asked for them may be others now.
    pub(crate) fn forget_columns(&mut self) {
        self.kinds.values_mut().for_each(|kind| kind.columns = Columns::default());
    }

    /// Which subjects of a kind are fresh, and their labels, has changed as often as this says, but for those that turn
    /// stale as time passes. `None` where nothing can be said: a source is paused, or the kind is not known.
    pub(crate) fn membership(&self, kind: &str) -> Option<u64> {
        self.kinds.get(kind).filter(|_| self.paused.is_empty()).map(|kind| self.left_memberships + kind.membership)
    }
}
