//! The shipped rules, the examples, the semantics and a new project: `larum check` and `larum test` on each.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::daemon::{Daemon, wait_until};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs `larum` on a folder. The variables are those that the examples' channels ask for.
fn larum(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larum"))
        .arg("--dir")
        .arg(folder)
        .args(arguments)
        .env_clear()
        .env("WECOM_WEBHOOK", "https://127.0.0.1:1/cgi-bin/webhook/send?key=test")
        .env("SMTP_HOST", "127.0.0.1")
        .env("SMTP_USER", "larum@example.com")
        .env("SMTP_PASSWORD", "test")
        .env("ONCALL_MAIL", "oncall@example.com")
        .output()
        .unwrap()
}

/// Copies a folder with all that is in it, but for the data of a daemon.
fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().flatten().filter(|entry| entry.file_name() != "data") {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The standard output of a command that must succeed.
#[track_caller]
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = larum(folder, arguments);
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {arguments:?}:\n{out}\n{err}", folder.display());
    out
}

fn projects() -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    let examples = std::fs::read_dir(root.join("examples")).unwrap();
    let examples = examples.map(|entry| entry.unwrap().path()).filter(|path| path.join("larum.yaml").exists());
    [root.to_path_buf(), root.join("tests/semantics")].into_iter().chain(examples).collect()
}

#[test]
fn every_shipped_project_is_sound_and_its_rule_tests_pass() {
    let projects = projects();
    assert!(projects.len() >= 4);
    for folder in projects {
        assert!(said(&folder, &["check"]).ends_with("no problems\n"));
        assert!(said(&folder, &["test"]).ends_with(" passed, 0 failed\n"));
    }
}

#[test]
fn a_rule_test_needs_no_secrets() {
    let example = Path::new(ROOT).join("examples/wecom-bot");
    let run = |command: &str| {
        let larum = env!("CARGO_BIN_EXE_larum");
        Command::new(larum).arg("--dir").arg(&example).arg(command).env_clear().output().unwrap().status.code()
    };
    assert_eq!(run("test"), Some(0));
    assert_eq!(run("check"), Some(3), "but whoever starts the daemon is told what is missing");
}

#[test]
fn the_first_five_minutes_go_as_init_says() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("new");
    said(folder.path(), &["init", project.to_str().unwrap()]);
    assert_eq!(said(&project, &["check", "--format", "short"]), "");
    assert!(said(&project, &["test"]).ends_with(" passed, 0 failed\n"));
    let recording = project.join("recordings/incident.jsonl");
    let replayed = said(&project, &["replay", recording.to_str().unwrap()]);
    for told in ["[error] high_error_rate shop-api", "[recovered] high_error_rate shop-api"] {
        assert!(replayed.contains(told), "{replayed}");
    }
    let daemon = Daemon::start_in(&project, &[]);
    daemon.stop();
    assert_ne!(larum(folder.path(), &["init", project.to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn the_pushing_script_of_an_example_raises_and_recovers() {
    let example = Path::new(ROOT).join("examples/mcp-services");
    // A copy: what a daemon remembered of the run before would be told as flapping.
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&example, copy.path());
    let daemon = Daemon::start_in(copy.path(), &[]);
    let push = |arguments: &[&str]| {
        let url = format!("http://{}", daemon.address());
        let script = example.join("push.py");
        let output =
            Command::new("python3").arg(script).args(["--count", "1", "--url", &url]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(push(&["--broken"]).contains("\"taken\":5"));
    daemon.wait_for_log("[critical] service_stopped files");
    push(&[]);
    wait_until("the service is told to be well again", || {
        daemon.log().iter().any(|line| line.contains("[recovered] service_stopped files"))
    });
    daemon.stop();
}

#[test]
fn a_replay_says_the_same_in_every_process_and_time_zone() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("day.jsonl");
    let line = |minute: usize, name: &str, value: usize| {
        format!(
            "{{\"time\":\"2026-03-02T{:02}:{:02}:00Z\",\"kind\":\"service\",\"name\":\"{name}\",\"fields\":{{\"status\":\"{}\",\"response_time_seconds\":{}}}}}\n",
            minute / 60,
            minute % 60,
            if value.is_multiple_of(7) { "stopped" } else { "running" },
            value % 11,
        )
    };
    let lines: String =
        (0..600).flat_map(|m| ["a", "b", "c"].map(|name| line(m, name, m * 31 + name.len() * m % 13))).collect();
    std::fs::write(&recording, lines).unwrap();
    let replay = |zone: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_larum"))
            .args(["--dir", ROOT, "replay", "--format", "jsonl"])
            .arg(&recording)
            .env("TZ", zone)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let log = replay("UTC");
    assert!(log.iter().filter(|byte| **byte == b'\n').count() > 20, "{}", String::from_utf8_lossy(&log));
    for zone in ["Asia/Shanghai", "America/St_Johns", "UTC"] {
        assert!(replay(zone) == log, "the notification log differs in {zone}");
    }
}
