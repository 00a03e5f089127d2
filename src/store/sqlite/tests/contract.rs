use std::cell::RefCell;

use super::*;
use crate::store::conformance;

#[test]
fn the_store_in_a_file_keeps_the_contract_of_a_store() {
    let folders = RefCell::new(Vec::new());
    let mut make = || -> Box<dyn Store> {
        let folder = folder();
        let store = Sqlite::open(folder.path()).unwrap();
        folders.borrow_mut().push(folder);
        Box::new(store)
    };
    let mut reopen = |store: Box<dyn Store>| -> Option<Box<dyn Store>> {
        drop(store);
        let folders = folders.borrow();
        Some(Box::new(Sqlite::open(folders.last()?.path()).unwrap()))
    };
    conformance::run(&mut make, &mut reopen);
}

/// Rows that belong to no other row.
fn strays(store: &Sqlite) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM event WHERE firing NOT IN (SELECT seq FROM firing))
                    + (SELECT count(*) FROM suppressed WHERE firing NOT IN (SELECT seq FROM firing))
                    + (SELECT count(*) FROM notification_alert WHERE firing NOT IN (SELECT seq FROM firing))
                    + (SELECT count(*) FROM notification_alert WHERE notification NOT IN (SELECT seq FROM notification))
                    + (SELECT count(*) FROM attempt WHERE notification NOT IN (SELECT seq FROM notification))
                    + (SELECT count(*) FROM intervention WHERE notification NOT IN (SELECT seq FROM notification))
                    + (SELECT count(*) FROM firing WHERE alert NOT IN (SELECT seq FROM alert))
                    + (SELECT count(*) FROM transition WHERE alert NOT IN (SELECT seq FROM alert))
                    + (SELECT count(*) FROM alert WHERE seq NOT IN (SELECT alert FROM firing)
                                                    AND seq NOT IN (SELECT alert FROM transition))";
    store.writer.as_ref().unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn what_is_trimmed_leaves_no_stray_rows_and_gives_its_room_back() {
    let folder = folder();
    let mut store = Sqlite::open(folder.path()).unwrap();
    let life = |n: u64| {
        let revived = Record::Revived { notification: format!("n{n}").into(), time: at(1) };
        [step_with(n, vec![raised(n), ended(n)]), delivered(n), revived]
    };
    store.commit(&(1..=3000).flat_map(life).collect::<Vec<_>>()).unwrap();
    let pages = |store: &Sqlite| -> i64 {
        store.writer.as_ref().unwrap().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap()
    };
    let before = pages(&store);
    while store.trim(at(10 * 2000)).unwrap() > 0 {
        assert_eq!(strays(&store), 0);
    }
    assert_eq!(store.reader().recent_events(usize::MAX).unwrap().len(), 2 * 1001);
    assert!(pages(&store) < before / 2, "{} of {before} pages", pages(&store));
    store.trim(at(1_000_000)).unwrap();
    while store.trim(at(1_000_000)).unwrap() > 0 {}
    let n: i64 = store
        .writer
        .as_ref()
        .unwrap()
        .query_row("SELECT (SELECT count(*) FROM alert) + (SELECT count(*) FROM notification)", [], |row| row.get(0))
        .unwrap();
    assert_eq!((strays(&store), n), (0, 0));
}

#[test]
fn each_installation_has_a_seed_of_its_own() {
    let (one, other) = (folder(), folder());
    let seed = |folder: &TempDir| Sqlite::open(folder.path()).unwrap().reader().seed();
    assert_ne!(seed(&one), seed(&other));
    assert_eq!(seed(&one), seed(&one));
}

#[test]
fn a_long_question_holds_up_no_commit_and_sees_one_state() {
    let folder = folder();
    let mut store = Sqlite::open(folder.path()).unwrap();
    store.commit(&[step_with(1, vec![raised(1)])]).unwrap();
    let other = open::connect_reader(&folder.path().join(FILE)).unwrap();
    let question = other.unchecked_transaction().unwrap();
    let count = || question.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 1);
    store.commit(&[step_with(2, vec![raised(2)])]).unwrap();
    assert_eq!((count(), store.reader().recent_events(10).unwrap().len()), (1, 2));
}
