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

use super::origin::Origin;
use super::{Error, Kind, ProjectArgs, Ui, load};
use crate::diagnostic::{self, Severity};
use crate::lab::Project;
use crate::lab::replay::against::against;
use crate::lab::replay::{Bound, Happening, Options, Recording, Summary, replay, revision};
use crate::model::{Time, duration};
use document::Document;
use page::{Page, clock};
use progress::Progress;

/// Broken lines that are named; the rest is counted.
const MAX_BAD_LINES: usize = 20;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// A recording: snapshots as JSON Lines, gzip or not; `-` is standard input. `larum record` makes one. Without it, what
    /// the daemon of the project folder stored is replayed
    file: Option<PathBuf>,
    /// Let rules judge from here on; what came before only fills history. A time, a date, a time of day (`09:30`: the
    /// last one within the recording, in the time zone of larum.yaml), or how long before its end: `24h`
    #[arg(long, value_name = "TIME")]
    from: Option<Bound>,
    /// Leave out what comes later. A time, a date (its beginning), a time of day, or how long before the end, as above
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
    /// So many bytes of memory may be used: by a daemon that runs this as its child
    #[arg(long, hide = true, value_name = "BYTES")]
    address_space: Option<u64>,
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
    if let Some(bytes) = args.address_space {
        limit_memory(bytes)?;
    }
    let folder = &project.dir;
    let (files, loaded) = load(project, ui)?;
    let origin = Origin::of(args.file.as_deref(), &files, project)?;
    let project = loaded;
    let options = options(args, &origin, &project)?;
    let old = args.against.as_ref().map(|old| load_old(old, folder, ui)).transpose()?;
    let both: Vec<&Project> = std::iter::once(&project).chain(&old).collect();
    let recording = origin.open(options.from, options.until, &both)?;
    if let Some(old) = old {
        return compare(args, &origin, recording, &old, &project, &options, ui);
    }
    let name = origin.name();
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
    let summary = replayed.map_err(|error| broke_off(&origin, error))?;
    match not_judged(&summary, &options, &origin, &zone) {
        Some(NotJudged::Nothing(error)) => return Err(error),
        Some(NotJudged::Elsewhere(why)) => ui.note(format_args!("{why}: nothing was judged")),
        None => {}
    }
    match args.format {
        ReplayFormat::Text => totals::tell(&summary, &options, began.elapsed(), &zone, ui),
        ReplayFormat::Json => Ok(document.write(&summary, began.elapsed(), ui)?),
        ReplayFormat::Jsonl => Ok(()),
    }
}

