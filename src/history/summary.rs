//! What all window functions need to know of a stretch of number samples, in constant space.

use super::WindowFn;
use super::compensated::Compensated;
use super::promql::Slope;
use super::series::Samples;
use crate::model::Time;

/// The number samples of one field in one stretch, summed up in the order in which they came.
///
/// Sums are compensated (Neumaier 1974). The squares of the distances from the mean are added up in a second look at a
/// stretch, one by one where samples come one by one (Welford 1962), and put together by the formula of Chan, Golub and
/// LeVeque (1979): none of it loses digits where values are large and near each other, as counters and byte sizes are.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    count: usize,
    sum: Compensated,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
    first: (Time, f64),
    last: (Time, f64),
    before_resets: f64,
    resets: u32,
}

impl Default for Summary {
    fn default() -> Summary {
        Summary {
            count: 0,
            sum: Compensated::default(),
            mean: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            first: (Time::EPOCH, 0.0),
            last: (Time::EPOCH, 0.0),
            before_resets: 0.0,
            resets: 0,
        }
    }
}

/// How much of a stretch is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    /// The first and the last sample, how many there are, and resets.
    Ends,
    /// The sum, the least and the greatest value, too.
    Sums,
    /// The squares of the distances from the mean, too.
    Squares,
}

/// Additions that do not wait for each other.
const LANES: usize = 4;

/// The sum of some values.
fn sum(values: &[f64]) -> Compensated {
    let mut lanes = [Compensated::default(); LANES];
    let chunks = values.chunks_exact(LANES);
    let left = chunks.remainder();
    for chunk in chunks.chain([left]) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            lane.add(*value);
        }
    }
    let [mut sum, others @ ..] = lanes;
    others.into_iter().for_each(|other| sum.merge(other));
    sum
}

/// The sum of the squares of the distances from the mean.
fn squares(values: &[f64], mean: f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let left = chunks.remainder();
    for chunk in chunks.chain([left]) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += (value - mean) * (value - mean);
        }
    }
    lanes.iter().sum()
}

impl Summary {
    /// Sums up samples that are in the order of their times.
    pub(crate) fn of(samples: Samples<'_>, detail: Detail) -> Summary {
        let mut summary = Summary::default();
        let Samples { times, values } = samples;
        let ([first_time, ..], [first, ..]) = (times, values) else { return summary };
        summary.count = values.len();
        summary.first = (*first_time, *first);
        summary.last = (times.last().copied().unwrap_or(*first_time), values.last().copied().unwrap_or(*first));
        let falls = || values.iter().zip(&values[1..]).filter(|(before, after)| after < before);
        summary.resets = falls().count() as u32;
        if summary.resets > 0 {
            summary.before_resets = falls().map(|(before, _)| before).sum();
        }
        if detail == Detail::Ends {
            return summary;
        }
        for value in values {
            summary.min = if *value < summary.min { *value } else { summary.min };
            summary.max = if *value > summary.max { *value } else { summary.max };
        }
        summary.sum = sum(values);
        summary.mean = summary.mean();
        if !summary.mean.is_finite() {
            let count = summary.count as f64;
            summary.mean = values.iter().map(|value| value / count).sum();
        }
        if detail == Detail::Squares {
            summary.squares = squares(values, summary.mean);
        }
        summary
    }

    /// Adds a later stretch.
    pub(crate) fn merge(&mut self, later: &Summary) {
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            return *self = later.clone();
        }
        if later.first.1 < self.last.1 {
            self.before_resets += self.last.1;
            self.resets += 1;
        }
        self.before_resets += later.before_resets;
        self.resets += later.resets;
        self.last = later.last;
        let (before, added) = (self.count as f64, later.count as f64);
        let distance = later.mean - self.mean;
        self.squares += later.squares + distance * distance * before * added / (before + added);
        self.count += later.count;
        self.sum.merge(later.sum);
        let mean = self.mean();
        let all = before + added;
        self.mean = if mean.is_finite() { mean } else { self.mean * (before / all) + later.mean * (added / all) };
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
    }

    /// Adds the next sample. Where its time is before the last one's (the subject's clock went back), the stretch does
    /// not become shorter by it.
    pub(crate) fn add(&mut self, time: Time, value: f64) {
        if self.count == 0 {
            self.first = (time, value);
            self.last = (time, value);
        }
        if value < self.last.1 {
            self.before_resets += self.last.1;
            self.resets += 1;
        }
        self.last = (self.last.0.max(time), value);
        self.count += 1;
        self.sum.add(value);
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// How many samples there are.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    fn mean(&self) -> f64 {
        self.sum.total() / self.count as f64
    }

    /// What a function makes of at least as many samples as it needs, in a window from `start` to `end` in which the field's
    /// values of all types changed so often; `None` where it needs the samples themselves.
    pub(crate) fn value(&self, function: WindowFn, (start, end): (Time, Time), changes: usize) -> Option<f64> {
        let total = self.sum.total();
        let mean = || if total.is_finite() { total / self.count as f64 } else { self.mean };
        // The mean of equal values may be another one by its last digit.
        let stddev = || if self.min == self.max { 0.0 } else { (self.squares / self.count as f64).sqrt() };
        Some(match function {
            WindowFn::Avg => mean(),
            WindowFn::Min => self.min,
            WindowFn::Max => self.max,
            WindowFn::Sum => total,
            WindowFn::Count => self.count as f64,
            WindowFn::Stddev => stddev(),
            WindowFn::First => self.first.1,
            WindowFn::Last => self.last.1,
            WindowFn::Delta | WindowFn::Increase | WindowFn::Rate => {
                let slope =
                    Slope { first: self.first, last: self.last, count: self.count, before_resets: self.before_resets };
                slope.extrapolated(function, start, end)
            }
            WindowFn::Changes => changes as f64,
            WindowFn::Resets => f64::from(self.resets),
            WindowFn::Zscore => match stddev() {
                // What never moved is no distance away.
                0.0 => 0.0,
                stddev => (self.last.1 - mean()) / stddev,
            },
            WindowFn::Median
            | WindowFn::Quantile(_)
            | WindowFn::Deriv
            | WindowFn::Forecast(_)
            | WindowFn::Ewma
            | WindowFn::RobustZscore => return None,
        })
    }
}
