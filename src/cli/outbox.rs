//! `larum outbox`: what is owed to channels, and what an operator does with it.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::daemon::{ClientArgs, Daemon};
use super::{Error, Format, Kind, ProjectArgs, Ui};

/// The largest page that the daemon gives.
const PAGE: usize = 1000;

#[derive(Debug, Args)]
pub(super) struct OutboxArgs {
    #[command(flatten)]
    daemon: ClientArgs,
    #[command(subcommand)]
    command: OutboxCommand,
}

#[derive(Debug, Subcommand)]
enum OutboxCommand {
    /// Name notifications, the newest first
    List {
        /// Only those in this state
        #[arg(long, value_enum)]
        state: Option<State>,
        /// Only those for this channel
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
        /// Show so many at most
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
        /// How the list is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one notification with its attempts
    Show {
        /// Its id, as `list` names it
        id: String,
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Try notifications now: those that wait, and those that were given up
    #[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
    Retry {
        /// Their ids, as `list` names them
        #[arg(group = "which", conflicts_with_all = ["channel", "all_dead"])]
        ids: Vec<String>,
        /// All of this channel that wait or were given up; with --all-dead only the latter
        #[arg(long, group = "which", value_name = "NAME")]
        channel: Option<String>,
        /// All that were given up
        #[arg(long, group = "which")]
        all_dead: bool,
    },
    /// Give up notifications that wait: nobody is told
    Drop {
        /// Their ids, as `list` names them
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// How far a notification has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// Neither delivered nor given up
    Waiting,
    /// The receiver took it
    Delivered,
    /// A summary stands for it
    Absorbed,
    /// Given up
    Dead,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Delivered => "delivered",
            State::Absorbed => "absorbed",
            State::Dead => "dead",
        }
    }
}

pub(super) fn run(args: &OutboxArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let daemon = Daemon::find(&args.daemon, project)?;
    match &args.command {
        OutboxCommand::List { state, channel, limit, format } => {
            let (found, more) = list(&daemon, *state, channel.as_deref(), *limit)?;
            show_list(&found, more, *format, ui)
        }
        OutboxCommand::Show { id, format } => {
            let document = daemon.get(&path_of(id, "")?, &[])?;
            match format {
                Format::Json => Ok(ui.line(document)?),
                Format::Text => show(&document, ui),
            }
        }
        OutboxCommand::Retry { ids, channel, all_dead } => {
            let ids = match ids.is_empty() {
                false => ids.clone(),
                true => ids_of(&daemon, channel.as_deref(), *all_dead)?,
            };
            if ids.is_empty() {
                return Ok(ui.line("there is nothing to try")?);
            }
            each(&daemon, &ids, "/retry", ui)
        }
        OutboxCommand::Drop { ids } => each(&daemon, ids, "/drop", ui),
    }
}

/// Notifications, the newest first, and whether there are more.
fn list(
    daemon: &Daemon,
    state: Option<State>,
    channel: Option<&str>,
    limit: usize,
) -> Result<(Vec<Value>, bool), Error> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    while found.len() < limit {
        let page = (limit - found.len()).min(PAGE).to_string();
        let mut parameters = vec![("limit", page.as_str())];
        parameters.extend(state.map(|state| ("state", state.as_str())));
        parameters.extend(channel.map(|channel| ("channel", channel)));
        parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let mut answer = daemon.get("/api/v1/outbox", &parameters)?;
        if let Some(page) = answer["outbox"].as_array_mut() {
            found.append(page);
        }
        cursor = answer["next"].as_str().map(str::to_string);
        if cursor.is_none() {
            break;
        }
    }
    Ok((found, cursor.is_some()))
}

/// The ids of all that were given up, and where a channel is named also of what waits there.
fn ids_of(daemon: &Daemon, channel: Option<&str>, all_dead: bool) -> Result<Vec<String>, Error> {
    let mut states = vec![State::Dead];
    if !all_dead {
        states.push(State::Waiting);
    }
    let mut ids = Vec::new();
    for state in states {
        // All of them before the first is tried: that changes the list.
        let (found, _) = list(daemon, Some(state), channel, usize::MAX)?;
        ids.extend(found.iter().filter_map(|one| one["id"].as_str()).map(str::to_string));
    }
    // The oldest first, as they would have gone.
    ids.reverse();
    Ok(ids)
}

/// Does the same with each; one that cannot be done stops no other.
fn each(daemon: &Daemon, ids: &[String], what: &str, ui: &mut Ui) -> Result<(), Error> {
    let mut failed = None;
    for id in ids {
        match path_of(id, what).and_then(|path| daemon.post(&path)) {
            Ok(answer) => {
                let said = match answer["result"].as_str().unwrap_or_default() {
                    "waiting" => "goes as soon as the limit and the receiver allow",
                    "in_flight" => "is being tried at this moment",
                    "revived" => "waits again",
                    "dropped" => "is given up",
                    "dropped_after_attempt" => "is given up if the attempt that is being made fails",
                    other => other,
                };
                ui.line(format_args!("{id} {said}"))?;
            }
            Err(error) => {
                let kind = error.kind;
                error.report(ui);
                failed.get_or_insert(kind);
            }
        }
    }
    match failed {
        Some(kind) => Err(Error::told(kind)),
        None => Ok(()),
    }
}

