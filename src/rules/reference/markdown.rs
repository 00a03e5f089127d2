//! The reference as one Markdown document.

use std::fmt::Write as _;

use crate::rules::host::{Function, Topic};
use crate::rules::options::KEYS;

use super::{STANDARD, rule_topics};

const INTRODUCTION: &str = "\
# Reference

What rule files and rule tests can call. `larum definitions` writes this page, and definition files for editors, from what
is registered.

`s` is a subject (in `when: |s| ..`), `g` a set of subjects (in rules with `over`), `text` and `x` any text and any number.
A *field* is named by text: `\"error_rate\"`. A *window* is a duration such as `\"5m\"` or `\"1h30m\"`, or one of the
[windows](#windows) below; it ends now and has in it what is at most that old. Durations have the units `ms`, `s`, `m`, `h`,
`d` and `w`.

Where there is *no data* the evaluation stops: the rule neither fires nor recovers (see the key `no_data`), and a script
cannot catch it.
";

const KEYS_INTRODUCTION: &str = "
## `rule(name, options)`

Names are unique over all files. A key that is *by level* may be a map of levels: `#{ warning: \"5m\", critical: \"30s\" }`.

| key | takes | default | meaning |
|---|---|---|---|
";

const OPERATORS: &str = "
## Operators

`==`, `!=`, `<`, `<=`, `>`, `>=`, `+`, `-`, `*`, `/`, `%`, `**` of numbers are Larum's own: exact, and `/` never truncates
(`5 / 2` is `2.5`). Division by zero, and a result that is infinite or not a number, is no data. To compare a number with
text or a bool is an error that an operator sees. `&&`, `||`, `!`, `if`, `switch`, `for`, closures and text with `${..}` are
as in [Rhai](https://rhai.rs/book/language/).
";

const OFF: &str = "
Off in rules: `eval`, `sleep`, `timestamp` (use `now()`), files, the network, environment variables, and imports from outside
`rules/`. `print` goes to the log.
";

const TESTS: &str = "
# Rule tests

In files `rules/*.test.rhai`, which `larum test` runs on a virtual clock. `t` is the test, `s` one of its subjects. All of
the above can be called too, as far as it needs no evaluation of a rule.
";

/// The whole reference: rules, then the topics of rule tests.
pub fn markdown(test_topics: &[&Topic]) -> String {
    let mut text = INTRODUCTION.to_string();
    text.push_str(KEYS_INTRODUCTION);
    for key in KEYS {
        let cells = [code(key.name), key.takes.replace("->", "→"), code(key.default), key.meaning.replace('|', "\\|")];
        write_line(&mut text, format_args!("| {} |", cells.join(" | ")));
    }
    text.push_str("\n# Functions of rules\n");
    for topic in rule_topics() {
        write_topic(&mut text, topic);
    }
    text.push_str(OPERATORS);
    text.push_str("\n## Rhai's own\n\nRhai's standard functions can be used as its book says. Those that rules have most use for:\n\n");
    text.push_str("| of | functions |\n|---|---|\n");
    for (of, page, names) in STANDARD {
        let names: Vec<String> = names.iter().map(|name| code(name)).collect();
        write_line(&mut text, format_args!("| [{of}]({page}) | {} |", names.join(", ")));
    }
    text.push_str(OFF);
    text.push_str(TESTS);
    for topic in test_topics {
        write_topic(&mut text, topic);
    }
    text
}

fn write_topic(text: &mut String, topic: &Topic) {
    write_line(text, format_args!("\n## {}", topic.name));
    for function in topic.functions {
        write_line(text, format_args!("\n### `{}`\n\n{}", function.signature, function.gives));
        for note in notes(function) {
            write_line(text, format_args!("\n{note}"));
        }
        if !function.example.is_empty() {
            write_line(text, format_args!("\n```rhai\n{}\n```", function.example));
        }
    }
}

/// What else is to be known of a function: its unit, what it needs, when there is no data.
pub(super) fn notes(function: &Function) -> Vec<String> {
    let mut first = Vec::new();
    if !function.unit.is_empty() {
        first.push(format!("Unit: {}.", function.unit));
    }
    if function.samples > 0 {
        let plural = if function.samples == 1 { "" } else { "s" };
        first.push(format!("Needs at least {} sample{plural}.", function.samples));
    }
    let mut notes = Vec::new();
    if !first.is_empty() {
        notes.push(first.join(" "));
    }
    if !function.no_data.is_empty() {
        notes.push(format!("No data: {}", lowercase_first(function.no_data)));
    }
    notes
}

fn lowercase_first(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

fn write_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes everything");
}
