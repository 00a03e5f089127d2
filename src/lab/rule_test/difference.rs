//! Where a notification is not as a test expects it, field by field.

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map, NativeCallContext};
use serde::Serialize;

use crate::diagnostic::did_you_mean;
use crate::rules::script::fault;

/// Characters of a text that are shown before the place where it differs.
const BEFORE: usize = 30;
/// Characters of a text that are shown at all.
const SHOWN: usize = 160;
/// Lines of a text that are compared one by one.
const MAX_LINES: usize = 200;

/// A field that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which: `alerts[0].level`.
    pub field: String,
    /// What was expected.
    pub expected: String,
    /// What is there.
    pub got: String,
    /// Line by line, for texts of several lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

impl Difference {
    fn new(field: &str, expected: impl Into<String>, got: impl Into<String>) -> Difference {
        Difference { field: field.to_string(), expected: expected.into(), got: got.into(), lines: Vec::new() }
    }

    /// For people. Of long texts the part that differs is shown.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}:", self.field)];
        if !self.lines.is_empty() {
            lines.extend(self.lines.iter().map(|line| format!("  {line}")));
            return lines;
        }
        let same = self.expected.chars().zip(self.got.chars()).take_while(|(a, b)| a == b).count();
        let skipped = if self.expected.chars().count().max(self.got.chars().count()) > SHOWN {
            same.saturating_sub(BEFORE)
        } else {
            0
        };
        lines.push(format!("  expected {}", part(&self.expected, skipped)));
        lines.push(format!("  got      {}", part(&self.got, skipped)));
        if same > 1 {
            let place = same - skipped + if skipped > 0 { 2 } else { 0 };
            lines.push(format!("           {}^", " ".repeat(place)));
        }
        lines
    }
}

/// A part of a text, with `..` where something is left out.
fn part(text: &str, skipped: usize) -> String {
    let before = if skipped > 0 { ".." } else { "" };
    let shown: String = text.chars().skip(skipped).take(SHOWN).collect();
    let behind = if text.chars().count() > skipped + SHOWN { ".." } else { "" };
    format!("{before}{shown}{behind}")
}

/// Compares what is expected with what is there. Maps need only have what is expected, arrays are compared item by item,
/// closures are asked.
///
/// # Errors
/// Where a closure fails.
pub(crate) fn differences(
    context: &NativeCallContext,
    expected: &Map,
    got: &Map,
) -> Result<Vec<Difference>, Box<EvalAltResult>> {
    let mut found = Vec::new();
    maps(context, expected, got, "", &mut found)?;
    Ok(found)
}

fn maps(
    context: &NativeCallContext,
    expected: &Map,
    got: &Map,
    path: &str,
    found: &mut Vec<Difference>,
) -> Result<(), Box<EvalAltResult>> {
    for (name, wanted) in expected {
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        match got.get(name) {
            Some(there) => values(context, wanted, there, &path, found)?,
            None if wanted.is_unit() => {}
            None => {
                let names = || got.keys().map(|name| name.as_str());
                let hint = did_you_mean(name, names())
                    .unwrap_or_else(|| format!("the fields are {}", names().collect::<Vec<_>>().join(", ")));
                found.push(Difference::new(&path, shown(wanted), format!("there is no such field: {hint}")));
            }
        }
    }
    Ok(())
}

