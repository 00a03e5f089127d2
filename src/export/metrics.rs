//! Snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::csv;
use super::{Error, Format, Frame};
use crate::history::Came;
use crate::model::wire::Wire;
use crate::model::{Snapshot, SubjectKey, Time, Value};
use crate::store::{PieceFilter, Reader, Stored};

/// Engine time may differ from the clock on the wall by about so much, and snapshots may come so much later than they were
/// taken.
const CLOCKS_APART: Duration = Duration::from_secs(900);
/// What is written together, about, in bytes.
const CHUNK: usize = 64 << 10;

/// Which snapshots, and what of them. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricFilter {
    /// Of these kinds; of all where there are none.
    pub kinds: BTreeSet<String>,
    /// Of subjects of these names; of all where there are none.
    pub subjects: BTreeSet<String>,
    /// These fields; all where there are none. Snapshots that have none of them are left out.
    pub fields: BTreeSet<String>,
    /// At or after this time, by the wall clock.
    pub since: Option<Time>,
    /// Before this time, by the wall clock.
    pub until: Option<Time>,
}

impl MetricFilter {
    fn takes(&self, subject: &SubjectKey, time: Time) -> bool {
        let has = |wanted: &BTreeSet<String>, name: &str| wanted.is_empty() || wanted.contains(name);
        has(&self.kinds, &subject.kind)
            && has(&self.subjects, &subject.name)
            && self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
    }

    /// What is asked for of its fields; `None` where that is nothing.
    fn fields(&self, snapshot: Snapshot) -> Option<Snapshot> {
        if self.fields.is_empty() {
            return Some(snapshot);
        }
        let fields: BTreeMap<Arc<str>, Value> =
            snapshot.fields.into_iter().filter(|(name, _)| self.fields.contains(&**name)).collect();
        (!fields.is_empty()).then_some(Snapshot { fields, ..snapshot })
    }
}

/// The snapshots that a store has, in the order in which they came, as bytes of a document.
#[derive(Debug)]
pub struct Metrics {
    stored: Stored,
    filter: MetricFilter,
    frame: Frame,
    n_written: u64,
}

/// The snapshots that are asked for. A JSON object is one as it is pushed; a line of CSV is one value.
///
/// # Errors
/// Where the store cannot be read.
pub fn metrics(store: Arc<dyn Reader>, filter: MetricFilter, format: Format) -> Result<Metrics, Error> {
    let only = |names: &BTreeSet<String>| names.iter().next().filter(|_| names.len() == 1).cloned();
    let subject = only(&filter.kinds).zip(only(&filter.subjects)).map(|(kind, name)| SubjectKey::new(kind, name));
    let pieces = PieceFilter {
        from: filter.since.map(|since| since - CLOCKS_APART),
        until: filter.until.map(|until| until + CLOCKS_APART),
        subject,
        sealed: None,
    };
    let frame = Frame::new(format, &["time", "kind", "name", "labels", "field", "value"]);
    Ok(Metrics { stored: Stored::read(store, &pieces)?, filter, frame, n_written: 0 })
}

impl Metrics {
    /// How many bytes it takes in the store.
    pub fn size(&self) -> u64 {
        self.stored.size()
    }

    /// Counts the bytes of the store that were read so far.
    pub fn position(&self) -> Arc<AtomicU64> {
        self.stored.position()
    }

    /// How many objects or lines were written so far.
    pub fn n_written(&self) -> u64 {
        self.n_written
    }

    fn write(&mut self, came: Came, out: &mut Vec<u8>) -> Result<(), Error> {
        let now = came.now;
        for snapshot in came.snapshots {
            let time = now.wall_of(snapshot.time);
            if !self.filter.takes(&snapshot.subject, time) {
                continue;
            }
            let Some(snapshot) = self.filter.fields(snapshot) else { continue };
            match self.frame.format {
                Format::Json | Format::Jsonl => {
                    self.frame.before(out);
                    let wire = Wire { snapshot: &snapshot, wall_offset: now.wall_offset, recorded: None };
                    serde_json::to_writer(&mut *out, &wire).map_err(|error| Error::Damaged(error.to_string()))?;
                    if self.frame.format == Format::Jsonl {
                        out.push(b'\n');
                    }
                    self.n_written += 1;
                }
                Format::Csv => {
                    let labels = serde_json::to_string(&snapshot.labels).unwrap_or_default();
                    let time = time.to_string();
                    for (field, value) in &snapshot.fields {
                        self.frame.before(out);
                        let before = [&*time, &snapshot.subject.kind, &snapshot.subject.name, &labels, field];
                        out.extend_from_slice(csv::line_with(before, value).as_bytes());
                        self.n_written += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Iterator for Metrics {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Result<Vec<u8>, Error>> {
        let mut out = Vec::new();
        while out.len() < CHUNK {
            match self.stored.next() {
                Some(Ok(came)) => {
                    if let Err(error) = self.write(came, &mut out) {
                        return Some(Err(error));
                    }
                }
                Some(Err(reason)) => return Some(Err(Error::Damaged(reason))),
                None if out.is_empty() => return self.frame.end().map(Ok),
                None => break,
            }
        }
        Some(Ok(out))
    }
}
