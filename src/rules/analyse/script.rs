//! A compiled file, with what its syntax tree says: functions, closures, calls of `rule`, imports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{AST, ASTNode, Expr, ImmutableString, Module, Stmt};

use super::Place;
use super::tree::{self, Node};

/// A function or closure of a file.
pub(crate) struct Function {
    /// Its name; closures have made-up ones.
    pub(crate) name: ImmutableString,
    /// Its parameters; of a closure the captured variables come first.
    pub(crate) params: Vec<ImmutableString>,
    /// Whether it is a closure.
    pub(crate) is_closure: bool,
    /// Where its body begins.
    pub(crate) start: Place,
    /// Where its body ends, where it is a block.
    pub(crate) end: Place,
    /// A tree with nothing but this function: Rhai's public interface names no body otherwise.
    body: AST,
}

impl Function {
    /// Calls `visit` for each statement of the body.
    pub(super) fn for_statements(&self, visit: &mut dyn FnMut(&Stmt)) {
        for_roots(&self.body, visit);
    }
}

/// A map literal: where its keys and values stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct MapLiteral {
    /// Key, place of the key, place of the value, and the value where it is a map literal itself.
    pub(crate) entries: Vec<(String, Place, Place, Option<MapLiteral>)>,
}

impl MapLiteral {
    /// Where a key and its value stand.
    pub(crate) fn find(&self, key: &str) -> Option<&(String, Place, Place, Option<MapLiteral>)> {
        self.entries.iter().find(|(name, ..)| name == key)
    }

    fn of(expr: &Expr) -> Option<MapLiteral> {
        let Expr::Map(parts, _) = expr else { return None };
        let entries = parts.0.iter().map(|(key, value)| {
            (key.name.to_string(), Place::from(key.pos), Place::from(value.start_position()), MapLiteral::of(value))
        });
        Some(MapLiteral { entries: entries.collect() })
    }
}

/// A call of `rule(name, options)`.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleCall {
    /// Where the name stands.
    pub(crate) name: Place,
    /// The options, where they are written in the call itself, or in the variable that it names.
    pub(crate) options: Option<MapLiteral>,
    /// The variable that holds the options.
    variable: Option<String>,
}

/// An import at the top level of a file.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// What the file calls it.
    pub(crate) alias: String,
    /// The path as written, where it is a literal.
    pub(crate) path: Option<String>,
}

/// A compiled file.
pub(crate) struct Script {
    /// The file, as people name it.
    pub(crate) file: Arc<str>,
    /// Its text.
    pub(crate) text: Arc<str>,
    /// Its syntax tree.
    pub(crate) ast: AST,
    /// Its functions and closures by name.
    pub(crate) functions: BTreeMap<ImmutableString, Vec<Function>>,
    /// Where each closure stands, by its made-up name.
    pub(crate) closures: BTreeMap<ImmutableString, Place>,
    /// The calls of `rule`, by place.
    pub(crate) rule_calls: BTreeMap<Place, RuleCall>,
    /// The imports of the top level.
    pub(crate) imports: Vec<Import>,
    /// Names that may hold a function pointer and be called: variables, parameters, keys of maps.
    pub(crate) callable_names: BTreeSet<String>,
    /// Variables that are made as map literals.
    map_variables: BTreeMap<String, MapLiteral>,
    /// Closures see something of their file: its imports or its `global::` constants.
    pub(crate) needs_environment: bool,
}

impl Script {
    /// Indexes a compiled file.
    pub(crate) fn new(file: Arc<str>, text: Arc<str>, ast: AST) -> Script {
        let mut functions: BTreeMap<ImmutableString, Vec<Function>> = BTreeMap::new();
        for definition in ast.iter_fn_def() {
            let name = definition.name.clone();
            let mut module = Module::new();
            module.set_script_fn(definition.clone());
            let body = AST::new_from_module(module);
            functions.entry(name.clone()).or_default().push(Function {
                is_closure: name.starts_with("anon$"),
                name,
                params: definition.params.iter().cloned().collect(),
                start: definition.body.start_position().into(),
                end: definition.body.end_position().into(),
                body,
            });
        }
        let needs_environment = text.contains("import") || text.contains("global");
        let mut script = Script {
            file,
            text,
            functions,
            closures: BTreeMap::new(),
            rule_calls: BTreeMap::new(),
            imports: Vec::new(),
            callable_names: BTreeSet::new(),
            map_variables: BTreeMap::new(),
            needs_environment,
            ast: AST::empty(),
        };
        for stmt in ast.statements() {
            if let Stmt::Import(parts, _) = stmt {
                let path = tree::text_of(&parts.0).map(str::to_string);
                script.imports.push(Import { alias: parts.1.name.to_string(), path });
            }
        }
        for_roots(&ast, &mut |stmt| tree::walk(Node::Stmt(stmt), &mut |node| script.index(node)));
        let params: Vec<String> =
            script.all_functions().flat_map(|function| function.params.iter().map(ToString::to_string)).collect();
        script.callable_names.extend(params);
        for call in script.rule_calls.values_mut() {
            if let Some(variable) = &call.variable {
                call.options = script.map_variables.get(variable).cloned();
            }
        }
        script.ast = ast;
        script
    }

    /// Every function and closure.
    pub(crate) fn all_functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.values().flatten()
    }

    /// The function with this name and number of parameters.
    pub(crate) fn function(&self, name: &str, n_params: usize) -> Option<&Function> {
        self.functions.get(name)?.iter().find(|function| function.params.len() == n_params)
    }

    /// Calls `visit` for every node of the file, functions included.
    pub(super) fn walk(&self, visit: &mut dyn FnMut(Node<'_>)) {
        for_roots(&self.ast, &mut |stmt| tree::walk(Node::Stmt(stmt), &mut |node| visit(node)));
    }

    fn index(&mut self, node: Node<'_>) {
        match node {
            Node::Expr(expr @ Expr::DynamicConstant(_, position)) => {
                if let Some((pointer, _)) = tree::closure_of(expr) {
                    self.closures.insert(pointer.fn_name().into(), Place::from(*position));
                }
            }
            Node::Expr(Expr::FnCall(call, position)) | Node::Stmt(Stmt::FnCall(call, position))
                if call.name == "rule" && call.args.len() == 2 =>
            {
                let name = call.args[0].start_position().into();
                let options = MapLiteral::of(&call.args[1]);
                let variable = match &call.args[1] {
                    Expr::Variable(parts, _, _) => Some(parts.1.to_string()),
                    _ => None,
                };
                self.rule_calls.insert((*position).into(), RuleCall { name, options, variable });
            }
            Node::Expr(Expr::Map(parts, _)) => {
                self.callable_names.extend(parts.0.iter().map(|(key, _)| key.name.to_string()));
            }
            Node::Stmt(Stmt::Var(parts, _, _)) => {
                self.callable_names.insert(parts.0.name.to_string());
                if let Some(literal) = MapLiteral::of(&parts.1) {
                    self.map_variables.insert(parts.0.name.to_string(), literal);
                }
            }
            _ => (),
        }
    }
}

/// Calls `visit` for each statement at the top level of a tree, and of each of its functions.
fn for_roots(ast: &AST, visit: &mut dyn FnMut(&Stmt)) {
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let [ASTNode::Stmt(stmt)] = path {
            visit(stmt);
        }
        true
    });
}
