//! `larum check`: validates everything that can be validated without running it.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::daemon::{self, DaemonArgs};
use super::{Error, Format, Kind, ProjectArgs, Ui, channels, rules};
use crate::config::{Config, Project};
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::model::ChannelName;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// How problems are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    daemon: DaemonArgs,
}

pub(super) fn run(args: &CheckArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let (project, mut problems) = Project::read(&project.dir, project.config.as_deref());
    problems.extend(check(&project));
    if let Some(url) = &args.daemon.url {
        let is_known = |other: &Diagnostic| {
            problems.iter().any(|known| (&known.file, &known.message) == (&other.file, &other.message))
        };
        let more: Vec<Diagnostic> = daemon::problems(url)?.into_iter().filter(|other| !is_known(other)).collect();
        problems.extend(more);
    }
    match args.format {
        Format::Text => {
            let text = diagnostic::render_all(&problems, ui.out_colour());
            ui.text(&text)?;
            if problems.is_empty() {
                ui.line(checked(&project))?;
            }
        }
        Format::Json => {
            let n_errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
            ui.line(json!({
                "errors": n_errors,
                "warnings": problems.len() - n_errors,
                "problems": diagnostic::sorted(&problems),
            }))?;
        }
    }
    match problems.iter().any(|problem| problem.severity == Severity::Error) {
        true => Err(Error::told(Kind::Problems)),
        false => Ok(()),
    }
}

/// All problems of a project's texts. A file with problems hides none of another's.
fn check(project: &Project) -> Vec<Diagnostic> {
    let names: BTreeSet<ChannelName> = project.channels.keys().cloned().collect();
    let (_, mut problems) = channels::parse(project);
    let config = match project.parse_config() {
        Ok(config) => {
            problems.extend(config.check_channels(&names));
            Some(config)
        }
        Err(more) => {
            problems.extend(more);
            None
        }
    };
    let settings = config.clone().unwrap_or_else(Config::without_file);
    let (loader, report) = rules::load(project, &settings);
    let is_whole = !report.has_errors();
    problems.extend(report.diagnostics);
    // What routes and params would be missed cannot be said while a part of them is not known.
    if let Some(config) = config.filter(|_| is_whole) {
        problems.extend(rules::warnings(project, &config, &loader));
    }
    problems
}

fn checked(project: &Project) -> String {
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let config = if project.config.is_some() { "larum.yaml, " } else { "" };
    let (rules, channels) = (count(project.rules.len(), "rule file"), count(project.channels.len(), "channel"));
    format!("checked {config}{rules} and {channels}: no problems")
}
