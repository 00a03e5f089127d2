//! The subjects of one kind by name, label and source.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::columns::Columns;
use super::{Subject, SubjectId};
use crate::model::Labels;

/// Subjects in the order of their names.
pub(crate) type Members = BTreeMap<Arc<str>, SubjectId>;

/// Everything that is known of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kind {
    /// All its subjects.
    pub(crate) members: Members,
    /// The same by hash: each snapshot is looked up.
    by_name: HashMap<Arc<str>, SubjectId, RandomState>,
    /// Label, value, subjects. Empty values are not here: a label that is empty is missing.
    by_label: HashMap<Arc<str>, HashMap<Arc<str>, Members>>,
    by_source: HashMap<Arc<str>, Members>,
    /// How many subjects ever had a field.
    fields: BTreeMap<Arc<str>, usize>,
    /// How often it changed who is among the fresh ones, and their labels, but for those that turned stale.
    pub(crate) membership: u64,
    pub(crate) columns: Columns,
}

impl Kind {
    /// Takes a subject in. Its labels are indexed by [`Kind::label`].
    pub(crate) fn insert(&mut self, id: SubjectId, name: &Arc<str>, source: &Arc<str>) {
        self.membership += 1;
        self.members.insert(name.clone(), id);
        self.by_name.insert(name.clone(), id);
        self.by_source.entry(source.clone()).or_default().insert(name.clone(), id);
    }

    /// Forgets a subject.
    pub(crate) fn remove<'a>(&mut self, subject: &Subject, fields: impl Iterator<Item = &'a Arc<str>>) {
        self.membership += 1;
        self.members.remove(&subject.key.name);
        self.by_name.remove(&subject.key.name);
        if let Some(members) = self.by_source.get_mut(&subject.source) {
            members.remove(&subject.key.name);
            if members.is_empty() {
                self.by_source.remove(&subject.source);
            }
        }
        self.unlabel(&subject.labels, &subject.key.name);
        for field in fields {
            self.drop_field(field);
        }
    }

    /// The subject of a name.
    pub(crate) fn find(&self, name: &str) -> Option<SubjectId> {
        self.by_name.get(name).copied()
    }

    /// Indexes a subject's labels; returns them with the texts that the index already has.
    pub(crate) fn label(&mut self, labels: &Labels, name: &Arc<str>, id: SubjectId) -> Labels {
        self.membership += 1;
        let mut shared = Labels::new();
        for (label, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            let label = self.by_label.get_key_value(label).map_or(label, |(known, _)| known).clone();
            let values = self.by_label.entry(label.clone()).or_default();
            let value = values.get_key_value(value).map_or(value, |(known, _)| known).clone();
            values.entry(value.clone()).or_default().insert(name.clone(), id);
            shared.insert(label, value);
        }
        shared
    }

    /// Takes a subject's labels out of the index.
    pub(crate) fn unlabel(&mut self, labels: &Labels, name: &str) {
        for (label, value) in labels {
            let Some(values) = self.by_label.get_mut(label) else { continue };
            if let Some(members) = values.get_mut(value) {
                members.remove(name);
                if members.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.by_label.remove(label);
            }
        }
    }

    /// Counts one more subject that has had the field; returns the name with the text that all share.
    pub(crate) fn add_field(&mut self, field: Arc<str>) -> Arc<str> {
        if let Some((known, _)) = self.fields.get_key_value(&field) {
            let known = known.clone();
            *self.fields.entry(known.clone()).or_default() += 1;
            return known;
        }
        self.fields.insert(field.clone(), 1);
        field
    }

    /// Counts one fewer.
    pub(crate) fn drop_field(&mut self, field: &Arc<str>) {
        if let Some(count) = self.fields.get_mut(field) {
            *count -= 1;
            if *count == 0 {
                self.fields.remove(field);
            }
        }
    }

    /// The names of all fields that any subject ever had, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Arc<str>> {
        self.fields.keys()
    }

    /// The subjects of a source, in the order of their names.
    pub(crate) fn of_source(&self, source: &str) -> impl Iterator<Item = SubjectId> {
        self.by_source.get(source).into_iter().flat_map(|members| members.values().copied())
    }

    /// The fewest subjects among which all with these labels are. `None` where the index says that there are none.
    pub(crate) fn candidates(&self, labels: &[(&str, &str)]) -> Option<&Members> {
        let mut fewest = &self.members;
        for (label, value) in labels {
            if matches!(*label, "name" | "kind") || value.is_empty() {
                continue;
            }
            let members = self.by_label.get(*label)?.get(*value)?;
            if members.len() < fewest.len() {
                fewest = members;
            }
        }
        Some(fewest)
    }
}
