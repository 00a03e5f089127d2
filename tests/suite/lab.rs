//! `larum test` and `larum replay` as people run them.

use std::fs;
use std::path::Path;

use assert_cmd::Command;

const RULES: &str = r#"
rule("high_error_rate", #{
    on: "service",
    when: |s| s.error_rate > 0.1,
    hold: "20s",
    level: |s| if s.error_rate > 0.5 { "critical" } else { "warning" },
    message: |s| `${s.name}: ${percent(s.error_rate)} of calls fail at ${hour()}`,
});
"#;

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "larum.yaml", "time_zone: Asia/Shanghai\n");
    write(folder.path(), "rules/service.rhai", RULES);
    write(folder.path(), "channels/console.yaml", "type: console\n");
    write(folder.path(), "channels/hook.yaml", "type: webhook\nurl: https://hook.example/in\n");
    write(folder.path(), "larum.yaml", "time_zone: Asia/Shanghai\nroutes: [{ to: [console, hook] }]\n");
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn larum(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larum"));
    command.env_remove("NO_COLOR").current_dir(folder);
    command
}

/// Exit code, standard output and standard error.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Three services over an hour, with a broken line, a late one, and a subject that goes and comes back.
fn recording() -> String {
    let mut lines = Vec::new();
    for step in 0..360 {
        let (minute, second) = (step / 6, step % 6 * 10);
        for (index, name) in ["shop-api", "pay-api", "search"].into_iter().enumerate() {
            let rate = [0.02, 0.3, 0.7][(step / 17 + index * 5) % 3];
            lines.push(format!(
                "{{\"time\":\"2026-11-21T10:{minute:02}:{second:02}Z\",\"kind\":\"service\",\"name\":\"{name}\",\
                 \"labels\":{{\"region\":\"eu\"}},\"fields\":{{\"error_rate\":{rate}}}}}"
            ));
        }
    }
    lines[100] = "{\"kind\":\"service\"".to_string();
    lines.insert(200, lines[20].clone());
    lines.insert(598, r#"{"time":"2026-11-21T10:33:05Z","kind":"service","name":"pay-api","gone":true}"#.to_string());
    lines.join("\n") + "\n"
}

#[test]
fn a_replay_gives_the_same_bytes_in_every_process_and_time_zone() {
    let folder = project();
    write(folder.path(), "day.jsonl", &recording());
    let replay =
        |zone: &str| run(larum(folder.path()).env("TZ", zone).args(["replay", "--format", "jsonl", "day.jsonl"]));
    let (code, log, errors) = replay("UTC");
    assert_eq!(code, 0, "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("day.jsonl:101: "), "{errors}");
    for zone in ["America/New_York", "Asia/Kolkata"] {
        assert_eq!(replay(zone).1, log, "{zone}");
    }
    let entries: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(entries.len() > 20, "{}", entries.len());
    for entry in &entries {
        assert!(entry["id"].is_string() && entry["title"].is_string() && entry["alerts"][0]["since"].is_string());
    }
    let first = &entries[0];
    assert_eq!(first["alerts"][0]["message"], "pay-api: 70% of calls fail at 18", "the zone is the project's");
    let n_hook = entries.iter().filter(|entry| entry["channel"] == "hook").count();
    assert_eq!(n_hook * 2, entries.len(), "both channels were told the same");
}

#[test]
fn a_replay_tells_a_time_line_and_totals() {
    let folder = project();
    write(folder.path(), "day.jsonl", &recording());
    let (code, text, _) = run(larum(folder.path()).args(["replay", "day.jsonl"]));
    assert_eq!(code, 0);
    assert!(text.contains("raised     critical high_error_rate service pay-api: "), "{text}");
    assert!(text.contains("closed     (gone) "), "{text}");
    assert!(text.contains("1 of 1082 lines could not be used"), "{text}");
    assert!(text.contains("1 snapshots were passed over"), "{text}");
    assert!(text.contains("\nRULE             RAISED  RECOVERED  CLOSED  NOTIFICATIONS\nhigh_error_rate  "), "{text}");
}

#[test]
fn an_empty_recording_is_said_to_be_empty_and_a_missing_one_is_a_failure() {
    let folder = project();
    write(folder.path(), "empty.jsonl", "\n");
    let (code, _, errors) = run(larum(folder.path()).args(["replay", "empty.jsonl"]));
    assert_eq!((code, errors.as_str()), (0, "empty.jsonl: the recording has no snapshot that can be used\n"));
    let (code, _, errors) = run(larum(folder.path()).args(["replay", "none.jsonl"]));
    assert_eq!(code, 1);
    assert!(errors.starts_with("error: cannot read `none.jsonl`: "), "{errors}");
    write(folder.path(), "other.jsonl", "not\na recording\n");
    let (code, out, errors) = run(larum(folder.path()).args(["replay", "other.jsonl"]));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(errors.contains("error: no line of `other.jsonl` is a snapshot\nhint: a recording has"), "{errors}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_recording() {
    let folder = project();
    write(folder.path(), "day.jsonl", &format!("\u{feff}{}", recording()));
    let (code, text, _) = run(larum(folder.path()).args(["replay", "day.jsonl"]));
    assert_eq!(code, 0);
    assert!(text.contains("1 of 1082 lines could not be used"), "{text}");
}

#[test]
fn a_rule_file_stands_for_the_tests_beside_it() {
    let folder = project();
    write(folder.path(), "rules/service.test.rhai", "test(\"two is two\", |t| t.expect(2 == 2, \"no\"));\n");
    let (code, out, errors) = run(larum(folder.path()).args(["test", "rules/service.rhai"]));
    assert_eq!(code, 0, "{out}{errors}");
    assert!(out.contains("rules/service.test.rhai\n  ok    two is two\n"), "{out}");
}

#[test]
fn tests_pass_fail_or_test_nothing_and_the_exit_code_says_which() {
    let folder = project();
    let test = |args: &[&str]| run(larum(folder.path()).arg("test").args(args));
    let (code, out, errors) = test(&[]);
    assert_eq!((code, out.as_str()), (4, "0 passed, 0 failed\n"));
    assert!(errors.contains("nothing was tested"), "{errors}");

    write(
        folder.path(),
        "rules/service.test.rhai",
        r#"test("it fires", |t| {
            let api = t.subject("service", "api");
            api.set(#{ error_rate: 0.3 });
            t.advance("20s");
            t.expect_firing("high_error_rate", "api", "warning");
            let request = t.sent("hook")[0].request;
            t.expect(request.url == "[secret: url]" || request.url.contains("hook.example"), `${request}`);
        });"#,
    );
    let (code, out, errors) = test(&[]);
    assert_eq!(
        (code, out.as_str()),
        (0, "rules/service.test.rhai\n  ok    it fires\n1 passed, 0 failed\n"),
        "{errors}"
    );

    write(folder.path(), "more/other.test.rhai", "test(\"it is quiet\", |t| { t.expect_sent(\"console\", 1); });\n");
    let (code, out, _) = test(&["more", "rules"]);
    assert_eq!(code, 4);
    assert!(out.ends_with("1 passed, 1 failed\n"), "{out}");
    assert!(out.contains("expected 1 notification to `console` since the start"), "{out}");
    let (code, out, _) = test(&["more", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["failed"]), (4, &serde_json::json!(1)));
    assert_eq!(report["files"][0]["tests"][0]["failure"]["line"], 1);
    assert_eq!(test(&["--filter", "fires"]).0, 0);
    assert_eq!(test(&["--filter", "no such"]).0, 4);
    assert_eq!(test(&["none.test.rhai"]).0, 2);

    write(folder.path(), "rules/broken.rhai", "rule(\"broken\", #{ on: \"service\" });\n");
    let (code, _, errors) = test(&[]);
    assert_eq!(code, 3);
    assert!(errors.contains("rules/broken.rhai"), "{errors}");
}
