//! The HTML part of a mail: the same words, with a coloured bar. No image, no script, no link but the ones in the text.

use crate::channels::message::{Message, Severity};
use crate::model::Level;

/// The page for a message.
pub(super) fn page(message: &Message, severity: Severity) -> String {
    let colour = match (severity.over, severity.level) {
        (true, _) => "#2e7d32",
        (false, Level::Info) => "#1565c0",
        (false, Level::Warning) => "#ef6c00",
        (false, Level::Error | Level::Critical) => "#c62828",
    };
    let lines: Vec<String> = message.text.lines().map(line).collect();
    format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head>\n\
         <body style=\"font-family:sans-serif;margin:0;padding:12px\">\n\
         <div style=\"border-left:6px solid {colour};padding:4px 12px\">\n\
         <p style=\"font-size:16px;font-weight:bold;margin:4px 0\">{}</p>\n\
         <p style=\"margin:4px 0;line-height:1.5\">{}</p>\n</div>\n</body></html>\n",
        escape(&message.title),
        lines.join("<br>\n"),
    )
}

/// A line, in which an address that ends it is a link.
fn line(line: &str) -> String {
    let start = ["https://", "http://"].iter().filter_map(|scheme| line.find(scheme)).min();
    match start {
        Some(start) if !line[start..].contains(char::is_whitespace) => {
            let (before, link) = line.split_at(start);
            let link = escape(link);
            format!("{}<a href=\"{link}\" rel=\"noreferrer\">{link}</a>", escape(before))
        }
        _ => escape(line),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_stays_a_text() {
        let message = Message { title: "<b>\"x\"</b>".into(), text: "a & <script>alert('1')</script>".into() };
        let page = page(&message, Severity { level: Level::Error, over: false });
        assert!(page.contains("&lt;b&gt;&quot;x&quot;&lt;/b&gt;") && page.contains("&lt;script&gt;"), "{page}");
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
    }

    #[test]
    fn a_runbook_is_a_link_that_cannot_be_left() {
        let link = line("runbook: https://runbooks.example/a?b=1&c='\"><x>");
        assert!(link.starts_with("runbook: <a href=\"https://runbooks.example/a?b=1&amp;c=&#39;&quot;&gt;&lt;x&gt;\""));
        assert_eq!(line("see javascript:alert(1)"), "see javascript:alert(1)");
    }
}
