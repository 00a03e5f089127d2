//! The engine watches itself: snapshots of kind `larum`, on which rules alert like on any other.
//!
//! The subject `engine` carries the figures. Each file that is, or since start was, broken is a subject of its own,
//! named by its path, with `broken` and `error`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::problems::FileHealth;
use crate::history::{Batch, Source};
use crate::model::{Now, Snapshot, SubjectKey, Value};

/// The kind of these subjects: nobody else may write it.
pub const KIND: &str = "larum";
/// The kinds that larum writes of itself, besides those of its collectors.
pub(super) const OWN_KINDS: [&str; 1] = [KIND];
/// How often they are made, besides at every change.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// What is told of the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OwnState {
    /// Fields of the subject `engine`.
    pub(super) figures: Vec<(&'static str, f64)>,
    /// Files that are or were broken.
    pub(super) files: Vec<FileHealth>,
}

impl OwnState {
    /// The batch that tells it. It names every subject of the kind: a file that is named no more is gone.
    pub(super) fn batch(&self, now: Now) -> Batch {
        let snapshot = |name: Arc<str>, fields: BTreeMap<Arc<str>, Value>| Snapshot {
            subject: SubjectKey::new(KIND, name),
            time: now.time,
            labels: BTreeMap::new(),
            fields,
            gone: false,
        };
        let figures = self.figures.iter().map(|(name, number)| (Arc::from(*name), Value::Number(*number)));
        let mut snapshots = vec![snapshot("engine".into(), figures.collect())];
        for health in &self.files {
            let fields = [
                ("broken".into(), Value::Bool(health.error.is_some())),
                ("error".into(), Value::from(health.error.as_deref().unwrap_or_default())),
            ];
            snapshots.push(snapshot(health.file.clone(), fields.into()));
        }
        Batch { source: Source { name: KIND.into(), stale_after: EVERY * 3 }, snapshots, complete: vec![KIND.into()] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::problems::Part;
    use super::*;
    use crate::model::Time;

    #[test]
    fn the_engine_and_each_file_that_was_broken_are_subjects() {
        let health = |file: &str, error: Option<&str>| FileHealth {
            part: Part::Rules,
            file: file.into(),
            error: error.map(str::to_string),
        };
        let state = OwnState {
            figures: vec![("rules", 12.0)],
            files: vec![health("rules/a.rhai", Some("unknown key")), health("rules/b.rhai", None)],
        };
        let batch = state.batch(Now::at(Time::from_micros(7)));
        let told: Vec<String> = batch.snapshots.iter().map(|s| format!("{} {:?}", s.subject, s.fields)).collect();
        assert_eq!(
            told,
            [
                r#"larum engine {"rules": Number(12.0)}"#,
                r#"larum rules/a.rhai {"broken": Bool(true), "error": Text("unknown key")}"#,
                r#"larum rules/b.rhai {"broken": Bool(false), "error": Text("")}"#,
            ]
        );
        assert_eq!(batch.complete, ["larum".into()]);
        assert!(batch.snapshots.iter().all(|snapshot| snapshot.time == Time::from_micros(7)));
    }
}
