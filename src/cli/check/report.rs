//! Problems as editors read them.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use crate::diagnostic::{Diagnostic, Severity, one_line};

/// A problem, with what it was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// A short word that stays: `file`, `settings`, `channel`, `rule`, `test`, `unused` or `daemon`.
    pub(super) code: &'static str,
    /// What is known of it.
    pub(super) known: Diagnostic,
}

/// A problem as JSON. Lines and columns count characters from 1; the end is the place after the last character.
#[derive(Serialize)]
struct Document<'a> {
    severity: Severity,
    code: &'a str,
    file: &'a str,
    /// `None` where it is not of a file.
    path: Option<PathBuf>,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    message: &'a str,
    hint: Option<&'a str>,
    source_line: Option<&'a str>,
}

impl Problem {
    /// Problems that were all found in the same.
    pub(super) fn all(code: &'static str, problems: Vec<Diagnostic>) -> Vec<Problem> {
        problems.into_iter().map(|known| Problem { code, known }).collect()
    }

    /// Line, column, and the column after the end, all from 1: a problem of a whole line spans it, one of a whole file
    /// stands before its first character.
    fn span(&self) -> (usize, usize, usize) {
        let Diagnostic { line, column, length, source_line, .. } = &self.known;
        let after = source_line.as_ref().map(|text| text.chars().count() + 1);
        match (*line, *column) {
            (0, _) => (1, 1, 1),
            (line, 0) => (line, 1, after.unwrap_or(1)),
            (line, column) => {
                let end = column + length;
                (line, column, after.map_or(end, |after| end.min(after.max(column))))
            }
        }
    }

    /// The file as it is reached from where the command runs.
    fn reached(&self, dir: &Path, config: Option<&Path>) -> PathBuf {
        let file = Path::new(&*self.known.file);
        // Another settings file, and a folder that is not there, are named as they were given.
        if config == Some(file) || file == dir || dir == Path::new(".") {
            return file.to_path_buf();
        }
        dir.join(file)
    }

    /// The problem in one line.
    pub(super) fn short(&self, dir: &Path, config: Option<&Path>) -> String {
        let (line, column, _) = self.span();
        let severity = match self.known.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let file = self.reached(dir, config);
        let hint = self.known.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let text = format!("{}:{line}:{column}: {severity}: {}{hint}", file.display(), self.known.message);
        one_line(&text)
    }

    fn document(&self, dir: &Path, config: Option<&Path>) -> Document<'_> {
        let (line, column, end_column) = self.span();
        let Diagnostic { severity, file, message, hint, source_line, .. } = &self.known;
        let path = (self.code != "daemon" || dir.join(&**file).exists()).then(|| self.reached(dir, config));
        let path = path.map(|path| std::path::absolute(&path).unwrap_or(path));
        Document {
            severity: *severity,
            code: self.code,
            file,
            path: path.map(|path| path.components().collect()),
            line,
            column,
            end_line: line,
            end_column,
            message,
            hint: hint.as_deref(),
            source_line: source_line.as_deref(),
        }
    }
}

/// By file and place.
pub(super) fn sorted(problems: &[Problem]) -> Vec<&Problem> {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    let key = |problem: &Problem| {
        let Diagnostic { file, line, column, severity, message, .. } = problem.known.clone();
        (file, line, column, severity, message)
    };
    sorted.sort_by_key(|problem| key(problem));
    sorted
}

/// All problems for programs.
pub(super) fn json(problems: &[Problem], dir: &Path, config: Option<&Path>) -> serde_json::Value {
    let n_errors = problems.iter().filter(|problem| problem.known.severity == Severity::Error).count();
    let documents: Vec<Document<'_>> =
        sorted(problems).into_iter().map(|problem| problem.document(dir, config)).collect();
    json!({ "errors": n_errors, "warnings": problems.len() - n_errors, "problems": documents })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str, line: usize, column: usize, length: usize) -> Problem {
        let known = Diagnostic::error("rules/a.rhai", text, line, column, "no\nsuch thing").with_length(length);
        Problem { code: "rule", known }
    }

    #[test]
    fn places_are_characters_from_one_and_stay_inside_the_line() {
        let cases = [
            (problem("let é = x;", 1, 9, 1), (1, 9, 10)),
            (problem("let é = x;", 1, 9, 500), (1, 9, 11)),
            (problem("let é = x;", 1, 0, 1), (1, 1, 11)),
            (problem("", 0, 0, 1), (1, 1, 1)),
            (problem("a", 1, 7, 1), (1, 7, 7)),
            (problem("", 4, 2, 3), (4, 2, 5)),
        ];
        for (problem, span) in cases {
            assert_eq!(problem.span(), span, "{problem:?}");
        }
    }

    #[test]
    fn a_line_is_one_line_with_the_file_as_it_is_reached() {
        let short = |dir: &str, problem: Problem| problem.short(Path::new(dir), None);
        let hinted = |problem: Problem| Problem { known: problem.known.with_hint("try it"), ..problem };
        assert_eq!(short(".", problem("ab", 1, 2, 1)), "rules/a.rhai:1:2: error: no such thing");
        assert_eq!(
            short("alerts", hinted(problem("", 0, 0, 1))),
            "alerts/rules/a.rhai:1:1: error: no such thing (try it)"
        );
        let mut other = problem("ab", 1, 2, 1);
        other.known.file = "../prod.yaml".into();
        let config = Path::new("../prod.yaml");
        assert!(other.short(Path::new("alerts"), Some(config)).starts_with("../prod.yaml:1:2: "));
    }
}
