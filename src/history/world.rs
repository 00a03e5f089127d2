//! The world: every subject that is known, with its history.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Labels, NoData, Now, Snapshot, SubjectKey, Time, Value};

/// A subject of the world: an index that stays valid until the subject is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(pub u64);

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

/// Why one snapshot of a batch was not taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// Older than the subject's newest judged snapshot.
    Late { newest: Time },
    /// More than 30 s ahead of engine time.
    Ahead,
    /// The world holds as many subjects as it may.
    TooManySubjects { max: usize },
    /// The subject would have more fields than it may.
    TooManyFields { max: usize },
    /// The history holds as many bytes as it may.
    MemoryLimit { max: usize },
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchReport {
    /// Subjects that got a newer snapshot (or a replaced one), in the order of their keys: these are judged.
    pub judged: Vec<SubjectId>,
    /// Subjects that are gone with this batch, in the order of their keys.
    pub gone: Vec<SubjectId>,
    /// How many snapshots were taken.
    pub taken: usize,
    /// How many were equal to what was known.
    pub duplicates: usize,
    /// What was refused, by index in the batch.
    pub refused: Vec<(usize, Refusal)>,
}

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

/// A span of time that a function looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// `(t - ago - length, t - ago]`.
    Span { length: Duration, ago: Duration },
    /// A calendar day in the configured zone: 0 is today so far, 1 is yesterday.
    Day { ago: u32 },
}

/// A function from the samples of one field in a window to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the functions of the rule language")]
pub enum WindowFn {
    Avg,
    Min,
    Max,
    Sum,
    Count,
    Stddev,
    First,
    Last,
    Delta,
    Increase,
    Rate,
    Changes,
}

/// A subject: its newest snapshot and how it came.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Kind and name.
    pub key: SubjectKey,
    /// The labels of its newest snapshot.
    pub labels: Labels,
    /// The `time` of its newest snapshot.
    pub time: Time,
    /// When its newest snapshot arrived, in engine time.
    pub arrived: Time,
    /// Who writes it.
    pub source: Arc<str>,
    /// After how long without a snapshot it is stale.
    pub stale_after: Duration,
    /// Its source says that it no longer exists.
    pub gone: bool,
}

/// Everything that is known of what is observed.
#[derive(Debug, Clone)]
pub struct World {}

impl World {
    /// An empty world. Day windows are days of `zone`.
    pub fn new(limits: Limits, zone: jiff::tz::TimeZone, started: Now) -> World {
        let _ = (limits, zone, started);
        World {}
    }
    /// Takes one input.
    pub fn ingest(&mut self, now: Now, batch: Batch) -> BatchReport {
        let _ = (now, batch);
        BatchReport::default()
    }
    /// Forgets a subject with all its samples.
    pub fn forget(&mut self, id: SubjectId) {
        let _ = id;
    }
    /// The subject with this id. `None` once it was forgotten.
    pub fn subject(&self, id: SubjectId) -> Option<&Subject> {
        let _ = id;
        None
    }
    /// The subject with this key.
    pub fn find(&self, kind: &str, name: &str) -> Option<SubjectId> {
        let _ = (kind, name);
        None
    }
    /// All kinds, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::empty()
    }
    /// All subjects of a kind in the order of their names, stale and gone ones too.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = SubjectId> {
        let _ = kind;
        std::iter::empty()
    }
    /// The subjects of a kind that have all these labels, by index, in the order of their names. `name` and `kind` count as labels.
    pub fn select(&self, kind: &str, labels: &[(&str, &str)]) -> Vec<SubjectId> {
        let _ = (kind, labels);
        Vec::new()
    }
    /// Whether no snapshot came for `stale_after`, or its source says that it is gone.
    pub fn is_stale(&self, id: SubjectId, now: Now) -> bool {
        let _ = (id, now);
        true
    }
    /// When the next fresh subject turns stale.
    pub fn next_stale(&self) -> Option<Time> {
        None
    }
    /// The newest value of a field.
    pub fn field(&self, id: SubjectId, field: &str, now: Now) -> Result<Value, NoData> {
        let _ = (id, field, now);
        Err(NoData::Gone)
    }
    /// Whether the subject ever had the field.
    pub fn ever_had(&self, id: SubjectId, field: &str) -> bool {
        let _ = (id, field);
        false
    }
    /// The names of the fields of the newest snapshot, in order.
    pub fn fields(&self, id: SubjectId) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        let _ = id;
        std::iter::empty()
    }
    /// Every field name that any subject of the kind ever had, in order.
    pub fn fields_of_kind(&self, kind: &str) -> impl Iterator<Item = &Arc<str>> {
        let _ = kind;
        std::iter::empty()
    }
    /// A window function over one field. Only number samples count.
    pub fn window(
        &self,
        id: SubjectId,
        function: WindowFn,
        field: &str,
        window: Window,
        now: Now,
    ) -> Result<f64, NoData> {
        let _ = (id, function, field, window, now);
        Err(NoData::Gone)
    }
    /// The value that a field had `ago` before now: of its last sample at or before then.
    pub fn ago(&self, id: SubjectId, field: &str, ago: Duration, now: Now) -> Result<Value, NoData> {
        let _ = (id, field, ago, now);
        Err(NoData::Gone)
    }
    /// Seconds that a field has had this value without a break; 0 where its newest value is another.
    pub fn held(&self, id: SubjectId, field: &str, value: &Value, now: Now) -> Result<f64, NoData> {
        let _ = (id, field, value, now);
        Err(NoData::Gone)
    }
    /// Whether no snapshot of the subject came in the window.
    pub fn absent(&self, id: SubjectId, window: Window, now: Now) -> Result<bool, NoData> {
        let _ = (id, window, now);
        Err(NoData::Gone)
    }
}
