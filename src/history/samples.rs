//! Functions that need each sample of a window.
//!
//! `deriv` and `forecast` are PromQL's `deriv` and `predict_linear` (source: `linearRegression` in Prometheus 2.42's
//! `promql/functions.go`): a least squares line with compensated sums. A quantile interpolates between the two samples
//! around it (Hyndman and Fan's type 7), as PromQL's `quantile_over_time` and numpy do.

use super::WindowFn;
use super::compensated::Compensated;
use super::promql::seconds;
use super::series::Samples;
use crate::model::Time;

/// The half-life of `ewma` is a window's length by this: its oldest samples weigh a sixteenth.
const HALF_LIVES: f64 = 4.0;

/// MAD of a normal distribution with a standard deviation of 1, and its mean absolute deviation (Iglewicz and Hoaglin
/// 1993).
const MAD_OF_NORMAL: f64 = 0.674_489_750_196_081_7;
const MEAN_DEVIATION_OF_NORMAL: f64 = 0.797_884_560_802_865_4;

/// What a function makes of at least as many samples as it needs, which are in the order of their times, in a window from
/// `start` to `end`; `None` where what they sum up to says it. `room` is for values in another order.
pub(crate) fn value(
    function: WindowFn,
    samples: Samples<'_>,
    room: &mut Vec<f64>,
    (start, end): (Time, Time),
) -> Option<f64> {
    let (first, last) = (samples.times.first()?, samples.values.last()?);
    if matches!(function, WindowFn::Median | WindowFn::Quantile(_) | WindowFn::RobustZscore) {
        room.clear();
        room.extend(samples.values);
    }
    match function {
        WindowFn::Median => Some(quantile(room, 0.5)),
        WindowFn::Quantile(share) => Some(quantile(room, share.get())),
        WindowFn::Deriv => Some(Line::through(samples, *first).slope),
        WindowFn::Forecast(ahead) => {
            let line = Line::through(samples, end);
            Some(line.slope * ahead.as_secs_f64() + line.intercept)
        }
        WindowFn::Ewma => Some(ewma(samples, seconds(start, end) / HALF_LIVES)),
        WindowFn::RobustZscore => Some(robust_zscore(room, *last)),
        _ => None,
    }
}

/// The quantile of some values, which are put into another order. NaN of none.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    let Some(top) = values.len().checked_sub(1) else { return f64::NAN };
    let rank = share * top as f64;
    let lower = (rank.floor() as usize).min(top);
    let weight = rank - rank.floor();
    let (_, below, above) = values.select_nth_unstable_by(lower, f64::total_cmp);
    let below = *below;
    let above = above.iter().copied().min_by(f64::total_cmp).unwrap_or(below);
    below * (1.0 - weight) + above * weight
}

/// A least squares line.
struct Line {
    /// Per second.
    slope: f64,
    /// Its value at the time from which it is seen.
    intercept: f64,
}

impl Line {
    /// The line through samples, seen from a time.
    fn through(samples: Samples<'_>, origin: Time) -> Line {
        let constant = samples.values.first().copied().unwrap_or(f64::NAN);
        if samples.values.iter().all(|value| *value == constant) {
            return Line { slope: 0.0, intercept: constant };
        }
        let [mut x, mut y, mut xy, mut xx] = [Compensated::default(); 4];
        for (time, value) in samples.iter() {
            let at = seconds(origin, time);
            x.add(at);
            y.add(value);
            xy.add(at * value);
            xx.add(at * at);
        }
        let n = samples.values.len() as f64;
        let [x, y, xy, xx] = [x, y, xy, xx].map(Compensated::total);
        let slope = (xy - x * y / n) / (xx - x * x / n);
        Line { slope, intercept: y / n - slope * x / n }
    }
}

/// The mean in which a sample weighs half as much as one that is a half-life newer.
fn ewma(samples: Samples<'_>, half_life: f64) -> f64 {
    let Some(newest) = samples.times.last() else { return f64::NAN };
    let (mut sum, mut weights) = (0.0, 0.0);
    for (time, value) in samples.iter() {
        let weight = (-seconds(time, *newest) / half_life).exp2();
        sum += weight * value;
        weights += weight;
    }
    sum / weights
}

/// How many standard deviations a value is from the median, estimated by the median absolute deviation; where that is 0
/// (half of the values are the same), by the mean absolute deviation.
fn robust_zscore(values: &mut [f64], value: f64) -> f64 {
    let median = quantile(values, 0.5);
    let distance = value - median;
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    let mean_deviation = values.iter().sum::<f64>() / values.len() as f64;
    let spread = match quantile(values, 0.5) {
        0.0 => mean_deviation / MEAN_DEVIATION_OF_NORMAL,
        mad => mad / MAD_OF_NORMAL,
    };
    // What never moved is no distance away.
    if spread == 0.0 { 0.0 } else { distance / spread }
}

#[cfg(test)]
mod tests;
