//! The reading side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::{pieces, rows, wal_path, words};
use crate::engine::{Event, SavedState, Suppressed, Transition};
use crate::model::{ChannelName, FiringId, NotificationId, RuleName, SubjectKey, Time};
use crate::store::{
    Audit, AuditFilter, Delivery, DeliveryFilter, Error, Firing, FiringFilter, LastStep, Piece, PieceFilter, Reader,
    Text,
};

/// Connections that only read: a long answer does not hold up the others.
const READERS: usize = 2;

/// The reading side of a database, shared by everyone who asks.
#[derive(Debug)]
pub(super) struct Readers {
    file: PathBuf,
    seed: u64,
    connections: [Mutex<Connection>; READERS],
}

impl Readers {
    pub(super) fn open(
        file: &Path,
        connect: impl Fn(&Path) -> rusqlite::Result<Connection>,
    ) -> rusqlite::Result<Readers> {
        let connections = [connect(file)?, connect(file)?];
        let seed: i64 = connections[0].query_row("SELECT seed FROM installation", [], |row| row.get(0))?;
        Ok(Readers { file: file.into(), seed: seed as u64, connections: connections.map(Mutex::new) })
    }

    /// Reads by other connections from now on.
    pub(super) fn reconnect(&self, connect: impl Fn(&Path) -> rusqlite::Result<Connection>) -> rusqlite::Result<()> {
        for connection in &self.connections {
            *connection.lock().unwrap_or_else(PoisonError::into_inner) = connect(&self.file)?;
        }
        Ok(())
    }

    /// A connection that nobody uses; the first, once it is free, where all are used. A panic of its last user leaves
    /// nothing behind: a transaction that is dropped is rolled back.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        for connection in &self.connections {
            match connection.try_lock() {
                Ok(connection) => return connection,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.connections[0].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a question by one state of the database.
    fn ask<T>(&self, what: &str, answer: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let connection = self.connection();
        let answered = connection.unchecked_transaction().and_then(|transaction| answer(&transaction));
        answered.map_err(|error| Error::Read { what: what.into(), source: Box::new(error) })
    }

    fn deliveries_where(&self, what: &str, rest: &str, params: impl rusqlite::Params) -> Result<Vec<Delivery>, Error> {
        self.ask(what, |connection| {
            let mut statement = connection.prepare_cached(&format!("{} {rest}", rows::DELIVERY))?;
            let found: Vec<_> = statement.query_map(params, rows::delivery)?.collect::<rusqlite::Result<_>>()?;
            let with_attempts = found.into_iter().map(|(seq, mut delivery)| {
                if delivery.attempts > 0 {
                    delivery.newest_attempts = rows::attempts(connection, seq, &delivery.notification.id)?;
                }
                Ok(delivery)
            });
            with_attempts.collect()
        })
    }
}

/// All rows of a query.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(params, row)?.collect()
}

/// A number of rows as SQL takes it.
fn rows_of(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Conditions on columns, each with its value.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition, which ends where the value stands; the rest of it, if any, is `after`.
    pub(super) fn add(&mut self, condition: &str, value: impl Into<Value>, after: &str) {
        self.values.push(value.into());
        let number = self.values.len();
        self.sql.push_str(&format!(" AND {condition} ?{number}{after}"));
    }

    /// Adds how much of the answer is asked for.
    fn page(&mut self, limit: usize, offset: usize) {
        self.values.extend([rows_of(limit).into(), rows_of(offset).into()]);
        let number = self.values.len();
        self.sql.push_str(&format!(" LIMIT ?{} OFFSET ?{number}", number - 1));
    }
}

