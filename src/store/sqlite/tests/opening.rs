use std::fs;
use std::path::Path;

use super::*;
use crate::store::DeliveryFilter;

/// A data folder whose database has had a life, and was closed.
fn used() -> TempDir {
    let folder = folder();
    let mut store = Sqlite::open(folder.path()).unwrap();
    let life = |n| [step_with(n, vec![raised(n), ended(n)]), delivered(n)];
    store.commit(&(1..=300).flat_map(life).collect::<Vec<_>>()).unwrap();
    while store.trim(at(10 * 100)).unwrap() > 0 {}
    drop(store);
    folder
}

/// Opens a database that must be refused, and must be the same bytes afterwards.
fn refused(folder: &Path) -> OpenError {
    let file = folder.join(FILE);
    let before = (fs::read(&file).unwrap(), fs::read(wal_path(&file)).ok());
    let error = Sqlite::open(folder).unwrap_err();
    assert!((fs::read(&file).unwrap(), fs::read(wal_path(&file)).ok()) == before, "it was changed: {error}");
    error
}

#[test]
fn a_second_daemon_is_refused_and_told_who_runs() {
    let folder = folder();
    let first = Sqlite::open(folder.path()).unwrap();
    let error = Sqlite::open(folder.path()).unwrap_err();
    assert!(matches!(&error, OpenError::Locked { holder: Some(pid), .. } if *pid == std::process::id()), "{error:?}");
    let expected = format!(
        "another larum (process {}) runs on `{}`: stop it first, or give this one a `data_dir` of its own",
        std::process::id(),
        folder.path().display()
    );
    assert_eq!(error.to_string(), expected);
    drop(first);
    Sqlite::open(folder.path()).unwrap();
}

#[test]
#[cfg(unix)]
fn the_folder_and_its_files_are_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let data_dir = folder.path().join("deep/data");
    let mut store = Sqlite::open(&data_dir).unwrap();
    store.commit(&[step_with(1, vec![raised(1)])]).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data_dir), 0o700);
    let files: Vec<_> = fs::read_dir(&data_dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_closed_database_is_one_file() {
    let folder = used();
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["larum.db", "larum.lock"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = Sqlite::open(&folder.path().join("file/data")).unwrap_err();
    assert!(matches!(error, OpenError::Folder { .. }), "{error:?}");
    assert!(error.to_string().ends_with("make it, or name another with `data_dir`"), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_stays() {
    let noise: Vec<u8> = (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for content in [&b""[..], b"SQLite", &noise, b"SQLite format 3\0 and no more"] {
        let folder = folder();
        fs::write(folder.path().join(FILE), content).unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains("move it away"), "{error}");
    }
}

#[test]
fn a_file_that_was_cut_off_is_refused_and_stays() {
    let folder = used();
    let file = folder.path().join(FILE);
    let whole = fs::read(&file).unwrap();
    for len in [whole.len() / 2, whole.len() - 4096, whole.len() - 1, 4096, 100] {
        fs::write(&file, &whole[..len]).unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, OpenError::Damaged { .. }), "{len} bytes: {error:?}");
    }
    fs::write(&file, &whole).unwrap();
    Sqlite::open(folder.path()).unwrap();
}

#[test]
fn a_flipped_byte_at_the_head_of_any_page_that_is_in_use_is_found_and_the_file_stays() {
    let folder = used();
    let file = folder.path().join(FILE);
    let whole = fs::read(&file).unwrap();
    let connection = open::connect_frozen(&file).unwrap();
    let mut statement = connection.prepare("SELECT pageno FROM dbstat WHERE pagetype <> 'overflow'").unwrap();
    let pages: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(pages.len() > 50, "{} pages", pages.len());
    for page in pages {
        let head = if page == 1 { 100 } else { (page as usize - 1) * 4096 };
        let mut damaged = whole.clone();
        damaged[head] ^= 0x10;
        fs::write(&file, &damaged).unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, OpenError::Damaged { .. }), "page {page}: {error:?}");
    }
}

