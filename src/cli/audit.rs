//! `larum audit`: what was asked for, by whom, and what came of it.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::daemon::{ClientArgs, Daemon, own_zone};
use super::silence::words::{shown_time, text};
use super::{Error, Kind, ProjectArgs, Ui};
use crate::export::csv;

/// The largest page that the daemon gives.
const PAGE: usize = 1000;

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Only what was asked for since then: `7d`, `2026-11-21T10:00:00Z`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what this token asked for
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Show so many at most, the newest
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
    /// How they are written
    #[arg(long, value_enum, default_value_t)]
    format: ExportFormat,
    #[command(flatten)]
    daemon: ClientArgs,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// For people
    #[default]
    Text,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
    /// For spreadsheets
    Csv,
}

pub(super) fn run(args: &AuditArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    if args.limit == 0 {
        return Err(Error::message(Kind::Usage, "`--limit 0` asks for nothing"));
    }
    let daemon = Daemon::find(&args.daemon, project)?;
    let mut found: Vec<Value> = Vec::new();
    let mut next = Value::Null;
    while found.len() < args.limit {
        let page = (args.limit - found.len()).min(PAGE).to_string();
        let mut parameters = vec![("limit", page.as_str())];
        parameters.extend(args.since.as_deref().map(|since| ("since", since)));
        parameters.extend(args.who.as_deref().map(|who| ("who", who)));
        parameters.extend(next.as_str().map(|cursor| ("cursor", cursor)));
        let document = daemon.get("/api/v1/audit", &parameters)?;
        found.extend(document["audit"].as_array().into_iter().flatten().cloned());
        next = document["next"].clone();
        if next.is_null() {
            break;
        }
    }
    let cells = |entry: &Value| ["time", "who", "address", "status", "what"].map(|key| text(&entry[key]));
    match args.format {
        ExportFormat::Json => ui.line(json!({ "audit": found, "next": next }))?,
        ExportFormat::Jsonl => found.iter().try_for_each(|entry| ui.line(entry))?,
        ExportFormat::Csv => {
            ui.text(&csv::line(["time", "who", "address", "status", "what"]))?;
            found.iter().try_for_each(|entry| ui.text(&csv::line(cells(entry))))?;
        }
        ExportFormat::Text if found.is_empty() => ui.line("nothing was asked for")?,
        ExportFormat::Text => {
            let zone = own_zone(project);
            let row = |entry: &Value| {
                let [_, who, address, status, what] = cells(entry);
                vec![shown_time(&entry["time"], &zone), who, address, status, what]
            };
            ui.table(&["TIME", "WHO", "FROM", "STATUS", "WHAT"], &found.iter().map(row).collect::<Vec<_>>())?;
        }
    }
    if !next.is_null() {
        ui.note(format_args!("there are more than these {}: `--limit` takes a higher number", found.len()));
    }
    Ok(())
}
