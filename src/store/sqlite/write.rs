//! Records become rows, inside one transaction.
//!
//! Each kind of record does what [`Memory`](crate::store::Memory) does with it, and nothing where it is known already.

mod deliveries;

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction, params};

use super::pieces;
use crate::engine::{Effects, Event, SavedState, Suppressed, Transition};
use crate::history::Block;
use crate::model::{EventKind, FiringId, Level, Notification, RuleName, SubjectKey, Time};
use crate::store::{Audit, LastStep, Record, Text};

/// One batch on its way into the database.
pub(super) struct Writing<'t> {
    transaction: &'t Transaction<'t>,
    before: Option<LastStep>,
    newest: Option<LastStep>,
    /// The pieces of the engine's state: of each the newest of the batch is written, in the order of the keys.
    pieces: BTreeMap<Arc<str>, Option<Arc<[u8]>>>,
    /// What the steps took.
    came: Block,
}

impl<'t> Writing<'t> {
    pub(super) fn start(transaction: &'t Transaction<'t>) -> rusqlite::Result<Writing<'t>> {
        let newest = super::rows::last_step(transaction)?;
        Ok(Writing { transaction, before: newest, newest, pieces: BTreeMap::new(), came: Block::default() })
    }

    /// Writes what concerns the batch as a whole.
    pub(super) fn finish(self) -> rusqlite::Result<()> {
        for (key, value) in &self.pieces {
            match value {
                Some(value) => self.run(
                    "INSERT INTO state (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
                    params![key, value],
                )?,
                None => self.run("DELETE FROM state WHERE key = ?1", [key])?,
            };
        }
        if let Some(extent) = self.came.extent() {
            pieces::insert(self.transaction, &extent, &self.came.pack(), false)?;
        }
        if let Some(LastStep { sequence, time }) = self.newest.filter(|newest| self.before != Some(*newest)) {
            let sql = "UPDATE installation SET sequence = ?1, time = ?2";
            self.run(sql, params![sequence as i64, time.as_micros()])?;
        }
        Ok(())
    }

    pub(super) fn record(&mut self, record: &Record) -> rusqlite::Result<()> {
        match record {
            Record::Step(effects) => self.step(effects),
            Record::Attempt(attempt) => self.attempt(attempt),
            Record::Summary(summary) => self.summary(summary),
            Record::Revived { notification, time } => self.revive(notification, *time),
            Record::Dropped { notification, time, reason } => self.give_up(notification, *time, reason),
            Record::Audit(audit) => self.audit(audit),
            Record::Sealed(part) => pieces::seal(self.transaction, part),
            Record::Text(text) => self.text(text),
            Record::TextGone { file } => self.run("DELETE FROM text WHERE file = ?1", [file]).map(drop),
        }
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.transaction.prepare_cached(sql)?.execute(params)
    }

    fn step(&mut self, effects: &Effects) -> rusqlite::Result<()> {
        if self.newest.is_some_and(|known| known.sequence >= effects.sequence) {
            return Ok(());
        }
        self.newest = Some(LastStep { sequence: effects.sequence, time: effects.now.time });
        let pieces = effects.saved.iter();
        self.pieces.extend(pieces.map(|SavedState { key, value }| (key.clone(), value.clone())));
        effects.add_to(&mut self.came);
        for transition in &effects.transitions {
            self.transition(transition)?;
        }
        for event in &effects.events {
            self.event(event)?;
        }
        for suppressed in &effects.suppressed {
            self.suppressed(suppressed, effects.now.wall())?;
        }
        for notification in &effects.notifications {
            self.notification(notification)?;
        }
        Ok(())
    }

    /// The row of an alert; it is made where there is none.
    fn alert(&self, rule: &RuleName, subject: &SubjectKey) -> rusqlite::Result<i64> {
        let find = "SELECT seq FROM alert WHERE kind = ?1 AND name = ?2 AND rule = ?3";
        let key = params![subject.kind, subject.name, rule.as_str()];
        match self.transaction.prepare_cached(find)?.query_row(key, |row| row.get(0)).optional()? {
            Some(seq) => Ok(seq),
            None => {
                self.run("INSERT INTO alert (kind, name, rule) VALUES (?1, ?2, ?3)", key)?;
                Ok(self.transaction.last_insert_rowid())
            }
        }
    }

    fn transition(&self, transition: &Transition) -> rusqlite::Result<()> {
        let Transition { time, rule, subject, from, to } = transition;
        let alert = self.alert(rule, subject)?;
        let sql = "INSERT INTO transition (alert, time, from_state, to_state) VALUES (?1, ?2, ?3, ?4)";
        self.run(sql, params![alert, time.as_micros(), from, to]).map(drop)
    }

    /// The row of a firing, and whether an event of it is known.
    fn firing(&self, id: &FiringId) -> rusqlite::Result<Option<(i64, bool)>> {
        let find = "SELECT seq, since IS NOT NULL FROM firing WHERE id = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.transaction.prepare_cached(find)?.query_row([id.as_str()], row).optional()
    }

    fn insert_firing(&self, firing: &NewFiring<'_>) -> rusqlite::Result<i64> {
        let NewFiring { id, rule, subject, since, ended, level, labels, message } = firing;
        let alert = self.alert(rule, subject)?;
        self.run(
            "INSERT INTO firing (id, alert, since, ended, level, labels, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                id.as_str(),
                alert,
                since.map(Time::as_micros),
                ended.map(Time::as_micros),
                level.as_str(),
                labels,
                message
            ],
        )?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// The row of a firing that is spoken of at `time`; it is made where there is none.
    fn mentioned(&self, id: &FiringId, rule: &RuleName, subject: &SubjectKey, time: Time) -> rusqlite::Result<i64> {
        match self.firing(id)? {
            Some((seq, _)) => Ok(seq),
            None => self.insert_firing(&NewFiring {
                id,
                rule,
                subject,
                since: None,
                ended: Some(time),
                level: Level::Info,
                labels: "{}",
                message: "",
            }),
        }
    }

    fn audit(&self, audit: &Audit) -> rusqlite::Result<()> {
        let Audit { time, who, address, what, status } = audit;
        let sql = "INSERT OR IGNORE INTO audit (time, who, address, what, status) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.run(sql, params![time.as_micros(), who, address, what, status]).map(drop)
    }

    fn event(&self, event: &Event) -> rusqlite::Result<()> {
        let Event { time, kind, reason, firing, rule, subject, level, labels, message } = event;
        let (labels, micros) = (json(labels)?, time.as_micros());
        let seq = match self.firing(firing)? {
            Some((seq, known)) => {
                if !known {
                    self.run("UPDATE firing SET since = ?2, ended = NULL WHERE seq = ?1", params![seq, micros])?;
                }
                // The message of an acknowledgement is its own.
                let message = (*kind != EventKind::Acknowledged).then_some(message);
                self.run(
                    "UPDATE firing SET level = ?2, labels = ?3, message = coalesce(?4, message) WHERE seq = ?1",
                    params![seq, level.as_str(), labels, message],
                )?;
                seq
            }
            None => self.insert_firing(&NewFiring {
                id: firing,
                rule,
                subject,
                since: Some(*time),
                ended: None,
                level: *level,
                labels: &labels,
                message,
            })?,
        };
        let reason = reason.map(|reason| reason.as_str());
        match kind {
            EventKind::Recovered | EventKind::Closed => {
                self.run("UPDATE firing SET ended = ?2, reason = ?3 WHERE seq = ?1", params![seq, micros, reason])?;
            }
            // A flapping alert is raised again under the same id.
            EventKind::Raised => {
                self.run(
                    "UPDATE firing SET ended = NULL, reason = NULL WHERE seq = ?1 AND ended IS NOT NULL",
                    params![seq],
                )?;
            }
            EventKind::Escalated
            | EventKind::Eased
            | EventKind::Reminded
            | EventKind::Unacknowledged
            | EventKind::Acknowledged
            | EventKind::Stale
            | EventKind::Flapping => {}
        }
        self.run(
            "INSERT INTO event (firing, time, kind, reason, level, labels, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![seq, micros, kind.as_str(), reason, level.as_str(), labels, message],
        )
        .map(drop)
    }

    fn suppressed(&self, suppressed: &Suppressed, time: Time) -> rusqlite::Result<()> {
        let Suppressed { channel, firing, rule, subject, reason, events } = suppressed;
        let firing = self.mentioned(firing, rule, subject, time)?;
        let sql = "INSERT INTO suppressed (firing, channel, reason, events) VALUES (?1, ?2, ?3, ?4)";
        self.run(sql, params![firing, channel.as_str(), reason, *events as i64]).map(drop)
    }

    /// Stores a notification; false where it is known.
    fn notification(&self, notification: &Notification) -> rusqlite::Result<bool> {
        let Notification { id, channel, time, alerts, occasion: _ } = notification;
        let n_new = self.run(
            "INSERT INTO notification (id, channel, time, state, attempts, body) VALUES (?1, ?2, ?3, 'waiting', 0, ?4)
             ON CONFLICT (id) DO NOTHING",
            params![id.as_str(), channel.as_str(), time.as_micros(), json(notification)?],
        )?;
        if n_new == 0 {
            return Ok(false);
        }
        let seq = self.transaction.last_insert_rowid();
        for note in alerts {
            let firing = self.mentioned(&note.id, &note.rule, &note.subject, *time)?;
            let sql = "INSERT INTO notification_alert (firing, notification) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            self.run(sql, [firing, seq])?;
        }
        Ok(true)
    }

    fn text(&self, text: &Text) -> rusqlite::Result<()> {
        let Text { file, text, imports } = text;
        let sql = "INSERT INTO text (file, text, imports) VALUES (?1, ?2, ?3)
                   ON CONFLICT (file) DO UPDATE SET text = ?2, imports = ?3";
        self.run(sql, params![file, text, json(imports)?]).map(drop)
    }
}

/// A row of `firing`.
struct NewFiring<'a> {
    id: &'a FiringId,
    rule: &'a RuleName,
    subject: &'a SubjectKey,
    since: Option<Time>,
    ended: Option<Time>,
    level: Level,
    labels: &'a str,
    message: &'a str,
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
