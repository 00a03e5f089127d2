//! What became of the tests of one file.

use std::sync::Arc;

use serde::Serialize;

/// The tests of one file, or why it could not be run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileReport {
    /// The file as people name it: `rules/service.test.rhai`.
    pub file: Arc<str>,
    /// The tests that were run, in the order of the file.
    pub tests: Vec<TestReport>,
    /// Why the file cannot be run.
    pub problem: Option<FailureReport>,
}

/// What became of one test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestReport {
    /// Its name.
    pub name: String,
    /// The line at which it begins.
    pub line: usize,
    /// How many expectations it made.
    pub expectations: usize,
    /// Why it failed; `None` where it passed.
    pub failure: Option<FailureReport>,
}

/// Why a test failed, with what is needed to understand it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailureReport {
    /// The line, from 1; 0 where it is unknown.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The text of the line.
    pub source: Option<String>,
    /// What was expected, or what is wrong.
    pub message: String,
    /// What was found instead.
    pub got: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// What happened to the alert, or to everything.
    pub timeline: Vec<String>,
    /// Lines that the rules or the test printed.
    pub prints: Vec<String>,
}

impl FileReport {
    /// How many tests passed.
    pub fn n_passed(&self) -> usize {
        self.tests.iter().filter(|test| test.failure.is_none()).count()
    }

    /// How many tests failed; a file that cannot be run counts as one.
    pub fn n_failed(&self) -> usize {
        self.tests.len() - self.n_passed() + usize::from(self.problem.is_some())
    }
}

impl FailureReport {
    /// The failure in lines for people, after its headline.
    pub fn lines(&self, file: &str) -> Vec<String> {
        let mut lines = Vec::new();
        match self.line {
            0 => lines.push(format!("  {file}")),
            line => lines.push(format!("  {file}:{line}:{}", self.column.max(1))),
        }
        if let Some(source) = &self.source {
            lines.push(format!("  {:>4} | {source}", self.line));
            if self.column > 0 {
                lines.push(format!("       | {}^", " ".repeat(self.column - 1)));
            }
        }
        lines.extend(labelled("", &self.message));
        lines.extend(self.got.iter().flat_map(|got| labelled("got: ", got)));
        lines.extend(self.hint.iter().flat_map(|hint| labelled("hint: ", hint)));
        if !self.timeline.is_empty() {
            lines.push("  time line:".to_string());
            lines.extend(self.timeline.iter().map(|line| format!("    {line}")));
        }
        if !self.prints.is_empty() {
            lines.push("  printed:".to_string());
            lines.extend(self.prints.iter().map(|line| format!("    {line}")));
        }
        lines
    }
}

/// A text behind a label, further lines below its beginning.
fn labelled<'a>(label: &'a str, text: &'a str) -> impl Iterator<Item = String> + 'a {
    let indent = " ".repeat(label.len());
    let line = move |(index, line): (usize, &str)| format!("  {}{line}", if index == 0 { label } else { &indent });
    text.lines().enumerate().map(line)
}
