//! Rows become what the readers give.

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::de::DeserializeOwned;

use super::words;
use crate::engine::Event;
use crate::model::{NotificationId, SubjectKey, Time};
use crate::store::{Attempt, AttemptResult, Delivery, DeliveryState, DeliveryStateName, Firing, LastStep};

/// The newest stored step.
pub(super) fn last_step(connection: &Connection) -> rusqlite::Result<Option<LastStep>> {
    let step = |row: &Row<'_>| {
        let sequence: i64 = row.get(0)?;
        Ok(LastStep { sequence: sequence as u64, time: time(row, 1)? })
    };
    let sql = "SELECT sequence, time FROM installation WHERE sequence IS NOT NULL";
    connection.prepare_cached(sql)?.query_row([], step).optional()
}

/// The columns that [`firing`] reads, of `firing` joined with `alert`.
pub(super) const FIRING: &str =
    "SELECT f.id, a.rule, a.kind, a.name, f.labels, f.level, f.message, f.since, f.ended, f.reason
     FROM firing AS f JOIN alert AS a ON a.seq = f.alert WHERE f.since IS NOT NULL";

pub(super) fn firing(row: &Row<'_>) -> rusqlite::Result<Firing> {
    Ok(Firing {
        id: text(row, 0)?.into(),
        rule: text(row, 1)?.into(),
        subject: subject(row, 2)?,
        labels: json(row, 4)?,
        level: parsed(row, 5, words::word)?,
        message: row.get(6)?,
        since: time(row, 7)?,
        ended: maybe_time(row, 8)?,
        reason: maybe_parsed(row, 9, words::close_reason)?,
    })
}

/// The columns that [`event`] reads, of `event` joined with `firing` and `alert`.
pub(super) const EVENT: &str =
    "SELECT e.time, e.kind, e.reason, f.id, a.rule, a.kind, a.name, e.level, e.labels, e.message
     FROM event AS e JOIN firing AS f ON f.seq = e.firing JOIN alert AS a ON a.seq = f.alert";

pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        time: time(row, 0)?,
        kind: parsed(row, 1, words::word)?,
        reason: maybe_parsed(row, 2, words::close_reason)?,
        firing: text(row, 3)?.into(),
        rule: text(row, 4)?.into(),
        subject: subject(row, 5)?,
        level: parsed(row, 7, words::word)?,
        labels: json(row, 8)?,
        message: row.get(9)?,
    })
}

/// The columns that [`delivery`] reads, of `notification`.
pub(super) const DELIVERY: &str =
    "SELECT n.seq, n.body, n.state, n.state_time, n.state_detail, n.attempts, n.first_attempt FROM notification AS n";

/// A delivery and its row, without its attempts.
pub(super) fn delivery(row: &Row<'_>) -> rusqlite::Result<(i64, Delivery)> {
    let state = match parsed(row, 2, words::delivery_state)? {
        DeliveryStateName::Waiting => DeliveryState::Waiting { next: maybe_time(row, 3)? },
        DeliveryStateName::Delivered => DeliveryState::Delivered { time: time(row, 3)? },
        DeliveryStateName::Absorbed => DeliveryState::Absorbed { by: text(row, 4)?.into() },
        DeliveryStateName::Dead => DeliveryState::Dead { time: time(row, 3)?, error: row.get(4)? },
    };
    let delivery = Delivery {
        notification: json(row, 1)?,
        state,
        attempts: row.get(5)?,
        first_attempt: maybe_time(row, 6)?,
        newest_attempts: Vec::new(),
    };
    Ok((row.get(0)?, delivery))
}

/// The attempts at one notification that are kept, oldest first.
pub(super) fn attempts(connection: &Connection, seq: i64, id: &NotificationId) -> rusqlite::Result<Vec<Attempt>> {
    let attempt = |row: &Row<'_>| {
        let result = match text(row, 3)? {
            "delivered" => AttemptResult::Delivered { partly: row.get(4)? },
            "failed" => AttemptResult::Failed { error: row.get(4)?, next: time(row, 5)? },
            "dead" => AttemptResult::Dead { error: row.get(4)? },
            other => return Err(broken(3)(words::unknown("a result of an attempt", other))),
        };
        let took = u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        Ok(Attempt {
            notification: id.clone(),
            number: row.get(0)?,
            time: time(row, 1)?,
            took: std::time::Duration::from_nanos(took),
            result,
        })
    };
    let sql = "SELECT number, time, took, result, detail, next FROM attempt WHERE notification = ?1 ORDER BY number";
    connection.prepare_cached(sql)?.query_map([seq], attempt)?.collect()
}

pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r str> {
    row.get_ref(column)?.as_str().map_err(broken(column))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Time> {
    row.get(column).map(Time::from_micros)
}

fn maybe_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Time>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Time::from_micros))
}

/// The subject in two columns: kind and name.
pub(super) fn subject(row: &Row<'_>, kind: usize) -> rusqlite::Result<SubjectKey> {
    Ok(SubjectKey::new(text(row, kind)?, text(row, kind + 1)?))
}

pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(text(row, column)?).map_err(|error| broken(column)(FromSqlError::other(error)))
}

fn parsed<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Result<T, FromSqlError>) -> rusqlite::Result<T> {
    parse(text(row, column)?).map_err(broken(column))
}

fn maybe_parsed<T>(
    row: &Row<'_>,
    column: usize,
    parse: fn(&str) -> Result<T, FromSqlError>,
) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(broken(column))?;
    text.map(parse).transpose().map_err(broken(column))
}

/// A cell that does not have what its column should have.
fn broken(column: usize) -> impl Fn(FromSqlError) -> rusqlite::Error {
    move |error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
