//! Edits while the daemon runs, as editors and deployments make them.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::daemon::{Daemon, ONLY_PUSHES, Project, rule_above, wait_until};
use crate::http::Client;
use crate::receiver::Receiver;

fn thing(name: &str, v: u32) -> Value {
    json!({ "kind": "thing", "name": name, "fields": { "v": v } })
}

/// The problems that the daemon shows now, as text.
fn problems(client: &mut Client) -> String {
    client.get("/api/v1/status").json()["problems"].to_string()
}

/// A running daemon with one rule `first`, on `v` above 5.
fn running() -> (Receiver, Project, Daemon, Client) {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("rules/a.rhai", &rule_above("first", 5));
    let daemon = Daemon::start(&project);
    let client = daemon.client();
    (receiver, project, daemon, client)
}

#[test]
fn every_way_of_saving_a_file_makes_the_new_rule_decide() {
    let (receiver, project, daemon, mut client) = running();
    client.push(&thing("one", 3));
    let file = project.path("rules/a.rhai");

    // In place.
    fs::write(&file, rule_above("in_place", 2)).unwrap();
    receiver.wait_for_event("raised", "in_place", "one");

    // As vim does: a test file, the old file aside, the new one written, the old one removed.
    fs::write(project.path("rules/4913"), "").unwrap();
    fs::remove_file(project.path("rules/4913")).unwrap();
    fs::rename(&file, project.path("rules/a.rhai~")).unwrap();
    fs::write(&file, rule_above("as_vim", 2)).unwrap();
    fs::remove_file(project.path("rules/a.rhai~")).unwrap();
    receiver.wait_for_event("raised", "as_vim", "one");

    // As other editors do: a new file over the old one.
    fs::write(project.path("rules/.a.rhai.tmp"), rule_above("renamed_over", 2)).unwrap();
    fs::rename(project.path("rules/.a.rhai.tmp"), &file).unwrap();
    receiver.wait_for_event("raised", "renamed_over", "one");

    let status = Command::new("sed").args(["-i", "s/renamed_over/by_sed/"]).arg(&file).status().unwrap();
    assert!(status.success());
    receiver.wait_for_event("raised", "by_sed", "one");
    receiver.wait_for_event("closed", "renamed_over", "one");
    daemon.stop();
}

#[test]
fn a_mounted_config_map_that_is_swapped_is_taken_as_a_whole() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    let rules = project.path("rules");
    project.write("rules/..one/a.rhai", &rule_above("first", 5));
    symlink("..one", rules.join("..data")).unwrap();
    symlink("..data/a.rhai", rules.join("a.rhai")).unwrap();
    let daemon = Daemon::start(&project);
    let mut client = daemon.client();
    client.push(&thing("one", 7));
    receiver.wait_for_event("raised", "first", "one");

    project.write("rules/..two/a.rhai", &rule_above("second", 5));
    symlink("..two", rules.join("..data_tmp")).unwrap();
    fs::rename(rules.join("..data_tmp"), rules.join("..data")).unwrap();
    fs::remove_dir_all(rules.join("..one")).unwrap();
    receiver.wait_for_event("raised", "second", "one");
    daemon.stop();
}

#[test]
fn a_rules_folder_that_is_swapped_for_another_is_followed() {
    let (receiver, project, daemon, mut client) = running();
    client.push(&thing("one", 7));
    receiver.wait_for_event("raised", "first", "one");
    project.write("next/a.rhai", &rule_above("second", 5));
    fs::rename(project.path("rules"), project.path("before")).unwrap();
    fs::rename(project.path("next"), project.path("rules")).unwrap();
    receiver.wait_for_event("raised", "second", "one");
    project.write("rules/a.rhai", &rule_above("third", 5));
    receiver.wait_for_event("raised", "third", "one");
    daemon.stop();
}

#[test]
fn a_broken_edit_leaves_the_last_good_rules_in_force_and_is_shown_until_it_is_mended() {
    let (receiver, project, daemon, mut client) = running();
    project.write("rules/a.rhai", "rule(\"first\", #{ on: \"thing\", whn: |s| s.v > 2 });\n");
    project.write("rules/b.rhai", &rule_above("other", 6));
    wait_until("the problem is shown", || problems(&mut client).contains("whn"));
    let shown = problems(&mut client);
    assert!(shown.contains("rules/a.rhai") && shown.contains("when"), "{shown}");
    daemon.wait_for_log("unknown key `whn`");
    assert!(daemon.log().iter().any(|line| line.contains("rules/a.rhai:1:") && line.contains("whn")));

    client.push(&json!([thing("low", 3), thing("high", 7)]));
    receiver.wait_for_event("raised", "first", "high");
    receiver.wait_for_event("raised", "other", "high");
    assert!(receiver.alerts().iter().all(|alert| alert["name"] != "low"), "the broken text decides nothing");

    project.write("rules/a.rhai", &rule_above("first", 2));
    receiver.wait_for_event("raised", "first", "low");
    wait_until("the problem is over", || !problems(&mut client).contains("rules/a.rhai"));
    daemon.stop();
}

