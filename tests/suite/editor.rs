//! What editors use: the checked-in definitions, and checking a buffer that is not saved.

use std::fs;
use std::path::Path;

use assert_cmd::Command;

fn larum() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larum"));
    command.env_remove("LARUM_URL");
    command
}

#[test]
fn the_checked_in_reference_and_definitions_are_what_is_registered() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let written = tempfile::tempdir().unwrap();
    larum().arg("definitions").arg("--output").arg(written.path()).assert().success();
    let text = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    for name in ["reference.md", "definitions/rules.d.rhai", "definitions/tests.d.rhai"] {
        assert!(
            text(&docs, name) == text(written.path(), name),
            "docs/{name} is not of today: write it anew with `cargo run -- definitions --output docs`"
        );
    }
    assert_eq!(larum().arg("definitions").output().unwrap().stdout, text(&docs, "reference.md").into_bytes());
}

/// Runs `check --format short --stdin-file` in a folder.
fn check(folder: &Path, file: &str, text: &str) -> (i32, String, String) {
    let output = larum()
        .current_dir(folder)
        .args(["check", "--format", "short", "--stdin-file", file])
        .write_stdin(text)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_buffer_is_checked_in_place_of_its_file_before_it_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("rules")).unwrap();
    let rule = "rule(\"a\", #{ on: \"host\", when: |h| h.cpu_percent > 80 });\n";
    fs::write(folder.path().join("rules/host.rhai"), rule).unwrap();
    let check = |file: &str, text: &str| check(folder.path(), file, text);
    let quiet = (0, String::new(), String::new());
    assert_eq!(check("rules/host.rhai", rule), quiet);
    let cases = [
        ("rules/host.rhai", "rule(\"a\", #{ onn: \"host\" });", "rules/host.rhai:1:14: error: unknown key `onn`"),
        (
            "rules/new.rhai",
            rule,
            "rules/new.rhai:1:6: error: the rule `a` is defined twice: here and at rules/host.rhai:1",
        ),
        ("rules/host.test.rhai", "tst(1);", "rules/host.test.rhai:1:1: error: unknown function `tst`"),
        ("channels/ops.yaml", "type: webhok", "channels/ops.yaml:1:7: error: `webhok` is no kind of channel"),
        ("larum.yaml", "routs: []", "larum.yaml:1:1: error: unknown key `routs`"),
    ];
    for (file, text, expected) in cases {
        for path in [file.to_string(), folder.path().join(file).to_str().unwrap().to_string()] {
            let (code, out, err) = check(&path, text);
            assert_eq!((code, err.as_str()), (3, ""), "{out}");
            assert!(out.lines().any(|line| line.starts_with(expected)), "{path}: {out}");
        }
    }
    assert_eq!(fs::read_dir(folder.path().join("rules")).unwrap().count(), 1, "nothing is written");
    let (code, out, err) = check("README.md", "# Larum");
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("`README.md` is no file that this folder is read from"), "{err}");
}

#[test]
fn the_problem_matcher_of_the_guide_reads_what_check_writes() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/editors.md")).unwrap();
    let tasks = guide.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let tasks: serde_json::Value = serde_json::from_str(tasks).unwrap();
    let task = &tasks["tasks"][0];
    let arguments: Vec<&str> = task["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("larum.yaml"), "locale: en\nrouts: []\n").unwrap();
    let output = larum().current_dir(folder.path()).args(arguments).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    let pattern = &task["problemMatcher"]["pattern"];
    let found = regex::Regex::new(pattern["regexp"].as_str().unwrap()).unwrap().captures(line.trim_end()).unwrap();
    let part = |name: &str| &found[pattern[name].as_u64().unwrap() as usize];
    assert_eq!(["file", "line", "column", "severity"].map(part), ["larum.yaml", "2", "1", "error"]);
    assert_eq!(part("message"), "unknown key `routs` (did you mean `routes`?)");
}
