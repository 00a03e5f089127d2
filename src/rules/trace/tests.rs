use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::history::{Batch, Limits, Source, World};
use crate::model::{Now, Snapshot, SubjectKey, Value};
use crate::rules::loader::{Loader, Settings};
use crate::rules::{RuleSet, StepBudget, Target};

/// Rules with everything that a closure may hold; `NUMBER` is the text of a condition.
const RULES: &str = r####"
let limit = param("limit", 0.1);
let names = ["a", "b"]; const MAX = 5;
fn is_bad(s) { s.error_rate > 0.5 || s.calls > 100 }
fn share(s) { s.error_rate / s.calls }
let conditions = [
    |s| s.error_rate > limit && s.rate("total", "5m") > 1,
    |s| !(s.error_rate > limit) || s.avg("total", window("1m", "10s")) < -5,
    |s| is_bad(s) && share(s) < 3,
    |s| { let x = s.error_rate * 2 + 1; if x > 1.5 { return true; } x == s["calls"] },
    |s| s.name in names || s.labels["region"] == "eu" && s.has("calls"),
    |s| s.peers("region").count(|p| p.error_rate > limit && p.calls > 0) > 0,
    |s| s.missing > 1 || s.error_rate > 0,
    |s| switch s.calls { 0..5 => false, 5..=50 if s.error_rate > 0.0 => true, _ => s.error_rate > 1 },
    |s| names.filter(|n| n == s.name).len() == 1,
    |s| { let sum = 0; for n in 0..3 { sum += n; } sum > 2 && `${s.calls} of ${sum}` == "10 of 3" },
    |s| find("service", "b").error_rate ?? 0.0 > s.error_rate,
    |s| s.error_rate > "text",
    |s| s.ago("total", "20s") < s.total && s.held("error_rate", 0.3) > 1,
    |s| ratio(s.calls, s.zero) > 1,
    |s| s.get("none", 7) == 7 && s.fields("e.*").len() > 0,
    |s| s.calls > global::MAX && s.name !in ["b", "c"], |s| s.name == #"a"# || s.name == ##"C:\"##,
];
for (condition, i) in conditions {
    rule(`r${i}`, #{ on: "service", when: condition, clear: |s| s.error_rate < limit / 2,
        level: |s| if s.error_rate > 0.5 { "critical" } else { "warning" } });
}
rule("set", #{ over: "service", when: |g| g.avg("error_rate") > 0.1 && g.any(|s| s.calls > 5) });
"####;

fn load(text: &str) -> RuleSet {
    let mut loader = Loader::new("rules", Settings::default(), BTreeMap::new());
    let files = BTreeMap::from([(Arc::from("f.rhai"), Ok(Arc::from(text)))]);
    let report = loader.update(crate::model::Time::EPOCH, Ok(files));
    assert!(!report.has_errors(), "{:?}", report.diagnostics);
    (*report.rules).clone()
}

fn world() -> (World, Now) {
    let at = |secs: i64| Now::at(crate::model::Time::from_micros((1_795_255_200 + secs) * 1_000_000));
    let mut world = World::new(Limits::default(), jiff::tz::TimeZone::UTC, at(-10_000));
    for step in 0..30 {
        let snapshot = |name: &str, fields: &[(&str, f64)]| Snapshot {
            subject: SubjectKey::new("service", name),
            time: at(step * 10).time,
            labels: BTreeMap::from([("region".into(), "eu".into())]),
            fields: fields.iter().map(|(name, value)| ((*name).into(), Value::Number(*value))).collect(),
            gone: false,
        };
        let snapshots = vec![
            snapshot("a", &[("error_rate", 0.3), ("calls", 10.0), ("total", step as f64 * 50.0), ("zero", 0.0)]),
            snapshot("b", &[("error_rate", 0.6), ("total", 1.0)]),
        ];
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(60) };
        world.ingest(at(step * 10), &Batch { source, snapshots, complete: Vec::new() });
    }
    (world, at(290))
}

