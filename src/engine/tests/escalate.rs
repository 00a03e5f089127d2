//! Acknowledgements and escalation.

use super::*;
use crate::model::EventKind;

const HOT: &str = r#"rule("hot", #{ on: "thing", when: #{ warning: |s| s.heat > 10, critical: |s| s.heat > 50 },
    cooldown: "0s", repeat: "5m" });"#;
const ROUTES: &str = "routes: [{ to: [a], escalate: [{ after: 2m, to: [b] }, { after: 4m, to: [a, c] }] }]";

fn bench() -> Bench {
    let mut bench = Bench::new(HOT);
    bench.routes(ROUTES);
    bench
}

#[test]
fn nobody_acknowledges_so_each_step_is_told_at_its_time_and_all_get_the_end() {
    let mut bench = bench();
    bench.push(0, "x", "heat", 20.0);
    bench.keep(250, "x", "heat", 20.0);
    bench.push(260, "x", "heat", 1.0);
    assert_eq!(
        bench.log(),
        [
            "0 a: raised hot x warning",
            "120 b: unacknowledged hot x warning",
            "240 a: unacknowledged hot x warning",
            "240 c: unacknowledged hot x warning",
            "260 a: recovered hot x warning",
            "260 b: recovered hot x warning",
            "260 c: recovered hot x warning",
        ]
    );
    let events: Vec<_> = bench.events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(events, ["raised", "unacknowledged", "unacknowledged", "recovered"]);
    assert!(bench.engine.books().values().all(|books| books.is_balanced() && books.waiting == 0));
}

#[test]
fn an_acknowledgement_stops_reminders_and_escalation_and_every_channel_told_gets_the_end() {
    let mut bench = bench();
    bench.push(0, "x", "heat", 20.0);
    bench.keep(130, "x", "heat", 20.0);
    bench.acknowledge("hot");
    bench.keep(3000, "x", "heat", 20.0);
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "120 b: unacknowledged hot x warning"]);
    bench.push(3010, "x", "heat", 1.0);
    assert_eq!(bench.log()[2..], ["3010 a: recovered hot x warning", "3010 b: recovered hot x warning"]);
    let end = bench.sent.last().unwrap();
    assert_eq!(end.alerts[0].acknowledged.as_ref().map(|ack| &*ack.by), Some("anna"));
    let acknowledged = bench.events.iter().find(|event| event.kind == EventKind::Acknowledged).unwrap();
    assert_eq!(acknowledged.message, "by anna: looking");
}

#[test]
fn a_risen_level_voids_the_acknowledgement_and_escalation_begins_anew() {
    let mut bench = bench();
    bench.push(0, "x", "heat", 20.0);
    bench.push(10, "x", "heat", 20.0);
    bench.acknowledge("hot");
    bench.push(20, "x", "heat", 60.0);
    bench.keep(145, "x", "heat", 60.0);
    assert_eq!(
        bench.log(),
        ["0 a: raised hot x warning", "20 a: escalated hot x critical", "140 b: unacknowledged hot x critical"]
    );
}

#[test]
fn a_step_that_was_told_is_told_again_after_the_level_has_risen() {
    let mut bench = bench();
    bench.push(0, "x", "heat", 20.0);
    bench.keep(130, "x", "heat", 20.0);
    bench.push(130, "x", "heat", 60.0);
    bench.keep(255, "x", "heat", 60.0);
    assert_eq!(
        bench.log()[1..],
        [
            "120 b: unacknowledged hot x warning",
            "130 a: escalated hot x critical",
            "130 b: escalated hot x critical",
            "250 b: unacknowledged hot x critical",
        ]
    );
}

#[test]
fn an_acknowledgement_that_is_taken_back_lets_escalation_go_on_where_it_stood() {
    let mut bench = bench();
    bench.push(0, "x", "heat", 20.0);
    bench.keep(60, "x", "heat", 20.0);
    bench.acknowledge("hot");
    bench.keep(600, "x", "heat", 20.0);
    let firings = bench.engine.select(&Selector::default());
    bench.input(Input::Acknowledge { firings, by: "anna".into(), comment: "".into(), withdraw: true });
    bench.keep(670, "x", "heat", 20.0);
    assert_eq!(
        bench.log()[1..],
        ["600 a: reminded hot x warning", "660 b: unacknowledged hot x warning"],
        "one minute had been counted before, and the reminder was due"
    );
}

#[test]
fn the_time_without_an_acknowledgement_stands_still_while_it_is_silenced_or_the_window_is_closed() {
    let mut bench = bench();
    bench.push(0, "x", "heat", 20.0);
    bench.keep(60, "x", "heat", 20.0);
    bench.silence("s", "rule: hot", 100);
    bench.keep(215, "x", "heat", 20.0);
    assert_eq!(bench.log(), ["0 a: raised hot x warning"]);
    bench.keep(220, "x", "heat", 20.0);
    assert_eq!(bench.log()[1..], ["220 b: unacknowledged hot x warning"]);

    let mut bench = Bench::new(HOT);
    bench.routes("routes: [{ to: [a], active: '00:00-00:01, 00:10-00:20', escalate: [{ after: 2m, to: [b] }] }]");
    bench.push(0, "x", "heat", 20.0);
    bench.keep(670, "x", "heat", 20.0);
    assert_eq!(
        bench.log(),
        ["0 a: raised hot x warning", "600 a: reminded hot x warning", "660 b: unacknowledged hot x warning"]
    );
}

#[test]
fn a_restart_keeps_acknowledgements_and_the_time_without_one_and_the_time_without_a_daemon_does_not_count() {
    let mut bench = bench();
    bench.push(0, "x", "heat", 20.0);
    bench.push(60, "x", "heat", 20.0);
    bench.restart(200);
    bench.routes(ROUTES);
    bench.save(HOT);
    bench.push(200, "x", "heat", 20.0);
    bench.advance_to(260);
    assert_eq!(bench.log()[1..], ["260 b: unacknowledged hot x warning"], "60 s before and 60 s after");
    bench.acknowledge("hot");
    bench.restart(270);
    bench.routes(ROUTES);
    bench.save(HOT);
    bench.keep(2000, "x", "heat", 20.0);
    assert_eq!(bench.log().len(), 2);
}

#[test]
fn whoever_is_on_call_is_told_and_at_the_handover_the_next_one() {
    let mut bench = Bench::new(HOT);
    bench.routes(
        "on_call: { duty: { rotate: daily, starts: 2026-01-04 00:05, turns: [a, b] } }\nroutes: [{ to: [duty] }]",
    );
    bench.push(0, "x", "heat", 20.0);
    bench.push(250, "x", "heat", 20.0);
    bench.push(310, "x", "heat", 1.0);
    assert_eq!(
        bench.log(),
        [
            "0 a: raised hot x warning",
            "300 b: raised hot x warning",
            "310 a: recovered hot x warning",
            "310 b: recovered hot x warning",
        ]
    );
}
