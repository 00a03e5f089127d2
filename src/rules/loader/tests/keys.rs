//! Every key of `rule()`, both ways.

use super::*;
use crate::model::Level;
use crate::rules::rule::{Flap, NoDataPolicy};

/// A rule with more keys; the first of them stands at 4:5.
fn with(keys: &str) -> String {
    format!("rule(\"r\", #{{\n    on: \"host\",\n    when: |s| s.cpu > 1,\n    {keys}\n}});")
}

/// Checks what is wrong with the keys of a rule that is good but for them.
#[track_caller]
fn wrong(keys: &str, expected: &[&str]) {
    check(&with(keys), expected);
}

#[test]
fn a_rule_that_says_no_more_than_it_must_has_the_defaults() {
    let rule = rule("rule(\"r\", #{ on: \"host\", when: |s| s.cpu > 1 });");
    assert_eq!(rule.scope, Scope::On { kind: "host".into() });
    assert_eq!((rule.file.as_ref(), rule.line), ("rules/a.rhai", 1));
    assert!(rule.levels.is_empty() && rule.labels.is_empty() && rule.notify.is_none() && rule.runbook.is_none());
    assert_eq!((rule.hold.default, rule.keep.default), (Duration::ZERO, Duration::ZERO));
    assert_eq!((rule.cooldown.as_secs(), rule.every.as_secs()), (300, 10));
    assert_eq!(rule.repeat, Repeat::Every(Duration::from_secs(14_400)));
    assert_eq!(rule.no_data, NoDataPolicy::Keep);
    assert_eq!(rule.flap, Some(Flap { changes: 6, within: Duration::from_secs(1800) }));
    assert!(!rule.judges_time);
}

#[test]
fn every_key_is_taken_as_it_is_written() {
    let text = "rule(\"r\", #{
        over: \"disk\", by: [\"region\", \"kind\"],
        where: |s| s.labels.env == \"prod\",
        when: #{ warning: |g| g.avg(\"used\") > 80, critical: |g| g.avg(\"used\") > 95 },
        clear: #{ critical: |g| g.avg(\"used\") < 90 },
        hold: #{ warning: \"5m\", critical: \"30s\" }, keep: \"1m\",
        cooldown: \"10m\", repeat: \"never\", message: |g| `full`, labels: #{ team: \"web\", tier: 1 },
        runbook: \"https://x\", no_data: \"fire\", every: \"1m\", notify: [\"ops\"], flap: #{ changes: 3, within: \"1h\" },
    });";
    let rule = rule(text);
    assert_eq!(rule.scope, Scope::Over { kind: "disk".into(), by: vec!["region".into(), "kind".into()] });
    assert_eq!(rule.levels, [Level::Critical, Level::Warning]);
    assert_eq!(rule.program.clear.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    assert_eq!(rule.hold.of(Level::Warning).as_secs(), 300);
    assert_eq!(rule.hold.of(Level::Critical).as_secs(), 30);
    assert_eq!(rule.keep.of(Level::Critical).as_secs(), 60);
    assert_eq!((rule.cooldown.as_secs(), rule.repeat, rule.every.as_secs()), (600, Repeat::Never, 60));
    assert_eq!(rule.labels.get("tier").map(|text| &**text), Some("1"));
    assert_eq!(rule.runbook.as_deref(), Some("https://x"));
    assert_eq!(rule.no_data, NoDataPolicy::Fire);
    assert_eq!(rule.notify, Some(vec!["ops".into()]));
    assert_eq!(rule.flap, Some(Flap { changes: 3, within: Duration::from_secs(3600) }));
}

#[test]
fn an_unknown_key_is_shown_where_it_stands() {
    wrong("whn: |s| s.a > 1", &["4:5: error: unknown key `whn` (did you mean `when`?)"]);
    wrong("for: \"5m\"", &["4:5: error: `for` is a word of the language and cannot be a key (the key is `hold`)"]);
    wrong("\"for\": \"5m\"", &["4:5: error: unknown key `for` (the key is `hold`)"]);
    wrong("severity: \"error\"", &["4:5: error: unknown key `severity` (the key is `level`)"]);
    wrong("banana: 1", &["4:5: error: unknown key `banana`"]);
    let text = "let m = #{\n on: \"a\",\n wen: |s| s.x > 1 };\nrule(\"m\", m);";
    check(text, &["3:2: error: unknown key `wen` (did you mean `when`?)"]);
    // A key that is misspelt is not also missing.
    check("rule(\"r\", #{ on: \"a\", whn: |s| s.a > 1 });", &["1:23: error: unknown key `whn` (did you mean `when`?)"]);
    check(
        "rule(\"r\", #{ on: \"a\", when: #{ warn: |s| s.a > 1 } });",
        &[
            "1:32: error: `warn` is not a level: the levels are info, warning, error and critical (did you mean `warning`?)",
        ],
    );
}

