//! Texts of strangers, made harmless: control characters, and lengths.

/// The text in one line: control characters and marks that reorder text are gone, line breaks and tabs are spaces.
pub(super) fn one_line(text: &str) -> String {
    text.chars().filter_map(|c| if matches!(c, '\n' | '\t') { Some(' ') } else { shown(c) }).collect()
}

/// The text with its line breaks and tabs, without other control characters and marks that reorder text.
pub(super) fn lines(text: &str) -> String {
    text.chars().filter_map(|c| if matches!(c, '\n' | '\t') { Some(c) } else { shown(c) }).collect()
}

/// The character, unless it controls a terminal or hides what a text says (C0, C1, bidi overrides and isolates).
fn shown(c: char) -> Option<char> {
    let hidden = c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    (!hidden).then_some(c)
}

/// At most `max` bytes of UTF-8 of the text, cut between characters, with an ellipsis where something is missing.
pub(super) fn cut(text: &str, max: usize) -> String {
    const ELLIPSIS: &str = "…";
    if text.len() <= max {
        return text.to_string();
    }
    let mut end = max.saturating_sub(ELLIPSIS.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // A joined emoji is not cut into another one.
    let kept = text[..end].trim_end_matches(['\u{200d}', '\u{fe0f}']);
    match max < ELLIPSIS.len() {
        true => String::new(),
        false => format!("{kept}{ELLIPSIS}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_controls_a_terminal_is_gone() {
        assert_eq!(one_line("a\x1b[31mb\r\nc\td\u{9b}e\u{202e}f\0"), "a[31mb c def");
        assert_eq!(lines("a\r\nb\x07"), "a\nb");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("shorter", 6), "sho…");
        assert_eq!(cut("é😀😀", 7), "é…");
        assert_eq!(cut("😀😀", 2), "");
    }

    proptest! {
        #[test]
        fn a_cut_text_fits_and_begins_as_the_whole(text in "\\PC{0,60}", max in 0usize..80) {
            let short = cut(&text, max);
            prop_assert!(short.len() <= max);
            prop_assert!(text.starts_with(short.trim_end_matches('…')) || text.contains('…'));
            prop_assert_eq!(text.len() <= max, short == text);
        }
    }
}
