//! What happens, for those who watch: events of alerts, looks at the files, and a sample of what came.
//!
//! The committer hands out each step after it was stored, and waits for nobody: who is too slow is told that something was
//! missed, and asks anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::Effects;
use crate::model::{Snapshot, SubjectKey};
use crate::server::{Happening, SAMPLED, TooManyFollowers};

/// Steps that somebody may be behind.
const BEHIND: usize = 64;
/// Who can watch at one moment.
const MAX: usize = 64;
/// What came is told once in so long.
const SAMPLE: Duration = Duration::from_secs(1);

/// Hands out what happens.
#[derive(Debug)]
pub(super) struct Happenings {
    sender: broadcast::Sender<Told>,
}

#[derive(Clone, Debug)]
enum Told {
    Step(Arc<Effects>),
    Looked,
}

impl Default for Happenings {
    fn default() -> Happenings {
        Happenings { sender: broadcast::Sender::new(BEHIND) }
    }
}

/// One who watches.
struct Watcher {
    told: broadcast::Receiver<Told>,
    stop: CancellationToken,
    ready: VecDeque<Happening>,
    /// The newest of what came and was not told yet.
    came: BTreeMap<SubjectKey, Snapshot>,
    wall_offset: i64,
    /// When it is told.
    due: Option<Instant>,
}

impl Happenings {
    /// Hands out a step, where anybody watches.
    pub(super) fn step(&self, effects: &Arc<Effects>) {
        if self.sender.receiver_count() > 0 {
            // The last one may have gone meanwhile.
            self.sender.send(Told::Step(effects.clone())).ok();
        }
    }

    /// The files were looked at, and what they say is in force.
    pub(super) fn looked(&self) {
        self.sender.send(Told::Looked).ok();
    }

    /// What happens from now on, until `stop`.
    ///
    /// # Errors
    /// Where too many watch already.
    pub(super) fn watch(&self, stop: CancellationToken) -> Result<BoxStream<'static, Happening>, TooManyFollowers> {
        if self.sender.receiver_count() >= MAX {
            return Err(TooManyFollowers { max: MAX });
        }
        let (told, ready, came) = (self.sender.subscribe(), VecDeque::new(), BTreeMap::new());
        let watcher = Watcher { told, stop, ready, came, wall_offset: 0, due: None };
        Ok(stream::unfold(watcher, async |mut watcher| Some((watcher.next().await?, watcher))).boxed())
    }
}

impl Watcher {
    async fn next(&mut self) -> Option<Happening> {
        loop {
            if let Some(happening) = self.ready.pop_front() {
                return Some(happening);
            }
            let due = self.due;
            let sample = async move {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = sample => self.tell_sample(),
                told = self.told.recv() => match told {
                    Ok(Told::Step(effects)) => self.take(&effects),
                    Ok(Told::Looked) => self.ready.push_back(Happening { event: "rules", data: "{}".to_string() }),
                    Err(RecvError::Lagged(steps)) => {
                        let data = json!({ "steps": steps }).to_string();
                        self.ready.push_back(Happening { event: "missed", data });
                    }
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    fn take(&mut self, effects: &Effects) {
        for event in &effects.events {
            let data = json!({
                "time": event.time,
                "event": event.kind.as_str(),
                "id": event.firing.as_str(),
                "rule": event.rule.as_str(),
                "kind": event.subject.kind,
                "name": event.subject.name,
                "level": event.level,
                "message": event.message,
            });
            self.ready.push_back(Happening { event: "alert", data: data.to_string() });
        }
        // What fires is told above.
        for transition in effects.transitions.iter().filter(|transition| transition.to != "firing") {
            let data = json!({
                "time": transition.time,
                "rule": transition.rule.as_str(),
                "kind": transition.subject.kind,
                "name": transition.subject.name,
                "from": transition.from,
                "to": transition.to,
            });
            self.ready.push_back(Happening { event: "state", data: data.to_string() });
        }
        let Some(batch) = &effects.batch else { return };
        self.wall_offset = effects.now.wall_offset;
        for snapshot in &batch.snapshots {
            self.came.insert(snapshot.subject.clone(), snapshot.clone());
        }
        self.due = self.due.or_else(|| Some(Instant::now() + SAMPLE));
    }

    fn tell_sample(&mut self) {
        self.due = None;
        let came = std::mem::take(&mut self.came);
        let n_more = came.len().saturating_sub(SAMPLED);
        let subject = |snapshot: &Snapshot| {
            json!({
                "kind": snapshot.subject.kind,
                "name": snapshot.subject.name,
                "time": snapshot.time.offset(self.wall_offset),
                "fields": snapshot.fields,
                "gone": snapshot.gone,
            })
        };
        let subjects: Vec<serde_json::Value> = came.values().take(SAMPLED).map(subject).collect();
        let data = json!({ "subjects": subjects, "more": n_more }).to_string();
        self.ready.push_back(Happening { event: "snapshots", data });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Batch, Source};
    use crate::model::{Labels, Now, Time};

    fn step(names: &[&str]) -> Arc<Effects> {
        let snapshot = |name: &&str| Snapshot {
            subject: SubjectKey::new("s", *name),
            time: Time::EPOCH,
            labels: Labels::new(),
            fields: [("x".into(), 1.5.into())].into(),
            gone: false,
        };
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
        let batch = Batch { source, snapshots: names.iter().map(snapshot).collect(), complete: Vec::new() };
        Arc::new(Effects { batch: Some(batch.into()), ..Effects::none(1, Now::at(Time::EPOCH)) })
    }

    #[tokio::test]
    async fn what_came_is_told_once_a_second_and_ends_with_the_daemon() {
        let (happenings, stop) = (Happenings::default(), CancellationToken::new());
        let mut stream = happenings.watch(stop.clone()).unwrap();
        happenings.step(&step(&["a", "b"]));
        happenings.step(&step(&["a"]));
        happenings.looked();
        assert_eq!(stream.next().await.unwrap(), Happening { event: "rules", data: "{}".into() });
        let told = stream.next().await.unwrap();
        let data: serde_json::Value = serde_json::from_str(&told.data).unwrap();
        assert_eq!(
            (told.event, data["subjects"].as_array().unwrap().len(), &data["more"]),
            ("snapshots", 2, &json!(0))
        );
        assert_eq!(data["subjects"][0]["fields"], json!({ "x": 1.5 }));
        for _ in 0..BEHIND + 5 {
            happenings.looked();
        }
        assert_eq!(stream.next().await.unwrap(), Happening { event: "missed", data: r#"{"steps":5}"#.into() });
        stop.cancel();
        while stream.next().await.is_some() {}
    }

    #[tokio::test]
    async fn not_too_many_watch() {
        let happenings = Happenings::default();
        let streams: Vec<_> = (0..MAX).map(|_| happenings.watch(CancellationToken::new()).unwrap()).collect();
        assert!(happenings.watch(CancellationToken::new()).is_err());
        drop(streams);
        assert!(happenings.watch(CancellationToken::new()).is_ok());
    }
}
