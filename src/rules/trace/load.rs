//! The watched twin of a rule: loaded from the same text, with the same params, in which every expression reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::coverage::Coverage;
use super::instrument::Watched;
use crate::diagnostic::Severity;
use crate::rules::loader::{Origin, Workshop};
use crate::rules::{Rule, RuleSet};

/// Rules whose evaluations are watched: they judge as those that they stand for.
#[derive(Debug)]
pub struct Twins {
    /// The rules; those that cannot be watched are the ones that were given.
    pub rules: RuleSet,
    /// Why rules of a file are not watched, by file.
    pub problems: BTreeMap<Arc<str>, String>,
}

/// The watched twins of all rules, whose coverage is counted.
pub fn watched(rules: &RuleSet, coverage: &Arc<Coverage>) -> Twins {
    let mut files: BTreeMap<*const Origin, Vec<&Arc<Rule>>> = BTreeMap::new();
    for rule in rules.rules.values() {
        files.entry(Arc::as_ptr(&rule.origin)).or_default().push(rule);
    }
    let mut workshops: BTreeMap<Arc<str>, Workshop> = BTreeMap::new();
    let mut twins = Twins { rules: rules.clone(), problems: BTreeMap::new() };
    for of_file in files.values() {
        let Some(first) = of_file.first() else { continue };
        let workshop =
            workshops.entry(first.origin.folder.clone()).or_insert_with(|| Workshop::watching(&first.origin.folder));
        match load(workshop, &first.origin) {
            Ok((watched, mut made)) => {
                for rule in of_file {
                    let Some(twin) = made.remove(rule.name.as_str()) else {
                        let problem = format!("it registers no `{}` when it is loaded again", rule.name);
                        twins.problems.insert(rule.file.clone(), problem);
                        continue;
                    };
                    let mut twin = twin_of(rule, twin, &watched);
                    twin.program.coverage = Some(coverage.clone());
                    coverage.add(&twin, &watched);
                    twins.rules.rules.insert(rule.name.clone(), Arc::new(twin));
                }
            }
            Err(problem) => drop(twins.problems.insert(first.file.clone(), problem)),
        }
    }
    twins
}

/// The watched twin of one rule.
///
/// # Errors
/// Why it cannot be watched.
pub(super) fn watch(rule: &Rule) -> Result<Rule, String> {
    let (watched, mut made) = load(&Workshop::watching(&rule.origin.folder), &rule.origin)?;
    let twin = made.remove(rule.name.as_str()).ok_or("its file registers other rules when it is loaded again")?;
    Ok(twin_of(rule, twin, &watched))
}

/// A rule that differs from the given one in nothing but what it runs.
fn twin_of(rule: &Rule, twin: Rule, watched: &Arc<Watched>) -> Rule {
    let mut twin = Rule { program: twin.program, ..rule.clone() };
    twin.program.watched = Some(watched.clone());
    twin
}

fn load(workshop: &Workshop, origin: &Origin) -> Result<(Arc<Watched>, BTreeMap<String, Rule>), String> {
    let file = crate::rules::register::display(&origin.folder, &origin.path);
    let (watched, text) =
        Watched::new(&file, &origin.text, workshop.engine()).ok_or("its text is not at hand any more")?;
    workshop.settle(&origin.settings, origin.imports.clone());
    let attempt = workshop.attempt(&origin.path, &text, &origin.settings);
    if let Some(error) = attempt.diagnostics.iter().find(|problem| problem.severity == Severity::Error) {
        return Err(format!("it cannot be watched: {}", error.message));
    }
    let made = attempt.made.into_iter().map(|made| (made.rule.name.as_str().to_string(), made.rule)).collect();
    Ok((Arc::new(watched), made))
}