impl Reader for Readers {
    fn is_durable(&self) -> bool {
        true
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn last_step(&self) -> Result<Option<LastStep>, Error> {
        self.ask("the newest step", rows::last_step)
    }

    fn saved(&self) -> Result<Vec<SavedState>, Error> {
        let piece = |row: &Row<'_>| Ok(SavedState { key: row.get(0)?, value: Some(row.get(1)?) });
        self.ask("the state of the engine", |connection| {
            all(connection, "SELECT key, value FROM state ORDER BY key", [], piece)
        })
    }

    fn firings(&self, filter: &FiringFilter) -> Result<Vec<Firing>, Error> {
        let FiringFilter { firing, rule, kind, name, level, since, limit, offset } = filter;
        let mut asked = Conditions { sql: rows::FIRING.into(), values: Vec::new() };
        match firing {
            Some(true) => asked.sql.push_str(" AND f.ended IS NULL"),
            Some(false) => asked.sql.push_str(" AND f.ended IS NOT NULL"),
            None => {}
        }
        for (condition, value) in [("a.rule =", rule), ("a.kind =", kind), ("a.name =", name)] {
            if let Some(value) = value {
                asked.add(condition, value.clone(), "");
            }
        }
        if let Some(level) = level {
            asked.add("f.level =", level.as_str().to_string(), "");
        }
        if let Some(since) = since {
            asked.add("(f.ended IS NULL OR f.ended >=", since.as_micros(), ")");
        }
        asked.sql.push_str(" ORDER BY f.since DESC, f.id");
        asked.page(*limit, *offset);
        self.ask("firings", |connection| all(connection, &asked.sql, params_from_iter(asked.values), rows::firing))
    }

    fn firing(&self, id: &FiringId) -> Result<Option<Firing>, Error> {
        self.ask("a firing", |connection| {
            let mut statement = connection.prepare_cached(&format!("{} AND f.id = ?1", rows::FIRING))?;
            statement.query_row([id.as_str()], rows::firing).optional()
        })
    }

    fn events_of(&self, id: &FiringId) -> Result<Vec<Event>, Error> {
        let sql = format!("{} WHERE f.id = ?1 ORDER BY e.seq", rows::EVENT);
        self.ask("the events of a firing", |connection| all(connection, &sql, [id.as_str()], rows::event))
    }

    fn recent_events(&self, limit: usize) -> Result<Vec<Event>, Error> {
        let sql = format!("{} ORDER BY e.seq DESC LIMIT ?1", rows::EVENT);
        self.ask("the newest events", |connection| all(connection, &sql, [rows_of(limit)], rows::event))
    }

    fn deliveries_of(&self, id: &FiringId) -> Result<Vec<Delivery>, Error> {
        let rest =
            "WHERE n.seq IN (SELECT a.notification FROM firing AS f JOIN notification_alert AS a ON a.firing = f.seq
                    WHERE f.id = ?1) ORDER BY n.seq";
        self.deliveries_where("the notifications of a firing", rest, [id.as_str()])
    }

    fn told(&self, id: &FiringId) -> Result<BTreeSet<ChannelName>, Error> {
        let sql = "SELECT n.channel
                   FROM firing AS f JOIN notification_alert AS a ON a.firing = f.seq
                        JOIN notification AS n ON n.seq = a.notification
                        LEFT JOIN notification AS summary ON n.state = 'absorbed' AND summary.id = n.state_detail
                   WHERE f.id = ?1 AND (n.state = 'delivered' OR summary.state = 'delivered')";
        let channel = |row: &Row<'_>| Ok(ChannelName::from(rows::text(row, 0)?));
        let told = self.ask("who was told of a firing", |connection| all(connection, sql, [id.as_str()], channel))?;
        Ok(told.into_iter().collect())
    }

