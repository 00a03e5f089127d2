//! `larum replay`: runs the rules over a recording in virtual time.

mod difference;
mod document;
mod page;
mod progress;
mod totals;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;

use super::{Error, Kind, ProjectArgs, Ui, load};
use crate::diagnostic::{self, Severity};
use crate::lab::Project;
use crate::lab::replay::against::against;
use crate::lab::replay::{Bound, Happening, Options, Recording, Summary, end_of, replay, revision};
use crate::model::{Time, duration};
use document::Document;
use page::{Page, clock};
use progress::Progress;

/// Broken lines that are named; the rest is counted.
const MAX_BAD_LINES: usize = 20;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The recording: snapshots as JSON Lines, gzip or not; `-` is standard input
    file: PathBuf,
    /// Let rules judge from here on; what came before only fills history. A time, a date, or how long before the end of
    /// the recording: `24h`
    #[arg(long, value_name = "TIME")]
    from: Option<Bound>,
    /// Leave out what comes later. A time, a date (its beginning), or how long before the end of the recording
    #[arg(long, value_name = "TIME")]
    until: Option<Bound>,
    /// Compare with the rules, channels and settings of another folder, or of a commit (`git:HEAD~1`): that is the old
    /// side, the project folder is the edited new one. Tells which notifications the edit adds, loses, moves and changes
    #[arg(long, value_name = "DIR|git:REV")]
    against: Option<String>,
    /// With --against: end with exit code 1 where anything differs
    #[arg(long, requires = "against")]
    exit_code: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: ReplayFormat,
    /// Only the totals: no time line, no progress bar
    #[arg(long, short)]
    quiet: bool,
    /// After how long without a snapshot a subject is stale, where the recording does not say it
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    stale_after: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ReplayFormat {
    /// The time line of events and notifications, with totals.
    #[default]
    Text,
    /// One document: summary, events, notifications.
    Json,
    /// The notification log: one JSON object for each notification.
    Jsonl,
}

pub(super) fn run(args: &ReplayArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let folder = &project.dir;
    let (_, project) = load(project, ui)?;
    let options = options(args, &project)?;
    let old = args.against.as_ref().map(|old| load_old(old, folder, ui)).transpose()?;
    let recording = open(args)?;
    if let Some(old) = old {
        return compare(args, recording, &old, &project, &options, ui);
    }
    let name = args.file.display().to_string();
    let began = Instant::now();
    let progress = Progress::of(&recording, ui.is_watched() && !args.quiet && args.format == ReplayFormat::Text);
    let mut page = Page::new(ui, progress, &name);
    let mut document = Document::default();
    let zone = project.settings.zone.clone();
    let replayed = replay(recording, &project, &options, &mut |happening| match (happening, args.format) {
        (Happening::BadLine(number, reason), _) => page.bad_line(number, reason),
        (Happening::Fault { fault, file }, _) => page.fault(fault, file),
        (Happening::Progress { snapshots, time }, _) => page.proceed(snapshots, time, &zone),
        (Happening::Event { event, already }, ReplayFormat::Json) => document.event(event, already),
        (Happening::Sent(told), ReplayFormat::Json) => document.notification(&told),
        (Happening::Sent(told), ReplayFormat::Jsonl) => page.line(&document::log_line(&told)?),
        (Happening::Event { event, already }, ReplayFormat::Text) if !args.quiet => page.event(event, already, &zone),
        (Happening::Sent(told), ReplayFormat::Text) => page.sent(&told, &zone),
        (Happening::Event { .. }, ReplayFormat::Text | ReplayFormat::Jsonl) => Ok(()),
    });
    page.close()?;
    let summary = replayed.map_err(|error| broke_off(&args.file, error))?;
    check_span(&summary, &options, &name, &zone, ui)?;
    match args.format {
        ReplayFormat::Text => totals::tell(&summary, &options, began.elapsed(), &zone, ui),
        ReplayFormat::Json => Ok(document.write(&summary, began.elapsed(), ui)?),
        ReplayFormat::Jsonl => Ok(()),
    }
}

/// Replays over two projects, and tells what differs.
fn compare(
    args: &ReplayArgs,
    recording: Recording,
    old: &Project,
    new: &Project,
    options: &Options,
    ui: &mut Ui,
) -> Result<(), Error> {
    let (name, zone) = (args.file.display().to_string(), &new.settings.zone);
    let progress = Progress::of(&recording, ui.is_watched() && !args.quiet && args.format == ReplayFormat::Text);
    let mut page = Page::new(ui, progress, &name);
    let compared = against(recording, old, new, options, &mut |happening| match happening {
        Happening::BadLine(number, reason) => page.bad_line(number, reason),
        Happening::Fault { fault, file } => page.fault(fault, file),
        Happening::Progress { snapshots, time } => page.proceed(snapshots, time, zone),
        Happening::Event { .. } | Happening::Sent(_) => Ok(()),
    });
    page.close()?;
    let comparison = compared.map_err(|error| broke_off(&args.file, error))?;
    check_span(&comparison.new, options, &name, zone, ui)?;
    match args.format {
        ReplayFormat::Text => difference::tell(&comparison, args.quiet, zone, ui)?,
        ReplayFormat::Json => difference::write_json(&comparison, ui)?,
        ReplayFormat::Jsonl => difference::write_jsonl(&comparison, ui)?,
    }
    match args.exit_code && !comparison.tally.is_same() {
        true => Err(Error::told(Kind::Failure)),
        false => Ok(()),
    }
}

