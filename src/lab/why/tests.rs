use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::engine::explain::{Answer, Explanation};
use crate::engine::{Effects, Engine, Input, Settings};
use crate::history::{Batch, Source};
use crate::lab::Bench;
use crate::lab::replay::{Options, Recording};
use crate::model::{Now, Snapshot, SubjectKey, Time, Value};
use crate::routing::{Route, Routing};
use crate::rules::Loader;
use crate::rules::loader::Settings as LoaderSettings;
use crate::rules::trace::{Asked, Expression, Inside, Outcome, Part, PartTrace, Samples};
use crate::server::api::{WhyDeliveryDto, WhyDto, WhyFiringDto, WhyOutboxDto, WhyStateDto, WhyVerdictDto};

/// 2026-01-05 is a Monday.
const START: i64 = 1_767_571_200;

const RULE: &str = r#"rule("high", #{ on: "thing", when: |s| s.v > 10, hold: "30s" });"#;

fn at(secs: i64) -> Time {
    Time::from_micros((START + secs) * 1_000_000)
}

/// A bench with these rules, and two routes: errors go to `pager`, everything to `console`.
fn bench(rules: &str) -> Bench {
    let settings = Settings::default();
    let mut bench = Bench::new(settings, Now::at(at(0)));
    let route = |matches: &str, to: &str, line| Route {
        matches: serde_yaml::from_str(matches).unwrap(),
        to: vec![to.into()],
        line,
        ..Route::default()
    };
    let routes = vec![route("{ level: '>=error' }", "pager", 4), route("{}", "console", 6)];
    let channels = ["pager".into(), "console".into()];
    let routing = Routing::new(routes, channels, jiff::tz::TimeZone::UTC);
    bench.feed(Input::Routing(Arc::new(routing)), &mut ignore);
    let mut loader = Loader::new("rules", LoaderSettings::default(), BTreeMap::new());
    let report = loader.update(at(0), Ok(BTreeMap::from([("r.rhai".into(), Ok(rules.into()))])));
    assert!(!report.has_errors(), "{:?}", report.diagnostics);
    bench.feed(Input::Rules(report.rules), &mut ignore);
    bench
}

fn ignore(_: &Engine, _: Effects) {}

fn push(bench: &mut Bench, secs: i64, name: &str, field: &str, value: f64) {
    advance(bench, secs);
    let fields = BTreeMap::from([(field.into(), Value::Number(value))]);
    let labels = [("zone".into(), "eu".into())].into();
    let snapshot = Snapshot { subject: SubjectKey::new("thing", name), time: at(secs), labels, fields, gone: false };
    let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
    bench.feed(Input::Batch(Batch { source, snapshots: vec![snapshot], complete: Vec::new() }.into()), &mut ignore);
}

fn advance(bench: &mut Bench, secs: i64) {
    let advanced: Result<(), Infallible> = bench.advance(at(secs), &mut ignore, || Ok(()));
    advanced.unwrap();
}

#[track_caller]
fn explain(bench: &Bench, rule: &str, name: &str) -> Explanation {
    bench.engine().explain(bench.now(), &inside(bench, rule), Some(name)).unwrap()
}

fn inside(bench: &Bench, rule: &str) -> Inside {
    Inside::of(&bench.engine().rule(rule).unwrap())
}

