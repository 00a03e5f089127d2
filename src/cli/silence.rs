//! `larum silence`: for a time nobody is told of some alerts.

pub(super) mod words;

use clap::{Args, Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use reqwest::Method;
use serde_json::{Value, json};

use super::daemon::{ClientArgs, Daemon, login, own_zone};
use super::{Error, Format, Kind, ProjectArgs, Ui};
use words::{conditions, moment, shown_time};

/// The largest page that the daemon gives.
const PAGE: usize = 1000;

#[derive(Debug, Args)]
pub(super) struct SilenceArgs {
    #[command(flatten)]
    daemon: ClientArgs,
    #[command(subcommand)]
    command: SilenceCommand,
}

#[derive(Debug, Subcommand)]
enum SilenceCommand {
    /// Silence the alerts that fulfil all conditions
    ///
    /// They are judged all the same. What still fires when the silence ends is told then; who was told before it gets the end
    /// at once.
    Add(AddArgs),
    /// Name silences, the newest first
    List {
        /// Only those in this state
        #[arg(long, value_enum, conflicts_with = "all")]
        state: Option<State>,
        /// Those that ended too
        #[arg(long)]
        all: bool,
        /// Show so many at most
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
        /// How the list is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one silence and the alerts that it covers now
    Show {
        /// Its id, or as much of it as no other begins with
        id: String,
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// End silences now
    Expire {
        /// Their ids, or as much of each as no other begins with
        #[arg(required = true)]
        ids: Vec<String>,
        /// Who ends them (default: the login name)
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, Args)]
struct AddArgs {
    /// What it covers: `rule=cpu_*`, `level>=error`, `kind=host`, `name=web-1,web-2`, `env!=dev`; `*` is any text
    #[arg(required = true, value_name = "CONDITION")]
    conditions: Vec<String>,
    /// For how long: `2h`, `90m`, `1d`
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "until")]
    length: Option<String>,
    /// Until when: `2026-11-27 09:00` in the zone of larum.yaml, or RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// From when on; now unless said
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only in these weekly windows: `Sun 02:00-04:00`, as a route's `active`; without an end for ever
    #[arg(long, value_name = "WINDOWS")]
    every: Option<String>,
    /// The zone of --every (default: the daemon's)
    #[arg(long, value_name = "ZONE", requires = "every")]
    time_zone: Option<String>,
    /// Why
    #[arg(long, default_value = "", value_name = "TEXT")]
    comment: String,
    /// Who asks for it (default: the login name)
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Only say what it would cover
    #[arg(long)]
    preview: bool,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What a silence does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// It has not begun
    Planned,
    /// It covers what it matches
    Active,
    /// It recurs, and no window is open
    Waiting,
    /// It is over
    Ended,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            State::Planned => "planned",
            State::Active => "active",
            State::Waiting => "waiting",
            State::Ended => "ended",
        }
    }
}

pub(super) fn run(args: &SilenceArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let zone = own_zone(project);
    match &args.command {
        SilenceCommand::Add(add_args) => {
            let asked = asked(add_args, &zone)?;
            let daemon = Daemon::find(&args.daemon, project)?;
            let made = daemon.send(Method::POST, "/api/v1/silences", &asked)?;
            match add_args.format {
                Format::Json => Ok(ui.line(made)?),
                Format::Text => show_made(&made, add_args.preview, &zone, ui),
            }
        }
        SilenceCommand::List { state, all, limit, format } => {
            let daemon = Daemon::find(&args.daemon, project)?;
            let state = if *all { Some("all") } else { state.map(State::as_str) };
            list(&daemon, state, *limit, *format, &zone, ui)
        }
        SilenceCommand::Show { id, format } => {
            let daemon = Daemon::find(&args.daemon, project)?;
            let found = daemon.get(&path_of(id)?, &[])?;
            match format {
                Format::Json => Ok(ui.line(found)?),
                Format::Text => show_one(&found, &zone, ui),
            }
        }
        SilenceCommand::Expire { ids, by } => {
            let daemon = Daemon::find(&args.daemon, project)?;
            let by = by.clone().unwrap_or_else(login);
            let mut failed = None;
            for id in ids {
                match daemon.send(Method::DELETE, &path_of(id)?, &json!({ "by": by })) {
                    Ok(ended) => ui.line(format_args!("{} is ended", ended["id"].as_str().unwrap_or(id)))?,
                    // The others are ended all the same.
                    Err(error) if ids.len() == 1 => return Err(error),
                    Err(error) => {
                        error.report(ui);
                        failed = Some(());
                    }
                }
            }
            failed.map_or(Ok(()), |()| Err(Error::told(Kind::Failure)))
        }
    }
}

/// What the daemon is asked for.
fn asked(args: &AddArgs, zone: &TimeZone) -> Result<Value, Error> {
    let mut asked = json!({ "match": conditions(&args.conditions)?, "preview": args.preview });
    let mut set = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            asked[key] = value.into();
        }
    };
    set("for", args.length.clone());
    set("until", args.until.as_deref().map(|text| moment("--until", text, zone)).transpose()?);
    set("from", args.from.as_deref().map(|text| moment("--from", text, zone)).transpose()?);
    set("every", args.every.clone());
    set("time_zone", args.time_zone.clone());
    set("comment", Some(args.comment.clone()).filter(|comment| !comment.is_empty()));
    set("author", Some(args.author.clone().unwrap_or_else(login)));
    Ok(asked)
}

