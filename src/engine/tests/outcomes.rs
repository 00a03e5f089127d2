//! What a channel was told, where notifications are given up, subjects come and go, and rules are quarantined.

use super::*;

const HOT: &str = r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, cooldown: "5m", repeat: "1h" });"#;

#[test]
fn a_subject_that_is_gone_and_comes_back_is_told_again_only_after_the_cooldown() {
    let mut bench = Bench::new(HOT);
    bench.push(0, "x", "heat", 20.0);
    bench.gone(10, &["x"]);
    bench.push(20, "x", "heat", 20.0);
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "10 a: closed hot x warning (gone)"]);
    bench.push(290, "x", "heat", 20.0);
    bench.advance_to(300);
    assert_eq!(bench.log()[2..], ["300 a: raised hot x warning"]);
}

#[test]
fn a_group_that_is_gone_and_comes_back_is_told_again_only_after_the_cooldown() {
    let mut bench = Bench::new(r#"rule("hot", #{ over: "thing", by: ["name"], when: |g| g.max("heat") > 10 });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.gone(10, &["x"]);
    bench.push(20, "x", "heat", 20.0);
    assert_eq!(bench.log(), ["0 a: raised hot name=x warning", "10 a: closed hot name=x warning (gone)"]);
    bench.push(290, "x", "heat", 20.0);
    bench.advance_to(300);
    assert_eq!(bench.log()[2..], ["300 a: raised hot name=x warning"]);
}

#[test]
fn a_channel_whose_raise_was_given_up_is_told_of_no_end() {
    let mut bench = Bench::new(HOT);
    bench.delivers = false;
    bench.push(0, "x", "heat", 20.0);
    bench.dead(bench.sent[0].id.clone());
    bench.push(10, "x", "heat", 1.0);
    assert_eq!(bench.log(), ["0 a: raised hot x warning"]);
    // The same where the end came first.
    bench.push(400, "x", "heat", 20.0);
    bench.push(410, "x", "heat", 1.0);
    bench.dead(bench.sent[1].id.clone());
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "400 a: raised hot x warning"]);
}

#[test]
fn a_raise_that_was_given_up_is_made_again_when_it_would_have_been_reminded() {
    let mut bench =
        Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, cooldown: "1m", repeat: "5m" });"#);
    bench.delivers = false;
    bench.push(0, "x", "heat", 20.0);
    bench.dead(bench.sent[0].id.clone());
    bench.delivers = true;
    bench.push(290, "x", "heat", 21.0);
    bench.advance_to(300);
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "300 a: raised hot x warning"]);
    bench.push(310, "x", "heat", 1.0);
    assert_eq!(bench.log()[2..], ["310 a: recovered hot x warning"]);
}

#[test]
fn the_end_of_a_removed_rule_is_not_owed_where_its_raise_was_given_up() {
    let mut bench = Bench::new(HOT);
    bench.delivers = false;
    bench.push(0, "x", "heat", 20.0);
    bench.save("// nothing");
    bench.dead(bench.sent[0].id.clone());
    assert_eq!(bench.log(), ["0 a: raised hot x warning"]);
}

#[test]
fn quarantine_leaves_every_alert_as_it_is_and_stops_its_timers() {
    let mut bench = Bench::new(
        r#"rule("hot", #{ on: "thing", when: |s| { while s.heat < 0 {} s.heat > 10 }, hold: "20s", repeat: "never" });"#,
    );
    bench.push(0, "waits", "heat", 20.0);
    bench.push(0, "fires", "heat", 20.0);
    bench.advance_to(20);
    assert_eq!(bench.log(), ["20 a: raised hot fires warning", "20 a: raised hot waits warning"]);
    bench.push(20, "late", "heat", 20.0);
    for secs in 21..24 {
        bench.push(secs, "bad", "heat", -1.0);
    }
    bench.advance_to(82);
    let late = bench.engine.alert(&"hot".into(), "late").unwrap();
    assert_eq!((late.state(), late.not_judged_since), ("pending", Some(time(23))), "its hold stands still");
    bench.advance_to(99);
    assert_eq!(bench.log().len(), 2, "three seconds were counted before, and the rest after 83");
    bench.advance_to(100);
    assert_eq!(bench.log()[2..], ["100 a: raised hot late warning"]);
}

