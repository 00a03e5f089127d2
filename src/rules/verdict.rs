//! What one evaluation says.

use std::sync::Arc;

use crate::model::{NoData, Value};

/// What a condition says of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `when` is true.
    Fire,
    /// `when` is false, and `clear` (asked only of a level that is on) is true.
    Clear,
    /// `when` is false, and so is `clear`: inside the hysteresis.
    Neither,
}

/// An evaluation that failed: a fault of the script that an operator must see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place in the rule's file; 0 where it is unknown.
    pub line: usize,
    /// Column, from 1; 0 where it is unknown.
    pub column: usize,
    /// What is wrong: "`status` is text and cannot be compared with a number".
    pub message: String,
    /// It used up its operations or its time, or panicked: counts towards quarantine at once.
    pub runaway: bool,
}

/// What one evaluation of a rule says of one subject or set.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The conditions, one for each of the rule's levels in its order (one for a rule without levels).
    Conditions(Vec<Condition>),
    /// There was no answer.
    NoData(NoData),
    /// The script failed.
    Error(Fault),
    /// `where` does not take the subject.
    Excluded,
    /// The subject never had this field: the rule does not concern it.
    NotConcerned {
        /// The field that was read.
        field: Arc<str>,
    },
}

/// A verdict and what was read on the way to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What it says.
    pub verdict: Verdict,
    /// The values read by `when`, in the order of reading, each once: a field's name, or a window as written (`rate("x", "5m")`).
    pub reads: Vec<(Arc<str>, Value)>,
}
