use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::Ui;
use crate::cli::tests::folder;

/// Exit code and standard output of `check` with these arguments.
fn checked(folder: &Path, arguments: &[&str]) -> (ExitCode, String) {
    let (mut ui, captured) = Ui::captured();
    let command = ["larum", "check", "--dir", folder.to_str().unwrap()];
    let code = crate::cli::run(command.iter().chain(arguments).map(std::ffi::OsString::from), &mut ui);
    assert_eq!(captured.err(), "");
    (code, captured.out())
}

const BROKEN: &[(&str, &str)] = &[
    ("larum.yaml", "routs: []\n"),
    ("channels/console.yaml", "type: console\n"),
    ("rules/host.rhai", "rule(\"a\", #{\n    on: \"host\",\n    whn: |s| s.cpu_percent > 80,\n});\n"),
    ("rules/host.test.rhai", "test(\"a\", |t| {\n    t.advence(\"1m\");\n});\n"),
];

#[test]
fn json_has_the_whole_place_of_each_problem() {
    let folder = folder(BROKEN);
    let (code, out) = checked(folder.path(), &["--format", "json"]);
    assert_eq!(code, ExitCode::from(3));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["errors"], &report["warnings"]), (&json!(3), &json!(0)));
    let codes: Vec<&str> = (0..3).map(|index| report["problems"][index]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["settings", "rule", "test"]);
    assert_eq!(
        report["problems"][1],
        json!({
            "severity": "error",
            "code": "rule",
            "file": "rules/host.rhai",
            "path": folder.path().join("rules/host.rhai"),
            "line": 3,
            "column": 5,
            "end_line": 3,
            "end_column": 8,
            "message": "unknown key `whn`",
            "hint": "did you mean `when`?",
            "source_line": "    whn: |s| s.cpu_percent > 80,",
        })
    );
}

#[test]
fn short_is_one_line_for_each_problem_and_nothing_for_none() {
    let broken = folder(BROKEN);
    let (code, out) = checked(broken.path(), &["--format", "short"]);
    assert_eq!(code, ExitCode::from(3));
    let lines: Vec<&str> =
        out.lines().map(|line| line.strip_prefix(broken.path().to_str().unwrap()).unwrap()).collect();
    assert_eq!(
        lines,
        [
            "/larum.yaml:1:1: error: unknown key `routs` (did you mean `routes`?)",
            "/rules/host.rhai:3:5: error: unknown key `whn` (did you mean `when`?)",
            "/rules/host.test.rhai:2:7: error: unknown method `advence` (did you mean `advance`?)",
        ]
    );
    let sound = folder(&[]);
    assert_eq!(checked(sound.path(), &["--format", "short"]), (ExitCode::SUCCESS, String::new()));
}

#[test]
fn test_files_are_checked_and_counted() {
    let sound = folder(&[("rules/a.test.rhai", "test(\"a\", |t| { t.expect_quiet(); });")]);
    let (code, out) = checked(sound.path(), &[]);
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(out, "checked 0 rule files, 1 test file and 1 channel: no problems\n");
}
