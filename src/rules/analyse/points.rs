//! The expressions of a file's closures and functions, with their extents in the text: what an evaluation can be watched
//! at, and what a mutation can change.

use std::collections::BTreeMap;

use rhai::{Expr, FnCallExpr, ImmutableString, Position, Stmt, Token as RhaiToken};

use super::Place;
use super::script::Script;
use super::tokens::{Range, Tokens};
use super::tree::{self, Node};

/// What an expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`: the operator's token, and the points or literals that it compares.
    Comparison,
    /// `&&`.
    And,
    /// `||`.
    Or,
    /// `!x`.
    Not,
    /// `+ - * / %` and other operators.
    Arithmetic,
    /// A variable.
    Variable(String),
    /// A call of a function of the file or of the engine.
    Call(String),
    /// A chain that begins with a subject, set, map or array: `s.error_rate`, `s.rate("x", "5m")`.
    Chain,
}

/// An operand of a comparison or of arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operand {
    /// Its tokens.
    pub(crate) range: Range,
    /// The number, where it is a literal one.
    pub(crate) number: Option<f64>,
    /// The variable, where it is one.
    pub(crate) variable: Option<String>,
}

/// One expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// Its tokens.
    pub(crate) range: Range,
    /// Where it begins.
    pub(crate) place: Place,
    /// How deep it stands below the point that holds it; 0 at the outermost.
    pub(crate) depth: usize,
    /// What it is.
    pub(crate) kind: Kind,
    /// It decides something: a condition's own expression, an operand of `&&`, `||`, `!`, or what an `if` asks.
    pub(crate) is_condition: bool,
    /// The operator's token, where it is one.
    pub(crate) operator: Option<usize>,
    /// What an operator is applied to.
    pub(crate) operands: Vec<Operand>,
    /// The closures that it calls functions with, by their made-up names.
    pub(crate) closures: Vec<ImmutableString>,
}

impl Point {
    /// The functions that it calls and the closures that it calls them with, by name.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &str> {
        let called = match &self.kind {
            Kind::Call(name) => Some(name.as_str()),
            _ => None,
        };
        called.into_iter().chain(self.closures.iter().map(|name| name.as_str()))
    }
}

/// The points of one closure or function.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Body {
    /// The name; a closure has a made-up one.
    pub(crate) name: ImmutableString,
    /// Where it stands; of a closure its first bar.
    pub(crate) place: Place,
    /// All of it, in the order of the text: each before those that it is made of.
    pub(crate) points: Vec<Point>,
}

/// All closures and functions of a file with their points, in the order of their places.
pub(crate) fn bodies(script: &Script, tokens: &Tokens) -> Vec<Body> {
    let mut bodies = Vec::new();
    for function in script.all_functions() {
        let place = match function.is_closure {
            true => script.closures.get(&function.name).copied().unwrap_or(function.start),
            false => function.start,
        };
        let mut finder = Finder { tokens, points: Vec::new(), depth: 0 };
        let mut statements = Vec::new();
        function.for_statements(&mut |stmt| statements.push(stmt.clone()));
        let last = statements.len().saturating_sub(1);
        for (index, stmt) in statements.iter().enumerate() {
            finder.statement(stmt, index == last);
        }
        bodies.push(Body { name: function.name.clone(), place, points: finder.points });
    }
    bodies.sort_by(|a, b| (a.place, &a.name).cmp(&(b.place, &b.name)));
    bodies
}

/// A number that a variable at the top level is made with.
#[derive(Clone, Debug)]
pub(crate) struct Constant {
    /// The number's tokens.
    pub(crate) range: Range,
    /// The number.
    pub(crate) number: f64,
    /// From the variable's name to the end of what it is made with.
    pub(crate) made: Range,
}

/// The literal numbers that variables at the top level are made with: `let limit = 0.1`, `param("limit", 0.1)`. Not of
/// params that are set, for their defaults do not count.
pub(crate) fn constants(script: &Script, tokens: &Tokens, is_set: impl Fn(&str) -> bool) -> BTreeMap<String, Constant> {
    let mut found = BTreeMap::new();
    for stmt in script.ast.statements() {
        let Stmt::Var(parts, _, _) = stmt else { continue };
        let value = match &parts.1 {
            Expr::FnCall(call, _) if call.name == "param" => match call.args.first().and_then(tree::text_of) {
                Some(name) if !is_set(name) => call.args.get(1),
                _ => None,
            },
            value => Some(value),
        };
        let constant = || {
            let value = value?;
            let (range, number) = (range_of(value, tokens)?, number_of(value)?);
            let made = Range { first: tokens.at(parts.0.pos.into())?, last: range.last };
            Some(Constant { range, number, made: tokens.balanced(made) })
        };
        if let Some(constant) = constant() {
            found.insert(parts.0.name.to_string(), constant);
        }
    }
    found
}

