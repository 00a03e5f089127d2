//! What can be known of a rule file before a rule is judged: its functions and closures, what they call and what they read.
//!
//! Rhai's syntax tree is unstable between its minor versions, so this module and its children are the only ones that look at it.

pub(crate) mod calls;
pub(crate) mod lower;
pub(crate) mod points;
pub(crate) mod reads;
pub(crate) mod script;
pub(crate) mod text;
pub(crate) mod tokens;
mod tree;

use rhai::Position;

/// A place in a file's text: line and column from 1, or 0 where it is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The line.
    pub(crate) line: usize,
    /// The column, in characters.
    pub(crate) column: usize,
}

impl Place {
    /// Whether it is a real place.
    pub(crate) const fn is_known(self) -> bool {
        self.line > 0
    }

    /// This place, or the other where this one is unknown.
    pub(crate) const fn or(self, other: Place) -> Place {
        if self.is_known() { self } else { other }
    }
}

impl From<Position> for Place {
    fn from(position: Position) -> Place {
        match position.line() {
            Some(line) => Place { line, column: position.position().unwrap_or(1).max(1) },
            None => Place::default(),
        }
    }
}