#[test]
fn a_wrong_type_is_shown_at_the_value() {
    wrong("hold: 30", &["4:11: error: `hold` must be a duration, not a number (write `\"30s\"` for seconds)"]);
    wrong("message: 5", &["4:14: error: `message` must be text or a closure: `|s| ..`, not a number"]);
    wrong("labels: #{ a: [1] }", &["4:19: error: the label `a` must be text, not an array"]);
    wrong("labels: [1]", &["4:13: error: `labels` must be a map, as in `#{ team: \"web\" }`, not an array"]);
    wrong("runbook: 5", &["4:14: error: `runbook` must be text, not a number"]);
    wrong(
        "notify: \"ops\"",
        &["4:13: error: `notify` must be an array of channels, not text (write `notify: [\"ops\"]`)"],
    );
    wrong("notify: []", &["4:13: error: `notify` names no channel (leave it out, and the routes decide)"]);
    wrong("flap: 5", &["4:11: error: `flap` must be `#{ changes: 6, within: \"30m\" }`, or `()`, not a number"]);
    wrong("where: \"x\"", &["4:12: error: `where` must be a closure: `|s| ..`, not text"]);
    wrong(
        "clear: true",
        &["4:12: error: `clear` must be a closure, as in `|s| s.cpu_percent < 60`, or a map by level, not a bool"],
    );
    wrong(
        "keep: |s| true",
        &["4:11: error: `keep` must be a duration, not a closure (write it as text: `\"30s\"`, `\"5m\"`)"],
    );
    wrong(
        "flap: #{ changes: 0, withn: \"1m\" }",
        &[
            "4:23: error: `changes` must be a whole number from 1",
            "4:26: error: unknown key `withn` in `flap` (did you mean `within`?)",
        ],
    );
    check("rule(5, #{ on: \"a\", when: |s| s.a > 1 });", &["1:6: error: a rule's name must be text, not a number"]);
    check("rule(\"\", #{ on: \"a\", when: |s| s.a > 1 });", &["1:6: error: a rule's name cannot be empty"]);
    check(
        "rule(\"r\", 5);",
        &[
            "1:1: error: `rule` takes a name and a map of options, not a number (write `rule(\"name\", #{ on: .., when: .. })`)",
        ],
    );
}

#[test]
fn a_word_that_is_none_of_a_keys_words_has_a_hint() {
    wrong(
        "no_data: \"keeep\"",
        &["4:14: error: `no_data` must be one of `\"keep\"`, `\"fire\"`, `\"close\"` (did you mean `keep`?)"],
    );
    wrong(
        "level: \"warn\"",
        &[
            "4:12: error: `warn` is not a level: the levels are info, warning, error and critical (did you mean `warning`?)",
        ],
    );
}

#[test]
fn impossible_durations_are_refused() {
    wrong("every: \"0s\"", &["4:12: error: `every` must be at least `100ms`"]);
    wrong(
        "repeat: \"1m\"",
        &["4:13: error: `repeat` cannot be under the cooldown, which is `5m` (make `cooldown` shorter too)"],
    );
    wrong("repeat: \"1m\", cooldown: \"1m\"", &[]);
    wrong("hold: \"30\"", &["4:11: error: `30` has no unit: write `30s` for seconds, `30m` for minutes"]);
    wrong("flap: #{ within: \"0s\" }", &["4:22: error: `within` cannot be zero"]);
}

#[test]
fn a_cooldown_over_the_default_repeat_takes_the_repeat_along() {
    let rule = rule(&with("cooldown: \"12h\""));
    assert_eq!(rule.repeat, Repeat::Every(Duration::from_secs(12 * 3600)));
}

