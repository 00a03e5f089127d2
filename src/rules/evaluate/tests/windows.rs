//! Windows, stale and gone subjects.

use super::Say::{Error, Never, No, Nothing, Yes};
use super::*;

/// A counter that grows by 20 a second and a gauge, every 10 s for 5 minutes.
fn history() -> Bench {
    let mut bench = Bench::new();
    for step in 0..=30_i32 {
        let t = f64::from(step) * 10.0;
        let status = if step < 20 { "stopped" } else { "running" };
        let fields = [("total", num(t * 20.0)), ("load", num(f64::from(step % 3))), ("status", Value::from(status))];
        bench.push(i64::from(step) * 10, "service", "a", &[], &fields);
    }
    bench
}

#[test]
fn windows_answer_over_the_samples_in_them() {
    let context = history().subject("service", "a");
    let cases = [
        ("s.avg(\"load\", \"1m\") == 1", Yes),
        ("s.min(\"load\", \"1m\") == 0 && s.max(\"load\", \"1m\") == 2", Yes),
        ("s.sum(\"load\", \"1m\") == 6 && s.count(\"load\", \"1m\") == 6", Yes),
        ("s.first(\"total\", \"1m\") == 5000 && s.last(\"total\", \"1m\") == 6000", Yes),
        ("s.stddev(\"load\", \"1m\") > 0.8 && s.stddev(\"load\", \"1m\") < 0.9", Yes),
        ("s.rate(\"total\", \"1m\") == 20", Yes),
        ("s.rate(\"total\", \"1m\") > 20", No),
        ("s.increase(\"total\", \"1m\") == 1200 && s.delta(\"total\", \"1m\") == 1200", Yes),
        ("s.changes(\"load\", \"1m\") == 5", Yes),
        ("s.ago(\"total\", \"1m\") == 4800", Yes),
        ("s.ago(\"status\", \"3m\") == \"stopped\"", Yes),
        ("s.held(\"status\", \"running\") == 100", Yes),
        ("s.held(\"status\", \"stopped\") == 0", Yes),
        ("s.absent(\"5s\")", No),
        ("s.avg(\"total\", window(\"1m\", \"1m\")) < s.avg(\"total\", \"1m\")", Yes),
        ("s.count(\"total\", today()) == 31", Yes),
        ("`${window(\"1m\", \"1h\")}` == \"window(\\\"1m\\\", \\\"1h\\\")\"", Yes),
    ];
    for (expression, say) in cases {
        expect(&context, &format!("|s| {expression}"), say);
    }
}

#[test]
fn what_is_no_window_is_an_error() {
    let context = history().subject("service", "a");
    let cases = [
        ("s.avg(\"load\", \"5x\") > 1", Error("`5x` is not a duration")),
        ("s.avg(\"load\", \"0s\") > 1", Error("longer than `0s`")),
        ("s.avg(\"load\", 5) > 1", Error("no function `avg")),
        ("s.avg(\"load\", day(-1)) > 1", Error("`day(-1)` is not in the past")),
        ("s.held(\"status\", 1) > 1", Error("`status` is a text")),
        ("s.held(\"status\", [1]) > 1", Error("never an array")),
        ("s.mode(\"load\", \"1m\") > 1", Error("no function `mode")),
    ];
    for (expression, say) in cases {
        expect(&context, &format!("|s| {expression}"), say);
    }
}

#[test]
fn a_window_without_enough_samples_is_no_data() {
    let mut bench = Bench::new();
    bench.push(0, "service", "a", &[], &[("x", num(1.0))]);
    let context = bench.subject("service", "a");
    expect(&context, "|s| s.rate(\"x\", \"5m\") > 1", Nothing("samples"));
    expect(&context, "|s| s.avg(\"x\", window(\"1m\", \"1h\")) > 1", Nothing(""));
    expect(&context, "|s| s.avg(\"y\", \"5m\") > 1", Never("y"));
}

#[test]
fn on_a_stale_subject_only_its_age_labels_held_and_absent_can_be_read() {
    let mut bench = history();
    bench.now = 300 + 120;
    let context = bench.subject("service", "a");
    let cases = [
        ("s.load > 1", Nothing("no snapshot since")),
        ("s.has(\"load\")", Nothing("no snapshot since")),
        ("s.get(\"load\", 1) == 1", Nothing("no snapshot since")),
        ("s.fields(\".*\").len() > 0", Nothing("no snapshot since")),
        ("s.avg(\"load\", \"5m\") > 1", Nothing("no snapshot since")),
        ("s.ago(\"load\", \"5m\") > 1", Nothing("no snapshot since")),
        ("s.age == 120", Yes),
        ("s.name == \"a\" && s.labels.region == \"\"", Yes),
        ("s.held(\"status\", \"running\") == 220", Yes),
        ("s.absent(\"1m\")", Yes),
        ("s.absent(\"3m\")", No),
    ];
    for (expression, say) in cases {
        expect(&context, &format!("|s| {expression}"), say);
    }
}

#[test]
fn of_a_gone_subject_windows_ago_and_absent_still_answer() {
    let mut bench = history();
    bench.gone(310, "service", "a");
    let context = bench.subject("service", "a");
    expect(&context, "|s| s.load > 1", Nothing("no longer exists"));
    expect(&context, "|s| s.avg(\"load\", \"2m\") > 0", Yes);
    expect(&context, "|s| s.ago(\"load\", \"1m\") >= 0", Yes);
    expect(&context, "|s| s.absent(\"5s\") || true", Yes);
    expect(&context, "|s| s.fields(\".*\").len() > 0", Nothing("no longer exists"));
}

#[test]
fn what_was_read_is_recorded_once_in_its_order() {
    let context = history().subject("service", "a");
    let judgement =
        rule("|s| s.load >= 0 && s.load < 9 && s.rate(\"total\", \"60s\") > 1 && s.age >= 0").judge(&context, &[]);
    let names: Vec<String> = judgement.reads.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(names, ["load=0", "rate(\"total\", \"1m\")=20", "age=0"]);
}
