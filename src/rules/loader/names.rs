//! Names of rules are unique over all files.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::model::RuleName;
use crate::rules::program::{Closure, LevelSource, MessageSource};
use crate::rules::register::display;
use crate::rules::rule::Rule;

use super::Loader;
use super::attempt::Attempt;

/// Who wants a name.
struct Claim {
    path: Arc<str>,
    /// Where the rule stands, as people name it.
    place: String,
    /// The file has the rule in force already.
    holds: bool,
    /// The claim is that of a text that is not in force yet.
    is_new: bool,
}

impl Loader {
    /// Turns away files whose rules have names that other files have: they keep what they have in force.
    pub(super) fn settle_names(&mut self, candidates: &mut BTreeMap<Arc<str>, Attempt>) {
        // Each round turns at least one file away, and what is in force has no such names among itself.
        loop {
            let losers = self.losers(candidates);
            if losers.is_empty() {
                return;
            }
            for (path, diagnostics) in losers {
                let Some(file) = self.files.get_mut(&path) else { continue };
                file.diagnostics.extend(diagnostics);
                if candidates.remove(&path).is_none() {
                    // Two stored texts of before the start with one name: the second cannot run.
                    file.good = None;
                }
            }
        }
    }

    fn losers(&self, candidates: &BTreeMap<Arc<str>, Attempt>) -> BTreeMap<Arc<str>, Vec<Diagnostic>> {
        let mut losers: BTreeMap<Arc<str>, Vec<Diagnostic>> = BTreeMap::new();
        for (name, claims) in self.claims(candidates).iter().filter(|(_, claims)| claims.len() > 1) {
            let mut order: Vec<&Claim> = claims.iter().collect();
            order.sort_by_key(|claim| (!claim.holds, claim.is_new, claim.path.clone()));
            let Some((winner, rest)) = order.split_first() else { continue };
            for loser in rest {
                let message = format!("the rule `{name}` is defined twice: here and at {}", winner.place);
                let file = display(&self.folder, &loser.path);
                let made = candidates.get(&loser.path).and_then(|attempt| {
                    let made = attempt.made.iter().find(|made| made.rule.name == *name)?;
                    Some((made.name_place, &attempt.text))
                });
                let diagnostic = match made {
                    Some((place, text)) => Diagnostic::error(file, text, place.line, place.column, message),
                    None => Diagnostic::of_file(file, message),
                };
                losers
                    .entry(loser.path.clone())
                    .or_default()
                    .push(diagnostic.with_hint("give one of them another name"));
            }
        }
        losers
    }

    fn claims(&self, candidates: &BTreeMap<Arc<str>, Attempt>) -> BTreeMap<RuleName, Vec<Claim>> {
        let mut claims: BTreeMap<RuleName, Vec<Claim>> = BTreeMap::new();
        for (path, file) in &self.files {
            let in_force = || file.good.iter().flat_map(|good| good.rules.iter().map(|entry| &*entry.rule));
            let (rules, is_new): (Vec<&Rule>, bool) = match candidates.get(path) {
                Some(attempt) => (attempt.made.iter().map(|made| &made.rule).collect(), true),
                None => (in_force().collect(), false),
            };
            for rule in rules {
                let holds = in_force().any(|other| other.name == rule.name);
                let place = format!("{}:{}", rule.file, rule.line);
                claims.entry(rule.name.clone()).or_default().push(Claim { path: path.clone(), place, holds, is_new });
            }
        }
        claims
    }
}

/// Whether two rules stand at the same places, so that faults of one are shown at the right place of the other's text.
pub(super) fn same_places(a: &Rule, b: &Rule) -> bool {
    a.line == b.line && a.reads_fields == b.reads_fields && closure_places(a).eq(closure_places(b))
}

fn closure_places(rule: &Rule) -> impl Iterator<Item = (usize, usize)> {
    let program = &rule.program;
    let level = match &program.level {
        LevelSource::Closure(closure) => Some(closure),
        LevelSource::Fixed(_) => None,
    };
    let message = match &program.message {
        MessageSource::Closure(closure) => Some(closure),
        MessageSource::Default | MessageSource::Text(_) => None,
    };
    let closures = program.takes.iter().chain(&program.when).chain(program.clear.iter().flatten());
    closures.chain(level).chain(message).map(|Closure { line, column, .. }| (*line, *column))
}
