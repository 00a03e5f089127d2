//! `delta`, `increase` and `rate` as PromQL has them.
//!
//! Source: `extrapolatedRate` in Prometheus 2.42's `promql/functions.go`. Samples rarely fall on a window's borders, so
//! the change between the first and the last sample is extrapolated to the window: up to a border that is nearer than
//! 1.1 times the mean distance of the samples, else by half of that distance, because then the series is taken to begin
//! or end inside the window. A counter is never extrapolated to before the time at which it would have been zero.

use super::WindowFn;
use crate::model::Time;

/// What the three functions need to know of the samples in a window: a day's summary can say it as well as the samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slope {
    /// The first sample.
    pub(crate) first: (Time, f64),
    /// The last sample.
    pub(crate) last: (Time, f64),
    /// How many samples there are, at least 2.
    pub(crate) count: usize,
    /// The sum of the values just before each reset of a counter.
    pub(crate) before_resets: f64,
}

impl Slope {
    /// The function's value over the window from `start` to `end`.
    pub(crate) fn extrapolated(&self, function: WindowFn, start: Time, end: Time) -> f64 {
        let is_counter = !matches!(function, WindowFn::Delta);
        let mut change = self.last.1 - self.first.1;
        if is_counter {
            change += self.before_resets;
        }
        let sampled = seconds(self.first.0, self.last.0);
        let mut to_start = seconds(start, self.first.0).max(0.0);
        let to_end = seconds(self.last.0, end).max(0.0);
        let mean_distance = sampled / (self.count - 1) as f64;
        if is_counter && change > 0.0 && self.first.1 >= 0.0 {
            to_start = to_start.min(sampled * (self.first.1 / change));
        }
        let reach = |distance: f64| if distance < mean_distance * 1.1 { distance } else { mean_distance / 2.0 };
        // The samples of a subject whose clock went back may all have one time: then there is nothing to extrapolate by.
        let mut factor = if sampled > 0.0 { (sampled + reach(to_start) + reach(to_end)) / sampled } else { 1.0 };
        if function == WindowFn::Rate {
            factor /= seconds(start, end);
        }
        change * factor
    }
}

/// Seconds from one time to a later one; negative where it is earlier.
pub(super) fn seconds(from: Time, to: Time) -> f64 {
    to.as_micros().saturating_sub(from.as_micros()) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    fn slope(samples: &[(i64, f64)]) -> Slope {
        let before_resets = samples.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[0].1).sum();
        let end = |sample: &(i64, f64)| (at(sample.0), sample.1);
        Slope {
            first: end(samples.first().unwrap()),
            last: end(samples.last().unwrap()),
            count: samples.len(),
            before_resets,
        }
    }

    #[test]
    fn slopes_are_extrapolated_as_prometheus_does() {
        use WindowFn::{Delta, Increase, Rate};
        // The window is (0 s, 60 s]; each answer was worked out by hand from the algorithm.
        type Case<'a> = (&'a str, &'a [(i64, f64)], WindowFn, f64);
        let cases: [Case<'_>; 11] = [
            // 40 s sampled, 10 s to either border, both under 11 s: times 60/40.
            (
                "both borders are near",
                &[(10, 100.0), (20, 110.0), (30, 120.0), (40, 130.0), (50, 140.0)],
                Increase,
                60.0,
            ),
            ("a rate is per second", &[(10, 100.0), (20, 110.0), (30, 120.0), (40, 130.0), (50, 140.0)], Rate, 1.0),
            // 20 s sampled; 30 s to the start is too far: half of 10 s. The end is 10 s away: times 35/20.
            ("a far start reaches half a distance", &[(30, 100.0), (40, 110.0), (50, 120.0)], Increase, 35.0),
            ("a far end reaches half a distance", &[(10, 100.0), (20, 110.0), (30, 120.0)], Increase, 35.0),
            // 4 of 40 in 40 s: zero was 4 s before the first sample: times (40 + 4 + 10) / 40.
            (
                "a counter is not extrapolated below zero",
                &[(10, 4.0), (20, 14.0), (30, 24.0), (50, 44.0)],
                Increase,
                54.0,
            ),
            ("a counter that begins at zero begins there", &[(10, 0.0), (30, 20.0), (50, 40.0)], Increase, 50.0),
            // A gauge may have been negative: 10 s to both borders.
            ("a gauge is extrapolated below zero", &[(10, 4.0), (30, 24.0), (50, 44.0)], Delta, 60.0),
            // 100 -> 110, reset, 5 -> 15: 15 - 100 + 110 = 25 in 30 s; 10 s and 20 s: 20 s is too far: (30 + 10 + 5) / 30.
            ("a reset counts from zero", &[(10, 100.0), (20, 110.0), (30, 5.0), (40, 15.0)], Increase, 37.5),
            ("a gauge falls", &[(10, 100.0), (20, 110.0), (30, 5.0), (40, 15.0)], Delta, -127.5),
            ("nothing changes", &[(10, 7.0), (20, 7.0)], Rate, 0.0),
            // The sample on the end border: nothing to reach there. 50 s, 10 s to the start.
            ("a sample on the border", &[(10, 100.0), (20, 110.0), (40, 130.0), (60, 150.0)], Increase, 60.0),
        ];
        for (what, samples, function, expected) in cases {
            let got = slope(samples).extrapolated(function, at(0), at(60));
            assert!((got - expected).abs() < 1e-9, "{what}: {got} is not {expected}");
        }
    }
}
