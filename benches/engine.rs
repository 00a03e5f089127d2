//! A cycle: one batch through [`Engine::step`], from what was observed to its effects; ingest and window upkeep included.
//!
//! Ten shapes of rules, as a file of Prometheus' would have them: thresholds, rates, a ratio of rates, a mean, a quantile, a
//! forecast, distances from the mean in windows of 5 minutes and an hour, and one over the set. One service in a hundred
//! breaks each threshold.
//!
//! Run with `cargo bench --bench engine -- cycle`, of 100,000 services with `large`, each shape by plan and by interpreter
//! with `shape`, sets of which one subject reports with `set`; criterion reports snapshots per second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use larum::engine::{Effects, Engine, Input, Settings};
use larum::history::{Batch, Limits, Source};
use larum::model::{Labels, Now, Snapshot, SubjectKey, Time, Value};
use larum::rules::Loader;
use larum::rules::loader::Settings as LoaderSettings;

/// As the daemon has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Name, condition, other keys.
const SHAPES: [(&str, &str, &str); 9] = [
    ("threshold", "s.error_rate > 0.5", ""),
    ("threshold_held", "s.error_rate > 0.5", r#", hold: "30s""#),
    ("rate_5m", r#"s.rate("total_calls", "5m") > 9"#, ""),
    ("ratio_5m", r#"s.rate("failed_calls", "5m") / s.rate("total_calls", "5m") > 0.5"#, ""),
    ("avg_5m", r#"s.avg("avg_response_time", "5m") > 900"#, ""),
    ("quantile_5m", r#"s.quantile("avg_response_time", 0.95, "5m") > 1100"#, ""),
    ("forecast_5m", r#"s.forecast("total_calls", "5m", "1h") > 1e9"#, ""),
    ("zscore_5m", r#"s.zscore("avg_response_time", "5m") > 3"#, ""),
    ("zscore_1h", r#"s.zscore("avg_response_time", "1h") > 3.5"#, ""),
];

const ABSENT: &str = r#"rule("absent", #{ over: "service", when: |g| g.len() == 0 });"#;

/// One of the shapes as a rule.
fn rule((name, condition, keys): (&str, &str, &str)) -> String {
    format!("rule(\"{name}\", #{{ on: \"service\", when: |s| {condition}{keys} }});\n")
}

/// The same, written so that only the interpreter can judge it.
fn interpreted((name, condition, keys): (&str, &str, &str)) -> String {
    let body = match condition.rsplit_once(" > ") {
        Some((value, limit)) => format!("let value = {value}; value > {limit}"),
        None => condition.to_string(),
    };
    format!("rule(\"{name}\", #{{ on: \"service\", when: |s| {{ {body} }}{keys} }});\n")
}

/// Seconds: a midnight.
const START: i64 = 1_767_571_200;
/// Seconds between two passes.
const EVERY: i64 = 10;
/// An hour, so that each window is full.
const WARM_UP: i64 = 361;

fn now(pass: i64) -> Now {
    Now::at(Time::from_micros((START + EVERY * pass) * 1_000_000))
}

/// An engine without rules.
fn engine() -> Engine {
    let settings = Settings {
        limits: Limits { memory_limit: 4 << 30, memory: Duration::from_secs(3600), ..Limits::default() },
        remembers: true,
        ..Settings::default()
    };
    let mut engine = Engine::new(settings, now(0));
    engine.use_threads(2, larum::app::together);
    engine
}

fn load(engine: &mut Engine, pass: i64, rules: &str) {
    let mut loader = Loader::new("rules", LoaderSettings::default(), BTreeMap::new());
    let report = loader.update(now(pass).time, Ok(BTreeMap::from([("bench.rhai".into(), Ok(rules.into()))])));
    assert!(!report.has_errors(), "{:?}", report.diagnostics);
    engine.step(now(pass), Input::Rules(report.rules));
}

/// The services, and the names of their fields.
#[derive(Clone)]
struct Services {
    keys: Vec<SubjectKey>,
    fields: [Arc<str>; 5],
    labels: Labels,
}

impl Services {
    fn new(count: usize) -> Services {
        Services {
            keys: (0..count).map(|n| SubjectKey::new("service", format!("svc{n:06}"))).collect(),
            fields: ["status", "error_rate", "avg_response_time", "total_calls", "failed_calls"].map(Arc::from),
            labels: Labels::from([("region".into(), "eu".into())]),
        }
    }

    /// One pass over all of them.
    fn batch(&self, pass: i64) -> (Now, Input) {
        let snapshot = |(n, key): (usize, &SubjectKey)| {
            let class = n as i64 % 100;
            let wave = ((pass * 7919 + class * 104_729) % 1000) as f64 / 1000.0;
            let breaks = class == 0;
            let values: [f64; 5] = [
                f64::from(!breaks),
                if breaks { 0.9 } else { 0.1 * wave },
                if breaks { 1000.0 } else { 100.0 + class as f64 } + 200.0 * wave,
                (pass * if breaks { 100 } else { 10 + class % 70 }) as f64,
                (pass * if breaks { 80 } else { 1 }) as f64,
            ];
            Snapshot {
                subject: key.clone(),
                time: now(pass).time,
                labels: self.labels.clone(),
                fields: self.fields.iter().cloned().zip(values.map(Value::Number)).collect(),
                gone: false,
            }
        };
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
        let snapshots = self.keys.iter().enumerate().map(snapshot).collect();
        (now(pass), Input::Batch(Batch { source, snapshots, complete: Vec::new() }.into()))
    }
}

/// One service of many reports, and rules judge all of them.
fn set(criterion: &mut Criterion) {
    for (name, when) in
        [("len", "g.len() == 0"), ("avg", "g.avg(\"error_rate\") > 0.5"), ("closure", "g.avg(|s| s.error_rate) > 0.5")]
    {
        let mut group = criterion.benchmark_group("set");
        let mut warm: Option<(Engine, Services, usize)> = None;
        group.bench_function(name, |bencher| {
            let (engine, services, nth) = warm.get_or_insert_with(|| {
                let (mut engine, services) = (engine(), Services::new(10_000));
                let (now, input) = services.batch(1);
                engine.step(now, input);
                load(&mut engine, 1, &format!("rule(\"all\", #{{ over: \"service\", when: |g| {when} }});"));
                (engine, services, 0)
            });
            let next = || {
                *nth += 1;
                let place = *nth % services.keys.len();
                let one = Services { keys: vec![services.keys[place].clone()], ..services.clone() };
                // A thousand a second.
                let (_, input) = one.batch(2 + (*nth / services.keys.len()) as i64);
                (Now::at(now(2).time + Duration::from_millis(*nth as u64)), input)
            };
            bencher.iter_batched(next, |(now, input)| -> Effects { engine.step(now, input) }, BatchSize::PerIteration);
        });
        group.finish();
    }
}

fn cycle(criterion: &mut Criterion) {
    let mut cases: Vec<(String, usize, String)> = Vec::new();
    let ten: String = SHAPES.map(rule).concat() + ABSENT;
    for count in [10_000, 100_000] {
        let size = if count > 10_000 { "large" } else { "cycle" };
        cases.push((format!("{size}/without rules"), count, "// none".into()));
        cases.push((format!("{size}/ten rules"), count, ten.clone()));
    }
    for shape in SHAPES {
        cases.push((format!("shape/{}/lowered", shape.0), 10_000, rule(shape)));
        cases.push((format!("shape/{}/interpreted", shape.0), 10_000, interpreted(shape)));
    }
    for (name, count, rules) in cases {
        let (group, name) = name.split_once('/').unwrap_or_default();
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Elements(count as u64)).sample_size(20);
        // Only what is asked for is warmed up.
        let mut warm: Option<(Engine, Services, i64)> = None;
        group.bench_function(name, |bencher| {
            let (engine, services, pass) = warm.get_or_insert_with(|| {
                let (mut engine, services) = (engine(), Services::new(count));
                for pass in 1..=WARM_UP {
                    let (now, input) = services.batch(pass);
                    engine.step(now, input);
                    if pass == WARM_UP - 4 {
                        load(&mut engine, pass, &rules);
                    }
                }
                (engine, services, WARM_UP)
            });
            let next = || {
                *pass += 1;
                services.batch(*pass)
            };
            bencher.iter_batched(next, |(now, input)| -> Effects { engine.step(now, input) }, BatchSize::PerIteration);
        });
        group.finish();
    }
}

criterion_group!(benches, cycle, set);
criterion_main!(benches);