/// Loads the old side of a comparison.
fn load_old(old: &str, folder: &Path, ui: &mut Ui) -> Result<Project, Error> {
    let (files, mut problems) = match old.strip_prefix("git:") {
        Some(revision) => revision::read(folder, revision).map_err(|error| Error::new(Kind::Failure, error))?,
        None => crate::config::Project::read(Path::new(old), None),
    };
    let loaded = Project::load(&files);
    if let Err(found) = &loaded {
        problems.extend(found.iter().cloned());
    }
    // What may be better in the old side is of no interest any more.
    problems.retain(|problem| problem.severity == Severity::Error);
    match loaded {
        Ok(project) if problems.is_empty() => Ok(project),
        _ => {
            ui.note(diagnostic::render_all(&problems, ui.err_colour()).trim_end());
            let message = format!("the old side (`{old}`) cannot be replayed: the problems above are its own");
            Err(Error::message(Kind::Problems, message))
        }
    }
}

/// What the arguments come to. The end of the recording is looked up where a time is counted back from it.
fn options(args: &ReplayArgs, project: &Project) -> Result<Options, Error> {
    let zone = &project.settings.zone;
    let mut known_end: Option<Time> = None;
    let mut end = || -> Result<Time, Error> {
        if let Some(end) = known_end {
            return Ok(end);
        }
        if is_piped(args) {
            let message =
                "a duration is counted back from the end of the recording, which a pipe does not tell before it ends";
            return Err(Error::message(Kind::Usage, message).with_hint("give a time, or write the recording to a file"));
        }
        let end = end_of(&args.file, project.limits).map_err(|error| cannot_read(&args.file, error))?;
        let end = end.ok_or_else(|| {
            let message = format!("no line at the end of `{}` is a snapshot with a time", args.file.display());
            Error::message(Kind::Failure, message).with_hint("give --from and --until as times")
        })?;
        Ok(*known_end.insert(end))
    };
    let from = args.from.as_ref().map(|from| from.resolve(zone, &mut end)).transpose()?;
    let until = args.until.as_ref().map(|until| until.resolve(zone, &mut end)).transpose()?;
    if let (Some(from), Some(until)) = (from, until)
        && from >= until
    {
        let message = format!("--from ({from}) is not before --until ({until}), so there is nothing to judge");
        return Err(Error::message(Kind::Usage, message));
    }
    let words = match args.format {
        ReplayFormat::Text => !args.quiet,
        ReplayFormat::Json | ReplayFormat::Jsonl => true,
    };
    Ok(Options { stale_after: args.stale_after, from, until, words })
}

fn is_piped(args: &ReplayArgs) -> bool {
    args.file.as_os_str() == "-" || std::fs::metadata(&args.file).is_ok_and(|metadata| !metadata.is_file())
}

fn open(args: &ReplayArgs) -> Result<Recording, Error> {
    match args.file.to_str() {
        Some("-") => Ok(Recording::of(io::stdin())),
        _ => Recording::open(&args.file).map_err(|error| cannot_read(&args.file, error)),
    }
}

fn cannot_read(file: &Path, error: io::Error) -> Error {
    Error::new(Kind::Failure, anyhow::Error::new(error).context(format!("cannot read `{}`", file.display())))
}

fn broke_off(file: &Path, error: io::Error) -> Error {
    let error = anyhow::Error::new(error).context(format!("the replay of `{}` broke off", file.display()));
    Error::new(Kind::Failure, error)
}

/// Says where nothing was judged. A recording of which no line can be used is a failure.
fn check_span(summary: &Summary, options: &Options, name: &str, zone: &TimeZone, ui: &mut Ui) -> Result<(), Error> {
    match (summary.span, summary.judged_from) {
        (None, _) if summary.lines > 0 && summary.bad_lines == summary.lines => {
            let message = format!("no line of `{name}` is a snapshot");
            let hint = "a recording has one JSON object a line, with `time`, `kind`, `name` and `fields`";
            return Err(Error::message(Kind::Failure, message).with_hint(hint));
        }
        (None, _) if summary.lines > summary.bad_lines => {
            ui.note(format_args!("{name}: the recording begins after --until: nothing was judged"));
        }
        (None, _) => ui.note(format_args!("{name}: the recording has no snapshot that can be used")),
        (Some((_, last)), None) => {
            let (last, from) = (clock(last, zone), clock(options.from.unwrap_or(last), zone));
            ui.note(format_args!("{name}: the recording ends at {last}, before --from ({from}): nothing was judged"));
        }
        (Some(_), Some(_)) => {}
    }
    Ok(())
}
