//! `larum why` and `larum dry-run` as people run them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::daemon::{Daemon, wait_until};

const RULES: &str = r#"
rule("high_error_rate", #{
    on: "service",
    when: |s| s.error_rate > 0.1,
    level: |s| if s.error_rate > 0.5 { "critical" } else { "warning" },
    message: |s| `${s.name}: ${percent(s.error_rate)} of calls fail`,
});
"#;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let settings = "collectors: [{ type: push }]\nroutes:\n  - match: { level: '>=error' }\n    to: [console]\n";
    write(folder.path(), "larum.yaml", settings);
    write(folder.path(), "rules/service.rhai", RULES);
    write(folder.path(), "channels/console.yaml", "type: console\n");
    folder
}

/// Exit code, standard output and standard error.
fn larum(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larum"));
    let output = command.env_remove("NO_COLOR").current_dir(folder).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The same with `why`, asking a daemon.
fn why(folder: &Path, daemon: &Daemon, args: &[&str]) -> (i32, String, String) {
    let url = format!("http://{}", daemon.address());
    let args: Vec<&str> = ["why"].iter().chain(args).chain(&["--url", &url]).copied().collect();
    larum(folder, &args)
}

#[test]
fn a_running_daemon_says_why_nobody_was_told_and_what_was_meant() {
    let folder = project();
    let daemon = Daemon::start_in(folder.path(), &[]);
    daemon.client().push(&json!([
        { "kind": "service", "name": "shop-api", "fields": { "error_rate": 0.3 } },
        { "kind": "service", "name": "pay-api", "fields": { "error_rate": 0.09 } },
    ]));
    let why = |args: &[&str]| why(folder.path(), &daemon, args);

    let (code, text, errors) = why(&["high_error_rate", "shop-api"]);
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    assert!(text.contains("Nobody is told: no route takes it."), "{text}");
    assert!(text.contains("1 (larum.yaml:4)  to console  no: level is `warning`, wants `>=error`"), "{text}");

    let (_, text, _) = why(&["high_error_rate", "pay-api"]);
    assert!(text.contains("It does not fire: `s.error_rate > 0.1` is false (0.09 > 0.1)."), "{text}");

    let (_, text, _) = why(&["high_error_rate"]);
    assert!(text.contains("2 subjects: 1 firing"), "{text}");
    assert!(text.contains("pay-api  10.0% away: 0.09 > 0.1  (s.error_rate > 0.1)"), "{text}");

    let (code, document, _) = why(&["high_error_rate", "shop-api", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!((code, &document["state"]["state"]), (0, &json!("firing")));

    let (code, _, errors) = why(&["high_eror_rate"]);
    assert_eq!(code, 1);
    assert_eq!(errors, "error: there is no rule `high_eror_rate`\nhint: did you mean `high_error_rate`?\n");
    let (code, _, errors) = why(&["high_error_rate", "shop-pi"]);
    assert_eq!(code, 1);
    assert!(errors.contains("hint: did you mean `shop-api`?"), "{errors}");
    daemon.stop();
}

#[test]
fn a_rule_whose_file_is_broken_is_explained_by_its_last_good_text_or_by_the_error() {
    let folder = project();
    let daemon = Daemon::start_in(folder.path(), &[]);
    write(folder.path(), "rules/new.rhai", "rule(\"new_one\", #{ on: \"service\", whn: |s| true });\n");
    write(folder.path(), "rules/service.rhai", &RULES.replace("when:", "whn:"));
    let is_told = |args: &[&str], told: &str| {
        let (_, text, errors) = why(folder.path(), &daemon, args);
        format!("{text}{errors}").contains(told)
    };
    let told = "rule `new_one` is not loaded, as its file is broken: rules/new.rhai:1:";
    wait_until("the new rule is said to be broken", || is_told(&["new_one"], told));
    let told = "its file is broken, so its last good text is in force: rules/service.rhai:";
    wait_until("the old rule is said to be broken", || is_told(&["high_error_rate"], told));
    daemon.stop();
}

#[test]
fn the_past_needs_something_that_was_stored_and_a_daemon_that_is_not_there_is_named() {
    let folder = project();
    let (code, _, errors) = larum(folder.path(), &["why", "high_error_rate", "--at", "2026-11-21T10:00:00Z"]);
    assert_eq!(code, 1);
    assert!(errors.contains("error: no history is stored in `./data`\nhint: `larum run` stores"), "{errors}");
    let (code, _, errors) = larum(folder.path(), &["why", "high_error_rate", "--stale-after", "1m"]);
    assert_eq!(code, 2);
    assert!(errors.contains("hint: leave it out, or add `--recording FILE`"), "{errors}");
    let (code, _, errors) = larum(folder.path(), &["why", "", "x"]);
    assert_eq!(code, 2);
    assert!(
        errors.contains("error: RULE is empty\nhint: write it like `larum why high_error_rate shop-api`"),
        "{errors}"
    );
    let (code, _, errors) = larum(folder.path(), &["dry-run"]);
    assert_eq!(code, 1);
    assert!(errors.contains("there is nothing to collect\nhint: pushes reach a daemon only"), "{errors}");
    let (code, _, errors) = larum(folder.path(), &["why", "high_error_rate", "--url", "http://127.0.0.1:9"]);
    assert_eq!(code, 1);
    assert!(errors.contains("nothing listens at http://127.0.0.1:9\nhint: ") && errors.contains("--url"), "{errors}");
}

#[test]
fn a_recording_is_explained_at_its_end_and_at_any_time_before() {
    let folder = project();
    let lines: Vec<String> = (0..20)
        .map(|step| {
            let rate = if step < 10 { 0.02 } else { 0.7 };
            format!(
                "{{\"time\":\"2026-11-21T10:{step:02}:00Z\",\"kind\":\"service\",\"name\":\"shop-api\",\
                 \"fields\":{{\"error_rate\":{rate}}}}}"
            )
        })
        .chain(["{\"kind\":".to_string()])
        .collect();
    write(folder.path(), "day.jsonl", &lines.join("\n"));
    let why = |args: &[&str]| {
        let args: Vec<&str> =
            ["why", "high_error_rate", "--recording", "day.jsonl"].iter().chain(args).copied().collect();
        larum(folder.path(), &args)
    };
    let (code, text, errors) = why(&["shop-api"]);
    assert_eq!((code, errors.as_str()), (0, "1 of 21 lines could not be used: `larum replay` names them\n"));
    assert!(text.starts_with("high_error_rate on service shop-api: firing, 2026-11-21 10:19:00 UTC\n"), "{text}");
    assert!(text.contains("console was told critical at 10:10:00 (9m ago)"), "{text}");
    for at in ["2026-11-21T10:05:30Z", "2026-11-21 10:05:30", "13m30s"] {
        let (_, text, _) = why(&["shop-api", "--at", at]);
        assert!(
            text.contains(
                "inactive, 2026-11-21 10:05:30 UTC\nIt does not fire: `s.error_rate > 0.1` is false (0.02 > 0.1)."
            ),
            "{text}"
        );
    }
    let (_, text, _) = why(&[]);
    assert!(text.contains("1 subject: 1 firing"), "{text}");
    let (code, _, errors) = why(&["shop-pi"]);
    assert_eq!(code, 1);
    assert!(errors.contains("hint: did you mean `shop-api`?"), "{errors}");
    let (code, _, errors) = why(&["shop-api", "--at", "2026-11-20T00:00:00Z"]);
    assert_eq!(code, 1);
    assert!(errors.contains("or begins later than that"), "{errors}");
    assert_eq!(why(&["shop-api", "--at", "yesterday"]).0, 2);
    for pipe in ["-", "/dev/null"] {
        let args = ["why", "high_error_rate", "shop-api", "--recording", pipe, "--at", "90m"];
        let (code, _, errors) = larum(folder.path(), &args);
        assert_eq!(code, 2);
        assert!(errors.contains("which a pipe does not tell before it ends\nhint: give a time"), "{errors}");
    }
}

#[test]
fn a_dry_run_tells_of_each_rule_what_it_comes_to_and_sends_nothing() {
    let folder = project();
    write(folder.path(), "larum.yaml", "collectors: [{ type: host, every: 10s }]\n");
    let always = "rule(\"always\", #{ on: \"host\", when: |h| h.cpus > 0, message: \"it is on\" });\n";
    write(folder.path(), "rules/host.rhai", always);
    let (code, text, errors) = larum(folder.path(), &["dry-run"]);
    assert_eq!(code, 0, "that something fires is no failure: {errors}");
    assert_eq!(errors, "collecting twice: host tells rates from its second look on\n");
    assert!(text.contains("collected host 2 times\n\nalways: 1 true\n"), "{text}");
    assert!(
        text.contains("It fires at warning since") && text.contains("console would have been told warning"),
        "{text}"
    );
    assert!(text.contains("\nwould have been sent\n") && text.contains("to console: "), "{text}");
    assert!(!folder.path().join("data").exists(), "nothing is left behind");
    let (code, json, _) = larum(folder.path(), &["dry-run", "--once", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["rules"][0]["rule"]), (0, &serde_json::json!("always")));
    assert_eq!(json["would_send"][0]["channel"], "console");
    assert_eq!(larum(folder.path(), &["dry-run", "--for", "0s"]).0, 2);
}
