//! What a rule reads: fields and windows with their places, and whether it asks about time itself.
//!
//! Starts at the rule's closures and follows their calls, with what is known of each variable: a subject, a set, or neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rhai::{ASTFlags, Dynamic, Expr, FnCallExpr, FnPtr, Position, Stmt};

use crate::diagnostic::Diagnostic;
use crate::history::{DAYS_BACK, Reach, Window};
use crate::model::duration;
use crate::rules::host::{MAX_PERIODS, regex_problem};
use crate::rules::loader::Kept;
use crate::rules::rule::FieldUse;

use super::Place;
use super::calls::{at, literal_argument};
use super::script::Script;
use super::tree::{self, Node};

/// Functions that take no field and depend on time, or on subjects other than the rule's own.
const TIME_FUNCTIONS: [&str; 7] = ["now", "hour", "weekday", "between", "find", "all", "held"];

/// Methods of a subject: name, number of arguments, which argument names a field, which ones are windows or durations.
const SUBJECT_METHODS: &[(&str, usize, Option<usize>, &[usize])] = &[
    ("avg", 2, Some(0), &[1]),
    ("min", 2, Some(0), &[1]),
    ("max", 2, Some(0), &[1]),
    ("sum", 2, Some(0), &[1]),
    ("count", 2, Some(0), &[1]),
    ("stddev", 2, Some(0), &[1]),
    ("first", 2, Some(0), &[1]),
    ("last", 2, Some(0), &[1]),
    ("median", 2, Some(0), &[1]),
    ("quantile", 3, Some(0), &[2]),
    ("delta", 2, Some(0), &[1]),
    ("increase", 2, Some(0), &[1]),
    ("rate", 2, Some(0), &[1]),
    ("deriv", 2, Some(0), &[1]),
    ("forecast", 3, Some(0), &[1, 2]),
    ("ago", 2, Some(0), &[1]),
    ("changes", 2, Some(0), &[1]),
    ("resets", 2, Some(0), &[1]),
    ("held", 2, Some(0), &[]),
    ("ewma", 2, Some(0), &[1]),
    ("zscore", 2, Some(0), &[1]),
    ("robust_zscore", 2, Some(0), &[1]),
    ("baseline", 3, Some(0), &[1]),
    ("absent", 1, None, &[0]),
];

/// Methods of a set whose argument at this index may name a field.
const SET_METHODS: &[(&str, usize)] = &[
    ("sum", 0),
    ("avg", 0),
    ("min", 0),
    ("max", 0),
    ("stddev", 0),
    ("quantile", 0),
    ("top", 1),
    ("one", 0),
    ("distinct", 0),
    ("missing", 0),
];

/// Properties of a subject that are not fields.
const SUBJECT_PROPERTIES: [&str; 5] = ["name", "kind", "time", "age", "labels"];

/// How deep calls are followed; the interpreter goes no deeper either.
const MAX_DEPTH: usize = 32;

/// What is known of a value.
#[derive(Clone, Debug)]
enum Role {
    /// A subject; of this kind, where that is known.
    Subject(Option<Arc<str>>),
    /// A set of subjects.
    Set(Option<Arc<str>>),
    /// A set of sets.
    Groups(Option<Arc<str>>),
    /// A function pointer.
    Pointer(FnPtr),
    /// A text that is known: the name of a field, or a duration.
    Text(Arc<str>),
    /// A window that looks back so far.
    Window(Duration),
    /// Anything else.
    Other,
}

/// A variable.
#[derive(Clone, Debug)]
struct Binding {
    role: Role,
    /// It was captured when the rule was registered: assigning to it changes nothing.
    captured: bool,
}

type Variables = BTreeMap<String, Binding>;

/// Which variables a closure's argument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Argument {
    /// A subject of the rule's kind.
    Subject,
    /// A set of subjects of the rule's kind.
    Set,
}

/// What a rule reads.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// It asks about time itself, or about other subjects.
    pub(crate) judges_time: bool,
    /// Fields, each place once, in the order of the text.
    pub(crate) fields: BTreeSet<FieldUse>,
    /// How far back it looks at fields.
    pub(crate) reach: Reach,
    /// What cannot work.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads a rule's closures.
