//! The committer: stores what the engine did and what deliveries came to, then releases those who wait for it.
//!
//! It runs on its own thread, the only one that writes to the store. Everything that is queued goes into one
//! transaction. While the store refuses to write, alerts are sent nevertheless, replies say so, and the records are kept
//! (within a bound) and tried again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::engine_thread::Receipt;
use super::error_chain;
use super::figures::Figures;
use crate::engine::{Effects, SavedState};
use crate::history::BatchReport;
use crate::model::Time;
use crate::store::{Record, Store};

/// Records of one transaction at most: replies should not wait for a long one.
const BATCH: usize = 512;
/// Records that are kept while the store refuses to write.
const UNSAVED: usize = 100_000;
/// Snapshots of such records: of older ones it is only stored that they are missing.
const UNSAVED_SNAPSHOTS: usize = 200_000;
/// How long after a refusal the store is tried again, where nothing new comes.
const RETRY: Duration = Duration::from_secs(1);

/// A step that waits for its commit.
#[derive(Debug)]
pub(super) struct Step {
    /// What it did.
    pub(super) effects: Arc<Effects>,
    /// The place of its input in the engine's queue: given back after the commit.
    pub(super) place: Option<OwnedSemaphorePermit>,
    /// Who waits.
    pub(super) reply: Option<oneshot::Sender<Receipt>>,
}

#[derive(Debug)]
enum Write {
    Step(Step),
    Record(Record, Option<oneshot::Sender<bool>>),
    Flush(oneshot::Sender<bool>),
    Trim(Keep),
    Stop,
}

/// What is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep {
    /// What ended since then, by the wall clock.
    pub(super) ended: Time,
    /// What came since then, in engine time.
    pub(super) came: Time,
    /// Of that, so many bytes at most.
    pub(super) bytes: u64,
}

/// The way to the committer.
#[derive(Clone, Debug)]
pub struct Writer {
    writes: Sender<Write>,
}

impl Writer {
    pub(super) fn step(&self, step: Step) {
        // Without a committer the daemon is already going down, and the reply's channel closes with the step.
        self.writes.send(Write::Step(step)).ok();
    }

    /// Stores a record, and waits until it is committed. False where it is not stored (yet).
    pub async fn store(&self, record: Record) -> bool {
        let (reply, stored) = oneshot::channel();
        self.writes.send(Write::Record(record, Some(reply))).is_ok() && stored.await.unwrap_or(false)
    }

    /// Stores a record with the next transaction; nobody waits.
    pub fn note(&self, record: Record) {
        // As in `step`.
        self.writes.send(Write::Record(record, None)).ok();
    }

    /// Waits until everything that it was given before is committed, or cannot be.
    pub(super) async fn flushed(&self) {
        let (reply, flushed) = oneshot::channel();
        if self.writes.send(Write::Flush(reply)).is_ok() {
            flushed.await.ok();
        }
    }

    /// Removes what is no longer to be kept, little by little.
    pub(super) fn trim(&self, keep: Keep) {
        // As in `step`.
        self.writes.send(Write::Trim(keep)).ok();
    }

    /// Lets the committer end after everything that it was given before.
    pub(super) fn stop(&self) {
        self.writes.send(Write::Stop).ok();
    }
}

/// The receiving end: what the thread runs with.
pub(super) struct Writes(Receiver<Write>);

/// A queue to a committer. It holds no more than the engine's queue, and the attempts of the delivery workers.
pub(super) fn queue() -> (Writer, Writes) {
    let (writes, receiver) = mpsc::channel();
    (Writer { writes }, Writes(receiver))
}

/// Commits until it is told to stop. `after` sees each step's effects once, in order, after their commit.
pub(super) fn run(mut store: Box<dyn Store>, writes: Writes, figures: &Figures, mut after: impl FnMut(&Arc<Effects>)) {
    let mut unsaved: Vec<Record> = Vec::new();
    let mut refused: Option<String> = None;
    let mut stop = false;
    // What is to be trimmed, a little between two transactions.
    let mut trim: Option<Keep> = None;
    while !stop {
        let first = match (unsaved.is_empty(), trim) {
            (true, None) => writes.0.recv().map_err(|_| RecvTimeoutError::Disconnected),
            (true, Some(_)) => writes.0.recv_timeout(Duration::ZERO),
            (false, _) => writes.0.recv_timeout(RETRY),
        };
        let mut batch = Vec::new();
        match first {
            Ok(write) => batch.push(write),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => stop = true,
        }
        batch.extend(writes.0.try_iter().take(BATCH - 1));

        let mut steps = Vec::new();
        let mut waiting = Vec::new();
        for write in batch {
            match write {
                Write::Step(step) => {
                    unsaved.push(Record::Step(step.effects.clone()));
                    steps.push(step);
                }
                Write::Record(record, reply) => {
                    unsaved.push(record);
                    waiting.extend(reply);
                }
                Write::Flush(reply) => waiting.push(reply),
                Write::Trim(keep) => trim = Some(keep),
                Write::Stop => stop = true,
            }
        }
        let durable = unsaved.is_empty() || save(store.as_mut(), &mut unsaved, &mut refused, figures);
        for step in steps {
            after(&step.effects);
            if let Some(reply) = step.reply {
                let receipt = Receipt { sequence: step.effects.sequence, report: step.effects.report.clone(), durable };
                // The pusher may have gone away; its snapshots are stored all the same.
                reply.send(receipt).ok();
            }
            drop(step.place);
        }
        for reply in waiting {
            reply.send(durable).ok();
        }
        if let Some(keep) = trim.filter(|_| durable && !stop) {
            let ended = store.trim(keep.ended);
            trim = match ended.and_then(|ended| Ok(ended + store.trim_history(keep.came, keep.bytes)?)) {
                Ok(0) => None,
                Ok(_) => Some(keep),
                Err(error) => {
                    tracing::warn!(error = error_chain(&error), "what is older than is kept could not be removed");
                    None
                }
            };
        }
    }
}

