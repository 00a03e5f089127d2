//! The lock on a data folder: one daemon at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::error::OpenError;

/// Held while a process writes to a data folder; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Where the lock of a data folder is.
    pub(super) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("larum.lock")
    }

    /// Takes the lock of a data folder.
    pub(super) fn take(data_dir: &Path) -> Result<Lock, OpenError> {
        let path = Lock::path(data_dir);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(|source| OpenError::of_file(&path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { data_dir: data_dir.into(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(OpenError::of_file(&path, source)),
        }
        // The lock holds without it: the number is for whoever is refused, and a full disk is no reason to stop.
        write_pid(&mut file).ok();
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    /// Lets go at once: a program that another thread is starting holds the file too, until it has begun.
    fn drop(&mut self) {
        self.file.unlock().ok();
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The process that holds the lock, as it wrote it.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
