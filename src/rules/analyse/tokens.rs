//! A script's text as tokens: where each begins and ends, and which brackets belong together.
//!
//! Rhai's own syntax tree says where an expression begins, and not where it ends.

use super::Place;

/// One token. Offsets count characters from the beginning of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its first character.
    pub(crate) start: usize,
    /// The character after its last one.
    pub(crate) end: usize,
}

/// A text and its tokens, comments and space left out.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    chars: Vec<char>,
    /// The offset at which each line begins.
    lines: Vec<usize>,
    tokens: Vec<Token>,
    /// Of each token the bracket that belongs to it.
    partner: Vec<Option<usize>>,
}

/// A range of tokens, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// The first token.
    pub(crate) first: usize,
    /// The last token.
    pub(crate) last: usize,
}

impl Tokens {
    /// Reads a text. Never fails: what is not closed ends with the text.
    pub(crate) fn new(text: &str) -> Tokens {
        let chars: Vec<char> = text.chars().collect();
        let ends = chars.iter().enumerate().filter(|(_, c)| **c == '\n').map(|(index, _)| index + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            let end = token_end(&chars, at);
            if !is_space(&chars, at) {
                tokens.push(Token { start: at, end });
            }
            at = end;
        }
        let mut tokens = Tokens { chars, lines, partner: vec![None; tokens.len()], tokens };
        tokens.pair();
        tokens
    }

    fn pair(&mut self) {
        let mut open = Vec::new();
        for index in 0..self.tokens.len() {
            match self.last_char(index) {
                '(' | '[' | '{' => open.push(index),
                ')' | ']' | '}' => {
                    if let Some(partner) = open.pop() {
                        self.partner[partner] = Some(index);
                        self.partner[index] = Some(partner);
                    }
                }
                _ => (),
            }
        }
    }

    /// The character by which brackets are told: texts and words end otherwise.
    fn last_char(&self, index: usize) -> char {
        let Token { start, end } = self.tokens[index];
        match (self.chars[start], self.chars.get(start + 1)) {
            ('"' | '`' | '\'', _) | ('#', Some('#' | '"')) => '"',
            _ => self.chars[end - 1],
        }
    }

    /// The token in which a place lies.
    pub(crate) fn at(&self, place: Place) -> Option<usize> {
        let offset = self.offset(place)?;
        let index = self.tokens.partition_point(|token| token.end <= offset);
        (self.tokens.get(index)?.start <= offset).then_some(index)
    }

    /// The text of a token.
    pub(crate) fn text(&self, index: usize) -> String {
        self.tokens.get(index).map(|token| self.chars[token.start..token.end].iter().collect()).unwrap_or_default()
    }

    /// The bracket that belongs to this one.
    pub(crate) fn partner(&self, index: usize) -> Option<usize> {
        self.partner.get(index).copied().flatten()
    }

    /// The range made so large that no bracket in it lacks its partner.
    pub(crate) fn balanced(&self, mut range: Range) -> Range {
        loop {
            let partners = (range.first..=range.last).filter_map(|index| self.partner(index));
            let (first, last) = partners.fold((range.first, range.last), |(f, l), p| (f.min(p), l.max(p)));
            if (first, last) == (range.first, range.last) {
                return range;
            }
            range = Range { first, last };
        }
    }

    /// The closure whose first bar is this token: up to where its surroundings go on.
    pub(crate) fn closure(&self, bar: usize) -> Range {
        let is_second_bar = |index: &usize| self.text(*index) == "|";
        let mut at = match self.text(bar).as_str() {
            "|" => (bar + 1..self.tokens.len()).find(is_second_bar).map_or(self.tokens.len(), |second| second + 1),
            _ => bar + 1,
        };
        let mut last = at.saturating_sub(1).min(self.tokens.len() - 1);
        while at < self.tokens.len() && !matches!(self.text(at).as_str(), "," | ";" | ")" | "]" | "}") {
            last = self.partner(at).filter(|partner| *partner > at).unwrap_or(at);
            at = last + 1;
        }
        Range { first: bar, last }
    }

    /// The characters of a range: the first, and the one after the last.
    pub(crate) fn chars(&self, range: Range) -> (usize, usize) {
        (self.tokens[range.first].start, self.tokens[range.last].end)
    }

