//! `larum rules`: what is judged.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use serde_json::json;

use super::daemon::{Daemon, DaemonArgs};
use super::{Error, Format, ProjectArgs, Ui, channels};
use crate::config::{self, Config, Project};
use crate::diagnostic::{self, Diagnostic};
use crate::model::{ChannelName, Time, duration};
use crate::rules::loader::Report;
use crate::rules::{Loader, PerLevel, Rule, Scope};

/// The folder of rule files.
const FOLDER: &str = "rules";

#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// Name the rules with their places and what they judge
    ///
    /// The last column says whether a rule's conditions are judged without the interpreter, which is some ten times as
    /// fast, and if not, what in them prevents it.
    List {
        /// How the list is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        daemon: DaemonArgs,
    },
}

pub(super) fn run(args: &RulesArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let (project, mut problems) = Project::read(&project.dir, project.config.as_deref());
    let config = project.parse_config().unwrap_or_else(|more| {
        problems.extend(more);
        Config::without_file()
    });
    let (loader, report) = load(&project, &config);
    problems.extend(report.diagnostics);
    let RulesCommand::List { format, daemon } = &args.command;
    if let Some(url) = &daemon.url {
        return list_running(url, *format, ui);
    }
    let rules = &loader.rules().rules;
    match *format {
        Format::Text => {
            let rows = rules.values().map(|rule| {
                let levels: Vec<&str> = rule.possible_levels().iter().map(|level| level.as_str()).collect();
                vec![
                    rule.name.to_string(),
                    format!("{}:{}", rule.file, rule.line),
                    scope(rule),
                    levels.join(", "),
                    hold(&rule.hold),
                    if rule.judges_time { duration::format(rule.every) } else { String::new() },
                    rule.not_lowered().map_or_else(|| "yes".to_string(), |why| format!("no: {why}")),
                ]
            });
            ui.table(&["NAME", "PLACE", "JUDGES", "LEVELS", "HOLD", "EVERY", "LOWERED"], &rows.collect::<Vec<_>>())?;
        }
        Format::Json => {
            let rows: Vec<_> = rules.values().map(|rule| describe(rule)).collect();
            ui.line(json!({ "rules": rows, "problems": diagnostic::sorted(&problems) }))?;
        }
    }
    channels::refuse(&problems, ui)
}

/// The rules as a running daemon has them: who takes part, and how they fare.
fn list_running(url: &str, format: Format, ui: &mut Ui) -> Result<(), Error> {
    let document = Daemon::at(url)?.get("/api/v1/rules", &[])?;
    if format == Format::Json {
        return Ok(ui.line(&document)?);
    }
    let columns = ["name", "taking_part", "pending", "firing", "evaluations", "errors", "health"];
    let cell = |rule: &serde_json::Value, column: &str| match &rule[column] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rules = document["rules"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = rules.map(|rule| columns.iter().map(|column| cell(rule, column)).collect()).collect();
    Ok(ui.table(&["NAME", "TAKE PART", "PENDING", "FIRING", "EVALUATIONS", "ERRORS", "HEALTH"], &rows)?)
}

/// Loads the rules of a project as they would be loaded at start.
pub(super) fn load(project: &Project, config: &Config) -> (Loader, Report) {
    let channels: BTreeSet<ChannelName> = project.channels.keys().cloned().collect();
    let mut loader = Loader::new(FOLDER, config.rule_settings(Some(channels)), BTreeMap::new());
    let inside = |name: &str| name.strip_prefix(FOLDER).and_then(|name| name.strip_prefix('/')).unwrap_or(name).into();
    let listing = project.rules.iter().map(|(name, text)| (inside(name), Ok(text.clone()))).collect();
    let report = loader.update(Time::EPOCH, Ok(listing));
    (loader, report)
}

/// Warnings about rules that load: alerts that no route takes, and params that no rule reads.
pub(super) fn warnings(project: &Project, config: &Config, loader: &Loader) -> Vec<Diagnostic> {
    let routing = config.routing(project.channels.keys().cloned());
    let mut warnings = Vec::new();
    for rule in loader.rules().rules.values() {
        let text = project.rules.get(&rule.file).map_or("", |text| text);
        warnings.extend(routing.uncovered([config::possible(rule, &rule.possible_levels(), text)]));
    }
    let text = project.config.as_deref().unwrap_or_default();
    warnings.extend(config::circles(&routing, loader.rules(), &project.config_name, text));
    warnings.extend(config.unread_params(loader.unread_params()));
    warnings
}

fn scope(rule: &Rule) -> String {
    match &rule.scope {
        Scope::On { kind } => format!("each {kind}"),
        Scope::Over { kind, by } if by.is_empty() => format!("all of {kind}"),
        Scope::Over { kind, by } => format!("{kind} by {}", by.join(", ")),
    }
}

fn hold(hold: &PerLevel) -> String {
    let mut parts: Vec<String> =
        hold.by_level.iter().rev().map(|(level, length)| format!("{level} {}", duration::format(*length))).collect();
    if parts.is_empty() || !hold.default.is_zero() {
        parts.push(duration::format(hold.default));
    }
    parts.join(", ")
}

fn describe(rule: &Rule) -> serde_json::Value {
    let (kind, by) = match &rule.scope {
        Scope::On { kind } => (kind, None),
        Scope::Over { kind, by } => (kind, Some(by.iter().map(|label| label.to_string()).collect::<Vec<_>>())),
    };
    let by_level: BTreeMap<&str, String> =
        rule.hold.by_level.iter().map(|(level, length)| (level.as_str(), duration::format(*length))).collect();
    json!({
        "name": rule.name,
        "file": rule.file,
        "line": rule.line,
        "kind": kind,
        "by": by,
        "levels": rule.possible_levels(),
        "hold": { "default": duration::format(rule.hold.default), "by_level": by_level },
        "cooldown": duration::format(rule.cooldown),
        "judges_time": rule.judges_time,
        "every": duration::format(rule.every),
        "notify": rule.notify,
        "runbook": rule.runbook,
        "not_lowered": rule.not_lowered(),
    })
}
