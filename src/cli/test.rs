//! `larum test`: runs rule tests on a virtual clock.

mod coverage;
mod junit;
mod mutate;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstyle::AnsiColor;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Error, Kind, ProjectArgs, Ui, load};
use crate::lab::rule_test::{self, FileReport};
use crate::rules::trace::Coverage;

/// How deep folders are looked through for tests.
const MAX_DEPTH: usize = 8;

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Test files, or folders with test files [default: all in rules/]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only tests whose names contain this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How many tests run at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// How results are written
    #[arg(long, value_enum, default_value_t)]
    format: TestFormat,
    /// Write the results to this file too, as JUnit's XML: what CI systems read
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Show which conditions of the rules were never true, never false or never without data
    #[arg(long)]
    coverage: bool,
    /// Fail where the conditions gave fewer of their answers (true and false each) than this, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
    /// Change the rules in small ways, one at a time, and list the changes that no test notices
    #[arg(long)]
    mutate: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum TestFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: everything.
    Json,
    /// For CI systems: JUnit's XML.
    Junit,
}

pub(super) fn run(args: &TestArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    if args.format == TestFormat::Junit && (args.coverage || args.mutate) {
        let message = "JUnit's XML has no place for coverage and mutations";
        return Err(
            Error::message(Kind::Usage, message).with_hint("write `--junit FILE` beside the text, or `--format json`")
        );
    }
    let (files, project) = load(project, ui)?;
    let coverage = (args.coverage || args.min_coverage.is_some()).then(|| Arc::new(Coverage::default()));
    // Mutations are made of the rules as they are written.
    let rules = project.rules.clone();
    let mut n_uncounted = 0;
    let project = match &coverage {
        Some(coverage) => {
            let (project, problems) = project.counted(coverage);
            n_uncounted = problems.len();
            for (file, problem) in problems {
                ui.note(format_args!("{file}: its conditions are not counted: {problem}"));
            }
            Arc::new(project)
        }
        None => Arc::new(project),
    };
    let tests = if args.paths.is_empty() { files.tests.clone() } else { read(&args.paths)? };
    let filter = args.filter.as_deref();
    let jobs = args.jobs.unwrap_or_else(rule_test::default_jobs);
    let mut reports = Vec::new();
    rule_test::run_files(&tests, &project, filter, jobs, |report| {
        if args.format == TestFormat::Text && (report.n_passed() + report.n_failed() > 0 || filter.is_none()) {
            tell(&report, ui)?;
        }
        reports.push(report);
        Ok::<(), Error>(())
    })?;
    let n_passed: usize = reports.iter().map(FileReport::n_passed).sum();
    let n_failed: usize = reports.iter().map(FileReport::n_failed).sum();
    let covered = coverage.map(|coverage| coverage.report());
    let mutation =
        (args.mutate && n_failed == 0 && n_passed > 0).then(|| mutate::run(&files, &rules, &reports, &tests, jobs, ui));
    match args.format {
        TestFormat::Text => {
            ui.line(format_args!("{n_passed} passed, {n_failed} failed"))?;
            if let Some(covered) = covered.as_ref().filter(|_| args.coverage) {
                coverage::tell(covered, &files.rules, ui)?;
            }
            if let Some(mutation) = &mutation {
                mutate::tell(mutation, ui)?;
            }
            if args.mutate && mutation.is_none() {
                ui.note("the rules were not changed: first all tests must pass");
            }
        }
        TestFormat::Json => {
            let mut document = json!({ "passed": n_passed, "failed": n_failed, "files": reports });
            if let Some(covered) = &covered {
                document["coverage"] = json!({ "percent": coverage::percent(covered), "rules": covered });
            }
            if let Some(mutation) = &mutation {
                document["mutation"] = json!(mutation);
            }
            ui.line(document)?;
        }
        TestFormat::Junit => ui.text(&junit::document(&reports))?,
    }
    if let Some(path) = &args.junit {
        fs::write(path, junit::document(&reports)).map_err(|error| {
            let error = anyhow::Error::new(error).context(format!("cannot write `{}`", path.display()));
            Error::new(Kind::Failure, error).with_hint("is there such a folder, and may it be written to?")
        })?;
    }
    if n_failed > 0 {
        return Err(Error::told(Kind::TestFailed));
    }
    let nothing = |what: String| Error::message(Kind::TestFailed, what);
    // A file without a test is a slip, but for a filter.
    let empty = reports.iter().find(|report| report.tests.is_empty() && filter.is_none());
    if args.min_coverage.is_some() && n_uncounted > 0 {
        return Err(Error::message(Kind::TestFailed, "the conditions of some files could not be counted"));
    }
    if let (Some(least), Some(covered)) = (args.min_coverage, &covered) {
        let percent = coverage::percent(covered);
        if percent < f64::from(least) {
            let message = format!("the conditions gave {percent:.1} % of their answers, less than {least} %");
            let hint = "`larum test --coverage` shows which are missing";
            return Err(Error::message(Kind::TestFailed, message).with_hint(hint));
        }
    }
    match (n_passed, empty, filter) {
        (_, Some(report), _) => Err(nothing(format!("nothing was tested: `{}` has no test", report.file))
            .with_hint("a test is `test(\"what must be true\", |t| { .. });`")),
        (0, None, Some(filter)) => Err(nothing(format!("nothing was tested: no test has `{filter}` in its name"))),
        (0, None, None) => Err(nothing("nothing was tested: there is no test file".to_string())
            .with_hint("write one beside a rule file: `rules/service.test.rhai`")),
        _ => Ok(()),
    }
}

