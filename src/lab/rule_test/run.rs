//! Runs the tests of one file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rhai::{AST, Engine, EvalAltResult};

use super::functions::{Registered, Registry, T, place, register};
use super::reference;
use super::report::{FailureReport, FileReport, TestReport};
use super::stage::{Failure, Stage};
use super::timeline::About;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::lab::project::Project;
use crate::rules::{budget, diagnose, script};

/// Operations of one test; each sampling of its subjects is one too. A loop without an end uses them up in seconds.
const OPERATIONS: u64 = 10_000_000;
/// Wall time of one test. It decides nothing of a test that ends.
const TIME: Duration = Duration::from_secs(60);

/// Runs the tests of one file whose names contain `filter`, over a project, one after the other.
pub fn run(file: &Arc<str>, text: &str, project: &Arc<Project>, filter: Option<&str>) -> FileReport {
    match TestFile::read(file, text) {
        Ok(tests) => {
            let wanted = tests.wanted(filter).into_iter();
            let tests = wanted.filter_map(|index| tests.run(index, project, Detail::Full)).collect();
            FileReport { file: file.clone(), tests, problem: None }
        }
        Err(problem) => FileReport { file: file.clone(), tests: Vec::new(), problem: Some(*problem) },
    }
}

/// Names the tests of a file, without running them.
///
/// # Errors
/// Why the file cannot be run.
pub fn list(file: &Arc<str>, text: &str) -> Result<Vec<Listed>, Box<FailureReport>> {
    TestFile::read(file, text).map(|file| file.tests().to_vec())
}

/// A test of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, unique in its file.
    pub name: String,
    /// The line at which it begins.
    pub line: usize,
}

/// How much is wanted to be known of a test that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Everything: it runs once more, with a time line.
    Full,
    /// That it fails, where and why.
    Outcome,
}

/// A test file that can be run: its tests one by one, over whatever project.
pub struct TestFile {
    text: Arc<str>,
    program: Program,
    tests: Vec<Listed>,
}

impl std::fmt::Debug for TestFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestFile").field("tests", &self.tests).finish_non_exhaustive()
    }
}

impl TestFile {
    /// Compiles a file, and runs it so that it registers its tests.
    ///
    /// # Errors
    /// Why it cannot be run.
    pub fn read(file: &Arc<str>, text: &str) -> Result<TestFile, Box<FailureReport>> {
        let unusable = |failure: Failure| Box::new(report(failure, text));
        let program = Program::compile(file, text).map_err(|problem| {
            let Diagnostic { line, column, message, hint, .. } = *problem;
            unusable(Failure { line, column, hint, ..Failure::new(message) })
        })?;
        let registered = program.register().map_err(unusable)?.into_iter();
        let tests = registered.map(|test| Listed { name: test.name, line: test.line }).collect();
        Ok(TestFile { text: text.into(), program, tests })
    }

    /// Its tests, in their order.
    pub fn tests(&self) -> &[Listed] {
        &self.tests
    }

    /// The places of the tests whose names contain `filter`.
    pub fn wanted(&self, filter: Option<&str>) -> Vec<usize> {
        let is_wanted = |test: &Listed| filter.is_none_or(|filter| test.name.contains(filter));
        self.tests.iter().enumerate().filter(|(_, test)| is_wanted(test)).map(|(index, _)| index).collect()
    }

    /// Runs the test at this place; `None` where there is none.
    pub fn run(&self, index: usize, project: &Arc<Project>, detail: Detail) -> Option<TestReport> {
        let Listed { name, line } = self.tests.get(index)?.clone();
        let began = Instant::now();
        let (stage, failure, prints) = self.program.attempt(index, project, false);
        let mut test = TestReport {
            name,
            line,
            place: index,
            took: Duration::ZERO,
            expectations: stage.n_expectations,
            rules: stage.verdicts(),
            asked: stage.asked(),
            prints: stage.story.prints.iter().cloned().chain(prints).collect(),
            failure: None,
        };
        if let Some(mut failure) = failure {
            if failure.line == 0 {
                failure.line = line;
            }
            let once_more = detail == Detail::Full && !failure.is_cut_off;
            let (about, mut told) = (failure.about.clone(), report(failure, &self.text));
            if once_more {
                let (stage, ..) = self.program.attempt(index, project, true);
                told.add_evidence(&stage, about.as_deref());
            }
            told.prints.clone_from(&test.prints);
            test.failure = Some(told);
        }
        test.took = began.elapsed();
        Some(test)
    }
}

impl FailureReport {
    /// What happened on the stage, as far as it is about the alert of the failure.
    fn add_evidence(&mut self, stage: &Stage, about: Option<&About>) {
        if let Some(timeline) = &stage.story.timeline {
            let scope = about.and_then(|about| stage.rules.rules.get(&about.rule)).map(|rule| &rule.scope);
            self.timeline = timeline.lines(about, scope, stage.start, &stage.project.settings.zone);
        }
        if let Some(about) = about {
            self.judged = stage.judged(about);
            self.channels = stage.channels_of(about);
        }
    }
}

/// A compiled test file.
pub(super) struct Program {
    pub(super) engine: Engine,
    pub(super) ast: AST,
    registry: Registry,
    /// Its text names `restart`, without which no test can call it.
    restarts: bool,
}

impl Program {
    pub(super) fn compile(file: &Arc<str>, text: &str) -> Result<Program, Box<Diagnostic>> {
        let registry = Registry::default();
        let mut engine = script::engine();
        register(&mut engine, &registry);
        // A test may take longer than a rule: it is bounded by `guarded` alone.
        engine.set_max_operations(0);
        // `t.sent` gives whole requests, and a story may have thousands.
        engine.set_max_string_size(64 << 20).set_max_array_size(100_000).set_max_map_size(1_000_000);
        let ast = engine.compile(text).map_err(|error| diagnose::of_parse_error(file, text, &error))?;
        Ok(Program { engine, ast, registry, restarts: text.contains("restart") })
    }

    /// Runs the file itself, and gives the tests that it registers.
    pub(super) fn register(&self) -> Result<Vec<Registered>, Failure> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (result, _) = guarded(|| self.engine.run_ast(&self.ast));
        result.map_err(|error| failure_of(*error))?;
        Ok(std::mem::take(&mut *self.registry.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn attempt(
        &self,
        index: usize,
        project: &Arc<Project>,
        with_timeline: bool,
    ) -> (Stage, Option<Failure>, Vec<String>) {
        let t = T(Arc::new(Mutex::new(Stage::new(project, self.restarts, with_timeline))));
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
        let empty = Stage::new(project, false, false);
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
            match reference::signature(name) {
                Some(written) => {
                    let message = format!("`{name}` does not take what it is given here");
                    Failure::new(message).hint(Some(format!("write it as `{written}`")))
                }
                None => {
                    let hint = did_you_mean(name, reference::names());
                    Failure::new(format!("there is no function `{name}` here")).hint(hint)
                }
            }
        }
        EvalAltResult::ErrorRuntime(message, _) => Failure::new(message.to_string()),
        other => Failure::new(other.to_string()),
    };
    Failure { line, column, is_cut_off, ..failure }
}

fn report(failure: Failure, text: &str) -> FailureReport {
    let Failure { line, column, message, got, differences, hint, about: _, is_cut_off: _ } = failure;
    let source = line.checked_sub(1).and_then(|index| text.lines().nth(index)).map(str::to_string);
    let differences = differences.into_vec();
    FailureReport { line, column, source, message, got, differences, hint, ..FailureReport::default() }
}
