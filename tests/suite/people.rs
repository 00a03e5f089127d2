//! What people on call do, on the real daemon: what they asked for outlives a kill, and strangers are kept out.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::daemon::{Daemon, Project, rule_above, said};
use crate::receiver::Receiver;

/// Runs a command in a project folder, against its daemon.
fn larum(project: &Project, url: &str, line: &str) -> Output {
    larum_with(project, url, line, &[])
}

fn larum_with(project: &Project, url: &str, line: &str, variables: &[(&str, &Path)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larum"))
        .args(line.split_whitespace())
        .current_dir(project.root())
        .env_clear()
        .envs([("NO_PROXY", "*"), ("LARUM_URL", url), ("USER", "anna")])
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn url(daemon: &Daemon) -> String {
    format!("http://{}", daemon.address())
}

fn thing(name: &str, v: i64) -> Value {
    json!({ "kind": "thing", "name": name, "fields": { "v": v } })
}

/// What fires, as `larum alerts` names it.
fn alerts(project: &Project, url: &str) -> Vec<Value> {
    let listed = said(&larum(project, url, "alerts --format json"), 0);
    serde_json::from_str::<Value>(&listed).unwrap()["alerts"].as_array().unwrap().clone()
}

#[test]
fn a_silence_and_an_acknowledgement_outlive_a_kill_and_what_was_held_back_is_told_when_the_silence_ends() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("rules/a.rhai", &rule_above("too_high", 5));
    project.write("rules/b.rhai", &rule_above("odd", 8));
    let mut daemon = Daemon::start(&project);
    let added = said(&larum(&project, &url(&daemon), "silence add rule=too_* --for 2h --comment deploy"), 0);
    assert!(added.contains("nothing that fires now"), "{added}");
    daemon.client().push(&json!([thing("one", 7), thing("two", 9)]));
    // `odd` is told, so `too_high`, judged in the same step, would have been.
    receiver.wait_for_event("raised", "odd", "two");
    let acknowledged = said(&larum(&project, &url(&daemon), "ack --rule odd --comment looking"), 0);
    assert!(acknowledged.contains("odd"), "{acknowledged}");
    daemon.kill();

    let daemon = Daemon::start(&project);
    let at = url(&daemon);
    let firing = alerts(&project, &at);
    assert_eq!(firing.len(), 3, "{firing:?}");
    for alert in &firing {
        match alert["rule"].as_str() {
            Some("odd") => assert_eq!(alert["acknowledged"]["by"], "anna", "{alert}"),
            _ => assert_eq!(alert["silenced_by"].as_array().map(Vec::len), Some(1), "{alert}"),
        }
    }
    assert!(receiver.alerts().iter().all(|alert| alert["rule"] == "odd"), "{:?}", receiver.alerts());
    let listed = said(&larum(&project, &at, "silence list --format json"), 0);
    let id = serde_json::from_str::<Value>(&listed).unwrap()["silences"][0]["id"].as_str().unwrap().to_string();
    said(&larum(&project, &at, &format!("silence expire {id}")), 0);
    receiver.wait_for_event("raised", "too_high", "one");
    receiver.wait_for_event("raised", "too_high", "two");
    let again = said(&larum(&project, &at, &format!("silence expire {id}")), 1);
    assert!(again.contains("ended"), "{again}");
    let audit = said(&larum(&project, &at, "audit --format csv"), 0);
    assert!(audit.matches("anna").count() >= 3, "{audit}");
    daemon.stop();
}

#[test]
fn nobody_who_acknowledged_is_escalated_and_somebody_who_did_not_is() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("channels/boss.yaml", &receiver.channel());
    project.write(
        "larum.yaml",
        "collectors: [{ type: push }]\nroutes: [{ to: [ops], escalate: [{ after: 2s, to: [boss] }] }]\n",
    );
    project.write("rules/a.rhai", &rule_above("too_high", 5));
    let daemon = Daemon::start(&project);
    daemon.client().push(&json!([thing("seen", 7), thing("unseen", 7)]));
    receiver.wait_for_event("raised", "too_high", "seen");
    said(&larum(&project, &url(&daemon), "ack --name seen"), 0);
    receiver.wait_for_event("unacknowledged", "too_high", "unseen");
    let told = receiver.alerts();
    assert!(!told.iter().any(|alert| alert["event"] == "unacknowledged" && alert["name"] == "seen"), "{told:?}");
    daemon.stop();
}

#[test]
fn a_paused_rule_judges_nothing_until_somebody_resumes_it_and_a_kill_does_not_resume_it() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("rules/a.rhai", &rule_above("too_high", 5));
    project.write("rules/b.rhai", &rule_above("odd", 8));
    let mut daemon = Daemon::start(&project);
    said(&larum(&project, &url(&daemon), "pause --rule too_high --comment noisy"), 0);
    daemon.kill();
    let daemon = Daemon::start(&project);
    daemon.client().push(&thing("one", 9));
    receiver.wait_for_event("raised", "odd", "one");
    assert_eq!(alerts(&project, &url(&daemon)).len(), 1);
    let paused = said(&larum(&project, &url(&daemon), "pause"), 0);
    assert!(paused.contains("too_high") && paused.contains("anna") && paused.contains("noisy"), "{paused}");
    let unknown = said(&larum(&project, &url(&daemon), "pause --rule too_hihg"), 1);
    assert!(unknown.contains("did you mean `too_high`?"), "{unknown}");
    said(&larum(&project, &url(&daemon), "resume --rule too_high"), 0);
    daemon.client().push(&thing("one", 9));
    receiver.wait_for_event("raised", "too_high", "one");
    daemon.stop();
}

#[test]
fn a_daemon_with_tokens_and_a_certificate_answers_those_who_show_theirs() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app/testdata");
    for name in ["one.crt", "one.key"] {
        std::fs::copy(testdata.join(name), project.path(name)).unwrap();
    }
    let made = said(&larum(&project, "http://127.0.0.1:1", "token new reader"), 0);
    let token = made.lines().next().unwrap();
    let hash = made.split(['"', ' ', '\n', ',']).find(|word| word.starts_with("sha256:")).unwrap();
    for (name, text) in [("reader.token", token.to_string()), ("wrong.token", token.chars().rev().collect())] {
        project.write(name, &text);
        std::fs::set_permissions(project.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    project.write(
        "larum.yaml",
        &format!(
            "collectors: [{{ type: push }}]\nroutes: [{{ to: [ops] }}]\ntls: {{ certificate: one.crt, key: one.key }}\ntokens:\n  - {{ name: reader, scope: read, hash: \"{hash}\" }}\n"
        ),
    );
    project.write("rules/a.rhai", &rule_above("too_high", 5));
    let daemon = Daemon::start(&project);
    let at = format!("https://{}", daemon.address());
    let trust = [("LARUM_CA_FILE", Path::new("one.crt"))];
    let ask = |line: &str| larum_with(&project, &at, line, &trust);
    said(&ask("silence list --token-file reader.token"), 0);
    let refused = said(&ask("silence list --token-file wrong.token"), 1);
    assert!(refused.contains("token"), "{refused}");
    let refused = said(&ask("silence add rule=a --for 1h --token-file reader.token"), 1);
    assert!(refused.contains("write"), "{refused}");
    // Whoever may read the data folder may do everything.
    said(&ask("silence add rule=a --for 1h"), 0);
    assert!(!daemon.log().iter().any(|line| line.contains(token)));
    daemon.stop();
}
