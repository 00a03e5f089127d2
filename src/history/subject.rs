//! A subject as the world knows it.

use std::sync::Arc;
use std::time::Duration;

use super::Source;
use crate::model::{Labels, SubjectKey, Time};

/// A subject of the world: it stays valid until the subject is forgotten, and is never used for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(pub u64);

impl SubjectId {
    /// Its place in the table of subjects: a small number that no other known subject has.
    pub(crate) const fn place(self) -> usize {
        (self.0 & u32::MAX as u64) as usize
    }
}

/// A subject: its newest snapshot and how it came.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Kind and name.
    pub key: SubjectKey,
    /// The labels of its newest snapshot. A gone subject keeps its last ones.
    pub labels: Labels,
    /// The `time` of its newest snapshot.
    pub time: Time,
    /// When its newest snapshot arrived, in engine time.
    pub arrived: Time,
    /// When its first snapshot arrived, in engine time.
    pub first_seen: Time,
    /// Who writes it.
    pub source: Arc<str>,
    /// After how long without a snapshot it is stale.
    pub stale_after: Duration,
    /// Its source says that it no longer exists.
    pub gone: bool,
    /// From when on its silence makes it stale: when its newest snapshot arrived, or the engine started again since.
    pub stale_from: Time,
    /// How long nobody watched since its newest snapshot: the engine was down.
    pub blind: Duration,
}

impl Subject {
    /// When it turns stale, if no snapshot comes before.
    pub fn stale_at(&self) -> Time {
        self.stale_from + self.stale_after
    }

    /// Whether a snapshot that comes now says by itself what the subject is then, but for its fields and labels.
    pub(super) fn leads_on_to(&self, now: Time, source: &Source) -> bool {
        // At one time several may come, and a piece does not say after which of them it was stored.
        !self.gone
            && self.arrived < now
            && self.stale_from == self.arrived
            && self.blind.is_zero()
            && self.stale_after == source.stale_after
    }

    /// The value of a label; `name` and `kind` count as labels, and one that is missing is empty.
    pub fn label(&self, label: &str) -> &str {
        match label {
            "name" => &self.key.name,
            "kind" => &self.key.kind,
            _ => self.labels.get(label).map_or("", |value| value),
        }
    }
}
