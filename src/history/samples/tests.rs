//! Values that numpy, scipy and pandas give (the vectors of `tests/oracle/vectors.py`), and some by hand.

use std::time::Duration;

use super::*;
use crate::history::Share;

fn at(secs: f64) -> Time {
    Time::from_micros((secs * 1e6) as i64)
}

fn ask(function: WindowFn, samples: &[(f64, f64)], length: f64) -> f64 {
    let times: Vec<Time> = samples.iter().map(|(secs, _)| at(*secs)).collect();
    let values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
    let samples = Samples { times: &times, values: &values };
    value(function, samples, &mut Vec::new(), (at(0.0), at(length))).unwrap()
}

#[test]
fn a_quantile_is_between_two_samples() {
    let values = [(1.0, 4.0), (2.0, 1.0), (3.0, 3.0), (4.0, 2.0)];
    let quantile = |share| ask(WindowFn::Quantile(Share::new(share).unwrap()), &values, 10.0);
    assert_eq!([0.0, 0.25, 0.5, 0.9, 1.0].map(quantile), [1.0, 1.75, 2.5, 3.7, 4.0]);
    assert_eq!(ask(WindowFn::Median, &values[..3], 10.0), 3.0);
    assert_eq!(ask(WindowFn::Median, &values[..1], 10.0), 4.0);
}

#[test]
fn a_line_goes_on() {
    let line = [(1.0, 10.0), (2.0, 12.0), (4.0, 16.0)];
    let near = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
    near(ask(WindowFn::Deriv, &line, 5.0), 2.0);
    for (ahead, expected) in [(0, 18.0), (10, 38.0)] {
        near(ask(WindowFn::Forecast(Duration::from_secs(ahead)), &line, 5.0), expected);
    }
    let flat = [(1.0, 0.1), (2.0, 0.1), (3.0, 0.1)];
    assert_eq!((ask(WindowFn::Deriv, &flat, 5.0), ask(WindowFn::Forecast(Duration::MAX), &flat, 5.0)), (0.0, 0.1));
}

#[test]
fn newer_samples_weigh_more() {
    // The half-life is 1 s: (1 * 4 + 2 * 2 + 4 * 1) / (1 + 2 + 4).
    let values = [(2.0, 4.0), (3.0, 2.0), (4.0, 1.0)];
    assert!((ask(WindowFn::Ewma, &values, 4.0) - 12.0 / 7.0).abs() < 1e-15);
}

#[test]
fn an_outlier_does_not_hide_itself() {
    let mut values: Vec<(f64, f64)> = (0..9).map(|n| (f64::from(n), f64::from(n % 3))).collect();
    values.push((9.0, 100.0));
    // The median is 1, the MAD 1.
    let robust = ask(WindowFn::RobustZscore, &values, 10.0);
    assert!((robust - 99.0 * MAD_OF_NORMAL).abs() < 1e-12, "{robust}");
}

#[test]
fn where_half_of_the_samples_are_the_same_the_mean_deviation_counts_and_what_never_moved_is_no_distance_away() {
    let values = [(1.0, 5.0), (2.0, 5.0), (3.0, 5.0), (4.0, 9.0)];
    let robust = ask(WindowFn::RobustZscore, &values, 5.0);
    assert!((robust - 4.0 * MEAN_DEVIATION_OF_NORMAL).abs() < 1e-12, "{robust}");
    assert_eq!(ask(WindowFn::RobustZscore, &values[..3], 5.0), 0.0);
}
