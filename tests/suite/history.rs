//! What the daemon took is stored, and can be replayed and explained.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::daemon::{Daemon, wait_until};

const RULES: &str = r#"
rule("high_error_rate", #{
    on: "service",
    when: |s| s.max("error_rate", "5m") > 0.1 && s.error_rate > 0.05,
    cooldown: "0s",
});
"#;

/// Exit code, standard output and standard error.
fn larum(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_larum")).current_dir(folder).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["rules", "channels"] {
        fs::create_dir(folder.path().join(part)).unwrap();
    }
    fs::write(folder.path().join("larum.yaml"), "collectors: [{ type: push }]\n").unwrap();
    fs::write(folder.path().join("rules/service.rhai"), RULES).unwrap();
    fs::write(folder.path().join("channels/console.yaml"), "type: console\n").unwrap();
    folder
}

fn push(daemon: &Daemon, error_rate: f64) {
    daemon.client().push(&json!([
        { "kind": "service", "name": "shop-api", "labels": { "region": "eu" }, "fields": { "error_rate": error_rate } },
        { "kind": "service", "name": "pay-api", "fields": { "error_rate": 0.01, "status": "up" } },
    ]));
}

/// The events of a replay as one JSON document tells them: rule, subject, what.
fn events(out: &str) -> Vec<(String, String, String)> {
    let document: Value = serde_json::from_str(out).unwrap();
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_string();
    let events = document["events"].as_array().unwrap().iter();
    events.map(|event| (text(event, "rule"), text(event, "name"), text(event, "event"))).collect()
}

#[test]
fn what_was_pushed_is_replayed_while_the_daemon_runs_and_after_it_was_killed() {
    let folder = project();
    let mut daemon = Daemon::start_in(folder.path(), &[]);
    for error_rate in [0.3, 0.04, 0.2, 0.03] {
        push(&daemon, error_rate);
    }
    let replay = |args: &[&str]| {
        let args: Vec<&str> = ["replay", "--format", "json"].iter().chain(args).copied().collect();
        let (code, out, errors) = larum(folder.path(), &args);
        assert_eq!(code, 0, "{errors}");
        events(&out)
    };
    let event = |what: &str| ("high_error_rate".to_string(), "shop-api".to_string(), what.to_string());
    let expected = [event("raised"), event("recovered"), event("raised"), event("recovered")];
    assert_eq!(replay(&[]), expected);
    daemon.kill();
    assert_eq!(replay(&["--from", "1h"]), expected, "from before the beginning");
    let (code, out, errors) = larum(folder.path(), &["why", "high_error_rate", "shop-api", "--at", "0s"]);
    assert!(code == 0 && out.contains("0.03 > 0.05") && out.contains("max"), "{out}{errors}");

    // An edit is compared with what ran, over what was stored.
    let old = tempfile::tempdir().unwrap();
    fs::create_dir(old.path().join("rules")).unwrap();
    fs::write(old.path().join("rules/service.rhai"), RULES.replace("> 0.1 ", "> 0.5 ")).unwrap();
    fs::create_dir(old.path().join("channels")).unwrap();
    fs::write(old.path().join("channels/console.yaml"), "type: console\n").unwrap();
    let (code, out, errors) =
        larum(folder.path(), &["replay", "--against", old.path().to_str().unwrap(), "--exit-code", "--quiet"]);
    assert!(code == 1 && out.contains("high_error_rate"), "{out}{errors}");
}

/// A rule that looks back further than memory keeps everything.
const LONG: &str = r#"
rule("long", #{ on: "service", when: |s| s.count("error_rate", "1h") >= 40 });
"#;

#[test]
fn a_rule_that_looks_back_further_than_memory_finds_what_is_stored_at_the_edit_and_after_a_restart() {
    let folder = project();
    let config = "collectors: [{ type: push }]\nhistory: { memory: 1m }\n";
    fs::write(folder.path().join("larum.yaml"), config).unwrap();
    let mut daemon = Daemon::start_in(folder.path(), &[]);
    let now = jiff::Timestamp::now();
    for minutes in (0..40).rev() {
        let time = now - jiff::SignedDuration::from_mins(minutes);
        daemon.client().push(&json!([
            { "kind": "service", "name": "shop-api", "time": time.to_string(), "fields": { "error_rate": 0.01 } },
        ]));
    }
    let fires = |daemon: &Daemon| {
        let alerts = daemon.client().get("/api/v1/alerts").json();
        alerts["alerts"].as_array().unwrap().iter().any(|alert| alert["rule"] == "long")
    };
    assert!(!fires(&daemon));
    fs::write(folder.path().join("rules/long.rhai"), LONG).unwrap();
    wait_until("the rule fires", || fires(&daemon));
    let (code, out, errors) = larum(folder.path(), &["check"]);
    assert!(code == 0 && !out.contains("looks back") && !errors.contains("looks back"), "{out}{errors}");

    daemon.kill();
    let mut daemon = Daemon::start_in(folder.path(), &[]);
    daemon.wait_for_log("read what rules look back on");
    let why = |url: &str| larum(folder.path(), &["why", "long", "shop-api", "--url", url]).1;
    daemon.client().push(&json!([{ "kind": "service", "name": "shop-api", "fields": { "error_rate": 0.02 } }]));
    let out = why(&format!("http://{}", daemon.address()));
    assert!(out.contains("41 samples"), "{out}");
    let past = daemon.client().get("/api/v1/why?rule=long&name=shop-api&at=0s").json();
    assert_eq!((&past["rule"]["name"], &past["verdict"]["says"]), (&json!("long"), &json!("fire")), "{past}");
    daemon.kill();
    let (_, out, errors) = larum(folder.path(), &["why", "long", "shop-api", "--at", "0s"]);
    assert!(out.contains("41 samples"), "{out}{errors}");
    // A replay that begins now has looked as far back.
    let (code, out, errors) = larum(folder.path(), &["replay", "--from", "0s", "--format", "json"]);
    assert!(code == 0 && out.contains("\"long\""), "{out}{errors}");
}

#[test]
fn a_data_folder_without_history_says_so() {
    let folder = project();
    Daemon::start_in(folder.path(), &[]).stop();
    let (code, out, errors) = larum(folder.path(), &["replay", "--from", "2020-01-01", "--until", "2020-01-02"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(errors.contains("no history is stored"), "{errors}");
    fs::write(folder.path().join("data/larum.db"), "oops").unwrap();
    let (code, _, errors) = larum(folder.path(), &["replay"]);
    assert!(code == 1 && errors.contains("is damaged (it is not a database)"), "{errors}");
}
