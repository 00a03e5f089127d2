//! What a script may use up: operations, wall time and lines that it prints.
//!
//! Rhai counts operations per call frame, and forgets what a closure used that a native function called (`map`,
//! `filter`, our own `avg`). So we count by ourselves. Rhai's hooks (`on_progress`, `on_print`) are given neither the
//! evaluation nor its tag, so the running count is a thread-local: the only one of an evaluation. It holds no handle to the
//! world, is entered and left by [`run`] alone, and [`run`] restores what was before, also when the script panics.
//!
//! Wall time is read here although the rules read no clock otherwise: it is the emergency brake for a native function
//! that takes longer than its operations say, and never decides anything of a script that behaves.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use rhai::{Dynamic, EvalAltResult, Position};

use crate::history::SubjectId;
use crate::model::NoData;

/// Operations of one evaluation of one rule on one subject.
pub(crate) const PER_EVALUATION: u64 = 100_000;

/// Operations that an evaluation of a set may use for each of its members, on top of [`PER_EVALUATION`].
pub(crate) const PER_MEMBER: u64 = 100;

/// Operations of one rule in one step, over all subjects.
pub(crate) const PER_STEP: u64 = 10_000_000;

/// Operations of one rule file while it loads.
pub(crate) const PER_LOAD: u64 = 10_000_000;

/// Wall time of one evaluation.
pub(crate) const EVALUATION_TIME: Duration = Duration::from_secs(1);

/// Wall time of one rule file while it loads.
pub(crate) const LOAD_TIME: Duration = Duration::from_secs(5);

/// Lines that one evaluation may print; the rest is counted in a last line.
const MAX_PRINTS: usize = 10;

/// Characters of one printed line.
const MAX_PRINT_CHARS: usize = 1000;

/// The clock is looked at once per this many operations.
const CLOCK_INTERVAL: u64 = 256;

/// What was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    /// Its operations.
    Operations,
    /// Its wall time.
    Time,
}

/// Why an evaluation ended before its end. A script cannot catch it.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// There is no answer. `subject` is who was asked, `None` for a set.
    NoData {
        /// Why.
        reason: NoData,
        /// Who was asked.
        subject: Option<SubjectId>,
    },
    /// It used up what it may.
    Exhausted(Exhausted),
}

impl Stop {
    /// Stops the run, and gives the error that carries it: Rhai passes it through `try` and `catch`.
    ///
    /// Some functions of Rhai's library wrap the errors of the closures that they call, or drop them. So the stop is
    /// kept too, and the next operation raises it again, until [`resume`].
    pub(crate) fn into_error(self) -> Box<EvalAltResult> {
        METER.with(|meter| {
            meter.pending.replace(Some(self.clone()));
            meter.next_look.set(0);
        });
        Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(self), Position::NONE))
    }

    /// The stop inside an error, where it is one.
    pub(crate) fn of(error: &EvalAltResult) -> Option<Stop> {
        match error.unwrap_inner() {
            EvalAltResult::ErrorTerminated(token, _) => token.clone().try_cast::<Stop>(),
            _ => None,
        }
    }
}

/// What a script used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Operations.
    pub(crate) operations: u64,
    /// The lines that it printed.
    pub(crate) prints: Vec<String>,
}

struct Meter {
    spent: Cell<u64>,
    limit: Cell<u64>,
    time: Cell<Duration>,
    next_look: Cell<u64>,
    /// Set at the first look at the clock: most evaluations end before it.
    deadline: Cell<Option<Instant>>,
    pending: RefCell<Option<Stop>>,
    prints: RefCell<Prints>,
}

#[derive(Default)]
struct Prints {
    lines: Vec<String>,
    left_out: usize,
}

thread_local! {
    static METER: Meter = const {
        Meter {
            spent: Cell::new(0),
            limit: Cell::new(PER_EVALUATION),
            time: Cell::new(EVALUATION_TIME),
            next_look: Cell::new(CLOCK_INTERVAL),
            deadline: Cell::new(None),
            pending: RefCell::new(None),
            prints: RefCell::new(Prints { lines: Vec::new(), left_out: 0 }),
        }
    };
}

/// What the surrounding run had; put back when dropped, also by a panic.
struct Surrounding {
    spent: u64,
    limit: u64,
    time: Duration,
    next_look: u64,
    deadline: Option<Instant>,
    pending: Option<Stop>,
    prints: Prints,
}

impl Drop for Surrounding {
    fn drop(&mut self) {
        METER.with(|meter| {
            meter.spent.set(self.spent);
            meter.limit.set(self.limit);
            meter.time.set(self.time);
            meter.next_look.set(self.next_look);
            meter.deadline.set(self.deadline);
            meter.pending.replace(self.pending.take());
            meter.prints.replace(std::mem::take(&mut self.prints));
        });
    }
}

