//! Alerts that fired.

use serde::Serialize;

use super::csv;
use super::{Error, Format, Frame};
use crate::model::{Labels, Time};
use crate::store::{Firing, FiringFilter, Reader};

/// Firings that are read in one go.
const STEP: usize = 500;

/// Which alerts. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertFilter {
    /// Of this rule.
    pub rule: Option<String>,
    /// Of subjects of this kind.
    pub kind: Option<String>,
    /// Of subjects with this name.
    pub name: Option<String>,
    /// Raised at or after this time, or still firing then.
    pub since: Option<Time>,
    /// Raised before this time.
    pub until: Option<Time>,
}

/// One alert.
#[derive(Serialize)]
struct Row {
    id: String,
    rule: String,
    kind: String,
    name: String,
    labels: Labels,
    level: String,
    since: Time,
    ended: Option<Time>,
    /// Why it was closed, where it was.
    reason: Option<String>,
    message: String,
    /// The channels that were told.
    told: Vec<String>,
}

const HEADING: [&str; 11] =
    ["id", "rule", "kind", "name", "labels", "level", "since", "ended", "reason", "message", "told"];

/// The alerts that are asked for, the newest raise first, as bytes of a document; each part is given to `write`. Gives how
/// many there were.
///
/// # Errors
/// Where the store cannot be read, and what `write` returns.
pub fn alerts<E: From<Error>>(
    store: &dyn Reader,
    filter: &AlertFilter,
    format: Format,
    mut write: impl FnMut(Vec<u8>) -> Result<(), E>,
) -> Result<u64, E> {
    let mut frame = Frame::new(format, &HEADING);
    let mut asked = FiringFilter {
        firing: None,
        rule: filter.rule.clone(),
        kind: filter.kind.clone(),
        name: filter.name.clone(),
        level: None,
        since: filter.since,
        limit: STEP,
        offset: 0,
    };
    let mut n_written = 0;
    loop {
        let step = store.firings(&asked).map_err(Error::from)?;
        let is_last = step.len() < STEP;
        asked.offset += step.len();
        let mut out = Vec::new();
        for firing in step.into_iter().filter(|firing| filter.until.is_none_or(|until| firing.since < until)) {
            let row = row(store, firing)?;
            frame.before(&mut out);
            put(&row, format, &mut out)?;
            n_written += 1;
        }
        write(out)?;
        if is_last {
            write(frame.end().unwrap_or_default())?;
            return Ok(n_written);
        }
    }
}

fn row(store: &dyn Reader, firing: Firing) -> Result<Row, Error> {
    let told = store.told(&firing.id)?.iter().map(ToString::to_string).collect();
    Ok(Row {
        id: firing.id.to_string(),
        rule: firing.rule.to_string(),
        kind: firing.subject.kind.to_string(),
        name: firing.subject.name.to_string(),
        labels: firing.labels,
        level: firing.level.to_string(),
        since: firing.since,
        ended: firing.ended,
        reason: firing.reason.map(|reason| reason.to_string()),
        message: firing.message,
        told,
    })
}

fn put(row: &Row, format: Format, out: &mut Vec<u8>) -> Result<(), Error> {
    let damaged = |error: serde_json::Error| Error::Damaged(error.to_string());
    match format {
        Format::Json => serde_json::to_writer(out, row).map_err(damaged),
        Format::Jsonl => {
            serde_json::to_writer(&mut *out, row).map_err(damaged)?;
            out.push(b'\n');
            Ok(())
        }
        Format::Csv => {
            let labels = serde_json::to_string(&row.labels).map_err(damaged)?;
            let (since, ended) = (row.since.to_string(), row.ended.map(|ended| ended.to_string()).unwrap_or_default());
            let reason = row.reason.clone().unwrap_or_default();
            let told = row.told.join(" ");
            let cells = [
                &row.id,
                &row.rule,
                &row.kind,
                &row.name,
                &labels,
                &row.level,
                &since,
                &ended,
                &reason,
                &row.message,
                &told,
            ];
            out.extend_from_slice(csv::line(cells).as_bytes());
            Ok(())
        }
    }
}
