//! `larum run`: the daemon.

use std::net::SocketAddr;

use clap::Args;

use super::{Error, Kind, ProjectArgs, Ui};
use crate::app::{self, Options};
use crate::diagnostic;

/// What `run` takes.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Listen here, whatever larum.yaml says; port 0 is any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Real collectors and rules, but nothing is sent: it is printed instead
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &RunArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    if !project.dir.is_dir() {
        let error = Error::message(Kind::Problems, format!("there is no folder `{}`", project.dir.display()));
        return Err(error.with_hint("name a project folder with `--dir`, or make one with `larum init DIR`"));
    }
    let options = Options {
        dir: project.dir.clone(),
        config: project.config.clone(),
        listen: args.listen,
        dry_run: args.dry_run,
    };
    app::run(options).map_err(|error| match error.diagnostics() {
        Some(problems) => {
            let colour = ui.err_colour();
            ui.note(diagnostic::render_all(problems, colour).trim_end());
            Error::told(Kind::Problems)
        }
        None => Error::new(Kind::Failure, error),
    })
}