fn contexts() -> Vec<Context> {
    let (world, now) = world();
    let world = Arc::new(world);
    let ids: Vec<_> = world.of_kind("service").collect();
    let set = Target::Set { kind: "service".into(), members: ids.clone().into(), labels: BTreeMap::new() };
    let targets = ids.into_iter().map(Target::Subject).chain([set]);
    let zone = jiff::tz::TimeZone::UTC;
    targets
        .map(|target| Context {
            world: world.clone(),
            now,
            target,
            zone: zone.clone(),
            budget: Arc::new(StepBudget::default()),
        })
        .collect()
}

/// The contexts that a rule can be judged in.
fn of_rule(rule: &Rule) -> Vec<Context> {
    let is_set = matches!(rule.scope, crate::rules::Scope::Over { .. });
    contexts().into_iter().filter(|context| matches!(context.target, Target::Set { .. }) == is_set).collect()
}

#[test]
fn a_watched_rule_judges_as_the_rule_does_and_uses_no_more_operations() {
    let rules = load(RULES);
    let coverage = Arc::new(Coverage::default());
    let twins = watched(&rules, &coverage);
    assert_eq!(twins.problems, BTreeMap::new());
    let mut n_verdicts = 0;
    for (name, rule) in &rules.rules {
        let twin = &twins.rules.rules[name];
        assert!(!Arc::ptr_eq(rule, twin), "{name} is not watched");
        for context in of_rule(rule) {
            for on in [false, true] {
                let left = context.budget.left();
                let plain = rule.judge(&context, &[on]);
                let used = left - context.budget.left();
                let seen = twin.judge(&context, &[on]);
                let used_by_twin = left - used - context.budget.left();
                let verdict = |verdict: Verdict| match verdict {
                    Verdict::Error(fault) => Verdict::Error(crate::rules::Fault { column: 0, ..fault }),
                    other => other,
                };
                assert_eq!(verdict(seen.verdict), verdict(plain.verdict), "{name}");
                assert_eq!(seen.reads, plain.reads, "{name}");
                // Regular expressions cost once, and a loop's own reports are counted a little short.
                assert!(
                    used_by_twin <= used && (used_by_twin + 3 >= used || used > 500),
                    "{name}: {used} {used_by_twin}"
                );
                assert_eq!(twin.level(&context).ok(), rule.level(&context).ok());
                n_verdicts += 1;
            }
        }
    }
    assert_eq!(n_verdicts, 17 * 4 + 2);
}

/// What `explain` says of a rule and subject `a` (or the set): each expression with its outcome.
fn explained(rules: &RuleSet, name: &str) -> Vec<String> {
    let rule = &rules.rules[name];
    let context = of_rule(rule).remove(0);
    let explained = rule.explain(&context, &[true]);
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::NotReached => "-".to_string(),
        Outcome::Value(value) => value.clone(),
        Outcome::Values { n_true, n_false, n_other } => format!("{n_true} true {n_false} false {n_other} other"),
        Outcome::NoData(reason) => format!("no data: {reason}"),
        Outcome::Error(message) => format!("error: {message}"),
    };
    let mut lines = Vec::new();
    for part in &explained.parts {
        lines.push(format!("{:?} {} = {}", part.part, part.text, outcome(&part.outcome)));
        for each in &part.expressions {
            lines.push(format!("  {}{} = {}", "  ".repeat(each.depth), each.text, outcome(&each.outcome)));
            for asked in &each.asked {
                let samples = asked.samples.as_ref().map_or(String::new(), |samples| format!(" of {}", samples.count));
                lines.push(format!("  {}? {}{samples}", "  ".repeat(each.depth), asked.question));
            }
        }
    }
    lines
}

