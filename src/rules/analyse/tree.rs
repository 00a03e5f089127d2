//! Steps through Rhai's syntax tree.

use rhai::{Dynamic, Expr, FnPtr, Stmt};

/// A node of the tree.
#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    /// A statement.
    Stmt(&'a Stmt),
    /// An expression.
    Expr(&'a Expr),
}

/// Calls `visit` for a node and everything under it, parents first. Bodies of closures are functions of their own.
pub(super) fn walk<'a>(node: Node<'a>, visit: &mut dyn FnMut(Node<'a>)) {
    visit(node);
    for_children(node, &mut |child| walk(child, visit));
}

/// Calls `visit` for each direct child of a node, in the order of the text.
pub(super) fn for_children<'a>(node: Node<'a>, visit: &mut dyn FnMut(Node<'a>)) {
    match node {
        Node::Stmt(stmt) => for_children_of_stmt(stmt, visit),
        Node::Expr(expr) => for_children_of_expr(expr, visit),
    }
}

fn for_children_of_stmt<'a>(stmt: &'a Stmt, visit: &mut dyn FnMut(Node<'a>)) {
    match stmt {
        Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, _, _) | Stmt::TryCatch(flow, _) => {
            visit(Node::Expr(&flow.expr));
            flow.body.iter().chain(flow.branch.iter()).for_each(|stmt| visit(Node::Stmt(stmt)));
        }
        Stmt::For(parts, _) => {
            visit(Node::Expr(&parts.2.expr));
            parts.2.body.iter().for_each(|stmt| visit(Node::Stmt(stmt)));
        }
        Stmt::Switch(parts, _) => {
            visit(Node::Expr(&parts.0));
            for case in &parts.1.expressions {
                visit(Node::Expr(&case.lhs));
                visit(Node::Expr(&case.rhs));
            }
        }
        Stmt::Var(parts, _, _) => visit(Node::Expr(&parts.1)),
        Stmt::Assignment(parts) => {
            visit(Node::Expr(&parts.1.lhs));
            visit(Node::Expr(&parts.1.rhs));
        }
        Stmt::FnCall(call, _) => call.args.iter().for_each(|arg| visit(Node::Expr(arg))),
        Stmt::Block(block) => block.iter().for_each(|stmt| visit(Node::Stmt(stmt))),
        Stmt::Expr(expr) => visit(Node::Expr(expr)),
        Stmt::BreakLoop(Some(expr), _, _) | Stmt::Return(Some(expr), _, _) => visit(Node::Expr(expr)),
        Stmt::Import(parts, _) => visit(Node::Expr(&parts.0)),
        _ => (),
    }
}

fn for_children_of_expr<'a>(expr: &'a Expr, visit: &mut dyn FnMut(Node<'a>)) {
    match expr {
        Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
            parts.iter().for_each(|part| visit(Node::Expr(part)));
        }
        Expr::Map(parts, _) => parts.0.iter().for_each(|(_, value)| visit(Node::Expr(value))),
        Expr::Stmt(block) => block.iter().for_each(|stmt| visit(Node::Stmt(stmt))),
        Expr::MethodCall(call, _) | Expr::FnCall(call, _) => call.args.iter().for_each(|arg| visit(Node::Expr(arg))),
        Expr::Dot(parts, _, _) | Expr::Index(parts, _, _) => {
            visit(Node::Expr(&parts.lhs));
            visit(Node::Expr(&parts.rhs));
        }
        Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
            parts.iter().for_each(|part| visit(Node::Expr(part)));
        }
        Expr::Custom(custom, _) => custom.inputs.iter().for_each(|input| visit(Node::Expr(input))),
        _ => (),
    }
}

/// The text of a text literal.
pub(super) fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::StringConstant(text, _) => Some(text.as_str()),
        _ => None,
    }
}

/// A closure as an expression: its pointer, and the variables that it captures.
pub(super) fn closure_of(expr: &Expr) -> Option<(FnPtr, Vec<&Expr>)> {
    match expr {
        Expr::DynamicConstant(value, _) => Some((pointer_of(value)?, Vec::new())),
        // A closure that captures is a block: share the variables, then `curry(pointer, variables..)`.
        Expr::Stmt(block) => block.iter().find_map(|stmt| match stmt {
            Stmt::Expr(expr) => closure_of(expr),
            Stmt::FnCall(call, _) => curry_of(call),
            _ => None,
        }),
        Expr::FnCall(call, _) => curry_of(call),
        _ => None,
    }
}

fn curry_of(call: &rhai::FnCallExpr) -> Option<(FnPtr, Vec<&Expr>)> {
    let (first, captured) = call.args.split_first()?;
    match first {
        Expr::DynamicConstant(value, _) if call.name == "curry" => {
            Some((pointer_of(value)?, captured.iter().collect()))
        }
        _ => None,
    }
}

fn pointer_of(value: &Dynamic) -> Option<FnPtr> {
    value.clone().try_cast::<FnPtr>()
}
