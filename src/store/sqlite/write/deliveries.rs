//! What becomes of notifications: attempts, summaries, what operators do.

use rusqlite::{OptionalExtension, Row, params};

use super::Writing;
use crate::model::{Notification, NotificationId, Occasion, Time};
use crate::store::{Attempt, AttemptResult, DeliveryState};

/// Attempts of one notification that are kept; all are counted.
const NEWEST_ATTEMPTS: u32 = 20;

impl Writing<'_> {
    pub(super) fn summary(&self, summary: &Notification) -> rusqlite::Result<()> {
        if !self.notification(summary)? {
            return Ok(());
        }
        if let Occasion::Summary(content) = &summary.occasion {
            for id in &content.stands_for {
                self.run(
                    "UPDATE notification SET state = 'absorbed', state_time = NULL, state_detail = ?2
                     WHERE id = ?1 AND state = 'waiting'",
                    [id.as_str(), summary.id.as_str()],
                )?;
            }
        }
        Ok(())
    }

    pub(super) fn attempt(&self, attempt: &Attempt) -> rusqlite::Result<()> {
        let Attempt { notification, number, time, took, result } = attempt;
        let find = "SELECT seq, channel, attempts FROM notification WHERE id = ?1";
        let known = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let known: Option<(i64, String, u32)> =
            self.transaction.prepare_cached(find)?.query_row([notification.as_str()], known).optional()?;
        let Some((seq, channel, _)) = known.filter(|(_, _, attempts)| number > attempts) else { return Ok(()) };

        let (name, detail, next, state) = match result {
            AttemptResult::Delivered { partly } => {
                ("delivered", partly.as_ref(), None, DeliveryState::Delivered { time: *time })
            }
            AttemptResult::Failed { error, next } => {
                ("failed", Some(error), Some(next.as_micros()), DeliveryState::Waiting { next: Some(*next) })
            }
            AttemptResult::Dead { error } => {
                ("dead", Some(error), None, DeliveryState::Dead { time: *time, error: error.clone() })
            }
        };
        let (micros, took) = (time.as_micros(), i64::try_from(took.as_nanos()).unwrap_or(i64::MAX));
        self.run(
            "INSERT INTO attempt (notification, number, channel, time, took, result, detail, next)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![seq, number, channel, micros, took, name, detail, next],
        )?;
        if *number > NEWEST_ATTEMPTS {
            self.run(
                "DELETE FROM attempt WHERE notification = ?1 AND number NOT IN
                 (SELECT number FROM attempt WHERE notification = ?1 ORDER BY number DESC LIMIT ?2)",
                params![seq, NEWEST_ATTEMPTS],
            )?;
        }
        self.run(
            "UPDATE notification SET attempts = ?2, first_attempt = coalesce(first_attempt, ?3) WHERE seq = ?1",
            params![seq, number, micros],
        )?;
        self.set_state(seq, &state)
    }

    fn set_state(&self, seq: i64, state: &DeliveryState) -> rusqlite::Result<()> {
        let (time, detail) = match state {
            DeliveryState::Waiting { next } => (*next, None),
            DeliveryState::Delivered { time } => (Some(*time), None),
            DeliveryState::Absorbed { by } => (None, Some(by.as_str())),
            DeliveryState::Dead { time, error } => (Some(*time), Some(error.as_str())),
        };
        let sql = "UPDATE notification SET state = ?2, state_time = ?3, state_detail = ?4 WHERE seq = ?1";
        self.run(sql, params![seq, state.name().as_str(), time.map(Time::as_micros), detail]).map(drop)
    }

    pub(super) fn revive(&self, id: &NotificationId, time: Time) -> rusqlite::Result<()> {
        let Some((seq, state)) = self.intervene(id, time, "revived")? else { return Ok(()) };
        if state == "dead" {
            self.set_state(seq, &DeliveryState::Waiting { next: None })?;
            self.run("UPDATE notification SET first_attempt = NULL WHERE seq = ?1", [seq])?;
        }
        Ok(())
    }

    pub(super) fn give_up(&self, id: &NotificationId, time: Time, reason: &str) -> rusqlite::Result<()> {
        let Some((seq, state)) = self.intervene(id, time, "dropped")? else { return Ok(()) };
        if state == "waiting" {
            self.set_state(seq, &DeliveryState::Dead { time, error: reason.into() })?;
        }
        Ok(())
    }

    /// Notes what an operator did; gives the notification with its state, `None` where there is none, or it is noted
    /// already.
    fn intervene(&self, id: &NotificationId, time: Time, kind: &str) -> rusqlite::Result<Option<(i64, String)>> {
        let find = "SELECT seq, state FROM notification WHERE id = ?1";
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found: Option<(i64, String)> =
            self.transaction.prepare_cached(find)?.query_row([id.as_str()], row).optional()?;
        let Some((seq, state)) = found else { return Ok(None) };
        let sql = "INSERT INTO intervention (notification, time, kind) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let n_new = self.run(sql, params![seq, time.as_micros(), kind])?;
        Ok((n_new > 0).then_some((seq, state)))
    }
}
