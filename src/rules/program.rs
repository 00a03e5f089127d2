//! The compiled parts of a rule: closures with the very AST that made them.

use std::sync::Arc;

use crate::model::Level;

use super::analyse::lower::Obstacle;
use super::plan::Plan;
use super::trace::{Coverage, Watched};

/// A closure of a rule file.
#[derive(Clone, Debug)]
pub(crate) struct Closure {
    /// The function; its curried values are flattened copies, so no two rules share a captured variable.
    pub(crate) pointer: rhai::FnPtr,
    /// The AST that defines it: a pointer is only good together with it.
    pub(crate) ast: Arc<rhai::AST>,
    /// The file in which it is written, as people name it: the rule's own, or one that it imports.
    pub(crate) file: Arc<str>,
    /// Where it stands in the file, from 1.
    pub(crate) line: usize,
    /// Column, from 1.
    pub(crate) column: usize,
    /// What it comes to without the interpreter, or what in it is not simple enough.
    pub(crate) plan: Result<Arc<Plan>, Obstacle>,
}

/// Where the level of a rule without levels comes from.
#[derive(Clone, Debug)]
pub(crate) enum LevelSource {
    /// Always this one.
    Fixed(Level),
    /// Judged at each verdict.
    Closure(Closure),
}

/// Where the message comes from.
#[derive(Clone, Debug)]
pub(crate) enum MessageSource {
    /// Rule, subject and the values that were read.
    Default,
    /// Always this text.
    Text(Arc<str>),
    /// Made for each notification.
    Closure(Closure),
}

/// What a rule runs.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The engine that all closures run on: built once by `rules::script`.
    pub(crate) engine: Arc<rhai::Engine>,
    /// `where`; all subjects without it.
    pub(crate) takes: Option<Closure>,
    /// `when`, one per level in the rule's order (one for a rule without levels).
    pub(crate) when: Vec<Closure>,
    /// `clear`, one per entry of `when`; `None` is "not when".
    pub(crate) clear: Vec<Option<Closure>>,
    /// `level`.
    pub(crate) level: LevelSource,
    /// `message`.
    pub(crate) message: MessageSource,
    /// The file as it is watched, where the closures report on their expressions.
    pub(crate) watched: Option<Arc<Watched>>,
    /// Where is counted what they report.
    pub(crate) coverage: Option<Arc<Coverage>>,
}