/// What became of a file, for people.
fn tell(report: &FileReport, ui: &mut Ui) -> Result<(), Error> {
    ui.line(&report.file)?;
    if let Some(problem) = &report.problem {
        let word = ui.out_word("FAIL", AnsiColor::Red);
        ui.line(format_args!("  {word}  the file cannot be run"))?;
        for line in problem.lines(&report.file) {
            ui.line(format_args!("      {line}"))?;
        }
    }
    for test in &report.tests {
        match &test.failure {
            None => {
                let word = ui.out_word("ok", AnsiColor::Green);
                ui.line(format_args!("  {word}    {}", test.name))?;
            }
            Some(failure) => {
                let word = ui.out_word("FAIL", AnsiColor::Red);
                ui.line(format_args!("  {word}  {}", test.name))?;
                for line in failure.lines(&report.file) {
                    ui.line(format_args!("      {line}"))?;
                }
            }
        }
    }
    Ok(())
}

/// The texts of test files, and of those in folders.
fn read(paths: &[PathBuf]) -> Result<BTreeMap<Arc<str>, Arc<str>>, Error> {
    let mut files = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => add_tests(path, MAX_DEPTH, &mut files),
            Ok(_) => files.push(test_file(path)),
            Err(error) => return Err(unreadable(Kind::Usage, path, error)),
        }
    }
    let mut texts = BTreeMap::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(|error| unreadable(Kind::Failure, &path, error))?;
        texts.insert(path.to_string_lossy().as_ref().into(), text.into());
    }
    Ok(texts)
}

/// The test file that is meant: a rule file stands for the one beside it.
fn test_file(path: &Path) -> PathBuf {
    let is_rule_file = path.file_name().is_some_and(|name| {
        let name = name.to_string_lossy();
        name.ends_with(".rhai") && !name.ends_with(".test.rhai")
    });
    let beside = path.with_extension("test.rhai");
    if is_rule_file && beside.is_file() { beside } else { path.to_path_buf() }
}

fn unreadable(kind: Kind, path: &Path, error: std::io::Error) -> Error {
    Error::new(kind, anyhow::Error::new(error).context(format!("cannot read `{}`", path.display())))
}

/// The test files of a folder and of the folders in it. What cannot be read holds no tests that could be run.
fn add_tests(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && depth > 0 && !name.starts_with('.') {
            add_tests(&path, depth - 1, files);
        } else if name.ends_with(".test.rhai") && !name.starts_with('.') {
            files.push(path);
        }
    }
}
