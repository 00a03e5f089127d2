//! Removing what ended long ago, a little at a time: the thread that removes is the one that stores.

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::model::Time;

/// Rows that go in one transaction, about: some milliseconds of work.
const ROWS: usize = 2_000;
/// Pages that are given back to the file system afterwards: 4 MiB.
const PAGES: u32 = 1_000;

/// Removes some of what ended before `before`, and says how many rows went.
pub(super) fn trim(connection: &mut Connection, before: Time) -> rusqlite::Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut trimming = Trimming { transaction: &transaction, before: before.as_micros(), left: ROWS };
    trimming.firings()?;
    trimming.notifications()?;
    trimming.transitions()?;
    trimming.audit()?;
    let n_gone = ROWS - trimming.left;
    transaction.commit()?;
    give_back(connection)?;
    Ok(n_gone)
}

/// Gives some of the free pages back to the file system.
pub(super) fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = statement.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

struct Trimming<'t> {
    transaction: &'t Transaction<'t>,
    before: i64,
    /// How many rows may still go.
    left: usize,
}

impl Trimming<'_> {
    /// Rows that are found by a query which takes `before` and a limit.
    fn doomed(&self, sql: &str) -> rusqlite::Result<Vec<(i64, i64)>> {
        let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let limit = i64::try_from(self.left).unwrap_or(i64::MAX);
        self.transaction.prepare_cached(sql)?.query_map(params![self.before, limit], pair)?.collect()
    }

    /// Removes the rows of a table that belong to `owner`, as many as may still go; says whether all are gone.
    fn remove(&mut self, table: &str, key: &str, column: &str, owner: i64) -> rusqlite::Result<bool> {
        let rows = format!("SELECT {key} FROM {table} WHERE {column} = ?1 LIMIT ?2");
        let sql = format!("DELETE FROM {table} WHERE ({key}) IN ({rows})");
        let limit = i64::try_from(self.left).unwrap_or(i64::MAX);
        let n_gone = self.transaction.prepare_cached(&sql)?.execute([owner, limit])?;
        self.left -= n_gone;
        Ok(self.left > 0)
    }

    fn audit(&mut self) -> rusqlite::Result<()> {
        let limit = i64::try_from(self.left).unwrap_or(i64::MAX);
        let sql = "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE time < ?1 ORDER BY time LIMIT ?2)";
        self.left -= self.transaction.prepare_cached(sql)?.execute([self.before, limit])?;
        Ok(())
    }

    fn firings(&mut self) -> rusqlite::Result<()> {
        let doomed = self.doomed(
            "SELECT f.seq, f.alert FROM firing AS f WHERE f.ended < ?1 AND NOT EXISTS (
                 SELECT 1 FROM notification_alert AS a JOIN notification AS n ON n.seq = a.notification
                 WHERE a.firing = f.seq AND n.state = 'waiting'
             ) ORDER BY f.ended LIMIT ?2",
        )?;
        let mut alerts = BTreeSet::new();
        for (seq, alert) in doomed {
            alerts.insert(alert);
            let all = self.remove("event", "seq", "firing", seq)?
                && self.remove("suppressed", "seq", "firing", seq)?
                && self.remove("notification_alert", "firing, notification", "firing", seq)?
                && self.remove("firing", "seq", "seq", seq)?;
            if !all {
                break;
            }
        }
        self.alerts(&alerts)
    }

    /// Notifications that tell of no firing that is still known.
    fn notifications(&mut self) -> rusqlite::Result<()> {
        let doomed = self.doomed(
            "SELECT n.seq, 0 FROM notification AS n WHERE n.time < ?1 AND n.state <> 'waiting' AND NOT EXISTS (
                 SELECT 1 FROM notification_alert AS a WHERE a.notification = n.seq
             ) ORDER BY n.time LIMIT ?2",
        )?;
        for (seq, _) in doomed {
            let all = self.remove("attempt", "notification, number", "notification", seq)?
                && self.remove("intervention", "notification, time, kind", "notification", seq)?
                && self.remove("notification", "seq", "seq", seq)?;
            if !all {
                break;
            }
        }
        Ok(())
    }

    /// Changes of alerts that do not fire.
    fn transitions(&mut self) -> rusqlite::Result<()> {
        let doomed = self.doomed(
            "SELECT t.seq, t.alert FROM transition AS t WHERE t.time < ?1 AND NOT EXISTS (
                 SELECT 1 FROM firing AS f WHERE f.alert = t.alert AND f.ended IS NULL
             ) ORDER BY t.time LIMIT ?2",
        )?;
        for (seq, _) in &doomed {
            self.remove("transition", "seq", "seq", *seq)?;
        }
        self.alerts(&doomed.into_iter().map(|(_, alert)| alert).collect())
    }

    /// Removes alerts of which nothing is left.
    fn alerts(&self, alerts: &BTreeSet<i64>) -> rusqlite::Result<()> {
        let mut unused = self.transaction.prepare_cached(
            "DELETE FROM alert WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM firing WHERE alert = ?1)
             AND NOT EXISTS (SELECT 1 FROM transition WHERE alert = ?1)",
        )?;
        for alert in alerts {
            unused.execute([alert])?;
        }
        Ok(())
    }
}
