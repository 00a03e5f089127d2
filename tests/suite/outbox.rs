//! What an operator does with what is owed to channels.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::daemon::{Daemon, Project, rule_above, said, wait_until};
use crate::receiver::Receiver;

/// Runs `larum outbox` against a daemon.
fn outbox(url: &str, arguments: &[&str]) -> Output {
    let larum = env!("CARGO_BIN_EXE_larum");
    Command::new(larum).args(["outbox", "--url", url]).args(arguments).env("NO_PROXY", "*").output().unwrap()
}

#[test]
fn an_operator_sees_what_waits_gives_it_up_and_has_it_tried_again() {
    let receiver = Receiver::start();
    let project = Project::new(&receiver);
    project.write("channels/ops.yaml", "type: webhook\nurl: http://127.0.0.1:1/\n");
    project.write("rules/a.rhai", &rule_above("too_high", 5));
    let daemon = Daemon::start(&project);
    let url = format!("http://{}", daemon.address());
    assert_eq!(said(&outbox(&url, &["list"]), 0), "no notifications\n");
    daemon.client().push(&json!({ "kind": "thing", "name": "one", "fields": { "v": 7 } }));

    let first = |state: &str| {
        let listed = said(&outbox(&url, &["list", "--state", state, "--channel", "ops", "--format", "json"]), 0);
        serde_json::from_str::<Value>(&listed).unwrap()["outbox"][0].clone()
    };
    wait_until("it was tried", || first("waiting")["attempts"].as_u64() > Some(0));
    let waiting = first("waiting");
    let id = waiting["id"].as_str().unwrap().to_string();
    assert_eq!(
        (&waiting["rule"], &waiting["name"], &waiting["event"]),
        (&"too_high".into(), &"one".into(), &"raised".into())
    );
    assert!(waiting["error"].as_str().unwrap().starts_with("cannot connect"), "{waiting}");
    let table = said(&outbox(&url, &["list"]), 0);
    assert!(table.contains("[warning] too_high one raised") && table.contains("again at"), "{table}");

    assert!(said(&outbox(&url, &["drop", &id]), 0).contains("is given up"));
    wait_until("it is dead", || first("dead")["id"].as_str() == Some(&id));
    let refused = said(&outbox(&url, &["drop", &id]), 1);
    assert!(refused.contains("was given up already") && refused.contains("larum outbox retry"), "{refused}");

    project.write("channels/ops.yaml", &receiver.channel());
    assert!(said(&outbox(&url, &["retry", "--all-dead"]), 0).contains("waits again"));
    receiver.wait_for_event("raised", "too_high", "one");
    wait_until("it is noted", || first("delivered")["id"].as_str() == Some(&id));
    let shown = said(&outbox(&url, &["show", &id]), 0);
    assert!(shown.contains("state         delivered") && shown.contains("TRY"), "{shown}");
    assert!(said(&outbox(&url, &["retry", &id, "nothing"]), 1).contains("there is no notification `nothing`"));
    assert_eq!(said(&outbox(&url, &["retry", "--all-dead"]), 0), "there is nothing to try\n");
    daemon.stop();
}

#[test]
fn what_cannot_be_asked_says_so() {
    let usage = said(&outbox("http://127.0.0.1:1", &["retry"]), 2);
    assert!(usage.contains("--all-dead"), "{usage}");
    assert!(said(&outbox("http://127.0.0.1:1", &["show", "../status"]), 2).contains("is no id of a notification"));
    let alone = said(&outbox("http://127.0.0.1:1", &["list"]), 1);
    assert!(
        alone.contains("nothing listens at http://") && alone.contains("does `larum run` listen there?"),
        "{alone}"
    );
}
