//! Rule tests: files `*.test.rhai`, on the real engine and a virtual clock.
//!
//! A test file is a Rhai script by the same constructor as rules, with `test(name, |t| ..)` instead of `rule`. Each test
//! runs on a stage of its own, from a file run of its own, so that none sees what another did. A test that fails runs
//! once more with a time line: it goes the same way, and the tests that pass pay nothing for it.

mod check;
mod difference;
mod evidence;
mod expect;
mod functions;
mod kinds;
mod notification;
mod on_call;
mod reference;
mod report;
mod run;
mod sent;
mod stage;
mod suite;
mod timeline;

#[cfg(test)]
mod tests;

pub use check::check;
pub use difference::Difference;
pub use reference::TOPICS;
pub use report::{FailureReport, FileReport, TestReport, Verdicts};
pub use run::{Detail, Listed, TestFile, list, run};
pub use suite::{default_jobs, in_parallel, run_files};
