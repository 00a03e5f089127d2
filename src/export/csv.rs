//! Lines for spreadsheets, as RFC 4180 has them.

use crate::diagnostic::lines;
use crate::model::Value;

/// One line with its end. A cell that a spreadsheet would take for a formula begins with `'`, as OWASP advises; control
/// characters are left out.
pub fn line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell_text| cell(cell_text.as_ref())).collect();
    format!("{}\r\n", cells.join(","))
}

/// One line whose last cell is a value. A number is one for a spreadsheet too, whatever it begins with, and in its shortest
/// form that reads as the same.
pub fn line_with<T: AsRef<str>>(cells: impl IntoIterator<Item = T>, value: &Value) -> String {
    let before = line(cells);
    let value = match value {
        Value::Number(number) => number.to_string(),
        Value::Bool(is) => is.to_string(),
        Value::Text(text) => cell(text),
    };
    format!("{},{value}\r\n", before.trim_end_matches("\r\n"))
}

fn cell(text: &str) -> String {
    let text = lines(text).replace('\t', " ");
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@']) || text.starts_with('\n');
    let text = if is_formula { format!("'{text}") } else { text };
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_a_meaning_in_csv_is_quoted() {
        assert_eq!(
            line(["a", "b,c", "say \"hi\"", "two\nlines", ""]),
            "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\",\r\n"
        );
    }

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "  =cmd|' /C calc'!A0", "\t=1", "\r=1"] {
            let cell = cell(text);
            assert!(cell.starts_with('\'') || cell.starts_with("\"'"), "{text:?}: {cell}");
        }
        assert_eq!(cell("a=b"), "a=b");
    }

    proptest! {
        #[test]
        fn a_line_is_read_back_as_it_was(cells in proptest::collection::vec("[a-z,\" ]{0,8}", 1..5)) {
            let line = line(&cells);
            // Written for this test alone: what RFC 4180 says of quotes.
            let (mut read, mut cell, mut quoted) = (Vec::new(), String::new(), false);
            let mut chars = line.trim_end_matches("\r\n").chars().peekable();
            while let Some(c) = chars.next() {
                match c {
                    '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
                    '"' => quoted = !quoted,
                    ',' if !quoted => read.push(std::mem::take(&mut cell)),
                    c => cell.push(c),
                }
            }
            read.push(cell);
            prop_assert_eq!(read, cells);
        }
    }
}
