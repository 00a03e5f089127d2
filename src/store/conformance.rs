//! What every [`Store`] must do: one suite, run against each implementation.

mod answers;
mod deliveries;
mod fixtures;
mod history;
mod kept;
mod steps;

use super::*;
pub(super) use answers::{Answers, answers};
pub(super) use fixtures::{
    at, attempt, delivered, ended, event, notification, raised, result, step, step_with, subject,
};

/// A promise of a store, with an empty one.
type Promise = fn(&mut dyn Store);

/// Runs the suite. `make` gives an empty store each time; `reopen` closes the newest one and opens it again, where it
/// outlasts the process.
pub(super) fn run(
    make: &mut dyn FnMut() -> Box<dyn Store>,
    reopen: &mut dyn FnMut(Box<dyn Store>) -> Option<Box<dyn Store>>,
) {
    for promise in steps::PROMISES.iter().chain(deliveries::PROMISES).chain(kept::PROMISES).chain(history::PROMISES) {
        let mut store = make();
        promise(&mut *store);
        // Whatever was stored, it is the same after the store was closed.
        let before = answers(&*store.reader());
        if let Some(store) = reopen(store) {
            assert!(store.reader().is_durable());
            assert_eq!(answers(&*store.reader()), before);
        }
    }
}
