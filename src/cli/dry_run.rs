//! `larum dry-run`: what would be told now.

use std::io;
use std::time::Duration;

use clap::Args;

use super::why::painted;
use super::{Error, Format, Kind, ProjectArgs, Ui, load};
use crate::app::{DryRun, dry_run, looks};
use crate::config::Config;
use crate::diagnostic;
use crate::model::duration;

#[derive(Debug, Args)]
#[command(
    after_help = "It ends by itself, needs no daemon, listens nowhere, and tells of each rule why it fires or not. \
To watch for longer, with pushes and edits taken up, use `larum run --dry-run`: the daemon itself, which prints the \
requests that it does not send."
)]
pub(super) struct DryRunArgs {
    /// Collect as often as the collectors need to, and end (the default)
    #[arg(long, conflicts_with = "lasts")]
    once: bool,
    /// Go on for so long, as `1m`; Ctrl-C ends it early, with what is known by then
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    lasts: Option<Duration>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &DryRunArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    if args.lasts.is_some_and(|lasts| lasts.is_zero()) {
        return Err(Error::message(Kind::Usage, "`--for 0s` collects nothing").with_hint("write it like `--for 1m`"));
    }
    let (files, project) = load(project, ui)?;
    let config = files.parse_config().map_err(|_| Error::told(Kind::Problems))?;
    if config.collectors.iter().all(|collector| looks(collector) == 0) {
        let message = format!("{} has no collector that could be run: there is nothing to collect", files.config_name);
        let hint = "pushes reach a daemon only: `larum run --dry-run` takes them, and prints what it does not send";
        return Err(Error::message(Kind::Failure, message).with_hint(hint));
    }
    announce(args, &config, ui);
    let asked = DryRun { config: &config, config_name: &files.config_name, project: &project, lasts: args.lasts };
    let (report, problems) = dry_run(&asked)?;
    if !problems.is_empty() {
        ui.note(diagnostic::render_all(&problems, ui.err_colour()).trim_end());
    }
    match args.format {
        Format::Json => ui.line(serde_json::to_string(&report).map_err(io::Error::from)?)?,
        Format::Text => {
            for (index, line) in report.lines(&config.time_zone).into_iter().enumerate() {
                ui.line(painted(&line, index == 0, ui.out_colour()))?;
            }
        }
    }
    Ok(())
}

/// Says what is waited for.
fn announce(args: &DryRunArgs, config: &Config, ui: &mut Ui) {
    if let Some(lasts) = args.lasts {
        return ui.note(format_args!("collecting for {}; Ctrl-C ends it early", duration::format(lasts)));
    }
    let twice: Vec<String> =
        config.collectors.iter().filter(|collector| looks(collector) > 1).map(|collector| collector.name()).collect();
    if !twice.is_empty() {
        ui.note(format_args!("collecting twice: {} tells rates from its second look on", twice.join(", ")));
    }
}
