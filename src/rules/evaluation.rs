//! What one evaluation shares with the host functions that it calls: the world, the time, and what was read.
//!
//! Handles to it live in script values (subjects, sets) and in the call's tag. [`Evaluation::finish`] takes the world
//! back out, so that no handle that a script might have hidden somewhere keeps the world alive after the evaluation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{Dynamic, EvalAltResult, NativeCallContext};

use crate::history::{SubjectId, World};
use crate::model::{NoData, Now, Value};

use super::rule::{Context, Target};
use super::script::{Stop, fault};
use super::trace::{Asked, Outcome, Samples, Step, Watch};

/// Reads that are kept: more would make no better message.
pub(crate) const MAX_READS: usize = 16;

/// The values that a condition read, each once, in the order of reading.
pub(crate) type Reads = Vec<(Arc<str>, Value)>;

/// One evaluation of one rule.
#[derive(Debug)]
pub(crate) struct Evaluation {
    /// The time of the step.
    pub(crate) now: Now,
    /// The zone of the calendar functions.
    pub(crate) zone: jiff::tz::TimeZone,
    /// The subject that is judged; `None` for a set.
    pub(crate) judged: Option<SubjectId>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    world: Option<Arc<World>>,
    reads: Reads,
    /// How many closures over members are running: what they read of each member is not recorded.
    muted: usize,
    /// The notes of an evaluation that is watched.
    watch: Option<Watch>,
}

impl Evaluation {
    /// An evaluation about to start.
    pub(crate) fn new(context: &Context, watch: Option<Watch>) -> Arc<Evaluation> {
        let state = State { world: Some(context.world.clone()), reads: Vec::new(), muted: 0, watch };
        let judged = match context.target {
            Target::Subject(id) => Some(id),
            Target::Set { .. } => None,
        };
        Arc::new(Evaluation { now: context.now, zone: context.zone.clone(), judged, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic inside a host function ends the evaluation; what it had recorded is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the world. The question must not call back into the script.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&World, Now) -> T) -> Result<T, Box<EvalAltResult>> {
        match &self.state().world {
            Some(world) => Ok(question(world, self.now)),
            None => Err(fault("a subject or set of an earlier evaluation cannot be read")),
        }
    }

    /// Asks the world about one subject, and stops the evaluation where there is no answer.
    pub(crate) fn ask_about<T>(
        &self,
        subject: SubjectId,
        question: impl FnOnce(&World, Now) -> Result<T, NoData>,
    ) -> Result<T, Box<EvalAltResult>> {
        self.ask(question)?.map_err(|reason| Stop::NoData { reason, subject: Some(subject) }.into_error())
    }

    /// Records a value that was read; `name` is made only where it is kept.
    pub(crate) fn record(&self, subject: Option<SubjectId>, name: impl FnOnce() -> Arc<str>, value: &Value) {
        let state = &mut *self.state();
        if state.muted > 0 || state.reads.len() >= MAX_READS {
            return;
        }
        let mut name = name();
        if let Some(other) = subject.filter(|subject| Some(*subject) != self.judged)
            && let Some(other) = state.world.as_ref().and_then(|world| world.subject(other))
        {
            name = format!("{}.{name}", other.key.name).into();
        }
        if !state.reads.iter().any(|(known, _)| *known == name) {
            state.reads.push((name, value.clone()));
        }
    }

    /// Takes what was recorded so far.
    pub(crate) fn take_reads(&self) -> Reads {
        std::mem::take(&mut self.state().reads)
    }

    /// Runs something whose reads are not recorded.
    pub(crate) fn muted<T>(&self, closure: impl FnOnce() -> T) -> T {
        self.state().muted += 1;
        let result = closure();
        // Not restored by a panic, which ends the evaluation anyway.
        self.state().muted -= 1;
        result
    }

    /// Takes a note, where the evaluation is watched.
    pub(crate) fn watch(&self, note: impl FnOnce(&mut Watch)) {
        if let Some(watch) = &mut self.state().watch {
            note(watch);
        }
    }

    /// Whether values and questions are wanted as texts.
    pub(crate) fn watches_in_detail(&self) -> bool {
        self.state().watch.as_ref().is_some_and(|watch| watch.in_detail)
    }

    /// Notes a question to history, where somebody wants to read it. `samples` says which it had.
    pub(crate) fn asked(
        &self,
        subject: SubjectId,
        question: impl FnOnce() -> String,
        outcome: Outcome,
        samples: impl FnOnce(&World, Now) -> Option<Samples>,
    ) {
        if !self.watches_in_detail() {
            return;
        }
        let mut asked = Asked { question: question(), subject: None, outcome, samples: None };
        if let Some(world) = &self.state().world {
            asked.samples = samples(world, self.now);
            let other = Some(subject).filter(|subject| Some(*subject) != self.judged);
            asked.subject = other.and_then(|other| world.subject(other)).map(|other| other.key.clone());
        }
        self.watch(|watch| watch.note(Step::Asked(Box::new(asked))));
    }

    /// Ends the evaluation: from now on no handle reaches the world.
    pub(crate) fn finish(&self) {
        self.state().world = None;
    }
}

/// The evaluation as it travels in a call's tag.
#[derive(Clone, Debug)]
struct Tag(Arc<Evaluation>);

/// The tag for calls of an evaluation. Shared, because Rhai clones the tag for each nested call.
pub(crate) fn tag(evaluation: &Arc<Evaluation>) -> Dynamic {
    Dynamic::from(Tag(evaluation.clone())).into_shared()
}

/// The evaluation that a native function was called in.
///
/// # Errors
/// Where there is none, because the file is only being loaded.
pub(crate) fn of_call(context: &NativeCallContext) -> Result<Arc<Evaluation>, Box<EvalAltResult>> {
    match context.tag().and_then(|tag| tag.read_lock::<Tag>().map(|tag| tag.0.clone())) {
        Some(evaluation) => Ok(evaluation),
        None => Err(fault(format!(
            "`{}` has an answer only while a rule is judged: call it inside a closure such as `when`",
            context.fn_name()
        ))),
    }
}
