//! Hashes of what a rule says, the same in every process.

use std::fmt::Write;

use rhai::{Dynamic, FnPtr, Map};
use sha2::{Digest, Sha256};

use crate::rules::analyse::script::Script;
use crate::rules::analyse::text;
use crate::rules::program::{Closure, LevelSource, MessageSource};
use crate::rules::rule::Rule;

use super::Home;

/// Sets the rule's fingerprint, and returns a hash of everything that the rule is, its place in the text aside.
pub(super) fn set(rule: &mut Rule, homes: &[Home]) -> u64 {
    let mut verdict = format!("{:?}|{:?}|{:?}|{:?}|{:?}", rule.scope, rule.levels, rule.hold, rule.keep, rule.no_data);
    let program = &rule.program;
    let level = match &program.level {
        LevelSource::Fixed(level) => {
            // A new fixed level is a new verdict for what fires already.
            verdict += level.as_str();
            None
        }
        LevelSource::Closure(closure) => Some(closure),
    };
    for closure in program.takes.iter().chain(&program.when).chain(program.clear.iter().flatten()).chain(level) {
        write_closure(&mut verdict, closure, homes);
    }
    // Which closure is which.
    let shape: Vec<bool> = program.clear.iter().map(Option::is_some).collect();
    append(&mut verdict, format_args!("|{}|{shape:?}|{}", program.takes.is_some(), level.is_some()));
    for (index, home) in homes.iter().enumerate() {
        match index {
            0 => write_functions(&mut verdict, &home.script),
            _ => verdict += &text::whole(&home.script.text),
        }
    }
    rule.fingerprint = hash(&verdict);

    let mut all = verdict;
    append(
        &mut all,
        format_args!(
            "|{}|{}|{:?}|{:?}|{:?}|{:?}|{:?}|{:?}|{:?}|{:?}",
            rule.name,
            rule.file,
            rule.cooldown,
            rule.repeat,
            rule.no_data,
            rule.every,
            rule.labels,
            rule.runbook,
            rule.notify,
            rule.flap
        ),
    );
    match &rule.program.message {
        MessageSource::Default => (),
        MessageSource::Text(text) => append(&mut all, format_args!("|{text:?}")),
        MessageSource::Closure(closure) => write_closure(&mut all, closure, homes),
    }
    hash(&all)
}

fn append(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    out.write_fmt(text).unwrap_or_default();
}

fn write_closure(out: &mut String, closure: &Closure, homes: &[Home]) {
    write_pointer(out, &closure.pointer, homes);
}

/// A function pointer: the text of a closure or the name of a function, and what it captured.
fn write_pointer(out: &mut String, pointer: &FnPtr, homes: &[Home]) {
    let name = pointer.fn_name();
    let written = homes.iter().find_map(|home| {
        let place = *home.script.closures.get(name)?;
        text::closure_at(&home.script.text, place)
    });
    append(out, format_args!("|{}|", written.as_deref().unwrap_or(name)));
    // Which captured variable has which value.
    let params = homes.iter().find_map(|home| home.script.functions.get(name)?.first().map(|f| f.params.clone()));
    for (index, value) in pointer.iter_curry().enumerate() {
        let name = params.as_ref().and_then(|params| params.get(index)).map_or("", |name| name.as_str());
        append(out, format_args!("{name}="));
        write_value(out, value, homes);
    }
}

fn write_value(out: &mut String, value: &Dynamic, homes: &[Home]) {
    let value = value.flatten_clone();
    if let Some(pointer) = value.clone().try_cast::<FnPtr>() {
        return write_pointer(out, &pointer, homes);
    }
    if let Some(map) = value.clone().try_cast::<Map>() {
        for (key, value) in &map {
            append(out, format_args!("{key:?}:"));
            write_value(out, value, homes);
        }
        return;
    }
    if let Some(items) = value.clone().try_cast::<rhai::Array>() {
        append(out, format_args!("[{}]", items.len()));
        return items.iter().for_each(|item| write_value(out, item, homes));
    }
    append(out, format_args!("{}:{value:?};", value.type_name()));
}

fn write_functions(out: &mut String, script: &Script) {
    for function in script.all_functions().filter(|function| !function.is_closure) {
        let body = text::between(&script.text, function.start, function.end).unwrap_or_default();
        append(out, format_args!("|fn {}({:?}){body}", function.name, function.params));
    }
}

fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}
