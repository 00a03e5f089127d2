//! `larum replay`: runs the rules over a recording in virtual time.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;

use super::{Error, Kind, ProjectArgs, Ui, load};
use crate::lab::replay::{Happening, Options, Summary, replay};
use crate::model::{Time, duration};

/// Broken lines that are named; the rest is counted.
const MAX_BAD_LINES: usize = 20;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The recording: snapshots as JSON Lines; `-` is standard input
    file: PathBuf,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: ReplayFormat,
    /// After how long without a snapshot a subject is stale: a recording does not say it
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    stale_after: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ReplayFormat {
    /// The time line of events and notifications, with totals.
    #[default]
    Text,
    /// The notification log: one JSON object for each notification.
    Jsonl,
}

pub(super) fn run(args: &ReplayArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let (_, project) = load(project, ui)?;
    let zone = project.settings.zone.clone();
    let options = Options { stale_after: args.stale_after };
    let mut n_bad_lines = 0;
    let name = args.file.display().to_string();
    let ui = RefCell::new(ui);
    let mut tell = |happening: Happening<'_>| -> io::Result<()> {
        let mut ui = ui.borrow_mut();
        match (happening, args.format) {
            (Happening::BadLine(number, reason), _) => {
                n_bad_lines += 1;
                if n_bad_lines <= MAX_BAD_LINES {
                    ui.note(format_args!("{name}:{number}: {reason}"));
                }
                Ok(())
            }
            (Happening::Fault(fault), _) => {
                ui.note(format_args!("rule `{}` on {}: {}", fault.rule, fault.subject, fault.fault.message));
                Ok(())
            }
            (Happening::Event(_), ReplayFormat::Jsonl) => Ok(()),
            (Happening::Sent(sent), ReplayFormat::Jsonl) => ui.line(serde_json::to_string(&sent.body())?),
            (Happening::Event(event), ReplayFormat::Text) => {
                let reason = event.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                ui.line(format_args!(
                    "{}  {:<10}{reason} {:<8} {} {}: {}",
                    clock(event.time, &zone),
                    event.kind,
                    event.level,
                    event.rule,
                    event.subject,
                    event.message
                ))
            }
            (Happening::Sent(sent), ReplayFormat::Text) => {
                let time = clock(sent.notification.time, &zone);
                ui.line(format_args!("{time}    -> {}: {}", sent.notification.channel, sent.message.title))?;
                match &sent.request {
                    Ok(_) => Ok(()),
                    Err(error) => ui.line(format_args!("{time}       it cannot be told: {error}")),
                }
            }
        }
    };
    let replayed = match args.file.to_str() {
        Some("-") => replay(io::stdin().lock(), &project, &options, &mut tell),
        _ => {
            let file = File::open(&args.file).map_err(|error| {
                let error = anyhow::Error::new(error).context(format!("cannot read `{}`", args.file.display()));
                Error::new(Kind::Failure, error)
            })?;
            replay(BufReader::with_capacity(1 << 20, file), &project, &options, &mut tell)
        }
    };
    let ui = ui.into_inner();
    let summary = replayed.map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("the replay of `{}` broke off", args.file.display()));
        Error::new(Kind::Failure, error)
    })?;
    if n_bad_lines > MAX_BAD_LINES {
        ui.note(format_args!("{name}: and {} more lines that cannot be used", n_bad_lines - MAX_BAD_LINES));
    }
    if summary.span.is_none() && summary.bad_lines > 0 {
        let message = format!("no line of `{name}` is a snapshot");
        let hint = "a recording has one JSON object a line, with `time`, `kind`, `name` and `fields`";
        return Err(Error::message(Kind::Failure, message).with_hint(hint));
    }
    if summary.span.is_none() {
        ui.note(format_args!("{name}: the recording has no snapshot that can be used"));
    }
    match args.format {
        ReplayFormat::Text => tell_summary(&summary, &zone, ui),
        ReplayFormat::Jsonl => Ok(()),
    }
}

fn tell_summary(summary: &Summary, zone: &TimeZone, ui: &mut Ui) -> Result<(), Error> {
    if let Some((first, last)) = summary.span {
        ui.line(format_args!(
            "\n{} to {} ({}): {} snapshots, {} evaluations",
            clock(first, zone),
            clock(last, zone),
            duration::format(last.since(first)),
            summary.snapshots,
            summary.evaluations
        ))?;
    }
    if summary.passed_over > 0 {
        ui.line(format_args!(
            "{} snapshots were passed over: equal to, or older than, the newest of their subject",
            summary.passed_over
        ))?;
    }
    if summary.bad_lines > 0 {
        ui.line(format_args!("{} of {} lines could not be used", summary.bad_lines, summary.lines))?;
    }
    let head = ["RULE", "RAISED", "RECOVERED", "CLOSED", "NOTIFICATIONS"];
    let rows = |name: &str, totals: &crate::lab::replay::Totals| {
        let numbers = [totals.raised, totals.recovered, totals.closed, totals.notifications];
        std::iter::once(name.to_string()).chain(numbers.map(|number| number.to_string())).collect::<Vec<_>>()
    };
    ui.line("")?;
    ui.table(&head, &summary.rules.iter().map(|(rule, totals)| rows(rule.as_str(), totals)).collect::<Vec<_>>())?;
    ui.line("")?;
    let head = ["CHANNEL", "RAISED", "RECOVERED", "CLOSED", "NOTIFICATIONS"];
    let channels = summary.channels.iter().map(|(channel, totals)| rows(channel.as_str(), totals));
    ui.table(&head, &channels.collect::<Vec<_>>())?;
    Ok(())
}

/// A time on the clock of the configured zone, to the second.
fn clock(time: Time, zone: &TimeZone) -> String {
    time.to_jiff().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
