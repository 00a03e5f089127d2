//! What is wrong now in the files of the project: for the log, `status` and the rules that watch the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::diagnostic::{Diagnostic, Severity};

/// Which part of the project a problem is of. Each part's problems are replaced as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// larum.yaml.
    Config,
    /// The files under `rules/`.
    Rules,
    /// The files under `channels/`.
    Channels,
    /// The collectors that larum.yaml asks for.
    Collectors,
    /// The certificate of the listener.
    Certificate,
    /// What takes effect only after a restart.
    Restart,
}

/// The problems of now. A problem is logged when it is first seen, and when it is over.
#[derive(Debug, Default)]
pub struct Problems {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    parts: BTreeMap<Part, Vec<Diagnostic>>,
    /// Files that had an error since start: they are reported as well again afterwards.
    seen_broken: BTreeSet<(Part, Arc<str>)>,
}

/// A file that has or had an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHealth {
    /// Which part of the project it is of.
    pub part: Part,
    /// Path relative to the project folder.
    pub file: Arc<str>,
    /// Its first error, where it has one now.
    pub error: Option<String>,
}

impl Problems {
    /// Replaces the problems of one part. Says whether anything changed.
    pub fn replace(&self, part: Part, mut problems: Vec<Diagnostic>) -> bool {
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        let mut state = self.state();
        let before = state.parts.insert(part, problems.clone()).unwrap_or_default();
        for problem in problems.iter().filter(|problem| !before.contains(problem)) {
            log(problem);
        }
        let broken = |problems: &[Diagnostic]| -> BTreeSet<Arc<str>> {
            problems.iter().filter(|p| p.severity == Severity::Error).map(|p| p.file.clone()).collect()
        };
        let broken_now = broken(&problems);
        for file in broken(&before).difference(&broken_now) {
            tracing::info!(file = %file, "file is good again");
        }
        state.seen_broken.extend(broken_now.into_iter().map(|file| (part, file)));
        before != problems
    }

    /// All problems, by part, file and line.
    pub fn all(&self) -> Vec<Diagnostic> {
        self.by_part().into_iter().map(|(_, problem)| problem).collect()
    }

    /// All problems with the part that they are of.
    pub fn by_part(&self) -> Vec<(Part, Diagnostic)> {
        let state = self.state();
        state.parts.iter().flat_map(|(part, all)| all.iter().map(|problem| (*part, problem.clone()))).collect()
    }

    /// How many files of a part have an error now.
    pub fn broken_files(&self, part: Part) -> usize {
        self.files().iter().filter(|health| health.part == part && health.error.is_some()).count()
    }

    /// The files that have an error, and those that had one since start.
    pub fn files(&self) -> Vec<FileHealth> {
        let state = self.state();
        let error_of = |part: &Part, file: &Arc<str>| {
            let problems = state.parts.get(part)?;
            let first = problems.iter().find(|p| p.file == *file && p.severity == Severity::Error)?;
            Some(first.to_string())
        };
        state
            .seen_broken
            .iter()
            .map(|(part, file)| FileHealth { part: *part, file: file.clone(), error: error_of(part, file) })
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log(problem: &Diagnostic) {
    let place = match problem.line {
        0 => problem.file.to_string(),
        line => format!("{}:{line}:{}", problem.file, problem.column.max(1)),
    };
    let (message, hint) = (&problem.message, problem.hint.as_deref().map(tracing::field::display));
    match problem.severity {
        Severity::Error => tracing::error!(place, problem = message, hint, "file cannot be used"),
        Severity::Warning => tracing::warn!(place, problem = message, hint, "file has a problem"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_broken_is_reported_as_well_again() {
        let problems = Problems::default();
        let broken = Diagnostic::error("rules/a.rhai", "rul(\"x\")", 1, 1, "unknown function `rul`");
        assert!(problems.replace(Part::Rules, vec![broken.clone()]));
        assert!(!problems.replace(Part::Rules, vec![broken.clone()]), "nothing new");
        assert_eq!(problems.broken_files(Part::Rules), 1);
        assert_eq!(problems.all(), [broken]);
        let error = problems.files()[0].error.clone();
        assert_eq!(error.as_deref(), Some("rules/a.rhai:1:1: error: unknown function `rul`"));

        assert!(problems.replace(Part::Rules, vec![]));
        assert_eq!(problems.broken_files(Part::Rules), 0);
        let healthy = FileHealth { part: Part::Rules, file: "rules/a.rhai".into(), error: None };
        assert_eq!(problems.files(), [healthy]);
    }

    #[test]
    fn a_warning_breaks_no_file_and_parts_do_not_replace_each_other() {
        let problems = Problems::default();
        problems.replace(Part::Rules, vec![Diagnostic::of_file("rules/a.rhai", "odd").into_warning()]);
        problems.replace(Part::Channels, vec![Diagnostic::of_file("channels/ops.yaml", "no `type`")]);
        assert_eq!((problems.broken_files(Part::Rules), problems.broken_files(Part::Channels)), (0, 1));
        assert_eq!(problems.all().len(), 2);
    }
}
