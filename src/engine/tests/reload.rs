use super::*;

#[test]
fn an_edited_condition_keeps_the_firing_and_judges_fresh_subjects_at_once() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10 });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.push(0, "y", "heat", 8.0);
    let firing = bench.sent[0].alerts[0].id.clone();
    bench.secs = 60;
    bench.save(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 5 });"#);
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "60 a: raised hot y warning"]);
    bench.push(70, "x", "heat", 1.0);
    assert_eq!(bench.sent[2].alerts[0].id, firing, "it is the same firing that ends");
    assert_eq!(bench.sent[2].alerts[0].since, time(0));
}

#[test]
fn an_edit_keeps_what_was_held_so_far() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, hold: "1m" });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.advance_to(40);
    bench.save(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 11, hold: "1m" });"#);
    bench.advance_to(59);
    assert_eq!(bench.log(), [""; 0]);
    bench.advance_to(60);
    assert_eq!(bench.log(), ["60 a: raised hot x warning"]);
}

#[test]
fn a_removed_rule_closes_its_alerts_and_another_kind_closes_them_too() {
    let mut bench = Bench::new(
        r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10 });
           rule("warm", #{ on: "thing", when: |s| s.heat > 5 });"#,
    );
    bench.push(0, "x", "heat", 20.0);
    bench.save(r#"rule("warm", #{ on: "other", when: |s| s.heat > 5 });"#);
    assert_eq!(
        bench.log(),
        [
            "0 a: raised hot x warning",
            "0 a: raised warm x warning",
            "0 a: closed hot x warning (rule removed)",
            "0 a: closed warm x warning (rule changed)",
        ]
    );
}

#[test]
fn a_subject_that_where_no_longer_takes_is_no_longer_covered() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10 });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.save(r#"rule("hot", #{ on: "thing", where: |s| s.name != "x", when: |s| s.heat > 10 });"#);
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "0 a: closed hot x warning (no longer covered)"]);
}

#[test]
fn an_edit_of_times_alone_judges_nothing_and_takes_effect() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, repeat: "never" });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.secs = 10;
    bench.save(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, cooldown: "10s", repeat: "100s" });"#);
    bench.advance_to(100);
    assert_eq!(bench.log(), ["0 a: raised hot x warning", "100 a: reminded hot x warning"]);
}

#[test]
fn levels_that_change_with_an_edit_carry_the_firing_over() {
    let mut bench =
        Bench::new(r#"rule("hot", #{ on: "thing", when: #{ warning: |s| s.heat > 10, critical: |s| s.heat > 30 } });"#);
    bench.push(0, "x", "heat", 40.0);
    bench.save(r#"rule("hot", #{ on: "thing", when: #{ warning: |s| s.heat > 10, error: |s| s.heat > 30 } });"#);
    assert_eq!(bench.log(), ["0 a: raised hot x critical", "0 a: eased hot x error"]);
    bench.push(10, "x", "heat", 1.0);
    assert_eq!(bench.log()[2], "10 a: recovered hot x error");
}

#[test]
fn an_alert_that_is_routed_elsewhere_is_told_there_and_its_end_to_both() {
    let mut bench = Bench::new(r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10 });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.secs = 5;
    let route = crate::routing::Route { to: vec!["b".into()], ..Default::default() };
    let zone = jiff::tz::TimeZone::UTC;
    bench.input(Input::Routing(Arc::new(Routing::new(vec![route], ["a".into(), "b".into()], zone))));
    bench.push(10, "x", "heat", 1.0);
    assert_eq!(
        bench.log(),
        [
            "0 a: raised hot x warning",
            "5 b: raised hot x warning",
            "10 a: recovered hot x warning",
            "10 b: recovered hot x warning"
        ]
    );
}
