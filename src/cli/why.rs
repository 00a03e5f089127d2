//! `larum why`: why a rule fires on something, or not.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::Style;
use clap::Args;
use jiff::tz::TimeZone;

use super::daemon::{ClientArgs, Daemon};
use super::origin::Origin;
use super::{Error, Format, Kind, ProjectArgs, Ui, load};
use crate::config::Project;
use crate::diagnostic::Colour;
use crate::lab::replay::{Bound, Options};
use crate::lab::why::{Past, PastError, Refusal, lines, of_recording};
use crate::model::duration;
use crate::server::api::WhyDto;

/// A recording of snapshots that were pushed says nothing of their sources.
const STALE_AFTER: Duration = Duration::from_secs(300);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  larum why high_error_rate                     all services of the rule, the nearest to firing first
  larum why high_error_rate shop-api            one of them, by the running daemon
  larum why high_error_rate shop-api --at 10:00 as it was then, from what the daemon stored
  larum why high_error_rate shop-api --recording day.jsonl --at 2026-11-21T10:00:00Z")]
pub(super) struct WhyArgs {
    /// The rule
    #[arg(value_name = "RULE")]
    rule: String,
    /// The subject by its name, or the group of a set (`region=eu`); without it all that the rule judges
    #[arg(value_name = "SUBJECT")]
    subject: Option<String>,
    /// Explain what these snapshots come to, instead of asking a running daemon; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    recording: Option<PathBuf>,
    /// At this time of the recording (default: its end), or of what the daemon of the project folder stored: a time,
    /// `2026-11-21 10:00` on the project's clock, `10:00` (the last one within it), or how long before the end: `90m`
    #[arg(long, value_name = "TIME", conflicts_with = "url")]
    at: Option<Bound>,
    /// After how long without a snapshot a subject is stale, where the recording does not say it (default: 5m)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    stale_after: Option<Duration>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    daemon: ClientArgs,
}

pub(super) fn run(args: &WhyArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    for (name, given) in [("RULE", Some(&args.rule)), ("SUBJECT", args.subject.as_ref())] {
        if given.is_some_and(|given| given.trim().is_empty()) {
            let message = format!("{name} is empty");
            let hint = "write it like `larum why high_error_rate shop-api`; `larum rules` lists the rules";
            return Err(Error::message(Kind::Usage, message).with_hint(hint));
        }
    }
    match (&args.recording, &args.at) {
        (Some(_), _) | (None, Some(_)) => {
            if args.recording.is_none() && args.stale_after.is_some() {
                let message = "`--stale-after` is about a recording: what the daemon stored says it of each subject";
                return Err(Error::message(Kind::Usage, message).with_hint("leave it out, or add `--recording FILE`"));
            }
            let (document, zone) = replayed(args, project, ui)?;
            match args.format {
                Format::Json => Ok(ui.line(serde_json::to_string(&document).map_err(io::Error::from)?)?),
                Format::Text => show(&document, &zone, ui),
            }
        }
        (None, None) if args.stale_after.is_some() => {
            let message = "`--stale-after` is about a recording: a running daemon knows it of each collector";
            Err(Error::message(Kind::Usage, message).with_hint("leave it out, or add `--recording FILE`"))
        }
        (None, None) => ask(args, project, ui),
    }
}

/// What a running daemon says.
fn ask(args: &WhyArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let daemon = Daemon::find(&args.daemon, project)?;
    let mut parameters = vec![("rule", args.rule.as_str())];
    parameters.extend(args.subject.as_deref().map(|subject| ("name", subject)));
    let answer = daemon.get("/api/v1/why", &parameters)?;
    if args.format == Format::Json {
        // As it came: a newer daemon may say more than this program knows.
        return Ok(ui.line(answer)?);
    }
    let document: WhyDto = serde_json::from_value(answer).map_err(|error| {
        let error = anyhow::Error::new(error).context("cannot read the daemon's answer");
        Error::new(Kind::Failure, error).with_hint("is it another version? `--format json` shows it as it is")
    })?;
    let (files, _) = Project::read(&project.dir, project.config.as_deref());
    let zone = files.parse_config().map_or(TimeZone::UTC, |config| config.time_zone);
    show(&document, &zone, ui)
}

/// The text, with the names of its sections and the heading set off on a terminal.
fn show(document: &WhyDto, zone: &TimeZone, ui: &mut Ui) -> Result<(), Error> {
    for (index, line) in lines(document, zone).into_iter().enumerate() {
        ui.line(painted(&line, index == 0, ui.out_colour()))?;
    }
    Ok(())
}

pub(super) fn painted(line: &str, is_heading: bool, colour: Colour) -> String {
    let bold = Style::new().bold();
    let name = line.find(' ').filter(|_| line.starts_with(|c: char| c.is_ascii_lowercase()));
    match (colour, is_heading, name) {
        (Colour::Off, ..) => line.to_string(),
        (Colour::On, true, _) => format!("{bold}{line}{bold:#}"),
        (Colour::On, false, Some(end)) => format!("{bold}{}{bold:#}{}", &line[..end], &line[end..]),
        (Colour::On, false, None) => line.to_string(),
    }
}

/// What the rules of the project folder say of a recording, or of what was stored.
fn replayed(args: &WhyArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(WhyDto, TimeZone), Error> {
    let (files, loaded) = load(project, ui)?;
    let origin = Origin::of(args.recording.as_deref(), &files, project)?;
    let project = loaded;
    let zone = project.settings.zone.clone();
    let until = args.at.as_ref().map(|at| at.resolve(&zone, || origin.span(&project))).transpose()?;
    let recording = origin.open(until, until, &[&project])?;
    let stale_after = args.stale_after.unwrap_or(STALE_AFTER);
    let options = Options { stale_after, from: None, until, words: false };
    let past = of_recording(recording, &project, &options, &args.rule, args.subject.as_deref());
    let Past { document, summary } = past.map_err(|error| match error {
        PastError::Refused(Refusal { error, hint }) => match hint {
            Some(hint) => Error::message(Kind::Failure, error).with_hint(hint),
            None => Error::message(Kind::Failure, error),
        },
        PastError::Empty => {
            Error::new(Kind::Failure, error).with_hint("`larum replay` names lines that cannot be used")
        }
        PastError::Read(_) => Error::new(Kind::Failure, error),
    })?;
    if summary.bad_lines > 0 {
        let (bad, all) = (summary.bad_lines, summary.lines);
        ui.note(format_args!("{bad} of {all} lines could not be used: `larum replay` names them"));
    }
    if until.is_some_and(|until| until > document.time) {
        ui.note("the recording ends before --at: this is its end");
    }
    Ok((document, zone))
}