    fn suppressed_of(&self, id: &FiringId) -> Result<Vec<Suppressed>, Error> {
        let suppressed = |row: &Row<'_>| {
            Ok(Suppressed {
                channel: rows::text(row, 0)?.into(),
                firing: id.clone(),
                rule: rows::text(row, 1)?.into(),
                subject: rows::subject(row, 2)?,
                reason: words::constant(rows::text(row, 4)?),
                events: row.get::<_, i64>(5)?.max(0) as u64,
            })
        };
        let sql = "SELECT s.channel, a.rule, a.kind, a.name, s.reason, s.events
                   FROM firing AS f JOIN alert AS a ON a.seq = f.alert JOIN suppressed AS s ON s.firing = f.seq
                   WHERE f.id = ?1 ORDER BY s.seq";
        self.ask("what was suppressed of a firing", |connection| all(connection, sql, [id.as_str()], suppressed))
    }

    fn delivery(&self, id: &NotificationId) -> Result<Option<Delivery>, Error> {
        let found = self.deliveries_where("a notification", "WHERE n.id = ?1", [id.as_str()])?;
        Ok(found.into_iter().next())
    }

    fn waiting(&self) -> Result<Vec<Delivery>, Error> {
        let rest = "WHERE n.state = 'waiting' ORDER BY n.seq";
        self.deliveries_where("the notifications that wait", rest, [])
    }

    fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, Error> {
        let DeliveryFilter { state, channel, limit, offset } = filter;
        let mut asked = Conditions { sql: "WHERE TRUE".into(), values: Vec::new() };
        if let Some(state) = state {
            asked.add("n.state =", state.as_str().to_string(), "");
        }
        if let Some(channel) = channel {
            asked.add("n.channel =", channel.to_string(), "");
        }
        asked.sql.push_str(" ORDER BY n.seq DESC");
        asked.page(*limit, *offset);
        self.deliveries_where("notifications", &asked.sql, params_from_iter(asked.values))
    }

    fn dead_letters(&self) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM notification WHERE state = 'dead'";
        let count = |connection: &Connection| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
        Ok(self.ask("how many were given up", count)?.max(0) as u64)
    }

    fn attempt_times(&self, channel: &ChannelName, since: Time) -> Result<Vec<Time>, Error> {
        let sql = "SELECT time FROM attempt WHERE channel = ?1 AND time >= ?2 ORDER BY time";
        let asked = params![channel.as_str(), since.as_micros()];
        self.ask("the attempts at a channel", |connection| all(connection, sql, asked, |row| rows::time(row, 0)))
    }

    fn transitions_of(&self, rule: &RuleName, subject: &SubjectKey, limit: usize) -> Result<Vec<Transition>, Error> {
        let transition = |row: &Row<'_>| {
            Ok(Transition {
                time: rows::time(row, 0)?,
                rule: rule.clone(),
                subject: subject.clone(),
                from: words::constant(rows::text(row, 1)?),
                to: words::constant(rows::text(row, 2)?),
            })
        };
        let sql = "SELECT t.time, t.from_state, t.to_state FROM transition AS t JOIN alert AS a ON a.seq = t.alert
                   WHERE a.kind = ?1 AND a.name = ?2 AND a.rule = ?3 ORDER BY t.seq DESC LIMIT ?4";
        let asked = params![subject.kind, subject.name, rule.as_str(), rows_of(limit)];
        self.ask("the states of an alert", |connection| {
            let mut newest_first = all(connection, sql, asked, transition)?;
            newest_first.reverse();
            Ok(newest_first)
        })
    }

    fn audit(&self, filter: &AuditFilter) -> Result<Vec<(i64, Audit)>, Error> {
        self.ask("the audit log", |connection| {
            let mut conditions = Conditions::default();
            if let Some(since) = filter.since {
                conditions.add("time >=", since.as_micros(), "");
            }
            if let Some(who) = &filter.who {
                conditions.add("who =", who.clone(), "");
            }
            if let Some(before) = filter.before {
                conditions.add("seq <", before, "");
            }
            let sql = "SELECT seq, time, who, address, what, status FROM audit WHERE true";
            let sql = format!("{sql}{} ORDER BY seq DESC LIMIT {}", conditions.sql, rows_of(filter.limit));
            all(connection, &sql, params_from_iter(conditions.values), |row| {
                let audit = Audit {
                    time: Time::from_micros(row.get(1)?),
                    who: row.get(2)?,
                    address: row.get(3)?,
                    what: row.get(4)?,
                    status: row.get(5)?,
                };
                Ok((row.get(0)?, audit))
            })
        })
    }

    fn texts(&self) -> Result<Vec<Text>, Error> {
        let text = |row: &Row<'_>| {
            let imports: BTreeMap<Arc<str>, Arc<str>> = rows::json(row, 2)?;
            Ok(Text { file: row.get(0)?, text: row.get(1)?, imports })
        };
        self.ask("the last good texts", |connection| {
            all(connection, "SELECT file, text, imports FROM text ORDER BY file", [], text)
        })
    }

    fn pieces(&self, filter: &PieceFilter) -> Result<Vec<Piece>, Error> {
        self.ask("what is kept of what came", |connection| pieces::pieces(connection, filter))
    }

    fn piece(&self, id: i64) -> Result<Option<Vec<u8>>, Error> {
        self.ask("what came", |connection| pieces::block(connection, id))
    }

    fn bytes(&self) -> Option<u64> {
        let size = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.len());
        Some(size(&self.file).ok()? + size(&wal_path(&self.file)).unwrap_or(0))
    }
}
