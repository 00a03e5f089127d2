//! A second implementation over plain lists, recomputed from scratch for each question.
//!
//! Where the world has an answer, it is that of the full history; it may say that history does not reach so far only
//! where a sample was old enough to be given up.

use proptest::prelude::*;

use super::*;
use crate::history::{Refusal, Share, Window, WindowFn};
use crate::model::NoData;

const STALE_AFTER: i64 = 600;
const MEMORY: i64 = 3600;
const DAY: i64 = 86_400;

/// One snapshot with fields `x` and `y`; seconds since START.
#[derive(Clone, Debug)]
pub(super) struct Push {
    pub(super) wait: i64,
    pub(super) skew: i64,
    pub(super) x: Option<Value>,
    pub(super) y: Option<Value>,
}

fn any_value() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        10 => (0_i32..50).prop_map(|number| Some(Value::Number(f64::from(number) / 4.0))),
        4 => (0_i32..2).prop_map(|number| Some(Value::Number(f64::from(number)))),
        3 => prop::sample::select(vec!["up", "down"]).prop_map(|text| Some(text.into())),
        2 => any::<bool>().prop_map(|bool| Some(bool.into())),
        1 => Just(Some(Value::Number(f64::NAN))),
        1 => Just(Some(Value::Number(f64::INFINITY))),
        2 => Just(None),
    ]
}

pub(super) fn any_push() -> impl Strategy<Value = Push> {
    let wait =
        prop_oneof![3 => Just(0_i64), 12 => 1_i64..60, 3 => 60_i64..500, 2 => 500_i64..2000, 1 => 20_000_i64..50_000];
    let skew = prop_oneof![12 => Just(0_i64), 2 => -20_i64..0, 1 => -3000_i64..-20, 1 => 0_i64..40];
    (wait, skew, any_value(), any_value()).prop_map(|(wait, skew, x, y)| Push { wait, skew, x, y })
}

#[derive(Clone, Debug)]
struct Sample {
    time: i64,
    arrived: i64,
    x: Option<Value>,
    y: Option<Value>,
}

#[derive(Default)]
struct Naive {
    /// What was taken, in the order of arrival; what was replaced is not here.
    came: Vec<Sample>,
    /// The same in the order of time: what a clock that went back contradicts is not here.
    ordered: Vec<Sample>,
    arrivals: Vec<i64>,
    clock_went_back: bool,
    /// Samples up to this time may have been given up.
    horizon: i64,
}

/// Every function, with some arguments.
fn all_functions() -> Vec<WindowFn> {
    let shares = [0.0, 0.5, 0.95, 1.0].map(|share| WindowFn::Quantile(Share::new(share).unwrap()));
    let forecasts = [0, 600].map(|ahead| WindowFn::Forecast(secs(ahead)));
    WindowFn::PLAIN.into_iter().chain(shares).chain(forecasts).collect()
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    below + (above - below) * rank.fract()
}

/// The slope of the least squares line, and the point of the means through which it goes.
fn line(numbers: &[(i64, f64)]) -> (f64, (f64, f64)) {
    let n = numbers.len() as f64;
    let x = numbers.iter().map(|(time, _)| *time as f64).sum::<f64>() / n;
    let y = numbers.iter().map(|(_, value)| *value).sum::<f64>() / n;
    let xy: f64 = numbers.iter().map(|(time, value)| (*time as f64 - x) * (value - y)).sum();
    let xx: f64 = numbers.iter().map(|(time, _)| (*time as f64 - x).powi(2)).sum();
    (xy / xx, (x, y))
}

impl Naive {
    fn push(&mut self, now: i64, sample: Sample) -> Result<bool, Refusal> {
        if sample.time > now + 30 {
            return Err(Refusal::Ahead);
        }
        if let Some(newest) = self.came.last().cloned() {
            let is_stale = self.arrivals.last().unwrap() + STALE_AFTER <= now;
            if sample.time < newest.time && !is_stale {
                return Err(Refusal::Late { newest: at(newest.time) });
            }
            if sample.time == newest.time {
                if (&newest.x, &newest.y) == (&sample.x, &sample.y) {
                    return Ok(false);
                }
                self.came.pop();
                self.ordered.pop();
            }
            if sample.time < newest.time {
                self.clock_went_back = true;
                self.ordered.retain(|known| known.time < sample.time);
            }
        }
        self.horizon = self.horizon.max(sample.time - MEMORY - STALE_AFTER);
        self.came.push(sample.clone());
        self.ordered.push(sample);
        self.arrivals.push(now);
        Ok(true)
    }

