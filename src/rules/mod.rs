//! Rules: Rhai scripts compiled to conditions over subjects. Pure: no clock, no I/O.

mod budget;
mod evaluate;
mod evaluation;
pub mod host;
mod number;
mod program;
mod rule;
mod script;
mod verdict;

pub use number::register as register_operators;
pub use rule::{Context, NoDataPolicy, PerLevel, Repeat, Rule, RuleSet, Scope, StepBudget, Target};
pub use verdict::{Condition, Fault, Judgement, Verdict};
