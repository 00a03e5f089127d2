//! Judging: runs a rule's closures on a subject or set, bounded and behind `catch_unwind`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, GlobalRuntimeState, NativeCallContext, Position};

use crate::model::{Level, NoData, Value};

use super::budget::{self, Exhausted};
use super::evaluation::{self, Evaluation, Reads};
use super::host::{self, Set, Subject};
use super::program::{Closure, LevelSource, MessageSource, Program};
use super::rule::{Context, Rule, Target};
use super::script::Stop;
use super::trace::{Ending, Part, PartSteps, Watch};
use super::{Condition, Fault, Judgement, Verdict};

/// Characters of a message.
const MAX_MESSAGE_CHARS: usize = 1000;

/// How a run of closures ended without a result.
enum Ended {
    NoData(NoData),
    NotConcerned(Arc<str>),
    Fault(Fault),
}

impl From<Ended> for Verdict {
    fn from(ended: Ended) -> Verdict {
        match ended {
            Ended::NoData(reason) => Verdict::NoData(reason),
            Ended::NotConcerned(field) => Verdict::NotConcerned { field },
            Ended::Fault(fault) => Verdict::Error(fault),
        }
    }
}

impl Ended {
    /// A rule concerns the subject by what `where` and `when` read; what the rest reads can only be missing.
    fn concerned(self) -> Ended {
        match self {
            Ended::NotConcerned(field) => Ended::NoData(NoData::NeverHad { field }),
            Ended::NoData(_) | Ended::Fault(_) => self,
        }
    }

    /// What an operator reads where no data is a problem too: in `level` and `message`.
    fn into_fault(self, what: &str) -> Fault {
        let message = match self {
            Ended::NoData(reason) => format!("`{what}` has no data: {reason}"),
            Ended::NotConcerned(field) => {
                format!("`{what}` has no data: {}", NoData::NeverHad { field })
            }
            Ended::Fault(fault) => return fault,
        };
        Fault { line: 0, column: 0, message, runaway: false }
    }
}

/// One evaluation about to run closures.
struct Run<'a> {
    program: &'a Program,
    evaluation: Arc<Evaluation>,
    target: &'a Target,
    global: GlobalRuntimeState,
    /// What each closure noted, where the evaluation is watched.
    parts: Vec<PartSteps>,
}

impl Run<'_> {
    /// Calls a closure with the subject or set.
    fn call(&mut self, closure: &Closure) -> Result<Dynamic, Ended> {
        let argument = match self.target {
            Target::Subject(id) => Dynamic::from(Subject::new(&self.evaluation, *id)),
            Target::Set { kind, members, labels } => {
                Dynamic::from(Set::group(&self.evaluation, kind.clone(), members.clone(), labels.clone()))
            }
        };
        // A closure is found in the first library of the call, which must be that of its own AST.
        self.global.lib.clear();
        self.global.lib.push(closure.ast.shared_lib().clone());
        let name = closure.pointer.fn_name();
        let context =
            NativeCallContext::new_with_all_fields(&self.program.engine, name, None, &self.global, Position::NONE);
        let answer = closure.pointer.call_raw(&context, None, [argument]);
        // A function of Rhai's library may have wrapped or dropped the stop.
        if let Some(stop) = budget::pending() {
            return Err(self.stopped(closure, stop));
        }
        answer.map(Dynamic::flatten).map_err(|error| self.ended(closure, &error))
    }

    /// Calls a closure that must say true or false.
    fn ask(&mut self, closure: &Closure, what: &str) -> Result<bool, Ended> {
        let answer = self.call(closure)?;
        answer.as_bool().map_err(|_| {
            let got = host::type_name(&answer);
            Ended::Fault(at(closure, format!("`{what}` must be true or false, got {got}")))
        })
    }

    /// As [`Run::ask`], for a part of the rule that may be watched.
    fn ask_part(&mut self, part: Part, closure: &Closure, what: &str) -> Result<bool, Ended> {
        let answer = self.ask(closure, what);
        if self.program.watched.is_some() {
            self.note(part, answer.as_ref().map(bool::to_string));
        }
        answer
    }

    /// Calls the closure that says the level.
    fn call_level(&mut self, closure: &Closure) -> Result<Dynamic, Ended> {
        let answer = self.call(closure);
        if self.program.watched.is_some() {
            self.note(Part::Level, answer.as_ref().map(host::shown));
        }
        answer
    }

    /// Keeps what a closure noted.
    fn note(&mut self, part: Part, answer: Result<String, &Ended>) {
        let mut steps = Vec::new();
        self.evaluation.watch(|watch| steps = watch.take());
        let ending = match answer {
            Ok(value) => Ending::Value(value),
            Err(Ended::NoData(reason)) => Ending::NoData(reason.to_string()),
            Err(Ended::NotConcerned(field)) => {
                Ending::NotConcerned(NoData::NeverHad { field: field.clone() }.to_string())
            }
            Err(Ended::Fault(fault)) => Ending::Error(fault.message.clone()),
        };
        self.parts.push(PartSteps { part, steps, ending });
    }

    fn stopped(&self, closure: &Closure, stop: Stop) -> Ended {
        match stop {
            Stop::NoData { reason: NoData::NeverHad { field }, subject }
                if subject.is_none() || subject == self.evaluation.judged =>
            {
                Ended::NotConcerned(field)
            }
            Stop::NoData { reason, .. } => Ended::NoData(reason),
            Stop::Exhausted(exhausted) => Ended::Fault(Fault { runaway: true, ..at(closure, used_up(exhausted)) }),
        }
    }

    fn ended(&self, closure: &Closure, error: &EvalAltResult) -> Ended {
        if let Some(stop) = Stop::of(error) {
            return self.stopped(closure, stop);
        }
        let (position, message) = explain(error, closure.ast.source());
        let fault = Fault { runaway: is_runaway(error), ..at(closure, message) };
        Ended::Fault(match (position.line(), position.position()) {
            // The reports in a watched text move its columns.
            (Some(line), Some(_)) if self.program.watched.is_some() => Fault { line, column: 0, ..fault },
            (Some(line), Some(column)) => Fault { line, column, ..fault },
            _ => fault,
        })
    }
}

