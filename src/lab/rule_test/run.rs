//! Runs the tests of one file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rhai::{AST, Engine, EvalAltResult};

use super::functions::{NAMES, Registered, Registry, T, place, register};
use super::report::{FailureReport, FileReport, TestReport};
use super::stage::{Failure, Stage};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::lab::project::Project;
use crate::rules::{budget, diagnose, script};

/// Operations of one test; each sampling of its subjects is one too. A loop without an end uses them up in seconds.
const OPERATIONS: u64 = 10_000_000;
/// Wall time of one test. It decides nothing of a test that ends.
const TIME: Duration = Duration::from_secs(60);

/// Runs the tests of one file whose names contain `filter`, over a project.
pub fn run(file: &Arc<str>, text: &str, project: &Arc<Project>, filter: Option<&str>) -> FileReport {
    let unusable = |failure: Failure| FileReport {
        file: file.clone(),
        tests: Vec::new(),
        problem: Some(report(failure, text, Vec::new(), Vec::new())),
    };
    let program = match Program::compile(file, text) {
        Ok(program) => program,
        Err(failure) => return unusable(failure),
    };
    let registered = match program.register() {
        Ok(registered) => registered,
        Err(failure) => return unusable(failure),
    };
    let is_wanted = |name: &str| filter.is_none_or(|filter| name.contains(filter));
    let wanted = registered.iter().enumerate().filter(|(_, test)| is_wanted(&test.name));
    let tests = wanted.map(|(index, test)| {
        let (expectations, failure) = program.run(index, test.line, project, text);
        TestReport { name: test.name.clone(), line: test.line, expectations, failure }
    });
    FileReport { file: file.clone(), tests: tests.collect(), problem: None }
}

/// A compiled test file.
struct Program {
    engine: Engine,
    ast: AST,
    registry: Registry,
}

impl Program {
    fn compile(file: &Arc<str>, text: &str) -> Result<Program, Failure> {
        let registry = Registry::default();
        let mut engine = script::engine();
        register(&mut engine, &registry);
        // A test may take longer than a rule: it is bounded by `guarded` alone.
        engine.set_max_operations(0);
        // `t.sent` gives whole requests, and a story may have thousands.
        engine.set_max_string_size(64 << 20).set_max_array_size(100_000).set_max_map_size(1_000_000);
        let ast = engine.compile(text).map_err(|error| {
            let Diagnostic { line, column, message, hint, .. } = diagnose::of_parse_error(file, text, &error);
            Failure { line, column, hint, ..Failure::new(message) }
        })?;
        Ok(Program { engine, ast, registry })
    }

    /// Runs the file itself, and gives the tests that it registers.
    fn register(&self) -> Result<Vec<Registered>, Failure> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (result, _) = guarded(|| self.engine.run_ast(&self.ast));
        result.map_err(|error| failure_of(*error))?;
        Ok(std::mem::take(&mut *self.registry.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Runs one test, and once more for the time line if it fails.
    fn run(&self, index: usize, line: usize, project: &Arc<Project>, text: &str) -> (usize, Option<FailureReport>) {
        let (stage, failure, _) = self.attempt(index, project, false);
        let Some(mut failure) = failure else { return (stage.n_expectations, None) };
        if failure.line == 0 {
            failure.line = line;
        }
        if failure.is_cut_off {
            return (stage.n_expectations, Some(report(failure, text, Vec::new(), Vec::new())));
        }
        let (stage, _, prints) = self.attempt(index, project, true);
        let timeline = stage.story.timeline.as_ref().map(|timeline| {
            let rule = failure.about.as_deref().and_then(|about| stage.rules.rules.get(&about.rule));
            let scope = rule.map(|rule| &rule.scope);
            timeline.lines(failure.about.as_deref(), scope, stage.start, &project.settings.zone)
        });
        let prints = stage.story.prints.iter().cloned().chain(prints).collect();
        (stage.n_expectations, Some(report(failure, text, timeline.unwrap_or_default(), prints)))
    }

    fn attempt(
        &self,
        index: usize,
        project: &Arc<Project>,
        with_timeline: bool,
    ) -> (Stage, Option<Failure>, Vec<String>) {
        let t = T(Arc::new(Mutex::new(Stage::new(project, with_timeline))));
        let (result, prints) = match self.register() {
            Ok(tests) => match tests.get(index) {
                Some(test) => {
                    guarded(|| test.body.call::<rhai::Dynamic>(&self.engine, &self.ast, (t.clone(),)).map(drop))
                }
                None => (Err(script::fault("the file registers other tests when it is run again")), Vec::new()),
            },
            Err(failure) => {
                t.stage().failure = Some(failure);
                (Ok(()), Vec::new())
            }
        };
        let ended = result.err().map(|error| failure_of(*error));
        let empty = Stage::new(project, false);
        let mut stage = std::mem::replace(&mut *t.stage(), empty);
        // A failure on the stage has more to say than the error that carried it out of the script.
        let failure = stage.failure.take().or(ended).or_else(|| {
            let nothing = "the test expects nothing, so it tests nothing";
            (stage.n_expectations == 0).then(|| {
                Failure::new(nothing).hint(Some("end it with what must be true, as `t.expect_quiet()`".to_string()))
            })
        });
        (stage, failure, prints)
    }
}

/// Runs a script within the bounds of a test; a panic is an error.
fn guarded(script: impl FnOnce() -> Result<(), Box<EvalAltResult>>) -> (Result<(), Box<EvalAltResult>>, Vec<String>) {
    let caught = catch_unwind(AssertUnwindSafe(|| budget::run(OPERATIONS, TIME, script)));
    match caught {
        Ok((result, usage)) => (result, usage.prints),
        Err(_) => {
            (Err(script::fault("the test panicked: this is a fault of larum itself, please report it")), Vec::new())
        }
    }
}

/// An error of a test script, in words.
fn failure_of(mut error: EvalAltResult) -> Failure {
    let is_cut_off = matches!(script::Stop::of(&error), Some(script::Stop::Exhausted(_)));
    let outer = place(error.position());
    while let EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) = error {
        error = *inner;
    }
    let (line, column) = match place(error.take_position()) {
        (0, _) => outer,
        place => place,
    };
    let failure = match error {
        _ if is_cut_off => Failure::new("the test does not end: it was cut off here")
            .hint(Some("is there a loop without an end, or a very long `t.advance`?".to_string())),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let name = signature.split(['(', ' ']).next().unwrap_or(&signature);
            let hint = did_you_mean(name, NAMES.iter().copied());
            Failure::new(format!("there is no function `{signature}` here")).hint(hint)
        }
        EvalAltResult::ErrorRuntime(message, _) => Failure::new(message.to_string()),
        other => Failure::new(other.to_string()),
    };
    Failure { line, column, is_cut_off, ..failure }
}

fn report(failure: Failure, text: &str, timeline: Vec<String>, prints: Vec<String>) -> FailureReport {
    let Failure { line, column, message, got, hint, about: _, is_cut_off: _ } = failure;
    let source = line.checked_sub(1).and_then(|index| text.lines().nth(index)).map(str::to_string);
    FailureReport { line, column, source, message, got, hint, timeline, prints }
}
