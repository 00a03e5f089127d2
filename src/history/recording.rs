//! Batches as lines of a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Batch;
use crate::model::wire::{Recorded, Wire};
use crate::model::{Labels, Now, Snapshot, SubjectKey};

/// Writes batches as lines, one snapshot each.
///
/// A batch may name everything that exists of a kind; a line cannot. So what is missing from such a batch, and was in one
/// before, gets a line that says that it is gone.
#[derive(Debug, Default)]
pub struct Recorder {
    /// The names that the newest batch had, where batches name everything that exists.
    listed: BTreeMap<Listed, BTreeSet<Arc<str>>>,
}

/// A source and a kind.
type Listed = (Arc<str>, Arc<str>);

impl Recorder {
    /// Writes what came at `now`, but for what was `refused` of it (indexes, in order) and for the kinds that are not
    /// `wanted`. Gives the kind of each line.
    ///
    /// What was refused is there all the same: its subject is not gone.
    pub fn write(
        &mut self,
        now: Now,
        batch: &Batch,
        refused: &[usize],
        wanted: impl Fn(&str) -> bool,
        lines: &mut Vec<u8>,
    ) -> Vec<Arc<str>> {
        let mut kinds = Vec::new();
        let mut write = |snapshot: &Snapshot| {
            if !wanted(&snapshot.subject.kind) {
                return;
            }
            let recorded =
                Recorded { arrived: now.time, source: &batch.source.name, stale_after: batch.source.stale_after };
            let n_before = lines.len();
            let line = Wire { snapshot, wall_offset: now.wall_offset, recorded: Some(recorded) };
            match serde_json::to_writer(&mut *lines, &line) {
                Ok(()) => {
                    lines.push(b'\n');
                    kinds.push(snapshot.subject.kind.clone());
                }
                // Texts, numbers and bools can all be written; half a line would spoil the next.
                Err(_) => lines.truncate(n_before),
            }
        };
        let taken = batch.snapshots.iter().enumerate().filter(|(index, _)| refused.binary_search(index).is_err());
        taken.for_each(|(_, snapshot)| write(snapshot));
        for kind in &batch.complete {
            let present: BTreeSet<Arc<str>> = batch
                .snapshots
                .iter()
                .filter(|snapshot| snapshot.subject.kind == *kind && !snapshot.gone)
                .map(|snapshot| snapshot.subject.name.clone())
                .collect();
            let key = (batch.source.name.clone(), kind.clone());
            let before = self.listed.insert(key, present.clone()).unwrap_or_default();
            for name in before.difference(&present) {
                let subject = SubjectKey { kind: kind.clone(), name: name.clone() };
                write(&Snapshot {
                    subject,
                    time: now.time,
                    labels: Labels::new(),
                    fields: BTreeMap::new(),
                    gone: true,
                });
            }
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::history::Source;
    use crate::model::Time;

    fn batch(names: &[&str]) -> Batch {
        let snapshot = |kind: &str, name: &str| Snapshot {
            subject: SubjectKey::new(kind, name),
            time: Time::from_micros(1_000_000),
            labels: Labels::new(),
            fields: [("used".into(), 0.5.into())].into(),
            gone: false,
        };
        let mut snapshots: Vec<Snapshot> = names.iter().map(|name| snapshot("disk", name)).collect();
        snapshots.push(snapshot("host", "web-1"));
        let source = Source { name: "host".into(), stale_after: Duration::from_secs(30) };
        Batch { source, snapshots, complete: vec!["disk".into()] }
    }

    #[test]
    fn what_a_complete_list_no_longer_has_is_written_as_gone_once() {
        let mut recorder = Recorder::default();
        let mut write = |seconds: i64, names: &[&str], refused: &[usize]| {
            let mut lines = Vec::new();
            let now = Now { time: Time::from_micros(seconds * 1_000_000), wall_offset: 1_000_000 };
            let kinds = recorder.write(now, &batch(names), refused, |kind| kind == "disk", &mut lines);
            let text = String::from_utf8(lines).unwrap();
            assert_eq!(kinds.len(), text.lines().count());
            text
        };
        let head = |arrived| {
            format!(
                r#"{{"time":"1970-01-01T00:00:02Z","arrived":"1970-01-01T00:00:0{arrived}Z","source":"host","stale_after":"30s","kind":"disk","name":"#
            )
        };
        let seen = |arrived, name| format!("{}\"{name}\",\"fields\":{{\"used\":0.5}}}}\n", head(arrived));
        assert_eq!(write(1, &["/", "/mnt"], &[]), seen(2, "/") + &seen(2, "/mnt"));
        let gone = r#"{"time":"1970-01-01T00:00:03Z","arrived":"1970-01-01T00:00:03Z","source":"host","stale_after":"30s","kind":"disk","name":"/mnt","gone":true}"#;
        assert_eq!(write(2, &["/"], &[]), seen(3, "/") + gone + "\n");
        assert_eq!(write(3, &["/"], &[]), seen(4, "/"));
        assert_eq!(write(4, &["/new", "/"], &[1]), seen(5, "/new"), "what was refused is there");
        assert_eq!(write(5, &["/new", "/"], &[0]), seen(6, "/"));
    }
}