/// Commits the records and empties the list, or keeps what could not be stored. Says whether all is stored.
fn save(store: &mut dyn Store, unsaved: &mut Vec<Record>, refused: &mut Option<String>, figures: &Figures) -> bool {
    let n_records = unsaved.len();
    while !unsaved.is_empty() {
        let n_batch = unsaved.len().min(BATCH);
        match store.commit(&unsaved[..n_batch]) {
            Ok(()) => {
                figures.commits.add(1);
                unsaved.drain(..n_batch);
            }
            Err(error) => {
                let error = error_chain(&error);
                figures.commit_failures.add(1);
                if refused.as_ref() != Some(&error) {
                    tracing::error!(error, "the store cannot write: alerts are sent, but would be lost by a crash");
                    *refused = Some(error);
                }
                figures.lost_records.add(give_up_oldest(unsaved, UNSAVED) as u64);
                give_up_snapshots(unsaved, UNSAVED_SNAPSHOTS);
                figures.unsaved.set(unsaved.len() as u64);
                return false;
            }
        }
    }
    figures.unsaved.set(0);
    if refused.take().is_some() {
        tracing::warn!(records = n_records, "the store writes again");
    }
    true
}

/// Gives up the snapshots of the oldest steps beyond so many.
fn give_up_snapshots(unsaved: &mut [Record], most: usize) {
    let mut n_snapshots = 0;
    for record in unsaved.iter_mut().rev() {
        let Record::Step(step) = record else { continue };
        n_snapshots += step.batch.as_ref().map_or(0, |batch| batch.snapshots.len());
        if n_snapshots > most && step.batch.is_some() {
            *step = Arc::new(Effects { batch: None, ..Effects::clone(step) });
        }
    }
}