fn path_of(id: &str, what: &str) -> Result<String, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !id.is_empty() && id.chars().all(plain) {
        true => Ok(format!("/api/v1/outbox/{id}{what}")),
        false => Err(Error::message(Kind::Usage, format!("`{id}` is no id of a notification"))
            .with_hint("`larum outbox list` names them")),
    }
}

fn show_list(found: &[Value], more: bool, format: Format, ui: &mut Ui) -> Result<(), Error> {
    match format {
        Format::Json => ui.line(json!({ "outbox": found }))?,
        Format::Text if found.is_empty() => ui.line("no notifications")?,
        Format::Text => {
            let rows: Vec<Vec<String>> = found.iter().map(row).collect();
            ui.table(&["ID", "CHANNEL", "STATE", "WHAT", "DECIDED", "TRIES", "NOTE"], &rows)?;
        }
    }
    if more {
        ui.note(format_args!("there are more than these {}: see --limit, --state and --channel", found.len()));
    }
    Ok(())
}

fn row(one: &Value) -> Vec<String> {
    let text = |key: &str| one[key].as_str().unwrap_or_default().to_string();
    let note = match (one["next_attempt"].as_str(), one["absorbed_by"].as_str(), one["error"].as_str()) {
        (_, Some(summary), _) => format!("told by {summary}"),
        (Some(next), None, Some(error)) => format!("again at {}: {error}", short(next)),
        (Some(next), None, None) => format!("again at {}", short(next)),
        (None, None, error) => error.unwrap_or_default().to_string(),
    };
    let tries = one["attempts"].as_u64().unwrap_or(0).to_string();
    vec![text("id"), text("channel"), text("state"), what(one), short(&text("time")), tries, note]
}

/// What a notification tells, in a few words.
fn what(one: &Value) -> String {
    let text = |key: &str| one[key].as_str().unwrap_or_default();
    let n_alerts = one["alerts"].as_u64().unwrap_or(0);
    let first = format!("[{}] {} {} {}", text("level"), text("rule"), text("name"), text("event"));
    match (text("occasion"), n_alerts) {
        ("summary", n_alerts) => format!("summary of {n_alerts} alerts"),
        (_, 0 | 1) => first,
        (_, n_alerts) => format!("{first} and {} more", n_alerts - 1),
    }
}

fn show(document: &Value, ui: &mut Ui) -> Result<(), Error> {
    let text = |key: &str| document[key].as_str().map(str::to_string);
    let lines = [
        ("id", text("id")),
        ("channel", text("channel")),
        ("state", text("state")),
        ("what", Some(what(document))),
        ("decided", text("time")),
        ("told by", text("absorbed_by")),
        ("tried since", text("first_attempt")),
        ("next attempt", text("next_attempt")),
        ("ended", text("ended")),
        ("note", text("error")),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            ui.line(format_args!("{name:<13} {value}"))?;
        }
    }
    let list = |key: &str| document[key].as_array().cloned().unwrap_or_default();
    let told = list("told");
    if !told.is_empty() {
        ui.line("")?;
        let cell = |note: &Value, key: &str| note[key].as_str().unwrap_or_default().to_string();
        let rows =
            told.iter().map(|note| ["level", "event", "rule", "name", "message"].map(|key| cell(note, key)).to_vec());
        ui.table(&["LEVEL", "EVENT", "RULE", "NAME", "MESSAGE"], &rows.collect::<Vec<_>>())?;
    }
    let attempts = list("newest_attempts");
    if !attempts.is_empty() {
        ui.line("")?;
        let rows = attempts.iter().map(|attempt| {
            vec![
                attempt["number"].to_string(),
                attempt["time"].as_str().unwrap_or_default().to_string(),
                format!("{:.3} s", attempt["duration_seconds"].as_f64().unwrap_or_default()),
                attempt["result"].as_str().unwrap_or_default().to_string(),
                attempt["error"].as_str().unwrap_or_default().to_string(),
            ]
        });
        ui.table(&["TRY", "ENDED", "TOOK", "RESULT", "NOTE"], &rows.collect::<Vec<_>>())?;
    }
    let n_members = list("stands_for").len();
    if n_members > 0 {
        ui.line(format_args!("\nit stands for {n_members} notifications: --format json names them"))?;
    }
    Ok(())
}

/// A time to the second.
fn short(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_string(),
    }
}
