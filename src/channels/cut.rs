//! Texts of strangers, cut to a length.

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
