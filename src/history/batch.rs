//! What the world is told, what became of it, and how much of it is kept.

use std::sync::Arc;
use std::time::Duration;

use super::SubjectId;
use crate::model::{Snapshot, SubjectKey, Time};

/// How far ahead of engine time a snapshot's time may be: clocks differ by that much without anybody's fault.
pub(crate) const MAX_AHEAD: Duration = Duration::from_secs(30);

/// Who makes snapshots.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The collector's name: `host`, `http:shop-api`, `push`.
    pub name: Arc<str>,
    /// After how long without a snapshot a subject of this source is stale.
    pub stale_after: Duration,
}

/// One input of snapshots: a push, or one pass of a collector.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Who made it.
    pub source: Source,
    /// The snapshots; refusals name their index.
    pub snapshots: Vec<Snapshot>,
    /// Kinds of which this batch names everything that exists: this source's other subjects of them are gone.
    pub complete: Vec<Arc<str>>,
}

/// Why one snapshot of a batch was not taken. The text is for the sender: "it is older than ..".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Older than the subject's newest judged snapshot.
    #[error("it is older than the subject's newest snapshot, which is of {newest}")]
    Late {
        /// The time of the newest snapshot.
        newest: Time,
    },
    /// More than 30 s ahead of engine time.
    #[error("its time is more than 30 s ahead: check the sender's clock")]
    Ahead,
    /// Its source is paused.
    #[error("the source `{source_name}` is paused: nothing of it is taken until it is resumed")]
    Paused {
        /// The source.
        source_name: Arc<str>,
    },
    /// The subject is known, and another source writes it.
    #[error("the subject belongs to the source `{owner}`, which wrote it first")]
    OtherSource {
        /// The source that first wrote the subject.
        owner: Arc<str>,
    },
    /// The world holds as many subjects as it may.
    #[error("there are already {max} subjects, which is the limit")]
    TooManySubjects {
        /// The limit.
        max: usize,
    },
    /// The subject would have more fields than it may.
    #[error("the subject would have more than {max} fields, which is the limit")]
    TooManyFields {
        /// The limit.
        max: usize,
    },
    /// The history holds as many bytes as it may.
    #[error("history holds {max} bytes, which is `history.memory_limit`: no new subject or field is taken")]
    MemoryLimit {
        /// The limit, in bytes.
        max: usize,
    },
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchReport {
    /// Subjects that got a newer snapshot (or a replaced one), in the order of their keys: these are judged.
    pub judged: Vec<SubjectId>,
    /// Subjects that are gone with this batch, in the order of their keys.
    pub gone: Vec<SubjectId>,
    /// Subjects of which more changed than a snapshot says by itself: what is stored of them must be stored anew.
    pub outdated: Vec<SubjectId>,
    /// The keys of gone ones that the batch lacks, though it names everything that exists.
    pub missing: Vec<SubjectKey>,
    /// How many snapshots were taken.
    pub taken: usize,
    /// How many were equal to what was known.
    pub duplicates: usize,
    /// What was refused, by index in the batch.
    pub refused: Vec<(usize, Refusal)>,
}

/// Windows also look at the sample before them, which is mostly not older than this.
pub const BEFORE: Duration = Duration::from_secs(900);

/// Bounds of what the world keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Samples are kept for this long.
    pub memory: Duration,
    /// Bytes of samples and subjects together.
    pub memory_limit: usize,
    /// Subjects of all kinds together.
    pub max_subjects: usize,
    /// Fields of one subject.
    pub max_fields: usize,
}

impl Limits {
    /// How far before now samples can be asked for.
    pub fn reach(&self) -> Duration {
        self.memory + BEFORE
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory: Duration::from_secs(24 * 3600),
            memory_limit: 512 << 20,
            max_subjects: 100_000,
            max_fields: 1_000,
        }
    }
}