#[test]
fn keys_that_exclude_each_other_are_named() {
    wrong(
        "over: \"x\"",
        &["4:5: error: `on` and `over` cannot stand together (`on` judges each subject, `over` the set of them)"],
    );
    wrong("by: [\"a\"]", &["4:9: error: `by` groups a set: it needs `over`"]);
    check(
        "rule(\"r\", #{ when: |s| s.a > 1 });",
        &[
            "1:1: error: a rule needs `on` or `over` (`on: \"host\"` judges each subject of a kind, `over: \"host\"` the set of them)",
        ],
    );
}

#[test]
fn levels_of_other_keys_are_levels_of_when() {
    wrong("clear: #{ warning: |s| s.a < 1 }", &["4:12: error: `clear` by level needs `when` by level"]);
    wrong("hold: #{ warning: \"5m\" }", &["4:11: error: `hold` by level needs `when` by level"]);
    let text = "rule(\"r\", #{
    on: \"a\",
    when: #{ warning: |s| s.a > 1, crit: |s| s.b > 1 },
    clear: #{ error: |s| s.a < 1 },
    hold: #{ warning: \"x\", info: \"5m\" },
    level: \"info\" });";
    check(
        text,
        &[
            "3:36: error: `crit` is not a level: the levels are info, warning, error and critical (did you mean `critical`?)",
            "4:15: error: `clear` has the level `error`, and `when` has not",
            "5:23: error: `x` is not a duration: write it like `250ms`, `30s`, `5m`, `1h30m` or `7d`",
            "5:28: error: `hold` has the level `info`, and `when` has not",
            "6:12: error: `level` cannot stand beside a `when` by level (the highest level that is on counts)",
        ],
    );
}

#[test]
fn a_closure_takes_one_argument() {
    let hint = "(write `|s| ..`: the subject, or with `over` the set)";
    wrong("level: |s, t| s.a", &[&format!("4:12: error: the closure of `level` takes 2 arguments, and gets 1 {hint}")]);
    wrong("clear: || true", &[&format!("4:12: error: the closure of `clear` takes 0 arguments, and gets 1 {hint}")]);
    check("fn hot(s) { s.cpu > 1 } rule(\"r\", #{ on: \"host\", when: hot });", &[]);
    check(
        "fn hot(s, t) { s.cpu > t } rule(\"r\", #{ on: \"host\", when: hot });",
        &[&format!("1:59: error: the closure of `when` takes 2 arguments, and gets 1 {hint}")],
    );
}

#[test]
fn an_unknown_channel_is_named_once_the_channels_are_known() {
    let text = with("notify: [\"opps\"]");
    assert_eq!(problems(&text), "");
    let settings = Settings { channels: Some(["ops".into(), "console".into()].into()), ..Settings::default() };
    let report = Folder::with(settings, BTreeMap::new()).write("a.rhai", &text).update();
    assert_eq!(render(&report.diagnostics), "rules/a.rhai:4:13: error: unknown channel `opps` (did you mean `ops`?)\n");
    let good = Folder::new().write("a.rhai", &text).good();
    let found = crate::rules::check_channels(&good.rules, &["console".into()].into());
    assert_eq!(
        render(&found),
        "rules/a.rhai:1:1: error: rule `r`: unknown channel `opps` (the channels are `console`)\n"
    );
}

#[test]
fn all_problems_of_all_files_are_shown_at_once() {
    let mut folder = Folder::new();
    folder.write("b.rhai", "rule(\"b\", #{ on: 1, when: 2, hold: 3 });");
    folder.write("a.rhai", &with("hold: 1, keep: 2"));
    folder.write("c.rhai", "let x = ;");
    let report = folder.update();
    let places: Vec<String> =
        report.diagnostics.iter().map(|d| format!("{}:{}:{}", d.file, d.line, d.column)).collect();
    assert_eq!(
        places,
        [
            "rules/a.rhai:4:11",
            "rules/a.rhai:4:20",
            "rules/b.rhai:1:18",
            "rules/b.rhai:1:27",
            "rules/b.rhai:1:36",
            "rules/c.rhai:1:9",
        ]
    );
    assert_eq!(report.diagnostics[0].source_line.as_deref(), Some("    hold: 1, keep: 2"));
}
