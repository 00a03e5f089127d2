//! What came, as a store keeps it.
//!
//! Each commit stores what its steps took, as one small block. Once there is enough of them, [`seal`] makes large ones of
//! them, in which each series is together and packs well. Both are pieces; a store shows each stretch of time by one of
//! them only.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Error, Reader, Record};
use crate::history::{Block, Came, Extent, in_order};
use crate::model::{Now, SubjectKey, Time};

/// For how long what came waits to be sealed, unless there is much of it.
const SEAL_AFTER: Duration = Duration::from_secs(3600);
/// Values that are sealed together at most: as many are in memory then.
const SEALED_SAMPLES: usize = 4_000_000;
/// Values of a sealed part, about: some are unpacked in vain where one series is asked for.
const PART_SAMPLES: usize = 250_000;
/// Pieces that wait to be sealed at most.
const UNSEALED: usize = 20_000;

/// Where a block is in a store, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its number in the store.
    pub id: i64,
    /// It was sealed; else it is what one commit took.
    pub sealed: bool,
    /// What it is about.
    pub extent: Extent,
    /// How many bytes it takes.
    pub bytes: u64,
}

/// Which pieces are asked for. Every condition that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceFilter {
    /// With something that came at or after this engine time.
    pub from: Option<Time>,
    /// With something that came at or before this engine time.
    pub until: Option<Time>,
    /// That may have this subject.
    pub subject: Option<SubjectKey>,
    /// Sealed ones, or those that are not.
    pub sealed: Option<bool>,
}

impl PieceFilter {
    /// Whether a piece is asked for.
    pub fn takes(&self, piece: &Piece) -> bool {
        let Extent { arrived: (first, last), subjects, .. } = &piece.extent;
        self.from.is_none_or(|from| *last >= from)
            && self.until.is_none_or(|until| *first <= until)
            && self.sealed.is_none_or(|sealed| sealed == piece.sealed)
            && self.subject.as_ref().is_none_or(|subject| {
                subjects.as_ref().is_some_and(|(first, last)| first <= subject && subject <= last)
            })
    }
}

/// What a store has of what came, in the order in which it came, a few pieces at a time.
pub struct Stored {
    store: Arc<dyn Reader>,
    wanted: Option<SubjectKey>,
    pieces: VecDeque<Piece>,
    ready: Box<dyn Iterator<Item = Came> + Send>,
    n_read: Arc<AtomicU64>,
    size: u64,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("pieces", &self.pieces.len()).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Stored {
    /// What the pieces have that are asked for; where a subject is asked for, nothing of others.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn read(store: Arc<dyn Reader>, filter: &PieceFilter) -> Result<Stored, Error> {
        let pieces: VecDeque<Piece> = store.pieces(filter)?.into();
        let size = pieces.iter().map(|piece| piece.bytes).sum();
        let (wanted, ready) = (filter.subject.clone(), Box::new(std::iter::empty()));
        Ok(Stored { store, wanted, pieces, ready, n_read: Arc::default(), size })
    }

    /// How many bytes it takes in the store.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Counts the bytes that were read so far.
    pub fn position(&self) -> Arc<AtomicU64> {
        self.n_read.clone()
    }

    /// When the first and the last of it came, by the wall clock. `None` where there is nothing.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn span(&self) -> Result<Option<(Time, Time)>, Error> {
        let offset = |piece: &Piece| -> Result<i64, Error> {
            let block = self.store.piece(piece.id)?.and_then(|block| Block::unpack(&block, |_, _| false).ok());
            Ok(block.and_then(|block| block.wall_offset()).unwrap_or(0))
        };
        let Some((first, last)) = self.pieces.front().zip(self.pieces.back()) else { return Ok(None) };
        let times = (first.extent.arrived.0.offset(offset(first)?), last.extent.arrived.1.offset(offset(last)?));
        Ok(Some(times))
    }

    /// Reads the pieces that were sealed together, or the next one.
    fn read_next(&mut self, first: Piece) -> Result<Vec<Block>, String> {
        let sequences = first.extent.sequences;
        let mut pieces = vec![first];
        while let Some(next) = self.pieces.pop_front_if(|next| next.extent.sequences == sequences) {
            pieces.push(next);
        }
        let mut blocks = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let wanted = |kind: &str, name: &str| {
                self.wanted.as_ref().is_none_or(|wanted| *wanted.kind == *kind && *wanted.name == *name)
            };
            self.n_read.fetch_add(piece.bytes, Ordering::Relaxed);
            // What went meanwhile was the oldest: nobody was to see it any more.
            let Some(block) = self.store.piece(piece.id).map_err(|error| format!("{:#}", anyhow::Error::new(error)))?
            else {
                continue;
            };
            let block = Block::unpack(&block, wanted);
            blocks.push(block.map_err(|damage| {
                let (first, last) = piece.extent.arrived;
                format!("what came from {first} to {last} cannot be read: {damage}")
            })?);
        }
        Ok(blocks)
    }
}

