//! Problems in the files that people write: where, what, and what to do.

mod plain;
mod render;

use std::fmt;
use std::sync::Arc;

pub use plain::{harmless, is_invisible, lines, one_line};
pub use render::{Colour, count, render, render_all, sorted};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, but probably not as meant.
    Warning,
    /// The file cannot be used.
    Error,
}

/// A problem in a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file as a person would name it, relative to the project folder: `rules/service.rhai`.
    pub file: Arc<str>,
    /// Line, from 1; 0 where the problem is of the whole file.
    pub line: usize,
    /// Column in characters, from 1; 0 where the problem is of the whole line.
    pub column: usize,
    /// How many characters it spans, at least 1.
    pub length: usize,
    /// What is wrong, in one lowercase sentence without a period.
    pub message: String,
    /// What to do: "did you mean `error_rate`?".
    pub hint: Option<String>,
    /// The text of the line, where it is known.
    pub source_line: Option<String>,
}

impl Diagnostic {
    /// An error at a place in a text (line and column from 1).
    pub fn error(
        file: impl Into<Arc<str>>,
        text: &str,
        line: usize,
        column: usize,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            file: file.into(),
            line,
            column,
            length: 1,
            message: message.into(),
            hint: None,
            source_line: line.checked_sub(1).and_then(|index| text.lines().nth(index)).map(str::to_string),
        }
    }

    /// An error of a whole file.
    pub fn of_file(file: impl Into<Arc<str>>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(file, "", 0, 0, message)
    }

    /// The same problem as a warning.
    #[must_use]
    pub fn into_warning(mut self) -> Diagnostic {
        self.severity = Severity::Warning;
        self
    }

    /// The same problem with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    /// The same problem over several characters.
    #[must_use]
    pub fn with_length(mut self, length: usize) -> Diagnostic {
        self.length = length.max(1);
        self
    }
}

/// One line: `rules/service.rhai:2:9: error: unknown key `whn` (did you mean `when`?)`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column.max(1))?;
        }
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, ": {severity}: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// The candidate nearest to `word` by edit distance, where one is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", where a candidate is near.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|near| format!("did you mean `{near}`?"))
}

/// Edit distance with transpositions (optimal string alignment), without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = previous[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(previous[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[b.len()]
}

/// An error with all its causes, as one line: `cannot read rules/: permission denied`.
pub(crate) fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors repeat their source in their own text.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_a_different_word_is_not() {
        let keys = ["when", "where", "clear", "cooldown", "error_rate"];
        assert_eq!(nearest("whn", keys), Some("when"));
        assert_eq!(nearest("eror_rate", keys), Some("error_rate"));
        assert_eq!(nearest("cooldonw", keys), Some("cooldown"));
        assert_eq!(nearest("banana", keys), None);
    }
}