    /// The offset of a place.
    pub(crate) fn offset(&self, place: Place) -> Option<usize> {
        Some(self.lines.get(place.line.checked_sub(1)?)? + place.column.checked_sub(1)?)
    }

    /// The offset at which the line of a character ends.
    pub(crate) fn line_end(&self, offset: usize) -> usize {
        self.chars[offset..].iter().position(|c| *c == '\n').map_or(self.chars.len(), |length| offset + length)
    }

    /// Where a character stands.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset);
        Place { line, column: offset - self.lines[line - 1] + 1 }
    }

    /// The text of a range on one line: its comments and layout become single spaces.
    pub(crate) fn one_line(&self, range: Range) -> String {
        let mut text = String::new();
        let mut end = self.tokens[range.first].start;
        for token in &self.tokens[range.first..=range.last] {
            if token.start > end {
                text.push(' ');
            }
            text.extend(&self.chars[token.start..token.end]);
            end = token.end;
        }
        text
    }

    /// The last token before the comma or bracket at which the surroundings of a value go on.
    pub(crate) fn until_comma(&self, value: usize) -> usize {
        match self.text(value).as_str() {
            "|" | "||" => self.closure(value).last,
            _ => self.closure(value.saturating_sub(1)).last.max(value),
        }
    }

    /// The characters of a range on one line, with some of them replaced.
    pub(crate) fn changed(&self, start: usize, end: usize, (from, to, by): (usize, usize, &str)) -> String {
        let (from, to) = (from.max(start), to.min(end).max(from.max(start)));
        let mut text: String = self.chars[start..from.min(end)].iter().collect();
        text.push_str(by);
        text.extend(&self.chars[to.min(end)..end]);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The text with pieces put in: `(offset, text)`, in order; those at one offset stand as they come.
    pub(crate) fn with(&self, pieces: &[(usize, String)]) -> String {
        let mut text = String::with_capacity(self.chars.len() * 2);
        let mut done = 0;
        for (offset, piece) in pieces {
            text.extend(&self.chars[done..*offset]);
            text.push_str(piece);
            done = *offset;
        }
        text.extend(&self.chars[done..]);
        text
    }

    /// The text with the characters from `start` to `end` replaced.
    pub(crate) fn replaced(&self, start: usize, end: usize, by: &str) -> String {
        let mut text: String = self.chars[..start].iter().collect();
        text.push_str(by);
        text.extend(&self.chars[end..]);
        text
    }
}

fn is_space(chars: &[char], at: usize) -> bool {
    chars[at].is_whitespace() || (chars[at] == '/' && matches!(chars.get(at + 1), Some('/' | '*')))
}

/// Whether a character belongs to a word.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Operators of more than one character, longer ones first.
const OPERATORS: [&str; 29] = [
    "<<=", ">>=", "**=", "..=", "!in", "#{", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "?[", "::", "=>", "->",
    "..", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "**", "<<", ">>",
];

/// The character after the token, comment or space that begins here.
fn token_end(chars: &[char], at: usize) -> usize {
    let while_from = |from: usize, is: &dyn Fn(char) -> bool| {
        chars[from..].iter().position(|c| !is(*c)).map_or(chars.len(), |length| from + length)
    };
    match (chars[at], chars.get(at + 1)) {
        (c, _) if c.is_whitespace() => while_from(at, &char::is_whitespace),
        ('/', Some('/')) => while_from(at, &|c| c != '\n'),
        ('/', Some('*')) => comment_end(chars, at),
        ('"' | '\'', _) => quoted_end(chars, at),
        ('`', _) => template_end(chars, at),
        ('#', Some('#' | '"')) => raw_end(chars, at),
        (c, _) if c.is_ascii_digit() => number_end(chars, at),
        (c, _) if is_word(c) => while_from(at, &is_word),
        _ => {
            let is_here = |operator: &&&str| operator.chars().eq(chars[at..].iter().copied().take(operator.len()));
            at + OPERATORS.iter().find(is_here).map_or(1, |operator| operator.len())
        }
    }
}

