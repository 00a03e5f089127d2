use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use super::{Detail, FailureReport, FileReport, TestFile, list, run, run_files};
use crate::lab::project::Project;

const RULES: &str = r#"
let limit = param("error_rate_threshold", 0.1);

rule("high_error_rate", #{
    on: "service",
    when: |s| s.error_rate > limit,
    clear: |s| s.error_rate < limit / 2,
    hold: "30s",
    level: |s| if s.error_rate > 0.5 { "critical" } else { "warning" },
    message: |s| `${s.name}: ${percent(s.error_rate)} of calls fail`,
});
rule("region_down", #{ over: "service", by: ["region"], when: |g| g.any(|s| s.up == 0) });
"#;

fn project() -> Arc<Project> {
    let files = crate::config::Project {
        rules: [("rules/service.rhai".into(), RULES.into())].into(),
        channels: [("console".into(), ("channels/console.yaml".into(), "type: console\n".into()))].into(),
        ..Default::default()
    };
    Arc::new(Project::load(&files).unwrap())
}

#[track_caller]
fn report(body: &str) -> FileReport {
    run(&"rules/service.test.rhai".into(), body, &project(), None)
}

/// Runs the body of one test.
#[track_caller]
fn test(body: &str) -> Option<FailureReport> {
    let report = report(&format!("test(\"it\", |t| {{\n{body}\n}});"));
    assert_eq!(report.problem, None);
    assert_eq!(report.tests.len(), 1);
    report.tests.into_iter().next().unwrap().failure
}

#[track_caller]
fn passes(body: &str) {
    if let Some(failure) = test(body) {
        panic!("{}", failure.lines("t").join("\n"));
    }
}

/// Line, message, what was found, and the hint of a test that fails.
#[track_caller]
fn fails(body: &str) -> (usize, String, String, String) {
    let failure = test(body).expect("the test passes");
    (failure.line, failure.message, failure.got.unwrap_or_default(), failure.hint.unwrap_or_default())
}

#[test]
fn an_alert_goes_from_pending_to_firing_to_recovered() {
    passes(
        r#"let api = t.subject("service", "api");
        api.set(#{ error_rate: 0.02 });
        t.advance("5m");
        t.expect_quiet();
        t.expect_inactive("high_error_rate", "api");
        api.set(#{ error_rate: 0.3 });
        t.expect_pending("high_error_rate", "api");
        t.advance("29s");
        t.expect_pending("high_error_rate", "api");
        t.advance("1s");
        t.expect_firing("high_error_rate", "api", "warning");
        t.expect_sent("console", 1);
        api.set(#{ error_rate: 0.6 });
        t.expect_firing("high_error_rate", "api", "critical");
        t.expect_sent("console", 2);
        api.stop();
        t.advance("10m");
        t.expect_firing("high_error_rate", "api");
        api.set(#{ error_rate: 0.01 });
        t.expect_recovered("high_error_rate", "api");
        api.gone();
        t.expect_inactive("high_error_rate", "api");"#,
    );
}

#[test]
fn what_was_sent_can_be_read_down_to_the_request() {
    passes(
        r#"let api = t.subject("service", "api", #{ region: "eu" });
        api.set(#{ error_rate: 0.3 });
        t.advance("30s");
        let sent = t.sent("console");
        t.expect(sent.len() == 1, "one");
        let first = sent[0];
        t.expect(first.event == "raised" && first.rule == "high_error_rate" && first.subject == "api", "who");
        t.expect(first.level == "warning" && first.title.contains("high_error_rate"), "what");
        t.expect(first.alerts[0].labels.region == "eu" && first.alerts[0].values.error_rate == 0.3, "details");
        t.expect(first.request.transport == "terminal" && first.request.text.contains("30%"), "request");"#,
    );
}

#[test]
fn fields_climb_ramp_and_follow_a_series_and_a_group_is_named_by_its_labels() {
    passes(
        r#"let api = t.subject("service", "api", #{ region: "eu" });
        api.series("error_rate", "0.02x2 _x3 0.3x5");
        t.advance("50s");
        t.expect_inactive("high_error_rate", "api");
        t.advance("40s");
        t.expect_firing("high_error_rate", "api");
        let db = t.subject("service", "db", #{ region: "us" });
        db.set(#{ error_rate: 0.0, up: 1 });
        db.ramp("error_rate", 0.2, "1m");
        t.advance("30s");
        t.expect_inactive("high_error_rate", "db");
        t.advance("40s");
        t.expect_firing("high_error_rate", "db");
        db.set(#{ up: 0 });
        t.expect_firing("region_down", "region=us");
        db.gone();
        t.expect_closed("high_error_rate", "db", "gone");
        t.expect_closed("region_down", "region=us");"#,
    );
}

#[test]
fn a_single_snapshot_is_judged_at_once_and_then_the_subject_is_silent() {
    passes(
        r#"let api = t.subject("service", "api");
        api.send(#{ error_rate: 0.3 });
        t.expect_pending("high_error_rate", "api");
        t.advance("10m");
        t.expect_pending("high_error_rate", "api");
        t.expect_quiet();"#,
    );
}

#[test]
fn a_param_loads_the_rules_anew_and_only_for_its_test() {
    let report = report(
        r#"test("a", |t| {
            t.param("error_rate_threshold", 0.9);
            let api = t.subject("service", "api");
            api.set(#{ error_rate: 0.3 });
            t.advance("1m");
            t.expect_quiet();
            t.param("error_rate_threshold", 0.2);
            t.advance("1m");
            t.expect_firing("high_error_rate", "api");
        });
        test("b", |t| {
            let api = t.subject("service", "api");
            api.set(#{ error_rate: 0.3 });
            t.advance("1m");
            t.expect_firing("high_error_rate", "api");
        });"#,
    );
    assert_eq!((report.n_passed(), report.n_failed()), (2, 0), "{report:#?}");
}

#[test]
fn tests_do_not_see_what_another_did() {
    let report = report(
        r#"let n = #{ runs: 0 };
        test("a", |t| { n.runs += 1; t.expect(n.runs == 1, `${n.runs}`); });
        test("b", |t| { n.runs += 1; t.expect(n.runs == 1, `${n.runs}`); });"#,
    );
    assert_eq!((report.n_passed(), report.n_failed()), (2, 0), "{report:#?}");
}

#[test]
fn a_failure_says_where_what_and_what_happened_until_then() {
    let failure = test(
        r#"let api = t.subject("service", "api");
        api.set(#{ error_rate: 0.3 });
        t.advance("20s");
        t.expect_firing("high_error_rate", "api", "critical");
        t.expect(false, "is not reached");"#,
    )
    .unwrap();
    assert_eq!(
        failure.lines("rules/service.test.rhai"),
        [
            "  rules/service.test.rhai:5:11",
            "     5 |         t.expect_firing(\"high_error_rate\", \"api\", \"critical\");",
            "       |           ^",
            "  expected high_error_rate api to be firing at level critical",
            "  got: pending for 20s (hold is 30s); the newest verdict: true -> pending",
            "  judged now:",
            "    the condition reads error_rate = 0.3",
            "    when |s| s.error_rate > limit: true",
            "      s.error_rate > limit: true",
            "        s.error_rate: 0.3",
            "        limit: 0.1",
            "    level |s| if s.error_rate > 0.5 { \"critical\" } else { \"warning\" }: \"warning\"",
            "      s.error_rate > 0.5: false",
            "        s.error_rate: 0.3",
            "    hold has counted 20s of 30s",
            "  channels:",
            "    nobody was told of it: it did not fire",
            "  time line:",
            "          +0s Mon 00:00:00  snapshot   service api error_rate=0.3",
            "          +0s Mon 00:00:00  verdict    true -> pending",
            "         +10s Mon 00:00:10  2 snapshots until +20s: service api error_rate=0.3",
        ]
    );
}

#[test]
fn a_notification_that_is_not_as_expected_is_told_field_by_field() {
    let burst = r#"let api = t.subject("service", "api", #{ region: "eu" });
        api.set(#{ error_rate: 0.3 });
        t.advance("30s");"#;
    passes(&format!(
        r#"{burst}
        t.expect_notification("console", #{{
            level: "warning", event: "raised", subject: "api",
            text: |x| x.contains("30%") && x.matches("(?s).*calls fail.*"),
            alerts: [#{{ labels: #{{ region: "eu" }}, values: #{{ error_rate: 0.3 }}, runbook: () }}],
            summary: #{{ alerts: 1.0 }},
            request: #{{ transport: "terminal" }},
        }});
        t.expect_quiet();"#
    ));
    let failure = test(&format!(
        r#"{burst}
        t.expect_notification("console", #{{
            title: "[critical] high_error_rate api", levle: "warning", text: |x| x == "",
            alerts: [#{{ event: "raised", level: "critical", labels: #{{ region: "us" }} }}, #{{}}],
        }});"#
    ))
    .unwrap();
    assert_eq!(failure.message, "expected another notification to `console`");
    let differences = failure.differences.iter();
    let differences: Vec<_> = differences.map(|d| (d.field.as_str(), d.expected.as_str(), d.got.as_str())).collect();
    assert_eq!(
        differences[..5],
        [
            ("alerts", "2 items", "1 item"),
            ("alerts[0].labels.region", "\"us\"", "\"eu\""),
            ("alerts[0].level", "\"critical\"", "\"warning\""),
            ("levle", "\"warning\"", "there is no such field: did you mean `level`?"),
            ("text", "what the closure takes", differences[4].2),
        ]
    );
    let lines = failure.lines("t");
    let title = lines.iter().position(|line| line == "    title:").unwrap();
    assert_eq!(
        lines[title..title + 4],
        [
            "    title:",
            "      expected \"[critical] high_error_rate api\"",
            "      got      \"[warning] high_error_rate api\"",
            "                 ^"
        ]
    );
    assert!(failure.channels[0].ends_with("console was told: [warning] high_error_rate api"), "{failure:#?}");
    let (line, message, got, _) = fails("t.expect_notification(\"console\", #{ level: \"info\" });");
    assert_eq!((line, message.as_str(), got.as_str()), (2, "expected a notification to `console`", "none"));
}

#[test]
fn what_was_not_sent_is_listed_with_what_waits_and_what_fails() {
    let (_, _, got, _) = fails(
        r#"let api = t.subject("service", "api");
        api.set(#{ error_rate: 0.3 });
        t.advance("1m");
        t.break_channel("console", "1h");
        api.set(#{ error_rate: 0.6 });
        t.advance("1s");
        t.expect_sent("console", 2);"#,
    );
    let lines: Vec<&str> = got.lines().collect();
    assert_eq!(lines[..2], ["1:", "     +30s Mon 00:00:30  [warning] high_error_rate api"]);
    assert!(lines[2].starts_with("the newest attempt failed, +1m"), "{got}");
    assert_eq!(lines[3..], ["1 more wait to be tried again"]);
}

#[test]
fn a_report_has_the_verdicts_of_each_rule_also_over_a_restart_and_what_was_printed() {
    let report = report(
        r#"test("it", |t| {
            print("hello");
            let api = t.subject("service", "api");
            api.series("error_rate", "0.01 0.3x1 _ 'x'");
            t.advance("10s");
            t.restart();
            t.advance("30s");
            t.expect_pending("high_error_rate", "api");
        });"#,
    );
    let test = &report.tests[0];
    assert_eq!(test.failure, None);
    assert_eq!(test.prints, ["hello"]);
    let counts = test.rules["high_error_rate"];
    assert!(counts.fire >= 2 && counts.clear == 1 && counts.error == 1, "{counts:?}");
    assert!(!test.rules.contains_key("region_down"), "it judged nothing: {:?}", test.rules);
}

#[test]
fn tests_can_be_listed_and_run_one_by_one_over_any_project() {
    let text = "test(\"one\", |t| t.expect_quiet());\ntest(\"two\", |t| t.expect(false, \"no\"));";
    let names: Vec<_> = list(&"x".into(), text).unwrap().into_iter().map(|test| (test.name, test.line)).collect();
    assert_eq!(names, [("one".to_string(), 1), ("two".to_string(), 2)]);
    assert!(list(&"x".into(), "test(").is_err());
    let file = TestFile::read(&"x".into(), text).unwrap();
    let run = |index, detail| file.run(index, &project(), detail);
    assert_eq!(run(0, Detail::Outcome).unwrap().failure, None);
    assert_eq!(run(1, Detail::Outcome).unwrap().failure.unwrap().message, "no");
    assert_eq!(run(2, Detail::Full), None);
}

#[test]
fn many_threads_tell_the_same_as_one_in_the_order_of_the_files() {
    let sound =
        "test(\"a\", |t| { t.advance(\"10m\"); t.expect_quiet(); });\ntest(\"b\", |t| t.expect(false, \"no\"));";
    let names = ["a", "b", "c", "d"].map(|name| format!("{name}.test.rhai"));
    let mut files: BTreeMap<Arc<str>, Arc<str>> =
        names.iter().map(|name| (name.as_str().into(), sound.into())).collect();
    files.insert("b2.test.rhai".into(), "test(".into());
    let run = |jobs| {
        let mut reports = Vec::new();
        let jobs = NonZeroUsize::new(jobs).unwrap();
        let done = |mut report: FileReport| {
            report.tests.iter_mut().for_each(|test| test.took = Duration::ZERO);
            reports.push(report);
            Ok::<(), ()>(())
        };
        run_files(&files, &project(), None, jobs, done).unwrap();
        reports
    };
    let one = run(1);
    let order: Vec<&str> = one.iter().map(|report| &*report.file).collect();
    assert_eq!(order, ["a.test.rhai", "b.test.rhai", "b2.test.rhai", "c.test.rhai", "d.test.rhai"]);
    assert_eq!(one.iter().map(FileReport::n_failed).sum::<usize>(), 5);
    assert_eq!(run(4), one);
}

#[test]
fn what_the_project_does_not_have_is_a_failure_with_a_hint() {
    let cases = [
        (r#"t.expect_firing("high_eror_rate", "api");"#, "there is no rule `high_eror_rate`", "`high_error_rate`"),
        (r#"t.expect_sent("consol", 1);"#, "there is no channel `consol`", "`console`"),
        (r#"t.subject("servce", "api");"#, "no rule is about the kind `servce`", "`service`"),
        (
            r#"t.subject("service", "api").set(#{ eror_rate: 1 });"#,
            "no rule reads the field `eror_rate` of service api",
            "`error_rate`",
        ),
        (
            r#"t.subject("service", "api").set(#{ up: 1 }); t.expect_inactive("high_error_rate", "ap");"#,
            "the rule `high_error_rate` has no subject `ap`",
            "`api`",
        ),
        (r#"t.expect_quite();"#, "there is no function `expect_quite` here", "`expect_quiet`"),
    ];
    for (body, message, near) in cases {
        let (line, found, _, hint) = fails(body);
        assert_eq!((line, found.as_str(), hint), (2, message, format!("did you mean {near}?")), "{body}");
    }
}

#[test]
fn what_is_no_duration_time_level_series_or_value_is_named() {
    let cases = [
        (r#"t.advance("5");"#, "`5` has no unit: write `5s` for seconds, `5m` for minutes"),
        (r#"t.start_at("noon");"#, "`noon` is not a time: write it like `2026-01-05T08:30:00Z` (RFC 3339)"),
        (
            r#"t.advance("1m"); t.start_at("2026-01-05T08:30:00Z");"#,
            "the start can be set only before anything has happened",
        ),
        (r#"t.every("0s");"#, "subjects cannot be sampled more often than every millisecond"),
        (r#"t.subject("service", "a").set(#{ up: [] });"#, "the field `up` is a number, a text or a bool, not array"),
        (
            r#"t.expect_firing("high_error_rate", "a", "fatal");"#,
            "`fatal` is not a level: the levels are info, warning, error and critical",
        ),
    ];
    for (body, message) in cases {
        assert_eq!(fails(body).1, message, "{body}");
    }
    assert!(fails(r#"t.subject("service", "a").series("up", "1xx");"#).1.starts_with("`1xx` is not an item"));
}

#[test]
fn a_notification_breaks_the_quiet_and_one_that_was_expected_does_not() {
    let burst = r#"let api = t.subject("service", "api");
        api.set(#{ error_rate: 0.3 });
        t.advance("1m");"#;
    let (line, _, got, _) = fails(&format!("{burst}\nt.expect_quiet();"));
    assert_eq!(line, 5);
    assert!(got.starts_with("console was told: "), "{got}");
    passes(&format!("{burst}\nt.expect_sent(\"console\", 1); t.advance(\"1m\"); t.expect_quiet();"));
}

#[test]
fn a_test_that_expects_nothing_fails() {
    assert_eq!(fails("t.advance(\"1m\");").1, "the test expects nothing, so it tests nothing");
}

#[test]
fn a_test_without_an_end_is_cut_off_and_the_others_run() {
    let report = report(
        r#"test("endless", |t| { let n = 0; loop { n += 1; } });
        test("sound", |t| { t.expect_quiet(); });"#,
    );
    let failure = report.tests[0].failure.as_ref().unwrap();
    assert_eq!((failure.line, failure.message.as_str()), (1, "the test does not end: it was cut off here"));
    assert_eq!(report.tests[1].failure, None);
}

#[test]
fn a_file_that_is_no_script_is_a_problem_with_its_place() {
    let report = report("test(\"a\", |t| {\n    t.expect_quiet(;\n});");
    let problem = report.problem.as_ref().unwrap();
    assert_eq!((problem.line, report.n_failed()), (2, 1));
    let twice = self::report("test(\"a\", |t| {});\ntest(\"a\", |t| {});");
    assert_eq!(twice.problem.unwrap().message, "there are two tests with the name `a` in this file");
}

#[test]
fn only_what_the_filter_names_is_run() {
    let text = r#"test("one", |t| t.expect_quiet()); test("two", |t| t.expect_quiet());"#;
    let report = run(&"x".into(), text, &project(), Some("tw"));
    assert_eq!(report.tests.iter().map(|test| test.name.as_str()).collect::<Vec<_>>(), ["two"]);
}

#[test]
fn a_test_begins_on_a_monday_at_midnight_unless_it_says_otherwise() {
    passes(
        r#"let api = t.subject("service", "api");
        api.set(#{ error_rate: 0.3 });
        t.advance("30s");
        t.expect(t.sent("console")[0].time == "2026-01-05T00:00:30Z", "monday");"#,
    );
    passes(
        r#"t.start_at("2026-11-21T10:00:00+08:00");
        t.every("1s");
        let api = t.subject("service", "api");
        api.set(#{ error_rate: 0.3 });
        t.advance("30s");
        t.expect(t.sent("console")[0].time == "2026-11-21T02:00:30Z", "saturday");"#,
    );
}
