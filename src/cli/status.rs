//! `larum status`: how a running daemon fares, on one screen.

mod show;
pub(super) mod words;
pub(super) mod wrong;

use clap::Args;

use super::daemon::{ClientArgs, Daemon, own_zone};
use super::{Error, Format, Kind, ProjectArgs, Ui};
use wrong::wrong;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// How it is written: json is the daemon's own document
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    daemon: ClientArgs,
}

pub(super) fn run(args: &StatusArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let daemon = Daemon::find(&args.daemon, project)?;
    let status = daemon.get("/api/v1/status", &[])?;
    let wrong = wrong(&status);
    if args.format == Format::Json {
        ui.line(&status)?;
        return match wrong.is_empty() {
            true => Ok(()),
            false => Err(Error::message(Kind::Failure, format!("not well: {}", wrong.join("; ")))),
        };
    }
    let alerts = daemon.get("/api/v1/alerts", &[])?;
    let show = show::Show { zone: own_zone(project), url: daemon.url() };
    show.status(&status, &alerts, &wrong, ui)?;
    // The last line said it.
    if wrong.is_empty() { Ok(()) } else { Err(Error::told(Kind::Failure)) }
}

#[cfg(test)]
mod tests;
