//! `larum check`: validates everything that can be validated without running it.

mod report;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::daemon::{self, DaemonArgs};
use super::{Error, Kind, ProjectArgs, Ui, channels, rules};
use crate::app;
use crate::config::{Config, Project, Unsaved};
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::lab::rule_test;
use crate::model::ChannelName;
use report::Problem;

/// The largest text that is taken from standard input, in bytes: as much as a file may have.
const MAX_STDIN: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// How problems are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Take the text of this file from standard input, and everything else from disk: for editors. No daemon is asked
    #[arg(long, value_name = "PATH")]
    stdin_file: Option<PathBuf>,
    #[command(flatten)]
    daemon: DaemonArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: with the source lines.
    #[default]
    Text,
    /// One line each: `file:line:column: severity: message (hint)`.
    Short,
    /// For programs.
    Json,
}

pub(super) fn run(args: &CheckArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let unsaved = args.stdin_file.as_deref().map(|path| unsaved(path, project)).transpose()?;
    let (files, unreadable) = Project::read_with(&project.dir, project.config.as_deref(), unsaved.as_ref());
    let mut problems = Problem::all("file", unreadable);
    problems.extend(check(&files));
    // A daemon knows only what is saved, and whoever types does not wait for it.
    if let Some(url) = args.daemon.url.as_ref().filter(|_| unsaved.is_none()) {
        let is_known = |other: &Diagnostic| {
            problems.iter().any(|Problem { known, .. }| (&known.file, &known.message) == (&other.file, &other.message))
        };
        let more: Vec<Diagnostic> = daemon::problems(url)?.into_iter().filter(|other| !is_known(other)).collect();
        problems.extend(Problem::all("daemon", more));
    }
    let diagnostics: Vec<Diagnostic> = problems.iter().map(|problem| problem.known.clone()).collect();
    match args.format {
        Format::Text => {
            let text = diagnostic::render_all(&diagnostics, ui.out_colour());
            ui.text(&text)?;
            if problems.is_empty() {
                ui.line(checked(&files))?;
            }
        }
        Format::Short => {
            for problem in report::sorted(&problems) {
                ui.line(problem.short(&project.dir, project.config.as_deref()))?;
            }
        }
        Format::Json => ui.line(report::json(&problems, &project.dir, project.config.as_deref()))?,
    }
    match diagnostics.iter().any(|problem| problem.severity == Severity::Error) {
        true => Err(Error::told(Kind::Problems)),
        false => Ok(()),
    }
}

/// The text of an editor's buffer, from standard input.
fn unsaved(path: &Path, project: &ProjectArgs) -> Result<Unsaved, Error> {
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_STDIN + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_STDIN {
        return Err(Error::message(Kind::Failure, "the text on standard input is larger than 1 MiB"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::message(Kind::Failure, "the text on standard input is not UTF-8"))?;
    Unsaved::new(&project.dir, project.config.as_deref(), path, &text).ok_or_else(|| {
        let message = format!("`{}` is no file that {} is read from", path.display(), folder(&project.dir));
        let hint = "it is read from larum.yaml, rules/**/*.rhai and channels/*.yaml; `--dir` names another folder";
        Error::message(Kind::Usage, message).with_hint(hint)
    })
}

fn folder(dir: &Path) -> String {
    if dir == Path::new(".") { "this folder".to_string() } else { format!("`{}`", dir.display()) }
}

/// All problems of a project's texts. A file with problems hides none of another's.
fn check(project: &Project) -> Vec<Problem> {
    let names: BTreeSet<ChannelName> = project.channels.keys().cloned().collect();
    let mut problems = Problem::all("channel", channels::parse(project).1);
    let config = match project.parse_config() {
        Ok(config) => {
            problems.extend(Problem::all("settings", config.check_channels(&names)));
            problems.extend(Problem::all("settings", certificate(project, &config)));
            Some(config)
        }
        Err(more) => {
            problems.extend(Problem::all("settings", more));
            None
        }
    };
    let settings = config.clone().unwrap_or_else(Config::without_file);
    let (loader, report) = rules::load(project, &settings);
    let is_whole = !report.has_errors();
    problems.extend(Problem::all("rule", report.diagnostics));
    // What routes and params would be missed cannot be said while a part of them is not known.
    if let Some(config) = config.filter(|_| is_whole) {
        problems.extend(Problem::all("unused", rules::warnings(project, &config, &loader)));
    }
    for (file, text) in &project.tests {
        problems.extend(Problem::all("test", rule_test::check(file, text)));
    }
    problems
}

/// What is wrong with the certificate of the listener.
fn certificate(project: &Project, config: &Config) -> Vec<Diagnostic> {
    let Some(tls) = &config.tls else { return Vec::new() };
    let bad = app::read_pair(&project.folder, tls).err();
    bad.into_iter().map(|app::BadPair { file, problem }| Diagnostic::of_file(file, problem)).collect()
}

fn checked(project: &Project) -> String {
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let config = if project.config.is_some() { "larum.yaml, " } else { "" };
    let (rules, channels) = (count(project.rules.len(), "rule file"), count(project.channels.len(), "channel"));
    match project.tests.len() {
        0 => format!("checked {config}{rules} and {channels}: no problems"),
        n => format!("checked {config}{rules}, {} and {channels}: no problems", count(n, "test file")),
    }
}

#[cfg(test)]
mod tests;
