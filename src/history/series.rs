//! The number samples of one field, and what stretches of them sum up to.
//!
//! Time is cut into cells. What the samples of a cell come to is summed up once, when the next cell begins; a window puts
//! together the sums of the cells that lie inside it and looks at the samples of the two that it cuts. So a window costs as
//! much as a cell has samples and one addition for each cell, whatever rule asks for it, and needs no state of its own that
//! an edit or a restart could lose. Where cells end is decided by the times of the two samples on either side alone, so the
//! same samples give the same sums, to the last digit, whenever they began to be kept.

mod chunk;

use std::borrow::Cow;
use std::collections::VecDeque;

use chunk::Chunk;

use super::summary::{Detail, Summary};
use crate::model::Time;

/// The longest cells, in microseconds.
const DAY: i64 = 24 * 3_600_000_000;

/// How long cells can be. They end at multiples of their lengths.
const LENGTHS: [i64; 6] = [60_000_000, 300_000_000, 900_000_000, 3_600_000_000, 4 * 3_600_000_000, DAY];

/// A cell is long enough for this many samples, so that their sum takes less room than they do.
const SAMPLES: i64 = 16;

/// The newest samples, which most windows lie in, are plain; of so many more at most, the oldest are packed. (In tests few,
/// so that all that is asked there is also asked of what is packed.)
const PLAIN: usize = if cfg!(test) { 8 } else { 512 };

/// Samples that are packed together.
const PACKED: usize = if cfg!(test) { 16 } else { 256 };

/// The number samples of one field in the order of their times. Places count from its very first sample.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    /// Older samples.
    chunks: VecDeque<Chunk>,
    /// The newest ones.
    times: Vec<Time>,
    values: Vec<f64>,
    /// The place of the first of both.
    plain: u64,
    /// How many samples at the front, of the first chunk or else of the newest ones, were given up.
    spent: usize,
    /// Cells that are over, one after the other up to `open`.
    cells: VecDeque<Cell>,
    /// The place at which the cell begins that is not over.
    open: u64,
    /// Bytes of the chunks.
    packed: usize,
}

#[derive(Clone, Debug)]
struct Cell {
    begin: u64,
    end: u64,
    summary: Summary,
}

/// Samples that follow each other: their times and their values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Samples<'a> {
    pub(crate) times: &'a [Time],
    pub(crate) values: &'a [f64],
}

impl<'a> Samples<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = (Time, f64)> + 'a {
        self.times.iter().copied().zip(self.values.iter().copied())
    }
}

/// Samples that follow each other, as they lie there, or unpacked.
pub(crate) struct Found<'a> {
    times: Cow<'a, [Time]>,
    values: Cow<'a, [f64]>,
}

impl Found<'_> {
    pub(crate) fn samples(&self) -> Samples<'_> {
        Samples { times: &self.times, values: &self.values }
    }
}

/// Whether a cell ends between two samples that follow each other.
fn ends_between(before: Time, after: Time) -> bool {
    let (before, after) = (before.as_micros(), after.as_micros());
    let wanted = after.saturating_sub(before).saturating_mul(SAMPLES);
    let length = LENGTHS.into_iter().find(|length| *length >= wanted).unwrap_or(DAY);
    before.div_euclid(length) != after.div_euclid(length)
}