struct Finder<'a> {
    tokens: &'a Tokens,
    points: Vec<Point>,
    depth: usize,
}

impl Finder<'_> {
    fn statement(&mut self, stmt: &Stmt, is_result: bool) {
        match stmt {
            Stmt::Expr(expr) => self.expression(expr, is_result),
            // A call that stands alone is a statement of its own kind.
            Stmt::FnCall(call, position) if is_result => {
                self.call(call, *position, Node::Stmt(stmt), true);
            }
            Stmt::FnCall(call, _) => self.arguments(call),
            Stmt::If(flow, _) => {
                self.expression(&flow.expr, true);
                self.block(flow.body.statements(), is_result);
                self.block(flow.branch.statements(), is_result);
            }
            Stmt::While(flow, _) | Stmt::Do(flow, _, _) | Stmt::TryCatch(flow, _) => {
                self.expression(&flow.expr, true);
                self.block(flow.body.statements(), false);
                self.block(flow.branch.statements(), false);
            }
            Stmt::For(parts, _) => {
                self.expression(&parts.2.expr, false);
                self.block(parts.2.body.statements(), false);
            }
            Stmt::Switch(parts, _) => {
                self.expression(&parts.0, false);
                for case in &parts.1.expressions {
                    self.expression(&case.lhs, true);
                    self.expression(&case.rhs, is_result);
                }
            }
            Stmt::Var(parts, _, _) => self.expression(&parts.1, false),
            Stmt::Assignment(parts) => self.expression(&parts.1.rhs, false),
            Stmt::Block(block) => self.block(block.statements(), is_result),
            Stmt::Return(Some(expr), _, _) => self.expression(expr, true),
            _ => (),
        }
    }

    fn block(&mut self, statements: &[Stmt], is_result: bool) {
        for (index, stmt) in statements.iter().enumerate() {
            self.statement(stmt, is_result && index + 1 == statements.len());
        }
    }

    fn expression(&mut self, expr: &Expr, is_condition: bool) {
        let node = Node::Expr(expr);
        match expr {
            Expr::And(parts, position) | Expr::Or(parts, position) => {
                let kind = if matches!(expr, Expr::And(..)) { Kind::And } else { Kind::Or };
                let (tokens, operator) = (self.tokens, self.tokens.at((*position).into()));
                self.point(node, kind, is_condition, |point| {
                    point.operator = operator;
                    point.operands = parts.iter().filter_map(|part| operand(part, tokens)).collect();
                });
                self.inside(|finder| parts.iter().for_each(|part| finder.expression(part, true)));
            }
            Expr::Coalesce(parts, _) => {
                self.point(node, Kind::Arithmetic, is_condition, |_| ());
                self.inside(|finder| parts.iter().for_each(|part| finder.expression(part, false)));
            }
            Expr::FnCall(call, position) => self.call(call, *position, node, is_condition),
            Expr::Dot(..) | Expr::Index(..) => {
                self.point(node, Kind::Chain, is_condition, |_| ());
                let closures = self.inside(|finder| finder.chain(expr));
                if let (Some(index), false) = (closures.1, closures.0.is_empty()) {
                    self.points[index].closures = closures.0;
                }
            }
            Expr::Variable(parts, _, _) => {
                self.point(node, Kind::Variable(parts.1.to_string()), is_condition, |_| ());
            }
            Expr::Stmt(_) if tree::closure_of(expr).is_some() => (),
            Expr::Stmt(block) => self.block(block.statements(), is_condition),
            Expr::Array(parts, _) => parts.iter().for_each(|part| self.expression(part, false)),
            Expr::Map(parts, _) => parts.0.iter().for_each(|(_, value)| self.expression(value, false)),
            _ => (),
        }
    }

    /// Runs something one deeper. Gives what it gave, and the point that was the newest before.
    fn inside<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> (T, Option<usize>) {
        let newest = self.points.len().checked_sub(1);
        self.depth += 1;
        let result = what(self);
        self.depth -= 1;
        (result, newest)
    }

    fn point(&mut self, node: Node<'_>, kind: Kind, is_condition: bool, set: impl FnOnce(&mut Point)) {
        let Some(range) = range_of_node(node, self.tokens) else { return };
        // `a !in b` is `!` of a call that is nowhere in the text.
        if self.points.last().is_some_and(|outer| outer.range == range && outer.depth + 1 == self.depth) {
            return;
        }
        let place = self.tokens.place(self.tokens.chars(range).0);
        let (depth, closures) = (self.depth, Vec::new());
        let mut point =
            Point { range, place, depth, kind, is_condition, operator: None, operands: Vec::new(), closures };
        set(&mut point);
        self.points.push(point);
    }

    fn call(&mut self, call: &FnCallExpr, position: Position, node: Node<'_>, is_condition: bool) {
        let Some(operator) = &call.op_token else {
            let closures = closures_of(call.args.iter());
            self.point(node, Kind::Call(call.name.to_string()), is_condition, |point| point.closures = closures);
            self.inside(|finder| finder.arguments(call));
            return;
        };
        let kind = match operator {
            RhaiToken::EqualsTo
            | RhaiToken::NotEqualsTo
            | RhaiToken::LessThan
            | RhaiToken::LessThanEqualsTo
            | RhaiToken::GreaterThan
            | RhaiToken::GreaterThanEqualsTo => Kind::Comparison,
            RhaiToken::Bang => Kind::Not,
            _ => Kind::Arithmetic,
        };
        let is_not = kind == Kind::Not;
        let tokens = self.tokens;
        self.point(node, kind, is_condition, |point| {
            point.operator = tokens.at(position.into());
            point.operands = call.args.iter().filter_map(|arg| operand(arg, tokens)).collect();
        });
        self.inside(|finder| call.args.iter().for_each(|arg| finder.expression(arg, is_not)));
    }

    /// What a function is called with. The first variable may be passed by reference, so it is left alone.
    fn arguments(&mut self, call: &FnCallExpr) {
        for (index, arg) in call.args.iter().enumerate() {
            if index > 0 || !matches!(arg, Expr::Variable(..)) {
                self.expression(arg, false);
            }
        }
    }

    /// What stands between brackets of a chain. Its parts are no expressions of their own. Gives the closures in it.
    fn chain(&mut self, expr: &Expr) -> Vec<ImmutableString> {
        match expr {
            Expr::Dot(parts, _, _) => {
                let mut closures = self.chain(&parts.lhs);
                closures.extend(self.chain(&parts.rhs));
                closures
            }
            Expr::Index(parts, _, _) => {
                let closures = self.chain(&parts.lhs);
                match &parts.rhs {
                    // In the middle of a chain the rest hangs on the index.
                    rest @ (Expr::Dot(..) | Expr::Index(..)) => drop(self.chain(rest)),
                    index => self.expression(index, false),
                }
                closures
            }
            Expr::MethodCall(call, _) => {
                call.args.iter().for_each(|arg| self.expression(arg, false));
                closures_of(call.args.iter())
            }
            Expr::FnCall(call, _) if call.op_token.is_none() => {
                self.arguments(call);
                closures_of(call.args.iter())
            }
            _ => Vec::new(),
        }
    }
}

