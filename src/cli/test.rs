//! `larum test`: runs rule tests on a virtual clock.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstyle::AnsiColor;
use clap::Args;
use serde_json::json;

use super::{Error, Format, Kind, ProjectArgs, Ui, load};
use crate::lab::rule_test::{self, FileReport};

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
    /// How results are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &TestArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let (files, project) = load(project, ui)?;
    let project = Arc::new(project);
    let tests = if args.paths.is_empty() { files.tests } else { read(&args.paths)? };
    let mut reports = Vec::new();
    for (file, text) in &tests {
        let report = rule_test::run(file, text, &project, args.filter.as_deref());
        if args.format == Format::Text && (report.n_passed() + report.n_failed() > 0 || args.filter.is_none()) {
            tell(&report, ui)?;
        }
        reports.push(report);
    }
    let n_passed: usize = reports.iter().map(FileReport::n_passed).sum();
    let n_failed: usize = reports.iter().map(FileReport::n_failed).sum();
    match args.format {
        Format::Text => ui.line(format_args!("{n_passed} passed, {n_failed} failed"))?,
        Format::Json => ui.line(json!({ "passed": n_passed, "failed": n_failed, "files": reports }))?,
    }
    if n_failed > 0 {
        return Err(Error::told(Kind::TestFailed));
    }
    let nothing = |what: String| Error::message(Kind::TestFailed, what);
    // A file without a test is a slip, but for a filter.
    let empty = reports.iter().find(|report| report.tests.is_empty() && args.filter.is_none());
    match (n_passed, empty, &args.filter) {
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
