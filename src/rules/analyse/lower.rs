//! From a closure's syntax tree to a [`Plan`], where it is simple enough.

use std::sync::Arc;

use rhai::{ASTFlags, Dynamic, Expr, FnCallExpr, FnPtr, Position, Stmt, Token};

use super::script::Script;
use super::{Place, tree};
use crate::history::{Place as FieldPlace, Share, Window, WindowFn};
use crate::model::duration;
use crate::rules::host;
use crate::rules::number::{Arithmetic, Number, number};
use crate::rules::plan::{Comparison, Plan};

/// Properties of a subject that are no fields.
const NO_FIELDS: [&str; 5] = ["name", "kind", "time", "age", "labels"];

/// The plan of a closure over one subject.
///
/// # Errors
/// Where it needs the interpreter: the first expression in it that does.
pub(crate) fn lower(script: &Script, pointer: &FnPtr) -> Result<Plan, Obstacle> {
    let whole = |what: &str| Obstacle { place: Place::default(), what: what.into() };
    // A file may have functions of its own under any name, which methods and calls would find first.
    // So may the files that it imports.
    if !script.imports.is_empty() {
        return Err(whole("its file imports others, whose functions could be meant by any call"));
    }
    if let Some(function) = script.all_functions().find(|function| !function.is_closure) {
        return Err(whole(&format!(
            "its file has functions, such as `{}`, that could be meant by any call",
            function.name
        )));
    }
    let captured = pointer.curry();
    let function =
        script.function(pointer.fn_name(), captured.len() + 1).ok_or_else(|| whole("it is not in its file"))?;
    let (subject, names) = function.params.split_last().ok_or_else(|| whole("it takes nothing"))?;
    let mut statements = Vec::new();
    function.for_statements(&mut |stmt| statements.push(stmt.clone()));
    let values = names.iter().map(|name| name.as_str()).zip(captured).collect();
    Lowering { subject: subject.as_str(), captured: values }.body(&statements)
}

/// Why something needs the interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    /// Where, if it is not the whole closure.
    pub(crate) place: Place,
    /// What: "it calls `matches`".
    pub(crate) what: Arc<str>,
}

impl Obstacle {
    fn at(position: Position, what: impl Into<Arc<str>>) -> Obstacle {
        Obstacle { place: position.into(), what: what.into() }
    }
}

/// An expression that no plan can say.
fn obstacle(expr: &Expr) -> Obstacle {
    let what = match expr {
        Expr::FnCall(call, _) | Expr::MethodCall(call, _) => format!("it calls `{}`", call.name),
        Expr::Property(parts, _) => format!("it reads `{}`", parts.2),
        Expr::Variable(..) => "it uses the whole subject, or a variable that is no number, text or bool".to_string(),
        Expr::InterpolatedString(..) => "it puts a text together".to_string(),
        Expr::Array(..) | Expr::Map(..) => "it makes an array or a map".to_string(),
        Expr::Stmt(..) => "it has a block".to_string(),
        Expr::Dot(parts, _, _) => return obstacle(&parts.rhs),
        Expr::Index(..) => "it reads a part of a value".to_string(),
        Expr::Coalesce(..) => "it uses `??`".to_string(),
        _ => "it is not made of comparisons, arithmetic, fields and windows".to_string(),
    };
    Obstacle::at(expr.start_position(), what)
}

struct Lowering<'a> {
    subject: &'a str,
    captured: Vec<(&'a str, &'a Dynamic)>,
}

