//! Markup of strangers' texts, made harmless. What stands in a template itself is the operator's, and stays.

use minijinja::{Error, Output, Value};

/// How values are escaped in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Not at all: the receiver shows plain text.
    None,
    /// For WeCom's text messages, in which `<@id>` mentions somebody.
    WecomText,
    /// For WeCom's markdown, in which there are also links, bold, code, quotes, headings and colours.
    WecomMarkdown,
}

impl Escape {
    /// All ways, in the order of their numbers.
    pub(super) const ALL: [Escape; 3] = [Escape::None, Escape::WecomText, Escape::WecomMarkdown];

    /// The text, escaped.
    pub fn apply(self, text: &str) -> String {
        match self {
            Escape::None => text.to_string(),
            // WeCom knows no escape character: a wide bracket looks alike and means nothing.
            Escape::WecomText => text.replace('<', "＜").replace("\\u", "\\\u{200b}u"),
            Escape::WecomMarkdown => wecom_markdown(text),
        }
    }

    pub(super) fn write(self, out: &mut Output<'_>, value: &Value) -> Result<(), Error> {
        let text = value.to_string();
        let text = match value.is_safe() {
            true => text,
            false => self.apply(&text),
        };
        out.write_str(&text).map_err(Error::from)
    }
}

/// WeCom knows no escape character: what would be markup becomes a character that looks like it, or is broken up by a
/// space of no width. So is `\u`, which WeCom refuses wherever it stands in the body (errcode 40033).
fn wecom_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, c) in text.chars().enumerate() {
        match c {
            '<' => escaped.push('＜'),
            '>' => escaped.push('＞'),
            '`' => escaped.push('\''),
            '*' => escaped.push_str("*\u{200b}"),
            ']' => escaped.push_str("]\u{200b}"),
            '\\' => escaped.push_str("\\\u{200b}"),
            '#' if index == 0 => escaped.push_str("\u{200b}#"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_markup_of_wecom_survives() {
        let text = "# <@all> <font color=\"warning\">**x**</font> [a](http://evil.example) `c` > q";
        let escaped = Escape::WecomMarkdown.apply(text);
        for markup in ["<", ">", "**", "](", "`"] {
            assert!(!escaped.contains(markup), "{markup} in {escaped}");
        }
        assert!(!escaped.starts_with('#'));
        assert_eq!(Escape::WecomText.apply("<@all> a > b"), "＜@all> a > b");
        for escape in [Escape::WecomText, Escape::WecomMarkdown] {
            assert!(!escape.apply("C:\\users\\u0041").contains("\\u"));
        }
    }

    #[test]
    fn the_names_that_people_use_stay_as_they_are() {
        for name in ["high_error_rate", "web-1:/var", "fs/read_file", "30% of calls", "node{device=\"sda\"}"] {
            assert_eq!(Escape::WecomMarkdown.apply(name), name);
        }
    }
}
