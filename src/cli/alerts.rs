//! `larum alerts`: what fires, what fired, and who was told of it.

mod show;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::daemon::{ClientArgs, Daemon};
use super::{Error, Format, Kind, ProjectArgs, Ui};
use crate::config::Project;
use crate::model::{Level, Time, duration};

/// A page of the daemon's answer holds no more.
const MAX_PAGE: usize = 1000;

#[derive(Debug, Args)]
pub(super) struct AlertsArgs {
    /// One alert with its history: its id, or as much of it as no other begins with
    #[arg(value_name = "ID", conflicts_with_all = ["all", "rule", "kind", "name", "level"])]
    id: Option<String>,
    /// Also those that ended, newest first
    #[arg(long)]
    all: bool,
    /// With --all, only what fired since then: `7d`, `2026-11-21T10:00:00Z`
    #[arg(long, requires = "all", value_name = "TIME")]
    since: Option<String>,
    /// Only those of this rule
    #[arg(long)]
    rule: Option<String>,
    /// Only those of subjects of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only those of subjects with this name
    #[arg(long)]
    name: Option<String>,
    /// Only those at this level: info, warning, error or critical
    #[arg(long)]
    level: Option<Level>,
    /// Show so many at most
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
    /// How they are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    daemon: ClientArgs,
}

pub(super) fn run(args: &AlertsArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    check(args)?;
    let daemon = Daemon::find(&args.daemon, project)?;
    // Broken settings are told where they are needed; here they would only say in which zone times are.
    let (files, _) = Project::read(&project.dir, project.config.as_deref());
    let show = show::Show { zone: files.parse_config().map_or(TimeZone::UTC, |config| config.time_zone) };
    if let Some(id) = &args.id {
        let history = daemon.get(&format!("/api/v1/alerts/{}", in_path(id)), &[])?;
        match args.format {
            Format::Json => ui.line(&history)?,
            Format::Text => show.history(&history, ui)?,
        }
        return Ok(());
    }
    let document = list(args, &daemon)?;
    if args.format == Format::Json {
        return Ok(ui.line(&document)?);
    }
    let alerts = document["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    if alerts.is_empty() {
        return Ok(ui.line(nothing(args))?);
    }
    show.list(alerts, args.all, ui)?;
    if !document["next"].is_null() {
        ui.note(format_args!("there are more than these {}: `--limit` takes a higher number", alerts.len()));
    }
    Ok(())
}

/// What can be said before the daemon is asked.
fn check(args: &AlertsArgs) -> Result<(), Error> {
    if args.limit == 0 {
        return Err(Error::message(Kind::Usage, "`--limit 0` asks for nothing"));
    }
    if args.id.as_deref().is_some_and(|id| id.trim().is_empty()) {
        return Err(Error::message(Kind::Usage, "the id is empty"));
    }
    match &args.since {
        Some(since) if duration::parse(since).is_err() && Time::parse_rfc3339(since).is_err() => {
            let error = format!("`--since {since}` is neither a duration nor a time");
            Err(Error::message(Kind::Usage, error).with_hint("write it like `7d`, `90m` or `2026-11-21T10:00:00Z`"))
        }
        _ => Ok(()),
    }
}

fn borrowed<'a>(parameters: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    parameters.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The alerts that are asked for: page after page, until there are enough.
fn list(args: &AlertsArgs, daemon: &Daemon) -> Result<Value, Error> {
    let asked = [("rule", &args.rule), ("kind", &args.kind), ("name", &args.name), ("since", &args.since)];
    let mut parameters: Vec<(&str, String)> =
        asked.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect();
    parameters.extend(args.level.map(|level| ("level", level.to_string())));
    if !args.all {
        // What is pending or recovering is shown with its state: it has fired, or is about to.
        let document = daemon.get("/api/v1/alerts", &borrowed(&parameters))?;
        let mut alerts: Vec<Value> = document["alerts"].as_array().cloned().unwrap_or_default();
        alerts.retain(|alert| alert["state"] != "pending");
        let next = if alerts.len() > args.limit { json!(args.limit.to_string()) } else { Value::Null };
        alerts.truncate(args.limit);
        return Ok(json!({ "alerts": alerts, "next": next }));
    }
    parameters.push(("state", "all".to_string()));
    let mut alerts: Vec<Value> = Vec::new();
    let mut next = Value::Null;
    while alerts.len() < args.limit {
        let mut page = parameters.clone();
        page.push(("limit", (args.limit - alerts.len()).min(MAX_PAGE).to_string()));
        page.extend(next.as_str().map(|cursor| ("cursor", cursor.to_string())));
        let document = daemon.get("/api/v1/alerts", &borrowed(&page))?;
        alerts.extend(document["alerts"].as_array().into_iter().flatten().cloned());
        next = document["next"].clone();
        if next.is_null() {
            break;
        }
    }
    Ok(json!({ "alerts": alerts, "next": next }))
}

/// Says that there is nothing, and of what.
fn nothing(args: &AlertsArgs) -> String {
    let filters = [
        args.rule.as_ref().map(|rule| format!("rule {rule}")),
        args.kind.as_ref().map(|kind| format!("kind {kind}")),
        args.name.as_ref().map(|name| format!("name {name}")),
        args.level.map(|level| format!("level {level}")),
        args.since.as_ref().map(|since| match duration::parse(since) {
            Ok(_) => format!("within {since}"),
            Err(_) => format!("since {since}"),
        }),
    ];
    let filters: Vec<String> = filters.into_iter().flatten().collect();
    let what = if args.all { "no alert has fired" } else { "no alert fires" };
    match filters.is_empty() {
        true => what.to_string(),
        false => format!("{what} ({})", filters.join(", ")),
    }
}

/// A text as one segment of a path.
fn in_path(text: &str) -> String {
    text.bytes().fold(String::new(), |path, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => path + &char::from(byte).to_string(),
        _ => path + &format!("%{byte:02X}"),
    })
}

#[cfg(test)]
mod tests;
