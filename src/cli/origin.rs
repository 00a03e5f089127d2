//! What a replay runs over: a recording, or what the daemon stored.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Error, Kind, ProjectArgs};
use crate::config;
use crate::lab::Project;
use crate::lab::replay::{Recording, span_of};
use crate::model::Time;
use crate::store::{PieceFilter, Reader, Sqlite, Stored};

/// Engine time may differ from the clock on the wall by about so much: what is read besides is left out by the replay.
const CLOCKS_APART: Duration = Duration::from_secs(900);

/// Where snapshots come from.
pub(super) enum Origin {
    /// A recording; `-` is standard input.
    File(PathBuf),
    /// What a daemon stored in a data folder.
    Stored {
        /// The data folder.
        data_dir: PathBuf,
        /// The store.
        store: Arc<dyn Reader>,
    },
}

impl Origin {
    /// A recording where one is named, else what the daemon of the project folder stored.
    pub(super) fn of(file: Option<&Path>, files: &config::Project, project: &ProjectArgs) -> Result<Origin, Error> {
        if let Some(file) = file {
            return Ok(Origin::File(file.into()));
        }
        let data_dir = match files.parse_config() {
            Ok(config) => project.dir.join(config.data_dir),
            Err(_) => return Err(Error::told(Kind::Problems)),
        };
        if !data_dir.join(crate::store::sqlite::FILE).exists() {
            return Err(nothing(&data_dir));
        }
        let store = Sqlite::look(&data_dir).map_err(|error| Error::new(Kind::Failure, error))?;
        Ok(Origin::Stored { data_dir, store })
    }

    /// How it is called.
    pub(super) fn name(&self) -> String {
        match self {
            Origin::File(file) => file.display().to_string(),
            Origin::Stored { data_dir, .. } => format!("the history in {}", data_dir.display()),
        }
    }

    /// The times of its first and last snapshot, from which durations and times of day are found.
    pub(super) fn span(&self, project: &Project) -> Result<(Time, Time), Error> {
        match self {
            Origin::File(file) => span_of_file(file, project),
            Origin::Stored { data_dir, store } => {
                let stored =
                    Stored::read(store.clone(), &PieceFilter::default()).map_err(|error| self.failed(error))?;
                stored.span().map_err(|error| self.failed(error))?.ok_or_else(|| nothing(data_dir))
            }
        }
    }

    /// Opens it, of what is stored from where the rules of all these projects, which begin at `from`, may look back to.
    pub(super) fn open(
        &self,
        from: Option<Time>,
        until: Option<Time>,
        projects: &[&Project],
    ) -> Result<Recording, Error> {
        match self {
            Origin::File(file) => match file.to_str() {
                Some("-") => Ok(Recording::of(io::stdin())),
                _ => Recording::open(file).map_err(|error| cannot_read(file, error)),
            },
            Origin::Stored { data_dir, store } => {
                let filter = PieceFilter {
                    from: from
                        .map(|from| projects.iter().map(|project| looks_back(from, project)).min().unwrap_or(from)),
                    until: until.map(|until| until + CLOCKS_APART),
                    ..PieceFilter::default()
                };
                let stored = Stored::read(store.clone(), &filter).map_err(|error| self.failed(error))?;
                if stored.size() == 0 {
                    return Err(nothing(data_dir));
                }
                let (size, position) = (stored.size(), stored.position());
                Ok(Recording::of_inputs(stored, size, position))
            }
        }
    }

    /// What went wrong while it was read.
    pub(super) fn failed(&self, error: impl Into<anyhow::Error>) -> Error {
        Error::new(Kind::Failure, error.into().context(format!("cannot read {}", self.quoted())))
    }

    /// How it is called in a sentence.
    pub(super) fn quoted(&self) -> String {
        match self {
            Origin::File(_) => format!("`{}`", self.name()),
            Origin::Stored { .. } => self.name(),
        }
    }
}

/// From when on rules that begin at a time look at what came.
fn looks_back(from: Time, project: &Project) -> Time {
    let begins = project.rules.reach().begins(from, &project.settings.zone);
    let limits = &project.settings.limits;
    // Windows also look at the sample before them.
    begins.min(from - limits.memory) - (limits.reach() - limits.memory)
}

fn nothing(data_dir: &Path) -> Error {
    let message = format!("no history is stored in `{}`", data_dir.display());
    let hint = "`larum run` stores what it sees, for `history.disk`; or name a recording, which `larum record` makes";
    Error::message(Kind::Failure, message).with_hint(hint)
}

fn span_of_file(file: &Path, project: &Project) -> Result<(Time, Time), Error> {
    let is_piped = file.as_os_str() == "-" || std::fs::metadata(file).is_ok_and(|metadata| !metadata.is_file());
    if is_piped {
        let message = "a duration or a time of day is found from the end of the recording, which a pipe does not tell before it ends";
        return Err(Error::message(Kind::Usage, message).with_hint("give a time, or write the recording to a file"));
    }
    let span = span_of(file, project.limits).map_err(|error| cannot_read(file, error))?;
    span.ok_or_else(|| {
        let message = format!("no line at the end of `{}` is a snapshot with a time", file.display());
        Error::message(Kind::Failure, message).with_hint("give a whole time instead")
    })
}

fn cannot_read(file: &Path, error: io::Error) -> Error {
    Error::new(Kind::Failure, anyhow::Error::new(error).context(format!("cannot read `{}`", file.display())))
}
