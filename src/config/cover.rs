//! What rules and routes come to together: alerts that nobody would be told of.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::model::Level;
use crate::routing::{Possible, Routing};
use crate::rules::{Rule, RuleSet, Scope};

/// Inhibitions that could mute each other in a circle, given these rules. `file` and `text` are larum.yaml's.
pub fn circles(routing: &Routing, rules: &RuleSet, file: &str, text: &str) -> Vec<Diagnostic> {
    if routing.inhibitions().is_empty() {
        return Vec::new();
    }
    let rules: Vec<(&Arc<Rule>, Vec<Level>)> =
        rules.rules.values().map(|rule| (rule, rule.possible_levels())).collect();
    routing.circles(rules.iter().map(|(rule, levels)| possible(rule, levels, "")), file, text)
}

/// The alerts that a rule could raise. `text` is its file's.
pub fn possible<'a>(rule: &'a Rule, levels: &'a [Level], text: &'a str) -> Possible<'a> {
    let (Scope::On { kind } | Scope::Over { kind, .. }) = &rule.scope;
    Possible {
        rule: &rule.name,
        file: &rule.file,
        line: rule.line,
        text,
        levels,
        kind,
        labels: &rule.labels,
        notify: rule.notify.as_deref(),
    }
}
