//! Files over time: what is in force, and what is compiled.

use super::*;

/// A rule that fires above a limit.
fn above(name: &str, limit: &str) -> String {
    format!("rule(\"{name}\", #{{ on: \"host\", when: |s| s.cpu > {limit} }});")
}

#[test]
fn a_bad_edit_keeps_what_is_in_force_and_holds_up_no_other_file() {
    let mut folder = Folder::new();
    folder.write("a.rhai", &above("a", "1")).write("b.rhai", &above("b", "1"));
    let before = folder.good();
    folder.write("a.rhai", "rule(\"a\", #{").write("b.rhai", &above("b", "2"));
    let after = folder.update();
    assert!(after.has_errors());
    assert!(Arc::ptr_eq(&before.rules.rules["a"], &after.rules.rules["a"]));
    assert_eq!((names(&after.added), names(&after.changed), names(&after.removed)), (vec![], vec!["b"], vec![]));
    assert_eq!(after.rules.generation, before.rules.generation + 1);
    assert_eq!(folder.loader.last_good()["a.rhai"].text.as_ref(), above("a", "1"));
    assert!(folder.loader.files()[0].on_last_good);

    folder.write("a.rhai", &above("a", "3"));
    assert_eq!(names(&folder.good().changed), ["a"]);
}

#[test]
fn nothing_new_is_no_new_generation() {
    let mut folder = Folder::new();
    let first = folder.write("a.rhai", &above("a", "1")).good();
    let second = folder.good();
    assert!(Arc::ptr_eq(&first.rules, &second.rules));
    assert!(second.compiled.is_empty() && !second.last_good_changed);
}

#[test]
fn only_what_changed_is_compiled() {
    let mut folder = Folder::new();
    folder.write("a.rhai", &above("a", "1")).write("b.rhai", &above("b", "1")).write("c.rhai", "nope");
    let _ = folder.update();
    let report = folder.write("b.rhai", &above("b", "2")).update();
    assert_eq!(report.compiled, ["b.rhai".into(), "c.rhai".into()], "c has an unresolved problem");
}

#[test]
fn a_rule_ends_when_its_file_loads_without_it() {
    let mut folder = Folder::new();
    folder.write("a.rhai", &format!("{}\n{}", above("x", "1"), above("y", "1")));
    let before = folder.good();
    let after = folder.write("a.rhai", &above("x", "1")).good();
    assert_eq!((names(&after.removed), names(&after.changed)), (vec!["y"], vec![]));
    assert!(Arc::ptr_eq(&before.rules.rules["x"], &after.rules.rules["x"]));
}

#[test]
fn the_rules_of_a_gone_file_end_after_ten_seconds() {
    let mut folder = Folder::new();
    folder.write("a.rhai", &above("a", "1")).write("b.rhai", &above("b", "1")).good();
    let report = folder.remove("a.rhai").update();
    assert_eq!(report.rules.rules.len(), 2);
    assert!(report.diagnostics[0].message.starts_with("the file is gone"), "{:?}", report.diagnostics);
    let deadline = folder.loader.next_deadline().unwrap();
    assert_eq!(deadline, folder.now + GONE_AFTER);
    folder.now = folder.now + Duration::from_millis(9999);
    assert_eq!(folder.update().rules.rules.len(), 2);
    folder.now = deadline;
    let report = folder.good();
    assert_eq!(names(&report.removed), ["a"]);
    assert!(report.last_good_changed);
    assert_eq!(folder.loader.next_deadline(), None);
}

#[test]
fn a_file_that_comes_back_in_time_changes_nothing() {
    let mut folder = Folder::new();
    let before = folder.write("a.rhai", &above("a", "1")).write("b.rhai", &above("b", "1")).good();
    folder.remove("a.rhai").update();
    folder.now = folder.now + Duration::from_secs(9);
    let after = folder.write("a.rhai", &above("a", "1")).good();
    assert!(Arc::ptr_eq(&before.rules, &after.rules) && after.compiled.is_empty());
    assert_eq!(folder.loader.next_deadline(), None);
}

#[test]
fn a_missing_or_suddenly_empty_folder_changes_nothing_and_is_shown() {
    let mut folder = Folder::new();
    let before = folder.write("a.rhai", &above("a", "1")).good();
    let listings = [Ok(BTreeMap::new()), Err("no such directory".to_string())];
    for listing in listings {
        folder.now = folder.now + Duration::from_secs(60);
        let report = folder.loader.update(folder.now, listing);
        assert!(Arc::ptr_eq(&before.rules, &report.rules));
        assert_eq!(report.diagnostics.len(), 1);
        assert!(report.diagnostics[0].message.contains("the rules in force go on"), "{:?}", report.diagnostics);
        assert_eq!(folder.loader.next_deadline(), None);
    }
    folder.good();
}

