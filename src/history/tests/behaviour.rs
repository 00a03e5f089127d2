//! What a batch does.

use super::*;
use crate::history::{Refusal, Window, WindowFn};
use crate::model::NoData;

#[test]
fn a_field_is_read_until_its_subject_turns_stale() {
    let mut world = world();
    let report = set(&mut world, 0, 1.5);
    let a = id(&world);
    assert_eq!((report.judged.as_slice(), report.taken), ([a].as_slice(), 1));
    assert_eq!(world.field(a, "x", now(59)), Ok(Value::Number(1.5)));
    assert_eq!(world.next_stale(), Some(at(60)));
    assert_eq!(world.field(a, "x", now(60)), Err(NoData::Stale { since: at(0) }));
    assert_eq!(world.turned_stale(now(59)), []);
    assert_eq!(world.turned_stale(now(60)), [a]);
    assert_eq!(world.turned_stale(now(61)), []);
    assert_eq!(world.next_stale(), None);
}

#[test]
fn late_ahead_duplicate_and_replaced_snapshots_are_told_apart() {
    let mut world = world();
    set(&mut world, 10, 1.0);
    let snapshots = vec![
        snapshot("s", "a", 9, &[("x", 9.0.into())]),
        snapshot("s", "a", 10, &[("x", 1.0.into())]),
        snapshot("s", "a", 42, &[("x", 9.0.into())]),
        snapshot("s", "a", 10, &[("x", 2.0.into())]),
    ];
    let report = push(&mut world, 11, snapshots);
    let a = id(&world);
    assert_eq!(report.refused, [(0, Refusal::Late { newest: at(10) }), (2, Refusal::Ahead)]);
    assert_eq!((report.duplicates, report.taken, report.judged), (1, 1, vec![a]));
    assert_eq!(world.field(a, "x", now(11)), Ok(Value::Number(2.0)));
    assert_eq!(world.window(a, WindowFn::Sum, "x", Window::last(secs(60)), now(11)), Ok(2.0));
}

#[test]
fn several_snapshots_of_one_subject_are_recorded_in_order_and_judged_once() {
    let mut world = world();
    let sample = |name, seconds, x: f64| snapshot("s", name, seconds, &[("x", x.into())]);
    let report = push(&mut world, 30, vec![sample("b", 20, 2.0), sample("a", 30, 3.0), sample("a", 10, 1.0)]);
    let [a, b] = ["a", "b"].map(|name| world.find("s", name).unwrap());
    assert_eq!((report.judged, report.taken), (vec![a, b], 3));
    assert_eq!(world.window(a, WindowFn::First, "x", Window::last(secs(60)), now(30)), Ok(1.0));
    assert_eq!(world.field(a, "x", now(30)), Ok(Value::Number(3.0)));
}

#[test]
fn what_a_field_is_not_has_its_own_reason() {
    let mut world = world();
    push(&mut world, 0, vec![snapshot("s", "a", 0, &[("x", 1.0.into()), ("nan", f64::NAN.into())])]);
    push(&mut world, 1, vec![snapshot("s", "a", 1, &[("nan", f64::INFINITY.into())])]);
    let a = id(&world);
    assert_eq!(world.field(a, "x", now(1)), Err(NoData::FieldMissing { field: "x".into() }));
    assert_eq!(world.field(a, "z", now(1)), Err(NoData::NeverHad { field: "z".into() }));
    assert_eq!(world.field(a, "nan", now(1)), Err(NoData::NotFinite { origin: "nan".into() }));
    assert_eq!(world.window(a, WindowFn::Count, "nan", Window::last(secs(60)), now(1)), Ok(0.0));
    assert_eq!(world.window(a, WindowFn::Last, "x", Window::last(secs(60)), now(1)), Ok(1.0));
    let question = "rate(\"x\", \"1m\")".to_string();
    let too_few = NoData::TooFewSamples { question, have: 1, need: 2 };
    assert_eq!(world.window(a, WindowFn::Rate, "x", Window::last(secs(60)), now(1)), Err(too_few));
    assert_eq!(world.fields_of_kind("s").map(|name| &**name).collect::<Vec<_>>(), ["nan", "x"]);
    assert_eq!(world.fields(a).map(|(name, _)| &**name).collect::<Vec<_>>(), ["nan"]);
}

#[test]
fn a_source_says_what_is_gone_and_what_came_back() {
    let mut world = world();
    let sample = |name, seconds| snapshot("disk", name, seconds, &[("used", 1.0.into())]);
    let complete = |snapshots| Batch { source: source("host"), snapshots, complete: vec!["disk".into()] };
    world.ingest(now(0), &complete(vec![sample("c", 0), sample("b", 0), sample("a", 0)]));
    let foreign = Batch { source: source("push"), snapshots: vec![sample("z", 0)], complete: Vec::new() };
    world.ingest(now(0), &foreign);
    let [a, b, c, z] = ["a", "b", "c", "z"].map(|name| world.find("disk", name).unwrap());

    let report = world.ingest(now(10), &complete(vec![sample("b", 10)]));
    assert_eq!((report.judged, report.gone), (vec![b], vec![a, c]));
    assert_eq!(world.field(a, "used", now(10)), Err(NoData::Gone));
    assert_eq!(world.window(a, WindowFn::Last, "used", Window::last(secs(60)), now(10)), Ok(1.0));
    assert_eq!(world.ago(a, "used", secs(10), now(10)), Ok(Value::Number(1.0)));
    assert!(world.is_stale(a, now(10)));
    assert!(!world.is_stale(z, now(10)), "another source's subject is not its to bury");

    let report = world.ingest(now(20), &complete(vec![sample("b", 20), sample("a", 20)]));
    assert_eq!((report.judged, report.gone), (vec![a, b], vec![]), "c is not gone a second time");
    assert_eq!(world.held(a, "used", &1.0.into(), now(25)), Ok(5.0), "it was gone between");
    assert_eq!(world.held(b, "used", &1.0.into(), now(25)), Ok(25.0));

    // A refused snapshot names its subject all the same.
    let report = world.ingest(now(30), &complete(vec![sample("b", 5), sample("a", 30)]));
    assert_eq!((report.judged, report.gone, report.refused.len()), (vec![a], vec![], 1));

    let gone = Snapshot { gone: true, ..snapshot("disk", "a", 40, &[]) };
    let never_known = Snapshot { gone: true, ..snapshot("disk", "y", 40, &[]) };
    let batch = Batch { source: source("host"), snapshots: vec![gone, never_known], complete: Vec::new() };
    let report = world.ingest(now(40), &batch);
    assert_eq!((report.judged, report.gone, world.find("disk", "y")), (vec![], vec![a], None));
    assert_eq!(world.turned_stale(now(1000)), [b, z], "a gone subject does not turn stale");
}