/// A fault at the place of a closure.
fn at(closure: &Closure, message: String) -> Fault {
    Fault { line: closure.line, column: closure.column, message, runaway: false }
}

fn used_up(exhausted: Exhausted) -> String {
    match exhausted {
        Exhausted::Operations => "it used up its operations: is there an endless loop?".to_string(),
        Exhausted::Time => {
            format!("it took longer than {} s", budget::EVALUATION_TIME.as_secs())
        }
    }
}

/// Errors of Rhai's own limits that a script in a loop ends in.
fn is_runaway(error: &EvalAltResult) -> bool {
    matches!(
        error.unwrap_inner(),
        EvalAltResult::ErrorTooManyOperations(_)
            | EvalAltResult::ErrorStackOverflow(_)
            | EvalAltResult::ErrorDataTooLarge(..)
            | EvalAltResult::ErrorTooManyVariables(_)
    )
}

/// Where and why a script failed: the innermost place that is in the rule's own file, and Rhai's words without places.
///
/// Rhai names the source of a function that failed where it is an imported one.
fn explain(error: &EvalAltResult, file: Option<&str>) -> (Position, String) {
    let mut place = error;
    let mut position = error.position();
    while let EvalAltResult::ErrorInFunctionCall(_, source, inner, _) = place {
        if !source.is_empty() && Some(source.as_str()) != file {
            break;
        }
        place = inner;
        if !inner.position().is_none() {
            position = inner.position();
        }
    }
    (position, words(error.unwrap_inner()))
}

/// An error in words, without its position.
fn words(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(value, _) if value.is_string() => value.to_string(),
        EvalAltResult::ErrorRuntime(value, _) => format!("the script threw {}", host::type_name(value)),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            format!("there is no function `{}`", readable(signature))
        }
        EvalAltResult::ErrorVariableNotFound(name, _) => format!("there is no variable `{name}`"),
        EvalAltResult::ErrorMismatchDataType(wanted, got, _) => {
            format!("{} is needed here, got {}", readable(wanted), readable(got))
        }
        EvalAltResult::ErrorDotExpr(text, _) if text.starts_with("Unknown property '") => {
            let mut parts = text.split('\'').skip(1).step_by(2);
            let (property, of) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            format!("`{}` has no property `{property}`", readable(of))
        }
        EvalAltResult::ErrorStackOverflow(_) => "functions call each other too deeply".to_string(),
        other => {
            let text = other.to_string();
            let position = format!(" ({})", other.position());
            let text = text.strip_suffix(&position).unwrap_or(&text);
            let mut chars = text.chars();
            let first = chars.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
            readable(&format!("{first}{}", chars.as_str()))
        }
    }
}

/// Rhai's names of types as rules say them.
fn readable(text: &str) -> String {
    text.replace("&str | ImmutableString | String", "text")
        .replace("ImmutableString", "text")
        .replace("i64", "number")
        .replace("f64", "number")
        .replace("Fn", "closure")
}

