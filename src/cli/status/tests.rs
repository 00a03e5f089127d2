use std::ffi::OsString;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::wrong::wrong;
use crate::cli::Ui;
use crate::cli::testing::daemon;

/// Runs `larum status` against a daemon with these answers: exit code, standard output and error, what was asked.
fn status(answers: Vec<Value>, args: &[&str]) -> (ExitCode, String, String, Vec<String>) {
    let (url, asked) = daemon(answers.into_iter().map(|answer| (200, answer)).collect());
    let (mut ui, captured) = Ui::captured();
    let folder = tempfile::tempdir().unwrap();
    let fixed = ["larum", "--dir", folder.path().to_str().unwrap(), "status", "--url", &url];
    let code = crate::cli::run(fixed.iter().chain(args).map(OsString::from), &mut ui);
    let out = captured.out().replace(&url, "http://127.0.0.1:8001");
    (code, out, captured.err(), asked.try_iter().map(|asked| asked.path).collect())
}

/// Of a daemon with which all is well.
fn well() -> Value {
    json!({
        "timestamp": "2026-11-21T10:09:50Z", "alert_enabled": true, "service_status": "unknown",
        "cpu_usage": 12.4, "memory_usage": 61.0, "disk_usage": 88.2, "response_time": null,
        "rules": {"total": 14, "quarantined": 0, "generation": 3, "pending": 1, "firing": 0},
        "channels": [{"name": "console", "waiting": 0, "dead": 0, "consecutive_failures": 0, "concurrency": 1, "problem": null}],
        "collectors": [{"name": "host", "up": true, "consecutive_failures": 0, "error": null, "paused": false}],
        "outbox": {"waiting": 0, "dead": 0, "oldest_waiting_seconds": null, "durable": true},
        "paused": [], "silences": 0, "on_call": {}, "problems": [],
    })
}

fn alert(rule: &str, level: &str, since: &str) -> Value {
    json!({
        "id": format!("{rule}-0123456789"), "rule": rule, "kind": "host", "name": "web-1", "state": "firing", "level": level,
        "since": since, "message": "busy\u{1b}[2J", "acknowledged": null, "silenced_by": [], "inhibited_by": null,
        "not_judged_since": null,
    })
}

#[test]
fn where_all_is_well_it_says_so_and_succeeds() {
    let (code, out, err, asked) = status(vec![well(), json!({"alerts": [], "next": null})], &[]);
    assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""));
    assert_eq!(asked, ["/api/v1/status", "/api/v1/alerts"]);
    insta::assert_snapshot!(out, @"
    larum at http://127.0.0.1:8001, 2026-11-21 10:09 UTC
    alerting    on
    watched     cpu 12%, memory 61%, disk 88% (the worst)
    rules       14 in force, 0 firing, 1 pending
    collectors  1 up
    channels    console
    outbox      nothing waits, stored
    silences    none
    problems    none
    firing      nothing
    all is well
    ");
}

