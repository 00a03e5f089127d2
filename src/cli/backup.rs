//! `larum backup`: an online copy of the data.

use std::path::PathBuf;

use clap::Args;

use super::{Error, Kind, ProjectArgs, Ui};
use crate::config::{Config, Project};
use crate::diagnostic::{self, Severity};
use crate::store::Sqlite;

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The new file; one that is there already is not replaced
    file: PathBuf,
}

pub(super) fn run(args: &BackupArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let config = read_config(project, ui)?;
    let data_dir = project.dir.join(&config.data_dir);
    let copied = Sqlite::backup(&data_dir, &args.file).map_err(|error| Error::new(Kind::Failure, error))?;
    let newest = match copied.last_step {
        Some(step) => format!(
            "the newest step is of {}",
            step.time.to_jiff().to_zoned(config.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S")
        ),
        None => "it has no step yet".to_string(),
    };
    Ok(ui.line(format_args!("{}: {}; {newest}", args.file.display(), size(copied.bytes)))?)
}

/// The settings of a project, for its data folder: its rules and channels may be as broken as they like.
pub(super) fn read_config(project: &ProjectArgs, ui: &mut Ui) -> Result<Config, Error> {
    let (project, mut problems) = Project::read(&project.dir, project.config.as_deref());
    problems.retain(|problem| !["rules", "channels"].iter().any(|folder| problem.file.starts_with(folder)));
    let config = project.parse_config().map_err(|more| problems.extend(more)).ok();
    if !problems.is_empty() {
        ui.note(diagnostic::render_all(&problems, ui.err_colour()).trim_end());
    }
    let is_broken = problems.iter().any(|problem| problem.severity == Severity::Error);
    config.filter(|_| !is_broken).ok_or_else(|| Error::told(Kind::Problems))
}

/// A size for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::engine::Effects;
    use crate::model::{Now, Time};
    use crate::store::Store;

    fn backup(dir: &std::path::Path, file: &std::path::Path) -> (u8, String, String) {
        let (mut ui, captured) = Ui::captured();
        let project = ProjectArgs { dir: dir.into(), config: None };
        let code = match run(&BackupArgs { file: file.into() }, &project, &mut ui) {
            Ok(()) => 0,
            Err(error) => {
                error.report(&mut ui);
                error.kind.code()
            }
        };
        (code, captured.out(), captured.err())
    }

    #[test]
    fn a_running_database_is_copied_and_what_was_copied_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("larum.yaml"), "data_dir: state\ntime_zone: UTC\n").unwrap();
        let mut store = Sqlite::open(&folder.path().join("state")).unwrap();
        let now = Now::at(Time::from_micros(1_800_000_000_000_000));
        store.commit(&[Effects::none(7, now).into()]).unwrap();
        let to = folder.path().join("copy.db");

        let (code, out, err) = backup(folder.path(), &to);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.contains("copy.db: ") && out.ends_with("the newest step is of 2027-01-15 08:00:00\n"), "{out}");

        let (code, out, err) = backup(folder.path(), &to);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("is there already, and a backup replaces nothing"), "{err}");
    }

    #[test]
    fn a_project_without_data_is_a_failure_and_broken_settings_are_problems() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("copy.db");
        let (code, out, err) = backup(folder.path(), &to);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("there is no database") && err.contains("`larum run` makes it"), "{err}");

        fs::write(folder.path().join("larum.yaml"), "data_dirr: state\n").unwrap();
        let (code, _, err) = backup(folder.path(), &to);
        assert_eq!(code, 3);
        assert!(err.contains("did you mean `data_dir`"), "{err}");
        assert!(!to.exists());
    }
}
