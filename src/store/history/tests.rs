//! What comes in is there again, sealed or not.

use std::sync::Arc;

use super::*;
use crate::engine::Effects;
use crate::history::{Batch, Source, in_order};
use crate::model::{Labels, Now, Snapshot};
use crate::store::{Memory, Store};

fn step(sequence: u64, secs: u64, n_subjects: usize) -> Record {
    let now = Now::at(Time::EPOCH + Duration::from_secs(secs));
    let snapshot = |n: usize| Snapshot {
        subject: SubjectKey::new("host", format!("web-{n}")),
        time: now.time,
        labels: Labels::new(),
        fields: [("load".into(), (n as f64 + secs as f64).into())].into(),
        gone: false,
    };
    let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
    let batch = Batch { source, snapshots: (0..n_subjects).map(snapshot).collect(), complete: Vec::new() };
    Record::from(Effects { batch: Some(Arc::new(batch)), ..Effects::none(sequence, now) })
}

/// Everything that is kept, as it came.
fn all(reader: &dyn Reader) -> Vec<crate::history::Came> {
    let pieces = reader.pieces(&PieceFilter::default()).unwrap();
    let block = |piece: &Piece| Block::unpack(&reader.piece(piece.id).unwrap().unwrap(), |_, _| true).unwrap();
    in_order(pieces.iter().map(block).collect()).collect()
}

#[test]
fn what_waits_is_sealed_after_an_hour_and_nothing_is_lost_or_doubled() {
    let mut store = Memory::default();
    for n in 0..100_u64 {
        store.commit(&[step(n + 1, n * 60, 3)]).unwrap();
    }
    let reader = store.reader();
    let before = all(&*reader);
    assert_eq!(before.len(), 100);
    let now = Time::EPOCH + Duration::from_secs(3599);
    assert!(seal(&*reader, now).unwrap().is_none(), "the first is not an hour old");
    let now = Time::EPOCH + Duration::from_secs(6000);
    let Sealing { records, damaged } = seal(&*reader, now).unwrap().unwrap();
    assert_eq!(damaged, []);
    store.commit(&records).unwrap();
    let pieces = reader.pieces(&PieceFilter { sealed: Some(true), ..PieceFilter::default() }).unwrap();
    assert_eq!(pieces.iter().map(|piece| piece.extent.sequences).collect::<Vec<_>>(), [(1, 61)]);
    assert_eq!(all(&*reader), before);
    assert!(seal(&*reader, now).unwrap().is_none(), "the rest is younger than an hour");
}

#[test]
fn much_is_sealed_in_parts_of_some_subjects() {
    let mut store = Memory::default();
    let n_subjects = 5_000;
    for n in 0..120_u64 {
        store.commit(&[step(n + 1, n, n_subjects)]).unwrap();
    }
    let reader = store.reader();
    let now = Time::EPOCH + Duration::from_secs(4000);
    let Sealing { records, .. } = seal(&*reader, now).unwrap().unwrap();
    assert_eq!(records.len(), 3, "600,000 values");
    let before = reader.pieces(&PieceFilter::default()).unwrap();
    store.commit(&records[..2]).unwrap();
    assert_eq!(reader.pieces(&PieceFilter::default()).unwrap(), before, "not before all parts are there");
    store.commit(&records[2..]).unwrap();
    let subject = Some(SubjectKey::new("host", "web-4999"));
    let pieces = reader.pieces(&PieceFilter { subject, ..PieceFilter::default() }).unwrap();
    assert_eq!(pieces.len(), 1, "the others have other subjects");
    let came = all(&*reader);
    assert_eq!((came.len(), came[119].snapshots.len()), (120, n_subjects));
}

#[test]
fn what_cannot_be_read_is_told_and_what_is_missing_is_a_part_of_its_own() {
    let mut store = Memory::default();
    let reader = store.reader();
    store.commit(&[step(1, 0, 2)]).unwrap();
    let piece = reader.pieces(&PieceFilter::default()).unwrap().remove(0);
    // A store whose bytes were changed, as far as anybody can tell who reads them.
    let oops = Record::Sealed(Sealed { extent: piece.extent, block: b"oops".to_vec(), completes: true });
    store.commit(&[oops]).unwrap();
    let came: Vec<_> = Stored::read(reader.clone(), &PieceFilter::default()).unwrap().collect();
    let told = "what came from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z cannot be read: the block is damaged: it does not begin as a block does";
    assert_eq!(came, [Err(told.to_string())]);

    let mut lost = Block::default();
    lost.lose(2, Now::at(Time::EPOCH));
    let parts = lost.clone().split(10);
    assert_eq!(parts, [lost]);
}
