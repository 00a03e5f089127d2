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
    assert!(text.contains("1 snapshot was passed over"), "{text}");
    assert!(text.contains("\nRULE             RAISED  RECOVERED  CLOSED  NOTIFICATIONS  TRUE  FALSE  NO DATA  FAILED\nhigh_error_rate  "), "{text}");
}

#[test]
fn an_empty_recording_and_a_missing_one_are_failures() {
    let folder = project();
    write(folder.path(), "empty.jsonl", "\n");
    let (code, _, errors) = run(larum(folder.path()).args(["replay", "empty.jsonl"]));
    assert_eq!(code, 1);
    assert!(errors.starts_with("error: `empty.jsonl` is empty: there is nothing to replay\nhint: "), "{errors}");
    let (code, _, errors) = run(larum(folder.path()).args(["replay", "none.jsonl"]));
    assert_eq!(code, 1);
    assert!(errors.starts_with("error: cannot read `none.jsonl`: "), "{errors}");
    write(folder.path(), "other.jsonl", "not\na recording\n");
    let (code, out, errors) = run(larum(folder.path()).args(["replay", "other.jsonl"]));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(errors.contains("error: no line of `other.jsonl` is a snapshot\nhint: a recording has"), "{errors}");
}

#[test]
fn a_replay_is_one_document_too_and_begins_where_it_is_asked_to() {
    let folder = project();
    write(folder.path(), "day.jsonl", &recording());
    let replay = |args: &[&str]| run(larum(folder.path()).arg("replay").args(args));
    let (code, out, _) = replay(&["day.jsonl", "--format", "json", "--from", "30m"]);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(document["summary"]["judged_from"], "2026-11-21T10:29:50Z");
    let events = document["events"].as_array().unwrap();
    let already = events.iter().filter(|event| event["already"] == true).count();
    assert_eq!(document["summary"]["rules"]["high_error_rate"]["already"], already);
    assert!(already > 0 && already < events.len(), "{already} of {}", events.len());
    let (code, out, _) = replay(&["day.jsonl", "--from", "2026-11-21 18:30", "--quiet"]);
    assert_eq!(code, 0);
    assert!(out.contains("judged from 2026-11-21 18:30:00, after "), "{out}");
    let (code, out, _) = replay(&["day.jsonl", "--from", "18:30", "--quiet"]);
    assert!(code == 0 && out.contains("judged from 2026-11-21 18:30:00, after "), "{out}");
    let (code, out, errors) = replay(&["--from", "18:30"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(errors.starts_with("error: no history is stored in `./data`\nhint: `larum run`"), "{errors}");
    let (code, _, errors) = run(larum(folder.path()).args(["replay", "-", "--from", "30m"]).write_stdin(""));
    assert_eq!(code, 2);
    assert!(errors.contains("which a pipe does not tell before it ends"), "{errors}");
}

#[test]
fn an_edit_is_compared_with_a_folder_and_with_a_commit() {
    let folder = project();
    write(folder.path(), "day.jsonl", &recording());
    write(folder.path(), "old/rules/service.rhai", RULES);
    write(folder.path(), "old/channels/console.yaml", "type: console\n");
    write(folder.path(), "old/channels/hook.yaml", "type: webhook\nurl: https://hook.example/in\n");
    write(folder.path(), "old/larum.yaml", "time_zone: Asia/Shanghai\nroutes: [{ to: [console, hook] }]\n");
    let replay = |args: &[&str]| run(larum(folder.path()).args(["replay", "day.jsonl"]).args(args));
    let same = ["--against", "old", "--exit-code"];
    let (code, out, errors) = replay(&same);
    assert_eq!(code, 0, "{errors}");
    assert!(out.starts_with("This edit changes nothing: "), "{out}");
    write(folder.path(), "rules/service.rhai", &RULES.replace("error_rate > 0.1", "error_rate > 0.5"));
    let (code, out, _) = replay(&same);
    assert_eq!(code, 1);
    assert!(out.starts_with("This edit: ") && out.contains("\nhigh_error_rate: "), "{out}");
    let (code, out, _) = replay(&["--against", "old", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert!(document["summary"]["lost"].as_u64().unwrap() > 0, "{out}");
    assert!(document["differences"].as_array().unwrap().iter().all(|one| one["rule"] == "high_error_rate"));
    for more in [&[][..], &["--exit-code"], &["--format", "json"]] {
        let outside = ["--against", "old", "--from", "2026-11-22"];
        let (code, out, errors) = replay(&[&outside, more].concat());
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(errors.contains("nothing was judged on either side, so nothing could be compared"), "{errors}");
    }
    write(folder.path(), "empty.jsonl", "");
    let (code, _, errors) = run(larum(folder.path()).args(["replay", "empty.jsonl", "--against", "old"]));
    assert!(code == 1 && errors.contains("`empty.jsonl` is empty"), "{errors}");
    for (folder, is) in [("rules", "has neither larum.yaml nor rules/ nor channels/"), ("none", "is no folder")] {
        let (code, out, errors) = replay(&["--against", folder]);
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(errors.starts_with(&format!("error: `{folder}` {is}")) && errors.contains("git:HEAD"), "{errors}");
    }
    let (code, _, errors) = replay(&["--against", "git:HEAD"]);
    assert_eq!(code, 1);
    assert!(errors.contains("is not in a git repository"), "{errors}");
    write(folder.path(), "old/rules/broken.rhai", "rule(\"x\");");
    let (code, _, errors) = replay(&["--against", "old"]);
    assert_eq!(code, 3);
    assert!(errors.contains("the old side (`old`) cannot be replayed"), "{errors}");
}

#[test]
fn what_own_collectors_see_is_recorded_and_replayed() {
    let folder = project();
    write(folder.path(), "larum.yaml", "listen: 127.0.0.1:1\ncollectors: [{ type: host, every: 100ms }]\n");
    let (code, out, errors) = run(larum(folder.path()).args(["record", "host.jsonl", "--for", "700ms"]));
    assert_eq!((code, out.as_str()), (0, ""), "{errors}");
    assert!(errors.starts_with("recording with own collectors (host)"), "{errors}");
    assert!(errors.contains("host.jsonl: ") && errors.contains("collector "), "{errors}");
    let text = fs::read_to_string(folder.path().join("host.jsonl")).unwrap();
    assert!(text.ends_with("}\n") && text.lines().all(|line| line.contains("\"source\":\"host\"")), "{text}");
    let (code, out, _) = run(larum(folder.path()).args(["replay", "host.jsonl", "-q"]));
    assert_eq!(code, 0);
    assert!(out.contains(&format!("{} snapshots", text.lines().count())), "{out}");
    let (code, _, errors) = run(larum(folder.path()).args(["record", "host.jsonl", "--for", "1s"]));
    assert_eq!(code, 2);
    assert!(errors.contains("is there already"), "{errors}");
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
fn a_channel_whose_secret_is_not_at_hand_keeps_its_kind_and_its_limit() {
    let folder = project();
    write(folder.path(), "channels/hook.yaml", "type: wecom\nwebhook: ${env:LARUM_NEVER_SET}\nlimit: 1/1m\n");
    write(
        folder.path(),
        "rules/service.test.rhai",
        r#"test("one a minute", |t| {
            for n in 0..5 { t.subject("service", `s-${n}`).set(#{ error_rate: 0.3 }); }
            t.advance("20s");
            t.expect_sent("console", 5);
            t.expect_sent("hook", 1);
            t.expect_notification("hook", #{ summary: #{ alerts: 5 }, request: #{ transport: "http" } });
        });"#,
    );
    let (code, out, errors) = run(larum(folder.path()).arg("test"));
    assert_eq!(code, 0, "{out}{errors}");
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
    let (code, out, _) = test(&["more", "rules", "--format", "junit", "--jobs", "2"]);
    assert_eq!(code, 4);
    assert!(out.contains("<testsuites name=\"larum test\" tests=\"2\" failures=\"1\" errors=\"0\""), "{out}");
    let (code, out, _) = test(&["more", "rules", "--junit", "results.xml"]);
    assert!(code == 4 && out.ends_with("1 passed, 1 failed\n"), "{out}");
    let results = fs::read_to_string(folder.path().join("results.xml")).unwrap();
    assert!(results.contains("<testcase classname=\"rules.service\" name=\"it fires\""), "{results}");
    let (code, _, errors) = test(&["--junit", "no/such/results.xml"]);
    assert!(code == 1 && errors.contains("error: cannot write `no/such/results.xml`: "), "{errors}");
    assert_eq!(test(&["--jobs", "0"]).0, 2);
    assert_eq!(test(&["--filter", "fires"]).0, 0);
    assert_eq!(test(&["--filter", "no such"]).0, 4);
    assert_eq!(test(&["none.test.rhai"]).0, 2);

    write(folder.path(), "rules/broken.rhai", "rule(\"broken\", #{ on: \"service\" });\n");
    let (code, _, errors) = test(&[]);
    assert_eq!(code, 3);
    assert!(errors.contains("rules/broken.rhai"), "{errors}");
}