impl Lowering<'_> {
    /// What a block gives.
    fn body(&self, statements: &[Stmt]) -> Result<Plan, Obstacle> {
        match statements {
            [Stmt::Expr(expr)] => self.plan(expr),
            [Stmt::If(flow, _)] if !flow.branch.is_empty() => {
                let parts =
                    [self.plan(&flow.expr)?, self.body(flow.body.statements())?, self.body(flow.branch.statements())?];
                Ok(Plan::If(Box::new(parts)))
            }
            [Stmt::FnCall(call, position)] => self.operator(call, *position),
            [first, _, ..] => Err(Obstacle::at(first.position(), "it has several statements")),
            [other] => Err(Obstacle::at(other.position(), "it has a statement that is no expression")),
            [] => Err(Obstacle { place: Place::default(), what: "it has an empty block".into() }),
        }
    }

    fn plan(&self, expr: &Expr) -> Result<Plan, Obstacle> {
        let found = match expr {
            Expr::BoolConstant(bool, _) => Some(Plan::Bool(*bool)),
            Expr::IntegerConstant(number, _) => Some(Plan::Number(Number::Whole(*number))),
            Expr::FloatConstant(number, _) => Some(Plan::Number(Number::Fraction(**number))),
            Expr::StringConstant(text, _) => Some(Plan::Text(text.as_str().into())),
            Expr::Variable(..) => variable(expr).and_then(|name| self.constant(name)),
            Expr::And(parts, _) => Some(Plan::And(self.all(parts)?)),
            Expr::Or(parts, _) => Some(Plan::Or(self.all(parts)?)),
            Expr::FnCall(call, position) => return self.operator(call, *position),
            Expr::Dot(parts, flags, _) if is_plain(*flags) && self.is_subject(&parts.lhs) => {
                return self.member(&parts.rhs).ok_or_else(|| obstacle(&parts.rhs));
            }
            Expr::Dot(parts, _, _) => {
                // What it is called on may be the subject's own.
                self.plan(&parts.lhs)?;
                return Err(obstacle(&parts.rhs));
            }
            Expr::Index(parts, flags, _) if is_plain(*flags) && self.is_subject(&parts.lhs) => {
                tree::text_of(&parts.rhs).map(field_of)
            }
            Expr::Stmt(block) => return self.body(block.statements()),
            _ => None,
        };
        found.ok_or_else(|| obstacle(expr))
    }

    fn all(&self, parts: &[Expr]) -> Result<Box<[Plan]>, Obstacle> {
        parts.iter().map(|part| self.plan(part)).collect()
    }

    fn is_subject(&self, expr: &Expr) -> bool {
        variable(expr) == Some(self.subject)
    }

    fn constant(&self, name: &str) -> Option<Plan> {
        let (_, value) = self.captured.iter().find(|(known, _)| *known == name)?;
        if let Some(number) = number(value) {
            return Some(Plan::Number(number));
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            return Some(Plan::Text(text.as_str().into()));
        }
        value.as_bool().ok().map(Plan::Bool)
    }

    /// What stands after `s.`.
    fn member(&self, expr: &Expr) -> Option<Plan> {
        match expr {
            Expr::Property(parts, _) => match parts.2.as_str() {
                name @ ("name" | "kind") => Some(Plan::Label(name.into())),
                name if NO_FIELDS.contains(&name) => None,
                field => Some(field_of(field)),
            },
            Expr::MethodCall(call, _) => self.method(call),
            Expr::Dot(parts, flags, _) if is_plain(*flags) && is_labels(&parts.lhs) => match &parts.rhs {
                Expr::Property(label, _) => label_of(label.2.as_str()),
                _ => None,
            },
            Expr::Index(parts, flags, _) if is_plain(*flags) && is_labels(&parts.lhs) => {
                label_of(tree::text_of(&parts.rhs)?)
            }
            _ => None,
        }
    }

    fn method(&self, call: &FnCallExpr) -> Option<Plan> {
        match &call.args[..] {
            [field] if call.name == "has" => Some(Plan::Has(tree::text_of(field)?.into())),
            [field, window] => {
                let function = WindowFn::PLAIN.into_iter().find(|function| function.as_str() == call.name)?;
                self.asked(function, field, window)
            }
            [field, share, window] if call.name == "quantile" => {
                let Plan::Number(share) = self.plan(share).ok()? else { return None };
                self.asked(WindowFn::Quantile(Share::new(share.as_f64())?), field, window)
            }
            [field, window, ahead] if call.name == "forecast" => {
                let ahead = duration::parse(tree::text_of(ahead)?).ok()?;
                self.asked(WindowFn::Forecast(ahead), field, window)
            }
            _ => None,
        }
    }

    fn asked(&self, function: WindowFn, field: &Expr, window: &Expr) -> Option<Plan> {
        let (field, window) = (tree::text_of(field)?, self.window(window)?);
        let question = host::window_question(function, field, window).into();
        Some(Plan::Window { function, field: field.into(), place: FieldPlace::default(), window, question })
    }

    fn window(&self, expr: &Expr) -> Option<Window> {
        if let Some(text) = tree::text_of(expr) {
            return host::window_of(text, None);
        }
        if let Expr::Variable(..) = expr {
            return match self.constant(variable(expr)?)? {
                Plan::Text(text) => host::window_of(&text, None),
                _ => None,
            };
        }
        let Expr::FnCall(call, _) = expr else { return None };
        if call.is_qualified() {
            return None;
        }
        match (call.name.as_str(), &call.args[..]) {
            ("window", [length, ago]) => host::window_of(tree::text_of(length)?, Some(tree::text_of(ago)?)),
            ("today", []) => Some(Window::Day { ago: 0 }),
            ("yesterday", []) => Some(Window::Day { ago: 1 }),
            ("day", [Expr::IntegerConstant(ago, _)]) => Some(Window::Day { ago: u32::try_from(*ago).ok()? }),
            _ => None,
        }
    }

    fn operator(&self, call: &FnCallExpr, position: Position) -> Result<Plan, Obstacle> {
        let unknown = || Obstacle::at(position, format!("it calls `{}`", call.name));
        let token = call.op_token.as_ref().filter(|_| !call.is_qualified()).ok_or_else(unknown)?;
        match &call.args[..] {
            [of] => match token {
                Token::Bang => Ok(Plan::Not(Box::new(self.plan(of)?))),
                Token::Minus | Token::UnaryMinus => Ok(Plan::Negative(Box::new(self.plan(of)?))),
                _ => Err(unknown()),
            },
            [a, b] => {
                let operands = || Ok(Box::new([self.plan(a)?, self.plan(b)?]));
                if let Some(comparison) = comparison(token) {
                    return Ok(Plan::Compare(comparison, operands()?));
                }
                let arithmetic = match token {
                    Token::Plus => Arithmetic::Add,
                    Token::Minus => Arithmetic::Subtract,
                    Token::Multiply => Arithmetic::Multiply,
                    Token::Divide => Arithmetic::Divide,
                    Token::Modulo => Arithmetic::Remainder,
                    Token::PowerOf => Arithmetic::Power,
                    _ => return Err(unknown()),
                };
                Ok(Plan::Calculate(arithmetic, operands()?))
            }
            _ => Err(unknown()),
        }
    }
}

fn comparison(token: &Token) -> Option<Comparison> {
    Some(match token {
        Token::EqualsTo => Comparison::Equal,
        Token::NotEqualsTo => Comparison::NotEqual,
        Token::LessThan => Comparison::Less,
        Token::LessThanEqualsTo => Comparison::LessOrEqual,
        Token::GreaterThan => Comparison::Greater,
        Token::GreaterThanEqualsTo => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// `.` and `[..]`, not `?.` and `?[..]`.
fn is_plain(flags: ASTFlags) -> bool {
    !flags.contains(ASTFlags::NEGATED)
}

fn variable(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Variable(parts, _, _) if parts.2.is_empty() => Some(parts.1.as_str()),
        _ => None,
    }
}

fn is_labels(expr: &Expr) -> bool {
    matches!(expr, Expr::Property(parts, _) if parts.2 == "labels")
}

fn field_of(name: &str) -> Plan {
    Plan::Field(name.into(), FieldPlace::default())
}

/// `name` and `kind` are no labels of `s.labels`.
fn label_of(label: &str) -> Option<Plan> {
    (!matches!(label, "name" | "kind")).then(|| Plan::Label(label.into()))
}
