//! What came, as blocks in the table `history`.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params, params_from_iter};

use super::read::{Conditions, all};
use crate::history::Extent;
use crate::model::{SubjectKey, Time};
use crate::store::{Piece, PieceFilter, Sealed};

/// Between a kind and a name: neither has control characters, and all others come after it.
const SEPARATOR: char = '\u{1f}';

/// Pieces and bytes that go in one transaction: some milliseconds of work.
const GO_TOGETHER: (i64, i64) = (256, 8 << 20);

/// The pieces that stand for what came: of each stretch of time either what commits took or all of its sealed parts.
const SHOWN: &str = "(sealed = 0 AND first_sequence > (SELECT coalesce(sealed, -1) FROM installation)
     OR sealed = 1 AND last_sequence <= (SELECT coalesce(sealed, -1) FROM installation))";

fn subject(key: &SubjectKey) -> String {
    format!("{}{SEPARATOR}{}", key.kind, key.name)
}

fn key(text: &str) -> Option<SubjectKey> {
    text.split_once(SEPARATOR).map(|(kind, name)| SubjectKey::new(kind, name))
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    extent: &Extent,
    block: &[u8],
    sealed: bool,
) -> rusqlite::Result<()> {
    let Extent { sequences, arrived, subjects, samples } = extent;
    let (first, last) = subjects.as_ref().map(|(first, last)| (subject(first), subject(last))).unwrap_or_default();
    let sql = "INSERT OR REPLACE INTO history (sealed, first_sequence, last_sequence, first_arrived, last_arrived,
                   first_subject, last_subject, samples, block) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    transaction.prepare_cached(sql)?.execute(params![
        sealed,
        sequences.0 as i64,
        sequences.1 as i64,
        arrived.0.as_micros(),
        arrived.1.as_micros(),
        first,
        last,
        *samples as i64,
        block
    ])?;
    Ok(())
}

/// Stores a sealed part; the last one makes all of them stand for what they were made of.
pub(super) fn seal(transaction: &Transaction<'_>, part: &Sealed) -> rusqlite::Result<()> {
    let (first, last) = (part.extent.sequences.0 as i64, part.extent.sequences.1 as i64);
    let sealed: Option<i64> = transaction.query_row("SELECT sealed FROM installation", [], |row| row.get(0))?;
    if sealed.is_some_and(|sealed| sealed >= last) {
        return Ok(());
    }
    // What was left of a seal that was broken off may have been cut elsewhere.
    let sql =
        "DELETE FROM history WHERE sealed = 1 AND last_sequence > ?1 AND (first_sequence, last_sequence) <> (?2, ?3)";
    transaction.prepare_cached(sql)?.execute(params![sealed.unwrap_or(-1), first, last])?;
    insert(transaction, &part.extent, &part.block, true)?;
    if part.completes {
        transaction.prepare_cached("UPDATE installation SET sealed = ?1")?.execute([last])?;
    }
    Ok(())
}

pub(super) fn pieces(connection: &Connection, filter: &PieceFilter) -> rusqlite::Result<Vec<Piece>> {
    let mut asked = Conditions {
        sql: format!(
            "SELECT seq, sealed, first_sequence, last_sequence, first_arrived, last_arrived, first_subject, last_subject,
                 samples, length(block) FROM history WHERE {SHOWN}"
        ),
        values: Vec::new(),
    };
    let PieceFilter { from, until, subject: of, sealed } = filter;
    if let Some(from) = from {
        asked.add("last_arrived >=", from.as_micros(), "");
    }
    if let Some(until) = until {
        asked.add("first_arrived <=", until.as_micros(), "");
    }
    if let Some(sealed) = sealed {
        asked.add("sealed =", *sealed, "");
    }
    if let Some(of) = of.as_ref().map(subject) {
        asked.add("first_subject <=", of.clone(), "");
        asked.add("last_subject >=", Value::from(of), "");
    }
    asked.sql.push_str(" ORDER BY first_sequence, first_subject");
    all(connection, &asked.sql, params_from_iter(asked.values), piece)
}

fn piece(row: &Row<'_>) -> rusqlite::Result<Piece> {
    let sequence = |column| row.get::<_, i64>(column).map(|sequence| sequence as u64);
    let time = |column| row.get(column).map(Time::from_micros);
    let subject = |column| row.get::<_, String>(column).map(|text| key(&text));
    Ok(Piece {
        id: row.get(0)?,
        sealed: row.get(1)?,
        extent: Extent {
            sequences: (sequence(2)?, sequence(3)?),
            arrived: (time(4)?, time(5)?),
            subjects: subject(6)?.zip(subject(7)?),
            samples: row.get::<_, i64>(8)? as usize,
        },
        bytes: row.get::<_, i64>(9)? as u64,
    })
}

pub(super) fn block(connection: &Connection, id: i64) -> rusqlite::Result<Option<Vec<u8>>> {
    let sql = "SELECT block FROM history WHERE seq = ?1";
    connection.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()
}

/// Removes some pieces: what sealed parts stand for, what came before `before`, and the oldest of what is more than `most`
/// bytes. Says how many went.
pub(super) fn trim(connection: &mut Connection, before: Time, most: u64) -> rusqlite::Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sizes = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let unneeded = "SELECT seq, length(block) FROM history WHERE sealed = 0
                        AND last_sequence <= (SELECT coalesce(sealed, -1) FROM installation)
                    UNION ALL SELECT seq, length(block) FROM history WHERE last_arrived < ?1 LIMIT ?2";
    let mut doomed = all(&transaction, unneeded, params![before.as_micros(), GO_TOGETHER.0], sizes)?;
    if doomed.is_empty() {
        let total: i64 =
            transaction.query_row("SELECT coalesce(sum(length(block)), 0) FROM history", [], |row| row.get(0))?;
        let mut surplus = total - i64::try_from(most).unwrap_or(i64::MAX);
        if surplus > 0 {
            let oldest = "SELECT seq, length(block) FROM history ORDER BY last_arrived LIMIT ?1";
            doomed = all(&transaction, oldest, [GO_TOGETHER.0], sizes)?;
            doomed.retain(|(_, bytes)| {
                let goes = surplus > 0;
                surplus -= bytes;
                goes
            });
        }
    }
    let (mut n_gone, mut left) = (0, GO_TOGETHER.1);
    for (seq, bytes) in doomed {
        if left <= 0 {
            break;
        }
        left -= bytes;
        n_gone += transaction.prepare_cached("DELETE FROM history WHERE seq = ?1")?.execute([seq])?;
    }
    transaction.commit()?;
    Ok(n_gone)
}
