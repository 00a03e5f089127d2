//! Fields that rules read and that nobody ever sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::history::World;

use super::rule::RuleSet;

/// Warns of each field that a rule reads and that no subject of the kind ever had. Kinds of which nothing was seen yet are left out.
///
/// Fields that a rule asks for with `has` or `get` are left out too. The diagnostics carry no source line.
pub fn check_unknown_fields(rules: &RuleSet, world: &World) -> Vec<Diagnostic> {
    let mut diagnostics = BTreeSet::new();
    for rule in rules.rules.values() {
        for field in rule.reads_fields.iter().filter(|field| !field.asks_first) {
            let Some(kind) = &field.kind else { continue };
            let mut known = world.fields_of_kind(kind).peekable();
            if known.peek().is_none() {
                continue;
            }
            let known: Vec<&str> = known.map(|name| &**name).collect();
            if known.contains(&&*field.field) {
                continue;
            }
            let message = format!("no subject of kind `{kind}` ever had the field `{}`", field.field);
            let hint = did_you_mean(&field.field, known);
            diagnostics.insert((
                field.file.clone(),
                field.line,
                field.column,
                message,
                hint,
                field.field.chars().count(),
            ));
        }
    }
    let diagnostic =
        |(file, line, column, message, hint, length): (Arc<str>, usize, usize, String, Option<String>, usize)| {
            let mut diagnostic = Diagnostic::of_file(file, message).into_warning().with_length(length);
            (diagnostic.line, diagnostic.column, diagnostic.hint) = (line, column, hint);
            diagnostic
        };
    diagnostics.into_iter().map(diagnostic).collect()
}
