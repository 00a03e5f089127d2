use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::model::Time;
use crate::rules::loader::{Loader, Settings};

fn load(text: &str) -> Result<RuleSet, String> {
    let mut loader = Loader::new("rules", Settings::default(), BTreeMap::new());
    let report = loader.update(Time::EPOCH, Ok(BTreeMap::from([(Arc::from("f.rhai"), Ok(Arc::from(text)))])));
    if report.has_errors() { Err(format!("{:?}", report.diagnostics)) } else { Ok((*report.rules).clone()) }
}

fn shown(text: &str) -> Vec<String> {
    let line = |mutant: &Mutant| {
        format!("{}:{} {:?}: {} -> {}", mutant.line, mutant.column, mutant.kind, mutant.before, mutant.after)
    };
    mutants(&load(text).unwrap()).iter().map(line).collect()
}

const RULE: &str = r#"
let limit = param("limit", 0.3);
fn is_busy(s) { s.calls >= 20 }
rule("r", #{
    on: "service",
    when: |s| s.error_rate > limit && (s.rate("total", "5m") > 1.5 || !is_busy(s)),
    clear: |s| s.error_rate < limit / 2,   // half
    hold: "30s", keep: "0s",
    level: |s| if s.error_rate == 1 { "critical" } else { "warning" },
});
"#;

#[test]
fn each_kind_of_change_is_made_once_where_it_stands() {
    insta::assert_snapshot!(shown(RULE).join("\n"), @r#"
    2:28 Threshold: limit = param("limit", 0.3) -> limit = param("limit", 0.27)
    2:28 Threshold: limit = param("limit", 0.3) -> limit = param("limit", 0.33)
    3:25 Comparison: s.calls >= 20 -> s.calls < 20
    3:28 Threshold: s.calls >= 20 -> s.calls >= 18
    3:28 Threshold: s.calls >= 20 -> s.calls >= 22
    6:28 Comparison: s.error_rate > limit -> s.error_rate <= limit
    6:36 Boolean: s.error_rate > limit && (s.rate("total", "5m") > 1.5 || !is_busy(s)) -> s.error_rate > limit || (s.rate("total", "5m") > 1.5 || !is_busy(s))
    6:62 Comparison: s.rate("total", "5m") > 1.5 -> s.rate("total", "5m") <= 1.5
    6:64 Threshold: s.rate("total", "5m") > 1.5 -> s.rate("total", "5m") > 1.35
    6:64 Threshold: s.rate("total", "5m") > 1.5 -> s.rate("total", "5m") > 1.65
    6:68 Boolean: s.rate("total", "5m") > 1.5 || !is_busy(s) -> s.rate("total", "5m") > 1.5 && !is_busy(s)
    6:71 Boolean: !is_busy(s) -> is_busy(s)
    7:5 Clear: clear: |s| s.error_rate < limit / 2 -> 
    7:29 Comparison: s.error_rate < limit / 2 -> s.error_rate >= limit / 2
    7:39 Threshold: limit / 2 -> limit / 1
    7:39 Threshold: limit / 2 -> limit / 3
    8:11 Hold: hold: "30s" -> hold: "0s"
    9:32 Comparison: s.error_rate == 1 -> s.error_rate != 1
    9:35 Threshold: s.error_rate == 1 -> s.error_rate == 0
    9:35 Threshold: s.error_rate == 1 -> s.error_rate == 2
    "#);
}

#[test]
fn every_mutant_loads_and_judges_something_else_by_its_text() {
    let mutants = mutants(&load(RULE).unwrap());
    for mutant in &mutants {
        let changed = load(&mutant.text);
        assert!(changed.is_ok(), "{} -> {}: {changed:?}", mutant.before, mutant.after);
        assert_ne!(&*mutant.text, RULE);
        assert!(mutant.rules.contains("r") && !mutant.advice.is_empty());
    }
    assert_eq!(mutants.iter().map(|mutant| mutant.text.clone()).collect::<BTreeSet<_>>().len(), mutants.len());
}

#[test]
fn rules_of_one_text_share_their_mutants_and_by_level_each_has_its_own() {
    let looped = r#"for name in ["a", "b"] { rule(name, #{ on: "x", when: #{ warning: |s| s.v > 10, error: |s| s.w != 0.0 }, hold: #{ warning: "1m", error: "0s" } }); }"#;
    let mutants = mutants(&load(looped).unwrap());
    assert!(mutants.iter().all(|mutant| mutant.rules.len() == 2), "{mutants:?}");
    insta::assert_snapshot!(shown(looped).join("\n"), @r#"
    1:75 Comparison: s.v > 10 -> s.v <= 10
    1:77 Threshold: s.v > 10 -> s.v > 11
    1:77 Threshold: s.v > 10 -> s.v > 9
    1:96 Comparison: s.w != 0.0 -> s.w == 0.0
    1:99 Threshold: s.w != 0.0 -> s.w != -0.1
    1:99 Threshold: s.w != 0.0 -> s.w != 0.1
    1:124 Hold: hold: #{ warning: "1m" -> hold: #{ warning: "0s"
    "#);
    let by_level = r#"rule("r", #{ on: "x", when: #{ warning: |s| s.v > 10, critical: |s| s.v > 20 } });"#;
    insta::assert_snapshot!(shown(by_level).join("\n"), @r#"
    1:49 Comparison: s.v > 10 -> s.v <= 10
    1:51 Threshold: s.v > 10 -> s.v > 11
    1:51 Threshold: s.v > 10 -> s.v > 9
    1:73 Comparison: s.v > 20 -> s.v <= 20
    1:75 Threshold: s.v > 20 -> s.v > 18
    1:75 Threshold: s.v > 20 -> s.v > 22
    "#);
}

#[test]
fn a_number_that_larum_yaml_sets_is_not_changed_in_the_rule() {
    let mut settings = Settings::default();
    settings.params.insert("limit".into(), crate::rules::Param::Value(crate::model::Value::Number(0.5)));
    let mut loader = Loader::new("rules", settings, BTreeMap::new());
    let report = loader.update(Time::EPOCH, Ok(BTreeMap::from([(Arc::from("f.rhai"), Ok(Arc::from(RULE)))])));
    let mutants = mutants(&report.rules);
    assert!(!mutants.is_empty() && mutants.iter().all(|mutant| mutant.line > 2), "{mutants:?}");
}
