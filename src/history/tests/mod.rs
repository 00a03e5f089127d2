//! Behaviour of the world, and a naive second implementation to compare it with.

mod behaviour;
mod bounds;
mod days;
mod older;
mod oracle;
mod restart;
mod vectors;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Batch, BatchReport, Limits, Source, SubjectId, World};
use crate::model::{Now, Snapshot, SubjectKey, Time, Value};

/// Saturday, 21 November 2026, 10:00 in UTC.
pub(super) const START: i64 = 1_795_255_200;

pub(super) fn at(secs: i64) -> Time {
    Time::from_micros((START + secs) * 1_000_000)
}

pub(super) fn now(secs: i64) -> Now {
    Now::at(at(secs))
}

pub(super) fn world() -> World {
    world_with(Limits::default())
}

pub(super) fn world_with(limits: Limits) -> World {
    World::new(limits, jiff::tz::TimeZone::UTC, now(0))
}

pub(super) fn source(name: &str) -> Source {
    Source { name: name.into(), stale_after: Duration::from_secs(60) }
}

pub(super) fn snapshot(kind: &str, name: &str, secs: i64, fields: &[(&str, Value)]) -> Snapshot {
    Snapshot {
        subject: SubjectKey::new(kind, name),
        time: at(secs),
        labels: Default::default(),
        fields: fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
        gone: false,
    }
}

pub(super) fn labelled(mut snapshot: Snapshot, labels: &[(&str, &str)]) -> Snapshot {
    snapshot.labels = labels.iter().map(|(label, value)| ((*label).into(), (*value).into())).collect();
    snapshot
}

pub(super) fn push(world: &mut World, secs: i64, snapshots: Vec<Snapshot>) -> BatchReport {
    world.ingest(now(secs), &Batch { source: source("push"), snapshots, complete: Vec::new() })
}

/// Pushes one number of the subject `s a` at its time.
pub(super) fn set(world: &mut World, secs: i64, x: impl Into<Value>) -> BatchReport {
    push(world, secs, vec![snapshot("s", "a", secs, &[("x", x.into())])])
}

pub(super) fn id(world: &World) -> SubjectId {
    world.find("s", "a").unwrap()
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
