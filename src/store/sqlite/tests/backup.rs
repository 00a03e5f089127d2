use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::store::DeliveryFilter;

/// Opens a copy as the database of a new data folder.
fn restored(copy: &Path) -> (TempDir, Sqlite) {
    let folder = folder();
    fs::copy(copy, folder.path().join(FILE)).unwrap();
    let store = Sqlite::open(folder.path()).unwrap();
    (folder, store)
}

#[test]
fn a_copy_says_the_same_and_goes_on_from_there() {
    let folder = folder();
    let mut store = Sqlite::open(folder.path()).unwrap();
    for n in 1..=50 {
        store.commit(&[step_with(n, vec![raised(n)]), delivered(n)]).unwrap();
    }
    let to = folder.path().join("copy.db");
    let copied = Sqlite::backup(folder.path(), &to).unwrap();
    assert_eq!(copied.bytes, fs::metadata(&to).unwrap().len());
    assert_eq!(copied.last_step, store.reader().last_step().unwrap());

    let (_folder, mut copy) = restored(&to);
    assert_eq!(all(&copy), all(&store), "the seed too");
    copy.commit(&[step_with(51, vec![ended(1)])]).unwrap();
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("unfinished")), "{names:?}");
}

#[test]
fn a_database_that_nobody_has_open_is_copied_by_its_file() {
    let folder = folder();
    Sqlite::open(folder.path()).unwrap().commit(&[step_with(1, vec![raised(1)])]).unwrap();
    let to = folder.path().join("copy.db");
    Sqlite::backup(&folder.path().join(FILE), &to).unwrap();
    assert_eq!(restored(&to).1.reader().recent_events(10).unwrap(), [raised(1)]);
}

#[test]
fn a_copy_that_is_made_while_the_daemon_writes_is_one_state() {
    let folder = folder();
    let mut store = Sqlite::open(folder.path()).unwrap();
    store.commit(&[step_with(1, vec![raised(1)])]).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 2.. {
                store.commit(&[step_with(n, vec![raised(n)])]).unwrap();
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        for number in 0..5 {
            let to = folder.path().join(format!("copy{number}.db"));
            let copied = Sqlite::backup(folder.path(), &to).unwrap();
            let (_folder, copy) = restored(&to);
            let reader = copy.reader();
            assert_eq!(reader.last_step().unwrap(), copied.last_step);
            let n_steps = copied.last_step.unwrap().sequence as usize;
            assert_eq!(reader.recent_events(usize::MAX).unwrap().len(), n_steps);
            let every = DeliveryFilter { limit: usize::MAX, ..DeliveryFilter::default() };
            assert_eq!(reader.deliveries(&every).unwrap().len(), n_steps);
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn what_cannot_be_copied_is_told_and_nothing_is_left() {
    let folder = folder();
    let to = folder.path().join("copy.db");
    let error = Sqlite::backup(folder.path(), &to).unwrap_err();
    assert!(matches!(error, BackupError::Missing { .. }), "{error:?}");

    drop(Sqlite::open(folder.path()).unwrap());
    fs::write(&to, "precious").unwrap();
    let error = Sqlite::backup(folder.path(), &to).unwrap_err();
    assert!(matches!(error, BackupError::Exists { .. }), "{error:?}");
    assert_eq!(fs::read(&to).unwrap(), b"precious");

    let error = Sqlite::backup(folder.path(), &folder.path().join("nowhere/copy.db")).unwrap_err();
    assert!(matches!(error, BackupError::Write { .. }), "{error:?}");

    let before = fs::read_dir(folder.path()).unwrap().count();
    let file = folder.path().join(FILE);
    let mut damaged = fs::read(&file).unwrap();
    // Those of the schema would be missed at once.
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'event'";
    let page: i64 = open::connect_frozen(&file).unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
    damaged[(page as usize - 1) * 4096] ^= 0x10;
    fs::write(&file, damaged).unwrap();
    let to = folder.path().join("other.db");
    let error = Sqlite::backup(folder.path(), &to).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error:?}");
    assert!(!to.exists());
    fs::write(&file, "text").unwrap();
    let error = Sqlite::backup(folder.path(), &to).unwrap_err();
    assert!(matches!(error, BackupError::Source(OpenError::Damaged { .. })), "{error:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}
