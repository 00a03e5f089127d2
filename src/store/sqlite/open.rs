//! From a data folder to a database that can be written to, or to the reason why not.
//!
//! An existing file is looked at before anything can write to it, so that one that is damaged, newer or another program's
//! stays as it is, to the byte.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::OpenError;
use super::lock::Lock;
use super::read::Readers;
use super::{FILE, Sqlite, folder, schema, wal_path};

/// A file of up to this size is checked at every start, a larger one only after a stop without a goodbye.
const CHECKED_ALWAYS: u64 = 64 << 20;
/// How long another process (a backup, somebody's `sqlite3`) may hold a lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first bytes of every database of SQLite.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// As many bytes are its header.
const HEADER: u64 = 100;

/// How a database is opened: what tests replace.
#[derive(Clone, Copy)]
pub(super) struct Opening {
    /// The steps from one version of the tables to the next.
    pub(super) steps: &'static [&'static str],
    /// Connects to an existing database to read and write.
    pub(super) connect: fn(&Path) -> rusqlite::Result<Connection>,
}

impl Default for Opening {
    fn default() -> Opening {
        Opening { steps: schema::STEPS, connect: connect_writer }
    }
}

impl Opening {
    pub(super) fn open(self, data_dir: &Path) -> Result<Sqlite, OpenError> {
        folder::make(data_dir)?;
        folder::refuse_network(data_dir)?;
        let lock = Lock::take(data_dir)?;
        let file = data_dir.join(FILE);
        match fs::symlink_metadata(&file) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(&file)?,
            Err(error) => return Err(OpenError::of_file(&file, error)),
        }
        fs::OpenOptions::new().read(true).write(true).open(&file).map_err(|error| OpenError::of_file(&file, error))?;
        let found = inspect(&file, self.steps.len(), Look::Owner)?;

        let writer = (self.connect)(&file).and_then(|mut writer| {
            schema::migrate(&mut writer, self.steps)?;
            let readers = Readers::open(&file, connect_reader)?;
            Ok((writer, readers))
        });
        match writer {
            Ok((writer, readers)) => Ok(Sqlite::live(file, lock, self, writer, readers)),
            // Even to open a database takes a little room. What was stored can be read all the same, as it is complete.
            Err(error) => match OpenError::of_database(&file, error) {
                error if error.is_full() && found.is_complete && found.version == self.steps.len() as i64 => {
                    let readers = Readers::open(&file, connect_frozen);
                    let readers = readers.map_err(|error| OpenError::of_database(&file, error))?;
                    Ok(Sqlite::frozen(file, lock, self, readers))
                }
                error => Err(error),
            },
        }
    }

    /// Makes a new database under another name first: a crash in between leaves none that is half made.
    fn create(self, file: &Path) -> Result<(), OpenError> {
        let unfinished = file.with_extension("db.new");
        let refused = |error: io::Error| OpenError::of_file(&unfinished, error);
        for path in [unfinished.clone(), wal_path(&unfinished), unfinished.with_extension("new-journal")] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(error)),
                Ok(()) | Err(_) => {}
            }
        }
        folder::new_file(&unfinished).map_err(refused)?;
        let make = || {
            let mut connection = Connection::open_with_flags(&unfinished, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = FULL;")?;
            connection.pragma_update(None, "application_id", schema::APPLICATION)?;
            schema::migrate(&mut connection, self.steps)?;
            connection.close().map_err(|(_, error)| error)
        };
        make().map_err(|error| OpenError::of_database(&unfinished, error))?;
        fs::rename(&unfinished, file).map_err(refused)?;
        folder::sync(file).map_err(refused)
    }
}

/// What was found before anything was opened to be written to.
pub(super) struct Found {
    /// The version of the tables.
    version: i64,
    /// Everything is in the one file: it was closed with a goodbye.
    is_complete: bool,
}

/// Who looks at an existing file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Who holds the lock on its folder, so that nobody writes to it: its pages too, where it is small or was not closed.
    Owner,
    /// Who only wants to read it: whose it is.
    Guest,
}