#[test]
fn what_is_wrong_is_told_where_it_stands_and_again_in_the_last_line() {
    let mut document = well();
    document["alert_enabled"] = false.into();
    document["service_status"] = "stopped".into();
    document["response_time"] = 0.25.into();
    document["rules"]["quarantined"] = 2.into();
    document["channels"] = json!([
        {"name": "console", "waiting": 0, "dead": 0, "consecutive_failures": 0, "concurrency": 1, "problem": null},
        {"name": "mail", "waiting": 1, "dead": 0, "consecutive_failures": 0, "concurrency": null, "problem": null},
        {"name": "ops", "waiting": 12, "dead": 3, "consecutive_failures": 5, "concurrency": 4, "problem": "503\nunavailable"},
    ]);
    document["collectors"] = json!([
        {"name": "host", "up": true, "paused": false},
        {"name": "http:shop", "up": false, "consecutive_failures": 4, "error": "timed out after 5s", "paused": false},
        {"name": "http:old", "up": false, "consecutive_failures": 9, "error": "refused", "paused": true},
        {"name": "tcp:db", "up": null, "paused": false},
    ]);
    document["outbox"] = json!({"waiting": 13, "dead": 3, "oldest_waiting_seconds": 7500, "durable": false});
    document["silences"] = 2.into();
    document["paused"] = json!([
        {"what": "collectors", "name": "http:old", "since": "2026-11-21T09:00:00Z", "by": "anna", "comment": "moving"},
        {"what": "rules", "name": null, "since": "2026-11-21T09:30:00Z", "by": "ben", "comment": ""},
    ]);
    document["on_call"] = json!({
        "primary": {"now": ["anna-phone"], "until": "2026-11-30T09:00:00Z", "next": ["ben-phone", "ben-mail"]},
        "second": {"now": [], "until": null, "next": []},
    });
    let problem = |severity: &str, area: &str, place: &str, message: &str| json!({"severity": severity, "area": area, "place": place, "line": null, "column": null, "message": message, "hint": null});
    let mut broken = problem("error", "rule", "rules/service.rhai", "unknown key `whn`");
    broken["line"] = 5.into();
    broken["column"] = 9.into();
    broken["hint"] = "did you mean `when`?".into();
    document["problems"] = json!([
        problem("warning", "pause", "http:old", "collector `http:old` paused"),
        problem("error", "delivery", "ops", "503 unavailable"),
        broken,
        problem("error", "config", "larum.yaml", "unknown key"),
        problem("error", "store", "data", "the store cannot write: 7 records would be lost by a crash"),
    ]);
    let mut acknowledged = alert("disk_full", "critical", "2026-11-21T10:00:00Z");
    acknowledged["acknowledged"] = json!({"by": "anna", "at": "2026-11-21T10:01:00Z", "comment": ""});
    let mut pending = alert("slow", "critical", "2026-11-21T10:00:00Z");
    pending["state"] = "pending".into();
    let mut alerts: Vec<Value> = (0..10)
        .map(|number| alert(&format!("cpu_{number}"), "warning", &format!("2026-11-21T0{number}:00:00Z")))
        .collect();
    alerts.extend([acknowledged, pending]);
    let (code, out, err, _) = status(vec![document, json!({"alerts": alerts, "next": null})], &[]);
    assert_eq!((code, err.as_str()), (ExitCode::from(1), ""));
    insta::assert_snapshot!(out, @r"
    larum at http://127.0.0.1:8001, 2026-11-21 10:09 UTC
    alerting    off: nobody is told
    watched     cpu 12%, memory 61%, disk 88%, services stopped, slowest answer 0.250s (the worst)
    rules       14 in force, 0 firing, 1 pending, 2 quarantined
    collectors  1 up, 1 down, 1 without a pass yet, 1 paused
                http:shop is down, 4 passes failed in a row: timed out after 5s
    channels    console, mail, ops
                mail is not configured; 1 event waiting
                ops fails (5 times in a row): 503 unavailable; 12 events waiting; 3 events given up
    outbox      13 waiting, the oldest for 2h5m, 3 given up (`larum outbox list --state dead`), not stored: a crash would lose it
    silences    2 active
    paused      collector http:old since 2026-11-21 09:00 UTC by anna: moving
                all rules since 2026-11-21 09:30 UTC by ben
    on call     primary: anna-phone until 2026-11-30 09:00 UTC, then ben-phone, ben-mail
                second: nobody

    error: ops: 503 unavailable
    error: rules/service.rhai:5:9: unknown key `whn`
      hint: did you mean `when`?
    error: larum.yaml: unknown key
    error: data: the store cannot write: 7 records would be lost by a crash
    warning: http:old: collector `http:old` paused

    FIRING    RULE       SUBJECT     FOR   ID          MESSAGE
    critical  disk_full  host web-1  9m    disk_full-  (acknowledged by anna) busy[2J
    warning   cpu_9      host web-1  1h9m  cpu_9-0123  busy[2J
    warning   cpu_8      host web-1  2h9m  cpu_8-0123  busy[2J
    warning   cpu_7      host web-1  3h9m  cpu_7-0123  busy[2J
    warning   cpu_6      host web-1  4h9m  cpu_6-0123  busy[2J
    warning   cpu_5      host web-1  5h9m  cpu_5-0123  busy[2J
    warning   cpu_4      host web-1  6h9m  cpu_4-0123  busy[2J
    warning   cpu_3      host web-1  7h9m  cpu_3-0123  busy[2J
    warning   cpu_2      host web-1  8h9m  cpu_2-0123  busy[2J
    warning   cpu_1      host web-1  9h9m  cpu_1-0123  busy[2J
    and 1 more: `larum alerts`

    not well: the store does not write; alerting is off; channel `mail` is not configured; channel `ops` fails; 3 notifications were given up; collector `http:shop` is down; 2 errors (rules/service.rhai:5:9, ..)
    ");
}

#[test]
fn an_alert_that_fires_a_warning_and_a_pause_are_nothing_wrong() {
    let mut document = well();
    document["rules"]["firing"] = 1.into();
    document["silences"] = 1.into();
    document["paused"] =
        json!([{"what": "collectors", "name": "host", "since": "2026-11-21T09:00:00Z", "by": "anna", "comment": ""}]);
    document["collectors"] = json!([{"name": "host", "up": false, "paused": true}]);
    document["problems"] = json!([{"severity": "warning", "area": "pause", "place": "host", "message": "paused"}]);
    assert_eq!(wrong(&document), Vec::<String>::new());
}

#[test]
fn an_error_among_the_problems_is_wrong_unless_it_is_told_by_its_channel() {
    let mut document = well();
    document["channels"][0]["problem"] = "refused".into();
    document["problems"] = json!([{"severity": "error", "area": "delivery", "place": "console", "message": "refused"}]);
    assert_eq!(wrong(&document), ["channel `console` fails"]);
    document["problems"] = json!([{"severity": "error", "area": "delivery", "place": "mail", "message": "refused"}]);
    assert_eq!(wrong(&document), ["channel `console` fails", "1 error (mail)"]);
}

#[test]
fn as_json_it_is_the_daemons_own_document_and_fails_all_the_same() {
    let (code, out, err, asked) = status(vec![well()], &["--format", "json"]);
    assert_eq!((code, err.as_str(), asked.len()), (ExitCode::SUCCESS, "", 1));
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), well());
    let mut document = well();
    document["alert_enabled"] = false.into();
    let (code, out, err, _) = status(vec![document.clone()], &["--format", "json"]);
    assert_eq!((code, err.as_str()), (ExitCode::from(1), "error: not well: alerting is off\n"));
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), document);
}

#[test]
fn where_no_daemon_answers_it_says_so_and_what_to_do() {
    let (code, out, err, _) = status(Vec::new(), &[]);
    assert_eq!((code, out.as_str()), (ExitCode::from(1), ""));
    assert!(err.contains("http://127.0.0.1:") && err.contains("\nhint: does `larum run` listen there?"), "{err}");
}
