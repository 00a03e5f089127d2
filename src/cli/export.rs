//! `larum export`: what is stored, for other programs.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::tz::TimeZone;

use super::backup::read_config;
use super::{Error, Kind, ProjectArgs, Ui};
use crate::export::{self, AlertFilter, MetricFilter};
use crate::lab::replay::Bound;
use crate::model::Time;
use crate::store::{Reader, Sqlite};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Snapshots of what was watched, as they can be pushed again
    Metrics(MetricArgs),
    /// Alerts that fired, the newest first
    Alerts(AlertArgs),
}

#[derive(Debug, Args)]
struct MetricArgs {
    /// Only subjects of this kind; may be given several times
    #[arg(long)]
    kind: Vec<String>,
    /// Only subjects of this name; may be given several times
    #[arg(long, value_name = "NAME")]
    subject: Vec<String>,
    /// Only this field; may be given several times
    #[arg(long)]
    field: Vec<String>,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(Debug, Args)]
struct AlertArgs {
    /// Only those of this rule
    #[arg(long)]
    rule: Option<String>,
    /// Only those of subjects of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only those of subjects of this name
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(Debug, Args)]
struct OutArgs {
    /// From when on: a time, a date, a time of day (`09:30`), or how long before now (`24h`)
    #[arg(long, value_name = "TIME")]
    since: Option<Bound>,
    /// Until when, as above
    #[arg(long, value_name = "TIME")]
    until: Option<Bound>,
    /// The file; without it, standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long, requires = "output")]
    force: bool,
    /// How it is written; else as the name of the file ends, or JSON Lines
    #[arg(long, value_enum)]
    format: Option<ExportFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// One array.
    Json,
    /// One object in each line.
    Jsonl,
    /// One value in each line (of alerts: one alert), with a heading.
    Csv,
}

pub(super) fn run(args: &ExportArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let config = read_config(project, ui)?;
    let data_dir = project.dir.join(&config.data_dir);
    if !data_dir.join(crate::store::sqlite::FILE).exists() {
        let message = format!("nothing is stored in `{}`", data_dir.display());
        return Err(Error::message(Kind::Failure, message).with_hint("`larum run` stores what it sees there"));
    }
    let store: Arc<dyn Reader> = Sqlite::look(&data_dir).map_err(|error| Error::new(Kind::Failure, error))?;
    let now = Time::from_micros(jiff::Timestamp::now().as_microsecond());
    match &args.what {
        What::Metrics(args) => metrics(args, store, (now, &config.time_zone), ui),
        What::Alerts(args) => alerts(args, &*store, (now, &config.time_zone), ui),
    }
}

fn metrics(args: &MetricArgs, store: Arc<dyn Reader>, clock: (Time, &TimeZone), ui: &mut Ui) -> Result<(), Error> {
    let (since, until) = args.out.span(clock)?;
    let filter = MetricFilter {
        kinds: args.kind.iter().cloned().collect(),
        subjects: args.subject.iter().cloned().collect(),
        fields: args.field.iter().cloned().collect(),
        since,
        until,
    };
    let mut metrics = export::metrics(store, filter, args.out.format()).map_err(failed)?;
    let mut out = Out::open(&args.out, ui)?;
    let bar = bar(metrics.size(), ui.is_watched() && args.out.output.is_some());
    while let Some(bytes) = metrics.next() {
        out.write(&bytes.map_err(failed)?, ui)?;
        bar.set_position(metrics.position().load(Ordering::Relaxed));
    }
    bar.finish_and_clear();
    let noun = if args.out.format() == export::Format::Csv { "values" } else { "snapshots" };
    out.close(metrics.n_written(), noun, ui)
}

fn alerts(args: &AlertArgs, store: &dyn Reader, clock: (Time, &TimeZone), ui: &mut Ui) -> Result<(), Error> {
    let (since, until) = args.out.span(clock)?;
    let filter =
        AlertFilter { rule: args.rule.clone(), kind: args.kind.clone(), name: args.subject.clone(), since, until };
    let mut out = Out::open(&args.out, ui)?;
    let write = |bytes: Vec<u8>| out.write(&bytes, ui);
    let n_written = export::alerts(store, &filter, args.out.format(), write)?;
    out.close(n_written, "alerts", ui)
}

