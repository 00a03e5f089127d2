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

/// A folder with these files.
pub(super) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
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
    ("channels/ops.yaml", "type: webhok\n"),
    ("rules/host.rhai", "rule(\"a\", #{\n    on: \"host\",\n    whn: |s| s.cpu_percent > 80,\n});\n"),
    ("rules/syntax.rhai", "rule(\"b\", #{\n"),
];

#[test]
fn check_tells_all_problems_at_once_with_their_lines() {
    let folder = folder(BROKEN);
    let (code, out, err) = larum(&["check", "--dir", path(folder.path())]);
    assert_eq!((code, err.as_str()), (ExitCode::from(3), ""));
    insta::assert_snapshot!(out, @r##"
    error: `webhok` is no kind of channel
     --> channels/ops.yaml:1:7
      |
    1 | type: webhok
      |       ^^^^^^
      |
      = help: did you mean `webhook`?

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

    error: unknown key `whn`
     --> rules/host.rhai:3:5
      |
    3 |     whn: |s| s.cpu_percent > 80,
      |     ^^^
      |
      = help: did you mean `when`?

    error: expected `}` to end this object map literal
    --> rules/syntax.rhai:2:1

    7 errors
    "##);
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
    assert_eq!(report["errors"], 7);
    assert_eq!(report["problems"][1]["file"], "larum.yaml");
    assert_eq!(report["problems"][1]["line"], 1);
    assert_eq!(report["problems"][1]["severity"], "error");
}

#[test]
fn a_folder_that_does_not_exist_is_a_problem_that_says_what_to_do() {
    let folder = folder(&[]);
    let (code, out, _) = larum(&["check", "--dir", path(&folder.path().join("none"))]);
    assert_eq!(code, ExitCode::from(3));
    assert!(out.contains("there is no such folder") && out.contains("larum init DIR"), "{out}");
}

#[test]
fn run_does_not_watch_over_a_folder_that_is_not_there() {
    let folder = folder(&[("file", "")]);
    for name in ["none", "file"] {
        let (code, out, err) = larum(&["run", "--dir", path(&folder.path().join(name))]);
        assert_eq!((code, out.as_str()), (ExitCode::from(3), ""));
        assert!(err.contains("there is no folder `") && err.contains("larum init DIR"), "{err}");
    }
}

#[test]
fn init_makes_a_folder_in_which_everything_can_be_tried_at_once() {
    let parent = folder(&[]);
    let dir = parent.path().join("alerts");
    let (code, out, err) = larum(&["init", path(&dir)]);
    assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""));
    let (wrote, next) = out.split_once("\n\n").unwrap();
    assert!(wrote.lines().all(|line| Path::new(line.strip_prefix("wrote ").unwrap()).is_file()), "{wrote}");
    let next = next.replace(path(&dir), "alerts");
    insta::assert_snapshot!(next, @r"
    next:
      cd alerts
      larum test                                  # the rules' tests, on a virtual clock
      larum replay recordings/incident.jsonl      # who would have been told in that hour
      larum run                                   # watch this host; Ctrl-C ends it
    ");
    let (code, out, _) = larum(&["check", "--dir", path(&dir)]);
    assert_eq!(
        (code, out.as_str()),
        (ExitCode::SUCCESS, "checked larum.yaml, 2 rule files, 2 test files and 1 channel: no problems\n")
    );
    let (code, out, _) = larum(&["test", "--dir", path(&dir)]);
    assert_eq!(code, ExitCode::SUCCESS, "{out}");
    assert!(out.contains("5 passed, 0 failed"), "{out}");
    let (code, out, _) = larum(&["replay", "--dir", path(&dir), path(&dir.join("recordings/incident.jsonl"))]);
    assert_eq!(code, ExitCode::SUCCESS, "{out}");
    let told: Vec<&str> = out.lines().filter_map(|line| line.split_once("-> ")).map(|(_, told)| told).collect();
    assert_eq!(
        told,
        [
            "console: [error] high_error_rate shop-api",
            "console: [warning] cpu_high web-1",
            "console: [recovered] cpu_high web-1",
            "console: [recovered] high_error_rate shop-api",
        ]
    );
}

#[test]
fn init_touches_no_folder_that_is_not_empty() {
    let folder = folder(&[("notes.txt", "mine")]);
    let (code, out, err) = larum(&["init", path(folder.path())]);
    assert_eq!((code, out.as_str()), (ExitCode::from(1), ""));
    assert!(err.contains("is not empty (there is `notes.txt`)") && err.contains("hint: name a new folder"), "{err}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let (code, _, err) = larum(&["init", path(&folder.path().join("notes.txt"))]);
    assert_eq!(code, ExitCode::from(1));
    assert!(err.contains("cannot make a project of"), "{err}");
}

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, err) = larum(&["completions", shell]);
        assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""));
        assert!(out.contains("replay") && out.contains("stdin-file"), "{shell}: {out}");
    }
}

#[test]
fn every_command_has_a_man_page() {
    let folder = folder(&[]);
    let (code, out, _) = larum(&["man"]);
    assert_eq!(code, ExitCode::SUCCESS);
    assert!(out.contains(".TH larum 1") && out.contains("Exit codes"), "{out}");
    let (code, out, _) = larum(&["man", "--output", path(folder.path())]);
    assert_eq!(code, ExitCode::SUCCESS, "{out}");
    for name in ["larum.1", "larum-check.1", "larum-outbox-retry.1"] {
        assert!(fs::read_to_string(folder.path().join(name)).unwrap().contains(".SH DESCRIPTION"), "{name}");
    }
}

