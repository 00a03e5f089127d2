//! The tables, as a list of steps from one version to the next.

use rusqlite::{Connection, TransactionBehavior};

/// The steps, oldest first: the first makes an empty database version 1. A step that was released is never changed.
pub(super) const STEPS: &[&str] =
    &[include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// Says that a database is Larum's: `application_id` of its header, "LARU" in ASCII.
pub(super) const APPLICATION: u32 = 0x4c41_5255;

/// The version of a database: how many of the steps it has behind it.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes a database to the version of the last step, in one transaction. One that is there already is not written to.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    if version(connection)? >= steps.len() as i64 {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(version(&transaction)?).unwrap_or(0);
    for step in steps.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", steps.len() as i64)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: &str = "CREATE TABLE pet (name TEXT) STRICT; INSERT INTO pet VALUES ('cat');";
    const AGED: &str = "ALTER TABLE pet ADD COLUMN age INTEGER NOT NULL DEFAULT 1;";
    const RENAMED: &str = "ALTER TABLE pet RENAME TO animal;";

    #[test]
    fn a_database_of_any_older_version_is_brought_up_to_date_with_its_rows() {
        for done in 0..3 {
            let mut connection = Connection::open_in_memory().unwrap();
            migrate(&mut connection, &[MADE, AGED, RENAMED][..done]).unwrap();
            assert_eq!(version(&connection).unwrap(), done as i64);

            migrate(&mut connection, &[MADE, AGED, RENAMED]).unwrap();

            assert_eq!(version(&connection).unwrap(), 3);
            let row = connection.query_row("SELECT name, age FROM animal", [], |row| Ok((row.get(0)?, row.get(1)?)));
            assert_eq!(row.unwrap(), (String::from("cat"), 1));
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_database_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[MADE]).unwrap();
        migrate(&mut connection, &[MADE, AGED, "ALTER TABLE cow ADD COLUMN age;"]).unwrap_err();
        assert_eq!(version(&connection).unwrap(), 1);
        connection.query_row("SELECT age FROM pet", [], |row| row.get::<_, i64>(0)).unwrap_err();
    }

    #[test]
    fn the_steps_of_this_version_make_a_database_with_one_installation() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, STEPS).unwrap();
        let n: i64 = connection.query_row("SELECT count(*) FROM installation", [], |row| row.get(0)).unwrap();
        assert_eq!((version(&connection).unwrap(), n), (STEPS.len() as i64, 1));
    }
}
