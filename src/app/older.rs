//! What rules look back on that is older than what memory keeps of everything: it is read when they are put in force.

use std::time::Instant;

use super::error_chain;
use super::resume::{missing, unpack};
use crate::history::{BEFORE, Older, Reach};
use crate::model::Time;
use crate::store::{self, Piece, PieceFilter, Reader};

/// Pieces that are sealed while they are read are others then: they are looked for anew so often.
const TRIES: usize = 3;

/// What is stored of the fields that are looked back on beyond what is kept, from so far back, as far as `room` bytes have
/// place for it. `None` where nothing is stored.
///
/// # Errors
/// Where the store cannot be read, in words.
pub(super) fn read(reader: &dyn Reader, reach: Reach, now: Time, room: usize) -> Result<Option<Older>, String> {
    let began = Instant::now();
    let mut tries = 0;
    loop {
        tries += 1;
        match stored(reader, reach.clone(), (now, room), tries == TRIES) {
            Ok(Some((older, pieces))) => {
                tracing::info!(pieces, took = ?began.elapsed(), "read what rules look back on");
                return Ok(Some(older));
            }
            Ok(None) => return Ok(None),
            Err(Failed::Gone) => {}
            Err(Failed::Store(error)) => return Err(error_chain(&error)),
        }
    }
}

enum Failed {
    /// A piece went while it was read.
    Gone,
    Store(store::Error),
}

impl From<store::Error> for Failed {
    fn from(error: store::Error) -> Failed {
        Failed::Store(error)
    }
}

fn stored(
    reader: &dyn Reader,
    reach: Reach,
    (now, room): (Time, usize),
    is_last: bool,
) -> Result<Option<(Older, usize)>, Failed> {
    let from = now - reach.longest() - BEFORE;
    let pieces = reader.pieces(&PieceFilter { from: Some(from), ..PieceFilter::default() })?;
    let Some(first) = pieces.first() else { return Ok(None) };
    let is_whole = !reader.pieces(&PieceFilter { until: Some(from), ..PieceFilter::default() })?.is_empty();
    let mut older = Older::new(reach, if is_whole { from } else { first.extent.arrived.0 });
    for piece in &pieces {
        if !is_last && reader.piece(piece.id)?.is_none() {
            return Err(Failed::Gone);
        }
        let block = unpack(reader, piece, |kind, _| older.wants(kind)).unwrap_or_else(|error| broken(piece, &error));
        older.take(block);
        if older.bytes() > room {
            older.halve(piece.extent.arrived.1);
            tracing::warn!(
                "what rules look back on takes more than half of `history.memory_limit`: a part is left out"
            );
        }
    }
    Ok(Some((older, pieces.len())))
}

fn broken(piece: &Piece, error: &str) -> crate::history::Block {
    tracing::error!(error, "a piece of what came up to {} cannot be read", piece.extent.arrived.1);
    missing(piece)
}
