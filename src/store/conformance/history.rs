//! What came is kept as it came, sealed or not, for as long as it may.

use std::time::Duration;

use super::*;
use crate::engine::Effects;
use crate::history::{Batch, Block, Came, Extent, Source, in_order};
use crate::model::{Labels, Now, Snapshot};

pub(super) const PROMISES: &[Promise] = &[
    what_steps_took_is_kept_once_however_often_they_come,
    pieces_are_found_by_time_and_subject,
    sealed_parts_stand_for_what_they_were_made_of_once_all_are_there,
    a_seal_that_was_broken_off_leaves_nothing_behind,
    what_came_goes_by_time_and_by_size,
];

/// A step that took a snapshot of each of these.
fn taking(sequence: u64, names: &[&str]) -> Record {
    let now = Now::at(at(sequence * 60));
    let snapshot = |name: &&str| Snapshot {
        subject: SubjectKey::new("host", *name),
        time: now.time,
        labels: Labels::new(),
        fields: [("load".into(), (sequence as f64).into())].into(),
        gone: false,
    };
    let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
    let batch = Batch { source, snapshots: names.iter().map(snapshot).collect(), complete: Vec::new() };
    Record::from(Effects { batch: Some(Arc::new(batch)), ..Effects::none(sequence, now) })
}

fn pieces(store: &dyn Store, filter: PieceFilter) -> Vec<Piece> {
    store.reader().pieces(&filter).unwrap()
}

/// What the pieces have, as it came.
fn came(store: &dyn Store, pieces: &[Piece]) -> Vec<Came> {
    let reader = store.reader();
    let block = |piece: &Piece| Block::unpack(&reader.piece(piece.id).unwrap().unwrap(), |_, _| true).unwrap();
    in_order(pieces.iter().map(block).collect()).collect()
}

fn sequences(store: &dyn Store) -> Vec<u64> {
    let all = pieces(store, PieceFilter::default());
    came(store, &all).iter().map(|came| came.sequence).collect()
}

/// The records that seal all that is not.
fn sealing(store: &dyn Store, samples: usize) -> Vec<Record> {
    let unsealed = pieces(store, PieceFilter { sealed: Some(false), ..PieceFilter::default() });
    let mut whole = Block::default();
    for piece in &unsealed {
        let block = store.reader().piece(piece.id).unwrap().unwrap();
        whole.append(Block::unpack(&block, |_, _| true).unwrap());
    }
    let parts = whole.split(samples);
    let n_parts = parts.len();
    let sealed = |(number, part): (usize, Block)| {
        let extent = part.extent().unwrap();
        Record::Sealed(Sealed { extent, block: part.pack(), completes: number + 1 == n_parts })
    };
    parts.into_iter().enumerate().map(sealed).collect()
}

fn what_steps_took_is_kept_once_however_often_they_come(store: &mut dyn Store) {
    assert_eq!(pieces(store, PieceFilter::default()), []);
    store.commit(&[taking(1, &["a", "b"]), taking(2, &["b"])]).unwrap();
    store.commit(&[taking(2, &["b"]), Record::from(step(3))]).unwrap();
    let all = pieces(store, PieceFilter::default());
    let extent = Extent {
        sequences: (1, 2),
        arrived: (at(60), at(120)),
        subjects: Some((SubjectKey::new("host", "a"), SubjectKey::new("host", "b"))),
        samples: 3,
    };
    assert_eq!(all.iter().map(|piece| (piece.sealed, piece.extent.clone())).collect::<Vec<_>>(), [(false, extent)]);
    assert_eq!(sequences(store), [1, 2]);
    assert_eq!(store.reader().piece(all[0].id + 1).unwrap(), None);
}

fn pieces_are_found_by_time_and_subject(store: &mut dyn Store) {
    for (sequence, names) in [(1, &["b", "d"][..]), (2, &["a"]), (3, &["c", "e"])] {
        store.commit(&[taking(sequence, names)]).unwrap();
    }
    let found = |filter: PieceFilter| -> Vec<u64> {
        pieces(store, filter).iter().map(|piece| piece.extent.sequences.0).collect()
    };
    let all = PieceFilter::default;
    assert_eq!(found(all()), [1, 2, 3]);
    assert_eq!(found(PieceFilter { from: Some(at(120)), ..all() }), [2, 3]);
    assert_eq!(found(PieceFilter { from: Some(at(61)), until: Some(at(179)), ..all() }), [2]);
    assert_eq!(found(PieceFilter { subject: Some(SubjectKey::new("host", "d")), ..all() }), [1, 3]);
    assert!(found(PieceFilter { subject: Some(SubjectKey::new("disk", "d")), ..all() }).is_empty());
    assert!(found(PieceFilter { sealed: Some(true), ..all() }).is_empty());
}

fn sealed_parts_stand_for_what_they_were_made_of_once_all_are_there(store: &mut dyn Store) {
    for sequence in 1..=4 {
        store.commit(&[taking(sequence, &["a", "b", "c"])]).unwrap();
    }
    let before = pieces(store, PieceFilter::default());
    let all = came(store, &before);
    let records = sealing(store, 4);
    assert_eq!(records.len(), 3);
    store.commit(&records[..2]).unwrap();
    store.commit(&[taking(5, &["a"])]).unwrap();
    assert_eq!(pieces(store, PieceFilter::default())[..4], before);
    for _ in 0..2 {
        store.commit(&records[2..]).unwrap();
        let sealed: Vec<bool> = pieces(store, PieceFilter::default()).iter().map(|piece| piece.sealed).collect();
        assert_eq!(sealed, [true, true, true, false]);
    }
    let parts = pieces(store, PieceFilter { sealed: Some(true), ..PieceFilter::default() });
    assert_eq!(came(store, &parts), all);
    let n_gone: usize =
        std::iter::from_fn(|| Some(store.trim_history(at(0), u64::MAX).unwrap()).filter(|n| *n > 0)).sum();
    assert_eq!((n_gone, sequences(store)), (4, vec![1, 2, 3, 4, 5]));
}

fn a_seal_that_was_broken_off_leaves_nothing_behind(store: &mut dyn Store) {
    for sequence in 1..=2 {
        store.commit(&[taking(sequence, &["a", "b", "c"])]).unwrap();
    }
    store.commit(&sealing(store, 2)[..2]).unwrap();
    store.commit(&[taking(3, &["a", "c"])]).unwrap();
    let all = came(store, &pieces(store, PieceFilter::default()));
    store.commit(&sealing(store, 5)).unwrap();
    assert_eq!(came(store, &pieces(store, PieceFilter::default())), all);
    assert_eq!(pieces(store, PieceFilter::default()).len(), 2);
}

fn what_came_goes_by_time_and_by_size(store: &mut dyn Store) {
    for sequence in 1..=9 {
        store.commit(&[taking(sequence, &["a"])]).unwrap();
    }
    let trim = |store: &mut dyn Store, before, bytes| -> Vec<u64> {
        while store.trim_history(before, bytes).unwrap() > 0 {}
        sequences(store)
    };
    assert_eq!(trim(store, at(180), u64::MAX), [3, 4, 5, 6, 7, 8, 9]);
    let size = pieces(store, PieceFilter::default())[0].bytes;
    assert_eq!(trim(store, at(180), size * 3), [7, 8, 9]);
    assert_eq!(trim(store, at(480), size * 3), [8, 9]);
    assert!(trim(store, at(480), 0).is_empty());
}
