//! What came, as blocks in memory.

use std::collections::BTreeMap;

use crate::history::{Block, Extent};
use crate::model::{SubjectKey, Time};
use crate::store::{Piece, Sealed};

/// By sequence and first subject.
type Kept = BTreeMap<(u64, Option<SubjectKey>), (Piece, Vec<u8>)>;

#[derive(Debug, Default)]
pub(super) struct Pieces {
    newest: i64,
    /// Those that were not sealed, and those that were.
    kept: [Kept; 2],
    /// Up to which step what came is sealed.
    sealed: Option<u64>,
}

impl Pieces {
    fn insert(&mut self, extent: Extent, block: Vec<u8>, sealed: bool) {
        self.newest += 1;
        let key = (extent.sequences.0, extent.subjects.as_ref().map(|(first, _)| first.clone()));
        let piece = Piece { id: self.newest, sealed, extent, bytes: block.len() as u64 };
        self.kept[usize::from(sealed)].insert(key, (piece, block));
    }

    /// Adds what a commit took, for which older ones may have to go.
    pub(super) fn add(&mut self, came: Block, most: u64) {
        if let Some(extent) = came.extent() {
            self.insert(extent, came.pack(), false);
            while self.trim(Time::from_micros(i64::MIN), most) > 0 {}
        }
    }

    pub(super) fn seal(&mut self, part: &Sealed) {
        let Extent { sequences, .. } = part.extent;
        if self.sealed.is_some_and(|sealed| sealed >= sequences.1) {
            return;
        }
        let sealed = self.sealed;
        self.kept[1].retain(|_, (piece, _)| {
            sealed.is_some_and(|sealed| piece.extent.sequences.1 <= sealed) || piece.extent.sequences == sequences
        });
        self.insert(part.extent.clone(), part.block.clone(), true);
        if part.completes {
            self.sealed = Some(sequences.1);
        }
    }

    /// The pieces that stand for what came, in order.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Piece> {
        let [commits, parts] = &self.kept;
        let is_sealed = |sequence| self.sealed.is_some_and(|sealed| sequence <= sealed);
        let parts = parts.values().map(|(piece, _)| piece);
        let commits = commits.values().map(|(piece, _)| piece);
        let parts = parts.filter(move |piece| is_sealed(piece.extent.sequences.1));
        parts.chain(commits.filter(move |piece| !is_sealed(piece.extent.sequences.0)))
    }

    pub(super) fn block(&self, id: i64) -> Option<Vec<u8>> {
        let kept = self.kept.iter().flat_map(BTreeMap::values);
        kept.filter(|(piece, _)| piece.id == id).map(|(_, block)| block.clone()).next()
    }

    pub(super) fn trim(&mut self, before: Time, most: u64) -> usize {
        let n_kept = |kept: &[BTreeMap<_, _>; 2]| kept[0].len() + kept[1].len();
        let (n_before, sealed) = (n_kept(&self.kept), self.sealed);
        self.kept[0].retain(|_, (piece, _)| sealed.is_none_or(|sealed| piece.extent.sequences.1 > sealed));
        for kept in &mut self.kept {
            kept.retain(|_, (piece, _)| piece.extent.arrived.1 >= before);
        }
        let pieces = self.kept.iter().flat_map(BTreeMap::values).map(|(piece, _)| piece);
        let surplus = pieces.map(|piece| piece.bytes).sum::<u64>().saturating_sub(most);
        if surplus > 0 && n_before == n_kept(&self.kept) {
            // Sealed ones are older.
            let parts = usize::from(!self.kept[1].is_empty());
            self.kept[parts].pop_first();
        }
        n_before - n_kept(&self.kept)
    }
}
