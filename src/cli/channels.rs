//! `larum channels`: where alerts go, and whether they get there.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Error, Format, Kind, ProjectArgs, Ui};
use crate::app::Clock;
use crate::channels::message::{self, Texts};
use crate::channels::{self, Attempt, Configured, Stdout, Transport, Verdict};
use crate::config::{Config, Project};
use crate::diagnostic::{self, Diagnostic, Severity, did_you_mean};
use crate::model::ChannelName;

#[derive(Debug, Args)]
pub(super) struct ChannelsArgs {
    #[command(subcommand)]
    command: ChannelsCommand,
}

#[derive(Debug, Subcommand)]
enum ChannelsCommand {
    /// Name the channels with their kinds and files
    List {
        /// How the list is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Send a sample notification to a channel
    Test {
        /// The channel: its file's name without `.yaml`
        name: String,
    },
}

pub(super) fn run(args: &ChannelsArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let (project, problems) = Project::read(&project.dir, project.config.as_deref());
    match &args.command {
        ChannelsCommand::List { format } => list(&project, problems, *format, ui),
        ChannelsCommand::Test { name } => test(&project, problems, name, ui),
    }
}

/// The channels of a project, and all problems of their files.
pub(super) fn parse(project: &Project) -> (Vec<Configured>, Vec<Diagnostic>) {
    let surroundings = project.surroundings();
    let mut configured = Vec::new();
    let mut problems = Vec::new();
    for (name, (file, text)) in &project.channels {
        match channels::parse(name, file.clone(), text, &surroundings) {
            Ok(channel) => configured.push(channel),
            Err(more) => problems.extend(more),
        }
    }
    (configured, problems)
}

fn list(project: &Project, mut problems: Vec<Diagnostic>, format: Format, ui: &mut Ui) -> Result<(), Error> {
    let (configured, more) = parse(project);
    problems.extend(more);
    let kind = |name: &ChannelName| configured.iter().find(|channel| channel.name() == name).map(Configured::kind);
    match format {
        Format::Text => {
            let rows = project.channels.iter().map(|(name, (file, _))| {
                vec![name.to_string(), kind(name).unwrap_or("(broken)").to_string(), file.to_string()]
            });
            ui.table(&["NAME", "KIND", "FILE"], &rows.collect::<Vec<_>>())?;
        }
        Format::Json => {
            let rows = project
                .channels
                .iter()
                .map(|(name, (file, _))| json!({ "name": name, "kind": kind(name), "file": file }));
            ui.line(json!({ "channels": rows.collect::<Vec<_>>(), "problems": diagnostic::sorted(&problems) }))?;
        }
    }
    refuse(&problems, ui)
}

fn test(project: &Project, mut problems: Vec<Diagnostic>, name: &str, ui: &mut Ui) -> Result<(), Error> {
    let Some((name, (file, text))) = project.channels.get_key_value(name) else {
        refuse(&problems, ui)?;
        let names = || project.channels.keys().map(ChannelName::as_str);
        let hint = did_you_mean(name, names())
            .unwrap_or_else(|| format!("the channels are {}", names().collect::<Vec<_>>().join(", ")));
        return Err(Error::message(Kind::Failure, format!("there is no channel `{name}`")).with_hint(hint));
    };
    // Other channels' problems do not stop this one.
    problems.retain(|problem| problem.file == *file || problem.file == project.config_name);
    let config = project.parse_config().map_err(|more| problems.extend(more)).ok();
    let channel = channels::parse(name, file.clone(), text, &project.surroundings());
    let channel = channel.map_err(|more| problems.extend(more)).ok();
    let (Some(config), Some(channel)) = (config, channel) else { return refuse(&problems, ui) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(send(&channel, &config))? {
        Verdict::Ok => Ok(ui.line(format_args!("`{name}` took the sample notification"))?),
        Verdict::OkPartial { detail } => {
            Err(Error::message(Kind::Failure, format!("not all recipients of `{name}` took it: {detail}")))
        }
        verdict @ (Verdict::Retry { .. } | Verdict::RetryRest { .. } | Verdict::Permanent { .. }) => {
            let reason = verdict.reason().unwrap_or_default();
            let error =
                Error::message(Kind::Failure, format!("`{name}` did not take the sample notification: {reason}"));
            Err(match verdict {
                Verdict::Permanent { .. } => error,
                _ => error.with_hint("the daemon would try this again by itself"),
            })
        }
    }
}

/// Makes one attempt: what is wrong with it should be seen at once.
async fn send(channel: &Configured, config: &Config) -> Result<Verdict, Error> {
    let time = Clock::start(None).now().wall();
    let id = format!("test-{}", time.as_micros()).as_str().into();
    let notification = message::example(channel.name(), id, time);
    let texts = Texts::new(config.locale, config.time_zone.clone());
    let request = channel.render(&notification, &texts).map_err(|error| Error::new(Kind::Failure, error))?;
    let transport =
        Transport::new(std::sync::Arc::new(Stdout::new())).map_err(|error| Error::new(Kind::Failure, error))?;
    let attempt = Attempt { id: notification.id.clone(), number: 1, time, reached: Vec::new() };
    Ok(channel.attempt(&transport, &request, &attempt).await)
}

/// Shows problems; errors among them are the command's failure.
pub(super) fn refuse(problems: &[Diagnostic], ui: &mut Ui) -> Result<(), Error> {
    if !problems.is_empty() {
        ui.note(diagnostic::render_all(problems, ui.err_colour()).trim_end());
    }
    match problems.iter().any(|problem| problem.severity == Severity::Error) {
        true => Err(Error::told(Kind::Problems)),
        false => Ok(()),
    }
}
