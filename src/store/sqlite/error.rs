//! Why a database cannot be opened or copied, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the database of a data folder cannot be opened. Each text says what to do; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another daemon runs on the folder.
    #[error(
        "another larum{} runs on `{}`: stop it first, or give this one a `data_dir` of its own",
        .holder.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        .data_dir.display()
    )]
    Locked {
        /// The data folder.
        data_dir: PathBuf,
        /// The other's process id, where it could write it.
        holder: Option<u32>,
    },
    /// There is no folder, and it cannot be made.
    #[error("cannot make the data folder `{}`: make it, or name another with `data_dir`", .data_dir.display())]
    Folder {
        /// The data folder.
        data_dir: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The folder, or a file in it, cannot be written to.
    #[error(
        "cannot write to `{}`: give the user that runs larum the right to, or name another folder with `data_dir`",
        .path.display()
    )]
    NotWritable {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The folder is on another machine.
    #[error(
        "the data folder `{}` is on a network file system ({kind}), on which a database loses what was written: \
         name a folder on a local disk with `data_dir`",
        .data_dir.display()
    )]
    Network {
        /// The data folder.
        data_dir: PathBuf,
        /// Which file system.
        kind: &'static str,
    },
    /// The disk is full, and opening the database needs room on it.
    #[error("there is no room on the disk of `{}` to open the database: make room", .path.display())]
    Full {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is no database any more.
    #[error(
        "the database `{}` is damaged ({detail}): move it away, with its `-wal` and `-shm` files, to start empty, or put \
         a backup in its place",
        .file.display()
    )]
    Damaged {
        /// The database.
        file: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A later version of Larum wrote the file.
    #[error(
        "the database `{}` was written by a newer larum (its tables have version {found}, and this larum knows {known}): \
         run the newer larum, or move the file away, with its `-wal` and `-shm` files, to start empty, or put a backup \
         from before in its place",
        .file.display()
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file is a database of another program.
    #[error(
        "`{}` is a database of another program: move it away, or name another folder with `data_dir`",
        .file.display()
    )]
    Foreign {
        /// The database.
        file: PathBuf,
    },
    /// Anything else that the storage says.
    #[error("cannot open the database `{}`", .file.display())]
    Storage {
        /// The database.
        file: PathBuf,
        /// What the storage says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// Whether it is for want of room, and may work later.
    pub const fn is_full(&self) -> bool {
        matches!(self, OpenError::Full { .. })
    }

    /// What a refusal by the system means.
    pub(super) fn of_file(path: &Path, source: io::Error) -> OpenError {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                OpenError::Full { path, source: Box::new(source) }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                OpenError::NotWritable { path, source: Box::new(source) }
            }
            _ => OpenError::Storage { file: path, source: Box::new(source) },
        }
    }

    /// What a refusal by the database means.
    pub(super) fn of_database(file: &Path, source: rusqlite::Error) -> OpenError {
        let path = file.to_path_buf();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                OpenError::Damaged { file: path, detail: source.to_string() }
            }
            // The index of the log, which all connections share, is made at the first look.
            _ if is_shm_size(&source) => OpenError::Full { path, source: Box::new(source) },
            Some(ErrorCode::DiskFull) => OpenError::Full { path, source: Box::new(source) },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                OpenError::NotWritable { path, source: Box::new(source) }
            }
            _ => OpenError::Storage { file: path, source: Box::new(source) },
        }
    }
}

fn is_shm_size(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

/// Why a database was not copied. Nothing stands at the target.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("there is no database `{}` yet: `larum run` makes it", .file.display())]
    Missing {
        /// The database.
        file: PathBuf,
    },
    /// The target is there already.
    #[error("`{}` is there already, and a backup replaces nothing: name a new file", .to.display())]
    Exists {
        /// The target.
        to: PathBuf,
    },
    /// What is to be copied cannot be read as a database of this version.
    #[error("cannot read what is to be copied")]
    Source(#[source] OpenError),
    /// The copy cannot be written.
    #[error("cannot write the copy `{}`", .to.display())]
    Write {
        /// The target.
        to: PathBuf,
        /// What the system or the storage says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The copy is not what it should be; it was removed.
    #[error(
        "the copy of `{}` is damaged ({detail}), and so most likely is the database: check its disk, and keep older backups",
        .file.display()
    )]
    Damaged {
        /// The database that was copied.
        file: PathBuf,
        /// What is wrong with the copy.
        detail: String,
    },
}
