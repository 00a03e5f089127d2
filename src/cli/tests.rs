use std::fs;
use std::path::Path;

use clap::CommandFactory as _;

use super::*;

/// Runs a command line; gives its exit code, standard output and standard error.
fn larum(args: &[&str]) -> (ExitCode, String, String) {
    let (mut ui, captured) = Ui::captured();
    let code = run(["larum"].iter().chain(args).map(OsString::from), &mut ui);
    (code, captured.out(), captured.err())
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_mistake_on_the_command_line_is_usage_and_help_is_data() {
    let (code, out, err) = larum(&["chekc"]);
    assert_eq!((code, out.as_str()), (ExitCode::from(2), ""));
    assert!(err.contains("unrecognized subcommand 'chekc'") && err.contains("check"), "{err}");
    let (code, out, err) = larum(&["--help"]);
    assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""));
    assert!(out.contains("Exit codes: 0 ok") && out.contains("check"), "{out}");
}

#[test]
fn check_of_an_empty_folder_finds_nothing_wrong() {
    let folder = folder(&[]);
    let (code, out, err) = larum(&["check", "--dir", path(folder.path())]);
    assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""));
    insta::assert_snapshot!(out, @"checked 0 rule files and 1 channel: no problems");
}

const BROKEN: &[(&str, &str)] = &[
    (
        "larum.yaml",
        "time_zone: Asia/Shanghay\nrouts: []\nparams: { key: '${env:LARUM_TEST_NEVER_SET}' }\ncollectors:\n  - { type: http, name: shop, url: shop.example }\n",
    ),
    ("channels/console.yaml", "type: console\n"),
];

#[test]
fn check_tells_all_problems_at_once_with_their_lines() {
    let folder = folder(BROKEN);
    let (code, out, err) = larum(&["check", "--dir", path(folder.path())]);
    assert_eq!((code, err.as_str()), (ExitCode::from(3), ""));
    insta::assert_snapshot!(out, @r"
    error: the time zone `Asia/Shanghay` is not known
     --> larum.yaml:1:12
      |
    1 | time_zone: Asia/Shanghay
      |            ^^^^^^^^^^^^^
      |
      = help: did you mean `Asia/Shanghai`?

    error: unknown key `routs`
     --> larum.yaml:2:1
      |
    2 | routs: []
      | ^^^^^
      |
      = help: did you mean `routes`?

    error: the environment variable `LARUM_TEST_NEVER_SET` is not set
     --> larum.yaml:3:17
      |
    3 | params: { key: '${env:LARUM_TEST_NEVER_SET}' }
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: set it where `larum` is started: `export LARUM_TEST_NEVER_SET=..`

    error: this is no URL: relative URL without a base
     --> larum.yaml:5:36
      |
    5 |   - { type: http, name: shop, url: shop.example }
      |                                    ^^^^^^^^^^^^
      |
      = help: write the whole URL: `https://shop.example/health`

    4 errors
    ");
}

#[test]
fn check_names_channels_that_do_not_exist() {
    let folder = folder(&[("larum.yaml", "routes:\n  - to: [consol]\n"), ("channels/console.yaml", "type: console\n")]);
    let (code, out, _) = larum(&["check", "--dir", path(folder.path())]);
    assert_eq!(code, ExitCode::from(3));
    insta::assert_snapshot!(out, @r"
    error: there is no channel `consol`
     --> larum.yaml:2:10
      |
    2 |   - to: [consol]
      |          ^^^^^^
      |
      = help: did you mean `console`?

    1 error
    ");
}

#[test]
fn check_writes_json_for_programs() {
    let folder = folder(BROKEN);
    let (code, out, _) = larum(&["check", "--format", "json", "--dir", path(folder.path())]);
    assert_eq!(code, ExitCode::from(3));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["errors"], 4);
    assert_eq!(report["problems"][0]["file"], "larum.yaml");
    assert_eq!(report["problems"][0]["line"], 1);
    assert_eq!(report["problems"][0]["severity"], "error");
}

#[test]
fn a_folder_that_does_not_exist_is_a_problem_that_says_what_to_do() {
    let folder = folder(&[]);
    let (code, out, _) = larum(&["check", "--dir", path(&folder.path().join("none"))]);
    assert_eq!(code, ExitCode::from(3));
    assert!(out.contains("there is no such folder") && out.contains("larum init DIR"), "{out}");
}

#[test]
fn init_makes_a_folder_that_check_accepts() {
    let parent = folder(&[]);
    let dir = parent.path().join("alerts");
    let (code, out, err) = larum(&["init", path(&dir)]);
    assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""));
    assert!(out.contains("rules/host.rhai") && out.contains("larum test --dir"), "{out}");
    let (code, out, _) = larum(&["check", "--dir", path(&dir)]);
    assert_eq!(code, ExitCode::SUCCESS, "{out}");
    assert!(dir.join("rules/host.test.rhai").exists() && dir.join("channels/console.yaml").exists());
}

#[test]
fn init_overwrites_nothing_and_writes_nothing_where_it_would() {
    let folder = folder(&[("rules/host.rhai", "// mine")]);
    let (code, out, err) = larum(&["init", path(folder.path())]);
    assert_eq!((code, out.as_str()), (ExitCode::from(1), ""));
    assert!(err.contains("`rules/host.rhai` is there already"), "{err}");
    assert_eq!(fs::read_to_string(folder.path().join("rules/host.rhai")).unwrap(), "// mine");
    assert!(!folder.path().join("larum.yaml").exists());
}