/// A condition over a window, as the instrumented evaluation tells it.
fn trace() -> PartTrace {
    let expression = |depth, column, text: &str, value: &str| Expression {
        depth,
        line: 1,
        column,
        text: text.to_string(),
        outcome: Outcome::Value(value.to_string()),
        asked: Vec::new(),
    };
    let samples = Samples { count: 30, start: at(0), end: at(300), first: Some(at(10)), last: Some(at(300)) };
    let asked = Asked {
        question: "avg(\"v\", \"5m\")".into(),
        subject: None,
        outcome: Outcome::Value("3.5".into()),
        samples: Some(samples),
    };
    let window = Expression { asked: vec![asked], ..expression(2, 40, "s.avg(\"v\", \"5m\")", "3.5") };
    let silent = Expression { outcome: Outcome::NotReached, ..expression(1, 60, "s.w < 1", "") };
    PartTrace {
        part: Part::When(0),
        line: 1,
        column: 38,
        text: "|s| s.avg(\"v\", \"5m\") > 10 && s.w < 1".into(),
        outcome: Outcome::Value("false".into()),
        expressions: vec![
            expression(0, 42, "s.avg(\"v\", \"5m\") > 10 && s.w < 1", "false"),
            expression(1, 42, "s.avg(\"v\", \"5m\") > 10", "false"),
            window,
            expression(2, 60, "10", "10"),
            silent,
        ],
    }
}

fn text(document: &WhyDto) -> String {
    lines(document, &jiff::tz::TimeZone::UTC).join("\n")
}

