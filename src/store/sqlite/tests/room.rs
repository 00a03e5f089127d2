use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::ffi;

use super::*;

fn pragma(store: &Sqlite, pragma: &str) -> i64 {
    store.writer.as_ref().unwrap().query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn a_full_disk_stores_nothing_of_a_batch_and_everything_once_there_is_room() {
    let folder = folder();
    let mut store = Sqlite::open(folder.path()).unwrap();
    store.commit(&[step_with(1, vec![raised(1)])]).unwrap();
    let before = all(&store);
    let size = pragma(&store, "page_count");
    pragma(&store, &format!("max_page_count = {}", size + 5));

    let batch: Vec<Record> = (2..=1000).map(|n| step_with(n, vec![raised(n)])).collect();
    for _ in 0..2 {
        let error = store.commit(&batch).unwrap_err();
        assert_eq!(error.to_string(), "the store cannot write 999 records");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "database or disk is full");
        assert_eq!(all(&store), before);
    }
    // What has room is stored meanwhile.
    store.commit(&[delivered(1)]).unwrap();
    assert_eq!(store.reader().waiting().unwrap(), []);

    pragma(&store, "max_page_count = 1000000");
    store.commit(&batch).unwrap();
    assert_eq!(store.reader().recent_events(usize::MAX).unwrap().len(), 1000);
}

#[test]
fn a_file_that_may_not_be_written_to_is_told_and_written_to_later() {
    let folder = folder();
    let mut store = Sqlite::open(folder.path()).unwrap();
    store.writer.as_ref().unwrap().execute_batch("PRAGMA query_only = ON").unwrap();
    let step = step_with(1, vec![raised(1)]);
    let error = store.commit(std::slice::from_ref(&step)).unwrap_err();
    assert_eq!(error.to_string(), "the store cannot write a record");
    store.trim(at(0)).unwrap_err();
    store.writer.as_ref().unwrap().execute_batch("PRAGMA query_only = OFF").unwrap();
    store.commit(&[step]).unwrap();
    assert_eq!(store.reader().recent_events(10).unwrap(), [raised(1)]);
}

static FULL: AtomicBool = AtomicBool::new(false);

/// A connection to a disk that may be full: then the index of the log cannot be made.
fn connect_if_room(file: &Path) -> rusqlite::Result<Connection> {
    match FULL.load(Ordering::SeqCst) {
        true => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_SHMSIZE), None)),
        false => open::connect_writer(file),
    }
}

#[test]
fn a_database_is_read_though_the_disk_is_full_at_the_start_and_written_to_once_there_is_room() {
    let folder = folder();
    let opening = Opening { connect: connect_if_room, ..Opening::default() };
    let mut store = opening.open(folder.path()).unwrap();
    store.commit(&[step_with(1, vec![raised(1)])]).unwrap();
    let before = all(&store);
    drop(store);

    FULL.store(true, Ordering::SeqCst);
    let mut store = opening.open(folder.path()).unwrap();
    let reader = store.reader();
    assert_eq!(all(&store), before);
    store.commit(&[step_with(2, vec![raised(2)])]).unwrap_err();
    store.trim(at(0)).unwrap_err();
    assert_eq!(all(&store), before);

    FULL.store(false, Ordering::SeqCst);
    store.commit(&[step_with(2, vec![raised(2)])]).unwrap();
    assert_eq!(reader.recent_events(10).unwrap(), [raised(2), raised(1)], "who read before reads on");
    drop(store);

    // Where the log has what the file has not, both are needed.
    FULL.store(true, Ordering::SeqCst);
    let empty = self::folder();
    let mut store = Sqlite::open(empty.path()).unwrap();
    store.commit(&[step_with(1, vec![raised(1)])]).unwrap();
    let copy = self::folder();
    for name in ["larum.db", "larum.db-wal"] {
        std::fs::copy(empty.path().join(name), copy.path().join(name)).unwrap();
    }
    let error = opening.open(copy.path()).unwrap_err();
    assert!(error.is_full(), "{error:?}");
    assert!(error.to_string().ends_with("make room"), "{error}");
}

/// A small disk of its own, where the tests may mount one.
#[cfg(target_os = "linux")]
struct Disk(TempDir);

#[cfg(target_os = "linux")]
impl Disk {
    fn mounted() -> Option<Disk> {
        let folder = folder();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(folder.path());
        let done = mount.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success());
        done.then_some(Disk(folder))
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(self.0.path().join("filler")).unwrap();
        while std::io::Write::write(&mut file, &[0; 4096]).is_ok_and(|n| n > 0) {}
    }

    fn make_read_only(&self) {
        let mut mount = std::process::Command::new("mount");
        assert!(mount.args(["-o", "remount,ro"]).arg(self.0.path()).status().unwrap().success());
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

#[cfg(target_os = "linux")]
impl Drop for Disk {
    fn drop(&mut self) {
        std::process::Command::new("umount").arg(self.0.path()).status().ok();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_really_full_is_no_end_of_anything() {
    // Without the right to mount, the tests above have to do.
    let Some(disk) = Disk::mounted() else { return };
    let mut store = Sqlite::open(disk.0.path()).unwrap();
    let mut n_stored = 0;
    // While it runs: until nothing goes any more.
    disk.fill();
    let error = loop {
        match store.commit(&[step_with(n_stored + 1, vec![raised(n_stored + 1)])]) {
            Ok(()) => n_stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "the store cannot write a record");
    let before = all(&store);
    disk.make_room();
    store.commit(&[step_with(n_stored + 1, vec![raised(n_stored + 1)])]).unwrap();
    assert_ne!(all(&store), before);

    // After a stop.
    let before = all(&store);
    drop(store);
    disk.fill();
    let mut store = Sqlite::open(disk.0.path()).unwrap();
    assert!(store.writer.is_none(), "there is no room to open it");
    assert_eq!(all(&store), before);
    store.commit(&[step_with(n_stored + 2, vec![raised(n_stored + 2)])]).unwrap_err();
    assert_eq!(all(&store), before);
    disk.make_room();
    store.commit(&[step_with(n_stored + 2, vec![raised(n_stored + 2)])]).unwrap();
    assert_eq!(store.reader().recent_events(usize::MAX).unwrap().len() as u64, n_stored + 2);
    drop(store);

    // A new one needs room.
    disk.fill();
    let error = Sqlite::open(&disk.0.path().join("other")).unwrap_err();
    assert!(error.is_full(), "{error:?}");
    disk.make_room();
    Sqlite::open(&disk.0.path().join("other")).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_may_only_be_read_is_told_and_can_be_copied_from() {
    let Some(disk) = Disk::mounted() else { return };
    Sqlite::open(disk.0.path()).unwrap().commit(&[step_with(1, vec![raised(1)])]).unwrap();
    disk.make_read_only();
    let error = Sqlite::open(disk.0.path()).unwrap_err();
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
    let error = Sqlite::open(&disk.0.path().join("new")).unwrap_err();
    assert!(matches!(error, OpenError::Folder { .. }), "{error:?}");

    let elsewhere = folder();
    Sqlite::backup(disk.0.path(), &elsewhere.path().join(FILE)).unwrap();
    let copy = Sqlite::open(elsewhere.path()).unwrap();
    assert_eq!(copy.reader().recent_events(10).unwrap(), [raised(1)]);
}
