//! One batch of 10,000 snapshots through [`Engine::step`], with ten rules such as the shipped ones: thresholds, hold,
//! hysteresis, levels, rates, a ratio of rates, means, a comparison with the past, and sets.
//!
//! Run with `cargo bench --bench engine`; criterion reports the throughput in snapshots per second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use larum::engine::{Effects, Engine, Input, Settings};
use larum::history::{Batch, Limits, Source};
use larum::model::{Labels, Now, Snapshot, SubjectKey, Time, Value};
use larum::rules::Loader;
use larum::rules::loader::Settings as LoaderSettings;

const N_SUBJECTS: usize = 10_000;

const RULES: &str = r#"
rule("threshold", #{ on: "service", when: |s| s.error_rate > 0.9 });
rule("held", #{ on: "service", when: |s| s.error_rate > 0.5, clear: |s| s.error_rate < 0.4, hold: "1m" });
rule("by_level", #{ on: "service", when: #{ warning: |s| s.latency > 4, critical: |s| s.latency > 8 } });
rule("text", #{ on: "service", when: |s| s.status == "stopped" || s.status == "error" });
rule("busy", #{ on: "service", when: |s| s.rate("calls", "5m") > 1000 });
rule("failing", #{ on: "service", when: |s| ratio(s.rate("errors", "5m"), s.rate("calls", "5m"), 0) > 0.5 });
rule("slow", #{ on: "service", when: |s| s.avg("latency", "5m") > 6 });
rule("slower_than_before", #{ on: "service", when: |s| s.latency > 10 * s.ago("latency", "1m") });
rule("half_down", #{ over: "service", when: |g| ratio(g.count(|s| s.error_rate > 0.9), g.len()) > 0.5 });
rule("slow_region", #{ over: "service", by: ["region"], when: |g| g.avg("latency") > 20 });
"#;

/// A day in the middle of which nothing happens.
const START: i64 = 1_767_571_200;

/// An engine with these rules.
fn engine(rules: &str) -> Engine {
    let settings = Settings {
        seed: 1,
        forget_after: Duration::from_secs(3600),
        forget_firing_after: Duration::from_secs(24 * 3600),
        retention: Duration::from_secs(90 * 24 * 3600),
        zone: jiff::tz::TimeZone::UTC,
        limits: Limits::default(),
        remembers: false,
    };
    let now = Now::at(Time::from_micros(START * 1_000_000));
    let mut engine = Engine::new(settings, now);
    let mut loader = Loader::new("rules", LoaderSettings::default(), BTreeMap::new());
    let report = loader.update(now.time, Ok(BTreeMap::from([("bench.rhai".into(), Ok(rules.into()))])));
    assert!(!report.has_errors(), "{:?}", report.diagnostics);
    engine.step(now, Input::Rules(report.rules));
    engine
}

/// One pass over all subjects: a few of them fail, none of them for long.
fn batch(pass: i64) -> (Now, Input) {
    let time = Time::from_micros((START + 10 * pass) * 1_000_000);
    let snapshot = |n: usize| {
        let wave = ((n as i64 * 7 + pass * 13) % 1000) as f64 / 1000.0;
        let field = |name: &str, value: Value| -> (Arc<str>, Value) { (name.into(), value) };
        Snapshot {
            subject: SubjectKey::new("service", format!("s{n:05}")),
            time,
            labels: Labels::from([("region".into(), format!("r{}", n % 20).into())]),
            fields: BTreeMap::from([
                field("error_rate", Value::Number(wave)),
                field("latency", Value::Number(wave * 5.0)),
                field("status", Value::Text("running".into())),
                field("calls", Value::Number((pass * 100) as f64)),
                field("errors", Value::Number((pass * 10) as f64)),
            ]),
            gone: false,
        }
    };
    let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
    let snapshots = (0..N_SUBJECTS).map(snapshot).collect();
    (Now::at(time), Input::Batch(Batch { source, snapshots, complete: Vec::new() }))
}

fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine_step");
    group.throughput(Throughput::Elements(N_SUBJECTS as u64)).sample_size(20);
    for (name, rules) in [("without rules", "// none"), ("ten rules", RULES)] {
        let mut engine = engine(rules);
        let mut pass = 0;
        let mut next = || {
            pass += 1;
            batch(pass)
        };
        // Windows are full before it is measured.
        for _ in 0..40 {
            let (now, input) = next();
            engine.step(now, input);
        }
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                &mut next,
                |(now, input)| -> Effects { engine.step(now, input) },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