#[test]
fn what_does_not_fire_is_told_from_the_comparison_to_the_channel() {
    let mut bench = bench(RULE);
    push(&mut bench, 10, "a", "v", 3.0);
    bench.oversleep(at(15));
    let mut explanation = explain(&bench, "high", "a");
    if let Ok(explained) = &mut explanation.evaluated {
        explained.parts = vec![trace()];
    }
    let expected = "\
high on thing a: inactive, 2026-01-05 00:00:15 UTC
It does not fire: `s.avg(\"v\", \"5m\") > 10` is false (3.5 > 10). If it fired now, console would be told.

rule       rules/r.rhai:1, judges each thing, hold 30s, cooldown 5m, repeat 4h
           verdicts since start: 0 fire, 1 clear, 0 no data, 0 error
subject    zone=eu, newest snapshot 00:00:10 (5s ago)
verdict    clear
when       false (rules/r.rhai:1:38)
           s.avg(\"v\", \"5m\") > 10 && s.w < 1  false
             s.avg(\"v\", \"5m\") > 10           false
               s.avg(\"v\", \"5m\")              3.5  30 samples, 00:00:10 to 00:05:00 (window 00:00:00 to 00:05:00)
             s.w < 1                         not reached
state      inactive
judged     with the next snapshot
           at 00:05:10 (in 4m55s) if none comes: then it is stale
routes     as if it fired now at warning, zone=eu
           1 (larum.yaml:4)  to pager    no: level is `warning`, wants `>=error`
           2 (larum.yaml:6)  to console  takes it
channels   console  would be told: raised";
    assert_eq!(text(&document(&explanation)), expected);
}

#[test]
fn a_pending_alert_says_when_it_fires_and_a_firing_one_who_was_told() {
    let mut bench = bench(RULE);
    push(&mut bench, 10, "a", "v", 30.0);
    bench.oversleep(at(20));
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let pending = document(&explain(&bench, "high", "a"));
    assert_eq!(
        headline(&pending, &zone),
        "It is pending, and fires at 08:00:40 (in 20s) if its condition stays true. If it fired now, console would be told."
    );
    let told = text(&pending);
    assert!(told.contains("true since 00:00:10 (10s ago), 10s of hold 30s, fires at 00:00:40 (in 20s)"), "{told}");
    advance(&mut bench, 60);
    let firing = document(&explain(&bench, "high", "a"));
    assert_eq!(
        headline(&firing, &zone),
        "It fires at warning since 08:00:40 (20s ago). console was told warning at 08:00:40 (20s ago)."
    );
    let told = text(&firing);
    assert!(told.contains("knows what it should; next reminder 04:00:40"), "{told}");
    assert!(told.contains("cooldown until 00:05:40 (in 4m40s): only a higher level passes"), "{told}");
}

#[test]
fn what_holds_a_channel_back_stands_in_the_answer_and_with_the_channel() {
    let mut bench = bench(r#"rule("high", #{ on: "thing", when: |s| s.v > 10 });"#);
    push(&mut bench, 10, "a", "v", 30.0);
    push(&mut bench, 20, "a", "v", 1.0);
    push(&mut bench, 30, "a", "v", 30.0);
    let document = document(&explain(&bench, "high", "a"));
    let zone = jiff::tz::TimeZone::UTC;
    assert!(
        headline(&document, &zone).ends_with("console is held back by its cooldown until 00:05:10 (in 4m40s)."),
        "{}",
        headline(&document, &zone)
    );
    let told = text(&document);
    assert!(told.contains("console  is held: cooldown until 00:05:10"), "{told}");
    assert!(told.contains("1 event waits to be folded into the next notification"), "{told}");
}

#[test]
fn a_rule_that_does_not_concern_the_subject_names_the_field_and_what_may_be_meant() {
    let mut bench = bench(r#"rule("high", #{ on: "thing", when: |s| s.error_rate > 10 });"#);
    push(&mut bench, 10, "a", "eror_rate", 3.0);
    let document = document(&explain(&bench, "high", "a"));
    assert_eq!(
        headline(&document, &jiff::tz::TimeZone::UTC),
        "It does not fire: the rule does not concern it, as it never had a field `error_rate` (did you mean `eror_rate`?)."
    );
}

#[test]
fn no_data_and_errors_say_why_and_where() {
    let mut bench = bench(
        r#"rule("high", #{ on: "thing", when: |s| s.rate("v", "1m") > 10 });
           rule("bad", #{ on: "thing", when: |s| s.v > "x" });"#,
    );
    push(&mut bench, 10, "a", "v", 3.0);
    let zone = jiff::tz::TimeZone::UTC;
    let high = headline(&document(&explain(&bench, "high", "a")), &zone);
    assert!(
        high.starts_with("It does not fire: no data, as rate(\"v\", \"1m\") has 1 of the 2 samples it needs."),
        "{high}"
    );
    let bad = document(&explain(&bench, "bad", "a"));
    let told = text(&bad);
    assert!(headline(&bad, &zone).starts_with("It does not fire: the rule fails, as "), "{told}");
    assert!(told.contains("(rules/r.rhai:2:") && told.contains("newest fault 00:00:10"), "{told}");
}

#[test]
fn what_only_a_daemon_knows_is_shown_with_its_channel_and_firing() {
    let mut bench = bench(r#"rule("high", #{ on: "thing", when: |s| s.v > 10 });"#);
    push(&mut bench, 10, "a", "v", 30.0);
    let mut document = document(&explain(&bench, "high", "a"));
    let stages = document.stages.as_mut().unwrap();
    stages.channels[0].outbox = Some(WhyOutboxDto {
        waiting: 3,
        limit: Some("20/1m".into()),
        limit_used: Some(20),
        limit_count: Some(20),
        limited_until: Some(at(40)),
        consecutive_failures: 2,
        problem: Some("connection refused".into()),
        ..WhyOutboxDto::default()
    });
    document.last_firing = Some(WhyFiringDto {
        id: document.state.as_ref().and_then(|state| state.id.clone()).unwrap(),
        level: crate::model::Level::Warning,
        since: at(10),
        ended: None,
        reason: None,
        notifications: Vec::new(),
        suppressed: Vec::new(),
    });
    let told = text(&document);
    for line in [
        "limit 20/1m: 20 of 20 used, free at 00:00:40 (in 30s)",
        "its last 2 attempts failed: connection refused",
        "3 notifications wait there, of all alerts",
        "told       nothing yet",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    let json = serde_json::to_string(&document).unwrap();
    let read: WhyDto = serde_json::from_str(&json).unwrap();
    assert_eq!(text(&read), told, "clients read the document and make the same text");
}

#[test]
fn all_subjects_are_counted_by_verdict_and_the_nearest_come_first() {
    let mut bench = bench(RULE);
    for (secs, name, field, value) in
        [(10, "a", "v", 30.0), (12, "b", "v", 9.0), (14, "c", "v", 3.0), (16, "d", "w", 3.0), (18, "e", "v", 40.0)]
    {
        push(&mut bench, secs, name, field, value);
    }
    let Answer::All(survey) = bench.engine().why(bench.now(), &inside(&bench, "high"), None, None).unwrap() else {
        panic!("no subject was named");
    };
    let told = text(&survey_document(&survey, 2, Vec::new()));
    for line in [
        "high on each thing, 2026-01-05 00:00:18 UTC",
        "subjects   5 subjects: 2 pending",
        "verdicts   2  fire",
        "           2  clear",
        "           1  takes no part: it never had a field `v`",
        "nearest    a  pending, fires at 00:00:40 (in 22s)",
        "           e  pending, fires at 00:00:48 (in 30s)",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
}

#[test]
fn what_is_not_there_names_what_is() {
    let mut bench = bench(
        r#"rule("high", #{ on: "thing", when: |s| s.v > 10 });
           rule("by_zone", #{ over: "thing", by: ["zone"], when: |s| s.avg("v") > 10 });"#,
    );
    push(&mut bench, 10, "shop-api", "v", 3.0);
    let refusal = |rule: &str, kind: Option<&str>, name: &str| {
        let found = bench.engine().rule(rule);
        let refused =
            found.and_then(|found| bench.engine().why(bench.now(), &Inside::of(&found), kind, Some(name))).unwrap_err();
        let Refusal { error, hint } = Refusal::of(&refused, rule, Some(name));
        (error, hint.unwrap_or_default())
    };
    let said = |(error, hint): &(String, String)| format!("{error} | {hint}");
    let cases = [
        (refusal("hihg", None, "x"), "there is no rule `hihg` | did you mean `high`?"),
        (refusal("load", None, "x"), "there is no rule `load` | the rules are by_zone, high"),
        (
            refusal("high", None, "shop-apo"),
            "there is no subject of kind `thing` `shop-apo` | did you mean `shop-api`?",
        ),
        (refusal("high", None, "api"), "there is no subject of kind `thing` `api` | there are shop-api"),
        (refusal("high", Some("host"), "web-1"), "`web-1` is of kind `host`, and rule `high` judges each `thing` | "),
        (
            refusal("by_zone", None, "shop-api"),
            "rule `by_zone` judges `thing` grouped by zone, and `shop-api` is of the group `zone=eu` | larum why by_zone zone=eu",
        ),
    ];
    for (found, expected) in &cases {
        assert_eq!(said(found), *expected);
    }
}

#[test]
fn a_condition_that_no_number_decides_names_what_is_false() {
    let mut bench = bench(r#"rule("down", #{ on: "thing", when: |s| s.v == 1 || s.v == 2 });"#);
    push(&mut bench, 10, "a", "v", 3.0);
    let said = headline(&document(&explain(&bench, "down", "a")), &jiff::tz::TimeZone::UTC);
    assert!(
        said.starts_with("It does not fire: `s.v == 1` is false (s.v is 3), and `s.v == 2` is false (s.v is 3)."),
        "{said}"
    );
}

/// A firing alert of `console`, with what became of its notification.
fn with_delivery(delivery: WhyDeliveryDto, outbox: WhyOutboxDto) -> WhyDto {
    let mut bench = bench(r#"rule("high", #{ on: "thing", when: |s| s.v > 10 });"#);
    push(&mut bench, 10, "a", "v", 30.0);
    bench.oversleep(at(20));
    let mut document = document(&explain(&bench, "high", "a"));
    let channel = &mut document.stages.as_mut().unwrap().channels[0];
    (channel.delivery, channel.outbox) = (Some(delivery), Some(outbox));
    document
}

#[test]
fn only_what_was_delivered_was_told_and_anything_else_says_what_it_waits_for() {
    let delivery = |state: &str, attempts: u32, next: Option<i64>, error: Option<&str>| WhyDeliveryDto {
        state: state.into(),
        attempts: Some(attempts),
        next: next.map(at),
        error: error.map(str::to_string),
    };
    let free = WhyOutboxDto::default();
    let limited = WhyOutboxDto { limit: Some("1/1m".into()), limited_until: Some(at(70)), ..WhyOutboxDto::default() };
    let decided = "warning decided 00:00:10 (10s ago), ";
    let cases = [
        (
            delivery("waiting", 2, Some(25), Some("connection refused")),
            free.clone(),
            "not delivered yet: 2 attempts failed (connection refused), tried again at 00:00:25 (in 5s)",
        ),
        (
            delivery("waiting", 0, None, None),
            limited,
            "not delivered yet: waits for the limit 1/1m until 00:01:10 (in 50s)",
        ),
        (delivery("waiting", 0, None, None), free.clone(), "not delivered yet: it is on its way"),
        (delivery("dead", 1, None, Some("exit code 3")), free.clone(), "given up after 1 attempt: exit code 3"),
    ];
    for (delivery, outbox, expected) in cases {
        let document = with_delivery(delivery, outbox);
        let (said, told) = (headline(&document, &jiff::tz::TimeZone::UTC), text(&document));
        assert!(said.ends_with(&format!("console: {decided}{expected}.")), "{said}");
        assert!(told.contains(&format!("console  {decided}{expected}\n")), "{told}");
        assert!(!told.contains("was told") && !told.contains("knows what it should"), "{told}");
    }
    let document = with_delivery(delivery("delivered", 1, None, None), free);
    let zone = jiff::tz::TimeZone::UTC;
    assert!(headline(&document, &zone).ends_with("console was told warning at 00:00:10 (10s ago)."));
    assert!(
        headline_of_dry_run(&document, &zone).ends_with("console would have been told warning at 00:00:10 (10s ago).")
    );
}

#[test]
fn what_waits_for_its_group_and_for_a_limit_is_told_at_the_later_time() {
    let mut document = with_delivery(WhyDeliveryDto::default(), WhyOutboxDto::default());
    let channel = &mut document.stages.as_mut().unwrap().channels[0];
    (channel.told, channel.delivery, channel.reminder) = (None, None, None);
    (channel.decision, channel.held_by, channel.held_until) = ("hold".into(), Some("group".into()), Some(at(40)));
    channel.outbox =
        Some(WhyOutboxDto { limit: Some("1/1m".into()), limited_until: Some(at(70)), ..WhyOutboxDto::default() });
    let both =
        "at 00:00:40 (in 20s), and its limit 1/1m is used up until 00:01:10 (in 50s): it can be told at 00:01:10";
    let said = headline(&document, &jiff::tz::TimeZone::UTC);
    assert!(said.ends_with(&format!("console is told in its group {both}.")), "{said}");
    let told = text(&document);
    assert!(told.contains(&format!("is held: group wait {}", both.replacen("at", "until", 1))), "{told}");
}

#[test]
fn a_level_that_cannot_be_told_is_not_invented_and_each_that_it_may_be_has_its_routes() {
    let mut bench = bench(
        r#"rule("high", #{ on: "thing", when: |s| s.v > 10, level: |s| if s.v > 50 { "critical" } else { "warning" } });"#,
    );
    push(&mut bench, 10, "a", "v", 3.0);
    let calm = document(&explain(&bench, "high", "a"));
    assert_eq!(calm.stages.as_ref().unwrap().level, None);
    assert_eq!(
        headline(&calm, &jiff::tz::TimeZone::UTC),
        "It does not fire: `s.v > 10` is false (3 > 10). If it fired now, at critical: pager would be told; at warning: \
         console would be told."
    );
    let told = text(&calm);
    for line in [
        "routes     as if it fired now, zone=eu; its level cannot be told: its condition is not true",
        "           at critical:",
        "           1 (larum.yaml:4)  to pager  takes it",
        "           at warning:",
        "           1 (larum.yaml:4)  to pager    no: level is `warning`, wants `>=error`",
        "           console  would be told: raised",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}:\n{told}");
    }
    push(&mut bench, 20, "a", "v", 60.0);
    let firing = document(&explain(&bench, "high", "a"));
    assert_eq!(firing.stages.unwrap().level, Some(crate::model::Level::Critical));
}

#[test]
fn a_sentence_ends_once_and_a_part_of_the_names_is_said_to_be_one() {
    let mut document = with_delivery(WhyDeliveryDto::default(), WhyOutboxDto::default());
    document.stages = None;
    document.state = Some(WhyStateDto { state: "inactive".into(), ..WhyStateDto::default() });
    let says =
        WhyVerdictDto { says: "error".into(), reason: Some("an endless loop?".into()), ..WhyVerdictDto::default() };
    document.verdict = Some(says);
    let said = headline(&document, &jiff::tz::TimeZone::UTC);
    assert_eq!(said, "It does not fire: the rule fails, as an endless loop?");

    let mut bench = bench(RULE);
    push(&mut bench, 10, "shop-api", "v", 3.0);
    push(&mut bench, 10, "pay", "v", 3.0);
    let refused = bench.engine().explain(bench.now(), &inside(&bench, "high"), Some("shop")).unwrap_err();
    assert_eq!(Refusal::of(&refused, "high", Some("shop")).hint.as_deref(), Some("among them shop-api"));
}

#[test]
fn in_a_recording_what_a_limit_holds_back_was_not_told() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("larum.yaml", "{}"),
        ("rules/r.rhai", r#"rule("high", #{ on: "thing", when: |s| s.v > 10 });"#),
        ("channels/slow.yaml", "type: console\nlimit: 1/1m\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (files, _) = crate::config::Project::read(folder.path(), None);
    let project = crate::lab::Project::load(&files).unwrap();
    let line = |secs: i64, name: &str| {
        format!(r#"{{"time":"{}","kind":"thing","name":"{name}","fields":{{"v":30}}}}"#, at(secs))
    };
    let lines = [line(0, "a"), line(10, "b"), line(20, "b")].join("\n");
    let ask = |name: &str| {
        let recording = Recording::of(std::io::Cursor::new(lines.clone()));
        let past = of_recording(recording, &project, &Options::default(), "high", Some(name)).unwrap();
        headline(&past.document, &jiff::tz::TimeZone::UTC)
    };
    assert!(ask("a").ends_with("slow was told warning at 00:00:00 (20s ago)."), "{}", ask("a"));
    let waits = "slow: warning decided 00:00:10 (10s ago), not delivered yet: waits for the limit 1/1m until 00:01:00 (in 40s).";
    assert!(ask("b").ends_with(waits), "{}", ask("b"));
}

#[test]
fn channels_that_would_be_told_alike_are_told_of_together() {
    let mut bench = bench(r#"rule("high", #{ on: "thing", when: |s| s.v > 10, notify: ["console", "pager"] });"#);
    push(&mut bench, 10, "a", "v", 3.0);
    let mut document = document(&explain(&bench, "high", "a"));
    let zone = jiff::tz::TimeZone::UTC;
    assert!(headline(&document, &zone).ends_with("If it fired now, console, pager would be told."));
    document.stages.as_mut().unwrap().channels[0].outbox =
        Some(WhyOutboxDto { limit: Some("1/1m".into()), limited_until: Some(at(70)), ..WhyOutboxDto::default() });
    let said = headline(&document, &zone);
    let limited = "console would be told at 00:01:10 (in 1m), when its limit 1/1m lets it; pager would be told.";
    assert!(said.ends_with(limited), "{said}");
}