#[test]
fn a_folder_that_vanishes_while_a_file_is_gone_stops_its_timer() {
    let mut folder = Folder::new();
    folder.write("a.rhai", &above("a", "1")).write("b.rhai", &above("b", "1")).good();
    folder.remove("a.rhai").update();
    folder.now = folder.now + Duration::from_secs(30);
    let report = folder.loader.update(folder.now, Err("it cannot be read".into()));
    assert_eq!(report.rules.rules.len(), 2);
    assert_eq!(folder.update().rules.rules.len(), 2, "the ten seconds begin anew");
}

#[test]
fn a_file_that_cannot_be_read_keeps_its_rules() {
    let mut folder = Folder::new();
    folder.write("a.rhai", &above("a", "1")).good();
    folder.texts.insert("a.rhai".into(), Err("permission denied".into()));
    let report = folder.update();
    assert_eq!(render(&report.diagnostics), "rules/a.rhai: error: the file cannot be read: permission denied\n");
    assert_eq!(report.rules.rules.len(), 1);
    folder.write("a.rhai", &above("a", "1")).good();
}

#[test]
fn last_good_texts_run_after_a_restart_with_the_imports_that_they_had() {
    let mut folder = Folder::new();
    folder.write("lib.rhai", "fn limit() { 1 }");
    folder.write("a.rhai", "import \"lib\" as lib; rule(\"a\", #{ on: \"host\", when: |s| s.cpu > lib::limit() });");
    folder.write("b.rhai", &above("b", "1"));
    let before = folder.good();
    folder.write("a.rhai", "rule(").write("lib.rhai", "fn other() { 1 }").remove("b.rhai");
    folder.update();

    let mut after = Folder::with(Settings::default(), folder.loader.last_good());
    after.texts = folder.texts.clone();
    let report = after.update();
    assert!(report.has_errors());
    assert_eq!(report.rules.rules.keys().collect::<Vec<_>>(), before.rules.rules.keys().collect::<Vec<_>>());
    assert_eq!(report.rules.rules["a"].fingerprint, before.rules.rules["a"].fingerprint);
    assert!(after.loader.next_deadline().is_some(), "b is gone");

    let mut blind = Folder::with(Settings::default(), folder.loader.last_good());
    let report = blind.loader.update(blind.now, Err("no such directory".into()));
    assert_eq!(report.rules.rules.len(), 2);
    assert_eq!(blind.loader.last_good(), folder.loader.last_good());
}

#[test]
fn a_name_that_two_files_have_is_a_problem_of_the_newer_one() {
    let mut folder = Folder::new();
    folder.write("b.rhai", &above("x", "1")).good();
    let report = folder.write("a.rhai", &above("x", "2")).update();
    assert_eq!(
        render(&report.diagnostics),
        "rules/a.rhai:1:6: error: the rule `x` is defined twice: here and at rules/b.rhai:1 (give one of them another name)\n"
    );
    assert_eq!(report.rules.rules["x"].file.as_ref(), "rules/b.rhai");
    // It moves as soon as the other file lets go of it.
    let report = folder.write("b.rhai", &above("y", "1")).good();
    assert_eq!(report.rules.rules["x"].file.as_ref(), "rules/a.rhai");
    // And both ways in one save.
    let report = folder.write("a.rhai", &above("y", "1")).write("b.rhai", &above("x", "1")).good();
    assert_eq!(report.rules.rules["x"].file.as_ref(), "rules/b.rhai");
}

#[test]
fn two_rules_of_one_file_cannot_share_a_name() {
    check(
        "for i in 0..2 { rule(\"x\", #{ on: \"a\", when: |s| s.a > i }); }",
        &["1:22: error: the rule `x` is defined twice in this file: first at line 1 (give one of them another name)"],
    );
}

#[test]
fn importers_follow_what_they_import() {
    let mut folder = Folder::new();
    folder.write("lib/limits.rhai", "fn limit() { 1 }");
    let text = "import \"lib/limits\" as limits; rule(\"a\", #{ on: \"host\", when: |s| s.cpu > limits::limit() });";
    folder.write("a.rhai", text).write("b.rhai", &above("b", "1"));
    let before = folder.good();
    let report = folder.write("lib/limits.rhai", "fn limit() { 2 }").good();
    assert_eq!(names(&report.changed), ["a"]);
    assert!(!report.compiled.contains(&"b.rhai".into()));
    assert_ne!(before.rules.rules["a"].fingerprint, report.rules.rules["a"].fingerprint);
    // A broken library leaves its importers as they are; an importer that is edited meanwhile gets the last good one.
    folder.write("lib/limits.rhai", "fn limit() {");
    let report = folder.update();
    assert_eq!((report.diagnostics.len(), report.changed.len()), (1, 0));
    let report = folder.write("a.rhai", &format!("{text}\n{}", above("a2", "1"))).update();
    assert_eq!((report.diagnostics.len(), names(&report.added)), (1, vec!["a2"]));
    // A library without the function breaks the importer, which keeps what it had.
    let report = folder.write("lib/limits.rhai", "fn limits() { 2 }").update();
    assert_eq!(
        render(&report.diagnostics),
        "rules/a.rhai:1:75: error: `limits` has no function `limit` (did you mean `limits`?)\n"
    );
    assert!(report.changed.is_empty() && report.removed.is_empty());
}

