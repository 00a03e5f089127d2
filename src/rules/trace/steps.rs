//! What a watched evaluation notes while it runs.

use rhai::{Dynamic, Engine, NativeCallContext};

use super::Asked;
use crate::rules::host::shown;
use crate::rules::{budget, evaluation};

/// Notes of one evaluation that are kept: a loop over many members would fill the memory.
const MAX_STEPS: usize = 50_000;

/// How many operations the interpreter spends on the beginning and the end of a report itself: what is left to a watched
/// evaluation is as much as to another.
const OPERATIONS: (u64, u64) = (5, 1);

/// What an expression gave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    /// A bool.
    Bool(bool),
    /// Something else; its text only where somebody wants to read it.
    Other(Option<String>),
}

/// One note.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// The evaluation of a point begins.
    At(usize),
    /// It gave a value.
    Seen(usize, Seen),
    /// History was asked.
    Asked(Box<Asked>),
}

/// The notes of one evaluation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// Values and questions are wanted as texts.
    pub(crate) in_detail: bool,
    steps: Vec<Step>,
    /// The points that are being evaluated, and whether their beginning is among the notes.
    open: Vec<(usize, bool)>,
}

impl Watch {
    /// Notes of an evaluation that is about to start.
    pub(crate) fn new(in_detail: bool) -> Watch {
        Watch { in_detail, ..Watch::default() }
    }

    /// Takes a note. Where there are too many, the end of what is noted to have begun is noted still.
    pub(crate) fn note(&mut self, step: Step) {
        let has_room = self.steps.len() < MAX_STEPS;
        let is_kept = match &step {
            Step::At(point) => {
                self.open.push((*point, has_room));
                has_room
            }
            Step::Seen(point, _) => loop {
                match self.open.pop() {
                    Some((open, began)) if open == *point => break began,
                    Some(_) => (),
                    None => break has_room,
                }
            },
            Step::Asked(_) => has_room,
        };
        if is_kept {
            self.steps.push(step);
        }
    }

    /// What was noted since this was last asked.
    pub(crate) fn take(&mut self) -> Vec<Step> {
        self.open.clear();
        std::mem::take(&mut self.steps)
    }
}

/// Registers the functions that a watched text calls.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_fn("__at", |context: NativeCallContext, point: i64| {
        budget::refund(OPERATIONS.0);
        if let (Ok(evaluation), Ok(point)) = (evaluation::of_call(&context), usize::try_from(point)) {
            evaluation.watch(|watch| watch.note(Step::At(point)));
        }
    });
    engine.register_fn("__seen", |context: NativeCallContext, point: i64, (): (), value: Dynamic| {
        budget::refund(OPERATIONS.1);
        // A file that only loads is watched by nobody.
        if let (Ok(evaluation), Ok(point)) = (evaluation::of_call(&context), usize::try_from(point)) {
            let wants_text = evaluation.watches_in_detail();
            let seen = match value.as_bool() {
                Ok(bool) => Seen::Bool(bool),
                // Made outside of the lock: a subject asks the evaluation for its name.
                Err(_) => Seen::Other(wants_text.then(|| shown(&value))),
            };
            evaluation.watch(|watch| watch.note(Step::Seen(point, seen)));
        }
        value
    });
}
