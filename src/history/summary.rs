//! What all window functions need to know of a stretch of number samples, in constant space.

use super::WindowFn;
use super::promql::Slope;
use crate::model::Time;

/// The number samples of one field in one stretch, summed up in the order in which they came.
///
/// Sums are compensated (Neumaier 1974), the variance is Welford's (1962): neither loses digits where values are large
/// and near each other, as counters and byte sizes are.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    count: usize,
    sum: f64,
    compensation: f64,
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
            sum: 0.0,
            compensation: 0.0,
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

impl Summary {
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
        let sum = self.sum + value;
        self.compensation +=
            if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
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

    /// What a function makes of at least as many samples as it needs, in a window from `start` to `end` in which the field's
    /// values of all types changed so often; `None` where it needs the samples themselves.
    pub(crate) fn value(&self, function: WindowFn, (start, end): (Time, Time), changes: usize) -> Option<f64> {
        let total = self.sum + self.compensation;
        let mean = || if total.is_finite() { total / self.count as f64 } else { self.mean };
        let stddev = || (self.squares / self.count as f64).sqrt();
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
