//! Subjects of a rule test: fields with a course over time, sampled as a collector would.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::series::Sample;
use crate::model::{Labels, Snapshot, SubjectKey, Time, Value};

/// How the value of one field goes.
#[derive(Clone, Debug)]
pub(crate) enum Course {
    /// It stays.
    Fixed(Value),
    /// It rises for ever.
    Climb {
        /// The value at `since`.
        from: f64,
        /// How much it rises in a second.
        per_second: f64,
        /// When it began.
        since: Time,
    },
    /// It goes straight to a value, and stays there.
    Ramp {
        /// The value at `since`.
        from: f64,
        /// Where it goes.
        to: f64,
        /// When it began.
        since: Time,
        /// How long it takes.
        length: Duration,
    },
    /// One after the other; afterwards the field is missing.
    Series {
        /// What is still to come.
        samples: VecDeque<Sample>,
        /// The newest, and when it was taken: a second sample at the same time is the same.
        newest: Option<(Time, Sample)>,
    },
}

impl Course {
    /// The value that the next course starts from, where it is a number.
    fn number(&self, now: Time) -> Option<f64> {
        match self {
            Course::Fixed(value) => value.as_number(),
            Course::Climb { from, per_second, since } => Some(from + per_second * now.since(*since).as_secs_f64()),
            Course::Ramp { from, to, since, length } => {
                let passed = now.since(*since);
                if passed >= *length {
                    return Some(*to);
                }
                Some(from + (to - from) * passed.as_secs_f64() / length.as_secs_f64())
            }
            Course::Series { newest, .. } => match newest {
                Some((_, Sample::Value(value))) => value.as_number(),
                Some((_, Sample::Missing | Sample::Stale)) | None => None,
            },
        }
    }

    fn sample(&mut self, now: Time) -> Sample {
        match self {
            Course::Fixed(value) => Sample::Value(value.clone()),
            Course::Series { samples, newest } => {
                let taken = newest.take().filter(|(time, _)| *time == now).map(|(_, sample)| sample);
                let sample = taken.or_else(|| samples.pop_front()).unwrap_or(Sample::Missing);
                *newest = Some((now, sample.clone()));
                sample
            }
            Course::Climb { .. } | Course::Ramp { .. } => {
                self.number(now).map_or(Sample::Missing, |number| Sample::Value(Value::Number(number)))
            }
        }
    }
}

/// A subject that a test observes.
#[derive(Clone, Debug)]
pub(crate) struct Sampled {
    /// Kind and name.
    pub(crate) key: SubjectKey,
    labels: Labels,
    fields: BTreeMap<Arc<str>, Course>,
    is_running: bool,
    /// Something was changed since it was sampled last.
    is_changed: bool,
}

impl Sampled {
    /// A subject that is not sampled before it has a field.
    pub(crate) fn new(key: SubjectKey, labels: Labels) -> Sampled {
        Sampled { key, labels, fields: BTreeMap::new(), is_running: false, is_changed: false }
    }

    /// Whether it wants a sample although none is due.
    pub(crate) const fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Its labels from now on.
    pub(crate) fn set_labels(&mut self, labels: Labels) {
        self.labels = labels;
        self.is_changed = self.is_running;
    }

    /// Gives a field a course from now on (`None`: it is no longer seen), and samples the subject from now on.
    pub(crate) fn set(&mut self, field: Arc<str>, course: Option<Course>) {
        match course {
            Some(course) => drop(self.fields.insert(field, course)),
            None => drop(self.fields.remove(&field)),
        }
        self.is_running = true;
        self.is_changed = true;
    }

    /// The number that a field has now; `None` where it is not seen, or is none.
    pub(crate) fn number(&self, field: &str, now: Time) -> Option<f64> {
        self.fields.get(field)?.number(now)
    }

    /// It is no longer sampled.
    pub(crate) const fn stop(&mut self) {
        self.is_running = false;
        self.is_changed = false;
    }

