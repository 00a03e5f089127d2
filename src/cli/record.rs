//! `larum record`: snapshots to JSON Lines, from a running daemon or from collectors of its own.

mod file;
mod follow;
mod mend;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use super::backup::{read_config, size};
use super::daemon::{ClientArgs, Daemon};
use super::{Error, Kind, ProjectArgs, Ui};
use crate::app::{LiveCollectors, Recorder, block_on};
use crate::config::Config;
use crate::diagnostic::{self, did_you_mean};
use crate::model::duration;
use file::{Existing, RecordingFile};

/// What was recorded until now can be lost for so long at most.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// The recording: JSON Lines, compressed where the name ends in `.gz`; `-` is standard output
    file: PathBuf,
    /// End after so long
    #[arg(long = "for", value_name = "DURATION", value_parser = some_time)]
    within: Option<Duration>,
    /// Only snapshots of this kind; may be given several times
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Run the collectors of larum.yaml, whether a daemon runs or not
    #[arg(long, conflicts_with = "url")]
    collect: bool,
    #[command(flatten)]
    client: ClientArgs,
    /// Go on in a file that is there
    #[arg(long, conflicts_with = "force")]
    append: bool,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// A duration in which anything can be recorded.
fn some_time(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(Duration::ZERO) => Err("nothing can be recorded in no time: write it like `10m`".to_string()),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

/// What was recorded.
#[derive(Debug, Default)]
struct Recorded {
    kinds: BTreeMap<Arc<str>, u64>,
    /// Kinds that came and were not asked for.
    others: BTreeSet<Arc<str>>,
    missed: u64,
}

impl Recorded {
    /// Counts lines that were written, by their kinds.
    fn count(&mut self, kinds: Vec<Arc<str>>) {
        for kind in kinds {
            *self.kinds.entry(kind).or_default() += 1;
        }
    }
}

/// Why a recording came to its end.
#[derive(Debug)]
enum End {
    /// Its time was over, or somebody asked it to stop.
    Asked,
    /// The daemon stopped.
    DaemonStopped,
    /// The daemon went away without a word.
    Lost(String),
    /// The file cannot be written any more.
    Unwritable(io::Error),
}

pub(super) fn run(args: &RecordArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let kinds: BTreeSet<String> = args.kind.iter().flat_map(|kinds| kinds.split(',')).map(str::to_string).collect();
    let daemon = match args.collect {
        true => None,
        false => follow::connect(&Daemon::find(&args.client, project)?, &kinds, args.client.url.is_some())?,
    };
    let existing = match (args.append, args.force) {
        (true, _) => Existing::Append,
        (_, true) => Existing::Replace,
        (false, false) => Existing::Refuse,
    };
    // Nothing is created before it is known where the snapshots come from.
    let config = if daemon.is_none() { Some(read_config(project, ui)?) } else { None };
    let mut file = RecordingFile::open(&args.file, existing)?;
    if let Some(mended) = file.mended() {
        ui.note(format_args!("{}: {mended}", args.file.display()));
    }
    let url = daemon.as_ref().map(|daemon| daemon.url().to_string());
    let began = Instant::now();
    let mut recorded = Recorded::default();
    let end = match (daemon, config) {
        (Some(daemon), _) => {
            ui.note(format_args!("recording what the daemon at {} takes; Ctrl-C ends it", daemon.url()));
            daemon.record(args.within, &mut file, &mut recorded, ui)?
        }
        (None, config) => {
            let config = config.unwrap_or_else(Config::without_file);
            collect(args, project, &config, &kinds, &mut file, &mut recorded, ui)?
        }
    };
    let closed = file.close();
    let took = began.elapsed();
    tell_end(args, &recorded, took, file.size(), ui);
    let url = url.filter(|_| matches!(end, End::Asked));
    tell_unseen(&kinds, &recorded, || url.map(|url| follow::known_kinds(&url)).unwrap_or_default(), ui);
    match (end, closed) {
        (End::Unwritable(error), _) | (_, Err(error)) => {
            let error = anyhow::Error::new(error).context(format!("cannot write `{}`", args.file.display()));
            let error = Error::new(Kind::Failure, error);
            let is_any = args.append || !recorded.kinds.is_empty();
            Err(if is_any { error.with_hint("what was recorded before is kept") } else { error })
        }
        (End::Lost(why), _) => Err(Error::message(Kind::Failure, format!("the daemon went away: {why}"))),
        (End::DaemonStopped, _) if args.within.is_some() => {
            let message = "the daemon stopped: the recording is shorter than --for asks";
            Err(Error::message(Kind::Failure, message))
        }
        (End::DaemonStopped, _) => {
            ui.note("the daemon stopped: the recording ends here");
            Ok(())
        }
        (End::Asked, _) => Ok(()),
    }
}

/// Runs the collectors of the project, and writes down what they see.
fn collect(
    args: &RecordArgs,
    project: &ProjectArgs,
    config: &Config,
    kinds: &BTreeSet<String>,
    file: &mut RecordingFile,
    recorded: &mut Recorded,
    ui: &mut Ui,
) -> Result<End, Error> {
    let config_name: Arc<str> = match &project.config {
        Some(path) => path.to_string_lossy().as_ref().into(),
        None => "larum.yaml".into(),
    };
    let outcome = block_on(async {
        let (mut live, problems) = LiveCollectors::start(config, &config_name, args.within)?;
        if !problems.is_empty() {
            ui.note(diagnostic::render_all(&problems, ui.err_colour()).trim_end());
        }
        let names = live.names();
        if names.is_empty() {
            let message = "larum.yaml has no collector that could be run: there is nothing to record";
            let hint = "pushes reach a daemon only: start `larum run`, and record from it";
            return Ok(Err(Error::message(Kind::Failure, message).with_hint(hint)));
        }
        ui.note(format_args!("recording with own collectors ({}); Ctrl-C ends it", names.join(", ")));
        let mut recorder = Recorder::default();
        let mut lines = Vec::new();
        loop {
            // Cut off while it waits, the next pass is not lost.
            let next = match tokio::time::timeout(FLUSH_EVERY, live.next()).await {
                Ok(next) => next,
                Err(_) => {
                    if let Err(error) = file.flush() {
                        return Ok(Ok(End::Unwritable(error)));
                    }
                    continue;
                }
            };
            let Some((now, batch)) = next else { return Ok(Ok(End::Asked)) };
            lines.clear();
            let others = batch.snapshots.iter().map(|snapshot| &snapshot.subject.kind);
            recorded.others.extend(others.filter(|kind| !kinds.is_empty() && !kinds.contains(&***kind)).cloned());
            let wanted = |kind: &str| kinds.is_empty() || kinds.contains(kind);
            let written = recorder.write(now, &batch, &[], wanted, &mut lines);
            if let Err(error) = file.write(&lines) {
                return Ok(Ok(End::Unwritable(error)));
            }
            recorded.count(written);
        }
    });
    match outcome {
        Ok(Ok(end)) => end,
        Ok(Err(error)) | Err(error) => Err(error.into()),
    }
}

/// Names the kinds that were asked for and never came. `known` is asked which kinds there are.
fn tell_unseen(kinds: &BTreeSet<String>, recorded: &Recorded, known: impl FnOnce() -> BTreeSet<Arc<str>>, ui: &mut Ui) {
    let unseen: Vec<&String> = kinds.iter().filter(|kind| !recorded.kinds.contains_key(kind.as_str())).collect();
    if unseen.is_empty() {
        return;
    }
    let mut others = known();
    others.extend(recorded.others.iter().chain(recorded.kinds.keys()).cloned());
    for kind in unseen {
        let near = did_you_mean(kind, others.iter().map(|other| &**other).filter(|other| *other != kind.as_str()));
        let near = near.map(|near| format!(" ({near})")).unwrap_or_default();
        ui.note(format_args!("nothing of kind `{kind}` was seen{near}"));
    }
}

fn tell_end(args: &RecordArgs, recorded: &Recorded, took: Duration, bytes: u64, ui: &mut Ui) {
    let all: u64 = recorded.kinds.values().sum();
    let kinds: Vec<String> = recorded.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let plural = if all == 1 { "" } else { "s" };
    let name =
        if args.file.as_os_str() == "-" { "standard output".to_string() } else { args.file.display().to_string() };
    let whole = Duration::from_secs(took.as_secs());
    let took = duration::format(if whole.is_zero() { took } else { whole });
    ui.note(format_args!("{name}: {all} snapshot{plural}{kinds} in {took}, {}", size(bytes)));
    if recorded.missed > 0 {
        ui.note(format_args!("{} snapshots were missed: they came faster than they could be written", recorded.missed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_takes_some_time() {
        assert_eq!(some_time("30s"), Ok(Duration::from_secs(30)));
        assert!(some_time("0s").unwrap_err().contains("nothing can be recorded"));
        assert!(some_time("soon").is_err());
    }

    #[test]
    fn a_kind_that_never_came_is_named() {
        let recorded =
            Recorded { kinds: [("disk".into(), 3)].into(), others: ["host".into()].into(), ..Recorded::default() };
        let told = |kinds: &[&str]| {
            let (mut ui, captured) = Ui::captured();
            let kinds = kinds.iter().map(|kind| kind.to_string()).collect();
            tell_unseen(&kinds, &recorded, || ["service".into()].into(), &mut ui);
            captured.err()
        };
        assert_eq!(told(&["disk"]), "");
        assert_eq!(told(&["disk", "hots"]), "nothing of kind `hots` was seen (did you mean `host`?)\n");
        assert_eq!(told(&["servce"]), "nothing of kind `servce` was seen (did you mean `service`?)\n");
        assert_eq!(told(&["zzz"]), "nothing of kind `zzz` was seen\n");
    }
}
