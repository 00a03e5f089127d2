//! The commands: one file each. This is the list of them, and what they share.

mod alerts;
mod backup;
mod channels;
mod check;
mod daemon;
mod error;
mod init;
mod outbox;
mod replay;
mod rules;
mod run;
mod test;
mod ui;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use error::{Error, Kind};
pub use ui::{Captured, Ui};

use crate::diagnostic::{self, Severity};

/// An alerting engine whose rules are scripts: try a rule before it can wake anybody.
#[derive(Debug, Parser)]
#[command(name = "larum", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 ok, 1 failure, 2 usage, 3 config or rule problems, 4 a rule test failed or nothing was tested."
)]
struct Cli {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(subcommand)]
    command: Command,
}

/// Which project a command is about.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProjectArgs {
    /// The project folder: larum.yaml, rules/ and channels/
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Another settings file than the folder's larum.yaml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// How data is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: collect, judge, tell
    Run(run::RunArgs),
    /// Show what fires, what fired, and who was told of it
    Alerts(alerts::AlertsArgs),
    /// Name the channels, or send one a sample notification
    Channels(channels::ChannelsArgs),
    /// Validate settings, rules and channels: all problems at once, with source lines
    Check(check::CheckArgs),
    /// Make a project folder to start from
    Init(init::InitArgs),
    /// See what is owed to channels, and try it again or give it up
    Outbox(outbox::OutboxArgs),
    /// Run rule tests on a virtual clock
    Test(test::TestArgs),
    /// Run the rules over a recording in virtual time: who would have been told of what
    Replay(replay::ReplayArgs),
    /// Name the rules, and what they judge
    Rules(rules::RulesArgs),
    /// Copy the data to a file, while the daemon runs on
    ///
    /// The copy is one file, checked: alerts, notifications, what they came to, the engine's state. `run` starts from it
    /// where it stands as `larum.db` in an empty data folder (`data/larum.db`).
    Backup(backup::BackupArgs),
}

/// Parses the command line, runs the command, and gives the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>, ui: &mut Ui) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return tell_usage(&error, ui),
    };
    let project = cli.project;
    let outcome = match cli.command {
        Command::Run(args) => run::run(&args, &project, ui),
        Command::Check(args) => check::run(&args, &project, ui),
        Command::Init(args) => init::run(&args, ui),
        Command::Outbox(args) => outbox::run(&args, &project, ui),
        Command::Test(args) => test::run(&args, &project, ui),
        Command::Replay(args) => replay::run(&args, &project, ui),
        Command::Alerts(args) => alerts::run(&args, &project, ui),
        Command::Channels(args) => channels::run(&args, &project, ui),
        Command::Rules(args) => rules::run(&args, &project, ui),
        Command::Backup(args) => backup::run(&args, &project, ui),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(ui),
    }
}

/// Reads and loads the project folder for the lab. Its problems are shown; an error among them ends the command.
fn load(args: &ProjectArgs, ui: &mut Ui) -> Result<(crate::config::Project, crate::lab::Project), Error> {
    let (files, mut problems) = crate::config::Project::read(&args.dir, args.config.as_deref());
    let loaded = crate::lab::Project::load(&files);
    if let Err(found) = &loaded {
        problems.extend(found.iter().cloned());
    }
    if !problems.is_empty() {
        ui.note(diagnostic::render_all(&problems, ui.err_colour()).trim_end());
    }
    match loaded {
        Ok(project) if !problems.iter().any(|problem| problem.severity == Severity::Error) => Ok((files, project)),
        _ => Err(Error::told(Kind::Problems)),
    }
}

/// `--help` and `--version` are data; a mistake is not.
fn tell_usage(error: &clap::Error, ui: &mut Ui) -> ExitCode {
    let colour = if error.use_stderr() { ui.err_colour() } else { ui.out_colour() };
    let text = error.render();
    let text = match colour {
        crate::diagnostic::Colour::On => text.ansi().to_string(),
        crate::diagnostic::Colour::Off => text.to_string(),
    };
    if error.use_stderr() {
        ui.note(text.trim_end());
        return ExitCode::from(Kind::Usage.code());
    }
    // That nobody reads the help is no failure.
    ui.text(&text).ok();
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests;
