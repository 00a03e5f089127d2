//! Calls of functions that do not exist, or with a wrong number of arguments: Rhai itself finds them only when they are reached.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{Engine, Expr, FnCallExpr, Position, Stmt};

use crate::diagnostic::{Diagnostic, did_you_mean};

use super::Place;
use super::script::Script;
use super::tree::{self, Node};

/// Functions of the language itself, which the interpreter does not list.
const LANGUAGE: [&str; 9] =
    ["Fn", "call", "curry", "type_of", "is_shared", "is_def_var", "is_def_fn", "print", "debug"];

/// Functions by name, with the numbers of parameters that they take (a method's receiver counts).
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    arities: BTreeMap<String, BTreeSet<usize>>,
}

impl Known {
    /// The functions that are registered with an engine.
    pub(crate) fn of_engine(engine: &Engine) -> Known {
        let list = engine.collect_fn_metadata(
            None,
            |info| Some((info.metadata.name.to_string(), info.metadata.num_params)),
            true,
        );
        let mut known = Known::default();
        for (name, n_params) in list {
            known.arities.entry(name).or_default().insert(n_params);
        }
        known
    }

    /// The functions that a file defines.
    pub(crate) fn of_script(script: &Script) -> Known {
        let mut known = Known::default();
        for function in script.all_functions().filter(|function| !function.is_closure) {
            known.arities.entry(function.name.to_string()).or_default().insert(function.params.len());
        }
        known
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.arities.keys().map(String::as_str).filter(|name| name.starts_with(|c: char| c.is_alphabetic() || c == '_'))
    }

    fn merge(&mut self, other: &Known) {
        for (name, arities) in &other.arities {
            self.arities.entry(name.clone()).or_default().extend(arities);
        }
    }
}

/// What a file may call.
pub(crate) struct Surroundings<'a> {
    /// The functions of the engine.
    pub(crate) engine: &'a Known,
    /// The imported files by what this file calls them; `None` where they could not be loaded.
    pub(crate) imports: &'a BTreeMap<String, Option<Known>>,
}

/// All calls of a file that cannot work.
pub(crate) fn check(script: &Script, surroundings: &Surroundings<'_>) -> Vec<Diagnostic> {
    let own = Known::of_script(script);
    let mut known = surroundings.engine.clone();
    known.merge(&own);
    let mut diagnostics = Vec::new();
    script.walk(&mut |node| {
        let (call, position, is_method) = match node {
            Node::Expr(Expr::MethodCall(call, position)) => (&**call, *position, true),
            Node::Expr(Expr::FnCall(call, position)) | Node::Stmt(Stmt::FnCall(call, position)) => {
                (&**call, *position, false)
            }
            Node::Expr(expr) => return lint(script, expr, &mut diagnostics),
            Node::Stmt(_) => return,
        };
        if let Node::Expr(expr) = node {
            lint(script, expr, &mut diagnostics);
        }
        if call.op_token.is_some() || LANGUAGE.contains(&call.name.as_str()) {
            return;
        }
        if call.is_qualified() {
            check_imported(script, call, position, surroundings, &mut diagnostics);
        } else if !script.callable_names.contains(call.name.as_str()) {
            diagnostics.extend(check_call(script, call, position, is_method, &known, &own));
        }
    });
    diagnostics
}

fn check_call(
    script: &Script,
    call: &FnCallExpr,
    position: Position,
    is_method: bool,
    known: &Known,
    own: &Known,
) -> Option<Diagnostic> {
    let (name, n_args) = (call.name.as_str(), call.args.len());
    let receiver = usize::from(is_method);
    let Some(arities) = known.arities.get(name) else {
        let what = if is_method { "method" } else { "function" };
        let diagnostic = at(script, position, name, format!("unknown {what} `{name}`"));
        return Some(with(diagnostic, did_you_mean(name, known.names())));
    };
    let fits = arities.contains(&(n_args + receiver))
        // A function of a script may be called as a method: its receiver is then `this`.
        || is_method && own.arities.get(name).is_some_and(|own| own.contains(&n_args));
    if fits {
        return None;
    }
    let takes: Vec<usize> = arities.iter().filter_map(|arity| arity.checked_sub(receiver)).collect();
    let message = format!("`{name}` takes {}, not {n_args}", arguments(&takes));
    Some(at(script, position, name, message))
}

fn check_imported(
    script: &Script,
    call: &FnCallExpr,
    position: Position,
    surroundings: &Surroundings<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let path: Vec<&str> = call.namespace.path.iter().map(|part| part.name.as_str()).collect();
    // A module inside a module is left to the interpreter.
    let [alias] = path[..] else { return };
    let Some(Some(known)) = surroundings.imports.get(alias) else { return };
    let (name, n_args) = (call.name.as_str(), call.args.len());
    let place = call.namespace.position();
    match known.arities.get(name) {
        None => {
            let diagnostic = at(script, place, alias, format!("`{alias}` has no function `{name}`"));
            diagnostics.push(with(diagnostic, did_you_mean(name, known.names())));
        }
        Some(arities) if !arities.contains(&n_args) => {
            let takes: Vec<usize> = arities.iter().copied().collect();
            let message = format!("`{alias}::{name}` takes {}, not {n_args}", arguments(&takes));
            diagnostics.push(at(script, position, name, message));
        }
        Some(_) => (),
    }
}

/// What works, but probably not as meant.
fn lint(script: &Script, expr: &Expr, diagnostics: &mut Vec<Diagnostic>) {
    let Expr::FnCall(compare, _) = expr else { return };
    if !matches!(compare.name.as_str(), "<" | "<=") || compare.op_token.is_none() {
        return;
    }
    if let Some(Expr::FnCall(ratio, position)) = compare.args.first()
        && ratio.name == "ratio"
        && ratio.args.len() == 2
    {
        let message = "a low `ratio(a, b)` is no data where b is 0: a rule on a low ratio is then silent";
        let diagnostic = at(script, *position, "ratio", message.to_string()).into_warning();
        diagnostics.push(diagnostic.with_hint("say what holds then: `ratio(a, b, 0)` or `ratio(a, b, 1)`"));
    }
}

/// An error at a word of a file.
pub(super) fn at(script: &Script, position: Position, word: &str, message: String) -> Diagnostic {
    let place = Place::from(position);
    Diagnostic::error(script.file.clone(), &script.text, place.line, place.column, message)
        .with_length(word.chars().count())
}

fn with(diagnostic: Diagnostic, hint: Option<String>) -> Diagnostic {
    match hint {
        Some(hint) => diagnostic.with_hint(hint),
        None => diagnostic,
    }
}

fn arguments(takes: &[usize]) -> String {
    match takes {
        [] => "no arguments".to_string(),
        [1] => "1 argument".to_string(),
        [one] => format!("{one} arguments"),
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(ToString::to_string).collect();
            format!("{} or {last} arguments", rest.join(", "))
        }
    }
}

/// The text of a literal argument, for tables of functions.
pub(super) fn literal_argument(call: &FnCallExpr, index: usize) -> Option<(&str, Position)> {
    let argument = call.args.get(index)?;
    Some((tree::text_of(argument)?, argument.position()))
}
