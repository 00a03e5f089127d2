//! `larum init DIR`: a project folder to start from.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::{Error, Kind, Ui};

/// The files of a new project folder.
const FILES: &[(&str, &str)] = &[
    ("larum.yaml", include_str!("init/larum.yaml")),
    ("rules/host.rhai", include_str!("init/host.rhai")),
    ("rules/host.test.rhai", include_str!("init/host.test.rhai")),
    ("channels/console.yaml", include_str!("init/console.yaml")),
    (".gitignore", "/data/\n"),
];

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder to make; one that is there already must not have these files
    dir: PathBuf,
}

pub(super) fn run(args: &InitArgs, ui: &mut Ui) -> Result<(), Error> {
    let dir = &args.dir;
    if let Some((name, _)) = FILES.iter().find(|(name, _)| dir.join(name).symlink_metadata().is_ok()) {
        let message = format!("`{name}` is there already, and nothing is overwritten");
        return Err(Error::message(Kind::Failure, message).with_hint("name a new folder"));
    }
    for (name, text) in FILES {
        write(&dir.join(name), text)?;
        ui.line(format_args!("wrote {}", dir.join(name).display()))?;
    }
    let dir = dir.display();
    ui.line(format_args!("\nnext:\n  larum check --dir {dir}\n  larum test --dir {dir}\n  larum run --dir {dir}"))?;
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("failed to write `{}`", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(failed)?;
    }
    // `create_new`: also what came between the look and now is not overwritten.
    let mut file = File::create_new(path).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)
}