#[test]
fn an_imported_file_registers_its_rules_once() {
    let mut folder = Folder::new();
    folder.write("lib.rhai", &format!("fn limit() {{ 1 }} {}", above("lib", "1")));
    folder.write("a.rhai", &format!("import \"lib\" as lib; {}", above("a", "lib::limit()")));
    assert_eq!(folder.good().rules.rules.len(), 2);
}

#[test]
fn imports_that_cannot_work_say_why() {
    check(
        "import \"../x\" as x;",
        &["1:8: error: `../x` cannot be imported: paths start at the rules folder and never leave it"],
    );
    check(
        "import \"nope\" as x;",
        &["1:8: error: `rules/nope.rhai` cannot be imported: there is no such file, or it never loaded"],
    );
    let mut folder = Folder::new();
    folder.write("a.rhai", "import \"b\" as b;").write("b.rhai", "import \"a\" as a;");
    let report = folder.update();
    assert_eq!(report.diagnostics.len(), 2);
    assert!(report.rules.rules.is_empty());
}

#[test]
fn params_reach_the_files_that_read_them() {
    let settings = |limit: f64| Settings {
        params: [("limit".into(), Param::Value(limit.into())), ("key".into(), Param::Secret)].into(),
        ..Settings::default()
    };
    let mut folder = Folder::with(settings(80.0), BTreeMap::new());
    folder.write("a.rhai", &format!("let limit = param(\"limit\", 90);\n{}", above("a", "limit")));
    folder.write("b.rhai", &above("b", "1"));
    let before = folder.good();
    folder.loader.set_settings(settings(70.0));
    let report = folder.good();
    assert_eq!((names(&report.changed), report.compiled), (vec!["a"], vec!["a.rhai".into()]));
    assert_ne!(before.rules.rules["a"].fingerprint, report.rules.rules["a"].fingerprint);
    assert_eq!(folder.loader.unread_params(), [("key".into(), None)]);

    folder.write("b.rhai", "let a = param(\"limit\", \"x\");\nlet b = param(\"key\", \"x\");");
    assert_eq!(
        render(&folder.update().diagnostics),
        "rules/b.rhai:1:9: error: `params.limit` in larum.yaml is a number, and the default here is text\n\
         rules/b.rhai:2:9: error: `params.key` is secret, and a rule may not read it \
         (write `${env-public:NAME}` in larum.yaml if it is none)\n"
    );
}

#[test]
fn new_defaults_reach_every_rule() {
    let mut folder = Folder::new();
    folder.write("a.rhai", &above("a", "1")).good();
    let defaults = Defaults { cooldown: Duration::from_secs(60), repeat: Repeat::Never, ..Defaults::default() };
    folder.loader.set_settings(Settings { defaults, ..Settings::default() });
    let report = folder.good();
    assert_eq!(report.rules.rules["a"].cooldown.as_secs(), 60);
    assert_eq!(report.rules.rules["a"].repeat, Repeat::Never);
    assert_eq!(names(&report.changed), ["a"]);
}

#[test]
fn tests_and_hidden_files_are_no_rule_files() {
    for path in ["a.test.rhai", ".a.rhai", ".git/a.rhai", "a.rhai~", "a.rhai.swp", "notes.md"] {
        assert!(!is_rule_file(path), "{path}");
    }
    let mut folder = Folder::new();
    folder.write("a.test.rhai", "nope").write("a.rhai", &above("a", "1"));
    assert_eq!(folder.good().compiled, ["a.rhai".into()]);
}

#[test]
fn what_a_file_prints_is_handed_on() {
    let report = Folder::new().write("a.rhai", "print(\"hello\");").good();
    assert_eq!(report.prints, [("rules/a.rhai".into(), "hello".to_string())]);
}

#[test]
fn a_file_that_never_ends_is_stopped() {
    for text in
        ["loop {}", "fn f(n) { f(n) } f(1)", "let a = [0]; loop { a.push(a); }", "let s = \"x\"; loop { s += s; }"]
    {
        let mut folder = Folder::new();
        let report = folder.write("a.rhai", text).write("b.rhai", &above("b", "1")).update();
        assert_eq!((report.diagnostics.len(), report.rules.rules.len()), (1, 1), "{text}");
    }
}
