//! Pieces of a script's text, without comments and needless space.

use super::Place;
use super::tokens::{comment_end, is_word, quoted_end};

/// The text of the closure that begins at a place, normalised: equal for texts that differ in comments and layout alone.
pub(crate) fn closure_at(text: &str, place: Place) -> Option<String> {
    let mut chars: Vec<char> = text.lines().nth(place.line.checked_sub(1)?)?.chars().collect();
    let column = place.column.checked_sub(1)?;
    chars = chars.get(column..)?.to_vec();
    for line in text.lines().skip(place.line) {
        chars.push('\n');
        chars.extend(line.chars());
    }
    // The parameters: commas between the bars end nothing.
    let n_params = match chars.iter().position(|c| *c == '|') {
        Some(open) => open + 1 + chars[open + 1..].iter().position(|c| *c == '|').map_or(0, |close| close + 1),
        None => 0,
    };
    let (params, body) = chars.split_at(n_params);
    Some(normalise(params, false) + &normalise(body, true))
}

/// The text between two places, both included, normalised.
pub(crate) fn between(text: &str, start: Place, end: Place) -> Option<String> {
    let mut chars = Vec::new();
    for (index, line) in text.lines().enumerate().take(end.line).skip(start.line.checked_sub(1)?) {
        let from = if index + 1 == start.line { start.column.saturating_sub(1) } else { 0 };
        let to = if index + 1 == end.line { end.column } else { usize::MAX };
        chars.extend(line.chars().take(to).skip(from));
        chars.push('\n');
    }
    Some(normalise(&chars, false))
}

/// A whole text, normalised.
pub(crate) fn whole(text: &str) -> String {
    normalise(&text.chars().collect::<Vec<_>>(), false)
}

/// Where the scanner is.
enum Mode {
    /// In code, this many brackets deep.
    Code(usize),
    /// In a text between backticks.
    Template,
}

/// Drops comments and space. With `one_expression`, stops where the expression ends: at a comma, semicolon or bracket of its surroundings.
fn normalise(chars: &[char], one_expression: bool) -> String {
    let mut out = String::new();
    let mut modes = vec![Mode::Code(0)];
    let mut space = false;
    let mut i = 0;
    while let Some(&c) = chars.get(i) {
        let next = chars.get(i + 1).copied();
        let is_outermost = modes.len() == 1;
        let Some(Mode::Code(depth)) = modes.last_mut() else {
            out.push(c);
            match (c, next) {
                ('$', Some('{')) => {
                    out.push('{');
                    modes.push(Mode::Code(0));
                    i += 1;
                }
                ('`', _) => drop(modes.pop()),
                _ => (),
            }
            i += 1;
            continue;
        };
        if c.is_whitespace() {
            space = true;
            i += 1;
            continue;
        }
        match (c, next) {
            ('/', Some('/')) => {
                i += chars[i..].iter().position(|c| *c == '\n').unwrap_or(chars.len() - i);
                space = true;
                continue;
            }
            ('/', Some('*')) => {
                i = comment_end(chars, i);
                space = true;
                continue;
            }
            _ => (),
        }
        if space && out.ends_with(is_word) && is_word(c) {
            out.push(' ');
        }
        space = false;
        match c {
            '(' | '[' | '{' => *depth += 1,
            '}' if *depth == 0 && !is_outermost => drop(modes.pop()),
            ')' | ']' | '}' | ',' | ';' if *depth == 0 && is_outermost && one_expression => break,
            ')' | ']' | '}' => *depth = depth.saturating_sub(1),
            '`' => modes.push(Mode::Template),
            '"' | '\'' => {
                let end = quoted_end(chars, i);
                out.extend(&chars[i..end]);
                i = end;
                continue;
            }
            _ => (),
        }
        out.push(c);
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let column = text.find('|').unwrap() + 1;
        assert_eq!(closure_at(text, Place { line: 1, column }).unwrap(), expected);
    }

    #[test]
    fn a_closure_ends_where_its_surroundings_go_on() {
        check("when: |s| s.a > 1, hold: 1", "|s|s.a>1");
        check("f(|s, t| { s.a; t }, 2)", "|s,t|{s.a;t}");
        check("#{ when: |s| [1, 2].contains(s.a) }", "|s|[1,2].contains(s.a)");
        check("x: || if a { 1 } else { 2 }; y", "||if a{1}else{2}");
    }

    #[test]
    fn comments_and_layout_do_not_matter_and_texts_do() {
        check("|s| s.a /* b, c */ > // d\n 1, e", "|s|s.a>1");
        check("|s| \"a , // b\" + s.c, d", "|s|\"a , // b\"+s.c");
        check("|s| `a, ${ f(s, `x ${ 1 } y`) } , b`, d", "|s|`a, ${f(s,`x ${1} y`)} , b`");
        check("|s| s.a == '\\'' , d", "|s|s.a=='\\''");
    }
}
