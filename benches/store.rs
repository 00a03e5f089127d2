//! How much is stored durably, beside what the disk itself does.
//!
//! Each record is a step that raises one alert: an event, a notification, two changes of the alert's state and three pieces
//! of the engine's state, as the engine leaves them. A transaction of one record is what one push waits for; one of 512 is
//! what the committer makes of a storm. Run with `cargo bench --bench store`; criterion reports records per second.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use larum::engine::{Effects, Event, SavedState, Transition};
use larum::model::{AlertNote, EventKind, Level, Notification, Now, Occasion, SubjectKey, Time};
use larum::store::{Record, Sqlite, Store};

const START: i64 = 1_800_000_000_000_000;
/// What the committer takes at most.
const BATCH: u64 = 512;

/// The step that raises alert `n`.
fn raise(n: u64) -> Record {
    let time = Time::from_micros(START + n as i64);
    let subject = SubjectKey::new("service", format!("shop-{n:06}"));
    let labels = [("region".into(), "eu".into()), ("team".into(), "payments".into())];
    // Ids are hashes: they come in no order.
    let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let event = Event {
        time,
        kind: EventKind::Raised,
        reason: None,
        firing: format!("{hash:016x}{n:016x}").into(),
        rule: "high_error_rate".into(),
        subject: subject.clone(),
        level: Level::Warning,
        labels: labels.into(),
        message: format!("shop-{n}: 30% of calls fail"),
    };
    let note = AlertNote {
        id: event.firing.clone(),
        event: event.kind,
        reason: None,
        rule: event.rule.clone(),
        level: event.level,
        previous_level: None,
        subject: subject.clone(),
        labels: event.labels.clone(),
        message: event.message.clone(),
        values: vec![("error_rate".into(), 0.3.into()), ("total_calls".into(), 1200.0.into())],
        since: time,
        ended: None,
        not_judged_since: None,
        runbook: Some("https://wiki.example/error-rate".into()),
        acknowledged: None,
        folded: Vec::new(),
        folded_omitted: 0,
    };
    let notification = Notification {
        id: format!("{:016x}{n:016x}", !hash).into(),
        channel: "ops".into(),
        time,
        alerts: vec![note],
        occasion: Occasion::Alert,
    };
    let transition = |from, to| Transition { time, rule: event.rule.clone(), subject: subject.clone(), from, to };
    let piece = |what: &str, len: usize| SavedState {
        key: format!("{what} [\"high_error_rate\",\"service\",\"shop-{n:06}\"]").into(),
        value: Some(vec![b'x'; len].into()),
    };
    Record::Step(Arc::new(Effects {
        transitions: vec![transition("inactive", "pending"), transition("pending", "firing")],
        saved: vec![piece("alert", 300), piece("subject", 200), piece("told", 150)],
        events: vec![event],
        notifications: vec![notification],
        ..Effects::none(n, Now::at(time))
    }))
}

fn commit(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is room");
    let mut store = Sqlite::open(folder.path()).expect("a new folder");
    let mut sequence = 0;
    let mut group = criterion.benchmark_group("store_commit");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));
    for size in [1, BATCH] {
        group.throughput(Throughput::Elements(size));
        group.bench_function(format!("{size}_records"), |bencher| {
            bencher.iter_batched(
                || -> Vec<Record> {
                    let first = sequence + 1;
                    sequence += size;
                    (first..=sequence).map(raise).collect()
                },
                |batch| store.commit(&batch).expect("there is room"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    eprintln!("{sequence} steps take {} bytes", store.reader().bytes().unwrap_or(0));
}

/// What the disk does by itself: as many bytes as a small transaction writes to the log, and a sync.
fn sync(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is room");
    let mut group = criterion.benchmark_group("disk");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));
    for pages in [1, 16] {
        let mut file = log(&folder.path().join(format!("log{pages}")));
        let data = vec![0xa5; pages * 4096];
        group.bench_function(format!("fdatasync_of_{pages}_pages"), |bencher| {
            bencher.iter(|| {
                if file.stream_position().expect("a file") > 16 << 20 {
                    file.rewind().expect("a file");
                }
                file.write_all(&data).and_then(|()| file.sync_data()).expect("there is room");
            });
        });
    }
    group.finish();
}

/// A file that is written over, as a log is.
fn log(path: &Path) -> File {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).expect("there is room");
    file.write_all(&vec![0; 20 << 20]).and_then(|()| file.sync_all()).expect("there is room");
    file.rewind().expect("a file");
    file
}

criterion_group!(benches, sync, commit);
criterion_main!(benches);
