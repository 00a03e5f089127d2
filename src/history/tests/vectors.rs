//! What Prometheus, numpy, scipy and pandas make of the same samples (`tests/oracle/vectors.py`).

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::*;
use crate::history::{Share, Window, WindowFn};
use crate::model::NoData;

/// Samples of the fields of one subject, and questions about one of them.
#[derive(Deserialize)]
struct Case {
    fields: BTreeMap<String, Vec<(i64, f64)>>,
    field: String,
    asked: Vec<Asked>,
}

/// Function, argument, window in s, time in s, answer where there is one.
#[derive(Deserialize)]
struct Asked(String, Option<f64>, u64, i64, Option<f64>);

impl Asked {
    fn ask(&self, world: &World, field: &str) -> Result<f64, NoData> {
        let Asked(function, argument, window, at, _) = self;
        let (now, length) = (Now::at(Time::from_micros(at * 1_000_000)), Duration::from_secs(*window));
        let argument = argument.unwrap_or_default();
        let function = match function.as_str() {
            "baseline" => return world.baseline(id(world), field, length, argument as u32, now),
            "quantile" => WindowFn::Quantile(Share::new(argument).unwrap()),
            "forecast" => WindowFn::Forecast(Duration::from_secs_f64(argument)),
            name => WindowFn::PLAIN.into_iter().find(|known| known.as_str() == name).unwrap(),
        };
        world.window(id(world), function, field, Window::last(length), now)
    }

    fn check(&self, world: &World, case: &Case) -> Result<(), String> {
        let got = self.ask(world, &case.field);
        let Asked(function, argument, window, at, expected) = self;
        let what = format!("{function} {argument:?} of {} over {window} s at {at}: {got:?}", case.field);
        match (got, expected) {
            (Err(NoData::TooFewSamples { .. } | NoData::NotFinite { .. }), None) => Ok(()),
            (Ok(got), Some(expected)) => {
                let values = case.fields.values().flatten().map(|(_, value)| value.abs());
                let largest = values.fold(0.0, f64::max);
                // What the subtraction of large numbers leaves of them; scores divide by such a remainder.
                let left = if function.ends_with("zscore") { 1e-6 + largest * 1e-18 } else { largest * 1e-13 };
                let is_near = (got - expected).abs() <= expected.abs() * 1e-9 + left;
                if is_near { Ok(()) } else { Err(format!("{what} is not {expected}")) }
            }
            (_, expected) => Err(format!("{what}, expected {expected:?}")),
        }
    }
}

/// Pushes the samples in the order of their times, and asks each question when its time has come.
fn answers(case: &Case) -> Vec<String> {
    let mut at_times: BTreeMap<i64, Vec<(&str, Value)>> = BTreeMap::new();
    for (field, samples) in &case.fields {
        for (millis, value) in samples {
            at_times.entry(*millis).or_default().push((field, Value::Number(*value)));
        }
    }
    let mut asked: Vec<&Asked> = case.asked.iter().collect();
    asked.sort_by_key(|asked| asked.3);
    let mut asked = asked.into_iter().peekable();
    let (mut world, mut wrong) = (world_with(Limits::default()), Vec::new());
    for (millis, fields) in &at_times {
        while let Some(asked) = asked.next_if(|asked| asked.3 * 1000 < *millis) {
            wrong.extend(asked.check(&world, case).err());
        }
        let time = Time::from_micros(millis * 1000);
        let snapshot = Snapshot { time, ..snapshot("s", "a", 0, fields) };
        let source = Source { name: "push".into(), stale_after: secs(300) };
        let batch = Batch { source, snapshots: vec![snapshot], complete: Vec::new() };
        assert_eq!(world.ingest(Now::at(time), &batch).taken, 1);
    }
    assert!(asked.next().is_none(), "all questions are about times before the last sample");
    wrong
}

#[test]
fn the_functions_answer_as_prometheus_and_scipy_do() {
    let kept = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/vectors.json");
    let path = std::env::var_os("LARUM_VECTORS").map_or_else(kept, PathBuf::from);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert!(cases.iter().map(|case| case.asked.len()).sum::<usize>() > 1000);
    let wrong: Vec<String> = cases.iter().flat_map(answers).collect();
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}
