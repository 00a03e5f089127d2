//! What exists only while a file loads: `rule(name, options)` and `param(name, default)`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{Array, Dynamic, Engine, FnPtr, Map, NativeCallContext};

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::model::Value;

use super::analyse::Place;
use super::host::{Function, Topic, type_name};
use super::resolver::Library;

/// A value of `params:` in larum.yaml.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// A value that rules may read.
    Value(Value),
    /// A value that came from the environment or a file: rules may not read it, for what they read ends in messages.
    Secret,
}

/// The `params:` of larum.yaml by name.
pub type Params = BTreeMap<Arc<str>, Param>;

/// A call of `rule`, with copies of what it was given.
#[derive(Debug)]
pub(crate) struct Registration {
    /// Where the call stands.
    pub(crate) place: Place,
    /// The file in which it stands, where Rhai says so.
    pub(crate) file: Option<String>,
    /// The first argument.
    pub(crate) name: Dynamic,
    /// The second argument.
    pub(crate) options: Dynamic,
}

/// A problem that is found while a file runs.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The file, where Rhai says so.
    pub(crate) file: Option<String>,
    /// The place.
    pub(crate) place: Place,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Problem {
    /// The problem as a diagnostic of a file with this text.
    pub(crate) fn at(self, file: &Arc<str>, text: &str) -> Diagnostic {
        let diagnostic = Diagnostic::error(file.clone(), text, self.place.line, self.place.column, self.message);
        match self.hint {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        }
    }
}

/// What one run of a file said.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The rules, in the order of their calls.
    pub(crate) registrations: Vec<Registration>,
    /// Problems beside the error that may have ended the run.
    pub(crate) problems: Vec<Problem>,
    /// The params that were asked for, whether they exist or not.
    pub(crate) params: BTreeSet<Arc<str>>,
    /// The imported files with their texts, also those that imported files import.
    pub(crate) imported: BTreeMap<Arc<str>, Arc<str>>,
    /// The files that it asked to import, whether they could be or not.
    pub(crate) asked: BTreeSet<Arc<str>>,
    /// The files that are being run: the file itself, then what is being imported.
    pub(crate) running: Vec<Arc<str>>,
}

/// What the functions of loading share.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The params that files may read.
    pub(crate) params: Params,
    /// The files that may be imported, by path inside the folder.
    pub(crate) texts: BTreeMap<Arc<str>, Arc<str>>,
    /// The folder's name, put before paths in messages.
    pub(crate) folder: Arc<str>,
    /// What was imported already; texts and params stand still while it is used.
    pub(crate) libraries: BTreeMap<Arc<str>, Arc<Library>>,
    /// The run that goes on.
    pub(crate) run: Run,
}

impl Session {
    /// A path inside the folder as people name it.
    pub(crate) fn display(&self, path: &str) -> Arc<str> {
        display(&self.folder, path)
    }
}

/// A path inside a folder as people name it.
pub(crate) fn display(folder: &str, path: &str) -> Arc<str> {
    if folder.is_empty() { path.into() } else { format!("{folder}/{path}").into() }
}

/// The session behind the engine's functions. Only one file runs at a time, so the lock is never contended.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedSession(Arc<Mutex<Session>>);

impl SharedSession {
    /// The session. A panic in a script leaves nothing half-written that the next run would see.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be called while a file loads.
pub(crate) const TOPIC: Topic = Topic {
    name: "While a file loads",
    register: |engine| register(engine, &SharedSession::default()),
    functions: &[
        Function::new("rule(name, options)", "Makes a rule; its options are the keys above.")
            .example("rule(\"cpu_high\", #{ on: \"host\", when: |h| h.cpu_percent > 80, hold: \"1m\" });"),
        Function::new(
            "param(name, default)",
            "The value of `params:` in larum.yaml, or the default. It must be of the default's type, and no secret.",
        )
        .example("let limit = param(\"cpu_threshold\", 80);"),
    ],
};

/// Registers `rule` and `param`.
pub(crate) fn register(engine: &mut Engine, session: &SharedSession) {
    let shared = session.clone();
    engine.register_fn("rule", move |context: NativeCallContext<'_>, name: Dynamic, options: Dynamic| {
        let run = &mut shared.lock().run;
        // An imported file registers its rules when it is loaded itself.
        if run.running.len() <= 1 {
            run.registrations.push(Registration {
                place: context.call_position().into(),
                file: context.call_source().map(str::to_string),
                name: own(name),
                options: own(options),
            });
        }
    });
    let shared = session.clone();
    engine.register_fn("param", move |context: NativeCallContext<'_>, name: &str, default: Dynamic| -> Dynamic {
        let mut session = shared.lock();
        session.run.params.insert(name.into());
        let (value, problem) = match session.params.get(name) {
            None => (default, None),
            Some(Param::Secret) => {
                let message = format!("`params.{name}` is secret, and a rule may not read it");
                let hint = "write `${env-public:NAME}` in larum.yaml if it is none".to_string();
                (default, Some((message, Some(hint))))
            }
            Some(Param::Value(value)) => match typed(value, &default) {
                Some(value) => (value, None),
                None => {
                    let message = format!(
                        "`params.{name}` in larum.yaml is {}, and the default here is {}",
                        with_article(value.type_name()),
                        type_name(&default)
                    );
                    (default, Some((message, None)))
                }
            },
        };
        if let Some((message, hint)) = problem {
            let (file, place) = (context.call_source().map(str::to_string), context.call_position().into());
            session.run.problems.push(Problem { file, place, message, hint });
        }
        value
    });
}

/// The param as the script gets it; `None` where its type is not that of the default.
fn typed(value: &Value, default: &Dynamic) -> Option<Dynamic> {
    match value {
        // A whole default may be an index or the end of a loop: it stays whole where it can.
        Value::Number(number) if default.is_int() && number.trunc() == *number && number.abs() < 9e15 => {
            Some(Dynamic::from(*number as i64))
        }
        Value::Number(number) if default.is_int() || default.is_float() => Some(Dynamic::from(*number)),
        Value::Text(text) if default.is_string() => Some(Dynamic::from(text.to_string())),
        Value::Bool(bool) if default.is_bool() => Some(Dynamic::from(*bool)),
        Value::Number(_) | Value::Text(_) | Value::Bool(_) => None,
    }
}

/// The params that nobody reads, with the name that was perhaps meant.
pub(crate) fn unread(params: &Params, read: &BTreeSet<Arc<str>>) -> Vec<(Arc<str>, Option<String>)> {
    let unread = params.keys().filter(|name| !read.contains(*name));
    unread.map(|name| (name.clone(), did_you_mean(name, read.iter().map(|name| &**name)))).collect()
}

/// A copy that shares nothing with the script: a captured variable would else go on changing after the call.
pub(crate) fn own(value: Dynamic) -> Dynamic {
    let value = value.flatten();
    if value.is_array() {
        return Dynamic::from_array(value.cast::<Array>().into_iter().map(own).collect());
    }
    if value.is_map() {
        return Dynamic::from_map(value.cast::<Map>().into_iter().map(|(key, value)| (key, own(value))).collect());
    }
    if !value.is_fnptr() {
        return value;
    }
    let mut pointer = value.cast::<FnPtr>();
    for captured in pointer.iter_curry_mut() {
        *captured = own(std::mem::take(captured));
    }
    Dynamic::from(pointer)
}

fn with_article(name: &str) -> String {
    if name == "text" { name.to_string() } else { format!("a {name}") }
}
