//! What the ways to Larum's number semantics cost: one evaluation of `s.error_rate > 0.1` per subject, over 10,000.
//!
//! Run with `cargo bench --bench number_semantics`; criterion reports the throughput in subjects per second.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rhai::{AST, Dynamic, Engine, EvalAltResult, FnPtr, OptimizationLevel};

const N_SUBJECTS: usize = 10_000;

/// A subject with one field, as cheap to clone as the real one.
#[derive(Clone)]
struct Subject(Arc<f64>);

/// A number type of our own for fields.
#[derive(Clone, Copy)]
struct Number(f64);

fn engine() -> Engine {
    let mut engine = Engine::new();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_max_string_size(64 * 1024)
        .set_max_array_size(10_000)
        .set_max_map_size(10_000)
        .register_type_with_name::<Subject>("subject")
        .register_indexer_get(|s: &mut Subject, _: &str| *s.0);
    engine
}

/// Rhai as it is: wrong about text, infinities, epsilon and division.
fn plain() -> Engine {
    engine()
}

/// Fast operators off, Larum's operators registered.
fn own_operators() -> Engine {
    let mut engine = engine();
    engine.set_fast_operators(false);
    larum::rules::register_operators(&mut engine);
    engine
}

/// Fields have a type of their own; constants stay Rhai's.
fn own_type() -> Engine {
    let mut engine = engine();
    engine
        .register_indexer_get(|s: &mut Subject, _: &str| Number(*s.0))
        .register_fn(">", |a: Number, b: f64| a.0 > b)
        .register_fn(">", |a: Number, b: i64| a.0 > b as f64)
        .register_fn(">", |a: f64, b: Number| a > b.0)
        .register_fn(">", |a: Number, b: Number| a.0 > b.0);
    engine
}

/// The tree is rewritten when it is loaded, so that each operator calls a function.
fn rewritten() -> Engine {
    let mut engine = engine();
    engine.register_fn("gt", |a: Dynamic, b: Dynamic| -> Result<bool, Box<EvalAltResult>> {
        match (a.as_float(), b.as_float()) {
            (Ok(a), Ok(b)) if a.is_finite() && b.is_finite() => Ok(a > b),
            _ => Err("no numbers".into()),
        }
    });
    engine.register_fn("gt", |a: f64, b: f64| -> Result<bool, Box<EvalAltResult>> {
        if a.is_finite() && b.is_finite() { Ok(a > b) } else { Err("not finite".into()) }
    });
    engine
}

fn judge_all(engine: &Engine, ast: &AST, closure: &FnPtr, subjects: &[Subject]) -> usize {
    let fires = |subject: &&Subject| closure.call::<bool>(engine, ast, ((*subject).clone(),)).is_ok_and(|fires| fires);
    subjects.iter().filter(fires).count()
}

fn number_semantics(criterion: &mut Criterion) {
    let subjects: Vec<Subject> = (0..N_SUBJECTS).map(|n| Subject(Arc::new(n as f64 / N_SUBJECTS as f64))).collect();
    let mut group = criterion.benchmark_group("number_semantics");
    group.throughput(Throughput::Elements(N_SUBJECTS as u64));
    let ways: [(&str, Engine, &str); 4] = [
        ("a plain Rhai", plain(), "|s| s.error_rate > 0.1"),
        ("b own operators", own_operators(), "|s| s.error_rate > 0.1"),
        ("c own number type", own_type(), "|s| s.error_rate > 0.1"),
        ("d rewritten tree", rewritten(), "|s| gt(s.error_rate, 0.1)"),
    ];
    for (name, engine, text) in ways {
        let ast = engine.compile(text).expect("the closure compiles");
        let closure: FnPtr = engine.eval_ast(&ast).expect("the closure is made");
        assert_eq!(judge_all(&engine, &ast, &closure, &subjects), 8_999);
        group.bench_function(name, |bencher| bencher.iter(|| judge_all(&engine, &ast, &closure, &subjects)));
    }
    group.finish();
}

criterion_group!(benches, number_semantics);
criterion_main!(benches);