/// Gives up the oldest records beyond so many, but for the newest text of each file and piece of the engine's state: what
/// is stored must always be one state, not parts of two. Gives how many records were given up.
fn give_up_oldest(unsaved: &mut Vec<Record>, most: usize) -> usize {
    let surplus = unsaved.len().saturating_sub(most);
    if surplus == 0 {
        return 0;
    }
    // So that it is not done again for each further record.
    let surplus = surplus.max(most / 10).min(unsaved.len());
    let mut kept = Vec::new();
    let mut pieces: BTreeMap<Arc<str>, SavedState> = BTreeMap::new();
    let mut last: Option<Arc<Effects>> = None;
    let mut taken = 0;
    for record in unsaved.drain(..surplus) {
        match record {
            Record::Step(step) => {
                pieces.extend(step.saved.iter().map(|piece| (piece.key.clone(), piece.clone())));
                taken += step.report.taken + step.report.missing.len();
                last = Some(step);
            }
            Record::Audit(_) | Record::Sealed(_) | Record::Text(_) | Record::TextGone { .. } => kept.push(record),
            Record::Attempt(_) | Record::Summary(_) | Record::Revived { .. } | Record::Dropped { .. } => {}
        }
    }
    if let Some(last) = last {
        let saved = pieces.into_values().collect();
        // That something was taken, and is missing now, is stored too.
        let report = BatchReport { taken, ..BatchReport::default() };
        kept.push(Record::from(Effects { saved, report, ..Effects::none(last.sequence, last.now) }));
    }
    let given_up = surplus - kept.len().min(surplus);
    unsaved.splice(..0, kept);
    given_up
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::history::{Batch, Source};
    use crate::model::{Labels, Now, Snapshot, SubjectKey};
    use crate::store::{Error, LastStep, Memory, PieceFilter, Reader, Stored};

    /// Refuses to write while it is full, and remembers the size of each transaction.
    struct Full {
        inner: Memory,
        full: Arc<AtomicBool>,
        sizes: Arc<Mutex<Vec<usize>>>,
    }

    impl Store for Full {
        fn commit(&mut self, batch: &[Record]) -> Result<(), Error> {
            if self.full.load(Ordering::Relaxed) {
                return Err(Error::Write { what: "a step".into(), source: "no space left on device".into() });
            }
            self.sizes.lock().unwrap().push(batch.len());
            self.inner.commit(batch)
        }

        fn trim(&mut self, before: Time) -> Result<usize, Error> {
            self.inner.trim(before)
        }

        fn trim_history(&mut self, before: Time, bytes: u64) -> Result<usize, Error> {
            self.inner.trim_history(before, bytes)
        }

        fn reader(&self) -> Arc<dyn Reader> {
            self.inner.reader()
        }
    }

    fn sequence(reader: &dyn Reader) -> Option<u64> {
        reader.last_step().unwrap().map(|step: LastStep| step.sequence)
    }

    fn step(sequence: u64) -> (Step, oneshot::Receiver<Receipt>) {
        let (reply, receipt) = oneshot::channel();
        let effects = Arc::new(Effects::none(sequence, Now::at(Time::EPOCH)));
        (Step { effects, place: None, reply: Some(reply) }, receipt)
    }

    #[tokio::test]
    async fn a_store_that_refuses_delays_no_alert_and_gets_everything_when_it_writes_again() {
        let (full, sizes) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
        let store = Full { inner: Memory::default(), full: full.clone(), sizes: sizes.clone() };
        let reader = store.reader();
        let (figures, seen) = (Arc::new(Figures::default()), Arc::new(Mutex::new(Vec::new())));
        let (writer, writes) = queue();
        let committer = std::thread::spawn({
            let (figures, seen) = (figures.clone(), seen.clone());
            move || run(Box::new(store), writes, &figures, |effects| seen.lock().unwrap().push(effects.sequence))
        });

        let (first, receipt) = step(1);
        writer.step(first);
        assert!(!receipt.await.unwrap().durable);
        assert_eq!(*seen.lock().unwrap(), [1], "its alerts go out");
        assert_eq!((sequence(&*reader), figures.unsaved.get()), (None, 1));

        full.store(false, Ordering::Relaxed);
        let (second, receipt) = step(2);
        writer.step(second);
        assert!(receipt.await.unwrap().durable);
        assert_eq!((sequence(&*reader), figures.unsaved.get()), (Some(2), 0));
        assert_eq!(sizes.lock().unwrap().iter().sum::<usize>(), 2, "the first was stored too");
        assert_eq!(*seen.lock().unwrap(), [1, 2], "and is not sent again");
        writer.stop();
        committer.join().unwrap();
    }

    #[test]
    fn what_is_given_up_for_want_of_room_is_never_a_piece_of_the_state() {
        let piece = |key: &str, value: &str| SavedState { key: key.into(), value: Some(value.as_bytes().into()) };
        let step = |sequence: u64| {
            let saved = vec![piece("common", &sequence.to_string()), piece(&format!("own {sequence}"), "1")];
            Record::from(Effects { saved, ..Effects::none(sequence, Now::at(Time::EPOCH)) })
        };
        let mut unsaved: Vec<Record> = (1..=30).map(step).collect();
        let lost = give_up_oldest(&mut unsaved, 20);
        assert_eq!((lost, unsaved.len()), (9, 21), "ten became one");
        let mut store = Memory::default();
        store.commit(&unsaved).unwrap();
        let saved = store.reader().saved().unwrap();
        assert_eq!(saved.len(), 31);
        assert_eq!(saved[0], piece("common", "30"));
        assert_eq!(sequence(&*store.reader()), Some(30));
    }

    #[test]
    fn of_snapshots_that_cannot_be_stored_the_newest_are_kept_and_of_the_others_that_they_are_missing() {
        let step = |sequence: u64| {
            let snapshot = Snapshot {
                subject: SubjectKey::new("host", "web-1"),
                time: Time::EPOCH,
                labels: Labels::new(),
                fields: [("load".into(), (sequence as f64).into())].into(),
                gone: false,
            };
            let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
            let batch = Some(Arc::new(Batch { source, snapshots: vec![snapshot], complete: Vec::new() }));
            let report = BatchReport { taken: 1, ..BatchReport::default() };
            Record::from(Effects { batch, report, ..Effects::none(sequence, Now::at(Time::EPOCH)) })
        };
        let mut unsaved: Vec<Record> = (1..=10).map(step).collect();
        give_up_snapshots(&mut unsaved, 3);
        let mut store = Memory::default();
        store.commit(&unsaved).unwrap();
        let pieces = Stored::read(store.reader(), &PieceFilter::default()).unwrap();
        let came: Vec<Option<u64>> = pieces.map(|came| came.ok().map(|came| came.sequence)).collect();
        assert_eq!(came, [vec![None; 7], vec![Some(8), Some(9), Some(10)]].concat());
    }

    #[test]
    fn everything_that_is_queued_is_one_transaction() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let store = Full { inner: Memory::default(), full: Arc::default(), sizes: sizes.clone() };
        let (writer, writes) = queue();
        for sequence in 1..=600 {
            writer.step(step(sequence).0);
        }
        writer.stop();
        run(Box::new(store), writes, &Figures::default(), |_| {});
        assert_eq!(*sizes.lock().unwrap(), [512, 88]);
    }
}