fn path_of(id: &str) -> Result<String, Error> {
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match is_id {
        true => Ok(format!("/api/v1/silences/{id}")),
        false => Err(Error::message(Kind::Usage, format!("`{id}` is no id of a silence"))
            .with_hint("`larum silence list` names the ids")),
    }
}

fn list(
    daemon: &Daemon,
    state: Option<&str>,
    limit: usize,
    format: Format,
    zone: &TimeZone,
    ui: &mut Ui,
) -> Result<(), Error> {
    if limit == 0 {
        return Err(Error::message(Kind::Usage, "`--limit 0` asks for nothing"));
    }
    let mut found: Vec<Value> = Vec::new();
    let mut next = Value::Null;
    while found.len() < limit {
        let page = (limit - found.len()).min(PAGE).to_string();
        let mut parameters = vec![("limit", page.as_str())];
        parameters.extend(state.map(|state| ("state", state)));
        parameters.extend(next.as_str().map(|cursor| ("cursor", cursor)));
        let document = daemon.get("/api/v1/silences", &parameters)?;
        found.extend(document["silences"].as_array().into_iter().flatten().cloned());
        next = document["next"].clone();
        if next.is_null() {
            break;
        }
    }
    if format == Format::Json {
        return Ok(ui.line(json!({ "silences": found, "next": next }))?);
    }
    if found.is_empty() {
        return Ok(ui.line(if state == Some("all") {
            "there is no silence"
        } else {
            "no silence is in force or planned"
        })?);
    }
    let rows: Vec<Vec<String>> = found.iter().map(|silence| row(silence, zone)).collect();
    ui.table(&["ID", "STATE", "MATCH", "FROM", "UNTIL", "EVERY", "AUTHOR", "COMMENT"], &rows)?;
    if !next.is_null() {
        ui.note(format_args!("there are more than these {}: `--limit` takes a higher number", found.len()));
    }
    Ok(())
}

fn row(silence: &Value, zone: &TimeZone) -> Vec<String> {
    let until = if silence["expired"].is_null() { &silence["until"] } else { &silence["expired"] };
    let until = if until.is_null() { "for ever".to_string() } else { shown_time(until, zone) };
    vec![
        words::text(&silence["id"]),
        words::text(&silence["state"]),
        words::matches(&silence["match"]),
        shown_time(&silence["from"], zone),
        until,
        words::windows(silence),
        words::text(&silence["author"]),
        words::text(&silence["comment"]),
    ]
}

fn show_made(made: &Value, preview: bool, zone: &TimeZone, ui: &mut Ui) -> Result<(), Error> {
    let silence = &made["silence"];
    if preview {
        ui.line(format_args!("a silence of {} would cover:", words::matches(&silence["match"])))?;
    } else {
        let begins = match silence["state"].as_str() {
            Some("planned") => format!("from {} ", shown_time(&silence["from"], zone)),
            _ => String::new(),
        };
        let until = match silence["until"].is_null() {
            true => "for ever".to_string(),
            false => format!("until {}", shown_time(&silence["until"], zone)),
        };
        let windows = words::windows(silence);
        let windows = if windows.is_empty() { windows } else { format!(", {windows}") };
        let (id, matches) = (words::text(&silence["id"]), words::matches(&silence["match"]));
        ui.line(format_args!("{id}: {matches} is silenced {begins}{until}{windows}"))?;
        if made["durable"] == json!(false) {
            ui.note("it is in force, but not stored: a restart would forget it");
        }
    }
    for warning in made["warnings"].as_array().into_iter().flatten() {
        ui.note(format_args!("warning: {}", words::text(warning)));
    }
    covers(made, ui)
}

fn show_one(found: &Value, zone: &TimeZone, ui: &mut Ui) -> Result<(), Error> {
    let silence = &found["silence"];
    let mut fact = |name: &str, value: String| match value.is_empty() {
        true => Ok(()),
        false => ui.line(format_args!("{name:<8} {value}")),
    };
    fact("id", words::text(&silence["id"]))?;
    fact("state", words::text(&silence["state"]))?;
    fact("match", words::matches(&silence["match"]))?;
    fact("from", shown_time(&silence["from"], zone))?;
    fact("until", shown_time(&silence["until"], zone))?;
    fact("every", words::windows(silence))?;
    fact("author", words::text(&silence["author"]))?;
    fact("comment", words::text(&silence["comment"]))?;
    fact("created", shown_time(&silence["created"], zone))?;
    if !silence["expired"].is_null() {
        let (at, by) = (shown_time(&silence["expired"], zone), words::text(&silence["expired_by"]));
        fact("ended", format!("{at} by {by}"))?;
    }
    covers(found, ui)
}

/// The alerts that a silence covers.
fn covers(found: &Value, ui: &mut Ui) -> Result<(), Error> {
    let covers = found["covers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if covers.is_empty() {
        return Ok(ui.line("  nothing that fires now")?);
    }
    let rows: Vec<Vec<String>> = covers.iter().map(words::alert).collect();
    ui.table(&["LEVEL", "RULE", "SUBJECT", "MESSAGE"], &rows)?;
    let more = found["covers_total"].as_u64().unwrap_or(0).saturating_sub(covers.len() as u64);
    if more > 0 {
        ui.line(format_args!("  and {more} more"))?;
    }
    Ok(())
}