impl Rule {
    /// Runs closures of this rule in one evaluation; whatever happens in it, it ends.
    fn run<T>(
        &self,
        context: &Context,
        body: impl FnOnce(&mut Run<'_>) -> Result<T, Ended>,
    ) -> (Result<T, Ended>, Reads) {
        let watch = self.program.watched.as_ref().map(|_| Watch::new(false));
        let (outcome, reads, parts) = self.run_watched(context, watch, body);
        if let Some(coverage) = &self.program.coverage {
            coverage.count(&self.name, &parts);
        }
        (outcome, reads)
    }

    fn run_watched<T>(
        &self,
        context: &Context,
        watch: Option<Watch>,
        body: impl FnOnce(&mut Run<'_>) -> Result<T, Ended>,
    ) -> (Result<T, Ended>, Reads, Vec<PartSteps>) {
        let program = &self.program;
        let members = match &context.target {
            Target::Subject(_) => 0,
            Target::Set { members, .. } => members.len() as u64,
        };
        let left = context.budget.left();
        if left == 0 {
            let message = format!(
                "the rule used up its {} operations of one step: the subjects that are left were not judged",
                budget::PER_STEP
            );
            let fault = Fault { line: self.line, column: 0, message, runaway: true };
            return (Err(Ended::Fault(fault)), Vec::new(), Vec::new());
        }
        let operations = left.min(budget::PER_EVALUATION + budget::PER_MEMBER * members);
        let evaluation = Evaluation::new(context, watch);
        let mut parts = Vec::new();
        let (outcome, usage) = budget::run(operations, budget::EVALUATION_TIME, || {
            catch_unwind(AssertUnwindSafe(|| {
                let mut global = program.engine.new_global_runtime_state();
                global.tag = evaluation::tag(&evaluation);
                let (evaluation, target) = (evaluation.clone(), &context.target);
                let mut run = Run { program, evaluation, target, global, parts: Vec::new() };
                let outcome = body(&mut run);
                parts = run.parts;
                outcome
            }))
        });
        context.budget.spend(usage.operations);
        context.budget.print(usage.prints);
        let reads = evaluation.take_reads();
        evaluation.finish();
        let outcome = outcome.unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_string())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            let message = format!("the evaluation panicked, which is a bug of Larum: {text}");
            Err(Ended::Fault(Fault { line: self.line, column: 0, message, runaway: true }))
        });
        (outcome, reads, parts)
    }

    /// Judges one subject or set. `on` says of each level (in the order of `levels`) whether it is on, so that `clear` is asked.
    ///
    /// Never panics and always ends: operations, time, sizes and depth are bounded.
    pub fn judge(&self, context: &Context, on: &[bool]) -> Judgement {
        if let Some(judgement) = self.judge_by_plan(context, on) {
            return judgement;
        }
        self.judge_by_interpreter(context, on)
    }

    /// Judges by the script as it is: what [`Rule::judge`] says, too.
    pub fn judge_by_interpreter(&self, context: &Context, on: &[bool]) -> Judgement {
        let mut when_reads = Vec::new();
        let (outcome, reads) = self.run(context, |run| self.verdict(run, context, on, &mut when_reads));
        let reads = if when_reads.is_empty() { reads } else { when_reads };
        Judgement { verdict: outcome.unwrap_or_else(Verdict::from), reads }
    }

    /// What each closure of a watched rule notes while it judges.
    pub(super) fn judge_in_detail(&self, context: &Context, on: &[bool]) -> Vec<PartSteps> {
        let verdict = |run: &mut Run<'_>| self.verdict(run, context, on, &mut Vec::new());
        self.run_watched(context, Some(Watch::new(true)), verdict).2
    }

    /// What the closure of a watched rule notes that says the level.
    pub(super) fn level_in_detail(&self, context: &Context) -> Vec<PartSteps> {
        let LevelSource::Closure(closure) = &self.program.level else { return Vec::new() };
        self.run_watched(context, Some(Watch::new(true)), |run| run.call_level(closure)).2
    }

    /// Asks the conditions in their order.
    fn verdict(
        &self,
        run: &mut Run<'_>,
        context: &Context,
        on: &[bool],
        when_reads: &mut Reads,
    ) -> Result<Verdict, Ended> {
        let program = &self.program;
        // A set's members have passed `where` already.
        if let (Some(takes), Target::Subject(_)) = (&program.takes, &context.target)
            && !run.ask_part(Part::Where, takes, "where")?
        {
            return Ok(Verdict::Excluded);
        }
        // What `where` read says who is judged, not why.
        run.evaluation.take_reads();
        let mut conditions = Vec::with_capacity(program.when.len());
        for (level, when) in program.when.iter().enumerate() {
            conditions.push(if run.ask_part(Part::When(level), when, "when")? {
                Condition::Fire
            } else {
                Condition::Clear
            });
        }
        *when_reads = run.evaluation.take_reads();
        for (level, ((condition, clear), on)) in conditions.iter_mut().zip(&program.clear).zip(on).enumerate() {
            if let (Condition::Clear, Some(clear), true) = (*condition, clear, on)
                && !run.ask_part(Part::Clear(level), clear, "clear").map_err(Ended::concerned)?
            {
                *condition = Condition::Neither;
            }
        }
        Ok(Verdict::Conditions(conditions))
    }

    /// Whether `where` takes a subject, as for the members of a set: conditions with one [`Condition::Fire`] where it
    /// does, [`Verdict::Excluded`] where it does not, else why it cannot be told.
    pub fn takes(&self, context: &Context) -> Verdict {
        let Some(takes) = &self.program.takes else {
            return Verdict::Conditions(vec![Condition::Fire]);
        };
        let (outcome, _) = self.run(context, |run| run.ask_part(Part::Where, takes, "where"));
        match outcome {
            Ok(true) => Verdict::Conditions(vec![Condition::Fire]),
            Ok(false) => Verdict::Excluded,
            Err(ended) => ended.into(),
        }
    }

    /// The level of an alert of a rule without levels.
    ///
    /// # Errors
    /// Where the closure fails, has no data, or says something that is no level.
    pub fn level(&self, context: &Context) -> Result<Level, Fault> {
        let closure = match &self.program.level {
            LevelSource::Fixed(level) => return Ok(*level),
            LevelSource::Closure(closure) => closure,
        };
        if let Some(level) = self.level_by_plan(context, closure) {
            return Ok(level);
        }
        let (outcome, _) = self.run(context, |run| run.call_level(closure));
        let answer = outcome.map_err(|ended| placed(ended.into_fault("level"), closure))?;
        match answer.as_immutable_string_ref() {
            Ok(text) => text.parse().map_err(|error: crate::model::UnknownLevel| at(closure, error.to_string())),
            Err(_) => Err(at(closure, format!("`level` must be text, got {}", host::type_name(&answer)))),
        }
    }

    /// The alert's message, one line.
    ///
    /// # Errors
    /// Where the closure fails or has no data.
    pub fn message(&self, context: &Context) -> Result<String, Fault> {
        let closure = match &self.program.message {
            MessageSource::Default => {
                let (_, reads) = self.run(context, |run| {
                    self.program.when.iter().try_for_each(|when| run.ask(when, "when").map(|_| ()))
                });
                return Ok(self.default_message(context, &reads));
            }
            MessageSource::Text(text) => return Ok(one_line(text)),
            MessageSource::Closure(closure) => closure,
        };
        // Made text inside the run: a subject prints itself only while the evaluation lasts.
        let (outcome, _) = self.run(context, |run| {
            let answer = run.call(closure)?;
            match answer.as_immutable_string_ref() {
                Ok(text) => Ok(one_line(&text)),
                Err(_) => {
                    let got = host::type_name(&answer);
                    Err(Ended::Fault(at(closure, format!("`message` must be text, got {got}"))))
                }
            }
        });
        outcome.map_err(|ended| placed(ended.into_fault("message"), closure))
    }

    /// The message of a rule that has none, or whose own failed: rule, subject and the values that were read.
    pub fn default_message(&self, context: &Context, reads: &[(Arc<str>, Value)]) -> String {
        let subject = match &context.target {
            Target::Subject(id) => context.world.subject(*id).map_or_else(String::new, |s| s.key.name.to_string()),
            Target::Set { kind, labels, .. } if labels.is_empty() => format!("all {kind}"),
            Target::Set { labels, .. } => {
                labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
            }
        };
        let values: Vec<String> = reads.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let text = match values.is_empty() {
            true => format!("{} {subject}", self.name),
            false => format!("{} {subject}: {}", self.name, values.join(", ")),
        };
        one_line(&text)
    }
}

/// A fault with the closure's place where it has none of its own.
fn placed(fault: Fault, closure: &Closure) -> Fault {
    match fault.line {
        0 => Fault { line: closure.line, column: closure.column, ..fault },
        _ => fault,
    }
}

/// A text as one line: line breaks and tabs as spaces, other control characters removed, cut where it is too long.
fn one_line(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|character| if matches!(character, '\n' | '\r' | '\t') { ' ' } else { character })
        .filter(|character| !character.is_control())
        .collect();
    let text = text.trim();
    match text.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => text[..end].to_string(),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests;