    fn numbers(samples: &[&Sample]) -> Vec<(i64, f64)> {
        let number = |sample: &&Sample| Some((sample.time, sample.x.as_ref()?.as_number()?));
        samples.iter().filter_map(number).filter(|(_, number)| number.is_finite()).collect()
    }

    fn readable(samples: &[&Sample]) -> Vec<Value> {
        let values = samples.iter().filter_map(|sample| sample.x.clone());
        values.filter(|value| value.as_number().is_none_or(f64::is_finite)).collect()
    }

    /// `Err(have)` where there are too few samples.
    fn answer(function: WindowFn, samples: &[&Sample], from: i64, to: i64) -> Result<f64, usize> {
        let numbers = Naive::numbers(samples);
        let values: Vec<f64> = numbers.iter().map(|(_, number)| *number).collect();
        let readable = Naive::readable(samples);
        let have = if function == WindowFn::Changes { readable.len().min(1) } else { values.len() };
        if have < function.needs() {
            return Err(have);
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        Ok(match function {
            WindowFn::Avg => mean,
            WindowFn::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            WindowFn::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            WindowFn::Sum => values.iter().sum(),
            WindowFn::Count => count,
            WindowFn::Stddev => (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt(),
            WindowFn::First => values[0],
            WindowFn::Last => values[values.len() - 1],
            WindowFn::Median => quantile(&values, 0.5),
            WindowFn::Quantile(share) => quantile(&values, share.get()),
            WindowFn::Resets => values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64,
            WindowFn::Zscore => {
                let stddev = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
                if values.iter().all(|v| *v == values[0]) { 0.0 } else { (values[values.len() - 1] - mean) / stddev }
            }
            WindowFn::RobustZscore => {
                let median = quantile(&values, 0.5);
                let distances: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
                let mad = quantile(&distances, 0.5) / 0.674_489_750_196_081_7;
                let spread =
                    if mad == 0.0 { distances.iter().sum::<f64>() / count * 1.253_314_137_315_500_3 } else { mad };
                if spread == 0.0 { 0.0 } else { (values[values.len() - 1] - median) / spread }
            }
            WindowFn::Ewma => {
                let half_life = (to - from) as f64 / 4.0;
                let newest = numbers[numbers.len() - 1].0;
                let weight = |time: i64| 0.5_f64.powf((newest - time) as f64 / half_life);
                let weighted: f64 = numbers.iter().map(|(time, value)| weight(*time) * value).sum();
                weighted / numbers.iter().map(|(time, _)| weight(*time)).sum::<f64>()
            }
            WindowFn::Deriv => line(&numbers).0,
            WindowFn::Forecast(ahead) => {
                let (slope, (x, y)) = line(&numbers);
                y + slope * (to as f64 + ahead.as_secs_f64() - x)
            }
            WindowFn::Changes => readable.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64,
            WindowFn::Delta | WindowFn::Increase | WindowFn::Rate => {
                let is_counter = function != WindowFn::Delta;
                let mut change = values[values.len() - 1] - values[0];
                if is_counter {
                    change += values.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[0]).sum::<f64>();
                }
                let sampled = (numbers[numbers.len() - 1].0 - numbers[0].0) as f64;
                let mean_distance = sampled / (count - 1.0);
                let mut to_start = (numbers[0].0 - from) as f64;
                let mut to_end = (to - numbers[numbers.len() - 1].0) as f64;
                if is_counter && change > 0.0 && values[0] >= 0.0 {
                    to_start = to_start.min(sampled * (values[0] / change));
                }
                for distance in [&mut to_start, &mut to_end] {
                    if *distance >= mean_distance * 1.1 {
                        *distance = mean_distance / 2.0;
                    }
                }
                let per = if function == WindowFn::Rate { (to - from) as f64 } else { 1.0 };
                change * (sampled + to_start + to_end) / sampled / per
            }
        })
    }

    fn check_spans(&self, world: &World, asked: i64) -> Result<(), TestCaseError> {
        let a = id(world);
        let t = asked.max(self.came.last().unwrap().time);
        for (length, ago) in [(30, 0), (300, 0), (300, 60), (3000, 0), (3600, 1800), (20_000, 0)] {
            let (from, to) = (t - ago - length, t - ago);
            let samples: Vec<&Sample> = self.ordered.iter().filter(|s| s.time > from && s.time <= to).collect();
            for function in all_functions() {
                let window = Window::Span { length: secs(length as u64), ago: secs(ago as u64) };
                let got = world.window(a, function, "x", window, now(asked));
                let expected = Naive::answer(function, &samples, from, to);
                let what = format!("{} at {asked}", function.question("x", window));
                if function == WindowFn::Changes && (self.clock_went_back || expected == Err(0) && got == Ok(0.0)) {
                    // Inside a run of one text it is known that nothing changed.
                    continue;
                }
                match (&got, expected) {
                    (Err(NoData::BeyondHistory { .. }), _) => {
                        let given_up = self.came.iter().any(|s| s.time > from && s.time <= self.horizon);
                        prop_assert!(given_up, "{what}: nothing of it was given up");
                    }
                    (Err(NoData::TooFewSamples { have, .. }), Err(expected)) => {
                        prop_assert_eq!(*have, expected, "{}", what)
                    }
                    (Ok(got), Ok(expected)) => {
                        prop_assert!((got - expected).abs() < 1e-6, "{what}: {got} is not {expected}");
                    }
                    (got, expected) => prop_assert!(false, "{what}: {got:?} is not {expected:?}"),
                }
            }
        }
        Ok(())
    }

    fn check_days(&self, world: &World, asked: i64) -> Result<(), TestCaseError> {
        let day_of = |secs: i64| (START + secs).div_euclid(DAY);
        for ago in 0..=8_i64 {
            let today = day_of(asked);
            let samples: Vec<&Sample> = self.came.iter().filter(|s| day_of(s.time) == today - ago).collect();
            let from = (today - ago) * DAY - START;
            let to = (from + DAY).min(asked.max(self.came.last().unwrap().time));
            for function in all_functions() {
                let is_slope = matches!(function, WindowFn::Delta | WindowFn::Increase | WindowFn::Rate);
                // What needs the samples themselves has them in their order, and for as long as they are kept.
                if (is_slope || function.reads_samples()) && self.clock_went_back {
                    continue;
                }
                let window = Window::Day { ago: ago as u32 };
                let what = format!("{} at {asked}", function.question("x", window));
                match (
                    world.window(id(world), function, "x", window, now(asked)),
                    Naive::answer(function, &samples, from, to),
                ) {
                    (Err(NoData::BeyondHistory { .. }), _)
                        if ago == 8 || function.reads_samples() && from <= self.horizon => {}
                    (Err(NoData::TooFewSamples { .. }), Err(_)) => {}
                    (Ok(got), Ok(expected)) => {
                        prop_assert!((got - expected).abs() < 1e-6, "{what}: {got} is not {expected}");
                    }
                    (got, expected) => prop_assert!(false, "{what}: {got:?} is not {expected:?}"),
                }
            }
        }
        Ok(())
    }

    fn check_ago(&self, world: &World, asked: i64) -> Result<(), TestCaseError> {
        let t = asked.max(self.came.last().unwrap().time);
        for ago in [0, 10, 45, 300, 1000, 3600, 9000] {
            let when = t - ago;
            let newest = self.ordered.last().filter(|s| s.time <= when);
            let readable = |s: &&Sample| s.x.as_ref().is_some_and(|v| v.as_number().is_none_or(f64::is_finite));
            let found = newest.or_else(|| self.ordered.iter().rfind(|s| s.time <= when && readable(s)));
            let found = found.filter(|s| s.time >= when - STALE_AFTER);
            let got = world.ago(id(world), "x", secs(ago as u64), now(asked));
            let what = format!("{ago} s ago at {asked}: {got:?} is not of {found:?}");
            match (&got, found.map(|s| &s.x)) {
                (Err(NoData::BeyondHistory { .. }), _) => prop_assert!(when - STALE_AFTER <= self.horizon, "{what}"),
                (Err(NoData::TooFewSamples { .. }), None) | (Err(NoData::FieldMissing { .. }), Some(None)) => {}
                (Err(NoData::NotFinite { .. }), Some(Some(Value::Number(number)))) => {
                    prop_assert!(!number.is_finite(), "{what}");
                }
                (Ok(got), Some(Some(expected))) => prop_assert_eq!(got, expected, "{}", what),
                _ => prop_assert!(false, "{what}"),
            }
        }
        Ok(())
    }

    fn check_held_and_absent(&self, world: &World, asked: i64) -> Result<(), TestCaseError> {
        let a = id(world);
        let newest = self.came.last().unwrap();
        if let Some(value) = newest.x.as_ref().filter(|value| value.as_number().is_none_or(f64::is_finite)) {
            let first = self.came.iter().rev().take_while(|s| s.x.as_ref() == Some(value)).last().unwrap();
            prop_assert_eq!(world.held(a, "x", value, now(asked)), Ok((asked - first.arrived) as f64));
            prop_assert_eq!(world.held(a, "x", &"other".into(), now(asked)), Ok(0.0));
        }
        for (length, ago) in [(30, 0), (600, 0), (600, 300), (3600, 0), (30_000, 0)] {
            let (from, to) = (asked - ago - length, asked - ago);
            let window = Window::Span { length: secs(length as u64), ago: secs(ago as u64) };
            let any = self.arrivals.iter().any(|arrival| *arrival > from && *arrival <= to);
            let got = world.absent(a, window, now(asked));
            match &got {
                Ok(absent) => prop_assert_eq!(*absent, !any),
                Err(NoData::NotWatchedLongEnough { .. }) => prop_assert!(!any && from < self.arrivals[0]),
                Err(NoData::BeyondHistory { .. }) => prop_assert!(ago > 0 && from <= asked - MEMORY - STALE_AFTER),
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn the_world_answers_as_a_plain_list_would(pushes in prop::collection::vec(any_push(), 1..60), pause in 0_i64..500) {
        let limits = Limits { memory: secs(MEMORY as u64), ..Limits::default() };
        let mut world = world_with(limits);
        let mut naive = Naive { horizon: i64::MIN, ..Naive::default() };
        let mut clock = 0;
        for Push { wait, skew, x, y } in pushes {
            clock += wait;
            let time = clock + skew;
            let fields = [("x", x.clone()), ("y", y.clone())];
            let fields: Vec<(&str, Value)> = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            let source = Source { name: "push".into(), stale_after: secs(STALE_AFTER as u64) };
            let batch = Batch { source, snapshots: vec![snapshot("s", "a", time, &fields)], complete: Vec::new() };
            let report = world.ingest(now(clock), &batch);
            let old_arrived = naive.came.last().filter(|newest| newest.time == time && newest.x == x).map(|s| s.arrived);
            match naive.push(clock, Sample { time, arrived: old_arrived.unwrap_or(clock), x, y }) {
                Ok(true) => prop_assert_eq!(report.taken, 1),
                Ok(false) => prop_assert_eq!(report.duplicates, 1),
                Err(refusal) => prop_assert_eq!(report.refused, [(0, refusal)]),
            }
            if !naive.came.is_empty() && world.ever_had(id(&world), "x") && !world.is_stale(id(&world), now(clock)) {
                naive.check_spans(&world, clock)?;
                naive.check_held_and_absent(&world, clock)?;
            }
        }
        let Some(a) = world.find("s", "a") else { return Ok(()) };
        clock += pause;
        if !world.ever_had(a, "x") {
            prop_assert_eq!(world.held(a, "x", &true.into(), now(clock)), Err(NoData::NeverHad { field: "x".into() }));
            return Ok(());
        }
        naive.check_held_and_absent(&world, clock)?;
        if world.is_stale(a, now(clock)) {
            let got = world.window(a, WindowFn::Count, "x", Window::Day { ago: 0 }, now(clock));
            prop_assert!(matches!(got, Err(NoData::Stale { .. })), "{got:?}");
            return Ok(());
        }
        naive.check_spans(&world, clock)?;
        naive.check_days(&world, clock)?;
        naive.check_ago(&world, clock)?;
    }
}
