//! Mutation of rules: which small changes no test notices.
//!
//! A mutant is judged by the tests in which its rules judged anything; the first that fails has noticed it, and the rest
//! are not run. A mutant that does not load was noticed by `check`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::Serialize;

use super::project::Project;
use super::rule_test::{Detail, FileReport, TestFile, in_parallel};
use crate::config;
use crate::model::RuleName;
use crate::rules::RuleSet;
use crate::rules::mutation::{Mutant, MutationKind, mutants};

/// A mutant that no test notices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Survivor {
    /// The rules that the change is about.
    pub rules: Vec<RuleName>,
    /// The file.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What was changed.
    pub kind: MutationKind,
    /// What stands there.
    pub before: String,
    /// What stood there instead; empty where it was taken away.
    pub after: String,
    /// How many tests passed all the same.
    pub tests: usize,
    /// The test to write.
    pub advice: String,
}

/// What became of all mutants.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MutationReport {
    /// How many there were.
    pub mutants: usize,
    /// How many a test noticed.
    pub noticed: usize,
    /// How many do not load.
    pub refused: usize,
    /// The others, by file and place.
    pub survivors: Vec<Survivor>,
}

/// What became of one mutant.
enum Fate {
    Refused,
    Noticed,
    /// After so many tests that passed.
    Survived(usize),
}

/// Changes each of the project's rules in all small ways and runs the tests over it, on so many threads. `reports` are of the rules as they
/// are: tests that fail already say nothing and are left out. `done` hears of each mutant.
pub fn mutate(
    files: &config::Project,
    rules: &RuleSet,
    reports: &[FileReport],
    texts: &BTreeMap<Arc<str>, Arc<str>>,
    jobs: NonZeroUsize,
    mut done: impl FnMut(usize, usize),
) -> MutationReport {
    let mutants = mutants(rules);
    let tests = Tests::of(reports);
    let work = |scripts: &mut BTreeMap<usize, Option<TestFile>>, mutant: &Mutant| {
        let mut files = files.clone();
        files.rules.insert(mutant.file.clone(), mutant.text.clone());
        let Ok(project) = Project::load(&files).map(Arc::new) else { return Fate::Refused };
        let mut n_passed = 0;
        for (file, test) in tests.about(&mutant.rules) {
            let name = &reports[file].file;
            let read = || texts.get(name).and_then(|text| TestFile::read(name, text).ok());
            let Some(script) = scripts.entry(file).or_insert_with(read) else { continue };
            match script.run(test, &project, Detail::Outcome) {
                Some(report) if report.failure.is_some() => return Fate::Noticed,
                Some(_) => n_passed += 1,
                None => (),
            }
        }
        Fate::Survived(n_passed)
    };
    let mut report = MutationReport { mutants: mutants.len(), ..MutationReport::default() };
    let mut survivors = BTreeMap::new();
    let mut n_done = 0;
    let told = in_parallel(&mutants, jobs, BTreeMap::new, work, |index, fate| {
        n_done += 1;
        done(n_done, mutants.len());
        match fate {
            Fate::Refused => report.refused += 1,
            Fate::Noticed => report.noticed += 1,
            Fate::Survived(n_tests) => drop(survivors.insert(index, survivor(&mutants[index], n_tests))),
        }
        Ok::<(), std::convert::Infallible>(())
    });
    told.unwrap_or_else(|never| match never {});
    report.survivors = survivors.into_values().collect();
    report
}

fn survivor(mutant: &Mutant, tests: usize) -> Survivor {
    Survivor {
        rules: mutant.rules.iter().cloned().collect(),
        file: mutant.file.clone(),
        line: mutant.line,
        column: mutant.column,
        kind: mutant.kind,
        before: mutant.before.clone(),
        after: mutant.after.clone(),
        tests,
        advice: mutant.advice.clone(),
    }
}

/// The tests that passed: file and place in it, by the rules that judged something in them.
struct Tests(BTreeMap<RuleName, Vec<(usize, usize)>>);

impl Tests {
    fn of(reports: &[FileReport]) -> Tests {
        let mut tests: BTreeMap<RuleName, Vec<(usize, usize)>> = BTreeMap::new();
        for (file, report) in reports.iter().enumerate() {
            for test in report.tests.iter().filter(|test| test.failure.is_none()) {
                for rule in &test.asked {
                    tests.entry(rule.clone()).or_default().push((file, test.place));
                }
            }
        }
        Tests(tests)
    }

