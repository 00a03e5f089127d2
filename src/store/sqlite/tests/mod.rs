mod backup;
mod contract;
mod opening;
mod properties;
mod room;

use tempfile::TempDir;

use super::*;
use crate::store::conformance::{Answers, answers, at, delivered, ended, raised, step_with};

/// A data folder of its own.
fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// What a store says of everything that it has.
fn all(store: &Sqlite) -> Answers {
    answers(&*store.reader())
}
