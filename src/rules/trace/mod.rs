//! Evaluations seen from inside: what each part of a condition came to, and what was asked on the way.

mod assemble;
pub mod coverage;
mod instrument;
mod load;
mod steps;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Serialize;

use crate::model::{SubjectKey, Time};

use super::program::LevelSource;
use super::{Context, Judgement, Rule, Verdict};

pub use coverage::Coverage;
pub use load::{Twins, watched};

pub(crate) use assemble::{Ending, PartSteps};
pub(crate) use instrument::Watched;
pub(crate) use steps::{Step, Watch, register};

/// A part of a rule that is a closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Which subjects take part.
    Where,
    /// The condition of a level, by its place in [`Rule::levels`]; 0 for a rule without levels.
    When(usize),
    /// What ends the condition of a level.
    Clear(usize),
    /// The level of a rule without levels.
    Level,
}

/// What an expression came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was not evaluated: what stands before it decided, or stopped.
    NotReached,
    /// This value, as a rule would write it.
    Value(String),
    /// It was evaluated several times, as for the members of a set.
    Values {
        /// How often it was true.
        n_true: usize,
        /// How often it was false.
        n_false: usize,
        /// How often it was something else.
        n_other: usize,
    },
    /// There was no answer, and why.
    NoData(String),
    /// It failed, and why.
    Error(String),
}

/// The samples that a window had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Samples {
    /// How many.
    pub count: usize,
    /// Where the window begins (exclusive), in engine time.
    pub start: Time,
    /// Where it ends (inclusive).
    pub end: Time,
    /// The oldest sample's time.
    pub first: Option<Time>,
    /// The newest sample's time.
    pub last: Option<Time>,
}

/// One question to history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asked {
    /// As a rule writes it: `rate("total_calls", "5m")`.
    pub question: String,
    /// Who was asked, where it is not the judged subject.
    pub subject: Option<SubjectKey>,
    /// The answer, or why there is none.
    pub outcome: Outcome,
    /// The samples behind it.
    pub samples: Option<Samples>,
}

/// One expression of a closure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expression {
    /// How deep it stands below the closure's own expression, which has 0.
    pub depth: usize,
    /// The line in the rule's file.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
    /// As it is written, on one line.
    pub text: String,
    /// What it came to.
    pub outcome: Outcome,
    /// What it asked of history itself, not by an expression below it.
    pub asked: Vec<Asked>,
}

/// One closure of a rule, seen from inside.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartTrace {
    /// Which.
    pub part: Part,
    /// Where it stands.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
    /// As it is written, on one line.
    pub text: String,
    /// What it came to.
    pub outcome: Outcome,
    /// Its expressions, each before those that it is made of.
    pub expressions: Vec<Expression>,
}

/// One evaluation, seen from inside.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// What it says.
    pub judgement: Judgement,
    /// The closures that were asked, in their order.
    pub parts: Vec<PartTrace>,
}

/// A rule that is ready to be seen from inside. To make it, the rule's text is loaded again, so that every expression
/// reports: that takes longer than an evaluation, and needs nothing of the world.
#[derive(Debug)]
pub struct Inside {
    rule: Arc<Rule>,
    /// `None` where it cannot be watched: it is only remembered, or was not loaded from a text.
    twin: Option<Rule>,
}

impl Inside {
    /// Makes a rule ready.
    pub fn of(rule: &Arc<Rule>) -> Inside {
        Inside { twin: load::watch(rule).ok(), rule: rule.clone() }
    }

    /// The rule itself.
    pub const fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    /// The closure of `level` as it is written, on one line.
    pub fn level_text(&self) -> Option<String> {
        assemble::closure_text(self.twin.as_ref()?, Part::Level)
    }

    /// Judges as [`Rule::judge`] does, and says how it came to that.
    pub fn explain(&self, context: &Context, on: &[bool]) -> Explained {
        explain(&self.rule, self.twin.as_ref(), context, on)
    }
}

impl Rule {
    /// Judges as [`Rule::judge`] does, and says how it came to that. To ask often, make an [`Inside`] of it once.
    pub fn explain(&self, context: &Context, on: &[bool]) -> Explained {
        explain(self, load::watch(self).ok().as_ref(), context, on)
    }
}

fn explain(rule: &Rule, twin: Option<&Rule>, context: &Context, on: &[bool]) -> Explained {
    let judgement = rule.judge(context, on);
    let Some(twin) = twin else { return Explained { judgement, parts: Vec::new() } };
    let mut parts = twin.judge_in_detail(context, on);
    let fires =
        matches!(&judgement.verdict, Verdict::Conditions(conditions) if conditions.contains(&super::Condition::Fire));
    if fires && matches!(twin.program.level, LevelSource::Closure(_)) {
        parts.extend(twin.level_in_detail(context));
    }
    let parts = parts.iter().filter_map(|part| assemble::part_trace(twin, part)).collect();
    Explained { judgement, parts }
}