#[test]
fn a_subject_that_turns_silent_while_its_rule_is_in_quarantine_is_told_so_afterwards() {
    let mut bench =
        Bench::new(r#"rule("hot", #{ on: "thing", when: |s| { while s.heat < 0 {} s.heat > 10 }, repeat: "never" });"#);
    bench.push(0, "fires", "heat", 20.0);
    for secs in [290, 291, 292] {
        bench.push(secs, "bad", "heat", -1.0);
    }
    bench.push(300, "bad", "heat", 1.0);
    bench.advance_to(340);
    assert_eq!(bench.log(), ["0 a: raised hot fires warning"]);
    bench.advance_to(352);
    assert_eq!(bench.log()[1..], ["352 a: stale hot fires warning"]);
}

#[test]
fn a_rule_that_uses_up_its_step_is_quarantined_though_some_subjects_were_judged() {
    let mut bench = Bench::new(r#"rule("slow", #{ on: "thing", when: |s| { for i in 0..20000 {} s.heat > 10 } });"#);
    let heat = |name: usize| snapshot(0, &format!("{name:04}"), BTreeMap::from([("heat".into(), 1.0.into())]));
    for secs in 0..3 {
        bench.secs = secs;
        bench.batch((0..600).map(|name| Snapshot { time: time(secs), ..heat(name) }).collect());
    }
    assert!(bench.engine.rule_views().all(|rule| rule.quarantine.until().is_some()));
    assert!(bench.faults[0].fault.runaway, "{:?}", bench.faults[0]);
}

#[test]
fn what_happens_at_one_time_is_told_by_rule_and_subject() {
    let mut bench = Bench::new(
        r#"rule("b", #{ on: "thing", when: |s| s.heat > 10 });
           rule("a", #{ on: "thing", when: |s| s.heat > 10 });"#,
    );
    let heat = |name: &str, heat: f64| snapshot(0, name, BTreeMap::from([("heat".into(), heat.into())]));
    bench.batch(vec![heat("y", 20.0), heat("x", 20.0), heat("z", 1.0)]);
    assert_eq!(
        bench.log(),
        ["0 a: raised a x warning", "0 a: raised a y warning", "0 a: raised b x warning", "0 a: raised b y warning"]
    );
    bench.secs = 10;
    let gone = |name: &str| Snapshot { gone: true, ..snapshot(10, name, BTreeMap::new()) };
    bench.batch(vec![gone("y"), gone("x"), Snapshot { time: time(10), ..heat("z", 20.0) }]);
    assert_eq!(
        bench.log()[4..],
        [
            "10 a: closed a x warning (gone)",
            "10 a: closed a y warning (gone)",
            "10 a: raised a z warning",
            "10 a: closed b x warning (gone)",
            "10 a: closed b y warning (gone)",
            "10 a: raised b z warning",
        ]
    );
}

#[test]
fn a_clear_that_reads_what_the_subject_never_had_ends_nothing() {
    let mut bench =
        Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, clear: |s| s.heet < 5, repeat: "never" });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.push(10, "x", "heat", 1.0);
    assert_eq!(bench.log(), ["0 a: raised hot x warning"]);
}

#[test]
fn a_group_that_asks_a_silent_subject_is_not_silent_itself() {
    let mut bench = Bench::new(
        r#"rule("hot", #{ over: "thing", where: |s| s.name != "probe", every: "1h",
            when: |g| g.max("heat") > 10 && find("thing", "probe").heat > 0 });"#,
    );
    bench.push(0, "probe", "heat", 1.0);
    bench.push(0, "x", "heat", 20.0);
    for secs in [100, 200, 300, 400] {
        bench.push(secs, "x", "heat", 20.0);
    }
    assert_eq!(bench.log(), ["0 a: raised hot all warning"]);
    assert!(!bench.engine.alert(&"hot".into(), "all").unwrap().stale);
}

#[test]
fn what_any_closure_prints_is_among_the_effects() {
    let mut bench = Bench::new(
        r#"rule("set", #{ over: "thing", where: |s| { print("where"); true }, when: |g| { print("when"); true },
            level: |g| { print("level"); "error" }, message: |g| { print("message"); "text" } });"#,
    );
    bench.advance_to(10);
    let effects = bench.push(10, "x", "heat", 1.0);
    let lines: Vec<&str> = effects.prints.iter().map(|(_, line)| &**line).collect();
    assert_eq!(lines, ["where", "when", "level"], "it fires already, so its message is made at the next event");
}

#[test]
fn a_change_of_what_no_data_does_is_judged_at_once() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, repeat: "never" });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.advance_to(400);
    bench.save(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, repeat: "never", no_data: "close" });"#);
    assert_eq!(bench.log()[2..], ["400 a: closed hot x warning (no data)"]);
}

#[test]
fn what_a_rule_costs_is_told_where_the_interpreter_judges_and_nothing_where_it_does_not() {
    let mut bench = Bench::new(
        r#"
        rule("columns", #{ on: "thing", when: |s| s.heat > 10 });
        rule("script", #{ on: "thing", when: |s| { let n = 0; for i in 0..20 { n += i; } s.heat > n } });
        rule("script_of_a_set", #{ over: "thing", when: |g| { let n = 0; for i in 0..20 { n += i; } g.max("heat") > n } });
        "#,
    );
    let costs = |bench: &Bench| bench.engine.rule_views().map(|view| view.operations).collect::<Vec<_>>();
    bench.push(0, "x", "heat", 1.0);
    let first = costs(&bench);
    assert!(first[1] > 20 && first[2] > 20, "{first:?}");
    bench.push(10, "x", "heat", 2.0);
    let second = costs(&bench);
    assert_eq!(second[..2], [first[0], first[1] * 2]);
    assert!(second[2] > first[2] + 20, "{second:?} after {first:?}");
}
