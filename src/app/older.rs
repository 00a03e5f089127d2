//! What rules look back on that is older than what memory keeps of everything: it is read when they are put in force.

use std::time::Instant;

use super::error_chain;
use super::resume::{missing, unpack};
use crate::history::{BEFORE, Older, Reach};
use crate::model::Time;
use crate::store::{self, PieceFilter, Reader};

/// What is stored of the fields that are looked back on beyond what is kept, from so far back. `None` where nothing is
/// stored, or it cannot be read: then windows reach back as far as what is kept.
pub(super) fn read(reader: &dyn Reader, reach: Reach, now: Time) -> Option<Older> {
    let began = Instant::now();
    match stored(reader, reach, now) {
        Ok(older) => {
            if let Some((_, pieces)) = &older {
                tracing::info!(pieces, took = ?began.elapsed(), "read what rules look back on");
            }
            older.map(|(older, _)| older)
        }
        Err(error) => {
            tracing::error!(
                error = error_chain(&error),
                "cannot read what rules look back on: they begin with what is kept"
            );
            None
        }
    }
}

fn stored(reader: &dyn Reader, reach: Reach, now: Time) -> Result<Option<(Older, usize)>, store::Error> {
    let from = now - reach.longest() - BEFORE;
    let pieces = reader.pieces(&PieceFilter { from: Some(from), ..PieceFilter::default() })?;
    let Some(first) = pieces.first() else { return Ok(None) };
    let is_whole = !reader.pieces(&PieceFilter { until: Some(from), ..PieceFilter::default() })?.is_empty();
    let mut older = Older::new(reach, if is_whole { from } else { first.extent.arrived.0 });
    for piece in &pieces {
        let block = unpack(reader, piece, |kind, _| older.wants(kind)).unwrap_or_else(|error| {
            tracing::error!(error, "a piece of what came up to {} cannot be read", piece.extent.arrived.1);
            missing(piece)
        });
        older.take(block);
    }
    Ok(Some((older, pieces.len())))
}
