use std::ffi::OsString;
use std::net::TcpListener;
use std::process::ExitCode;

use super::*;
use crate::cli::testing::daemon;

/// Runs `larum alerts` against a daemon with these answers: exit code, standard output and error, what was asked.
fn alerts(answers: Vec<(u16, Value)>, args: &[&str]) -> (ExitCode, String, String, Vec<String>) {
    let (url, asked) = daemon(answers);
    let (mut ui, captured) = Ui::captured();
    let folder = tempfile::tempdir().unwrap();
    let fixed = ["larum", "--dir", folder.path().to_str().unwrap(), "alerts", "--url", &url];
    let code = super::super::run(fixed.iter().chain(args).map(OsString::from), &mut ui);
    (code, captured.out(), captured.err(), asked.try_iter().map(|asked| asked.path).collect())
}

fn alert(id: &str, state: &str) -> Value {
    json!({
        "id": id, "rule": "disk_full", "kind": "disk", "name": "web-1:/var", "labels": {"region": "eu"}, "state": state,
        "level": "error", "since": "2026-11-21T10:00:00Z", "ended": null, "reason": null, "message": "97%\u{1b}[2J full",
        "values": {"used": 0.97}, "told": ["ops"], "held": {"mail": "cooldown"}, "not_judged_since": null,
    })
}

fn ended(id: &str) -> Value {
    let mut alert = alert(id, "ended");
    alert["ended"] = "2026-11-21T11:00:00Z".into();
    alert["reason"] = "rule_removed".into();
    alert["held"] = json!({});
    alert
}

