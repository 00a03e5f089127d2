//! What is registered with an engine, beside what the reference says of it.

use rhai::Engine;

use crate::rules::host::Topic;

/// A function as it is registered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Registered {
    /// Its name; properties have a prefix.
    pub(super) name: String,
    /// The types of its parameters, as definition files write them.
    pub(super) params: Vec<String>,
    /// The type of what it gives; empty for nothing.
    pub(super) returns: String,
}

/// One way in which the reference writes a function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written<'a> {
    /// What it is a method or property of.
    pub(super) receiver: Option<&'a str>,
    pub(super) form: Form<'a>,
}

/// How a function is used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// `name(params)`
    Call(&'a str, Vec<&'a str>),
    /// `receiver.name`
    Property(&'a str),
    /// `receiver["name"]`
    Index,
}

/// The functions that a topic registers, without those that only print or compare.
pub(super) fn of_topic(topic: &Topic) -> Vec<Registered> {
    let mut engine = Engine::new_raw();
    (topic.register)(&mut engine);
    let list = engine.collect_fn_metadata(
        None,
        |info| {
            let function = info.metadata;
            Some(Registered {
                name: function.name.to_string(),
                params: function.params_info.iter().map(|param| type_name(&engine, param)).collect(),
                returns: type_name(&engine, &function.return_type),
            })
        },
        true,
    );
    let is_silent = |name: &str| matches!(name, "to_string" | "to_debug" | "==" | "!=");
    let mut list: Vec<Registered> = list.into_iter().filter(|function| !is_silent(&function.name)).collect();
    list.sort();
    list
}

/// A type as definition files write it. Rhai knows it as `_: &mut path::Type`, or as a result of it.
fn type_name(engine: &Engine, known: &str) -> String {
    let known = known.rsplit_once(": ").map_or(known, |(_, name)| name);
    let known = known.strip_prefix("&mut ").unwrap_or(known);
    let known = match known.strip_prefix("core::result::Result<") {
        Some(result) => result.split(", alloc::boxed::Box<").next().unwrap_or(result),
        None => known,
    };
    if known.contains("vec::Vec<") {
        return "Array".to_string();
    }
    let name = engine.map_type_name(known);
    match name.rsplit("::").next().unwrap_or(name) {
        "()" | "" => String::new(),
        "f64" => "float".to_string(),
        "i64" => "int".to_string(),
        "string" | "String" | "ImmutableString" => "String".to_string(),
        "Dynamic" => "?".to_string(),
        "FnPtr" => "Fn".to_string(),
        "LabelsView" => "Labels".to_string(),
        "bool" => "bool".to_string(),
        // Registered names are words: `test subject`.
        other => other.split(' ').map(capitalised).collect(),
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The ways in which a signature writes its function; none for a piece of syntax.
pub(super) fn written(signature: &str) -> Vec<Written<'_>> {
    if signature.starts_with("for ") {
        return Vec::new();
    }
    let mut depth = 0;
    let mut start = 0;
    let mut parts = Vec::new();
    for (index, c) in signature.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&signature[start..index]);
                start = index + 1;
            }
            _ => (),
        }
    }
    parts.push(&signature[start..]);
    parts.into_iter().map(|part| one_way(part.trim())).collect()
}

fn one_way(text: &str) -> Written<'_> {
    let split = |head| match str::rsplit_once(head, '.') {
        Some((receiver, name)) => (Some(receiver), name),
        None => (None, head),
    };
    if let Some((receiver, _)) = text.split_once('[') {
        return Written { receiver: Some(receiver), form: Form::Index };
    }
    match text.split_once('(') {
        Some((head, params)) => {
            let (receiver, name) = split(head);
            let params = params.trim_end_matches(')').split(", ").filter(|param| !param.is_empty());
            Written { receiver, form: Form::Call(name, params.collect()) }
        }
        None => {
            let (receiver, name) = split(text);
            Written { receiver, form: Form::Property(name) }
        }
    }
}

impl Written<'_> {
    /// Whether a registered function is what is written here.
    pub(super) fn is(&self, function: &Registered) -> bool {
        match &self.form {
            Form::Call(name, params) => {
                function.name == *name && function.params.len() == params.len() + usize::from(self.receiver.is_some())
            }
            Form::Property(name) => function.name.strip_prefix("get$") == Some(*name),
            Form::Index => function.name == "index$get$",
        }
    }
}

/// What the reference of some topics lacks, and what it has too much: a sentence for each.
#[cfg(test)]
pub(crate) fn gaps(topics: &[&Topic]) -> Vec<String> {
    let mut gaps = Vec::new();
    for topic in topics {
        let name = topic.name;
        let registered = of_topic(topic);
        let all: Vec<(&crate::rules::host::Function, Vec<Written<'_>>)> =
            topic.functions.iter().map(|function| (function, written(function.signature))).collect();
        for (function, ways) in &all {
            // A property that stands for any name is an index in disguise.
            let has_index = ways.iter().any(|way| way.form == Form::Index);
            let is_known = |way: &Written<'_>| {
                registered.iter().any(|other| way.is(other)) || has_index && matches!(way.form, Form::Property(_))
            };
            if !ways.iter().all(is_known) {
                gaps.push(format!("`{}` of \"{name}\" is in the reference and not registered", function.signature));
            }
        }
        let is_described = |function: &Registered| all.iter().any(|(_, ways)| ways.iter().any(|way| way.is(function)));
        gaps.extend(registered.iter().filter(|function| !is_described(function)).map(|function| {
            let (called, n) = (&function.name, function.params.len());
            format!("`{called}` with {n} parameters is registered by \"{name}\": add its entry to `functions` there")
        }));
    }
    gaps
}
