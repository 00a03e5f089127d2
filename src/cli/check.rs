//! `larum check`: validates everything that can be validated without running it.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::{Error, Format, Kind, ProjectArgs, Ui};
use crate::config::Project;
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::model::ChannelName;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// How problems are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &CheckArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let (project, mut problems) = Project::read(&project.dir, project.config.as_deref());
    problems.extend(check(&project));
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

/// All problems of a project's texts.
fn check(project: &Project) -> Vec<Diagnostic> {
    let names: BTreeSet<ChannelName> = project.channels.keys().cloned().collect();
    match project.parse_config() {
        Ok(config) => config.check_channels(&names),
        Err(problems) => problems,
    }
}

fn checked(project: &Project) -> String {
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let config = if project.config.is_some() { "larum.yaml, " } else { "" };
    let (rules, channels) = (count(project.rules.len(), "rule file"), count(project.channels.len(), "channel"));
    format!("checked {config}{rules} and {channels}: no problems")
}
