//! `larum man`: the help of all commands as man pages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;

use super::{Cli, Error, Ui};

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder; without it, the page of `larum` is printed
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, ui: &mut Ui) -> Result<(), Error> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(dir) = &args.output else { return Ok(ui.text(&page(&command)?)?) };
    fs::create_dir_all(dir).with_context(|| format!("failed to make the folder `{}`", dir.display()))?;
    write(dir, &command, ui)
}

/// Writes the page of a command and those of its subcommands.
fn write(dir: &Path, command: &Command, ui: &mut Ui) -> Result<(), Error> {
    let path = dir.join(Man::new(command.clone()).get_filename());
    fs::write(&path, page(command)?).with_context(|| format!("failed to write `{}`", path.display()))?;
    ui.line(format_args!("wrote {}", path.display()))?;
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        write(dir, command, ui)?;
    }
    Ok(())
}

fn page(command: &Command) -> Result<String, Error> {
    let mut page = Vec::new();
    let source = concat!("larum ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).manual("Larum").source(source).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