/// Runs a script with so many operations and so much wall time, and says what it used.
pub(crate) fn run<T>(operations: u64, time: Duration, script: impl FnOnce() -> T) -> (T, Usage) {
    let surrounding = METER.with(|meter| Surrounding {
        spent: meter.spent.replace(0),
        limit: meter.limit.replace(operations),
        time: meter.time.replace(time),
        next_look: meter.next_look.replace(CLOCK_INTERVAL),
        deadline: meter.deadline.replace(None),
        pending: meter.pending.take(),
        prints: meter.prints.take(),
    });
    let result = script();
    let usage = METER.with(|meter| {
        let Prints { mut lines, left_out } = meter.prints.take();
        if left_out > 0 {
            lines.push(format!("({left_out} more lines were printed in this evaluation)"));
        }
        Usage { operations: meter.spent.get(), prints: lines }
    });
    drop(surrounding);
    (result, usage)
}

/// Counts operations, of the interpreter or of a native function's own loop.
///
/// # Errors
/// Where the run was stopped or has used up what it may; from then on at each call.
#[inline]
pub(crate) fn spend(operations: u64) -> Result<(), Stop> {
    METER.with(|meter| {
        let spent = meter.spent.get().saturating_add(operations);
        meter.spent.set(spent);
        match spent > meter.limit.get() || spent >= meter.next_look.get() {
            true => look(meter, spent),
            false => Ok(()),
        }
    })
}

/// Gives back operations that were not the script's own.
pub(crate) fn refund(operations: u64) {
    METER.with(|meter| meter.spent.set(meter.spent.get().saturating_sub(operations)));
}

/// Looks whether the run may go on; `next_look` stays where it may not, so that every later operation looks again.
#[cold]
fn look(meter: &Meter, spent: u64) -> Result<(), Stop> {
    if let Some(stop) = &*meter.pending.borrow() {
        return Err(stop.clone());
    }
    if spent > meter.limit.get() {
        return Err(Stop::Exhausted(Exhausted::Operations));
    }
    let now = Instant::now();
    match meter.deadline.get() {
        None => meter.deadline.set(now.checked_add(meter.time.get())),
        Some(deadline) if now >= deadline => return Err(Stop::Exhausted(Exhausted::Time)),
        Some(_) => (),
    }
    meter.next_look.set(spent.saturating_add(CLOCK_INTERVAL));
    Ok(())
}

/// The stop that was raised and that no caller has taken note of.
pub(crate) fn pending() -> Option<Stop> {
    METER.with(|meter| meter.pending.borrow().clone())
}

/// Goes on after a stop for want of data that the caller knows how to do without, as a set leaves out a member.
pub(crate) fn resume() {
    METER.with(|meter| meter.pending.replace(None));
}

/// Keeps a line that the script printed.
pub(crate) fn print(line: &str) {
    METER.with(|meter| {
        let mut prints = meter.prints.borrow_mut();
        if prints.lines.len() < MAX_PRINTS {
            // What is printed reaches terminals.
            let plain = line.chars().map(|c| if matches!(c, '\n' | '\t' | '\r') { ' ' } else { c });
            prints.lines.push(plain.filter(|c| !c.is_control()).take(MAX_PRINT_CHARS).collect());
        } else {
            prints.left_out += 1;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_at_its_limit_and_stays_ended() {
        let (results, usage) = run(3, EVALUATION_TIME, || (0..5).map(|_| spend(1)).collect::<Vec<_>>());
        assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false, false]);
        assert_eq!(usage.operations, 5);
    }

    #[test]
    fn wall_time_ends_a_run_that_has_operations_left() {
        let (result, _) = run(u64::MAX, Duration::ZERO, || (0..1000).try_for_each(|_| spend(1)));
        assert!(matches!(result, Err(Stop::Exhausted(Exhausted::Time))), "{result:?}");
    }

    #[test]
    fn a_run_inside_a_run_has_its_own_count_and_a_panic_restores_the_outer_one() {
        let (inner, outer) = run(10, EVALUATION_TIME, || {
            spend(4).unwrap();
            let panicked = std::panic::catch_unwind(|| run(1, EVALUATION_TIME, || panic!("in a script")));
            assert!(panicked.is_err());
            run(2, EVALUATION_TIME, || spend(3)).0
        });
        assert!(matches!(inner, Err(Stop::Exhausted(Exhausted::Operations))), "{inner:?}");
        assert_eq!(outer.operations, 4);
    }

    #[test]
    fn a_stop_that_was_swallowed_is_raised_again_until_it_is_taken_note_of() {
        run(1000, EVALUATION_TIME, || {
            drop(Stop::NoData { reason: NoData::Gone, subject: None }.into_error());
            assert!(spend(1).is_err() && spend(1).is_err() && pending().is_some());
            resume();
            assert!(spend(1).is_ok() && pending().is_none());
        });
        assert!(pending().is_none());
    }

    #[test]
    fn a_flood_of_prints_is_cut_and_counted() {
        let ((), usage) = run(10, EVALUATION_TIME, || (0..25).for_each(|n| print(&n.to_string())));
        assert_eq!(usage.prints.len(), 11);
        assert_eq!(usage.prints[10], "(15 more lines were printed in this evaluation)");
    }
}
