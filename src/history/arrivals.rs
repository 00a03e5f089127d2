//! When snapshots of a subject came.

use std::collections::VecDeque;

use jiff::civil::Date;

use super::calendar::{DAYS_BACK, days_before};
use crate::model::Time;

/// The engine times at which snapshots of one subject arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrivals {
    times: VecDeque<Time>,
    /// The days of the last week in which one came.
    days: VecDeque<Date>,
    given_up: Option<Time>,
    /// Up to when they were last given up.
    horizon: Option<Time>,
}

impl Arrivals {
    pub(crate) fn push(&mut self, arrived: Time, day: Date) {
        if self.times.back() != Some(&arrived) {
            self.times.push_back(arrived);
        }
        if self.days.back() == Some(&day) {
            return;
        }
        self.days.push_back(day);
        let kept = days_before(day, DAYS_BACK);
        while self.days.front().is_some_and(|first| kept.is_some_and(|kept| *first < kept)) {
            self.days.pop_front();
        }
    }

    /// The day on which the newest one came.
    pub(crate) fn newest_day(&self) -> Option<Date> {
        self.days.back().copied()
    }

    /// What came before is not known any more.
    pub(crate) fn forget_before(&mut self, time: Time) {
        self.given_up = Some(Time::from_micros(time.as_micros() - 1));
    }

    /// Whether one came in `(start, end]`. `None` where that is no longer known.
    pub(crate) fn any_in(&self, start: Time, end: Time) -> Option<bool> {
        let from = self.times.partition_point(|time| *time <= start);
        match self.times.get(from).is_some_and(|time| *time <= end) {
            true => Some(true),
            false => self.given_up.is_none_or(|given_up| given_up <= start).then_some(false),
        }
    }

    /// Whether one came on this day.
    pub(crate) fn any_on(&self, day: Date) -> bool {
        self.days.contains(&day)
    }

    /// Forgets those up to `horizon`, but for the newest.
    pub(crate) fn give_up(&mut self, horizon: Time) {
        if self.horizon.is_some_and(|last| horizon <= last) {
            return;
        }
        self.horizon = Some(horizon);
        while self.times.len() > 1
            && let Some(first) = self.times.front().copied()
            && first <= horizon
        {
            self.times.pop_front();
            self.given_up = Some(first);
        }
    }

    pub(crate) fn make_room(&mut self) {
        if self.times.len() > 1 && self.times.len() == self.times.capacity() {
            self.given_up = self.times.pop_front();
        }
    }

    pub(crate) fn shrink(&mut self) {
        self.times.shrink_to(self.times.len() + self.times.len() / 8);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.times.capacity() * size_of::<Time>() + self.days.capacity() * size_of::<Date>()
    }
}