    /// What is seen of it now; `None` while it is stopped, or where every field is missing. Where nothing is left of it and
    /// its source says so (`stale`), it is gone.
    pub(crate) fn sample(&mut self, now: Time) -> Option<Snapshot> {
        self.is_changed = false;
        if !self.is_running {
            return None;
        }
        let mut fields = BTreeMap::new();
        let mut is_gone = false;
        for (name, course) in &mut self.fields {
            match course.sample(now) {
                Sample::Value(value) => drop(fields.insert(name.clone(), value)),
                Sample::Missing => {}
                Sample::Stale => is_gone = true,
            }
        }
        is_gone &= fields.is_empty();
        (is_gone || !fields.is_empty()).then(|| self.snapshot(now, fields, is_gone))
    }

    /// A snapshot of it with these fields.
    pub(crate) fn snapshot(&self, time: Time, fields: BTreeMap<Arc<str>, Value>, gone: bool) -> Snapshot {
        Snapshot { subject: self.key.clone(), time, labels: self.labels.clone(), fields, gone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    fn value(subject: &mut Sampled, secs: i64) -> Option<Value> {
        subject.sample(at(secs)).and_then(|snapshot| snapshot.fields.get("v").cloned())
    }

    fn subject(course: Course) -> Sampled {
        let mut subject = Sampled::new(SubjectKey::new("host", "a"), Labels::new());
        subject.set("v".into(), Some(course));
        subject
    }

    #[test]
    fn a_climb_rises_and_a_ramp_arrives() {
        let mut climb = subject(Course::Climb { from: 100.0, per_second: 2.0, since: at(10) });
        assert_eq!(value(&mut climb, 10), Some(Value::Number(100.0)));
        assert_eq!(value(&mut climb, 40), Some(Value::Number(160.0)));
        let length = Duration::from_secs(10);
        let mut ramp = subject(Course::Ramp { from: 0.0, to: 5.0, since: at(0), length });
        assert_eq!(value(&mut ramp, 4), Some(Value::Number(2.0)));
        assert_eq!(value(&mut ramp, 99), Some(Value::Number(5.0)));
    }

    #[test]
    fn a_series_gives_one_value_for_each_time_and_ends() {
        let number = |number| Sample::Value(Value::Number(number));
        let samples = [number(1.0), Sample::Missing, number(3.0)].into();
        let mut series = subject(Course::Series { samples, newest: None });
        assert_eq!(value(&mut series, 0), Some(Value::Number(1.0)));
        assert_eq!(value(&mut series, 0), Some(Value::Number(1.0)), "the same time, the same value");
        assert_eq!(value(&mut series, 10), None);
        assert_eq!(value(&mut series, 20), Some(Value::Number(3.0)));
        assert_eq!(value(&mut series, 30), None);
    }

    #[test]
    fn a_subject_of_which_a_stale_series_leaves_nothing_is_gone_and_may_come_back() {
        let one = Sample::Value(Value::Number(1.0));
        let samples: VecDeque<_> = [one.clone(), Sample::Stale, Sample::Missing, one].into();
        let mut subject = subject(Course::Series { samples: samples.clone(), newest: None });
        let mut gone = |secs| subject.sample(at(secs)).map(|snapshot| snapshot.gone);
        assert_eq!([gone(0), gone(10), gone(20), gone(30)], [Some(false), Some(true), None, Some(false)]);
        subject.set("v".into(), Some(Course::Series { samples, newest: None }));
        subject.set("w".into(), Some(Course::Fixed(Value::Bool(true))));
        let mut fields = |secs| subject.sample(at(secs)).map(|snapshot| (snapshot.fields.len(), snapshot.gone));
        assert_eq!([fields(40), fields(50)], [Some((2, false)), Some((1, false))], "the other field is still there");
    }

    #[test]
    fn a_stopped_subject_is_not_sampled_until_it_is_set_again() {
        let mut subject = subject(Course::Fixed(Value::Bool(true)));
        subject.stop();
        assert!(!subject.is_changed());
        assert_eq!(value(&mut subject, 0), None);
        subject.set("w".into(), Some(Course::Fixed(Value::Bool(true))));
        assert_eq!(value(&mut subject, 10), Some(Value::Bool(true)), "with the fields that it had");
    }
}
