//! The commands: one file each. This is the list of them, and what they share.

mod ack;
mod alerts;
mod audit;
mod backup;
mod channels;
mod check;
mod completions;
mod daemon;
mod definitions;
mod dry_run;
mod error;
mod export;
mod init;
mod man;
mod origin;
mod outbox;
mod pause;
mod record;
mod replay;
mod rules;
mod run;
mod silence;
mod status;
mod test;
#[cfg(test)]
mod testing;
mod token;
mod top;
mod ui;
mod why;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use error::{Error, Kind};
pub use ui::{Captured, Ui};

use crate::diagnostic::{self, Severity};

/// An alerting engine whose rules are scripts: try a rule before it can wake anybody
///
/// A project is a folder with rules/ (Rhai scripts, and their tests), channels/ (who is told, one file each) and larum.yaml
/// (what is watched, who gets what; all of it optional). `larum init DIR` makes one to start from; then `test`, `replay` and
/// `run` work in it.
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
#[command(next_help_heading = "Project")]
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
    ///
    /// Watches what larum.yaml names (without it, this host every ten seconds), takes pushes, evaluates the rules and tells
    /// the channels. A saved edit is in force at once; a broken one changes nothing, and is told. What is open, told and
    /// owed is kept in the data folder, which one daemon at a time uses. SIGINT and SIGTERM end it.
    Run(run::RunArgs),
    /// Acknowledge alerts: no reminders and no escalation until the level rises or they end
    ///
    /// Asks a running daemon. Everybody who was told gets the end all the same.
    Ack(ack::AckArgs),
    /// Show what fires, what fired, and who was told of it
    ///
    /// Asks a running daemon. Without an id, the alerts that are open, and with --all those that ended too. With an id, or as
    /// much of it as no other begins with, one alert's history: its states, every attempt at every channel, and why a channel
    /// was not told.
    Alerts(alerts::AlertsArgs),
    /// Name the channels, or send one a sample notification
    ///
    /// A channel is a file in channels/; its name is the file's without `.yaml`.
    Channels(channels::ChannelsArgs),
    /// Validate settings, rules, their tests and channels: all problems at once, with source lines
    ///
    /// Nothing is run and nobody is told. Exits with 3 where there is an error; warnings alone are no failure. Editors take
    /// `--format short` or `json`, and `--stdin-file` for a buffer that is not saved. JSON has for each problem `severity`,
    /// `code` (file, settings, channel, rule, test, unused, daemon), `file` (in the project folder), `path` (absolute),
    /// `line`, `column`, `end_line` and `end_column` (characters from 1; the end is the place after the last one),
    /// `message`, `hint` and `source_line`.
    Check(check::CheckArgs),
    /// Collect now and judge, send nothing, and say what would be told to whom, and what holds it back
    ///
    /// Runs the collectors of larum.yaml as often as they need to, or for as long as --for says. It needs no daemon, and sees
    /// no pushes.
    DryRun(dry_run::DryRunArgs),
    /// Make a project folder to start from
    ///
    /// With rules, their tests, a channel that prints, and a recording of an hour with an incident in it to replay. A folder
    /// that is there already must be empty.
    Init(init::InitArgs),
    /// See what is owed to channels, and try it again or give it up
    ///
    /// Asks a running daemon. A notification that cannot be delivered is tried again for a day (`retry` in larum.yaml), then
    /// given up: its state is `dead`.
    Outbox(outbox::OutboxArgs),
    /// Leave rules or collectors alone for a while; without any, say what is paused
    ///
    /// Asks a running daemon. A paused rule judges nothing, and its alerts stay as they are. Subjects of a paused collector
    /// are not held to have fallen silent. It lasts over restarts, until `larum resume`.
    Pause(pause::PauseArgs),
    /// Let rules or collectors go on
    Resume(pause::ResumeArgs),
    /// Forget a subject: its alerts are closed as vanished
    ///
    /// Asks a running daemon. What reports again is a new subject.
    Forget(pause::ForgetArgs),
    /// Run rule tests on a virtual clock
    ///
    /// Tests stand in rules/**/*.test.rhai and drive the daemon's own engine, from snapshot to the exact request that a
    /// channel would send. A failure shows the time line of the alert. Exits with 4 where a test failed, or nothing was
    /// tested.
    Test(test::TestArgs),
    /// Write snapshots down as they are taken, for `replay`
    ///
    /// Follows the daemon where one answers at `listen` of the project folder; else runs the collectors of larum.yaml itself.
    /// Ctrl-C ends it well.
    Record(record::RecordArgs),
    /// Run the rules over a recording in virtual time: who would have been told of what
    ///
    /// A recording is snapshots as JSON Lines: one object a line with `time`, `kind`, `name`, `labels` and `fields`, as they
    /// are pushed. A line that cannot be used is named, and the rest goes on. Nobody is told.
    Replay(replay::ReplayArgs),
    /// Name the rules, and what they judge
    ///
    /// As they are in the files; with --url as a running daemon has them: who takes part, what fires, and which fail.
    Rules(rules::RulesArgs),
    /// Tell nobody of some alerts for a time: now, planned ahead, or every week
    ///
    /// Asks a running daemon. Silences come back after a restart; those that ended are kept as long as alerts.
    Silence(silence::SilenceArgs),
    /// Say on one screen how the daemon fares, what fires, and what is wrong
    ///
    /// Asks a running daemon. The last line says whether all is well. Exits with 1 where no daemon answers, and where something
    /// is wrong with it: it cannot store what it decides, alerting is off, a channel fails or is not configured, notifications
    /// were given up, a collector is down, or there is an error among its problems. That an alert fires is no failure, and a
    /// warning is none.
    Status(status::StatusArgs),
    /// Watch on a live screen what fires, what is watched, the rules, and what happens
    ///
    /// Asks a running daemon every two seconds, and goes on when it was away for a while. `a` acknowledges the alert that is
    /// chosen and `s` silences it; `?` names all keys, and `q` ends it. What begins and ends between two looks is not seen:
    /// `larum alerts --all` has everything.
    Top(top::TopArgs),
    /// Say why a rule fires on something, or not: each value, timer, route and delivery
    ///
    /// Asks a running daemon, or a recording at a time of it. Without a subject all of them, the nearest to firing first.
    Why(why::WhyArgs),
    /// See what was asked for, by whom, and what came of it
    ///
    /// Asks a running daemon. Every write over HTTP and by these commands is written down, denied ones too.
    Audit(audit::AuditArgs),
    /// Write what is stored for other programs: snapshots, or alerts that fired
    ///
    /// Reads the data folder, whether the daemon runs or not. A week is never in memory.
    Export(export::ExportArgs),
    /// Make a token for somebody who asks the daemon
    Token(token::TokenArgs),
    /// Copy the data to a file, while the daemon runs on
    ///
    /// The copy is one file, checked: alerts, notifications, what they came to, the engine's state. `run` starts from it
    /// where it stands as `larum.db` in an empty data folder (`data/larum.db`).
    Backup(backup::BackupArgs),
    /// Write what scripts can call: a reference, and definition files for editors
    ///
    /// With --output DIR, DIR/reference.md has every key and function with its unit, what it needs and when there is no data,
    /// and DIR/definitions/*.d.rhai the same for Rhai's language servers. Without, the reference is printed.
    Definitions(definitions::DefinitionsArgs),
    /// Print the completions of a shell
    ///
    /// For bash: larum completions bash > ~/.local/share/bash-completion/completions/larum
    Completions(completions::CompletionsArgs),
    /// Print or write man pages
    ///
    /// To read one: larum man | man -l -. To install all: larum man --output ~/.local/share/man/man1
    Man(man::ManArgs),
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
        Command::Completions(args) => completions::run(&args, ui),
        Command::Definitions(args) => definitions::run(&args, ui),
        Command::DryRun(args) => dry_run::run(&args, &project, ui),
        Command::Pause(args) => pause::pause(&args, &project, ui),
        Command::Resume(args) => pause::resume(&args, &project, ui),
        Command::Forget(args) => pause::forget(&args, &project, ui),
        Command::Audit(args) => audit::run(&args, &project, ui),
        Command::Export(args) => export::run(&args, &project, ui),
        Command::Token(args) => token::run(&args, ui),
        Command::Silence(args) => silence::run(&args, &project, ui),
        Command::Status(args) => status::run(&args, &project, ui),
        Command::Top(args) => top::run(&args, &project, ui),
        Command::Ack(args) => ack::run(&args, &project, ui),
        Command::Why(args) => why::run(&args, &project, ui),
        Command::Init(args) => init::run(&args, ui),
        Command::Man(args) => man::run(&args, ui),
        Command::Outbox(args) => outbox::run(&args, &project, ui),
        Command::Test(args) => test::run(&args, &project, ui),
        Command::Replay(args) => replay::run(&args, &project, ui),
        Command::Record(args) => record::run(&args, &project, ui),
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
