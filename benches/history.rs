//! What a sample costs where it is kept: bytes in a block, and how fast blocks are packed and read.
//!
//! `cargo bench --bench history` packs an hour of 100 services with 5 fields every 10 s: of random numbers, of what a service
//! reports (a status, a share with two decimals, milliseconds, counters), and, where `LARUM_RECORDING` names a recording of real
//! hosts, of that. `LARUM_DAY=DIR cargo bench --bench history` makes a data folder with 24 h of 1,000 services instead, of
//! which a daemon may be started: how long that takes, and how much memory it has then.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use criterion::{Criterion, Throughput, criterion_group};
use larum::engine::{Effects, Engine, Input, Settings};
use larum::history::{Batch, BatchReport, Block, Limits, Source};
use larum::model::wire::{RecordingReader, WireLimits};
use larum::model::{Labels, Now, Snapshot, SubjectKey, Time, Value};
use larum::store::{Record, Sqlite, Store, seal};

/// As the daemon has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVERY: i64 = 10;
const FIELDS: [&str; 5] = ["status", "error_rate", "avg_response_time", "total_calls", "cpu_percent"];

/// A number below 1 that looks like none before.
fn random(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// What a service of this number reports in a pass.
fn service(n: u64, pass: u64) -> [f64; 5] {
    let noise = |salt: u64| random(n * 1_000_003 + pass * 7 + salt);
    let calls = pass * (20 + n % 50) + (noise(3) * 20.0) as u64;
    [
        1.0,
        (noise(1) * 5.0).round() / 100.0,
        (80.0 + (n % 40) as f64 + noise(2) * 30.0).round(),
        calls as f64,
        (30.0 + 20.0 * noise(4)) * 100.0 / 99.7,
    ]
}

fn gauges(n: u64, pass: u64) -> [f64; 5] {
    [0, 1, 2, 3, 4].map(|field| 1000.0 * random(n * 1_000_003 + pass * 7 + field))
}

fn batch(time: Time, pass: u64, n_subjects: u64, values: fn(u64, u64) -> [f64; 5], fields: &[Arc<str>]) -> Batch {
    let snapshot = |n: u64| Snapshot {
        subject: SubjectKey::new("service", format!("svc{n:04}")),
        time,
        labels: Labels::from([("region".into(), "eu".into())]),
        fields: fields.iter().cloned().zip(values(n, pass).map(Value::Number)).collect(),
        gone: false,
    };
    let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
    Batch { source, snapshots: (0..n_subjects).map(snapshot).collect(), complete: Vec::new() }
}

fn names() -> Vec<Arc<str>> {
    FIELDS.map(Arc::from).into()
}

/// An hour.
fn hour(values: fn(u64, u64) -> [f64; 5]) -> Block {
    let (mut block, fields) = (Block::default(), names());
    for pass in 0..360 {
        let time = Time::from_micros(pass as i64 * EVERY * 1_000_000);
        block.take(pass, Now::at(time), &batch(time, pass, 100, values, &fields), &BatchReport::default());
    }
    block
}

/// What was recorded, as it came.
fn recorded(path: &Path) -> Block {
    let text = std::fs::read_to_string(path).expect("the recording can be read");
    let (mut reader, mut block) = (RecordingReader::new(WireLimits::default()), Block::default());
    let mut pending: Option<(Time, Batch)> = None;
    let mut sequence = 0;
    let mut flush = |pending: Option<(Time, Batch)>, block: &mut Block| {
        if let Some((time, batch)) = pending {
            block.take(sequence, Now::at(time), &batch, &BatchReport::default());
            sequence += 1;
        }
    };
    for snapshot in text.lines().filter_map(|line| reader.read(line.as_bytes()).ok()) {
        let Some(arrived) = snapshot.arrived else { continue };
        if pending.as_ref().is_none_or(|(time, _)| *time != arrived) {
            flush(pending.take(), &mut block);
            let name = snapshot.source.clone().unwrap_or_else(|| "recording".into());
            let source = Source { name, stale_after: snapshot.stale_after.unwrap_or_default() };
            pending = Some((arrived, Batch { source, snapshots: Vec::new(), complete: Vec::new() }));
        }
        if let Some((_, batch)) = &mut pending {
            batch.snapshots.push(snapshot.into_snapshot(Now::at(arrived)));
        }
    }
    flush(pending, &mut block);
    block
}

fn blocks(criterion: &mut Criterion) {
    let mut cases = vec![("gauges", hour(gauges)), ("services", hour(service))];
    if let Some(path) = std::env::var_os("LARUM_RECORDING") {
        cases.push(("recording", recorded(Path::new(&path))));
    }
    let mut group = criterion.benchmark_group("block");
    group.sample_size(20);
    for (name, block) in cases {
        let (packed, n_samples) = (block.pack(), block.extent().map_or(0, |extent| extent.samples));
        println!("{name}: {:.2} bytes per sample, {n_samples} samples", packed.len() as f64 / n_samples as f64);
        group.throughput(Throughput::Elements(n_samples as u64));
        group.bench_function(format!("{name}/pack"), |bencher| bencher.iter(|| block.pack()));
        group.bench_function(format!("{name}/unpack"), |bencher| {
            bencher.iter(|| Block::unpack(&packed, |_, _| true).expect("it was just packed"));
        });
    }
    group.finish();
}

criterion_group!(benches, blocks);

fn main() {
    match std::env::var_os("LARUM_DAY") {
        Some(dir) => make_day(Path::new(&dir)),
        None => benches(),
    }
}

/// A day of 1,000 services until now, as a daemon would have stored it.
fn make_day(dir: &Path) {
    let mut store = Sqlite::open(dir).expect("the folder can be used");
    #[expect(clippy::disallowed_methods, reason = "the daemon that goes on from here has the clock on the wall")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let n_passes = 24 * 360;
    let time = |pass: u64| Time::from_micros((now - (n_passes - pass as i64) * EVERY) * 1_000_000);
    let settings = Settings {
        limits: Limits { memory_limit: 4 << 30, ..Limits::default() },
        remembers: true,
        ..Settings::default()
    };
    let mut engine = Engine::new(settings, Now::at(time(0)));
    let fields = names();
    for pass in 0..=n_passes as u64 {
        let batch = batch(time(pass), pass, 1000, service, &fields);
        let effects = engine.step(Now::at(time(pass)), Input::Batch(batch.into()));
        // Of the engine's state the newest is kept anyway.
        let saved = if pass == n_passes as u64 { effects.saved.clone() } else { Vec::new() };
        store.commit(&[Record::from(Effects { saved, ..effects })]).expect("there is room");
        if pass % 60 == 59 {
            while let Some(sealing) = seal(&*store.reader(), time(pass)).expect("it can be read") {
                sealing.records.into_iter().for_each(|record| store.commit(&[record]).expect("there is room"));
                while store.trim_history(time(0), u64::MAX).expect("there is room") > 0 {}
            }
        }
    }
    println!("{} bytes for {} samples", store.reader().bytes().unwrap_or(0), 5000 * n_passes);
}
