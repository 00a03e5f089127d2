//! Diagnostics as people read them: the source line with a caret, and what to do.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Severity};

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// With ANSI sequences.
    On,
    /// Plain text.
    Off,
}

/// One diagnostic over several lines, without a line break at its end.
pub fn render(diagnostic: &Diagnostic, colour: Colour) -> String {
    let renderer = match colour {
        Colour::On => Renderer::styled(),
        Colour::Off => Renderer::plain(),
    };
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = printable(&diagnostic.message);
    let source = diagnostic.source_line.as_deref().map(printable);
    let place: Element<'_> = match &source {
        Some(source) if diagnostic.line > 0 => Snippet::source(source.as_str())
            .path(&*diagnostic.file)
            .line_start(diagnostic.line)
            .annotation(AnnotationKind::Primary.span(span(source, diagnostic.column, diagnostic.length)))
            .into(),
        _ if diagnostic.line > 0 => {
            Origin::path(&*diagnostic.file).line(diagnostic.line).char_column(diagnostic.column.max(1)).into()
        }
        _ => Origin::path(&*diagnostic.file).into(),
    };
    let hint = diagnostic.hint.as_deref().map(printable);
    let mut group: Group<'_> = level.primary_title(message.as_str()).element(place);
    if let Some(hint) = &hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    renderer.decor_style(DecorStyle::Ascii).render(&[group])
}

/// All diagnostics, by file and place, with a closing count: `2 errors, 1 warning`. Empty for none.
pub fn render_all(diagnostics: &[Diagnostic], colour: Colour) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for diagnostic in sorted(diagnostics) {
        text.push_str(&render(diagnostic, colour));
        text.push_str("\n\n");
    }
    text.push_str(&count(diagnostics));
    text.push('\n');
    text
}

/// By file and place; the order does not depend on who found them.
pub fn sorted(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by(|a, b| {
        (&a.file, a.line, a.column, a.severity, &a.message).cmp(&(&b.file, b.line, b.column, b.severity, &b.message))
    });
    sorted
}

/// `2 errors, 1 warning`; `no problems`.
pub fn count(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let parts: Vec<String> = [(errors, "error"), (diagnostics.len() - errors, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    match parts.is_empty() {
        true => "no problems".to_string(),
        false => parts.join(", "),
    }
}

/// The bytes of a line that a place spans, inside the line.
fn span(source: &str, column: usize, length: usize) -> std::ops::Range<usize> {
    let byte = |characters: usize| source.char_indices().nth(characters).map_or(source.len(), |(byte, _)| byte);
    match column.checked_sub(1) {
        Some(start) => byte(start)..byte(start + length.max(1)),
        None => 0..source.len(),
    }
}

/// Without the control characters by which a file could write anywhere on a terminal. Each stays one character, so
/// that columns hold; a tab becomes a space.
fn printable(text: &str) -> String {
    let plain = |c: char| match c {
        '\t' => ' ',
        '\n' => '\n',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Diagnostic {
        Diagnostic::error("rules/service.rhai", "rule(\"x\", #{\n  whn: |s| s.a > 1,\n});", 2, 3, "unknown key `whn`")
            .with_length(3)
            .with_hint("did you mean `when`?")
    }

    #[test]
    fn a_problem_shows_its_line_with_a_caret_and_a_hint() {
        insta::assert_snapshot!(render(&problem(), Colour::Off), @r"
        error: unknown key `whn`
         --> rules/service.rhai:2:3
          |
        2 |   whn: |s| s.a > 1,
          |   ^^^
          |
          = help: did you mean `when`?
        ");
    }

    #[test]
    fn all_problems_are_sorted_by_place_and_counted() {
        let all = [
            problem(),
            Diagnostic::of_file("larum.yaml", "the file is larger than 1 MiB"),
            Diagnostic::error("rules/a.rhai", "", 7, 1, "no route takes the alerts of rule `r`").into_warning(),
        ];
        insta::assert_snapshot!(render_all(&all, Colour::Off), @r"
        error: the file is larger than 1 MiB
        --> larum.yaml

        warning: no route takes the alerts of rule `r`
        --> rules/a.rhai:7:1

        error: unknown key `whn`
         --> rules/service.rhai:2:3
          |
        2 |   whn: |s| s.a > 1,
          |   ^^^
          |
          = help: did you mean `when`?

        2 errors, 1 warning
        ");
    }

    #[test]
    fn counts_are_words() {
        assert_eq!(count(&[]), "no problems");
        assert_eq!(count(&[problem(), problem(), problem().into_warning()]), "2 errors, 1 warning");
        assert_eq!(render_all(&[], Colour::Off), "");
    }

    #[test]
    fn colours_come_only_where_asked_for() {
        assert!(render(&problem(), Colour::On).contains("\u{1b}["));
        assert!(!render(&problem(), Colour::Off).contains("\u{1b}["));
    }

    #[test]
    fn a_place_outside_the_line_and_hostile_text_are_rendered_too() {
        for (column, length) in [(0, 1), (1, 500), (400, 3), (2, 1)] {
            let problem = Diagnostic::error("a", "é\u{1b}[31m\tx", 1, column, "m\u{7}").with_length(length);
            let text = render(&problem, Colour::Off);
            assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
        }
        let empty = Diagnostic::error("a", "\n", 1, 1, "m");
        assert!(render(&empty, Colour::Off).contains("m"));
    }
}