#[test]
fn a_broken_file_is_a_subject_on_which_a_rule_can_alert() {
    let (receiver, project, daemon, _client) = running();
    let own = "rule(\"file_broken\", #{ on: \"larum\", when: |s| s.broken, message: |s| `${s.name}: ${s.error}` });\n";
    project.write("rules/own.rhai", own);
    project.write("rules/a.rhai", "rule(");
    let raised = receiver.wait_for_event("raised", "file_broken", "rules/a.rhai");
    assert!(raised["message"].as_str().unwrap().starts_with("rules/a.rhai: "), "{raised}");
    project.write("rules/a.rhai", &rule_above("first", 5));
    receiver.wait_for_event("recovered", "file_broken", "rules/a.rhai");
    daemon.stop();
}

#[test]
fn a_rules_folder_that_is_suddenly_empty_changes_nothing() {
    let (receiver, project, daemon, mut client) = running();
    client.push(&thing("one", 7));
    receiver.wait_for_event("raised", "first", "one");
    fs::remove_file(project.path("rules/a.rhai")).unwrap();
    wait_until("the problem is shown", || problems(&mut client).contains("no rule files"));
    client.push(&thing("two", 7));
    receiver.wait_for_event("raised", "first", "two");
    fs::remove_dir(project.path("rules")).unwrap();
    wait_until("the problem is shown", || problems(&mut client).contains("cannot be used: No such file"));
    client.push(&thing("three", 7));
    receiver.wait_for_event("raised", "first", "three");
    assert!(receiver.alerts().iter().all(|alert| alert["event"] == "raised"));
    daemon.stop();
}

#[test]
fn routes_and_params_of_the_config_take_effect_live_and_a_new_port_asks_for_a_restart() {
    let (receiver, project, daemon, mut client) = running();
    project.write(
        "rules/b.rhai",
        "let limit = param(\"limit\", 100);\nrule(\"by_param\", #{ on: \"thing\", when: |s| s.v > limit });\n",
    );
    client.push(&thing("one", 50));
    receiver.wait_for_event("raised", "first", "one");

    project.write("larum.yaml", &format!("{ONLY_PUSHES}params: {{ limit: 10 }}\n"));
    receiver.wait_for_event("raised", "by_param", "one");

    project.write("larum.yaml", &format!("{ONLY_PUSHES}params: {{ limit: 10 }}\nlisten: 127.0.0.1:1\n"));
    wait_until("the restart is asked for", || problems(&mut client).contains("restart"));

    let other = Receiver::start();
    project.write("channels/other.yaml", &other.channel());
    project.write("larum.yaml", &ONLY_PUSHES.replace("[ops]", "[other]"));
    client.push(&thing("two", 50));
    other.wait_for_event("raised", "first", "two");
    daemon.stop();
}

#[test]
fn a_broken_channel_file_or_config_leaves_everything_as_it_was() {
    let (receiver, project, daemon, mut client) = running();
    project.write("channels/ops.yaml", "type: webhok\n");
    wait_until("the channel's problem is shown", || problems(&mut client).contains("channels/ops.yaml"));
    project.write("larum.yaml", "routes: {{{");
    wait_until("the config's problem is shown", || problems(&mut client).contains("larum.yaml"));
    client.push(&thing("one", 7));
    receiver.wait_for_event("raised", "first", "one");
    daemon.stop();
}

#[test]
fn sighup_looks_at_the_files_at_once() {
    let (receiver, project, daemon, mut client) = running();
    client.push(&thing("one", 3));
    project.write("rules/a.rhai", &rule_above("second", 2));
    daemon.signal("HUP");
    daemon.wait_for_log("reload asked for");
    receiver.wait_for_event("raised", "second", "one");
    daemon.stop();
}

#[test]
fn the_api_tells_what_the_config_bounds_and_what_holds_a_channel_back() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("rules/a.rhai", &rule_above("first", 5));
    fs::rename(project.path("channels/ops.yaml"), project.path("channels/ops.yml")).unwrap();
    let config = format!("{ONLY_PUSHES}limits: {{ max_name_bytes: 8 }}\nalerts: {{ enabled: false }}\n");
    project.write("larum.yaml", &config);
    let daemon = Daemon::start(&project);
    let mut client = daemon.client();
    assert_eq!(client.get("/api/v1/channels").json()["channels"][0]["file"], "channels/ops.yml");
    let refused = client.post("/api/v1/snapshots", &thing("far_too_long", 7).to_string());
    assert!(refused.status() == 400 && refused.body.contains("at most 8 are allowed"), "{refused:?}");
    client.push(&thing("one", 7));
    let alerts = client.get("/api/v1/alerts").json();
    assert_eq!(alerts["alerts"][0]["held"], json!({ "ops": "alerting disabled" }), "{alerts}");
    daemon.stop();
}