impl Series {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.begin() == self.end()
    }

    /// The time of the newest sample.
    pub(crate) fn last(&self) -> Option<Time> {
        if self.is_empty() { None } else { self.times.last().copied() }
    }

    /// The time of the oldest sample.
    pub(crate) fn first(&self) -> Option<Time> {
        let oldest = self.between(self.begin(), self.begin() + 1);
        oldest.times.first().copied()
    }

    /// All samples.
    pub(crate) fn all(&self) -> Found<'_> {
        self.between(self.begin(), self.end())
    }

    /// The place of the oldest sample.
    fn begin(&self) -> u64 {
        self.chunks.front().map_or(self.plain, |chunk| chunk.begin) + self.spent as u64
    }

    /// The place after the newest sample.
    fn end(&self) -> u64 {
        self.plain + self.times.len() as u64
    }

    /// Adds a sample that is later than all others.
    pub(crate) fn push(&mut self, time: Time, value: f64) {
        if let Some(last) = self.last()
            && ends_between(last, time)
        {
            let (begin, end) = (self.open, self.end());
            let summary = Summary::of(self.between(begin, end).samples(), Detail::Squares);
            self.cells.push_back(Cell { begin, end, summary });
            self.open = end;
        }
        if self.is_full() {
            self.make_place();
        }
        self.times.push(time);
        self.values.push(value);
    }

    /// Whether the next sample needs more room, or others packed.
    fn is_full(&self) -> bool {
        self.times.len() == self.times.capacity() || self.times.len() >= PLAIN + PACKED
    }

    /// Makes place for more plain samples: an eighth of what there is, as twice the place, as vectors do it, would mostly be
    /// empty; or what the oldest take, which are packed.
    fn make_place(&mut self) {
        let eighth = self.times.len() / 8;
        if self.chunks.is_empty() && self.spent >= eighth.max(1) {
            self.drop_spent();
        } else if self.times.len() >= PLAIN + PACKED {
            self.drop_spent();
            let chunk = Chunk::of(self.plain, &self.times[..PACKED], &self.values[..PACKED]);
            self.times.drain(..PACKED);
            self.values.drain(..PACKED);
            self.plain = chunk.end();
            self.packed += chunk.bytes();
            self.chunks.push_back(chunk);
        } else {
            let more = eighth.max(8).min(PLAIN + PACKED - self.times.len());
            self.times.reserve_exact(more);
            self.values.reserve_exact(more);
        }
    }

    /// Drops plain samples that were given up.
    fn drop_spent(&mut self) {
        if self.chunks.is_empty() {
            self.times.drain(..self.spent);
            self.values.drain(..self.spent);
            self.plain += self.spent as u64;
            self.spent = 0;
        }
    }

    /// Takes out the newest sample.
    pub(crate) fn pop(&mut self) {
        if self.is_empty() {
            return;
        }
        self.times.pop();
        self.values.pop();
        if self.open >= self.end() {
            // The cell before begins again; where it was given up in part, with what is left of it.
            self.open = self.cells.pop_back().map_or(0, |cell| cell.begin).max(self.begin());
        }
        // The newest one is always a plain one.
        if self.times.is_empty()
            && let Some(chunk) = self.chunks.pop_back()
        {
            self.packed -= chunk.bytes();
            self.plain = chunk.begin;
            self.times.extend(chunk.times());
            chunk.values(&mut self.values);
        }
    }

    /// Gives up the samples up to a time, but for the newest where it is of `newest`. Says of when the last one was.
    pub(crate) fn give_up(&mut self, until: Time, newest: Time) -> Option<Time> {
        let keeps_newest = self.last().is_some_and(|last| last == newest);
        let end = self.place_after(until).min(self.end() - u64::from(keeps_newest));
        if end <= self.begin() {
            return None;
        }
        let last = self.between(end - 1, end).times.last().copied();
        while let Some(chunk) = self.chunks.front().filter(|chunk| chunk.end() <= end) {
            self.packed -= chunk.bytes();
            self.chunks.pop_front();
            self.spent = 0;
        }
        self.spent = (end - (self.begin() - self.spent as u64)) as usize;
        while self.cells.front().is_some_and(|cell| cell.end <= end) {
            self.cells.pop_front();
        }
        self.open = self.open.max(end);
        last
    }

    /// Gives up the oldest samples where the next one would need more room.
    pub(crate) fn make_room(&mut self) -> Option<Time> {
        if !self.is_full() || self.end() - self.begin() < 2 {
            return None;
        }
        match self.chunks.front() {
            Some(chunk) => self.give_up(chunk.last, chunk.last),
            None => {
                // So many that their place is used again.
                let eighth = (self.times.len() / 8).max(1);
                let last = self.times.get(eighth - 1).filter(|_| self.spent < eighth);
                last.copied().and_then(|last| self.give_up(last, Time::from_micros(i64::MAX)))
            }
        }
    }

    /// Returns room that is no longer used.
    pub(crate) fn shrink(&mut self) {
        self.drop_spent();
        self.times.shrink_to(self.times.len() + self.times.len() / 8);
        self.values.shrink_to(self.values.len() + self.values.len() / 8);
        self.chunks.shrink_to(self.chunks.len());
        self.cells.shrink_to(self.cells.len());
    }

    /// How many bytes it takes beside itself.
    pub(crate) fn bytes(&self) -> usize {
        self.times.capacity() * size_of::<Time>()
            + self.values.capacity() * size_of::<f64>()
            + self.cells.capacity() * size_of::<Cell>()
            + self.packed
    }

    /// The newest sample that is not later than a time.
    pub(crate) fn at(&self, time: Time) -> Option<(Time, f64)> {
        let end = self.place_after(time);
        let place = end.checked_sub(1).filter(|place| *place >= self.begin())?;
        self.between(place, end).samples().iter().last()
    }

    /// The samples in `(start, end]`.
    pub(crate) fn range(&self, start: Time, end: Time) -> Found<'_> {
        let to = self.place_after(end);
        self.between(self.place_after(start), to)
    }

    /// Sums up the samples in `(start, end]`, with at least so much detail.
    pub(crate) fn sum_up(&self, start: Time, end: Time, detail: Detail) -> Summary {
        let (mut place, to) = (self.place_after(start), self.place_after(end));
        // Windows mostly end now, and all cells from there back to their start are needed.
        let n_later = self.cells.iter().rev().take_while(|cell| cell.end > place).count();
        let mut summary = Summary::default();
        for cell in self.cells.range(self.cells.len() - n_later..).take_while(|cell| cell.begin < to) {
            if place < cell.begin {
                summary.merge(&Summary::of(self.between(place, cell.begin).samples(), detail));
                place = cell.begin;
            }
            if cell.begin == place && cell.end <= to {
                summary.merge(&cell.summary);
            } else {
                summary.merge(&Summary::of(self.between(place, cell.end.min(to)).samples(), detail));
            }
            place = cell.end.min(to);
        }
        summary.merge(&Summary::of(self.between(place, to).samples(), detail));
        summary
    }

    /// The samples from one place to another.
    fn between(&self, from: u64, to: u64) -> Found<'_> {
        let index = |place: u64| (place.saturating_sub(self.plain) as usize).min(self.times.len());
        let plain = index(from)..index(to.max(from));
        let (times, values) = (&self.times[plain.clone()], &self.values[plain]);
        if from >= self.plain {
            return Found { times: times.into(), values: values.into() };
        }
        let (mut all_times, mut all_values, mut unpacked) = (Vec::new(), Vec::new(), Vec::new());
        let first = self.chunks.partition_point(|chunk| chunk.end() <= from);
        for chunk in self.chunks.range(first..).take_while(|chunk| chunk.begin < to) {
            let skip = from.saturating_sub(chunk.begin) as usize;
            let end = chunk.len().min((to - chunk.begin) as usize);
            all_times.extend(chunk.times().take(end).skip(skip));
            unpacked.clear();
            chunk.values(&mut unpacked);
            all_values.extend_from_slice(&unpacked[skip.min(end)..end]);
        }
        all_times.extend_from_slice(times);
        all_values.extend_from_slice(values);
        Found { times: all_times.into(), values: all_values.into() }
    }

    /// The place after the last sample that is not later than a time, and not before the oldest that is kept.
    fn place_after(&self, time: Time) -> u64 {
        let is_plain = self.chunks.is_empty() || self.times.first().is_some_and(|first| *first <= time);
        let place = if is_plain {
            self.plain + self.until(time) as u64
        } else {
            let chunk = self.chunks.partition_point(|chunk| chunk.first <= time).checked_sub(1);
            match chunk.and_then(|chunk| self.chunks.get(chunk)) {
                Some(chunk) if chunk.last <= time => chunk.end(),
                Some(chunk) => chunk.begin + chunk.times().take_while(|sample| *sample <= time).count() as u64,
                None => 0,
            }
        };
        place.max(self.begin())
    }

    /// At which index the plain samples end that are not later than a time.
    fn until(&self, time: Time) -> usize {
        // Nearly always the window ends with the newest sample.
        if self.times.last().is_none_or(|last| *last <= time) {
            return self.times.len();
        }
        self.until_near(time)
    }

    /// As [`Series::until`]. What is asked for is mostly near the end, and samples are mostly as far apart as the last two,
    /// so the search begins where that would put it.
    fn until_near(&self, time: Time) -> usize {
        let times = &self.times[..];
        let [.., before, newest] = times else {
            return times.iter().filter(|sample| **sample <= time).count();
        };
        let (ahead, apart) = (newest.as_micros() - time.as_micros(), newest.as_micros() - before.as_micros());
        let back = usize::try_from(ahead / apart.max(1)).unwrap_or(0);
        let guess = (times.len() - 1).saturating_sub(back);
        // From there in steps that double, until the border lies between two of them.
        let mut step = 1;
        let (low, high) = if times[guess] > time {
            let mut high = guess;
            loop {
                let low = high.saturating_sub(step);
                if low == 0 || times[low] <= time {
                    break (low, high);
                }
                high = low;
                step *= 2;
            }
        } else {
            let mut low = guess + 1;
            loop {
                let high = (low + step).min(times.len());
                if high == times.len() || times[high] > time {
                    break (low, high);
                }
                low = high + 1;
                step *= 2;
            }
        };
        low + times[low..high].partition_point(|sample| *sample <= time)
    }
}

#[cfg(test)]
mod tests;
