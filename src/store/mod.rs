//! What must outlive a step: what came, events, notifications, delivery attempts, and the last good text of each file.
//!
//! [`Store`] is the one writer and is owned by one thread; [`Reader`] answers the API from any thread. Nothing in the
//! traits speaks of a kind of storage, so that an embedded database and a shared one fit them alike. [`Memory`] keeps
//! everything within bounds and nothing over a restart: it is the lab's store, and the daemon's without a database.
//! [`Sqlite`] keeps everything in a file.

#[cfg(test)]
mod conformance;
mod history;
mod memory;
mod record;
pub mod sqlite;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use history::{Piece, PieceFilter, Sealed, Sealing, Stored, seal};
pub use memory::{Bounds, Memory};
pub use record::{
    Attempt, AttemptResult, Audit, AuditFilter, Delivery, DeliveryFilter, DeliveryState, DeliveryStateName, Firing,
    FiringFilter, LastStep, Record, Text,
};
pub use sqlite::Sqlite;

use crate::engine::{Event, SavedState, Suppressed, Transition};
use crate::model::{ChannelName, FiringId, NotificationId, RuleName, SubjectKey, Time};

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The storage refused to write: a full disk, a lost connection. What was given is not stored, and may be given again.
    #[error("the store cannot write {what}")]
    Write {
        /// What was to be written: "12 steps".
        what: String,
        /// What the storage says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The storage could not be read.
    #[error("the store cannot read {what}")]
    Read {
        /// What was asked for.
        what: String,
        /// What the storage says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The writing side of a store. There is one, on one thread.
pub trait Store: Send {
    /// Writes records, all of them or none: one transaction, whatever their number.
    ///
    /// A record that is already stored (the same step, the same attempt) changes nothing, so what failed half-known may
    /// be given again.
    ///
    /// # Errors
    /// Where the storage refuses; then nothing of the batch is stored.
    fn commit(&mut self, batch: &[Record]) -> Result<(), Error>;

    /// Removes what ended before `before`: firings with their events, transitions, notifications and attempts, entries of
    /// the audit log. What still fires or waits, and a notification that tells of a firing which still does, stays. Gives
    /// how many rows went; a store may stop after some thousands, and is asked again while it gives more than none.
    ///
    /// # Errors
    /// Where the storage refuses.
    fn trim(&mut self, before: Time) -> Result<usize, Error>;

    /// Removes pieces of what came: those that sealed ones stand for, those of before `before`, in engine time, and the
    /// oldest of what is more than `bytes`. Gives how many went; a store may stop after some, and is asked again while it
    /// gives more than none.
    ///
    /// # Errors
    /// Where the storage refuses.
    fn trim_history(&mut self, before: Time, bytes: u64) -> Result<usize, Error>;

    /// The reading side. It sees everything that was committed before it is asked.
    fn reader(&self) -> Arc<dyn Reader>;
}

/// The reading side of a store, shared by everyone who asks.
pub trait Reader: Send + Sync {
    /// Whether what is committed outlasts the process.
    fn is_durable(&self) -> bool;

    /// The seed of this installation, drawn when the store was made: ids and jitter are hashes of it.
    fn seed(&self) -> u64;

    /// The newest stored step; `None` in an empty store.
    ///
    /// # Errors
    /// Where the storage cannot be read, as for all of these.
    fn last_step(&self) -> Result<Option<LastStep>, Error>;

    /// The engine's state as of the newest stored step: every piece that is remembered, in the order of the keys.
    fn saved(&self) -> Result<Vec<SavedState>, Error>;

    /// Firings, newest raise first (then by id), at most `filter.limit` of them.
    fn firings(&self, filter: &FiringFilter) -> Result<Vec<Firing>, Error>;

    /// One firing.
    fn firing(&self, id: &FiringId) -> Result<Option<Firing>, Error>;

    /// The events of one firing, oldest first.
    fn events_of(&self, id: &FiringId) -> Result<Vec<Event>, Error>;

    /// The newest events of all firings, newest first.
    fn recent_events(&self, limit: usize) -> Result<Vec<Event>, Error>;

    /// What channels were told of one firing, oldest first.
    fn deliveries_of(&self, id: &FiringId) -> Result<Vec<Delivery>, Error>;

    /// The channels that took something of one firing: a notification, or the summary that stands for it.
    fn told(&self, id: &FiringId) -> Result<BTreeSet<ChannelName>, Error>;

    /// What a channel was not told of one firing, oldest first, with the reasons.
    fn suppressed_of(&self, id: &FiringId) -> Result<Vec<Suppressed>, Error>;

    /// One notification with its attempts.
    fn delivery(&self, id: &NotificationId) -> Result<Option<Delivery>, Error>;

    /// Notifications that are neither delivered nor dead, oldest first: what an outbox starts from.
    fn waiting(&self) -> Result<Vec<Delivery>, Error>;

    /// Notifications, newest first, at most `filter.limit` of them.
    fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, Error>;

    /// How many notifications were given up, and still are.
    fn dead_letters(&self) -> Result<u64, Error>;

    /// When attempts at a channel ended, at or after `since`, oldest first: what its limit counts after a restart.
    fn attempt_times(&self, channel: &ChannelName, since: Time) -> Result<Vec<Time>, Error>;

    /// In which states an alert has been, the newest `limit` changes, oldest first.
    fn transitions_of(&self, rule: &RuleName, subject: &SubjectKey, limit: usize) -> Result<Vec<Transition>, Error>;

    /// The last good text of each file, by path relative to the project folder.
    fn texts(&self) -> Result<Vec<Text>, Error>;

    /// The audit log, newest first, each entry with its number; at most `filter.limit` of them.
    fn audit(&self, filter: &AuditFilter) -> Result<Vec<(i64, Audit)>, Error>;

    /// Where what came is kept, in the order in which it came; of what was sealed together by subject.
    fn pieces(&self, filter: &PieceFilter) -> Result<Vec<Piece>, Error>;

    /// The packed block of a piece; `None` where it went meanwhile.
    fn piece(&self, id: i64) -> Result<Option<Vec<u8>>, Error>;

    /// How many bytes it takes on its storage, where it has one.
    fn bytes(&self) -> Option<u64>;
}