/// `1_000`, `0x1f`, `1.5`, `1.`, `1e-3`; `1..2` is a range.
fn number_end(chars: &[char], start: usize) -> usize {
    let mut at = start;
    while let Some(c) = chars.get(at) {
        let before = chars[at - usize::from(at > start)];
        let is_hex = chars.get(start + 1).is_some_and(|c| matches!(c, 'x' | 'X'));
        let goes_on = is_word(*c)
            || *c == '.' && chars.get(at + 1).is_none_or(|next| next.is_ascii_digit())
            || matches!(c, '+' | '-') && matches!(before, 'e' | 'E') && !is_hex;
        if !goes_on {
            break;
        }
        at += 1;
    }
    at
}

/// The index after the quoted text that begins at `start`. Quotes that are not escaped end it.
pub(super) fn quoted_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(c) = chars.get(at) {
        match c {
            '\\' => at += 1,
            c if *c == chars[start] => return at + 1,
            _ => (),
        }
        at += 1;
    }
    chars.len()
}

/// `#"..."#`: ends at a quote with as many hashes.
fn raw_end(chars: &[char], start: usize) -> usize {
    let n_hashes = chars[start..].iter().take_while(|c| **c == '#').count();
    if chars.get(start + n_hashes) != Some(&'"') {
        return start + 1;
    }
    let ends = |at: &usize| {
        chars[*at] == '"' && chars[at + 1..].iter().take(n_hashes).filter(|c| **c == '#').count() == n_hashes
    };
    (start + n_hashes + 1..chars.len()).find(ends).map_or(chars.len(), |quote| quote + 1 + n_hashes)
}

/// Backticks, with code between `${` and `}`.
fn template_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(c) = chars.get(at) {
        match (c, chars.get(at + 1)) {
            ('`', Some('`')) => at += 2,
            ('`', _) => return at + 1,
            ('$', Some('{')) => {
                at += 2;
                let mut depth = 1;
                while depth > 0 && at < chars.len() {
                    match chars[at] {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => (),
                    }
                    at = if chars[at] == '#' { at + 1 } else { token_end(chars, at) };
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

/// The index after the block comment that begins at `start`. Comments nest.
pub(super) fn comment_end(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start + 2, 1);
    while depth > 0 && at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 1;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 1;
            }
            _ => (),
        }
        at += 1;
    }
    at.min(chars.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let tokens = Tokens::new(text);
        (0..tokens.tokens.len()).map(|index| tokens.text(index)).collect()
    }

    #[test]
    fn a_text_falls_into_tokens() {
        let cases: [(&str, &[&str]); 9] = [
            ("s.rate(\"a b\", '5')>=1.5e-3", &["s", ".", "rate", "(", "\"a b\"", ",", "'5'", ")", ">=", "1.5e-3"]),
            ("a/*x /*y*/ z*/b//c\nd", &["a", "b", "d"]),
            ("1..5 1.. 2.0 0x1f-1", &["1", "..", "5", "1", "..", "2.0", "0x1f", "-", "1"]),
            ("`a ${ f(`b ${1}`, #{ x: 1 }) } ` + c", &["`a ${ f(`b ${1}`, #{ x: 1 }) } `", "+", "c"]),
            ("#{ a: |x| x }", &["#{", "a", ":", "|", "x", "|", "x", "}"]),
            ("\"a\\\"b\" c", &["\"a\\\"b\"", "c"]),
            ("\"open", &["\"open"]),
            ("a == #\"C:\\\"# && ##\"x\"#y\"## b", &["a", "==", "#\"C:\\\"#", "&&", "##\"x\"#y\"##", "b"]),
            ("x?.y ?? z", &["x", "?.", "y", "??", "z"]),
        ];
        for (text, expected) in cases {
            assert_eq!(texts(text), expected, "{text}");
        }
    }

    #[test]
    fn a_place_finds_its_token_and_a_range_keeps_its_brackets() {
        let tokens = Tokens::new("x\n  f(a[1] + 2) * (3)");
        let place = |line, column| tokens.at(Place { line, column });
        assert_eq!(
            (place(2, 3), place(2, 5), place(2, 4), place(2, 1), place(3, 1)),
            (Some(1), Some(3), Some(2), None, None)
        );
        let range = |first, last| tokens.one_line(tokens.balanced(Range { first, last }));
        assert_eq!(range(3, 5), "a[1]");
        assert_eq!(range(5, 6), "[1]");
        assert_eq!(range(2, 2), "(a[1] + 2)");
        assert_eq!(tokens.place(tokens.tokens[1].start), Place { line: 2, column: 3 });
    }
}
