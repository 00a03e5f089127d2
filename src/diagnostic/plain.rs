//! Texts of strangers, made harmless to show.

use std::borrow::Cow;

use super::Colour;

/// The text in one line: control characters and what nobody sees are gone, line breaks and tabs are spaces.
pub fn one_line(text: &str) -> String {
    text.chars().filter_map(|c| if matches!(c, '\n' | '\t') { Some(' ') } else { shown(c) }).collect()
}

/// The text with its line breaks and tabs, without other control characters and what nobody sees.
pub fn lines(text: &str) -> String {
    text.chars().filter_map(|c| if matches!(c, '\n' | '\t') { Some(c) } else { shown(c) }).collect()
}

/// Whether nobody sees a character, or it turns the text around it (bidirectional overrides and isolates): with it a text
/// hides what it says. Spaces and joiners without width (U+200B to U+200D) are not among them: words and emoji need them.
pub const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text without what could control a terminal; line breaks and tabs stay, and colours where there are some. For
/// whatever is written to a terminal, since texts of strangers are in it.
pub fn harmless(text: &str, colours: Colour) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\u{1b}' if colours == Colour::On => colour_length(rest),
            '\r' if rest.starts_with("\r\n") => 2,
            c if is_plain(c) => c.len_utf8(),
            _ => 0,
        };
        kept.push_str(&rest[..length]);
        rest = &rest[length.max(c.len_utf8())..];
    }
    Cow::Owned(kept)
}

/// The length of the colour sequence (`ESC [ numbers m`) with which a text begins; 0 where it is another one.
fn colour_length(text: &str) -> usize {
    let Some(numbers) = text.strip_prefix("\u{1b}[") else { return 0 };
    match numbers.find(|c: char| !(c.is_ascii_digit() || c == ';')) {
        Some(end) if numbers[end..].starts_with('m') => "\u{1b}[".len() + end + 1,
        _ => 0,
    }
}

/// The character, unless it controls a terminal (C0, C1) or hides what a text says.
fn shown(c: char) -> Option<char> {
    (!c.is_control() && !is_invisible(c)).then_some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_is_gone() {
        assert_eq!(one_line("a\x1b[31mb\r\nc\td\u{9b}e\u{202e}f\0"), "a[31mb c def");
        assert_eq!(lines("a\r\nb\x07"), "a\nb");
    }

    #[test]
    fn what_joins_emoji_and_letters_stays() {
        // U+200C and U+200D make words of Persian and of emoji.
        assert_eq!(one_line("👩\u{200d}💻 می\u{200c}خواهم"), "👩\u{200d}💻 می\u{200c}خواهم");
    }

    #[test]
    fn of_what_controls_a_terminal_its_colours_alone_stay() {
        let text = "\u{1b}[31mé\u{1b}[0m\u{1b}[2J\u{1b}[1;31m";
        assert_eq!(harmless(text, Colour::On), "\u{1b}[31mé\u{1b}[0m[2J\u{1b}[1;31m");
        assert_eq!(harmless(text, Colour::Off), "[31mé[0m[2J[1;31m");
    }
}