    fn about(&self, rules: &std::collections::BTreeSet<RuleName>) -> std::collections::BTreeSet<(usize, usize)> {
        rules.iter().filter_map(|rule| self.0.get(rule)).flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::rule_test::run_files;

    const RULES: &str = r#"
rule("hot", #{ on: "host", when: |s| s.heat > 80 && s.fans < 2, hold: "1m", clear: |s| s.heat < 70 });
"#;

    fn mutated(rules: &str, tests: &str) -> MutationReport {
        let mut files = config::Project::default();
        files.rules.insert("rules/hot.rhai".into(), rules.into());
        files.channels.insert("console".into(), ("channels/console.yaml".into(), "type: console\n".into()));
        let texts = BTreeMap::from([(Arc::from("rules/hot.test.rhai"), Arc::from(tests))]);
        let project = Arc::new(Project::load(&files).unwrap());
        let mut reports = Vec::new();
        let jobs = NonZeroUsize::new(2).unwrap();
        run_files(&texts, &project, None, jobs, |report| {
            reports.push(report);
            Ok::<(), ()>(())
        })
        .unwrap();
        assert!(reports.iter().all(|report| report.n_failed() == 0), "{reports:?}");
        mutate(&files, &project.rules, &reports, &texts, jobs, |_, _| ())
    }

    fn survivors(tests: &str) -> (MutationReport, Vec<String>) {
        let report = mutated(RULES, tests);
        let lines = report.survivors.iter().map(|s| format!("{} -> {}", s.before, s.after)).collect();
        (report, lines)
    }

    #[test]
    fn a_test_in_which_a_rule_takes_nobody_is_one_of_it() {
        let report = mutated(
            r#"rule("hot", #{ on: "host", where: |s| s.labels.env == "prod" && s.heat > 5, when: |s| s.heat > 80 });"#,
            r#"test("a host of the stage is left alone", |t| {
                let host = t.subject("host", "a", #{ env: "stage" });
                host.set(#{ heat: 99 });
                t.advance("5m");
                t.expect_inactive("hot", "a");
            });"#,
        );
        assert!(report.survivors.iter().all(|survivor| survivor.kind != MutationKind::Boolean), "{report:?}");
    }

    #[test]
    fn what_no_test_notices_is_listed_and_a_sharper_test_notices_it() {
        let (blunt, lines) = survivors(
            r#"test("it is hot", |t| {
                let host = t.subject("host", "a");
                host.set(#{ heat: 99, fans: 0 });
                t.advance("5m");
                t.expect_firing("hot", "a");
            });"#,
        );
        assert_eq!(blunt.mutants, blunt.noticed + blunt.refused + blunt.survivors.len());
        assert!(lines.contains(&"s.heat > 80 && s.fans < 2 -> s.heat > 80 || s.fans < 2".to_string()), "{lines:?}");
        assert!(lines.contains(&"hold: \"1m\" -> hold: \"0s\"".to_string()), "{lines:?}");
        assert!(blunt.survivors.iter().all(|survivor| survivor.tests == 1 && !survivor.advice.is_empty()));
        let (sharp, lines) = survivors(
            r#"test("it is hot for a minute, with too few fans, until it is cool", |t| {
                let host = t.subject("host", "a");
                host.set(#{ heat: 81, fans: 1 });
                t.advance("50s");
                t.expect_pending("hot", "a");
                t.advance("20s");
                t.expect_firing("hot", "a");
                host.set(#{ heat: 75, fans: 1 });
                t.advance("2m");
                t.expect_firing("hot", "a");
                host.set(#{ heat: 69, fans: 1 });
                t.advance("2m");
                t.expect_recovered("hot", "a");
                host.set(#{ heat: 79, fans: 1 });
                t.advance("5m");
                t.expect_inactive("hot", "a");
                host.set(#{ heat: 99, fans: 2 });
                t.advance("5m");
                t.expect_inactive("hot", "a");
            });"#,
        );
        assert_eq!((sharp.noticed, lines), (sharp.mutants, Vec::new()));
    }
}