/// How far it is, where somebody watches.
fn bar(size: u64, is_watched: bool) -> ProgressBar {
    if !is_watched {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size);
    bar.set_draw_target(ProgressDrawTarget::stderr());
    // The template is ours: a mistake in it shows the default style.
    let style = ProgressStyle::with_template("{bar:30.cyan} {percent:>3}%  {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
}

fn failed(error: export::Error) -> Error {
    Error::new(Kind::Failure, error)
}

impl From<export::Error> for Error {
    fn from(error: export::Error) -> Error {
        failed(error)
    }
}

impl OutArgs {
    /// From when until when, by the wall clock.
    fn span(&self, (now, zone): (Time, &TimeZone)) -> Result<(Option<Time>, Option<Time>), Error> {
        let day = std::time::Duration::from_secs(86_400);
        let time = |bound: &Option<Bound>| {
            bound.as_ref().map(|bound| bound.resolve(zone, || Ok::<_, Error>((now - day, now))))
        };
        let (since, until) = (time(&self.since).transpose()?, time(&self.until).transpose()?);
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            let message = format!("nothing lies between {since} and {until}");
            return Err(Error::message(Kind::Usage, message).with_hint("`--since` must be before `--until`"));
        }
        Ok((since, until))
    }

    fn format(&self) -> export::Format {
        match self.format {
            Some(ExportFormat::Json) => export::Format::Json,
            Some(ExportFormat::Jsonl) => export::Format::Jsonl,
            Some(ExportFormat::Csv) => export::Format::Csv,
            None => {
                let extension = self.output.as_ref().and_then(|file| file.extension()).and_then(|text| text.to_str());
                extension.and_then(export::Format::named).unwrap_or_default()
            }
        }
    }
}

/// Where it goes: a file that is there whole or not at all, or standard output.
enum Out {
    File { partial: PathBuf, file: BufWriter<File>, path: PathBuf },
    Standard,
}

impl Out {
    fn open(args: &OutArgs, ui: &mut Ui) -> Result<Out, Error> {
        let Some(path) = &args.output else {
            if ui.is_watched() {
                ui.note("writing to standard output; `-o FILE` writes to a file");
            }
            return Ok(Out::Standard);
        };
        if path.exists() && !args.force {
            let message = format!("`{}` is there already", path.display());
            return Err(Error::message(Kind::Usage, message).with_hint("replace it with --force"));
        }
        let partial = beside(path);
        let file = File::create(&partial).map_err(|error| cannot_write(path, error))?;
        Ok(Out::File { partial, file: BufWriter::new(file), path: path.clone() })
    }

    fn write(&mut self, bytes: &[u8], ui: &mut Ui) -> Result<(), Error> {
        match self {
            Out::File { file, path, .. } => file.write_all(bytes).map_err(|error| cannot_write(path, error)),
            Out::Standard => Ok(ui.text(&String::from_utf8_lossy(bytes))?),
        }
    }

    fn close(mut self, n_written: u64, noun: &str, ui: &mut Ui) -> Result<(), Error> {
        let Out::File { partial, file, path } = &mut self else { return Ok(()) };
        file.flush().map_err(|error| cannot_write(path, error))?;
        fs::rename(partial, &*path).map_err(|error| cannot_write(path, error))?;
        ui.note(format_args!("{}: {n_written} {noun}", path.display()));
        Ok(())
    }
}

/// What was written of a file that does not become whole is not left behind.
impl Drop for Out {
    fn drop(&mut self) {
        if let Out::File { partial, .. } = self {
            fs::remove_file(partial).ok();
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".partial");
    path.with_file_name(name)
}

fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::new(Kind::Failure, anyhow::Error::new(error).context(format!("cannot write `{}`", path.display())))
}
