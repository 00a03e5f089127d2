//! What scripts can call, by topic: one file for each, with its functions and their reference.
//!
//! Adding a topic is one file and one line in [`TOPICS`].

mod format;
mod lookup;
mod ratio;
mod set;
mod set_functions;
mod subject;
mod text;
mod time;
mod window;

use rhai::{Dynamic, Engine, FuncRegistration, ImmutableString, RhaiNativeFunc, Variant};

use crate::model::Value;

pub(crate) use set::Set;
pub(crate) use subject::Subject;
pub(crate) use text::regex_problem;

/// A topic of the host API.
#[derive(Debug)]
pub struct Topic {
    /// Its name, as a heading.
    pub name: &'static str,
    /// Its functions and properties.
    pub functions: &'static [Function],
    register: fn(&mut Engine),
}

/// The reference of one function or property.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// How it is written: `s.rate(field, window)`.
    pub signature: &'static str,
    /// What it gives, in one sentence.
    pub gives: &'static str,
    /// When there is no data; empty where there always is an answer.
    pub no_data: &'static str,
}

/// All topics, in the order of the reference.
pub const TOPICS: &[&Topic] = &[
    &subject::TOPIC,
    &window::TOPIC,
    &set_functions::TOPIC,
    &lookup::TOPIC,
    &ratio::TOPIC,
    &time::TOPIC,
    &text::TOPIC,
    &format::TOPIC,
];

/// Functions and properties whose answer changes without a snapshot of the judged subject: a rule that uses one of them
/// is also judged every `every`.
pub const READS_TIME: &[&str] = &["age", "absent", "held", "now", "hour", "weekday", "between", "find", "all"];

/// Registers all topics.
pub(crate) fn register(engine: &mut Engine) {
    for topic in TOPICS {
        (topic.register)(engine);
    }
}

/// Registers a function that only reads its first argument, so that it can be called on constants and on values that
/// reach a closure by value.
fn method<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool>(
    engine: &mut Engine,
    name: &str,
    function: impl RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
) {
    FuncRegistration::new(name)
        .in_global_namespace()
        .with_purity(true)
        .with_volatility(true)
        .register_into_engine(engine, function);
}

/// A subject or set that is shared between closures, as a value of its own; `None` for everything else.
pub(crate) fn by_value(value: &Dynamic) -> Option<Dynamic> {
    if !value.is_shared() {
        return None;
    }
    if let Some(subject) = value.read_lock::<Subject>() {
        return Some(Dynamic::from(subject.clone()));
    }
    value.read_lock::<Set>().map(|set| Dynamic::from(set.clone()))
}

/// The name of a value's type, with its article, as messages say it.
pub(crate) fn type_name(value: &Dynamic) -> &'static str {
    if value.is_int() || value.is_float() {
        "a number"
    } else if value.is_string() || value.is_char() {
        "text"
    } else if value.is_bool() {
        "a bool"
    } else if value.is_unit() {
        "`()`"
    } else if value.is_array() {
        "an array"
    } else if value.is_map() {
        "a map"
    } else if value.is_fnptr() {
        "a closure"
    } else if value.is::<Subject>() {
        "a subject"
    } else if value.is::<Set>() {
        "a set"
    } else {
        "another value"
    }
}

/// A field's value as scripts see it.
fn to_script(value: Value) -> Dynamic {
    match value {
        Value::Number(number) => Dynamic::from_float(number),
        Value::Text(text) => Dynamic::from(ImmutableString::from(&*text)),
        Value::Bool(bool) => Dynamic::from_bool(bool),
    }
}

/// A script's value as a field's, where it is one.
fn from_script(value: &Dynamic) -> Option<Value> {
    if let Some(number) = super::number::number(value) {
        return Some(Value::Number(number.as_f64()));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Some(Value::Text(text.as_str().into()));
    }
    value.as_bool().ok().map(Value::Bool)
}

#[cfg(test)]
mod tests;
