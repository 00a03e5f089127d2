//! Rules: Rhai scripts compiled to conditions over subjects. Pure: no clock, no I/O.

mod analyse;
pub(crate) mod budget;
pub(crate) mod diagnose;
mod evaluate;
mod evaluation;
mod fields;
pub mod host;
pub mod loader;
pub mod mutation;
mod number;
mod options;
mod plan;
mod program;
pub mod reference;
mod register;
mod remembered;
mod resolver;
mod rule;
pub(crate) mod script;
pub mod trace;
mod verdict;

pub use rule::{Context, NoDataPolicy, PerLevel, Repeat, Rule, RuleSet, Scope, StepBudget, Target};
pub use verdict::{Condition, Fault, Judgement, Verdict};

pub(crate) use plan::AtRest;

pub use fields::check_unknown_fields;
pub use loader::Loader;
pub use number::register as register_operators;
pub use options::{Defaults, KEYS, Key, check_channels};
pub use register::{Param, Params};
pub use remembered::RememberedRule;
pub use rule::{FieldUse, Flap};