/// Looks at an existing file without changing it: whether it is a database of Larum, whole, and of a known version.
pub(super) fn inspect(file: &Path, known: usize, look: Look) -> Result<Found, OpenError> {
    let damaged = |detail: String| OpenError::Damaged { file: file.into(), detail };
    let refused = |error| OpenError::of_file(file, error);
    let newer = |found: i64| match found > known as i64 {
        true => Err(OpenError::Newer { file: file.into(), found, known: known as i64 }),
        false => Ok(()),
    };
    let mut header = Vec::new();
    File::open(file).and_then(|file| file.take(HEADER).read_to_end(&mut header)).map_err(refused)?;
    let size = fs::metadata(file).map_err(refused)?.len();
    if header.is_empty() {
        return Err(damaged("it is empty".into()));
    }
    if !header.starts_with(MAGIC) {
        return Err(damaged("it is not a database".into()));
    }
    // Both are there from the first moment of a database, so that another program's is not even opened.
    match (number(&header, 68), number(&header, 60)) {
        (Some(application), _) if application != schema::APPLICATION => {
            return Err(OpenError::Foreign { file: file.into() });
        }
        (Some(_), Some(version)) => newer(version.into())?,
        _ => return Err(damaged("it was cut off".into())),
    }

    let is_complete = is_complete(file) && look == Look::Owner;
    if let Some(whole) = whole_size(&header).filter(|whole| is_complete && size < *whole) {
        return Err(damaged(format!("it was cut off: {size} of {whole} bytes are there")));
    }
    let told = |error| OpenError::of_database(file, error);
    let connection = match look {
        Look::Owner if is_complete => connect_frozen(file),
        // Only a switch to write-ahead logging leaves a journal; it is rolled back by who may write.
        Look::Owner if has_content(&journal_path(file)) => connect_reader_with(file, OpenFlags::SQLITE_OPEN_READ_WRITE),
        Look::Owner => connect_reader(file),
        Look::Guest => connect_guest(file),
    };
    let connection = connection.map_err(told)?;
    // What a newer one did last may be in its log.
    let version = schema::version(&connection).map_err(told)?;
    newer(version)?;
    if look == Look::Owner && (size <= CHECKED_ALWAYS || !is_complete) {
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(told)?;
        if verdict != "ok" {
            return Err(damaged(one_line(&verdict)));
        }
    }
    Ok(Found { version, is_complete })
}

/// How large a file is, by its header; `None` where that does not say it.
fn whole_size(header: &[u8]) -> Option<u64> {
    let page_size = match u16::from_be_bytes(header.get(16..18)?.try_into().ok()?) {
        1 => 65536,
        size => u64::from(size),
    };
    // The number of pages is kept by whoever also keeps for which change of the file it holds.
    let (pages, change, valid_for) = (number(header, 28)?, number(header, 24)?, number(header, 92)?);
    (pages > 0 && change == valid_for).then(|| u64::from(pages) * page_size)
}

/// A number of a header.
fn number(header: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?))
}

/// The verdict of a check as part of a sentence.
pub(super) fn one_line(verdict: &str) -> String {
    let lines: Vec<&str> = verdict.lines().map(str::trim).filter(|line| !line.starts_with("***")).collect();
    lines.join("; ")
}

/// A connection that reads and writes: the one writer's.
pub(super) fn connect_writer(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    // FULL: what is committed survives a power loss. Nothing here relies on foreign keys: rows go together.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA journal_size_limit = 16777216;
         PRAGMA cache_size = -2048;
         PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY;
         PRAGMA foreign_keys = OFF;",
    )?;
    Ok(connection)
}

/// A connection that only reads what is there at each moment.
pub(super) fn connect_reader(file: &Path) -> rusqlite::Result<Connection> {
    connect_reader_with(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn connect_reader_with(file: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.execute_batch("PRAGMA cache_size = -512; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

/// A connection of a process that does not own the data folder. Where nobody can write to the folder (a disk that was
/// mounted anew to be read only), it is the file itself that is read.
pub(super) fn connect_guest(file: &Path) -> rusqlite::Result<Connection> {
    let connected = connect_reader(file).and_then(|connection| schema::version(&connection).map(|_| connection));
    match connected {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && is_complete(file) => {
            connect_frozen(file)
        }
        connected => connected,
    }
}

/// Whether everything is in the one file: it was closed with a goodbye, or has just been put in order.
fn is_complete(file: &Path) -> bool {
    !has_content(&wal_path(file)) && !has_content(&journal_path(file))
}

/// A connection to a complete file that nobody writes to: it takes no lock and makes no file beside it.
pub(super) fn connect_frozen(file: &Path) -> rusqlite::Result<Connection> {
    let mut uri = PathBuf::from(format!("file:{}", percent_encoded(file)));
    uri.as_mut_os_string().push("?immutable=1");
    connect_reader_with(&uri, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
}

/// A path as part of a URI.
fn percent_encoded(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(byte);
    let encoded = |byte: &u8| match plain(byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    path.as_os_str().as_encoded_bytes().iter().map(encoded).collect()
}

fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}

fn journal_path(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_os_string();
    path.push("-journal");
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_signs_of_a_uri_is_opened_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("50% of #1?.db");
        Connection::open(&file).unwrap().execute_batch("CREATE TABLE pet (name TEXT)").unwrap();
        connect_frozen(&file).unwrap().query_row("SELECT count(*) FROM pet", [], |_| Ok(())).unwrap();
    }
}
