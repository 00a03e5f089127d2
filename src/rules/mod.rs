//! Rules: Rhai scripts compiled to conditions over subjects. Pure: no clock, no I/O.

mod program;
mod rule;
mod verdict;

pub use rule::{Context, NoDataPolicy, PerLevel, Repeat, Rule, RuleSet, Scope, Target};
pub use verdict::{Condition, Fault, Judgement, Verdict};
