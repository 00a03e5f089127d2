//! An online copy of a database.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::error::{BackupError, OpenError};
use super::open::{self, Look};
use super::{FILE, folder, rows, schema};
use crate::store::LastStep;

/// What a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The size of the file.
    pub bytes: u64,
    /// The newest step in it.
    pub last_step: Option<LastStep>,
}

/// Copies the database of a data folder, or the one in a file, to a new file, while a daemon may go on writing.
///
/// The copy is one state of the database: everything that was committed when it began. It is made under another name
/// beside the target, checked, synced, and then renamed, so that a file at the target is always whole.
pub(super) fn backup(from: &Path, to: &Path) -> Result<Copied, BackupError> {
    let file = if from.is_dir() { from.join(FILE) } else { from.to_path_buf() };
    if fs::symlink_metadata(&file).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(BackupError::Missing { file });
    }
    let exists = || BackupError::Exists { to: to.into() };
    if fs::symlink_metadata(to).is_ok() {
        return Err(exists());
    }
    open::inspect(&file, schema::STEPS.len(), Look::Guest).map_err(BackupError::Source)?;
    let source = open::connect_guest(&file).map_err(|error| unreadable(&file, error))?;

    let refused = |error: io::Error| BackupError::Write { to: to.into(), source: Box::new(error) };
    let copy = Unfinished::beside(to).map_err(refused)?;
    copy_pages(&source, &file, &copy.0, to)?;
    let copied = check(&file, &copy.0, to)?;
    File::open(&copy.0).and_then(|copy| copy.sync_all()).map_err(refused)?;
    match rename_to_new(&copy.0, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists()),
        renamed => renamed.map_err(refused)?,
    }
    folder::sync(to).map_err(refused)?;
    Ok(copied)
}

/// Copies all pages in one go: a reader of a write-ahead log holds nobody up, and one that pauses would have to begin
/// again after each commit.
fn copy_pages(source: &Connection, file: &Path, copy: &Path, to: &Path) -> Result<(), BackupError> {
    let refused = |error: rusqlite::Error| BackupError::Write { to: to.into(), source: Box::new(error) };
    let mut target = Connection::open(copy).map_err(refused)?;
    // It is synced once, when it is whole.
    target.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;").map_err(refused)?;
    let pages = Backup::new(source, &mut target).map_err(refused)?;
    match pages.step(-1) {
        Ok(StepResult::Done) => Ok(()),
        Ok(_) => Err(BackupError::Source(OpenError::Storage {
            file: file.into(),
            source: "it is locked by another program: try again later".into(),
        })),
        Err(error) => Err(refused(error)),
    }
}

/// Reads the whole copy.
fn check(file: &Path, copy: &Path, to: &Path) -> Result<Copied, BackupError> {
    let refused = |error: rusqlite::Error| BackupError::Write { to: to.into(), source: Box::new(error) };
    let connection = open::connect_frozen(copy).map_err(refused)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(refused)?;
    if verdict != "ok" {
        return Err(BackupError::Damaged { file: file.into(), detail: open::one_line(&verdict) });
    }
    let bytes =
        fs::metadata(copy).map_err(|error| BackupError::Write { to: to.into(), source: Box::new(error) })?.len();
    Ok(Copied { bytes, last_step: rows::last_step(&connection).map_err(refused)? })
}

fn unreadable(file: &Path, error: rusqlite::Error) -> BackupError {
    BackupError::Source(OpenError::of_database(file, error))
}

/// A copy on its way: removed unless it was renamed.
struct Unfinished(PathBuf);

impl Unfinished {
    fn beside(to: &Path) -> io::Result<Unfinished> {
        let mut name = std::ffi::OsString::from(".");
        name.push(to.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
        name.push(format!(".{}.unfinished", std::process::id()));
        let path = to.with_file_name(name);
        folder::new_file(&path)?;
        Ok(Unfinished(path))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a rename it is gone already.
        fs::remove_file(&self.0).ok();
    }
}

/// Renames a file, unless something stands there already.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // A file system without hard links: there is a moment between the question and the rename.
        Err(_) if fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}
