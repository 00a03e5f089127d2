//! What is known of a rule from its text: captures, calls, fields, time.

use super::*;

/// A rule on hosts with this condition; the closure begins at 1:32.
fn when(condition: &str) -> String {
    format!("rule(\"r\", #{{ on: \"host\", when: {condition} }});")
}

fn fields(rule: &Rule) -> Vec<String> {
    let field = |field: &crate::rules::rule::FieldUse| {
        format!("{}.{}", field.kind.as_deref().unwrap_or("?"), field.field) + if field.asks_first { "?" } else { "" }
    };
    rule.reads_fields.iter().map(field).collect()
}

fn captured(rule: &Rule) -> Vec<String> {
    rule.program.when[0].pointer.iter_curry().map(|value| format!("{value:?}")).collect()
}

#[test]
fn two_rules_made_in_one_loop_keep_their_own_values() {
    let text = "let n = 0;
        for kind in [\"a\", \"b\"] {
            n += 1;
            let limits = #{ high: [n] };
            rule(kind, #{ on: kind, when: |s| s.x > n && s.y > limits.high[0] });
        }
        n = 100;";
    let report = Folder::new().write("a.rhai", text).good();
    assert_eq!(captured(&report.rules.rules["a"]), ["1", "#{\"high\": [1]}"]);
    assert_eq!(captured(&report.rules.rules["b"]), ["2", "#{\"high\": [2]}"]);
    assert_ne!(report.rules.rules["a"].fingerprint, report.rules.rules["b"].fingerprint);
}

#[test]
fn assigning_to_a_captured_variable_is_an_error() {
    let hint = "is captured: a rule has its own copy, and assigning to it changes nothing \
                (use a variable of the closure's own: `let x = ..`)";
    check(&format!("let n = 0;\n{}", when("|s| { n += 1; s.a > n }")), &[&format!("2:38: error: `n` {hint}")]);
    check(&format!("let m = #{{}};\n{}", when("|s| { m.a = 1; s.a > 1 }")), &[&format!("2:38: error: `m` {hint}")]);
    check(
        &format!("let n = 0;\n{}", when("|s| s.peers([\"a\"]).any(|p| { n = 1; true })")),
        &[&format!("2:61: error: `n` {hint}")],
    );
    check(&format!("let n = 0;\n{}", when("|s| { let n = n; n += 1; s.a > n }")), &[]);
    check(&format!("let n = 0;\n[1].for_each(|x| n += x);\n{}", when("|s| s.a > n")), &[]);
}

#[test]
fn calls_that_cannot_work_are_found_before_they_are_reached() {
    check(&when("|s| s.ratee(\"a\", \"5m\") > 1"), &["1:38: error: unknown method `ratee` (did you mean `rate`?)"]);
    check(&when("|s| s.rate(\"a\") > 1"), &["1:38: error: `rate` takes 2 arguments, not 1"]);
    check(&when("|s| percnt(s.a) == \"\""), &["1:36: error: unknown function `percnt` (did you mean `percent`?)"]);
    check(&when("|s| s.a > 1 && if s.b > 1 { nope() } else { true }"), &["1:60: error: unknown function `nope`"]);
    check(
        &format!("fn hot(s) {{ s.a > 1 }}\n{}", when("|s| hot(s, 2)")),
        &["2:36: error: `hot` takes 1 argument, not 2"],
    );
    check(&format!("fn hot(s) {{ s.a > 1 }}\n{}", when("|s| hot(s)")), &[]);
    check(&format!("let hot = |s| s.a > 1;\n{}", when("|s| hot.call(s)")), &[]);
    check("rule(\"r\")", &["1:1: error: `rule` takes 2 arguments, not 1"]);
    check("nope();", &["1:1: error: unknown function `nope`"]);
    check(
        &when("|s| param(\"a\", 5) > s.a"),
        &["1:36: error: `param` works only while the file loads, not when a rule is judged \
         (take it out of the closure: `let limit = param(..);`)"],
    );
}

#[test]
fn what_would_fail_at_every_evaluation_is_found_at_loading() {
    let assigns = |name: &str| format!("`{name}` cannot be changed, and `=` assigns (to compare, write `==`)");
    check(&when("|s| s.a = 1"), &[&format!("1:36: error: {}", assigns("s"))]);
    check(&when("|s| { s.labels.region = \"eu\"; true }"), &[&format!("1:38: error: {}", assigns("s"))]);
    check(&when("|s| { let n = 1; n = 2; let m = #{}; m.a = 1; s.a > n }"), &[]);
    let unclosed = "the regular expression cannot be used: unclosed character class";
    check(&when("|s| s.name.matches(\"[\")"), &[&format!("1:51: error: {unclosed}")]);
    check(&when("|s| s.name.capture(\"[\") == \"\""), &[&format!("1:51: error: {unclosed}")]);
    check(&when("|s| s.name.matches(\"[a-z]+\")"), &[]);
    check(
        &when("|s| s.avg(\"a\", 300) > 1"),
        &["1:47: error: a window is a duration, not a number (write `\"5m\"` for five minutes)"],
    );
}

#[test]
fn texts_that_are_no_scripts_say_what_to_do() {
    check("let x = nope;", &["1:9: error: unknown variable `nope`"]);
    check("let limit = 1; let x = limt;", &["1:24: error: unknown variable `limt` (did you mean `limit`?)"]);
    check(&when("s.a > 1"), &["1:32: error: unknown variable `s` (a closure begins with its argument: `|s| ..`)"]);
    check(
        &when("|s| s.labels.package == \"a\""),
        &["1:45: error: `package` is a word of the language and cannot stand after a dot (write `[\"package\"]`)"],
    );
    check(
        "rule(\"r\", #{ default: 1 });",
        &[
            "1:14: error: `default` is a word of the language and cannot be a key (write it in quotes: `\"default\": ..`)",
        ],
    );
    check(
        "rule(\"r\", #{ on: \"a\"\n  hold: \"1m\" });",
        &["2:3: error: expected `,` to separate the items of this object map literal (is a comma missing before it?)"],
    );
    check(
        &when("|s| s.a > 1 and s.b > 1"),
        &["1:44: error: expected `,` to separate the items of this object map literal (write `&&`)"],
    );
    check(
        &when("|s| s.a > 1 or s.b > 1"),
        &["1:44: error: expected `,` to separate the items of this object map literal (write `||`)"],
    );
    check("rule(“r”, #{});", &["1:6: error: unexpected `“` (write `\"`)"]);
    check("rule(\"r\", #{ on： \"a\" });", &["1:16: error: unexpected `：` (write `:`)"]);
    check("rule(\"r\"， #{ on: \"a\" });", &["1:9: error: unexpected `，` (write `,`)"]);
    check("let a = \"abc", &["1:9: error: the text is not closed (add the missing quote)"]);
    check("eval(\"1\")", &["1:1: error: `eval` is off in rules"]);
    check("throw \"not today\";", &["1:1: error: not today"]);
}

#[test]
fn a_function_sees_neither_variables_nor_constants_of_its_file() {
    check(
        &format!("const LIMIT = 5; fn hot(s) {{ s.a > LIMIT }}\n{}", when("|s| hot(s)")),
        &["1:36: error: unknown variable `LIMIT` (a `fn` sees only its arguments: pass it, or use a closure)"],
    );
}

#[test]
fn a_window_that_is_no_duration_is_an_error() {
    check(
        &when("|s| s.rate(\"x\", \"5 m\") < 1"),
        &["1:48: error: `5 m` is not a duration: write it like `250ms`, `30s`, `5m`, `1h30m` or `7d`"],
    );
    check(&when("|s| s.absent(\"5\")"), &["1:45: error: `5` has no unit: write `5s` for seconds, `5m` for minutes"]);
}

#[test]
fn a_window_that_begins_before_all_samples_is_a_warning() {
    let kept = Kept { memory: Duration::from_secs(86_400), disk: Duration::from_secs(7 * 86_400) };
    let problems = |condition: &str| {
        let mut folder = Folder::new();
        folder.write("a.rhai", &when(condition));
        folder.loader.set_settings(Settings { kept: Some(kept), ..Settings::default() });
        let report = folder.update();
        assert!(!report.has_errors() && report.rules.rules.len() == 1);
        report.diagnostics.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
    };
    let nothing: [&str; 0] = [];
    for condition in [
        r#"|s| s.avg("x", "7d") > 1"#,
        r#"|s| s.avg(s.name, "1d") > 1"#,
        r#"|s| s.avg("x", window("1h", "23h")) > 1"#,
        r#"|s| s.baseline("x", "12h", 2) > 1"#,
        r#"|s| s.forecast("x", "1h", "30d") > 1"#,
        r#"|s| s.avg("x", yesterday()) > 1"#,
    ] {
        assert_eq!(problems(condition), nothing, "{condition}");
    }
    let stored = "samples are stored for 7d";
    let computed = "samples of fields that are not known before a rule is judged are kept for 1d";
    for (condition, reach, limit) in [
        (r#"|s| s.avg("x", "169h") > 1"#, "7d1h", stored),
        (r#"|s| s.ago("x", "8d") > 1"#, "8d", stored),
        (r#"|s| s.absent("2d")"#, "2d", "when snapshots came is kept for 1d"),
        (r#"|s| s.forecast("x", "30d", "1h") > 1"#, "30d", stored),
        (r#"|s| s.avg("x", window("1h", "7d")) > 1"#, "7d1h", stored),
        (r#"|s| { let long = window("1h", "7d"); let field = "x"; s.avg(field, long) > 1 }"#, "7d1h", stored),
        (r#"|s| s.baseline("x", "2d", 7) > 1"#, "14d", stored),
        (r#"|s| { let w = "1h"; if hour() < 6 { w = "8d"; } s.avg("x", w) > 1 }"#, "8d", stored),
        (r#"|s| s.avg(s.name, "25h") > 1"#, "1d1h", computed),
    ] {
        assert_eq!(problems(condition), [format!("it looks back {reach}, and {limit}")], "{condition}");
    }
}

#[test]
fn a_low_ratio_is_a_warning() {
    let report = Folder::new().write("a.rhai", &when("|s| ratio(s.ok, s.all) < 0.5")).update();
    assert!(!report.has_errors() && report.rules.rules.len() == 1);
    assert!(report.diagnostics[0].message.starts_with("a low `ratio(a, b)`"), "{:?}", report.diagnostics);
    check(&when("|s| ratio(s.ok, s.all) > 0.5"), &[]);
    check(&when("|s| ratio(s.ok, s.all, 1) < 0.5"), &[]);
}

#[test]
fn rules_that_ask_about_time_or_about_others_are_judged_every_so_often() {
    let cases = [
        ("|s| s.age > 60", true),
        ("|s| s.absent(\"5m\")", true),
        ("|s| s.held(\"up\", 0) > 60", true),
        ("|s| hour() > 9 && s.a > 1", true),
        ("|s| between(\"09:00\", \"18:00\") && s.a > 1", true),
        ("|s| all(\"disk\").len() > 1", true),
        ("|s| find(\"host\", s.name).cpu > 1", true),
        ("|s| { let f = |x| x > now(); f.call(s.a) }", true),
        ("|s| late(s)", true),
        ("|s| s.a > 1 && s.rate(\"b\", \"5m\") > 1", false),
        ("|s| s.peers([\"host\"], \"disk\").all(|d| d.used > 1)", false),
        ("|s| s[\"age\"] > 1", false),
    ];
    for (condition, judges_time) in cases {
        let rule = rule(&format!("fn late(s) {{ weekday() > 5 && s.a > 1 }}\n{}", when(condition)));
        assert_eq!(rule.judges_time, judges_time, "{condition}");
    }
    assert!(!rule("rule(\"r\", #{ on: \"a\", when: |s| s.a > 1, message: |s| `${s.age}` });").judges_time);
}

#[test]
fn the_fields_that_a_rule_reads_are_known_with_their_kinds() {
    let cases: [(&str, &[&str]); 11] = [
        ("|s| s.cpu > 1 && s[\"name\"] == \"x\" && s.name == \"y\" && s.labels.a == \"b\"", &["host.cpu", "host.name"]),
        ("|s| s.rate(\"a\", \"5m\") > s.get(\"b\", 1)", &["host.a", "host.b?"]),
        ("|s| s.peers([\"x\"]).filter(|p| p.a > 1).avg(\"b\") > 1", &["host.a", "host.b"]),
        ("|s| s.peers([\"x\"], \"disk\").any(|d| d.a > s.b)", &["disk.a", "host.b"]),
        ("|s| all(\"disk\").sum(|d| d.a) > 1", &["disk.a"]),
        ("|s| find(\"disk\", \"x\").a > 1", &["disk.a"]),
        ("|s| all(\"disk\").by([\"x\"]).any(|g| g.max(\"a\") > 1)", &["disk.a"]),
        ("|s| { let d = find(\"disk\", \"x\"); d.a > 1 }", &["disk.a"]),
        ("|s| hot(s)", &["host.a"]),
        ("|s| { for d in all(\"disk\") { if d.a > 1 { return true; } } false }", &["disk.a"]),
        ("|s| s.labels[\"x\"] == \"y\" && s.a[0] == 1", &["host.a"]),
    ];
    for (condition, expected) in cases {
        let rule = rule(&format!("fn hot(s) {{ s.a > 1 }}\n{}", when(condition)));
        assert_eq!(fields(&rule), expected, "{condition}");
    }
    let rule =
        rule("rule(\"r\", #{ over: \"disk\", where: |s| s.a > 1, when: |g| g.top(3, \"b\").sum(|d| d.c) > 1 });");
    assert_eq!(fields(&rule), ["disk.a", "disk.b", "disk.c"]);
    assert_eq!((rule.reads_fields[0].line, rule.reads_fields[0].column), (1, 41));
}

#[test]
fn a_fingerprint_changes_with_what_can_change_a_verdict_and_with_nothing_else() {
    let base =
        "let n = 1; fn f(s) { s.a } rule(\"r\", #{ on: \"a\", when: |s| f(s) > n, message: \"m\", cooldown: \"1m\" });";
    let fingerprint = |text: &str| rule(text).fingerprint;
    let same = [
        ("\"m\"", "\"other\""),
        ("\"1m\"", "\"2m\""),
        ("|s| f(s) > n", "|s|  f(s) > /* why */ n"),
        ("rule(", "\n\n// a comment\nrule("),
    ];
    for (from, to) in same {
        assert_eq!(fingerprint(base), fingerprint(&base.replacen(from, to, 1)), "{from} -> {to}");
    }
    let other = [
        ("> n", ">= n"),
        ("n = 1", "n = 2"),
        ("{ s.a }", "{ s.b }"),
        ("on: \"a\"", "on: \"b\""),
        ("cooldown: \"1m\"", "cooldown: \"1m\", hold: \"1m\""),
        ("cooldown: \"1m\"", "cooldown: \"1m\", keep: \"1m\""),
        ("cooldown: \"1m\"", "cooldown: \"1m\", clear: |s| s.a < 0"),
        ("cooldown: \"1m\"", "cooldown: \"1m\", where: |s| s.a < 0"),
        ("cooldown: \"1m\"", "cooldown: \"1m\", level: \"error\""),
        ("cooldown: \"1m\"", "cooldown: \"1m\", no_data: \"fire\""),
    ];
    for (from, to) in other {
        assert_ne!(fingerprint(base), fingerprint(&base.replacen(from, to, 1)), "{from} -> {to}");
    }
    // The same in every process, build and run.
    assert_eq!(fingerprint(base), 14086904501094975013);
}

#[test]
fn a_closure_that_uses_imports_or_constants_carries_them_along() {
    let mut folder = Folder::new();
    folder.write(
        "lib.rhai",
        "const FACTOR = 2; fn double(x) { x * global::FACTOR } fn over(n) { |s| s.cpu > double(n) }",
    );
    let text = "import \"lib\" as lib; const LIMIT = 5;
        rule(\"a\", #{ on: \"host\", when: |s| lib::double(2) < global::LIMIT });
        rule(\"b\", #{ on: \"host\", when: lib::over(3) });";
    let report = folder.write("a.rhai", text).good();
    let engine = &report.rules.rules["a"].program.engine;
    let when = &report.rules.rules["a"].program.when[0];
    let answer: bool = when.pointer.call(engine, &when.ast, (1_i64,)).unwrap();
    assert!(answer);
    let when = &report.rules.rules["b"].program.when[0];
    let host: rhai::Map = [("cpu".into(), rhai::Dynamic::from(7_i64))].into();
    let answer: bool = when.pointer.call(engine, &when.ast, (host,)).unwrap();
    assert!(answer, "the closure of an imported file finds that file's functions");
}
