//! `larum init DIR`: a project folder to start from.

mod incident;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::{Error, Kind, Ui};

/// The files of a new project folder.
const FILES: &[(&str, &str)] = &[
    ("larum.yaml", include_str!("init/larum.yaml")),
    ("rules/host.rhai", include_str!("init/host.rhai")),
    ("rules/host.test.rhai", include_str!("init/host.test.rhai")),
    ("rules/service.rhai", include_str!("init/service.rhai")),
    ("rules/service.test.rhai", include_str!("init/service.test.rhai")),
    ("channels/console.yaml", include_str!("init/console.yaml")),
    (".gitignore", "/data/\n"),
];

/// The recording in it.
const RECORDING: &str = "recordings/incident.jsonl";

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder to make; one that is there already must be empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(args: &InitArgs, ui: &mut Ui) -> Result<(), Error> {
    let dir = &args.folder;
    if let Some(found) = first_entry(dir)? {
        let message = format!("`{}` is not empty (there is `{found}`), and nothing is written into it", dir.display());
        return Err(Error::message(Kind::Failure, message).with_hint("name a new folder"));
    }
    let recording = incident::recording();
    for (name, text) in FILES.iter().copied().chain([(RECORDING, recording.as_str())]) {
        write(&dir.join(name), text)?;
        ui.line(format_args!("wrote {}", dir.join(name).display()))?;
    }
    ui.line("\nnext:")?;
    if dir != Path::new(".") {
        ui.line(format_args!("  cd {}", quoted(&dir.display().to_string())))?;
    }
    let run = "  larum run                                   # watch this host; Ctrl-C ends it";
    ui.line(format_args!(
        "  larum test                                  # the rules' tests, on a virtual clock\n  \
         larum replay {RECORDING}      # who would have been told in that hour\n{run}"
    ))?;
    Ok(())
}

/// The name of something in a folder; `None` where there is no folder yet, or nothing in it.
fn first_entry(dir: &Path) -> anyhow::Result<Option<String>> {
    let mut entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot make a project of `{}`", dir.display())),
    };
    Ok(entries.next().transpose()?.map(|entry| entry.file_name().to_string_lossy().into_owned()))
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    match path.chars().all(is_plain) {
        true => path.to_string(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
        assert_eq!(quoted("../on-call/alerts_2"), "../on-call/alerts_2");
        assert_eq!(quoted("my alerts"), "'my alerts'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
