//! Why a question has no answer.

use std::fmt;
use std::sync::Arc;

use super::Time;

/// Why an evaluation had no data. Never the same as false.
#[derive(Clone, Debug, PartialEq)]
pub enum NoData {
    /// The subject had this field once, but its newest snapshot lacks it.
    FieldMissing {
        /// The field that was read.
        field: Arc<str>,
    },
    /// The subject never had this field: the rule does not concern the subject.
    NeverHad {
        /// The field that was read.
        field: Arc<str>,
    },
    /// A window holds fewer samples than the function needs.
    TooFewSamples {
        /// The function and its arguments, as written: `rate("x", "5m")`.
        question: String,
        /// How many samples there are.
        have: usize,
        /// How many it needs.
        need: usize,
    },
    /// The window reaches further back than history is kept.
    BeyondHistory {
        /// The function and its arguments.
        question: String,
    },
    /// The question is about a span in which the engine did not watch all the time.
    NotWatchedLongEnough {
        /// The function and its arguments.
        question: String,
    },
    /// No snapshot came for `stale_after`.
    Stale {
        /// When the newest snapshot came.
        since: Time,
    },
    /// The source said that the subject no longer exists.
    Gone,
    /// It was fresh when the engine stopped, and was not heard of since the engine started again.
    Awaited,
    /// Some subjects of the kind are still [awaited](NoData::Awaited), so that the set is not whole.
    SetAwaited {
        /// The kind.
        kind: Arc<str>,
    },
    /// Its collector is paused.
    Paused {
        /// Since when.
        since: Time,
    },
    /// A division by zero.
    DivisionByZero,
    /// A number that is NaN or infinite.
    NotFinite {
        /// Where it came from: a field's name or an operation.
        origin: String,
    },
    /// An aggregate over a set without readable members.
    EmptySet {
        /// The function and its arguments.
        question: String,
    },
}

impl fmt::Display for NoData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoData::FieldMissing { field } => write!(f, "the newest snapshot lacks `{field}`"),
            NoData::NeverHad { field } => write!(f, "it never had a field `{field}`"),
            NoData::TooFewSamples { question, have, need } => {
                write!(f, "{question} has {have} of the {need} samples it needs")
            }
            NoData::BeyondHistory { question } => write!(f, "{question} reaches further back than history is kept"),
            NoData::NotWatchedLongEnough { question } => {
                write!(f, "{question} asks about a time in which it was not yet watched")
            }
            NoData::Stale { since } => write!(f, "no snapshot since {since}"),
            NoData::Gone => f.write_str("its source says that it no longer exists"),
            NoData::Awaited => f.write_str("it was not heard of since the restart or the end of a pause"),
            NoData::SetAwaited { kind } => {
                write!(f, "not every `{kind}` was heard of since the restart or the end of a pause")
            }
            NoData::Paused { since } => write!(f, "its collector is paused since {since}"),
            NoData::DivisionByZero => f.write_str("division by zero"),
            NoData::NotFinite { origin } => write!(f, "`{origin}` is not a finite number"),
            NoData::EmptySet { question } => write!(f, "{question} has no member to read"),
        }
    }
}