fn closures_of<'a>(args: impl Iterator<Item = &'a Expr>) -> Vec<ImmutableString> {
    args.filter_map(|arg| Some(tree::closure_of(arg)?.0.fn_name().into())).collect()
}

fn operand(expr: &Expr, tokens: &Tokens) -> Option<Operand> {
    let variable = match expr {
        Expr::Variable(parts, _, _) if parts.2.is_empty() => Some(parts.1.to_string()),
        _ => None,
    };
    Some(Operand { range: range_of(expr, tokens)?, number: number_of(expr), variable })
}

fn number_of(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::IntegerConstant(number, _) => Some(*number as f64),
        Expr::FloatConstant(number, _) => Some(**number),
        _ => None,
    }
}

/// The tokens of an expression.
fn range_of(expr: &Expr, tokens: &Tokens) -> Option<Range> {
    range_of_node(Node::Expr(expr), tokens)
}

/// From the first to the last token at which something of a node stands, with the brackets that belong to them: those of
/// calls, and those that would be open otherwise.
fn range_of_node(node: Node<'_>, tokens: &Tokens) -> Option<Range> {
    let mut range: Option<Range> = None;
    let mut take = |first: usize, last: usize| {
        let known = range.get_or_insert(Range { first, last });
        *known = Range { first: known.first.min(first), last: known.last.max(last) };
    };
    tree::walk(node, &mut |node| {
        let (position, call) = match node {
            Node::Expr(expr @ (Expr::FnCall(call, position) | Expr::MethodCall(call, position))) => {
                if let Some(first) = tokens.at(expr.start_position().into()) {
                    take(first, first);
                }
                (*position, Some(call))
            }
            Node::Stmt(Stmt::FnCall(call, position)) => (*position, Some(call)),
            Node::Expr(expr) => (expr.start_position(), None),
            Node::Stmt(stmt) => (stmt.position(), None),
        };
        let Some(first) = tokens.at(position.into()) else { return };
        let mut last = first;
        match (call, node) {
            (Some(call), _) if call.op_token.is_none() => {
                while tokens.text(last + 1) == "::" {
                    last += 2;
                }
                if matches!(tokens.text(last + 1).as_str(), "(") {
                    last = tokens.partner(last + 1).unwrap_or(last + 1);
                }
            }
            // `global::LIMIT`
            (None, Node::Expr(Expr::Variable(..))) => {
                while tokens.text(last + 1) == "::" {
                    last += 2;
                }
            }
            // A negative number is one constant of two tokens.
            (None, Node::Expr(Expr::IntegerConstant(..) | Expr::FloatConstant(..)))
                if matches!(tokens.text(first).as_str(), "-" | "+") =>
            {
                last += 1;
            }
            _ => (),
        }
        take(first, last);
    });
    range.map(|range| tokens.balanced(range))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn points(closure: &str) -> Vec<String> {
        let text: Arc<str> = format!("let limit = 0.1; fn bad(s) {{ s.x > 1 }} let f = {closure};").into();
        let engine = crate::rules::script::engine();
        let ast = engine.compile(&*text).unwrap();
        let tokens = Tokens::new(&text);
        let script = Script::new("f.rhai".into(), text.clone(), ast);
        let bodies = bodies(&script, &tokens);
        let outermost = bodies.iter().filter(|body| body.name.starts_with("anon$")).min_by_key(|body| body.place);
        let shown = |point: &Point| {
            let mark = if point.is_condition { "?" } else { "" };
            format!("{}{}{mark}", "  ".repeat(point.depth), tokens.one_line(point.range))
        };
        outermost.unwrap().points.iter().map(shown).collect()
    }

    #[test]
    fn each_expression_has_its_extent() {
        let cases: [(&str, &[&str]); 9] = [
            ("|s| s.a > limit", &["s.a > limit?", "  s.a", "  limit"]),
            (
                "|s| (s.a + 1) * s.rate(\"x\", \"5m\") > -5",
                &[
                    "(s.a + 1) * s.rate(\"x\", \"5m\") > -5?",
                    "  (s.a + 1) * s.rate(\"x\", \"5m\")",
                    "    s.a + 1",
                    "      s.a",
                    "    s.rate(\"x\", \"5m\")",
                ],
            ),
            (
                "|s| s.a && !(s.b == \"x\" || bad(s))",
                &[
                    "s.a && !(s.b == \"x\" || bad(s))?",
                    "  s.a?",
                    "  !(s.b == \"x\" || bad(s))?",
                    "    s.b == \"x\" || bad(s)?",
                    "      s.b == \"x\"?",
                    "        s.b",
                    "      bad(s)?",
                ],
            ),
            ("|g| g.len() == 0", &["g.len() == 0?", "  g.len()"]),
            ("|g| g.count(|x| x.v > 1) > 2", &["g.count(|x| x.v > 1) > 2?", "  g.count(|x| x.v > 1)"]),
            ("|s| if s.a > 1 { \"critical\" } else { \"warning\" }", &["s.a > 1?", "  s.a"]),
            (
                "|s| { let x = s.labels[\"a\"]; x == s[\"b\"] }",
                &["s.labels[\"a\"]", "x == s[\"b\"]?", "  x", "  s[\"b\"]"],
            ),
            ("|s| bad(s)", &["bad(s)?"]),
            (
                "|s| find(\"host\", s.name).cpu > 1",
                &["find(\"host\", s.name).cpu > 1?", "  find(\"host\", s.name).cpu", "    s.name"],
            ),
        ];
        for (closure, expected) in cases {
            assert_eq!(points(closure), expected, "{closure}");
        }
    }
}
