//! Building a snapshot field by field.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Labels, Snapshot, SubjectKey, Time, Value};

/// A snapshot in the making. A value that is `None` is not seen: the field is missing, which is not 0.
pub(super) struct Observation(Snapshot);

impl Observation {
    pub(super) fn of(kind: &str, name: impl Into<Arc<str>>, time: Time) -> Observation {
        Observation(Snapshot {
            subject: SubjectKey::new(kind, name),
            time,
            labels: Labels::new(),
            fields: BTreeMap::new(),
            gone: false,
        })
    }

    pub(super) fn label(&mut self, name: &str, value: &str) -> &mut Observation {
        self.0.labels.insert(name.into(), value.into());
        self
    }

    pub(super) fn labels(&mut self, labels: &Labels) -> &mut Observation {
        self.0.labels.extend(labels.iter().map(|(name, value)| (name.clone(), value.clone())));
        self
    }

    pub(super) fn number(&mut self, field: &str, value: impl Into<Option<f64>>) -> &mut Observation {
        if let Some(number) = value.into() {
            self.0.fields.insert(field.into(), Value::Number(number));
        }
        self
    }

    pub(super) fn count(&mut self, field: &str, value: impl Into<Option<u64>>) -> &mut Observation {
        self.number(field, value.into().map(|count| count as f64))
    }

    pub(super) fn text(&mut self, field: &str, value: &str) -> &mut Observation {
        self.0.fields.insert(field.into(), Value::from(value));
        self
    }

    pub(super) fn finish(self) -> Snapshot {
        self.0
    }
}

/// `part` of `whole` in percent; missing where there is no whole.
pub(super) fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| 100.0 * part / whole)
}
