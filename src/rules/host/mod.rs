//! What scripts can call, by topic: one file for each, with its functions and their reference.
//!
//! Adding a topic is one file and one line in [`TOPICS`]; its functions' entries in the reference stand beside them, and
//! [`super::reference`] writes them out.

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
pub(crate) use window::{MAX_PERIODS, window_of, window_question};

/// A topic of functions that scripts can call.
#[derive(Debug)]
pub struct Topic {
    /// Its name, as a heading.
    pub name: &'static str,
    /// Its functions and properties.
    pub functions: &'static [Function],
    /// Registers them.
    pub(crate) register: fn(&mut Engine),
}

/// The reference of one function or property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// How it is written: `s.rate(field, window)`; several ways with a comma between them.
    pub signature: &'static str,
    /// What it gives, in one sentence.
    pub gives: &'static str,
    /// The unit of what it gives; empty where there is none.
    pub unit: &'static str,
    /// How many samples it needs; 0 where it does not look at samples.
    pub samples: usize,
    /// When there is no data; empty where there always is an answer.
    pub no_data: &'static str,
    /// How it is used; empty where the signature says enough.
    pub example: &'static str,
}

impl Function {
    /// A function that always has an answer.
    pub const fn new(signature: &'static str, gives: &'static str) -> Function {
        Function { signature, gives, unit: "", samples: 0, no_data: "", example: "" }
    }

    /// The same with the unit of what it gives.
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Function {
        Function { unit, ..self }
    }

    /// The same with the samples that it needs.
    #[must_use]
    pub const fn samples(self, samples: usize) -> Function {
        Function { samples, ..self }
    }

    /// The same with when there is no data.
    #[must_use]
    pub const fn no_data(self, no_data: &'static str) -> Function {
        Function { no_data, ..self }
    }

    /// The same with an example.
    #[must_use]
    pub const fn example(self, example: &'static str) -> Function {
        Function { example, ..self }
    }
}

/// All topics, in the order of the reference.
pub const TOPICS: &[&Topic] = &[
    &subject::TOPIC,
    &subject::LABELS,
    &window::TOPIC,
    &window::WINDOWS,
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

/// A value as people read it: a number whole, a text in quotes, of a subject its name.
pub(crate) fn shown(value: &Dynamic) -> String {
    if let Some(value) = from_script(value) {
        return match value {
            Value::Number(number) if number != 0.0 && !(1e-5..1e16).contains(&number.abs()) => format!("{number:e}"),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => format!("{text:?}"),
            Value::Bool(bool) => bool.to_string(),
        };
    }
    if let Some(subject) = value.read_lock::<Subject>() {
        return subject.to_text();
    }
    if let Some(set) = value.read_lock::<Set>() {
        return set.to_text();
    }
    if let Some(window) = value.read_lock::<crate::history::Window>() {
        return window.to_string();
    }
    match value.as_array_ref() {
        Ok(items) if items.len() <= 8 => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Ok(items) => format!("an array of {}", items.len()),
        Err(_) if value.is_unit() => "()".to_string(),
        Err(_) => type_name(value).to_string(),
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
