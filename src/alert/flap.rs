//! Whether an alert goes up and down too often to tell each time.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Time;

/// When an alert is flapping: more changes than `changes` within `within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlapLimit {
    /// Raises and recoveries that are still told one by one; at least 1.
    pub changes: u32,
    /// In this time; never zero.
    pub within: Duration,
}

impl FlapLimit {
    /// How long a flapping alert must stay as it is until that is told.
    pub fn quiet(self) -> Duration {
        self.within / self.changes.max(1)
    }
}

/// The raises and recoveries of one alert of late.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flap {
    /// Their times in engine time, oldest first: no more than decide.
    changes: VecDeque<Time>,
    /// It is flapping.
    flapping: bool,
}

impl Flap {
    /// Whether it is flapping.
    pub const fn is_flapping(&self) -> bool {
        self.flapping
    }

    /// Whether there is nothing to remember.
    pub fn is_blank(&self) -> bool {
        self.changes.is_empty() && !self.flapping
    }

    /// Notes a raise or a recovery. Gives whether it is flapping from now on and was not before.
    pub fn change(&mut self, now: Time, limit: Option<FlapLimit>) -> bool {
        let Some(limit) = limit else {
            *self = Flap::default();
            return false;
        };
        self.changes.push_back(now);
        // One more than is still told says it all.
        while self.changes.len() > limit.changes as usize + 1 {
            self.changes.pop_front();
        }
        let is_many = self.changes.len() > limit.changes as usize;
        let is_dense = self.changes.front().is_some_and(|first| now.since(*first) < limit.within);
        let begins = !self.flapping && is_many && is_dense;
        self.flapping |= begins;
        begins
    }

    /// When it has been quiet for long enough, where it is flapping; at once where the rule no longer asks.
    pub fn quiet_at(&self, limit: Option<FlapLimit>) -> Option<Time> {
        let last = self.changes.back().filter(|_| self.flapping)?;
        Some(limit.map_or(*last, |limit| *last + limit.quiet()))
    }

    /// After a time in which nobody looked: that it was quiet then is not known, so the time does not count.
    pub fn resume_after(&mut self, stopped: Time, now: Time) {
        for change in &mut self.changes {
            *change = *change + now.since(stopped);
        }
    }

    /// It has been quiet for long enough: it is told as it is, and counting begins anew.
    pub fn settle(&mut self) {
        *self = Flap::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: FlapLimit = FlapLimit { changes: 3, within: Duration::from_secs(60) };

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    fn flap(times: &[i64]) -> (Flap, Vec<bool>) {
        let mut flap = Flap::default();
        let begins = times.iter().map(|secs| flap.change(at(*secs), Some(LIMIT))).collect();
        (flap, begins)
    }

    #[test]
    fn one_change_more_than_the_limit_within_the_time_begins_it_once() {
        let (flap, begins) = flap(&[0, 10, 20, 30, 40]);
        assert_eq!(begins, [false, false, false, true, false]);
        assert!(flap.is_flapping());
        assert_eq!(flap.quiet_at(Some(LIMIT)), Some(at(60)), "a third of the time after the last change");
    }

    #[test]
    fn changes_that_are_far_enough_apart_never_begin_it() {
        let (flap, begins) = flap(&[0, 20, 40, 60, 80, 100]);
        assert_eq!(begins, [false; 6], "the first of four is a whole minute old");
        assert_eq!((flap.is_flapping(), flap.quiet_at(Some(LIMIT))), (false, None));
    }

    #[test]
    fn without_a_limit_nothing_is_counted_and_what_flapped_is_over_at_once() {
        let (mut flap, _) = flap(&[0, 10, 20, 30]);
        assert_eq!(flap.quiet_at(None), Some(at(30)));
        assert!(!flap.change(at(40), None));
        assert!(flap.is_blank());
    }
}
