//! Definition files (`.d.rhai`), which Rhai's language servers read.

use std::fmt::Write as _;

use crate::rules::host::{Function, Topic};

use super::registered::{Form, Registered, Written, of_topic, written};

/// The definition file of some topics: every function and property with its types and its words.
///
/// Fields and labels are not in it: which there are is known only where the data is.
pub fn definitions(about: &str, topics: &[&Topic]) -> String {
    let mut text = format!("module static;\n\n// {about}\n// Written by `larum definitions`.\n");
    for topic in topics {
        let registered = of_topic(topic);
        write_line(&mut text, format_args!("\n// {}", topic.name));
        for function in topic.functions {
            for way in written(function.signature) {
                let overloads = registered.iter().filter(|other| way.is(other));
                for declaration in overloads.filter_map(|other| declaration(&way, other)) {
                    write_line(&mut text, format_args!("\n{}{declaration}", comment(function)));
                }
            }
        }
    }
    text
}

/// `fn rate(s: Subject, field: String, window: String) -> float;`
fn declaration(way: &Written<'_>, function: &Registered) -> Option<String> {
    let (name, params) = match &way.form {
        Form::Call(name, params) => (name.to_string(), params.as_slice()),
        Form::Property(name) => (format!("get {name}"), &[][..]),
        Form::Index => return None,
    };
    let names = way.receiver.iter().chain(params);
    let params = names.zip(&function.params).map(|(name, of_type)| format!("{}: {of_type}", as_name(name)));
    let returns = match function.returns.as_str() {
        "" => String::new(),
        returns => format!(" -> {returns}"),
    };
    Some(format!("fn {name}({}){returns};", params.collect::<Vec<_>>().join(", ")))
}

/// A parameter's name as a definition can have it: `default` is a reserved word.
fn as_name(name: &str) -> String {
    match name {
        "default" => "or_else".to_string(),
        name => name.to_string(),
    }
}

fn comment(function: &Function) -> String {
    let mut text = String::new();
    write_line(&mut text, format_args!("/// {}", function.gives));
    let notes = super::markdown::notes(function);
    for note in &notes {
        write_line(&mut text, format_args!("///\n/// {note}"));
    }
    if !function.example.is_empty() {
        write_line(&mut text, format_args!("///\n/// ```rhai"));
        for line in function.example.lines() {
            write_line(&mut text, format_args!("/// {line}"));
        }
        write_line(&mut text, format_args!("/// ```"));
    }
    text
}

fn write_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes everything");
}