pub(crate) struct Reader<'a> {
    script: &'a Script,
    imports: &'a BTreeMap<String, Arc<Script>>,
    /// For how long samples are kept, where that is known.
    kept: Option<Kept>,
    reads: Reads,
    visited: BTreeSet<String>,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// A reader for the rules of a file. `imports` are the imported files by what the file calls them.
    pub(crate) fn new(
        script: &'a Script,
        imports: &'a BTreeMap<String, Arc<Script>>,
        kept: Option<Kept>,
    ) -> Reader<'a> {
        Reader { script, imports, kept, reads: Reads::default(), visited: BTreeSet::new(), depth: 0 }
    }

    /// Follows a closure that gets a subject or set of `kind`.
    pub(crate) fn follow(&mut self, pointer: &FnPtr, argument: Argument, kind: &Arc<str>) {
        let role = match argument {
            Argument::Subject => Role::Subject(Some(kind.clone())),
            Argument::Set => Role::Set(Some(kind.clone())),
        };
        self.pointer(pointer, vec![role]);
    }

    /// What was found.
    pub(crate) fn finish(self) -> Reads {
        self.reads
    }

    /// Follows a pointer with what it captured.
    fn pointer(&mut self, pointer: &FnPtr, arguments: Vec<Role>) {
        let captured = pointer.iter_curry().map(|value| Binding { role: role_of(value), captured: true });
        let bindings = captured.chain(arguments.into_iter().map(|role| Binding { role, captured: false })).collect();
        self.function(pointer.fn_name(), bindings);
    }

    fn function(&mut self, name: &str, bindings: Vec<Binding>) {
        let script = self.script;
        let Some(function) = script.function(name, bindings.len()) else { return };
        if self.depth >= MAX_DEPTH || !self.visited.insert(format!("{}:{name}({bindings:?})", script.file)) {
            return;
        }
        self.depth += 1;
        let mut variables: Variables = function.params.iter().map(ToString::to_string).zip(bindings).collect();
        function.for_statements(&mut |stmt| self.stmt(stmt, &mut variables));
        self.depth -= 1;
    }

    fn stmt(&mut self, stmt: &Stmt, variables: &mut Variables) {
        match stmt {
            Stmt::Expr(expr) => drop(self.expr(expr, variables)),
            Stmt::Var(parts, _, _) => {
                let role = self.expr(&parts.1, variables);
                variables.insert(parts.0.name.to_string(), Binding { role, captured: false });
            }
            Stmt::For(parts, _) => {
                let role = match self.expr(&parts.2.expr, variables) {
                    Role::Set(kind) => Role::Subject(kind),
                    Role::Groups(kind) => Role::Set(kind),
                    _ => Role::Other,
                };
                variables.insert(parts.0.name.to_string(), Binding { role, captured: false });
                parts.2.body.iter().for_each(|stmt| self.stmt(stmt, variables));
            }
            Stmt::Assignment(parts) => {
                self.check_assignment(&parts.1.lhs, variables);
                self.expr(&parts.1.lhs, variables);
                let role = self.expr(&parts.1.rhs, variables);
                if let Expr::Variable(names, _, _) = &parts.1.lhs
                    && let Some(known) = variables.get_mut(names.1.as_str())
                {
                    known.role = either(&known.role, role);
                }
            }
            Stmt::FnCall(call, position) => drop(self.call(call, *position, variables)),
            Stmt::Import(_, position) => {
                let message = "`import` cannot stand in a function that a rule calls".to_string();
                let diagnostic = at(self.script, *position, "import", message);
                self.reads.diagnostics.push(diagnostic.with_hint("import at the top of the file"));
            }
            _ => self.children(Node::Stmt(stmt), variables),
        }
    }

    fn children(&mut self, node: Node<'_>, variables: &mut Variables) {
        let mut collected = Vec::new();
        tree::for_children(node, &mut |child| collected.push(child));
        for child in collected {
            match child {
                Node::Stmt(stmt) => self.stmt(stmt, variables),
                Node::Expr(expr) => drop(self.expr(expr, variables)),
            }
        }
    }

    fn expr(&mut self, expr: &Expr, variables: &mut Variables) -> Role {
        if let Some((pointer, captured)) = tree::closure_of(expr) {
            // A closure by itself: it is followed with what it captured, and nothing is known of its arguments.
            return self.closure(pointer, &captured, Role::Other, variables);
        }
        match expr {
            Expr::Variable(parts, _, _) => {
                variables.get(parts.1.as_str()).map_or(Role::Other, |binding| binding.role.clone())
            }
            Expr::Dot(parts, _, _) => {
                let base = self.expr(&parts.lhs, variables);
                self.chain(base, &parts.rhs, variables)
            }
            Expr::Index(parts, flags, _) => {
                let base = self.expr(&parts.lhs, variables);
                self.index(base, &parts.rhs, *flags, variables)
            }
            Expr::StringConstant(text, _) => Role::Text(text.as_str().into()),
            Expr::FnCall(call, position) => self.call(call, *position, variables),
            Expr::Stmt(block) => {
                block.iter().for_each(|stmt| self.stmt(stmt, variables));
                Role::Other
            }
            _ => {
                self.children(Node::Expr(expr), variables);
                Role::Other
            }
        }
    }

    /// What stands after a dot.
    fn chain(&mut self, base: Role, rest: &Expr, variables: &mut Variables) -> Role {
        match rest {
            Expr::Property(parts, position) => self.property(base, parts.2.as_str(), *position),
            Expr::MethodCall(call, position) => self.method(base, call, *position, variables),
            Expr::Dot(parts, _, _) => {
                let base = self.chain(base, &parts.lhs, variables);
                self.chain(base, &parts.rhs, variables)
            }
            Expr::Index(parts, flags, _) => {
                let base = self.chain(base, &parts.lhs, variables);
                self.index(base, &parts.rhs, *flags, variables)
            }
            other => self.expr(other, variables),
        }
    }

    /// What stands in brackets, and after them.
    fn index(&mut self, base: Role, rest: &Expr, flags: ASTFlags, variables: &mut Variables) -> Role {
        // Without the flag the rest of the chain hangs on the index expression.
        match rest {
            Expr::Dot(parts, _, _) if !flags.intersects(ASTFlags::BREAK) => {
                let base = self.indexed(base, &parts.lhs, variables);
                self.chain(base, &parts.rhs, variables)
            }
            Expr::Index(parts, inner, _) if !flags.intersects(ASTFlags::BREAK) => {
                let base = self.indexed(base, &parts.lhs, variables);
                self.index(base, &parts.rhs, *inner, variables)
            }
            index => self.indexed(base, index, variables),
        }
    }

    fn indexed(&mut self, base: Role, index: &Expr, variables: &mut Variables) -> Role {
        match (base, index) {
            (Role::Subject(kind), Expr::StringConstant(field, position)) => {
                self.field(field, kind, *position, false);
                Role::Other
            }
            (Role::Set(kind), Expr::IntegerConstant(_, _)) => Role::Subject(kind),
            (_, index) => {
                self.expr(index, variables);
                Role::Other
            }
        }
    }

    fn property(&mut self, base: Role, name: &str, position: Position) -> Role {
        // Of an unknown value too: to judge too often does no harm, and to judge too rarely does.
        self.reads.judges_time |= name == "age";
        if let Role::Subject(kind) = base
            && !SUBJECT_PROPERTIES.contains(&name)
        {
            self.field(name, kind, position, false);
        }
        Role::Other
    }

    fn method(&mut self, base: Role, call: &FnCallExpr, _position: Position, variables: &mut Variables) -> Role {
        let (name, n_args) = (call.name.as_str(), call.args.len());
        self.reads.judges_time |= matches!(name, "absent" | "held" | "find" | "between");
        let mut looks_back = None;
        if let Role::Pointer(pointer) = &base
            && name == "call"
        {
            let arguments = call.args.iter().map(|arg| self.expr(arg, variables)).collect();
            self.pointer(pointer, arguments);
            return Role::Other;
        }
        if let Some((_, _, field, windows)) =
            SUBJECT_METHODS.iter().find(|(other, n, ..)| *other == name && *n == n_args)
            && !matches!(base, Role::Set(_) | Role::Groups(_))
        {
            windows.iter().for_each(|index| self.check_window(call, *index));
            looks_back = windows.first().map(|window| (*field, *window));
            if let (Role::Subject(kind), Some(index)) = (&base, field)
                && let Some((text, position)) = literal_argument(call, *index)
            {
                self.field(text, kind.clone(), position, false);
            }
        }
        if matches!(name, "matches" | "capture" | "fields")
            && let Some((pattern, position)) = literal_argument(call, 0)
            && let Some(problem) = regex_problem(pattern)
        {
            self.reads.diagnostics.push(at(self.script, position, "\"", problem));
        }
        if let (Role::Subject(kind), "has" | "get") = (&base, name)
            && let Some((text, position)) = literal_argument(call, 0)
        {
            self.field(text, kind.clone(), position, true);
        }
        if let Role::Set(kind) = &base
            && let Some((_, index)) = SET_METHODS.iter().find(|(other, _)| *other == name)
            && let Some((text, position)) = literal_argument(call, *index)
        {
            self.field(text, kind.clone(), position, name == "missing");
        }
        let member = match &base {
            Role::Set(kind) => Role::Subject(kind.clone()),
            Role::Groups(kind) => Role::Set(kind.clone()),
            _ => Role::Other,
        };
        let mut roles = Vec::with_capacity(n_args);
        for argument in &call.args {
            roles.push(match tree::closure_of(argument) {
                Some((pointer, captured)) => self.closure(pointer, &captured, member.clone(), variables),
                None => self.expr(argument, variables),
            });
            if let Some(Role::Pointer(pointer)) = roles.last().cloned() {
                self.pointer(&pointer, vec![member.clone()]);
            }
        }
        if let Some((field, window)) = looks_back {
            self.look_back(&base, call, &roles, field, window);
        }
        match (base, name) {
            (Role::Subject(kind), "peers") if n_args < 2 => Role::Set(kind),
            (Role::Subject(_), "peers") => Role::Set(literal_argument(call, 1).map(|(kind, _)| kind.into())),
            (Role::Set(kind), "by") => Role::Groups(kind),
            (base @ (Role::Set(_) | Role::Groups(_)), "filter" | "top") => base,
            _ => Role::Other,
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position, variables: &mut Variables) -> Role {
        let name = call.name.as_str();
        let roles: Vec<Role> = call.args.iter().map(|argument| self.expr(argument, variables)).collect();
        if call.is_qualified() {
            let alias = call.namespace.path.iter().next().map(|part| part.name.to_string()).unwrap_or_default();
            if let Some(imported) = self.imports.get(&alias) {
                let own = std::mem::replace(&mut self.script, imported);
                self.function(name, roles.into_iter().map(|role| Binding { role, captured: false }).collect());
                self.script = own;
            }
            return Role::Other;
        }
        if self.script.function(name, roles.len()).is_some() {
            self.function(name, roles.into_iter().map(|role| Binding { role, captured: false }).collect());
            return Role::Other;
        }
        if matches!(name, "rule" | "param") {
            let message = format!("`{name}` works only while the file loads, not when a rule is judged");
            let diagnostic = at(self.script, position, name, message);
            let hint = match name {
                "param" => "take it out of the closure: `let limit = param(..);`",
                _ => "call it at the top level of the file",
            };
            self.reads.diagnostics.push(diagnostic.with_hint(hint));
        }
        self.reads.judges_time |= TIME_FUNCTIONS.contains(&name) || name == "absent";
        if name == "window" {
            self.check_window(call, 0);
            self.check_window(call, 1);
        }
        match (name, call.args.first()) {
            ("today", _) => self.reads.reach.ask_days(0),
            ("yesterday", _) => self.reads.reach.ask_days(1),
            ("day", Some(Expr::IntegerConstant(days, _))) => {
                self.reads.reach.ask_days(u32::try_from(*days).unwrap_or(0));
            }
            ("day", _) => self.reads.reach.ask_days(DAYS_BACK),
            _ => {}
        }
        match name {
            "window" => match (roles.first().and_then(length_of), roles.get(1).and_then(length_of)) {
                (Some(length), Some(ago)) => Role::Window(length + ago),
                _ => Role::Other,
            },
            "all" => Role::Set(literal_argument(call, 0).map(|(kind, _)| kind.into())),
            "find" => Role::Subject(literal_argument(call, 0).map(|(kind, _)| kind.into())),
            "Fn" => {
                literal_argument(call, 0).and_then(|(name, _)| FnPtr::new(name).ok()).map_or(Role::Other, Role::Pointer)
            }
            _ => Role::Other,
        }
    }

    fn closure(&mut self, pointer: FnPtr, captured: &[&Expr], argument: Role, variables: &mut Variables) -> Role {
        let mut bindings: Vec<Binding> = captured.iter().map(|variable| self.binding_of(variable, variables)).collect();
        let n_params = self.script.functions.get(pointer.fn_name()).and_then(|list| list.first());
        let n_params = n_params.map_or(bindings.len(), |function| function.params.len());
        if n_params > bindings.len() {
            bindings.push(Binding { role: argument, captured: false });
        }
        bindings.resize(n_params.max(bindings.len()), Binding { role: Role::Other, captured: false });
        self.function(pointer.fn_name(), bindings);
        Role::Other
    }

    fn binding_of(&self, variable: &Expr, variables: &Variables) -> Binding {
        let binding = match variable {
            Expr::Variable(parts, _, _) => variables.get(parts.1.as_str()).cloned(),
            _ => None,
        };
        binding.unwrap_or(Binding { role: Role::Other, captured: false })
    }

    fn field(&mut self, field: &str, kind: Option<Arc<str>>, position: Position, asks_first: bool) {
        let Place { line, column } = position.into();
        let file = self.script.file.clone();
        self.reads.fields.insert(FieldUse { file, line, column, field: field.into(), kind, asks_first });
    }

    fn check_window(&mut self, call: &FnCallExpr, index: usize) {
        if let Some(Expr::IntegerConstant(_, position) | Expr::FloatConstant(_, position)) = call.args.get(index) {
            let diagnostic = at(self.script, *position, "0", "a window is a duration, not a number".to_string());
            self.reads.diagnostics.push(diagnostic.with_hint("write `\"5m\"` for five minutes"));
        }
        let Some((text, position)) = literal_argument(call, index) else { return };
        if let Err(error) = duration::parse(text) {
            let word = format!("{text}..");
            self.reads.diagnostics.push(at(self.script, position, &word, error.to_string()));
        }
    }

    /// Notes how far back a call looks at a field, and warns where that is before all that is kept of it.
    fn look_back(&mut self, subject: &Role, call: &FnCallExpr, roles: &[Role], field: Option<usize>, window: usize) {
        let Some(length) = roles.get(window).and_then(length_of) else { return };
        let reach = match (call.name.as_str(), call.args.get(2)) {
            ("baseline", Some(Expr::IntegerConstant(n, _))) => {
                length.saturating_mul(u32::try_from(*n).map_or(1, |n| n.clamp(1, MAX_PERIODS)))
            }
            _ => length,
        };
        let field = field.and_then(|index| roles.get(index));
        if let Some(Role::Text(field)) = field {
            let kind = if let Role::Subject(kind) = subject { kind.as_ref() } else { None };
            self.reads.reach.ask(kind, field, reach);
        }
        let Some(kept) = self.kept else { return };
        let (limit, what, hint) = match field {
            Some(Role::Text(_)) => (
                kept.disk.max(kept.memory),
                "samples are stored for",
                "after a restart there is no answer until so much came again: give `history.disk` in larum.yaml a longer time, or look back less",
            ),
            Some(_) => (
                kept.memory,
                "samples of fields that are not known before a rule is judged are kept for",
                "there will be no answer: write the field's name here, give `history.memory` in larum.yaml a longer time, or look back less",
            ),
            None => (
                kept.memory,
                "when snapshots came is kept for",
                "there will be no answer: give `history.memory` in larum.yaml a longer time, or look back less",
            ),
        };
        if reach > limit
            && let Some(argument) = call.args.get(window)
        {
            let message = format!("it looks back {}, and {what} {}", duration::format(reach), duration::format(limit));
            let word = tree::text_of(argument).map_or_else(String::new, |text| format!("{text}.."));
            let diagnostic = at(self.script, argument.position(), &word, message).into_warning();
            self.reads.diagnostics.push(diagnostic.with_hint(hint));
        }
    }

    fn check_assignment(&mut self, target: &Expr, variables: &Variables) {
        let mut root = target;
        while let Expr::Dot(parts, _, _) | Expr::Index(parts, _, _) = root {
            root = &parts.lhs;
        }
        let Expr::Variable(parts, _, position) = root else { return };
        let name = parts.1.as_str();
        let is_part = !matches!(target, Expr::Variable(..));
        let binding = variables.get(name);
        if is_part && binding.is_some_and(|binding| matches!(binding.role, Role::Subject(_) | Role::Set(_))) {
            let message = format!("`{name}` cannot be changed, and `=` assigns");
            let diagnostic = at(self.script, *position, name, message);
            self.reads.diagnostics.push(diagnostic.with_hint("to compare, write `==`"));
        } else if binding.is_some_and(|binding| binding.captured) {
            let message = format!("`{name}` is captured: a rule has its own copy, and assigning to it changes nothing");
            let diagnostic = at(self.script, *position, name, message);
            self.reads.diagnostics.push(diagnostic.with_hint("use a variable of the closure's own: `let x = ..`"));
        }
    }
}

fn role_of(value: &Dynamic) -> Role {
    let value = value.clone().flatten();
    if let Ok(text) = value.as_immutable_string_ref() {
        return Role::Text(text.as_str().into());
    }
    if let Some(Window::Span { length, ago }) = value.clone().try_cast::<Window>() {
        return Role::Window(length + ago);
    }
    value.try_cast::<FnPtr>().map_or(Role::Other, Role::Pointer)
}

/// What a variable is that may have been assigned to, or not: of two windows the longer one.
fn either(before: &Role, after: Role) -> Role {
    match (length_of(before), length_of(&after)) {
        (Some(before), Some(after)) => Role::Window(before.max(after)),
        _ if format!("{before:?}") == format!("{after:?}") => after,
        _ => Role::Other,
    }
}

/// How far back a window looks: a duration, or what `window` gives.
fn length_of(window: &Role) -> Option<Duration> {
    match window {
        Role::Text(text) => duration::parse(text).ok(),
        Role::Window(length) => Some(*length),
        _ => None,
    }
}
