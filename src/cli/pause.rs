//! `larum pause`, `resume` and `forget`.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::daemon::{ClientArgs, Daemon, login, own_zone};
use super::silence::words::{shown_time, text};
use super::{Error, Format, ProjectArgs, Ui};

/// Rules and collectors.
#[derive(Debug, Args)]
struct Which {
    /// This rule; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "all_rules")]
    rule: Vec<String>,
    /// All rules
    #[arg(long)]
    all_rules: bool,
    /// This collector (`host`, `http:shop-api`, `push`); may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "all_collectors")]
    collector: Vec<String>,
    /// All collectors
    #[arg(long)]
    all_collectors: bool,
}

impl Which {
    fn is_nothing(&self) -> bool {
        self.rule.is_empty() && self.collector.is_empty() && !self.all_rules && !self.all_collectors
    }

    fn document(&self) -> Value {
        let named = |names: &[String], all: bool| if all { json!(true) } else { json!(names) };
        json!({
            "rules": named(&self.rule, self.all_rules), "collectors": named(&self.collector, self.all_collectors)
        })
    }
}

#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    #[command(flatten)]
    which: Which,
    /// Why
    #[arg(long, default_value = "", value_name = "TEXT")]
    comment: String,
    /// Who asks for it (default: the login name)
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    daemon: ClientArgs,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true)
    .args(["rule", "all_rules", "collector", "all_collectors"]))]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    which: Which,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    daemon: ClientArgs,
}

pub(super) fn pause(args: &PauseArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let daemon = Daemon::find(&args.daemon, project)?;
    if args.which.is_nothing() {
        return show(&daemon.get("/api/v1/pause", &[])?, args.format, project, ui);
    }
    let mut asked = args.which.document();
    asked["by"] = args.by.clone().unwrap_or_else(login).into();
    asked["comment"] = args.comment.clone().into();
    show(&daemon.send(Method::POST, "/api/v1/pause", &asked)?, args.format, project, ui)
}

pub(super) fn resume(args: &ResumeArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let daemon = Daemon::find(&args.daemon, project)?;
    show(&daemon.send(Method::POST, "/api/v1/resume", &args.which.document())?, args.format, project, ui)
}

/// What is paused now.
fn show(document: &Value, format: Format, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    if format == Format::Json {
        return Ok(ui.line(document)?);
    }
    let paused = document["paused"].as_array().map(Vec::as_slice).unwrap_or_default();
    if paused.is_empty() {
        return Ok(ui.line("nothing is paused")?);
    }
    let zone = own_zone(project);
    let row = |pause: &Value| {
        let name = if pause["name"].is_null() { "(all)".to_string() } else { text(&pause["name"]) };
        vec![
            text(&pause["what"]),
            name,
            shown_time(&pause["since"], &zone),
            text(&pause["by"]),
            text(&pause["comment"]),
        ]
    };
    let rows: Vec<Vec<String>> = paused.iter().map(row).collect();
    Ok(ui.table(&["PAUSED", "NAME", "SINCE", "BY", "COMMENT"], &rows)?)
}

#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    /// The kind of the subject
    kind: String,
    /// Its name
    name: String,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    daemon: ClientArgs,
}

pub(super) fn forget(args: &ForgetArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let daemon = Daemon::find(&args.daemon, project)?;
    let asked = json!({ "kind": args.kind, "name": args.name });
    let forgotten = daemon.send(Method::POST, "/api/v1/forget", &asked)?;
    if args.format == Format::Json {
        return Ok(ui.line(forgotten)?);
    }
    ui.line(format_args!("{} {} is forgotten", text(&forgotten["kind"]), text(&forgotten["name"])))?;
    for alert in forgotten["closed"].as_array().into_iter().flatten() {
        ui.line(format_args!("  closed: [{}] {}", text(&alert["level"]), text(&alert["rule"])))?;
    }
    if forgotten["durable"] == json!(false) {
        ui.note("this is not stored: a restart may bring it back");
    }
    Ok(())
}