#[test]
fn a_subject_belongs_to_the_source_that_first_wrote_it() {
    let mut world = world();
    let sample = |seconds| vec![snapshot("host", "web-1", seconds, &[("cpu", 1.0.into())])];
    push(&mut world, 0, sample(0));
    let batch = Batch { source: source("other"), snapshots: sample(1), complete: vec!["host".into()] };
    let report = world.ingest(now(1), &batch.clone());
    assert_eq!(report.refused, [(0, Refusal::OtherSource { owner: "push".into() })]);
    assert_eq!((report.gone, report.judged), (vec![], vec![]));
    world.forget(world.find("host", "web-1").unwrap());
    assert_eq!(world.ingest(now(2), &batch).taken, 1);
}

#[test]
fn a_clock_that_went_back_is_believed_once_the_subject_is_stale() {
    let mut world = world();
    for (seconds, x) in [(100, 1.0), (110, 2.0), (120, 3.0)] {
        set(&mut world, seconds, x);
    }
    let back = |x: f64| vec![snapshot("s", "a", 105, &[("x", x.into())])];
    assert_eq!(push(&mut world, 179, back(9.0)).refused, [(0, Refusal::Late { newest: at(120) })]);
    assert_eq!(push(&mut world, 180, back(9.0)).taken, 1);
    let a = id(&world);
    assert_eq!(world.subject(a).unwrap().time, at(105));
    assert_eq!(world.window(a, WindowFn::Sum, "x", Window::last(secs(600)), now(180)), Ok(10.0));
    assert_eq!(world.window(a, WindowFn::Count, "x", Window::Day { ago: 0 }, now(180)), Ok(4.0));
    assert_eq!(push(&mut world, 181, vec![snapshot("s", "a", 106, &[("x", 1.0.into())])]).taken, 1);
}

#[test]
fn held_counts_arrivals_and_is_broken_by_other_values_and_by_none() {
    let mut world = world();
    let running = Value::from("running");
    let table: [(i64, Option<&str>, f64); 8] = [
        (0, Some("running"), 0.0),
        (50, Some("running"), 50.0),
        (60, Some("stopped"), 0.0),
        (70, Some("running"), 0.0),
        (80, Some("running"), 10.0),
        (90, None, -1.0),
        (100, Some("running"), 0.0),
        // Silence is no break: nothing else was seen.
        (1000, Some("running"), 900.0),
    ];
    for (seconds, value, expected) in table {
        let fields: Vec<(&str, Value)> = value.map(|value| ("status", value.into())).into_iter().collect();
        push(&mut world, seconds, vec![snapshot("s", "a", seconds, &fields)]);
        let held = world.held(id(&world), "status", &running, now(seconds));
        assert_eq!(held.unwrap_or(-1.0), expected, "{seconds}");
    }
    let a = id(&world);
    assert_eq!(world.held(a, "status", &running, now(2000)), Ok(1900.0), "it can be read while stale");
    assert_eq!(world.held(a, "status", &"stopped".into(), now(2000)), Ok(0.0));
}

#[test]
fn absent_is_never_true_of_a_time_that_was_not_watched() {
    let mut world = world();
    set(&mut world, 100, 1.0);
    let a = id(&world);
    let absent =
        |length, ago, seconds| world.absent(a, Window::Span { length: secs(length), ago: secs(ago) }, now(seconds));
    assert_eq!(absent(60, 0, 150), Ok(false));
    assert_eq!(absent(60, 0, 160), Ok(true), "the window is open at its begin");
    assert_eq!(absent(600, 0, 400), Ok(false));
    assert_eq!(absent(10, 0, 150), Ok(true));
    let not_watched = NoData::NotWatchedLongEnough { question: "absent(window(\"1m\", \"1m\"))".into() };
    assert_eq!(absent(60, 60, 150), Err(not_watched));
    assert_eq!(absent(60, 60, 300), Ok(true), "it can be read while stale");
}

#[test]
fn what_is_written_is_what_a_rule_says() {
    let cases = [
        (WindowFn::Rate, Window::last(secs(300)), "rate(\"x\", \"5m\")"),
        (WindowFn::Avg, Window::Span { length: secs(3600), ago: secs(86_400) }, "avg(\"x\", window(\"1h\", \"1d\"))"),
        (WindowFn::Increase, Window::Day { ago: 0 }, "increase(\"x\", today())"),
        (WindowFn::Increase, Window::Day { ago: 1 }, "increase(\"x\", yesterday())"),
        (WindowFn::Max, Window::Day { ago: 6 }, "max(\"x\", day(6))"),
    ];
    for (function, window, text) in cases {
        assert_eq!(function.question("x", window), text);
    }
}