impl Iterator for Stored {
    type Item = Result<Came, String>;

    fn next(&mut self) -> Option<Result<Came, String>> {
        loop {
            match self.ready.next() {
                Some(came) if came.is_lost => {
                    let time = came.now.wall();
                    return Some(Err(format!("what came at {time} is missing: it could not be stored")));
                }
                Some(came) => return Some(Ok(came)),
                None => {}
            }
            let first = self.pieces.pop_front()?;
            match self.read_next(first) {
                Ok(blocks) => {
                    self.ready = Box::new(in_order(blocks).filter(|came| came.is_lost || !came.snapshots.is_empty()))
                }
                Err(reason) => return Some(Err(reason)),
            }
        }
    }
}

/// A part of what came in a while, sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// What it is about.
    pub extent: Extent,
    /// The packed block.
    pub block: Vec<u8>,
    /// It is the last part: what these commits took is in the parts from now on.
    pub completes: bool,
}

/// What it takes to seal some of what came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sealing {
    /// To be stored in this order, in as many transactions as there are.
    pub records: Vec<Record>,
    /// Pieces that are damaged: their samples are lost.
    pub damaged: Vec<Piece>,
}

/// What seals the oldest of what waits for it, where it has waited long enough at `now`, or there is enough of it. `None`
/// where there is nothing to seal.
///
/// # Errors
/// Where the store cannot be read.
pub fn seal(reader: &dyn Reader, now: Time) -> Result<Option<Sealing>, Error> {
    let mut waiting = reader.pieces(&PieceFilter { sealed: Some(false), ..PieceFilter::default() })?;
    let Some(first) = waiting.first().map(|piece| piece.extent.clone()) else { return Ok(None) };
    let n_samples: usize = waiting.iter().map(|piece| piece.extent.samples).sum();
    if now.since(first.arrived.0) < SEAL_AFTER && n_samples < SEALED_SAMPLES && waiting.len() < UNSEALED {
        return Ok(None);
    }
    let (mut n_together, mut n_samples) = (0, 0);
    for Piece { extent, .. } in &waiting {
        n_samples += extent.samples;
        if n_together > 0 && (n_samples > SEALED_SAMPLES || extent.arrived.1.since(first.arrived.0) > SEAL_AFTER) {
            break;
        }
        n_together += 1;
    }
    waiting.truncate(n_together);
    let Some(last) = waiting.last().map(|piece| &piece.extent) else { return Ok(None) };
    let (sequences, arrived) = ((first.sequences.0, last.sequences.1), (first.arrived.0, last.arrived.1));
    let (mut whole, mut damaged) = (Block::default(), Vec::new());
    for piece in &waiting {
        let Some(block) = reader.piece(piece.id)? else { continue };
        match Block::unpack(&block, |_, _| true) {
            Ok(block) => whole.append(block),
            Err(_) => {
                whole.lose(piece.extent.sequences.1, Now::at(piece.extent.arrived.1));
                damaged.push(piece.clone());
            }
        }
    }
    let parts = whole.split(PART_SAMPLES);
    let n_parts = parts.len();
    let seal = |(number, part): (usize, Block)| {
        let extent = Extent { sequences, arrived, ..part.extent()? };
        Some(Record::Sealed(Sealed { extent, block: part.pack(), completes: number + 1 == n_parts }))
    };
    let records: Vec<Record> = parts.into_iter().enumerate().filter_map(seal).collect();
    if records.is_empty() {
        // All of it went meanwhile.
        return Ok(None);
    }
    Ok(Some(Sealing { records, damaged }))
}

#[cfg(test)]
mod tests;