#[test]
fn damage_is_found_beside_a_log_that_was_left_and_both_stay() {
    let crashed = crashed(|store| {
        for n in 1..=50 {
            store.commit(&[step_with(n, vec![raised(n), ended(n)])]).unwrap();
        }
    });
    let file = crashed.path().join(FILE);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, [&whole[..4096], &vec![0xa5; whole.len() - 4096]].concat()).unwrap();
    // What is in the log covers most pages, but never the map of pages or a table that was not written to.
    let error = refused(crashed.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn a_newer_database_is_refused_and_stays() {
    let folder = used();
    let file = folder.path().join(FILE);
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 7").unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::Newer { found: 7, .. }), "{error:?}");
    assert!(error.to_string().contains("run the newer larum"), "{error}");

    let crashed = crashed(|store| store.writer.as_ref().unwrap().execute_batch("PRAGMA user_version = 8").unwrap());
    let error = refused(crashed.path());
    assert!(matches!(error, OpenError::Newer { found: 8, .. }), "it is in the log alone: {error:?}");
}

#[test]
fn a_database_of_another_program_is_refused_and_stays() {
    let folder = folder();
    let file = folder.path().join(FILE);
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE bookmark (url TEXT)").unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
}

#[test]
fn an_older_database_is_brought_up_to_date() {
    let folder = folder();
    Opening::default().open(folder.path()).unwrap().commit(&[step_with(1, vec![raised(1)])]).unwrap();
    static LATER: &[&str] =
        &[schema::STEPS[0], schema::STEPS[1], schema::STEPS[2], "ALTER TABLE firing ADD COLUMN acknowledged INTEGER;"];
    let store = Opening { steps: LATER, ..Opening::default() }.open(folder.path()).unwrap();
    assert_eq!(store.reader().recent_events(10).unwrap(), [raised(1)]);
    drop(store);
    assert!(matches!(refused(folder.path()), OpenError::Newer { found: 4, known: 3, .. }));
}

/// A data folder as a kill leaves it: nothing was closed.
fn crashed(life: impl FnOnce(&mut Sqlite)) -> TempDir {
    let (folder, copy) = (folder(), folder());
    let mut store = Sqlite::open(folder.path()).unwrap();
    life(&mut store);
    for name in [FILE.to_string(), format!("{FILE}-wal")] {
        fs::copy(folder.path().join(&name), copy.path().join(&name)).unwrap();
    }
    copy
}

#[test]
fn everything_that_was_committed_is_there_after_a_kill() {
    let mut before = None;
    let crashed = crashed(|store| {
        for n in 1..=100 {
            store.commit(&[step_with(n, vec![raised(n)]), delivered(n)]).unwrap();
        }
        before = Some(all(store));
    });
    assert!(fs::metadata(wal_path(&crashed.path().join(FILE))).unwrap().len() > 0, "it is in the log alone");
    let store = Sqlite::open(crashed.path()).unwrap();
    assert_eq!(Some(all(&store)), before);
}

#[test]
fn a_log_that_was_cut_off_loses_no_more_than_what_was_cut_off() {
    let crashed = crashed(|store| {
        for n in 1..=20 {
            store.commit(&[step_with(n, vec![raised(n)])]).unwrap();
        }
    });
    let log = wal_path(&crashed.path().join(FILE));
    let whole = fs::read(&log).unwrap();
    let mut n_before = 0;
    for part in 0..=20 {
        fs::write(&log, &whole[..whole.len() * part / 20]).unwrap();
        let copy = folder();
        for name in [FILE.to_string(), format!("{FILE}-wal")] {
            fs::copy(crashed.path().join(&name), copy.path().join(&name)).unwrap();
        }
        let reader = Sqlite::open(copy.path()).unwrap().reader();
        let n_steps = reader.last_step().unwrap().map_or(0, |step| step.sequence);
        let n_told = reader.deliveries(&DeliveryFilter::default()).unwrap().len() as u64;
        assert_eq!(n_told, n_steps, "each step is whole");
        assert!(n_steps >= n_before);
        n_before = n_steps;
    }
    assert_eq!(n_before, 20);
}

#[test]
fn a_database_that_was_half_made_when_the_power_went_is_made_anew() {
    let folder = folder();
    fs::write(folder.path().join("larum.db.new"), "half").unwrap();
    fs::write(folder.path().join("larum.db.new-journal"), "half").unwrap();
    let store = Sqlite::open(folder.path()).unwrap();
    assert_eq!(store.reader().last_step().unwrap(), None);
    drop(store);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
