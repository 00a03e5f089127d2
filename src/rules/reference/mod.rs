//! The reference of what scripts can call: definition files for editors, and Markdown for people.
//!
//! Names, parameters and types come from what is registered with the engine, words from the tables beside the
//! registrations. A test holds the two against each other, so that neither can be forgotten.

mod definitions;
mod markdown;
mod registered;

pub use definitions::definitions;
pub use markdown::markdown;
#[cfg(test)]
pub(crate) use registered::gaps;

use super::host::{self, Topic};
use super::register;

/// Everything that a rule file can call, in the order of the reference.
pub fn rule_topics() -> Vec<&'static Topic> {
    std::iter::once(&register::TOPIC).chain(host::TOPICS.iter().copied()).collect()
}

/// Functions of Rhai's own library that rules have use for: what they are of, their names, and the page of Rhai's book.
const STANDARD: [(&str, &str, &[&str]); 4] = [
    (
        "text",
        "https://rhai.rs/book/language/string-fn.html",
        &[
            "len",
            "contains",
            "starts_with",
            "ends_with",
            "index_of",
            "sub_string",
            "split",
            "to_upper",
            "to_lower",
            "parse_int",
            "parse_float",
        ],
    ),
    (
        "an array",
        "https://rhai.rs/book/language/arrays.html",
        &["len", "contains", "index_of", "map", "filter", "some", "all", "find", "reduce", "push", "sort", "extract"],
    ),
    (
        "a map",
        "https://rhai.rs/book/language/object-maps.html",
        &["len", "contains", "keys", "values", "get", "set", "remove"],
    ),
    (
        "a number",
        "https://rhai.rs/book/language/num-fn.html",
        &["abs", "sign", "floor", "ceiling", "round", "min", "max", "sqrt", "ln", "log", "exp", "to_int", "to_float"],
    ),
];

#[cfg(test)]
mod tests;
