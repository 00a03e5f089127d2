//! The embedded database: one SQLite file in the data folder.
//!
//! One connection writes, with a write-ahead log and a sync for each transaction; two others read what was committed, and
//! never wait for the writer. All three have small caches, for the daemon is to be small; the system's page cache has the
//! file anyway. A lock file keeps a second daemon out.
//!
//! What is refused and why is told by [`OpenError`]. A disk that is full is no reason to refuse a database that was closed
//! properly: it is read as it is, and [`Store::commit`] fails until there is room.

mod backup;
mod error;
mod folder;
mod lock;
mod open;
mod pieces;
mod read;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod trim;
mod words;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};

pub use backup::Copied;
pub use error::{BackupError, OpenError};

use super::{Error, Reader, Record, Store};
use crate::model::Time;
use lock::Lock;
use open::{Look, Opening};
use read::Readers;
use write::Writing;

/// The database's name in the data folder.
pub const FILE: &str = "larum.db";

/// A [`Store`] in a file.
#[derive(Debug)]
pub struct Sqlite {
    file: PathBuf,
    /// Closed before the writer, so that it is the last, and leaves one file.
    readers: Arc<Readers>,
    /// `None` where there was no room to open it.
    writer: Option<Connection>,
    connect: fn(&Path) -> rusqlite::Result<Connection>,
    /// Let go of last.
    _lock: Lock,
}

impl Sqlite {
    /// Opens the database of a data folder, and makes both where they are not there.
    ///
    /// # Errors
    /// Each with what to do. Nothing that is there already was changed then.
    pub fn open(data_dir: &Path) -> Result<Sqlite, OpenError> {
        Opening::default().open(data_dir)
    }

    /// Copies the database of a data folder, or the one in a file, to a new file, while a daemon may go on writing. The copy
    /// is one file, checked and synced, that is opened where it stands as [`FILE`] in an empty data folder.
    ///
    /// # Errors
    /// Where there is no database, it cannot be read, or the copy cannot be written; nothing stands at `to` then that did
    /// not before.
    pub fn backup(from: &Path, to: &Path) -> Result<Copied, BackupError> {
        backup::backup(from, to)
    }

    /// Reads the database of a data folder while a daemon may go on writing: nothing is changed.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn look(data_dir: &Path) -> Result<Arc<dyn Reader>, OpenError> {
        let file = data_dir.join(FILE);
        open::inspect(&file, schema::STEPS.len(), Look::Guest)?;
        let readers =
            Readers::open(&file, open::connect_guest).map_err(|error| OpenError::of_database(&file, error))?;
        Ok(Arc::new(readers))
    }

    fn live(file: PathBuf, lock: Lock, opening: Opening, writer: Connection, readers: Readers) -> Sqlite {
        let readers = Arc::new(readers);
        Sqlite { file, writer: Some(writer), readers, connect: opening.connect, _lock: lock }
    }

    /// A complete file that is only read until there is room to write to it.
    fn frozen(file: PathBuf, lock: Lock, opening: Opening, readers: Readers) -> Sqlite {
        Sqlite { file, writer: None, readers: Arc::new(readers), connect: opening.connect, _lock: lock }
    }

    /// The connection that writes; it is made where there was no room for it before.
    fn writer(&mut self) -> rusqlite::Result<&mut Connection> {
        match self.writer {
            Some(ref mut writer) => Ok(writer),
            None => {
                let writer = (self.connect)(&self.file)?;
                // Before the first write: these would not see it.
                self.readers.reconnect(open::connect_reader)?;
                Ok(self.writer.insert(writer))
            }
        }
    }

    fn write(&mut self, batch: &[Record]) -> rusqlite::Result<()> {
        let transaction = self.writer()?.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writing = Writing::start(&transaction)?;
        for record in batch {
            writing.record(record)?;
        }
        writing.finish()?;
        transaction.commit()
    }
}

impl Store for Sqlite {
    fn commit(&mut self, batch: &[Record]) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.write(batch).map_err(|error| {
            let what = match batch.len() {
                1 => "a record".to_string(),
                n => format!("{n} records"),
            };
            Error::Write { what, source: Box::new(error) }
        })
    }

    fn trim(&mut self, before: Time) -> Result<usize, Error> {
        let trimmed = self.writer().and_then(|writer| trim::trim(writer, before));
        trimmed.map_err(|error| Error::Write { what: "without what ended long ago".into(), source: Box::new(error) })
    }

    fn trim_history(&mut self, before: Time, bytes: u64) -> Result<usize, Error> {
        let trimmed = self.writer().and_then(|writer| {
            let n_gone = pieces::trim(writer, before, bytes)?;
            trim::give_back(writer)?;
            Ok(n_gone)
        });
        trimmed.map_err(|error| Error::Write { what: "without what came long ago".into(), source: Box::new(error) })
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.readers.clone()
    }
}

/// Everything goes into the one file, so that it can be copied and checked as it is.
impl Drop for Sqlite {
    fn drop(&mut self) {
        if let Some(writer) = &self.writer {
            // What cannot be moved now is in the log, and is read from there at the next start.
            writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).ok();
        }
    }
}

/// The write-ahead log of a database.
fn wal_path(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_os_string();
    path.push("-wal");
    path.into()
}
