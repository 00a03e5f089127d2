use super::*;
use crate::model::{EventKind, Level};

const HOT: &str =
    r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, hold: "30s", cooldown: "1m", repeat: "10m" });"#;

#[test]
fn a_deadline_is_acted_on_at_its_own_time_however_late_the_call_comes() {
    let story = |late: bool| {
        let mut bench = Bench::new(HOT);
        bench.push(0, "x", "heat", 20.0);
        if late {
            bench.secs = 1000;
            bench.input(Input::Tick);
        } else {
            bench.advance_to(1000);
        }
        bench.events.iter().map(|event| (event.time, event.kind, event.firing.clone())).collect::<Vec<_>>()
    };
    assert_eq!(story(true), story(false));
    assert_eq!(story(true).first().map(|(at, kind, _)| (*at, *kind)), Some((time(30), EventKind::Raised)));
}

#[test]
fn time_that_goes_back_counts_as_the_newest_step() {
    let mut bench = Bench::new(HOT);
    bench.push(100, "x", "heat", 20.0);
    bench.secs = 50;
    let effects = bench.input(Input::Tick);
    assert_eq!(effects.now.time, time(100));
}

#[test]
fn a_duplicate_is_not_judged_again_and_a_replacement_is() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10 });"#);
    assert_eq!(bench.push(10, "x", "heat", 5.0).evaluations, 1);
    let again = bench.push(10, "x", "heat", 5.0);
    assert_eq!((again.evaluations, again.report.duplicates), (0, 1));
    assert_eq!(bench.push(10, "x", "heat", 20.0).evaluations, 1);
    assert_eq!(bench.log(), ["10 a: raised hot x warning"]);
}

#[test]
fn what_follows_a_notification_on_its_way_is_folded_into_one() {
    let mut bench = Bench::new(
        r#"rule("hot", #{ on: "thing", cooldown: "0s",
            when: #{ warning: |s| s.heat > 10, error: |s| s.heat > 20, critical: |s| s.heat > 30 } });"#,
    );
    bench.delivers = false;
    bench.push(0, "x", "heat", 15.0);
    bench.push(10, "x", "heat", 25.0);
    bench.push(20, "x", "heat", 35.0);
    assert_eq!(bench.log(), ["0 a: raised hot x warning"], "the receiver is dead");
    bench.delivers = true;
    bench.secs = 100;
    bench.delivered(bench.sent[0].id.clone());
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "100 a: escalated hot x critical"]);
    let folded: Vec<_> = bench.sent[1].alerts[0].folded.iter().map(|event| (event.event, event.level)).collect();
    assert_eq!(folded, [(EventKind::Escalated, Level::Error)], "and lists what it stands for, but for itself");
}

#[test]
fn an_end_waits_for_the_raise_on_its_way_even_if_the_rule_is_removed() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10 });"#);
    bench.delivers = false;
    bench.push(0, "x", "heat", 20.0);
    bench.save("// nothing");
    assert_eq!(bench.log(), ["0 a: raised hot x warning"]);
    bench.delivered(bench.sent[0].id.clone());
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "0 a: closed hot x warning (rule removed)"]);
}

#[test]
fn a_raise_held_until_its_end_is_suppressed_with_its_reason() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, cooldown: "5m" });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.push(10, "x", "heat", 1.0);
    bench.push(20, "x", "heat", 20.0);
    bench.push(30, "x", "heat", 1.0);
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "10 a: recovered hot x warning"]);
    assert_eq!(bench.suppressed.iter().map(|held| held.reason).collect::<Vec<_>>(), ["cooldown"]);
}

#[test]
fn while_alerting_is_off_nobody_is_told_and_afterwards_who_still_should_know() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10 });"#);
    bench.input(Input::Alerting(false));
    bench.push(0, "x", "heat", 20.0);
    bench.push(0, "y", "heat", 20.0);
    bench.push(10, "y", "heat", 1.0);
    assert_eq!(bench.log(), [""; 0]);
    bench.input(Input::Alerting(true));
    assert_eq!(bench.log(), ["10 a: raised hot x warning"]);
}

