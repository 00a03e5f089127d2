//! Subjects and snapshots of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Time, Value};

/// Labels: name to text, in order of the names.
pub type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// The identity of a subject: its kind and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubjectKey {
    /// What sort of thing it is: `host`, `service`, `disk`.
    pub kind: Arc<str>,
    /// Which one: `web-1:/var`.
    pub name: Arc<str>,
}

impl SubjectKey {
    /// The key of the subject `name` of kind `kind`.
    pub fn new(kind: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> SubjectKey {
        SubjectKey { kind: kind.into(), name: name.into() }
    }
}

impl fmt::Display for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One observation of one subject at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// What was observed.
    pub subject: SubjectKey,
    /// When it was observed, in engine time.
    pub time: Time,
    /// The subject's labels as of this snapshot.
    pub labels: Labels,
    /// What was seen. A field that is not here was not seen.
    pub fields: BTreeMap<Arc<str>, Value>,
    /// The source says that the subject no longer exists; the fields are empty.
    pub gone: bool,
}