#[test]
fn what_fires_now_is_a_table_and_what_is_only_pending_is_not_in_it() {
    let answer = json!({"alerts": [alert("0123456789abcdef", "firing"), alert("x", "pending")], "next": null});
    let (code, out, err, asked) = alerts(vec![(200, answer)], &["--rule", "disk_full", "--level", "error"]);
    assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""));
    assert_eq!(asked, ["/api/v1/alerts?rule=disk_full&level=error"]);
    insta::assert_snapshot!(out, @"
    LEVEL  RULE       SUBJECT          SINCE                    ID          TOLD                        MESSAGE
    error  disk_full  disk web-1:/var  2026-11-21 10:00:00 UTC  0123456789  ops; held: mail (cooldown)  97%[2J full
    ");
}

#[test]
fn past_alerts_come_page_by_page_until_there_are_enough() {
    let pages = vec![
        (200, json!({"alerts": [ended("a"), ended("b")], "next": "2-0-b"})),
        (200, json!({"alerts": [ended("c")], "next": "3-0-c"})),
    ];
    let (code, out, err, asked) = alerts(pages, &["--all", "--since", "7d", "--limit", "3"]);
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(
        asked,
        ["/api/v1/alerts?since=7d&state=all&limit=3", "/api/v1/alerts?since=7d&state=all&limit=1&cursor=2-0-b"]
    );
    assert!(out.contains("2026-11-21 11:00:00 UTC (rule removed)"), "{out}");
    assert_eq!(
        (out.lines().count(), err.trim_end()),
        (4, "there are more than these 3: `--limit` takes a higher number")
    );
    let page = json!({"alerts": [ended("a")], "next": null});
    let (_, out, ..) = alerts(vec![(200, page.clone())], &["--all", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), page);
}

#[test]
fn one_alert_is_shown_with_what_happened_who_was_told_and_who_was_not() {
    let history = json!({
        "alert": alert("0123456789abcdef", "firing"),
        "events": [{"time": "2026-11-21T10:00:00Z", "event": "raised", "reason": null, "level": "error", "message": "97% full"}],
        "transitions": [
            {"time": "2026-11-21T09:59:00Z", "from": "inactive", "to": "pending"},
            {"time": "2026-11-21T10:00:00Z", "from": "pending", "to": "firing"},
        ],
        "notifications": [{
            "id": "n", "channel": "ops", "time": "2026-11-21T10:00:00Z", "events": ["raised"], "occasion": "alert",
            "state": "delivered", "ended": "2026-11-21T10:00:03Z", "next_attempt": null, "absorbed_by": null,
            "error": null, "n_attempts": 2, "attempts": [
                {"number": 1, "time": "2026-11-21T10:00:00Z", "duration_seconds": 0.25, "result": "failed", "error": "503", "next_attempt": null},
                {"number": 2, "time": "2026-11-21T10:00:02Z", "duration_seconds": 1.0, "result": "delivered", "error": null, "next_attempt": null},
            ],
        }, {
            "id": "m", "channel": "mail", "time": "2026-11-21T10:00:00Z", "events": ["raised"], "occasion": "group",
            "state": "waiting", "next_attempt": null, "n_attempts": 0, "attempts": [],
        }],
        "suppressed": [{"channel": "pager", "reason": "cooldown"}],
    });
    let (code, out, err, asked) = alerts(vec![(200, history)], &["01234/5"]);
    assert_eq!((code, err.as_str(), asked), (ExitCode::SUCCESS, "", vec!["/api/v1/alerts/01234%2F5".to_string()]));
    insta::assert_snapshot!(out, @"
    [error] disk_full: disk web-1:/var
      id           0123456789abcdef
      state        firing
      message      97%[2J full
      since        2026-11-21 10:00:00 UTC
      labels       region=eu
      values       used 0.97
    what happened
      2026-11-21 09:59:00 UTC  inactive -> pending
      2026-11-21 10:00:00 UTC  pending -> firing
      2026-11-21 10:00:00 UTC  raised error: 97% full
    who was told
      2026-11-21 10:00:00 UTC  ops: raised, delivered 2026-11-21 10:00:03 UTC, after 2 attempts
        attempt 1, 2026-11-21 10:00:00 UTC, 250ms: failed: 503
        attempt 2, 2026-11-21 10:00:02 UTC, 1s: delivered
      2026-11-21 10:00:00 UTC  mail: raised in a notification of kind group, waits for its first attempt
    who was not told, and why
      pager: cooldown
      mail: held now, cooldown
    ");
}

#[test]
fn nothing_is_said_in_a_sentence() {
    let none = || vec![(200, json!({"alerts": [], "next": null}))];
    assert_eq!(alerts(none(), &[]).1, "no alert fires\n");
    let (_, out, ..) = alerts(none(), &["--all", "--since", "7d", "--kind", "disk"]);
    assert_eq!(out, "no alert has fired (kind disk, within 7d)\n");
}

#[test]
fn mistakes_are_usage_and_what_the_daemon_refuses_is_told_with_its_hint() {
    for (args, says) in [
        (&["--all", "--since", "soon"][..], "neither a duration nor a time"),
        (&["--level", "loud"], "is not a level"),
        (&["--since", "7d"], "--all"),
        (&["--limit", "0"], "asks for nothing"),
        (&["abc", "--all"], "cannot be used with"),
    ] {
        let (code, out, err, asked) = alerts(Vec::new(), args);
        assert_eq!((code, out.as_str(), asked.len()), (ExitCode::from(2), "", 0), "{args:?}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
    let refusal = json!({"error": "there is no alert `abc`", "hint": "look again"});
    let (code, _, err, _) = alerts(vec![(404, refusal)], &["abc"]);
    assert_eq!((code, err.as_str()), (ExitCode::from(1), "error: there is no alert `abc`\nhint: look again\n"));
    let (code, _, err, _) = alerts(vec![(502, json!("x"))], &[]);
    assert!(code == ExitCode::from(1) && err.contains("is no larum"), "{err}");
}

#[test]
fn where_no_daemon_answers_it_says_so_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens on a port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    std::fs::write(folder.path().join("larum.yaml"), format!("listen: 127.0.0.1:{port}\n")).unwrap();
    let (mut ui, captured) = Ui::captured();
    let args = ["larum", "--dir", folder.path().to_str().unwrap(), "alerts"];
    let code = super::super::run(args.map(OsString::from), &mut ui);
    assert_eq!((code, captured.out().as_str()), (ExitCode::from(1), ""));
    let err = captured.err();
    assert!(err.starts_with(&format!("error: nothing listens at http://127.0.0.1:{port}\n")), "{err}");
    assert!(err.contains("\nhint: does `larum run` listen there?"), "{err}");
}