fn values(
    context: &NativeCallContext,
    expected: &Dynamic,
    got: &Dynamic,
    path: &str,
    found: &mut Vec<Difference>,
) -> Result<(), Box<EvalAltResult>> {
    if let Some(closure) = expected.read_lock::<FnPtr>() {
        let answer: Dynamic = closure.call_within_context(context, (got.clone(),))?;
        match answer.as_bool() {
            Ok(true) => {}
            Ok(false) => found.push(Difference::new(path, "what the closure takes", shown(got))),
            Err(_) => {
                return Err(fault(format!("the closure for `{path}` says true or false, not {}", answer.type_name())));
            }
        }
        return Ok(());
    }
    if let (Some(expected), Some(got)) = (expected.read_lock::<Map>(), got.read_lock::<Map>()) {
        return maps(context, &expected, &got, path, found);
    }
    if let (Some(expected), Some(got)) = (expected.read_lock::<Array>(), got.read_lock::<Array>()) {
        if expected.len() != got.len() {
            let count = |n: usize| format!("{n} item{}", if n == 1 { "" } else { "s" });
            found.push(Difference::new(path, count(expected.len()), count(got.len())));
        }
        for (index, (expected, got)) in expected.iter().zip(got.iter()).enumerate() {
            values(context, expected, got, &format!("{path}[{index}]"), found)?;
        }
        return Ok(());
    }
    if is_equal(expected, got) {
        return Ok(());
    }
    let mut difference = Difference::new(path, shown(expected), shown(got));
    if let (Ok(expected), Ok(got)) = (expected.as_immutable_string_ref(), got.as_immutable_string_ref())
        && (expected.contains('\n') || got.contains('\n'))
    {
        difference.lines = line_by_line(&expected, &got);
    }
    found.push(difference);
    Ok(())
}

fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|whole| whole as f64))
}

fn is_equal(expected: &Dynamic, got: &Dynamic) -> bool {
    if let (Some(expected), Some(got)) = (number(expected), number(got)) {
        return expected == got;
    }
    if let (Ok(expected), Ok(got)) = (expected.as_immutable_string_ref(), got.as_immutable_string_ref()) {
        return *expected == *got;
    }
    match (expected.as_bool(), got.as_bool()) {
        (Ok(expected), Ok(got)) => expected == got,
        _ => expected.is_unit() && got.is_unit(),
    }
}

/// A value as a test would write it.
fn shown(value: &Dynamic) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return format!("{:?}", text.as_str());
    }
    match (value.is_unit(), value.is_fnptr()) {
        (true, _) => "()".to_string(),
        (_, true) => "what the closure takes".to_string(),
        _ => value.to_string(),
    }
}

/// Two texts: lines that are in both, only expected (`-`), and only there (`+`).
fn line_by_line(expected: &str, got: &str) -> Vec<String> {
    let (a, b): (Vec<&str>, Vec<&str>) =
        (expected.lines().take(MAX_LINES).collect(), got.lines().take(MAX_LINES).collect());
    // The length of the longest common subsequence of what follows each pair of places.
    let mut common = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] = if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push(format!("  {}", a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("- {}", a[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", b[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(expected: &str, got: &str) -> Vec<String> {
        Difference::new("text", expected, got).lines()
    }

    #[test]
    fn the_first_place_that_differs_is_marked() {
        assert_eq!(
            told("\"[warning] hot a\"", "\"[warning] hot b\""),
            [
                "text:",
                "  expected \"[warning] hot a\"",
                "  got      \"[warning] hot b\"",
                "                          ^"
            ]
        );
        assert_eq!(told("1", "2"), ["text:", "  expected 1", "  got      2"]);
    }

    #[test]
    fn of_a_long_text_the_part_that_differs_is_shown() {
        let text = |word: &str| format!("{}{word}{}", "é".repeat(500), "z".repeat(500));
        let lines = told(&text("one"), &text("two"));
        assert!(lines[1].starts_with(&format!("  expected ..{}one", "é".repeat(BEFORE))), "{}", lines[1]);
        assert!(lines[2].contains("two") && lines[2].ends_with(".."), "{}", lines[2]);
        assert_eq!(lines[3].chars().count(), "  expected ..".len() + BEFORE + 1);
    }

    #[test]
    fn texts_of_several_lines_are_compared_line_by_line() {
        let lines = line_by_line("one\ntwo\nthree\nfour", "one\n2\nthree\nfour\nfive");
        assert_eq!(lines, ["  one", "- two", "+ 2", "  three", "  four", "+ five"]);
        assert_eq!(line_by_line("", "a"), ["+ a"]);
    }
}
