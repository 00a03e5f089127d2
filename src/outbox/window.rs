//! How much of a channel's limit is used: a log of the newest attempts. Pure.
//!
//! An attempt counts from its begin until the limit's span has passed since its end. Whenever it reaches the receiver in
//! between, the receiver sees no more than the limit allows in any span; and what is stored of an attempt, which is its
//! end, is enough to go on counting after a restart.

use std::collections::VecDeque;

use crate::channels::Limit;
use crate::model::Time;

/// Ends that are remembered without a limit: one may be configured at any time.
const REMEMBERED: usize = 1024;

/// The ends of the newest attempts, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    limit: Option<Limit>,
    ends: VecDeque<Time>,
}

impl Window {
    pub(super) fn set_limit(&mut self, limit: Option<Limit>) {
        self.limit = limit;
        self.forget();
    }

    pub(super) fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// Takes what ended before a restart.
    pub(super) fn refill(&mut self, ends: impl IntoIterator<Item = Time>) {
        self.ends.extend(ends);
        self.ends.make_contiguous().sort_unstable();
        self.forget();
    }

    /// An attempt ended.
    pub(super) fn note(&mut self, end: Time) {
        // Time does not go back, but a receiver of a time from before a restart might think so.
        let end = self.ends.back().map_or(end, |newest| end.max(*newest));
        self.ends.push_back(end);
        self.forget();
    }

    fn forget(&mut self) {
        let most = self.limit.map_or(0, Limit::count).max(REMEMBERED);
        self.ends.drain(..self.ends.len().saturating_sub(most));
    }

    /// How many attempts may begin now, where so many are on their way; `None` where nothing limits them.
    pub(super) fn free(&self, now: Time, in_flight: usize) -> Option<usize> {
        let limit = self.limit?;
        let past = self.ends.partition_point(|end| *end + limit.per() <= now);
        Some(limit.count().saturating_sub(in_flight).saturating_sub(self.ends.len() - past))
    }

    /// When `wanted` attempts may begin, where so many are on their way; `None` where one of these must end first, or
    /// nothing limits them.
    pub(super) fn free_at(&self, wanted: usize, in_flight: usize) -> Option<Time> {
        let limit = self.limit?;
        let may_count = limit.count().checked_sub(in_flight)?.checked_sub(wanted)?;
        // All but the newest `may_count` must be past.
        let last = self.ends.len().checked_sub(may_count + 1)?;
        self.ends.get(last).map(|end| *end + limit.per())
    }

    /// The ends that are remembered.
    pub(super) fn ends(&self) -> impl Iterator<Item = Time> {
        self.ends.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Time = Time::from_micros(1_000_000_000_000);

    fn at(seconds: u64) -> Time {
        START + Duration::from_secs(seconds)
    }

    fn window(limit: &str, ends: &[u64]) -> Window {
        let mut window = Window::default();
        window.set_limit(Some(Limit::parse(limit).unwrap()));
        ends.iter().for_each(|end| window.note(at(*end)));
        window
    }

    #[test]
    fn an_attempt_counts_until_the_span_has_passed_since_its_end() {
        let window = window("3/1m", &[0, 10]);
        let cases = [(10, 0, 1), (10, 1, 0), (10, 7, 0), (59, 0, 1), (60, 0, 2), (69, 1, 1), (70, 0, 3)];
        for (seconds, in_flight, free) in cases {
            assert_eq!(window.free(at(seconds), in_flight), Some(free), "{seconds} s, {in_flight} on their way");
        }
        let cases =
            [(1, 0, None), (2, 0, Some(60)), (3, 0, Some(70)), (1, 1, Some(60)), (2, 1, Some(70)), (3, 1, None)];
        for (wanted, in_flight, seconds) in cases {
            assert_eq!(window.free_at(wanted, in_flight), seconds.map(at), "{wanted}, {in_flight} on their way");
        }
    }

    #[test]
    fn a_limit_that_comes_later_counts_what_was_before_it() {
        let mut window = Window::default();
        (0..5000).for_each(|second| window.note(at(second)));
        assert_eq!((window.free(at(5000), 3), window.ends().count()), (None, REMEMBERED));
        window.set_limit(Some(Limit::parse("20/1m").unwrap()));
        assert_eq!(window.free(at(5000), 0), Some(0));
        assert_eq!(window.free_at(1, 0), Some(at(4980 + 60)));
    }

    #[test]
    fn what_ended_before_a_restart_counts_in_its_place() {
        let mut window = window("2/1m", &[50]);
        window.refill([at(40), at(45)]);
        assert_eq!(window.ends().collect::<Vec<_>>(), [at(40), at(45), at(50)]);
        assert_eq!(window.free(at(104), 0), Some(0));
        assert_eq!(window.free(at(105), 0), Some(1));
    }
}