/// The long help of a command and of those below it.
fn helps(command: &mut clap::Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or("larum").to_string();
    let help = command.render_long_help().to_string();
    // Clap leaves spaces on empty lines.
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("==== {name}\n\n{}\n\n", help.join("\n")));
    for command in command.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        helps(command, text);
    }
}

/// Changed on purpose: look at it as a user would, then `INSTA_UPDATE=always cargo test --lib cli::tests::the_whole_help`.
#[test]
fn the_whole_help_reads_as_it_was_reviewed() {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut text = String::new();
    helps(&mut command, &mut text);
    insta::assert_snapshot!("help", text);
}

const WORKING: &[(&str, &str)] = &[
    ("larum.yaml", "params: { limit: 80, limt: 3 }\nroutes:\n  - { match: { level: '>=error' }, to: [console] }\n"),
    ("channels/console.yaml", "type: console\n"),
    (
        "rules/host.rhai",
        "let limit = param(\"limit\", 90);\nrule(\"cpu_high\", #{\n    on: \"host\",\n    when: #{ warning: |s| s.cpu_percent > limit, critical: |s| s.cpu_percent > 95 },\n    hold: #{ warning: \"5m\" },\n});\nrule(\"few_hosts\", #{ over: \"host\", by: [\"region\"], when: |set| set.len() < 2, level: \"error\" });\n",
    ),
];

#[test]
fn check_warns_of_alerts_that_nobody_gets_and_of_params_that_nobody_reads() {
    let folder = folder(WORKING);
    let (code, out, _) = larum(&["check", "--dir", path(folder.path())]);
    assert_eq!(code, ExitCode::SUCCESS, "{out}");
    insta::assert_snapshot!(out, @r##"
    warning: no rule reads the param `limt`
     --> larum.yaml:1:28
      |
    1 | params: { limit: 80, limt: 3 }
      |                            ^
      |
      = help: did you mean `limit`?

    warning: no route takes the alerts of rule `cpu_high` at level warning
     --> rules/host.rhai:2:1
      |
    2 | rule("cpu_high", #{
      | ^
      |
      = help: add a last route without `match`: `- to: [console]`

    2 warnings
    "##);
}

#[test]
fn a_token_has_a_name_that_larum_yaml_takes() {
    let (code, out, err) = larum(&["token", "new", "a b"]);
    assert_eq!((code, out.as_str()), (ExitCode::from(2), ""));
    assert!(err.contains("`a b` is no name of a token") && err.contains("64 letters"), "{err}");
}

#[test]
fn rules_list_tells_what_each_rule_judges() {
    let folder = folder(WORKING);
    let (code, out, err) = larum(&["rules", "list", "--dir", path(folder.path())]);
    assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""));
    insta::assert_snapshot!(out, @r##"
    NAME       PLACE              JUDGES          LEVELS             HOLD        EVERY  LOWERED
    cpu_high   rules/host.rhai:2  each host       critical, warning  warning 5m         yes
    few_hosts  rules/host.rhai:7  host by region  error              0s                 no: rules/host.rhai:7: it judges a set
    "##);
    let (_, out, _) = larum(&["rules", "list", "--format", "json", "--dir", path(folder.path())]);
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(list["rules"][0]["name"], "cpu_high");
    assert_eq!(list["rules"][0]["hold"]["by_level"]["warning"], "5m");
    assert_eq!(list["rules"][1]["by"][0], "region");
}

#[test]
fn channels_list_names_broken_files_too() {
    let folder = folder(BROKEN);
    let (code, out, err) = larum(&["channels", "list", "--dir", path(folder.path())]);
    assert_eq!(code, ExitCode::from(3));
    assert!(err.contains("`webhok` is no kind of channel") && err.contains("did you mean `webhook`?"), "{err}");
    insta::assert_snapshot!(out, @r##"
    NAME     KIND      FILE
    console  console   channels/console.yaml
    ops      (broken)  channels/ops.yaml
    "##);
}

#[test]
fn channels_test_sends_to_the_channel_that_is_named() {
    let files = [
        ("channels/console.yaml", "type: console\n"),
        ("channels/closed.yaml", "type: webhook\nurl: http://127.0.0.1:9/\n"),
        ("channels/broken.yaml", "type: webhook\n"),
    ];
    let folder = folder(&files);
    let dir = path(folder.path());
    rustls::crypto::ring::default_provider().install_default().ok();
    let (code, out, err) = larum(&["channels", "test", "console", "--dir", dir]);
    assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""));
    assert_eq!(out, "`console` took the sample notification\n");
    let (code, _, err) = larum(&["channels", "test", "closed", "--dir", dir]);
    assert_eq!(code, ExitCode::from(1));
    assert!(err.contains("`closed` did not take the sample notification"), "{err}");
    let (code, _, err) = larum(&["channels", "test", "broken", "--dir", dir]);
    assert_eq!(code, ExitCode::from(3));
    assert!(err.contains("channels/broken.yaml"), "{err}");
    let (code, _, err) = larum(&["channels", "test", "consol", "--dir", dir]);
    assert_eq!(code, ExitCode::from(1));
    assert!(err.contains("there is no channel `consol`") && err.contains("did you mean `console`?"), "{err}");
}
