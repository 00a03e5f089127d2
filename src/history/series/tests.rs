//! Windows over plain lists, and what must not matter.

use proptest::prelude::*;

use super::*;
use crate::history::WindowFn;

fn at(secs: i64) -> Time {
    Time::from_micros(secs * 1_000_000)
}

#[derive(Clone, Debug)]
enum Change {
    /// After so many seconds.
    Push(i64, f64),
    Pop,
    GiveUp,
}

fn change() -> impl Strategy<Value = Change> {
    let value = prop_oneof![(-1000_i32..1000).prop_map(f64::from), -1e6..1e6_f64];
    prop_oneof![
        12 => (prop_oneof![8 => 1_i64..40, 1 => 1_i64..2000], value).prop_map(|(wait, value)| Change::Push(wait, value)),
        1 => Just(Change::Pop),
        1 => Just(Change::GiveUp),
    ]
}

#[test]
fn what_makes_room_before_each_sample_takes_no_more() {
    for n_before in [5, 8, 20, 24, 200] {
        let mut series = Series::default();
        (0..n_before).for_each(|n| series.push(at(n), n as f64));
        let mut most = series.bytes();
        for n in n_before..n_before + 500 {
            series.make_room();
            series.push(at(n), n as f64);
            if n < n_before + 100 {
                most = most.max(series.bytes());
            }
            assert!(series.bytes() <= most, "{n_before}: {} after {n}, {most} before", series.bytes());
        }
        assert_eq!(series.at(at(n_before + 499)), Some((at(n_before + 499), (n_before + 499) as f64)));
    }
}

proptest! {
    #[test]
    fn windows_sum_up_what_lies_in_them(changes in prop::collection::vec(change(), 1..200), ends in prop::collection::vec(0_i64..8000, 8)) {
        let (mut series, mut plain, mut now) = (Series::default(), Vec::<(Time, f64)>::new(), 0);
        for change in changes {
            match change {
                Change::Push(wait, value) => {
                    now += wait;
                    series.push(at(now), value);
                    plain.push((at(now), value));
                }
                Change::Pop if plain.len() > 1 => {
                    series.pop();
                    plain.pop();
                }
                Change::GiveUp if plain.len() > 1 => {
                    let newest = Time::from_micros(i64::MAX);
                    prop_assert_eq!(series.give_up(plain[0].0, newest), Some(plain.remove(0).0));
                }
                Change::Pop | Change::GiveUp => {}
            }
        }
        prop_assert_eq!((series.end() - series.begin()) as usize, plain.len());
        for end in ends {
            for length in [10, 300, 301, 1000, 5000] {
                let (start, end) = (at(now - end - length), at(now - end));
                let inside: Vec<_> = plain.iter().copied().filter(|(time, _)| *time > start && *time <= end).collect();
                prop_assert_eq!(series.range(start, end).samples().iter().collect::<Vec<_>>(), inside.clone());
                prop_assert_eq!(series.at(end), plain.iter().rfind(|(time, _)| *time <= end).copied());
                let mut expected = Summary::default();
                inside.iter().for_each(|(time, value)| expected.add(*time, *value));
                let got = series.sum_up(start, end, Detail::Squares);
                prop_assert_eq!(got.count(), inside.len());
                for function in WindowFn::PLAIN.into_iter().filter(|function| inside.len() >= function.needs()) {
                    let (Some(got), Some(expected)) =
                        (got.value(function, (start, end), 0), expected.value(function, (start, end), 0)) else { continue };
                    prop_assert!((got - expected).abs() <= 1e-6, "{function:?}: {got} is not {expected}");
                }
            }
        }
    }

    #[test]
    fn sums_take_less_room_than_their_samples(distance in 1_i64..4000, count in 200_usize..1000) {
        let mut series = Series::default();
        (0..count).for_each(|n| series.push(at(distance * n as i64), 1.0));
        let most = count / (SAMPLES as usize) + 1;
        prop_assert!(series.cells.len() <= most, "{} cells of {count}", series.cells.len());
        prop_assert!(series.cells.len() >= count / 1000);
    }

    #[test]
    fn what_never_moves_has_no_deviation(value in -1e6..1e6_f64, distances in prop::collection::vec(1_i64..60, 2..300)) {
        let (mut series, mut now) = (Series::default(), 0);
        for distance in distances {
            now += distance;
            series.push(at(now), value);
        }
        let summary = series.sum_up(at(0), at(now), Detail::Squares);
        for function in [WindowFn::Stddev, WindowFn::Zscore] {
            prop_assert_eq!(summary.value(function, (at(0), at(now)), 0), Some(0.0));
        }
    }

    #[test]
    fn sums_do_not_tell_since_when_samples_are_kept(
        samples in prop::collection::vec((prop_oneof![20 => 5_i64..15, 4 => 40_i64..80, 1 => 300_i64..4000], -1e6..1e6_f64), 2..400),
        lost in 0_usize..200,
    ) {
        let (mut now, lost) = (0, lost.min(samples.len() - 1));
        let (mut all, mut some, mut start) = (Series::default(), Series::default(), at(0));
        for (n, (distance, value)) in samples.into_iter().enumerate() {
            now += distance;
            all.push(at(now), value);
            if n < lost {
                start = at(now);
            } else {
                some.push(at(now), value);
            }
        }
        let end = at(now);
        prop_assert_eq!(format!("{:?}", all.sum_up(start, end, Detail::Squares)), format!("{:?}", some.sum_up(start, end, Detail::Squares)));
    }
}