#[test]
fn every_expression_says_what_it_came_to_and_what_was_not_reached_says_so() {
    let rules = load(RULES);
    insta::assert_snapshot!(explained(&rules, "r0").join("\n"), @r#"
    When(0) |s| s.error_rate > limit && s.rate("total", "5m") > 1 = true
      s.error_rate > limit && s.rate("total", "5m") > 1 = true
        s.error_rate > limit = true
          s.error_rate = 0.3
          limit = 0.1
        s.rate("total", "5m") > 1 = true
          s.rate("total", "5m") = 4.833333333333334
          ? rate("total", "5m") of 30
    Level |s| if s.error_rate > 0.5 { "critical" } else { "warning" } = "warning"
      s.error_rate > 0.5 = false
        s.error_rate = 0.3
    "#);
    insta::assert_snapshot!(explained(&rules, "r2").join("\n"), @r#"
    When(0) |s| is_bad(s) && share(s) < 3 = false
      is_bad(s) && share(s) < 3 = false
        is_bad(s) = false
          s.error_rate > 0.5 || s.calls > 100 = false
            s.error_rate > 0.5 = false
              s.error_rate = 0.3
            s.calls > 100 = false
              s.calls = 10
        share(s) < 3 = -
          share(s) = -
            s.error_rate / s.calls = -
              s.error_rate = -
              s.calls = -
    Clear(0) |s| s.error_rate < limit / 2 = false
      s.error_rate < limit / 2 = false
        s.error_rate = 0.3
        limit / 2 = 0.05
          limit = 0.1
    "#);
    insta::assert_snapshot!(explained(&rules, "r5").join("\n"), @r#"
    When(0) |s| s.peers("region").count(|p| p.error_rate > limit && p.calls > 0) > 0 = true
      s.peers("region").count(|p| p.error_rate > limit && p.calls > 0) > 0 = true
        s.peers("region").count(|p| p.error_rate > limit && p.calls > 0) = 1
          p.error_rate > limit && p.calls > 0 = 1 true 0 false 1 other
            p.error_rate > limit = 2 true 0 false 0 other
              p.error_rate = 0 true 0 false 2 other
              limit = 0 true 0 false 2 other
            p.calls > 0 = 1 true 0 false 1 other
              p.calls = 0 true 0 false 2 other
    Level |s| if s.error_rate > 0.5 { "critical" } else { "warning" } = "warning"
      s.error_rate > 0.5 = false
        s.error_rate = 0.3
    "#);
    insta::assert_snapshot!(explained(&rules, "r6").join("\n"), @r#"
    When(0) |s| s.missing > 1 || s.error_rate > 0 = no data: it never had a field `missing`
      s.missing > 1 || s.error_rate > 0 = no data: it never had a field `missing`
        s.missing > 1 = no data: it never had a field `missing`
          s.missing = no data: it never had a field `missing`
        s.error_rate > 0 = -
          s.error_rate = -
    "#);
    insta::assert_snapshot!(explained(&rules, "r13").join("\n"), @r#"
    When(0) |s| ratio(s.calls, s.zero) > 1 = no data: division by zero
      ratio(s.calls, s.zero) > 1 = no data: division by zero
        ratio(s.calls, s.zero) = no data: division by zero
          s.calls = 10
          s.zero = 0
    "#);
    insta::assert_snapshot!(explained(&rules, "set").join("\n"), @r#"
    When(0) |g| g.avg("error_rate") > 0.1 && g.any(|s| s.calls > 5) = true
      g.avg("error_rate") > 0.1 && g.any(|s| s.calls > 5) = true
        g.avg("error_rate") > 0.1 = true
          g.avg("error_rate") = 0.44999999999999996
        g.any(|s| s.calls > 5) = true
          s.calls > 5 = true
            s.calls = 10
    "#);
}

#[test]
fn of_too_many_notes_the_outer_ones_are_kept() {
    let mut watch = Watch::new(false);
    watch.note(Step::At(0));
    for _ in 0..100_000 {
        watch.note(Step::At(1));
        watch.note(Step::Seen(1, super::steps::Seen::Bool(true)));
    }
    watch.note(Step::Seen(0, super::steps::Seen::Bool(false)));
    let visits = super::assemble::visits(&watch.take());
    assert_eq!((visits[&0].n_false, visits[&0].n_stopped, visits[&1].n_stopped), (1, 0, 0));
}

#[test]
fn a_file_with_functions_by_the_names_of_the_reports_is_not_watched() {
    let rules = load("fn __seen(a, b, c) { true } rule(\"r\", #{ on: \"service\", when: |s| s.calls > 1 });");
    let twins = watched(&rules, &Arc::new(Coverage::default()));
    assert_eq!(twins.problems.len(), 1);
    assert!(rules.rules["r"].explain(&contexts()[0], &[false]).parts.is_empty());
}

#[test]
fn coverage_knows_which_conditions_were_never_true_or_false() {
    let rules = load(RULES);
    let coverage = Arc::new(Coverage::default());
    let twins = watched(&rules, &coverage);
    for name in ["r0", "r2", "r6", "r13"] {
        for context in of_rule(&twins.rules.rules[name]) {
            twins.rules.rules[name].judge(&context, &[true]);
        }
    }
    let shown = |rule: &coverage::RuleCoverage| {
        let lines = rule.conditions.iter().map(|c| {
            format!(
                "{}:{}+{} {:?} {}: {} {} {}",
                c.line, c.column, c.length, c.part, c.text, c.n_true, c.n_false, c.n_no_data
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let report = coverage.report();
    let of = |name: &str| shown(report.iter().find(|rule| rule.rule.as_str() == name).unwrap());
    insta::assert_snapshot!(of("r0"), @r#"
    7:9+49 When(0) s.error_rate > limit && s.rate("total", "5m") > 1: 1 1 0
    7:9+20 When(0) s.error_rate > limit: 2 0 0
    7:33+25 When(0) s.rate("total", "5m") > 1: 1 1 0
    25:65+24 Clear(0) s.error_rate < limit / 2: 0 1 0
    26:23+18 Level s.error_rate > 0.5: 0 0 0
    "#);
    insta::assert_snapshot!(of("r2"), @r#"
    4:16+35 When(0) s.error_rate > 0.5 || s.calls > 100: 0 1 0
    4:16+18 When(0) s.error_rate > 0.5: 0 1 0
    4:38+13 When(0) s.calls > 100: 0 1 0
    9:9+25 When(0) is_bad(s) && share(s) < 3: 0 1 0
    9:9+9 When(0) is_bad(s): 0 1 0
    9:22+12 When(0) share(s) < 3: 0 0 0
    25:65+24 Clear(0) s.error_rate < limit / 2: 0 1 0
    26:23+18 Level s.error_rate > 0.5: 0 0 0
    "#);
    insta::assert_snapshot!(of("r6"), @r#"
    13:9+33 When(0) s.missing > 1 || s.error_rate > 0: 0 0 0
    13:9+13 When(0) s.missing > 1: 0 0 0
    13:26+16 When(0) s.error_rate > 0: 0 0 0
    25:65+24 Clear(0) s.error_rate < limit / 2: 0 0 0
    26:23+18 Level s.error_rate > 0.5: 0 0 0
    "#);
    insta::assert_snapshot!(of("r13"), @r#"
    20:9+26 When(0) ratio(s.calls, s.zero) > 1: 0 0 1
    25:65+24 Clear(0) s.error_rate < limit / 2: 0 0 0
    26:23+18 Level s.error_rate > 0.5: 0 0 0
    "#);
}

#[test]
fn a_condition_is_told_as_it_is_written() {
    let rules = load(
        r#"
        let limit = 3;
        rule("one", #{ on: "service", when: |s| s.calls >   limit
            && s.region == "a|b" });
        rule("levels", #{ on: "service", when: #{ warning: |s| s.calls > 5, critical: |s| s.calls > 9 } });
        "#,
    );
    let told = |name: &str| rules.rules[name].conditions();
    assert_eq!(told("one"), [Some(r#"s.calls > limit && s.region == "a|b""#.to_string())]);
    assert_eq!(told("levels"), [Some("s.calls > 9".to_string()), Some("s.calls > 5".to_string())]);
}
