//! Alerts that mute others.

use super::*;

const RULES: &str = r#"
    rule("a_service", #{ on: "thing", when: |s| s.errors > 0, cooldown: "0s", repeat: "never" });
    rule("host_down", #{ on: "host", when: |s| s.up == 0, cooldown: "0s", repeat: "never" });
"#;
const ROUTES: &str =
    "routes: [{ to: [a] }]\ninhibit: [{ when: { rule: host_down }, mute: { kind: thing }, equal: ['name=host'] }]";

fn service(secs: i64, name: &str, host: &str, errors: f64) -> Snapshot {
    Snapshot {
        labels: [("host".into(), host.into())].into(),
        ..snapshot(secs, name, BTreeMap::from([("errors".into(), errors.into())]))
    }
}

fn host(secs: i64, name: &str, up: f64) -> Snapshot {
    Snapshot {
        subject: SubjectKey::new("host", name),
        ..snapshot(secs, name, BTreeMap::from([("up".into(), up.into())]))
    }
}

/// Two hosts that were judged, long enough after the start.
fn bench() -> Bench {
    let mut bench = Bench::new(RULES);
    bench.routes(ROUTES);
    bench.advance_to(100);
    bench.batch(vec![host(100, "h1", 1.0), host(100, "h2", 1.0)]);
    bench
}

#[test]
fn while_the_host_is_down_its_services_are_muted_and_others_are_not() {
    let mut bench = bench();
    bench.batch(vec![host(100, "h1", 0.0)]);
    bench.batch(vec![service(100, "s1", "h1", 1.0), service(100, "s2", "h2", 1.0), service(100, "s3", "", 1.0)]);
    assert_eq!(
        bench.log(),
        [
            "100 a: raised host_down h1 warning",
            "100 a: raised a_service s2 warning",
            "100 a: raised a_service s3 warning"
        ]
    );
}

#[test]
fn the_order_of_rules_and_snapshots_within_one_input_changes_nothing() {
    let mut bench = bench();
    bench.batch(vec![service(110, "s1", "h1", 1.0), host(110, "h1", 0.0)]);
    assert_eq!(bench.log(), ["100 a: raised host_down h1 warning"], "`a_service` is judged before `host_down`");
}

#[test]
fn what_was_muted_is_told_when_the_host_is_back_if_it_still_fires() {
    let mut bench = bench();
    bench.batch(vec![service(110, "s1", "h1", 1.0), service(110, "s2", "h1", 1.0), host(110, "h1", 0.0)]);
    bench.advance_to(120);
    bench.batch(vec![service(120, "s3", "h1", 1.0)]);
    bench.batch(vec![service(121, "s3", "h1", 0.0)]);
    bench.batch(vec![host(121, "h1", 1.0)]);
    assert_eq!(
        bench.log()[1..],
        ["120 a: raised a_service s1 warning, raised a_service s2 warning", "120 a: recovered host_down h1 warning"]
    );
    let suppressed: Vec<_> = bench.suppressed.iter().map(|s| (s.subject.name.to_string(), s.reason)).collect();
    assert_eq!(suppressed, [("s3".to_string(), "inhibited")]);
}

#[test]
fn a_channel_that_was_told_before_it_was_muted_gets_the_end() {
    let mut bench = bench();
    bench.batch(vec![service(100, "s1", "h1", 1.0)]);
    bench.batch(vec![host(101, "h1", 0.0)]);
    bench.batch(vec![service(102, "s1", "h1", 0.0)]);
    assert_eq!(
        bench.log(),
        [
            "100 a: raised a_service s1 warning",
            "100 a: raised host_down h1 warning",
            "100 a: recovered a_service s1 warning",
        ]
    );
}

#[test]
fn a_host_whose_rule_has_not_judged_yet_holds_its_services_back_for_a_minute_at_most() {
    let mut bench = Bench::new(RULES);
    bench.routes(ROUTES);
    bench.batch(vec![service(0, "s1", "h1", 1.0), service(0, "s2", "h2", 1.0)]);
    bench.advance_to(20);
    assert_eq!(bench.log(), [""; 0]);
    bench.batch(vec![host(20, "h1", 0.0)]);
    bench.advance_to(59);
    assert_eq!(bench.log(), ["20 a: raised host_down h1 warning"]);
    bench.advance_to(60);
    assert_eq!(bench.log()[1..], ["60 a: raised a_service s2 warning"]);
}

#[test]
fn a_host_that_is_found_to_be_well_lets_its_services_be_told_at_once() {
    let mut bench = Bench::new(RULES);
    bench.routes(ROUTES);
    bench.batch(vec![service(0, "s1", "h1", 1.0)]);
    bench.advance_to(20);
    bench.batch(vec![host(20, "h1", 1.0)]);
    assert_eq!(bench.log(), ["20 a: raised a_service s1 warning"]);
}

#[test]
fn an_alert_never_mutes_itself_and_alerts_of_both_sides_do_not_mute_each_other() {
    let mut bench = Bench::new(RULES);
    bench.routes("routes: [{ to: [a] }]\ninhibit: [{ when: { level: warning }, mute: { level: warning } }]");
    bench.advance_to(100);
    bench.batch(vec![service(100, "s1", "h1", 1.0), service(100, "s2", "h1", 1.0)]);
    assert_eq!(bench.log(), ["100 a: raised a_service s1 warning", "100 a: raised a_service s2 warning"]);
}

#[test]
fn after_a_restart_the_muted_are_still_muted() {
    let mut bench = bench();
    bench.batch(vec![host(100, "h1", 0.0)]);
    bench.batch(vec![service(100, "s1", "h1", 1.0)]);
    bench.restart(110);
    bench.routes(ROUTES);
    bench.save(RULES);
    bench.advance_to(350);
    assert_eq!(bench.log(), ["100 a: raised host_down h1 warning"]);
    bench.batch(vec![service(350, "s1", "h1", 1.0), host(350, "h1", 1.0)]);
    assert_eq!(bench.log()[1..], ["350 a: raised a_service s1 warning", "350 a: recovered host_down h1 warning"]);
}
