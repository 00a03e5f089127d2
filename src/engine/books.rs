//! What each channel is owed, and what became of it.
//!
//! The unit is one event for one channel. At every instant owed = delivered + absorbed + waiting + dead + suppressed.

use serde::{Deserialize, Serialize};

use crate::alert::Events;

/// The books of one channel, over restarts too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Events that the channel should hear of.
    pub owed: u64,
    /// Of these: told by themselves, and taken by the receiver.
    pub delivered: u64,
    /// Of these: folded into something that the receiver took, a later event or a summary.
    pub absorbed: u64,
    /// Of these: held back, or on their way.
    pub waiting: u64,
    /// Of these: given up.
    pub dead: u64,
    /// Of these: not to be told any more, each with its reason.
    pub suppressed: u64,
}

/// What became of a notification, as the books see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// By itself.
    Itself,
    /// In a summary.
    InSummary,
    /// Not at all.
    Never,
}

impl Books {
    /// Whether they are balanced.
    pub const fn is_balanced(&self) -> bool {
        self.owed == self.delivered + self.absorbed + self.waiting + self.dead + self.suppressed
    }

    pub(super) fn owe(&mut self, events: u64) {
        self.owed += events;
        self.waiting += events;
    }

    pub(super) fn suppress(&mut self, events: u64) {
        self.take_waiting(events);
        self.suppressed += events;
    }

    pub(super) fn settle(&mut self, events: Events, arrived: Arrived) {
        self.take_waiting(events.all());
        match arrived {
            Arrived::Itself => {
                self.delivered += events.told;
                self.absorbed += events.folded;
            }
            Arrived::InSummary => self.absorbed += events.all(),
            Arrived::Never => self.dead += events.all(),
        }
    }

    /// What was given up waits again.
    pub(super) fn revive(&mut self, events: Events) {
        let events = events.all();
        debug_assert!(self.dead >= events, "what is revived was given up: {self:?}");
        self.dead = self.dead.saturating_sub(events);
        self.waiting += events;
    }

    fn take_waiting(&mut self, events: u64) {
        debug_assert!(self.waiting >= events, "what comes to an end has waited: {self:?}, {events}");
        self.waiting = self.waiting.saturating_sub(events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_in_one_place_at_a_time() {
        let mut books = Books::default();
        let events = Events { told: 1, folded: 2 };
        books.owe(3 + 3 + 3 + 1);
        books.settle(events, Arrived::Itself);
        books.settle(events, Arrived::InSummary);
        books.settle(events, Arrived::Never);
        books.suppress(1);
        let expected = Books { owed: 10, delivered: 1, absorbed: 5, waiting: 0, dead: 3, suppressed: 1 };
        assert_eq!(books, expected);
        books.revive(events);
        assert_eq!((books.waiting, books.dead), (3, 0));
        assert!(books.is_balanced());
    }
}
