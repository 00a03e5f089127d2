//! Silences, closed windows, and what is told when they end.

use super::*;
use crate::routing::Expired;

const HOT: &str = r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, cooldown: "0s", repeat: "never" });"#;

#[test]
fn what_a_silence_held_back_is_told_when_it_ends_if_it_still_fires() {
    let mut bench = Bench::new(HOT);
    bench.silence("s", "rule: hot", 100);
    bench.push(0, "x", "heat", 20.0);
    bench.push(10, "y", "heat", 20.0);
    bench.push(20, "y", "heat", 1.0);
    bench.advance_to(99);
    assert_eq!(bench.log(), [""; 0]);
    let suppressed: Vec<_> =
        bench.suppressed.iter().map(|s| (s.subject.name.to_string(), s.reason, s.events)).collect();
    assert_eq!(suppressed, [("y".to_string(), "silenced", 2)]);
    bench.advance_to(100);
    assert_eq!(bench.log(), ["100 a: raised hot x warning"]);
}

#[test]
fn who_was_told_before_a_silence_gets_the_end_at_once() {
    let mut bench = Bench::new(HOT);
    bench.push(0, "x", "heat", 20.0);
    bench.silence("s", "name: x", 1000);
    bench.push(10, "x", "heat", 1.0);
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "10 a: recovered hot x warning"]);
}

#[test]
fn a_silence_that_a_person_ends_holds_nothing_any_more() {
    let mut bench = Bench::new(HOT);
    let silence = bench.silence("s", "kind: thing", 1000);
    bench.push(0, "x", "heat", 20.0);
    bench.advance_to(50);
    let expired = Some(Expired { at: time(50), by: "ben".into() });
    bench.input(Input::Silence(Silence { expired, ..silence }));
    assert_eq!(bench.log(), ["50 a: raised hot x warning"]);
}

#[test]
fn several_alerts_that_a_silence_held_back_are_told_in_one_message() {
    let mut bench = Bench::new(HOT);
    bench.silence("s", "rule: hot", 100);
    for name in ["x", "y", "z"] {
        bench.push(0, name, "heat", 20.0);
    }
    bench.advance_to(100);
    assert_eq!(bench.log(), ["100 a: raised hot x warning, raised hot y warning, raised hot z warning"]);
    bench.push(110, "y", "heat", 1.0);
    assert_eq!(bench.log()[1..], ["110 a: recovered hot y warning"]);
}

#[test]
fn what_fell_into_a_closed_window_is_told_in_one_message_when_it_opens() {
    let mut bench = Bench::new(HOT);
    bench.routes("routes: [{ to: [a], active: '00:10-23:00' }, { to: [b] }]");
    bench.push(0, "x", "heat", 20.0);
    bench.push(1, "y", "heat", 20.0);
    bench.push(2, "z", "heat", 20.0);
    bench.push(3, "z", "heat", 1.0);
    bench.push(290, "x", "heat", 30.0);
    bench.push(290, "y", "heat", 30.0);
    bench.advance_to(600);
    // They are silent since 590, and the message says how they stand now.
    assert_eq!(bench.log(), ["600 a: raised hot x warning, raised hot y warning"]);
}

#[test]
fn silences_and_what_they_hold_come_back_after_a_restart() {
    let mut bench = Bench::new(HOT);
    bench.silence("s", "rule: hot", 100);
    bench.push(0, "x", "heat", 20.0);
    bench.restart(10);
    bench.save(HOT);
    bench.advance_to(99);
    assert_eq!(bench.log(), [""; 0]);
    assert_eq!(bench.engine.silences().len(), 1);
    bench.advance_to(100);
    assert_eq!(bench.log(), ["100 a: raised hot x warning"]);
}

#[test]
fn a_silence_that_ended_is_kept_until_the_retention_is_over() {
    let mut bench = Bench::new(HOT);
    bench.push(0, "x", "heat", 1.0);
    bench.silence("s", "rule: hot", 100);
    bench.advance_to(90 * 24 * 3600);
    assert_eq!(bench.engine.silences().len(), 1);
    bench.push(90 * 24 * 3600, "x", "heat", 1.0);
    bench.advance_to(90 * 24 * 3600 + 200);
    assert_eq!(bench.engine.silences().len(), 0);
    assert!(!bench.saved.keys().any(|key| key.starts_with("silence")), "it is no longer stored");
}
