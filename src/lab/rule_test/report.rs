//! What became of the tests of one file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::difference::Difference;
use crate::engine::Counts;
use crate::model::RuleName;

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
    /// Its place among the tests of its file, from 0.
    #[serde(skip)]
    pub place: usize,
    /// How long it took, by the clock on the wall; a failure is run twice.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// How many expectations it made.
    pub expectations: usize,
    /// The verdicts of each rule that judged anything in it.
    pub rules: BTreeMap<RuleName, Verdicts>,
    /// The rules that were asked anything in it, also where they took nobody.
    #[serde(skip)]
    pub asked: BTreeSet<RuleName>,
    /// Lines that the rules or the test printed.
    pub prints: Vec<String>,
    /// Why it failed; `None` where it passed.
    pub failure: Option<FailureReport>,
}

/// The verdicts of a rule in one test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    /// Some condition was true.
    pub fire: u64,
    /// No condition was true.
    pub clear: u64,
    /// There was no answer.
    pub no_data: u64,
    /// The script failed.
    pub error: u64,
}

impl Verdicts {
    /// These and further ones.
    #[must_use]
    pub(crate) fn and(self, counts: Counts) -> Verdicts {
        Verdicts {
            fire: self.fire + counts.fire,
            clear: self.clear + counts.clear,
            no_data: self.no_data + counts.no_data,
            error: self.error + counts.error,
        }
    }
}

/// Why a test failed, with what is needed to understand it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
    /// Of a notification that is not as expected, the fields that differ.
    pub differences: Vec<Difference>,
    /// What to do.
    pub hint: Option<String>,
    /// How the rule judges the alert at the end of the test: the values that it reads, and its parts.
    pub judged: Vec<String>,
    /// What each channel was told of the alert, or why not.
    pub channels: Vec<String>,
    /// What happened to the alert, or to everything.
    pub timeline: Vec<String>,
    /// Lines that the rules or the test printed.
    pub prints: Vec<String>,
}

fn seconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // To the microsecond: more is noise.
    serializer.serialize_f64((took.as_secs_f64() * 1e6).round() / 1e6)
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

    /// How long its tests took, one after the other.
    pub fn took(&self) -> Duration {
        self.tests.iter().map(|test| test.took).sum()
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
        lines.extend(self.differences.iter().flat_map(Difference::lines).map(|line| format!("    {line}")));
        lines.extend(self.hint.iter().flat_map(|hint| labelled("hint: ", hint)));
        let sections = [
            ("judged now", &self.judged),
            ("channels", &self.channels),
            ("time line", &self.timeline),
            ("printed", &self.prints),
        ];
        for (name, section) in sections.into_iter().filter(|(_, section)| !section.is_empty()) {
            lines.push(format!("  {name}:"));
            lines.extend(section.iter().map(|line| format!("    {line}")));
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