#[test]
fn a_rule_that_runs_away_is_quarantined_and_tried_again_and_stops_no_other_rule() {
    let mut bench = Bench::new(
        r#"rule("endless", #{ on: "thing", when: |s| { while s.heat > 10 {} false } });
           rule("sound", #{ on: "thing", when: |s| s.heat > 10, repeat: "never" });"#,
    );
    for secs in 0..3 {
        bench.push(secs, "x", "heat", 20.0);
    }
    assert_eq!(bench.log(), ["0 a: raised sound x warning"]);
    assert!(bench.faults.iter().all(|fault| fault.rule.as_str() == "endless" && fault.fault.line == 1));
    assert_eq!(bench.faults.len(), 3);
    assert_eq!(bench.push(3, "x", "heat", 21.0).evaluations, 1, "only the sound one is judged");
    bench.advance_to(70);
    assert_eq!(bench.faults.len(), 4, "tried again after a minute");
}

#[test]
fn a_subject_without_an_alert_is_forgotten_after_an_hour_and_one_that_fires_after_a_day() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, repeat: "never" });"#);
    bench.push(0, "cold", "heat", 1.0);
    bench.push(0, "hot", "heat", 20.0);
    bench.advance_to(3 * 3600);
    assert!(bench.engine.world().find("thing", "cold").is_none());
    assert!(bench.engine.world().find("thing", "hot").is_some());
    bench.advance_to(25 * 3600);
    assert!(bench.engine.world().find("thing", "hot").is_none());
    assert_eq!(
        bench.log(),
        ["0 a: raised hot hot warning", "300 a: stale hot hot warning", "86400 a: closed hot hot warning (vanished)"]
    );
}

#[test]
fn a_subject_forgotten_by_hand_is_vanished_at_once() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10 });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.input(Input::Forget(SubjectKey::new("thing", "x")));
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "0 a: closed hot x warning (vanished)"]);
}

#[test]
fn an_error_leaves_an_alert_as_it_is_and_its_reminder_says_since_when() {
    let mut bench =
        Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, cooldown: "0s", repeat: "1m" });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.push(10, "x", "heat", "very");
    bench.advance_to(61);
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "60 a: reminded hot x warning"]);
    assert_eq!(bench.sent[1].alerts[0].not_judged_since, Some(time(10)));
}

#[test]
fn the_same_story_gives_the_same_effects() {
    let story = || {
        let mut bench = Bench::new(HOT);
        for (secs, name, heat) in [(0, "b", 20.0), (0, "a", 20.0), (40, "a", 1.0), (50, "c", 11.0)] {
            bench.push(secs, name, "heat", heat);
        }
        bench.advance_to(2000);
        format!("{:?}", bench.sent)
    };
    assert_eq!(story(), story());
}

#[test]
fn a_channel_that_is_held_back_is_told_with_the_reason() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, cooldown: "1m" });"#);
    let held = |bench: &Bench| -> Vec<String> {
        let now = Now::at(time(bench.secs));
        let views = bench.engine.alerts();
        let holds = views.flat_map(|view| bench.engine.holds(now, view.rule, view.alert));
        holds.map(|(channel, hold)| format!("{channel}: {}", hold.reason())).collect()
    };
    bench.push(0, "x", "heat", 20.0);
    assert!(held(&bench).is_empty(), "it was told");
    bench.push(10, "x", "heat", 1.0);
    bench.push(20, "x", "heat", 20.0);
    assert_eq!(held(&bench), ["a: cooldown"]);
    bench.input(Input::Alerting(false));
    assert_eq!(held(&bench), ["a: alerting disabled"]);
}

#[test]
fn a_recovery_carries_the_message_of_the_trouble_and_the_values_of_its_end() {
    let mut bench =
        Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, message: |s| `heat is ${s.heat}` });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.push(10, "x", "heat", 5.0);
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "10 a: recovered hot x warning"]);
    let end = &bench.sent[1].alerts[0];
    assert_eq!(end.message, "heat is 20", "not `was: heat is 5`");
    assert!(end.values.iter().any(|(_, value)| *value == Value::from(5.0)), "{:?}", end.values);
}
