//! The samples of one field, for graphs.

use std::sync::Arc;
use std::time::Duration;

use super::Error;
use crate::model::{SubjectKey, Time};
use crate::store::{PieceFilter, Reader, Stored};

/// Without a step, no more samples than these are given.
pub const MOST_SAMPLES: usize = 50_000;

/// Snapshots may come so much later than they were taken.
const LATE: Duration = Duration::from_secs(900);

/// Which samples, in engine time.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The subject.
    pub subject: SubjectKey,
    /// The field.
    pub field: String,
    /// At or after this time.
    pub from: Time,
    /// Before this time.
    pub until: Time,
}

/// What samples of a stretch of time come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When the stretch begins, or of when the only sample is.
    pub time: Time,
    /// Their mean.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

/// The number samples that a store has, in the order of their times.
///
/// # Errors
/// Where the store cannot be read. What is damaged is left out.
pub fn stored(store: Arc<dyn Reader>, asked: &Asked) -> Result<Vec<(Time, f64)>, Error> {
    let filter = PieceFilter {
        from: Some(asked.from - LATE),
        until: Some(asked.until + LATE),
        subject: Some(asked.subject.clone()),
        sealed: None,
    };
    let mut samples = Vec::new();
    for came in Stored::read(store, &filter)? {
        // A gap in the graph says so.
        let Ok(came) = came else { continue };
        for snapshot in came.snapshots.iter().filter(|snapshot| snapshot.subject == asked.subject) {
            let number = snapshot.fields.get(asked.field.as_str()).and_then(|value| value.as_number());
            if let Some(number) = number.filter(|number| number.is_finite())
                && asked.from <= snapshot.time
                && snapshot.time < asked.until
            {
                samples.push((snapshot.time, number));
            }
        }
    }
    samples.sort_by_key(|(time, _)| *time);
    samples.dedup_by_key(|(time, _)| *time);
    Ok(samples)
}

/// Sums up samples, which are in order, over stretches of a step each, which begin at multiples of it. Without a step each
/// sample is a point. Stretches without samples are no points.
pub fn downsample(samples: &[(Time, f64)], step: Option<Duration>) -> Vec<Point> {
    let step = step.map_or(0, |step| i64::try_from(step.as_micros()).unwrap_or(i64::MAX));
    if step == 0 {
        let point = |(time, value): &(Time, f64)| Point { time: *time, mean: *value, min: *value, max: *value };
        return samples.iter().map(point).collect();
    }
    let stretch = |time: Time| time.as_micros().div_euclid(step);
    let point = |samples: &[(Time, f64)]| {
        let values = || samples.iter().map(|(_, value)| *value);
        let time = samples.first().map_or(Time::EPOCH, |(time, _)| *time);
        Point {
            time: Time::from_micros(stretch(time).saturating_mul(step)),
            mean: values().map(|value| value / samples.len() as f64).sum(),
            min: values().fold(f64::INFINITY, f64::min),
            max: values().fold(f64::NEG_INFINITY, f64::max),
        }
    };
    samples.chunk_by(|(a, _), (b, _)| stretch(*a) == stretch(*b)).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_of_a_step_are_summed_up_and_gaps_stay_gaps() {
        let at = |secs: i64| Time::from_micros(secs * 1_000_000);
        let samples = [(at(1), 1.0), (at(9), 5.0), (at(10), 2.0), (at(35), -4.0)];
        let point = |time, mean, min, max| Point { time: at(time), mean, min, max };
        assert_eq!(
            downsample(&samples, Some(Duration::from_secs(10))),
            [point(0, 3.0, 1.0, 5.0), point(10, 2.0, 2.0, 2.0), point(30, -4.0, -4.0, -4.0)]
        );
        assert_eq!(downsample(&samples, None)[1], point(9, 5.0, 5.0, 5.0));
        assert_eq!(downsample(&[], Some(Duration::from_secs(10))), []);
        let huge = [(at(0), f64::MAX), (at(1), f64::MAX)];
        assert_eq!(downsample(&huge, Some(Duration::from_secs(10)))[0].mean, f64::MAX);
    }
}
