//! What all window functions need to know of a stretch of number samples, in constant space.

use super::promql::Slope;
use super::{Window, WindowFn};
use crate::model::{NoData, Time};

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

    /// The function's answer for the window of `field`, which is from `start` to `end`. `changes` are those of the
    /// field's values of all types, and of how many samples.
    pub(crate) fn answer(
        &self,
        function: WindowFn,
        (field, window): (&str, Window),
        (start, end): (Time, Time),
        changes: (usize, usize),
    ) -> Result<f64, NoData> {
        let have = if function == WindowFn::Changes { changes.1 } else { self.count };
        if have < function.needs() {
            let question = function.question(field, window);
            return Err(NoData::TooFewSamples { question, have, need: function.needs() });
        }
        let total = self.sum + self.compensation;
        let answer = match function {
            WindowFn::Avg if total.is_finite() => total / self.count as f64,
            WindowFn::Avg => self.mean,
            WindowFn::Min => self.min,
            WindowFn::Max => self.max,
            WindowFn::Sum => total,
            WindowFn::Count => self.count as f64,
            WindowFn::Stddev => (self.squares / self.count as f64).sqrt(),
            WindowFn::First => self.first.1,
            WindowFn::Last => self.last.1,
            WindowFn::Delta | WindowFn::Increase | WindowFn::Rate => {
                let slope =
                    Slope { first: self.first, last: self.last, count: self.count, before_resets: self.before_resets };
                slope.extrapolated(function, start, end)
            }
            WindowFn::Changes => changes.0 as f64,
        };
        match answer.is_finite() {
            true => Ok(answer),
            false => Err(NoData::NotFinite { origin: function.question(field, window) }),
        }
    }
}
