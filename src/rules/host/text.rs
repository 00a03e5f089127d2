//! Regular expressions over text.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use regex::{Regex, RegexBuilder};
use rhai::{Engine, EvalAltResult, ImmutableString};

use crate::rules::script::{fault, spend};

use super::{Function, Topic, method};

/// Text.
pub(super) const TOPIC: Topic = Topic {
    name: "Text",
    register,
    functions: &[
        Function::new("text.matches(regex)", "Whether the regular expression matches the whole text.")
            .example("s.name.matches(\"shop-.*\")"),
        Function::new(
            "text.capture(regex)",
            "What the first group of the first match captured, anywhere in the text; `\"\"` where nothing matches.",
        )
        .example("s.version.capture(\"^([0-9]+)\\\\.\") == \"2\""),
    ],
};

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// Compiled expressions that are kept; a rule set has far fewer.
const MAX_CACHED: usize = 1_000;

/// Bytes that one compiled expression may take.
const MAX_SIZE: usize = 1 << 20;

/// What compiling one costs of the budget.
const COST: u64 = 500;

/// Expressions by their text. Of the process and not of an engine, so that a reload finds them compiled; what is in it
/// changes no answer.
static CACHE: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());

fn compiled(pattern: String) -> Result<Regex> {
    let cache = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = cache().get(&pattern) {
        return Ok(regex.clone());
    }
    spend(COST)?;
    let regex = RegexBuilder::new(&pattern)
        .size_limit(MAX_SIZE)
        .dfa_size_limit(MAX_SIZE)
        .build()
        .map_err(|error| fault(format!("the regular expression cannot be used: {}", one_line(&error))))?;
    let mut cache = cache();
    if cache.len() >= MAX_CACHED {
        cache.clear();
    }
    cache.insert(pattern, regex.clone());
    Ok(regex)
}

/// What is wrong, without the drawing that shows where.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().next_back().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_string()
}

/// What is wrong with a regular expression, if anything is.
pub(crate) fn regex_problem(pattern: &str) -> Option<String> {
    // Without the cache, which a file that only loads shall not fill.
    let built = RegexBuilder::new(pattern).size_limit(MAX_SIZE).dfa_size_limit(MAX_SIZE).build();
    Some(format!("the regular expression cannot be used: {}", one_line(&built.err()?)))
}

/// An expression that must match a whole text.
pub(super) fn whole(pattern: &str) -> Result<Regex> {
    compiled(format!("^(?:{pattern})$"))
}

fn capture(text: &str, pattern: &str) -> Result<ImmutableString> {
    let regex = compiled(pattern.to_string())?;
    let group = regex.captures(text).and_then(|groups| groups.get(1).map(|group| group.as_str().into()));
    Ok(group.unwrap_or_default())
}

fn register(engine: &mut Engine) {
    method(engine, "matches", |text: &str, pattern: &str| -> Result<bool> { Ok(whole(pattern)?.is_match(text)) });
    method(engine, "capture", capture);
}
