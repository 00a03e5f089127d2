//! Whatever is saved, the loader neither panics nor lets a bad text into force.

use proptest::prelude::*;

use super::*;

const GOOD: &str = "import \"lib\" as lib;
let limit = param(\"limit\", 0.1); // a limit
fn hot(s) { s.cpu > 80 }
for kind in [\"host\", \"disk\"] {
    rule(`high_${kind}`, #{
        on: kind,
        where: |s| s.labels[\"env\"] == \"prod\",
        when: #{ warning: |s| s.used > limit && hot(s), critical: |s| s.rate(\"used\", \"5m\") > lib::limit() },
        clear: |s| s.used < limit / 2,
        hold: #{ warning: \"30s\" }, keep: \"1m\",
        message: |s| `${s.name}: ${percent(s.used)}`,
        labels: #{ team: \"web\" }, flap: (), notify: [\"ops\"],
    });
}
rule(\"set\", #{ over: \"service\", by: [\"region\"], when: |g| g.count(|s| s.up == 0) > 1, level: |g| \"error\" });
";

/// An edit: replace some bytes by others.
fn edits() -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    let piece = prop_oneof![
        "[ -~]{0,4}",
        prop::sample::select(vec![
            "{", "}", "|", "#{", "rule(", ")", "\"", "`", "${", "on", "over", "\n", "/*", "é", "\0"
        ])
        .prop_map(str::to_string),
    ];
    prop::collection::vec((0..GOOD.len(), 0..6_usize, piece), 1..4)
}

fn apply(edits: &[(usize, usize, String)]) -> String {
    let mut bytes = GOOD.as_bytes().to_vec();
    for (start, length, piece) in edits {
        let start = (*start).min(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, piece.bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_file_loads_whole_or_changes_nothing(edits in edits()) {
        let mut folder = Folder::new();
        folder.write("lib.rhai", "fn limit() { 1 }").write("a.rhai", GOOD);
        let before = folder.update();
        prop_assert!(before.diagnostics.is_empty(), "{}", render(&before.diagnostics));
        let text = apply(&edits);
        let after = folder.write("a.rhai", &text).update();
        if after.has_errors() {
            prop_assert!(Arc::ptr_eq(&before.rules, &after.rules));
            prop_assert_eq!(&*folder.loader.last_good()["a.rhai"].text.clone(), GOOD);
        } else {
            prop_assert_eq!(&*folder.loader.last_good()["a.rhai"].text.clone(), text.as_str());
        }
        // What a fresh start says of the text is the same.
        let mut fresh = Folder::new();
        fresh.write("lib.rhai", "fn limit() { 1 }").write("a.rhai", &text);
        prop_assert_eq!(fresh.update().has_errors(), after.has_errors());
        // And the good text comes back as it was.
        let back = folder.write("a.rhai", GOOD).update();
        prop_assert!(back.diagnostics.is_empty());
        prop_assert_eq!(back.rules.rules.len(), 3);
    }
}
