//! Driving one collector: when it looks, what becomes of a pass, and the subject that tells how it fares.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::observation::Observation;
use super::{COLLECTOR_KIND, Collector, Pass, Schedule};
use crate::diagnostic::error_chain;
use crate::history::{Batch, Source};
use crate::model::{Now, Time};

/// Tells engine time. Collectors have no clock of their own.
pub type Clock = Arc<dyn Fn() -> Now + Send + Sync>;

/// Where passes go.
pub trait Sink: Send + Sync {
    /// Hands over one pass. May wait while the engine is busy: the collector then looks less often, and nothing piles up.
    fn deliver(&self, batch: Batch) -> BoxFuture<'_, ()>;
}

/// Runs a collector until `cancel`: each pass, good or bad, is one batch with the collector's own subject in it.
///
/// A pass that fails, panics or hangs says nothing of what it watches; the collector's own subject tells of it
/// (`up` 0, `error`, `consecutive_failures`), and the next pass comes in its time.
pub async fn run(
    mut collector: Box<dyn Collector>,
    schedule: Schedule,
    clock: Clock,
    sink: Arc<dyn Sink>,
    cancel: CancellationToken,
) {
    let name = Arc::clone(collector.name());
    let source = Source { name: Arc::clone(&name), stale_after: schedule.stale_after() };
    let started = tokio::time::Instant::now();
    let mut due = schedule.first(&name, collector.is_local());
    let mut health = Health::default();
    let work = async {
        loop {
            tokio::time::sleep_until(started + due).await;
            let now = clock();
            let began = Instant::now();
            let result = pass(collector.as_mut(), now, schedule.timeout).await;
            let (mut pass, error) = match result {
                Ok(mut pass) => {
                    let problem = pass.problem.take();
                    (pass, Outcome { up: true, error: problem })
                }
                Err(error) => (Pass::default(), Outcome { up: false, error: Some(error) }),
            };
            health.note(&name, &error);
            pass.snapshots.push(health.snapshot(&name, now.time, began.elapsed(), &error));
            let batch = Batch { source: source.clone(), snapshots: pass.snapshots, complete: pass.complete };
            sink.deliver(batch).await;
            due = schedule.next(&name, started.elapsed());
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = work => {}
    }
}

/// One pass, bounded in time; every way to fail is a text.
async fn pass(collector: &mut dyn Collector, now: Now, timeout: Duration) -> Result<Pass, String> {
    // A pass that panicked may have left the collector half changed; `Collector::collect` must cope with being cut off
    // at any point anyway.
    let guarded = AssertUnwindSafe(async { collector.collect(now).await }).catch_unwind();
    match tokio::time::timeout(timeout, guarded).await {
        Err(_) => {
            Err(format!("the pass did not end within {} and was cut off", crate::model::duration::format(timeout)))
        }
        Ok(Err(_)) => Err("the pass panicked: this is a fault of larum, please report it".to_string()),
        Ok(Ok(Err(error))) => Err(error_chain(&error)),
        Ok(Ok(Ok(pass))) => Ok(pass),
    }
}

/// How one pass went.
struct Outcome {
    up: bool,
    error: Option<String>,
}

/// How a collector fares over its passes.
#[derive(Default)]
struct Health {
    consecutive_failures: u64,
    last_error: Option<String>,
}

impl Health {
    /// Counts a pass, and logs where it is news.
    fn note(&mut self, name: &str, outcome: &Outcome) {
        self.consecutive_failures = if outcome.up { 0 } else { self.consecutive_failures + 1 };
        if self.last_error == outcome.error {
            return;
        }
        match &outcome.error {
            Some(error) => tracing::warn!(collector = name, %error, "collector failed"),
            None => tracing::info!(collector = name, "collector works again"),
        }
        self.last_error.clone_from(&outcome.error);
    }

    fn snapshot(&self, name: &Arc<str>, time: Time, took: Duration, outcome: &Outcome) -> crate::model::Snapshot {
        let mut own = Observation::of(COLLECTOR_KIND, Arc::clone(name), time);
        own.number("up", if outcome.up { 1.0 } else { 0.0 })
            .number("duration_seconds", took.as_secs_f64())
            .count("consecutive_failures", self.consecutive_failures)
            .text("error", outcome.error.as_deref().unwrap_or(""));
        own.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use crate::collect::Error;
    use crate::model::{SubjectKey, Value};

    /// What a scripted pass does.
    enum Step {
        See(&'static str),
        Fail,
        Panic,
        Hang,
    }

    struct Scripted {
        name: Arc<str>,
        steps: Mutex<VecDeque<Step>>,
    }

    impl Collector for Scripted {
        fn name(&self) -> &Arc<str> {
            &self.name
        }
        fn is_local(&self) -> bool {
            true
        }
        fn collect(&mut self, now: Now) -> BoxFuture<'_, Result<Pass, Error>> {
            Box::pin(async move {
                let step = self.steps.lock().unwrap().pop_front();
                match step {
                    Some(Step::See(name)) => Ok(Pass {
                        snapshots: vec![Observation::of("disk", name, now.time).finish()],
                        complete: vec!["disk".into()],
                        problem: None,
                    }),
                    Some(Step::Fail) => Err(Error::Lost),
                    Some(Step::Panic) => panic!("scripted"),
                    Some(Step::Hang) | None => std::future::pending().await,
                }
            })
        }
    }

    struct Channel(tokio::sync::mpsc::Sender<Batch>);

    impl Sink for Channel {
        fn deliver(&self, batch: Batch) -> BoxFuture<'_, ()> {
            Box::pin(async move {
                drop(self.0.send(batch).await);
            })
        }
    }

    fn field<'a>(batch: &'a Batch, name: &str) -> &'a Value {
        let own = batch.snapshots.last().unwrap();
        assert_eq!(own.subject, SubjectKey::new("collector", "scripted"));
        &own.fields[name]
    }

    #[tokio::test]
    async fn every_way_to_fail_is_told_by_the_collectors_own_subject_and_ends_nothing() {
        let steps = [Step::See("a"), Step::Fail, Step::Panic, Step::Hang, Step::See("b")];
        let collector = Scripted { name: "scripted".into(), steps: Mutex::new(steps.into()) };
        let schedule = Schedule { every: Duration::from_millis(20), timeout: Duration::from_millis(50) };
        let clock: Clock = Arc::new(|| Now::at(Time::from_micros(7)));
        let (sender, mut batches) = tokio::sync::mpsc::channel(1);
        let cancel = CancellationToken::new();
        let runner = run(Box::new(collector), schedule, clock, Arc::new(Channel(sender)), cancel.clone());
        let check = async {
            let mut seen = Vec::new();
            for _ in 0..5 {
                seen.push(batches.recv().await.unwrap());
            }
            cancel.cancel();
            seen
        };
        let ((), seen) = tokio::join!(runner, check);
        let failures: Vec<&Value> = seen.iter().map(|batch| field(batch, "consecutive_failures")).collect();
        assert_eq!(failures, [&0.0.into(), &1.0.into(), &2.0.into(), &3.0.into(), &0.0.into()] as [&Value; 5]);
        let texts = ["", "without a result", "panicked", "within 50ms", ""];
        for (batch, text) in seen.iter().zip(texts) {
            let Value::Text(error) = field(batch, "error") else { panic!("error is a text") };
            assert!(error.contains(text) && error.is_empty() == text.is_empty(), "{error}");
            assert_eq!(batch.complete.is_empty(), !text.is_empty(), "a failed pass says nothing of what exists");
            assert_eq!(batch.source.stale_after, Duration::from_millis(60));
        }
        assert_eq!(seen[4].snapshots[0].subject.name.as_ref(), "b");
    }
}
