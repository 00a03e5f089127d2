//! The source of the rules with marks: which conditions were never true, or never false.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use anstyle::AnsiColor;

use crate::cli::Ui;
use crate::rules::trace::coverage::{ConditionCoverage, RuleCoverage};

/// How much of what the conditions can answer they did answer, in percent; all of nothing.
pub(super) fn percent(rules: &[RuleCoverage]) -> f64 {
    let (given, possible) = sum(rules);
    if possible == 0 { 100.0 } else { given as f64 * 100.0 / possible as f64 }
}

fn sum(rules: &[RuleCoverage]) -> (usize, usize) {
    rules.iter().map(RuleCoverage::answers).fold((0, 0), |(given, possible), (g, p)| (given + g, possible + p))
}

/// Prints every rule with its conditions, file by file.
pub(super) fn tell(rules: &[RuleCoverage], texts: &BTreeMap<Arc<str>, Arc<str>>, ui: &mut Ui) -> io::Result<()> {
    let mut by_file: BTreeMap<&Arc<str>, Vec<&RuleCoverage>> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| !rule.conditions.is_empty()) {
        by_file.entry(&rule.file).or_default().push(rule);
    }
    for (file, mut rules) in by_file {
        rules.sort_by_key(|rule| (rule.line, rule.rule.clone()));
        ui.line(format_args!("\n{file}"))?;
        for rule in rules {
            tell_rule(rule, texts.get(file).map_or("", |text| text), ui)?;
        }
    }
    let (given, possible) = sum(rules);
    ui.line(format_args!("\nconditions gave {given} of {possible} answers (true and false): {:.1} %", percent(rules)))
}

fn tell_rule(rule: &RuleCoverage, text: &str, ui: &mut Ui) -> io::Result<()> {
    let (given, possible) = rule.answers();
    let n_evaluated: u64 = rule.conditions.iter().map(|c| c.n_true + c.n_false + c.n_no_data).sum();
    let remark = match n_evaluated {
        0 => "  no test judges it",
        _ if rule.conditions.iter().all(|condition| condition.n_no_data == 0) => "  no test lets it be without data",
        _ => "",
    };
    ui.line(format_args!("  {}  {given} of {possible}{remark}", rule.rule))?;
    if n_evaluated == 0 {
        return Ok(());
    }
    let mut line = 0;
    for condition in &rule.conditions {
        if condition.line != line {
            line = condition.line;
            let source = text.lines().nth(line - 1).unwrap_or_default();
            ui.line(format_args!("  {line:>4} | {source}"))?;
        }
        let is_full = condition.n_answers() == 2;
        let mark = if is_full { "~" } else { "^" }.repeat(condition.length.max(1));
        let colour = if is_full { AnsiColor::Green } else { AnsiColor::Red };
        let word = ui.out_word(&format!("{mark} {}", words(condition)), colour);
        // Tabs stay tabs, so that the mark stands below what it marks.
        let source = text.lines().nth(line - 1).unwrap_or_default().chars();
        let before = source.take(condition.column.saturating_sub(1));
        let space: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        ui.line(format_args!("       | {space}{word}"))?;
    }
    Ok(())
}

fn words(condition: &ConditionCoverage) -> String {
    let times = |n: u64| if n == 1 { "once".to_string() } else { format!("{n} times") };
    let answers = match (condition.n_true, condition.n_false) {
        (0, 0) if condition.n_no_data > 0 => "neither true nor false".to_string(),
        (0, 0) => "never asked".to_string(),
        (0, n_false) => format!("never true, false {}", times(n_false)),
        (n_true, 0) => format!("never false, true {}", times(n_true)),
        (n_true, n_false) => format!("true {}, false {}", times(n_true), times(n_false)),
    };
    match condition.n_no_data {
        0 => answers,
        n_no_data => format!("{answers}, no data {}", times(n_no_data)),
    }
}