/// Replays over two projects, and tells what differs.
fn compare(
    args: &ReplayArgs,
    origin: &Origin,
    recording: Recording,
    old: &Project,
    new: &Project,
    options: &Options,
    ui: &mut Ui,
) -> Result<(), Error> {
    let (name, zone) = (origin.name(), &new.settings.zone);
    let progress = Progress::of(&recording, ui.is_watched() && !args.quiet && args.format == ReplayFormat::Text);
    let mut page = Page::new(ui, progress, &name);
    let compared = against(recording, old, new, options, &mut |happening| match happening {
        Happening::BadLine(number, reason) => page.bad_line(number, reason),
        Happening::Fault { fault, file } => page.fault(fault, file),
        Happening::Progress { snapshots, time } => page.proceed(snapshots, time, zone),
        Happening::Event { .. } | Happening::Sent(_) => Ok(()),
    });
    page.close()?;
    let comparison = compared.map_err(|error| broke_off(origin, error))?;
    // That nothing differs where nothing was judged would say that the edit is harmless.
    match not_judged(&comparison.new, options, origin, zone) {
        Some(NotJudged::Nothing(error)) => return Err(error),
        Some(NotJudged::Elsewhere(why)) => {
            let message = format!("{why}: nothing was judged on either side, so nothing could be compared");
            let hint = "choose --from and --until within the recording";
            return Err(Error::message(Kind::Failure, message).with_hint(hint));
        }
        None => {}
    }
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
        None if !revision::PARTS.iter().any(|part| Path::new(old).join(part).exists()) => {
            let is = if Path::new(old).is_dir() {
                "has neither larum.yaml nor rules/ nor channels/"
            } else {
                "is no folder"
            };
            let message = format!("`{old}` {is}, so it cannot be the old side of a comparison");
            let hint = "--against takes another project folder, or a commit of this one: `git:HEAD`";
            return Err(Error::message(Kind::Usage, message).with_hint(hint));
        }
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

/// What the arguments come to. The span of the recording is looked up where a time is found from it.
fn options(args: &ReplayArgs, origin: &Origin, project: &Project) -> Result<Options, Error> {
    let zone = &project.settings.zone;
    let mut known: Option<(Time, Time)> = None;
    let mut span = || -> Result<(Time, Time), Error> {
        if let Some(span) = known {
            return Ok(span);
        }
        let span = origin.span(project)?;
        Ok(*known.insert(span))
    };
    let from = args.from.as_ref().map(|from| from.resolve(zone, &mut span)).transpose()?;
    let until = args.until.as_ref().map(|until| until.resolve(zone, &mut span)).transpose()?;
    if let (Some(from), Some(until)) = (from, until)
        && from >= until
    {
        let (from, until) = (clock(from, zone), clock(until, zone));
        let message = format!("--from ({from}) is not before --until ({until}), so there is nothing to judge");
        return Err(Error::message(Kind::Usage, message));
    }
    let words = match args.format {
        ReplayFormat::Text => !args.quiet,
        ReplayFormat::Json | ReplayFormat::Jsonl => true,
    };
    Ok(Options { stale_after: args.stale_after, from, until, words })
}

fn broke_off(origin: &Origin, error: io::Error) -> Error {
    let error = anyhow::Error::new(error).context(format!("the replay of {} broke off", origin.quoted()));
    Error::new(Kind::Failure, error)
}

/// Why nothing was judged.
enum NotJudged {
    /// The recording has nothing.
    Nothing(Error),
    /// It has something, but not where it was asked for.
    Elsewhere(String),
}

fn not_judged(summary: &Summary, options: &Options, origin: &Origin, zone: &TimeZone) -> Option<NotJudged> {
    let name = origin.name();
    match (summary.span, summary.judged_from) {
        (None, _) if summary.lines > summary.bad_lines => {
            let until = options.until.map(|until| format!(" ({})", clock(until, zone))).unwrap_or_default();
            Some(NotJudged::Elsewhere(format!("{name}: the recording begins after --until{until}")))
        }
        (None, _) => {
            let message = match summary.lines {
                0 => format!("{} is empty: there is nothing to replay", origin.quoted()),
                _ => format!("no line of {} is a snapshot", origin.quoted()),
            };
            let hint = match origin {
                Origin::File(_) => "a recording has one JSON object a line, with `time`, `kind`, `name` and `fields`",
                Origin::Stored { .. } => "the lines above say why; `larum backup` checks the whole database",
            };
            Some(NotJudged::Nothing(Error::message(Kind::Failure, message).with_hint(hint)))
        }
        (Some((_, last)), None) => {
            let (last, from) = (clock(last, zone), clock(options.from.unwrap_or(last), zone));
            Some(NotJudged::Elsewhere(format!("{name}: the recording ends at {last}, before --from ({from})")))
        }
        (Some(_), Some(_)) => None,
    }
}

#[cfg(unix)]
fn limit_memory(bytes: u64) -> Result<(), Error> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = Rlimit { current: Some(bytes), ..getrlimit(Resource::As) };
    setrlimit(Resource::As, limit).map_err(|error| Error::new(Kind::Failure, std::io::Error::from(error)))
}

#[cfg(not(unix))]
fn limit_memory(_: u64) -> Result<(), Error> {
    Ok(())
}
