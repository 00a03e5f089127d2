//! Rule tests: files `*.test.rhai`, on the real engine and a virtual clock.
//!
//! A test file is a Rhai script by the same constructor as rules, with `test(name, |t| ..)` instead of `rule`. Each test
//! runs on a stage of its own, from a file run of its own, so that none sees what another did. A test that fails runs
//! once more with a time line: it goes the same way, and the tests that pass pay nothing for it.

mod expect;
mod functions;
mod kinds;
mod report;
mod run;
mod sent;
mod stage;
mod timeline;

#[cfg(test)]
mod tests;

pub use report::{FailureReport, FileReport, TestReport};
pub use run::run;
