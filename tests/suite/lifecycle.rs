//! Start, stop, and what a daemon does without its files.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::{Daemon, ONLY_PUSHES, Project, rule_above, wait_until};
use crate::http::Client;
use crate::receiver::Receiver;

#[test]
fn a_pushed_snapshot_becomes_an_alert_at_the_receiver_and_later_its_end() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("rules/a.rhai", &rule_above("too_high", 5));
    let daemon = Daemon::start(&project);
    let mut client = daemon.client();
    client.push(&json!({ "kind": "thing", "name": "one", "labels": { "region": "eu" }, "fields": { "v": 7 } }));
    let raised = receiver.wait_for_event("raised", "too_high", "one");
    assert_eq!(raised["level"], "warning");
    assert_eq!(raised["labels"]["region"], "eu");
    assert_eq!(raised["values"]["v"], 7);

    client.push(&json!({ "kind": "thing", "name": "one", "labels": { "region": "eu" }, "fields": { "v": 1 } }));
    let recovered = receiver.wait_for_event("recovered", "too_high", "one");
    assert_eq!(recovered["id"], raised["id"], "one firing has one id");
    daemon.stop();
}

#[test]
fn sigterm_and_ctrl_c_end_the_daemon_cleanly_even_while_clients_are_connected() {
    for signal in ["TERM", "INT"] {
        let receiver = Receiver::start();
        let project = Project::new(&receiver);
        project.write("rules/a.rhai", &rule_above("too_high", 5));
        let mut daemon = Daemon::start(&project);
        let mut idle: Vec<Client> = (0..3).map(|_| daemon.client()).collect();
        assert_eq!(idle[0].get("/healthz").status(), 200);
        let asked = Instant::now();
        daemon.signal(signal);
        let status = daemon.wait_for_exit(Duration::from_secs(5));
        assert_eq!(status.code(), Some(0), "after SIG{signal}: {}", daemon.log().join("\n"));
        assert!(asked.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn what_was_raised_just_before_the_stop_is_still_delivered() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("rules/a.rhai", &rule_above("too_high", 5));
    let daemon = Daemon::start(&project);
    let things: Vec<_> =
        (0..50).map(|n| json!({ "kind": "thing", "name": format!("n{n}"), "fields": { "v": 9 } })).collect();
    daemon.client().push(&json!(things));
    daemon.stop();
    assert_eq!(receiver.alerts().len(), 50);
}

#[test]
fn without_a_rules_folder_the_daemon_runs_and_says_so_and_takes_the_rules_when_they_come() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    std::fs::remove_dir(project.path("rules")).unwrap();
    let daemon = Daemon::start(&project);
    daemon.wait_for_log("the folder cannot be used");
    let mut client = daemon.client();
    client.push(&json!({ "kind": "thing", "name": "one", "fields": { "v": 7 } }));
    project.write("rules/a.rhai", &rule_above("too_high", 5));
    receiver.wait_for_event("raised", "too_high", "one");
    daemon.stop();
}

#[test]
fn a_broken_config_at_the_start_is_shown_with_its_place_and_ends_with_code_3() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("larum.yaml", "listen: 127.0.0.1:0\nroutez: []\n");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_larum"))
        .args(["run", "--dir"])
        .arg(project.root())
        .env_clear()
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("larum.yaml:2:1") && text.contains("routez") && text.contains("routes"), "{text}");
}

#[test]
fn a_dry_run_prints_what_it_would_send_and_sends_nothing() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("rules/a.rhai", &rule_above("too_high", 5));
    let daemon = Daemon::start_with(&project, &["--dry-run"]);
    let mut client = daemon.client();
    client.push(&json!({ "kind": "thing", "name": "one", "fields": { "v": 7 } }));
    daemon.wait_for_log("would tell ops (webhook)");
    daemon.wait_for_log("too_high");
    daemon.stop();
    assert_eq!(receiver.alerts(), Vec::<serde_json::Value>::new());
}

#[test]
fn pushes_are_taken_only_where_a_collector_says_so_and_at_once_when_it_does() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("larum.yaml", "collectors:\n  - { type: host }\nroutes:\n  - { to: [ops] }\n");
    let daemon = Daemon::start(&project);
    let push = |client: &mut Client| {
        client.post("/api/v1/snapshots", "{\"kind\":\"thing\",\"name\":\"one\",\"fields\":{\"v\":7}}").status()
    };
    let mut client = daemon.client();
    assert_eq!(push(&mut client), 403);
    project.write("larum.yaml", ONLY_PUSHES);
    wait_until("pushes are taken", || push(&mut client) == 200);
    daemon.stop();
}

#[test]
fn a_field_that_nobody_ever_sent_is_a_problem_that_says_what_was_meant() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("rules/a.rhai", "rule(\"slow\", #{ on: \"thing\", when: |s| s.latncy > 5 });\n");
    let daemon = Daemon::start(&project);
    let mut client = daemon.client();
    let problems = |client: &mut Client| client.get("/api/v1/status").json()["problems"].clone();
    assert_eq!(problems(&mut client), json!([]), "of a kind that nobody sent nothing is known");
    client.push(&json!({ "kind": "thing", "name": "one", "fields": { "latency": 7 } }));
    let problem = problems(&mut client)[0].clone();
    assert_eq!(problem["message"], "no subject of kind `thing` ever had the field `latncy`");
    assert_eq!(problem["hint"], "did you mean `latency`?");
    assert_eq!((problem["place"].clone(), problem["line"].clone()), (json!("rules/a.rhai"), json!(1)));

    let larum = |arguments: &[&str]| {
        let url = format!("http://{}", daemon.address());
        let command = Command::new(env!("CARGO_BIN_EXE_larum"))
            .args(["--dir", project.root().to_str().unwrap()])
            .args(arguments)
            .args(["--url", &url])
            .env_clear()
            .output()
            .unwrap();
        String::from_utf8(command.stdout).unwrap()
    };
    let checked = larum(&["check"]);
    assert!(checked.contains("did you mean `latency`?") && checked.contains("1 warning"), "{checked}");
    let listed = larum(&["rules", "list"]);
    let row: Vec<&str> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["slow", "0", "0", "0", "0", "0", "ok"], "nobody takes part: {listed}");
    daemon.stop();
}
