//! The history of one field of one subject.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Duration;

use jiff::civil::Date;

use super::calendar::{DAYS_BACK, days_before};
use super::follow::whole_minute;
use super::series::{Found, Series};
use super::summary::{Detail, Summary};
use crate::model::{Time, Value};

/// What one snapshot says of one field.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// The snapshot's time.
    pub(crate) time: Time,
    /// When it arrived, in engine time.
    pub(crate) arrived: Time,
    /// The calendar day of its time.
    pub(crate) day: Date,
    /// The value; `None` where the snapshot lacks the field.
    pub(crate) value: Option<Value>,
}

/// A stretch in which a field had one text or bool, without another sample between and without a gap in which
/// [`Field::before`] would find nothing.
#[derive(Clone, Debug)]
struct Run {
    first: Time,
    last: Time,
    value: Value,
}

/// One calendar day of a field, summed up, so that it outlives the samples. In the order of arrival.
#[derive(Clone, Debug)]
struct Day {
    date: Date,
    numbers: Summary,
    samples: u32,
    changes: u32,
    last: Value,
}

impl Day {
    /// A day with its first sample.
    fn of(date: Date, time: Time, value: &Value) -> Day {
        let mut day = Day { date, numbers: Summary::default(), samples: 0, changes: 0, last: value.clone() };
        day.add(time, value);
        day
    }

    fn add(&mut self, time: Time, value: &Value) {
        self.changes += u32::from(self.samples > 0 && !same(&self.last, value));
        self.samples += 1;
        if let Value::Number(number) = value {
            self.numbers.add(time, *number);
        }
        self.last = value.clone();
    }
}

/// Numbers of a field that came one after the other.
pub(crate) struct Numbers<'a> {
    pub(crate) times: &'a [Time],
    pub(crate) values: &'a [f64],
    pub(crate) days: &'a [Date],
    /// When each arrived, by its place.
    pub(crate) arrived: &'a dyn Fn(usize) -> Time,
}

const MINUTE: i64 = 60_000_000;

/// What a field was at one time in the past.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Past {
    /// This.
    Value(Value),
    /// The snapshot of that time lacks the field.
    Missing,
    /// There is no sample near enough before.
    Nothing,
    /// There may have been one that is no longer kept.
    GivenUp,
}

/// The history of one field.
///
/// The newest observation may yet be replaced (by one of equal time), so runs, days and `held` take it in only when a
/// later one comes; questions add it to them.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    newest: Observation,
    /// Finite numbers, the newest too.
    numbers: Series,
    runs: VecDeque<Run>,
    days: Vec<Day>,
    /// The value that the field has had without a break, and when it arrived.
    held: Option<(Value, Time)>,
    /// The time of the newest sample that is no longer kept.
    given_up: Option<Time>,
    /// Up to when samples were last given up.
    horizon: Time,
    /// When the engine started again, where that was later than the field's first sample: days that began before are
    /// not known.
    restarted: Option<Time>,
    /// Bytes of the texts in `runs`.
    text_bytes: usize,
    /// How many times as long as others it is kept, as a rule looks back so far; at least 1.
    stretch: f32,
}

/// Whether two values are the same to a person: numbers by value, so that -0 is 0.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b,
        _ => a == b,
    }
}

/// Whether a value can be read: numbers that are not finite cannot.
pub(crate) fn readable(value: &Value) -> bool {
    value.as_number().is_none_or(f64::is_finite)
}

fn text_len(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len() + 16,
        Value::Number(_) | Value::Bool(_) => 0,
    }
}

impl Field {
    /// A field with its first observation.
    pub(crate) fn new(first: Observation) -> Field {
        let mut field = Field {
            newest: first,
            numbers: Series::default(),
            runs: VecDeque::new(),
            days: Vec::new(),
            held: None,
            given_up: None,
            horizon: Time::from_micros(i64::MIN),
            restarted: None,
            text_bytes: 0,
            stretch: 1.0,
        };
        field.push_newest_number();
        field
    }

    /// A field of which nothing is known but its newest observation: the engine started again.
    pub(crate) fn after_restart(newest: Observation, restarted: Time) -> Field {
        let held = newest.value.clone().map(|value| (value, newest.arrived));
        let given_up = Some(restarted.max(newest.time));
        Field { held, given_up, restarted: Some(restarted), ..Field::new(newest) }
    }

    /// A field after a restart, with the samples that were stored of it; `since` is from when on all are, where there were
    /// any before. `None` where they do not lead up to the newest observation.
    pub(crate) fn go_on(self, newest: &Observation, since: Option<Time>) -> Option<Field> {
        let known = self.newest.value.as_ref().filter(|value| readable(value));
        if self.newest.time != newest.time || known != newest.value.as_ref() {
            return None;
        }
        let mut field = Field { given_up: self.given_up.max(since), restarted: since, ..self };
        // Since when it has had its value is told by what was remembered: time in which nobody watched does not count.
        if let (Some((held, arrived)), Some(value)) = (&mut field.held, &newest.value)
            && same(held, value)
        {
            *arrived = newest.arrived;
        }
        field.newest.arrived = newest.arrived;
        Some(field)
    }

    /// Whether its newest observation is of before a time.
    pub(crate) fn is_before(&self, time: Time) -> bool {
        self.newest.time < time
    }

    /// Whether it had no sample yet.
    pub(crate) fn is_unborn(&self) -> bool {
        self.newest.time == Time::from_micros(i64::MIN)
    }

    /// The last so long does not count for how long it has had its value.
    pub(crate) fn put_off(&mut self, length: Duration) {
        self.newest.arrived = self.newest.arrived + length;
        if let Some((_, since)) = &mut self.held {
            *since = *since + length;
        }
    }

    /// Whether all samples of a day that began at this engine time were counted.
    pub(crate) fn knows_day(&self, start: Time) -> bool {
        self.restarted.is_none_or(|restarted| restarted <= start)
    }

    /// What the newest snapshot says of it.
    pub(crate) fn newest(&self) -> Option<&Value> {
        self.newest.value.as_ref()
    }

    /// Takes the next observation. One of equal time replaces the newest; an earlier one means that the subject's clock
    /// went back. A run of one value ends at a gap longer than `lookback`, and `held` where the subject was gone between.
    pub(crate) fn observe(&mut self, observation: Observation, was_gone: bool, lookback: Duration) {
        match observation.time.cmp(&self.newest.time) {
            Ordering::Equal => {
                let keeps_number = observation.value == self.newest.value;
                if !keeps_number && self.numbers.last() == Some(observation.time) {
                    self.numbers.pop();
                }
                if was_gone {
                    self.held = None;
                } else if keeps_number {
                    return;
                }
                self.newest = observation;
                if !keeps_number {
                    self.push_newest_number();
                }
                return;
            }
            Ordering::Greater => self.settle(lookback),
            Ordering::Less => {
                self.settle(lookback);
                self.cut(observation.time);
            }
        }
        if was_gone {
            self.held = None;
        }
        self.newest = observation;
        self.push_newest_number();
    }

    /// Takes numbers as [`Field::observe`] would, one after the other, where each is later than the one before. `horizon`
    /// says from when back, when a sample of a time comes, they are kept for so long. Gives the rest back where it meets a number that
    /// is not finite, or the newest observation is no number.
    pub(crate) fn observe_numbers(
        &mut self,
        numbers: &Numbers<'_>,
        horizon: impl Fn(Time) -> (Time, Duration),
    ) -> usize {
        let mut day = self.days.len();
        let mut next_look = Time::from_micros(i64::MIN);
        for (row, (time, value)) in numbers.times.iter().zip(numbers.values).enumerate() {
            let Some(Value::Number(newest)) = self.newest.value.as_ref().filter(|value| readable(value)) else {
                return row;
            };
            if !value.is_finite() {
                return row;
            }
            let newest = *newest;
            if *time >= next_look {
                let (newest, kept) = horizon(*time);
                self.give_up(newest, kept);
                next_look = Time::from_micros(time.as_micros().div_euclid(MINUTE) * MINUTE + MINUTE);
            }
            // What `settle` does for numbers.
            match &self.held {
                Some((Value::Number(held), _)) if *held == newest => {}
                _ => self.held = Some((Value::Number(newest), self.newest.arrived)),
            }
            if self.days.get(day).is_none_or(|known| known.date != self.newest.day) {
                day = self.place_of_day(self.newest.day);
            }
            match self.days.get_mut(day) {
                Some(known) => known.add(self.newest.time, &Value::Number(newest)),
                None => self.days.push(Day::of(self.newest.day, self.newest.time, &Value::Number(newest))),
            }
            self.newest.time = *time;
            self.newest.arrived = (numbers.arrived)(row);
            self.newest.day = numbers.days[row];
            self.newest.value = Some(Value::Number(*value));
            self.numbers.push(*time, *value);
        }
        numbers.values.len()
    }

    /// The place of a day among those that are kept: after the last one, for which there is room, where it is new.
    fn place_of_day(&mut self, day: Date) -> usize {
        // Not always the last one: a clock may go back over midnight.
        if let Some(place) = self.days.iter().rposition(|known| known.date == day) {
            return place;
        }
        if let Some(kept) = days_before(day, DAYS_BACK) {
            self.forget_days_before(kept);
        }
        self.days.reserve_exact(1);
        self.days.len()
    }

    fn push_newest_number(&mut self) {
        if let Some(Value::Number(number)) = self.newest.value
            && number.is_finite()
        {
            self.numbers.push(self.newest.time, number);
        }
    }

    /// Takes the newest observation into runs, days and `held`, as it can no longer be replaced.
    fn settle(&mut self, lookback: Duration) {
        let Observation { time, arrived, day, value } = &self.newest;
        let (time, arrived, day) = (*time, *arrived, *day);
        let Some(value) = value.clone().filter(readable) else {
            self.held = None;
            return;
        };
        let goes_on = self.held.as_ref().is_some_and(|(held, _)| same(held, &value));
        if !goes_on {
            self.held = Some((value.clone(), arrived));
        }
        if value.as_number().is_none() {
            match self.runs.back_mut() {
                Some(run) if goes_on && run.last < time && time.since(run.last) <= lookback => run.last = time,
                _ => {
                    self.text_bytes += text_len(&value);
                    self.runs.push_back(Run { first: time, last: time, value: value.clone() });
                }
            }
        }
        let place = self.place_of_day(day);
        match self.days.get_mut(place) {
            Some(known) => known.add(time, &value),
            None => self.days.push(Day::of(day, time, &value)),
        }
    }

    /// Forgets what is of days before this one.
    pub(crate) fn forget_days_before(&mut self, date: Date) {
        self.days.retain(|known| known.date >= date);
    }

    /// The subject's clock went back to `time`: samples of that time and later ones no longer have a place in the order.
    /// Days keep them, as they sum up what came in a day and not when.
    fn cut(&mut self, time: Time) {
        while self.numbers.last().is_some_and(|sample| sample >= time) {
            self.numbers.pop();
        }
        while self.runs.back().is_some_and(|run| run.first >= time) {
            self.runs.pop_back();
        }
        if let Some(run) = self.runs.back_mut() {
            run.last = run.last.min(Time::from_micros(time.as_micros().saturating_sub(1)));
        }
        self.text_bytes = self.runs.iter().map(|run| text_len(&run.value)).sum();
    }

    /// It is kept so many times as long as others.
    pub(crate) fn stretch(&mut self, stretch: f32) {
        self.stretch = stretch;
        self.horizon = Time::from_micros(i64::MIN);
    }

    /// Puts samples before those that it has, of which it gave some up: those of another history of it from `first`
    /// on. Others before may be missing where something came before `since`.
    pub(crate) fn put_before(&mut self, past: &Field, first: Time, since: Option<Time>) {
        let Some(given_up) = self.given_up else { return };
        if since.is_some_and(|since| since >= given_up) {
            return;
        }
        let end = self.numbers.first().map_or(given_up, |first| Time::from_micros(first.as_micros() - 1));
        let mut numbers = Series::default();
        for (time, value) in past
            .numbers_in(Time::from_micros(first.as_micros().saturating_sub(1)), end)
            .samples()
            .iter()
            .chain(self.numbers.all().samples().iter())
        {
            numbers.push(time, value);
        }
        self.numbers = numbers;
        let first_text = self.runs.front().map_or(end, |run| run.first);
        for run in past.runs.iter().rev().filter(|run| run.last >= first && run.first < first_text) {
            match self.runs.front_mut() {
                // It is the same run, of which the beginning was not known.
                Some(front) if run.last >= front.first => front.first = run.first.max(first),
                _ => {
                    self.text_bytes += text_len(&run.value);
                    self.runs.push_front(Run { first: run.first.max(first), ..run.clone() });
                }
            }
        }
        self.horizon = Time::from_micros(i64::MIN);
        self.given_up = since;
    }

    /// Gives up the samples that are older than `kept` before a time, or as much longer as it is looked back on.
    pub(crate) fn give_up(&mut self, newest: Time, kept: Duration) {
        let kept = if self.stretch > 1.0 { kept.mul_f64(f64::from(self.stretch)) } else { kept };
        let horizon = whole_minute(newest - kept);
        if horizon <= self.horizon {
            return;
        }
        self.horizon = horizon;
        self.given_up = self.given_up.max(self.numbers.give_up(horizon, self.newest.time));
        while let Some(run) = self.runs.front()
            && run.last <= horizon
        {
            self.given_up = self.given_up.max(Some(run.last));
            self.text_bytes -= text_len(&run.value);
            self.runs.pop_front();
        }
    }

    /// Gives up the oldest sample where the next one would need more room.
    pub(crate) fn make_room(&mut self) {
        self.given_up = self.given_up.max(self.numbers.make_room());
        if self.runs.len() > 1
            && self.runs.len() == self.runs.capacity()
            && let Some(run) = self.runs.pop_front()
        {
            self.given_up = self.given_up.max(Some(run.last));
            self.text_bytes -= text_len(&run.value);
        }
    }

    /// Returns room that is no longer used.
    pub(crate) fn shrink(&mut self) {
        self.numbers.shrink();
        self.runs.shrink_to(self.runs.len());
    }

    /// Whether nothing is left of it but its name.
    pub(crate) fn is_spent(&self) -> bool {
        self.newest.value.is_none() && self.numbers.is_empty() && self.runs.is_empty() && self.days.is_empty()
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Field>()
            + self.numbers.bytes()
            + self.runs.capacity() * size_of::<Run>()
            + self.days.capacity() * size_of::<Day>()
            + self.text_bytes
            + self.newest.value.as_ref().map_or(0, text_len)
    }

    /// The time of the newest sample that is no longer kept.
    pub(crate) fn given_up(&self) -> Option<Time> {
        self.given_up
    }

    /// Whether every sample after `start` is still kept.
    pub(crate) fn reaches(&self, start: Time) -> bool {
        self.given_up.is_none_or(|given_up| given_up <= start)
    }

    /// The number samples in `(start, end]`, in the order of their times.
    pub(crate) fn numbers_in(&self, start: Time, end: Time) -> Found<'_> {
        self.numbers.range(start, end)
    }

    /// Sums up the number samples in `(start, end]`, with at least so much detail.
    pub(crate) fn span(&self, start: Time, end: Time, detail: Detail) -> Summary {
        self.numbers.sum_up(start, end, detail)
    }

    /// How often the value changed between samples in `(start, end]`, and whether (1) or not (0) there are samples.
    pub(crate) fn changes(&self, start: Time, end: Time) -> (usize, usize) {
        let newest = self.newest.value.as_ref().filter(|value| value.as_number().is_none());
        let newest = newest.map(|value| (self.newest.time, self.newest.time, value.clone()));
        let runs = self.runs.iter().map(|run| (run.first, run.last, run.value.clone()));
        let mut runs = runs.chain(newest).filter(|(first, last, _)| *last > start && *first <= end).peekable();
        let numbers = self.numbers_in(start, end);
        let mut numbers = numbers.samples().iter().map(|(time, value)| (time, Value::Number(value))).peekable();
        let (mut changes, mut before): (usize, Option<Value>) = (0, None);
        loop {
            let run_is_next = match (runs.peek(), numbers.peek()) {
                (Some(run), Some(number)) => run.0 < number.0,
                (run, _) => run.is_some(),
            };
            let next = if run_is_next {
                runs.next().map(|(_, _, value)| value)
            } else {
                numbers.next().map(|(_, value)| value)
            };
            let Some(next) = next else {
                return (changes, usize::from(before.is_some()));
            };
            changes += usize::from(before.is_some_and(|before| !same(&before, &next)));
            before = Some(next);
        }
    }

    /// The summary of one calendar day, how often the value changed in it, and of how many samples.
    pub(crate) fn day(&self, date: Date) -> (Summary, (usize, usize)) {
        let mut day = self.days.iter().find(|day| day.date == date).cloned();
        if let Some(value) = self.newest.value.as_ref().filter(|value| readable(value))
            && self.newest.day == date
        {
            match &mut day {
                Some(day) => day.add(self.newest.time, value),
                None => day = Some(Day::of(date, self.newest.time, value)),
            }
        }
        match day {
            Some(day) => (day.numbers, (day.changes as usize, day.samples as usize)),
            None => (Summary::default(), (0, 0)),
        }
    }

    /// What it was at `time`: its last sample at or before then that is at most `lookback` older.
    pub(crate) fn before(&self, time: Time, lookback: Duration) -> Past {
        let oldest = time - lookback;
        if self.newest.time <= time {
            match &self.newest.value {
                None if self.newest.time >= oldest => return Past::Missing,
                Some(value) if self.newest.time >= oldest => return Past::Value(value.clone()),
                _ => return Past::Nothing,
            }
        }
        let number = self.numbers.at(time).map(|(time, value)| (time, Value::Number(value)));
        let run = self.runs.partition_point(|run| run.first <= time).checked_sub(1);
        let run = run.map(|index| &self.runs[index]).map(|run| (run.last.min(time), run.value.clone()));
        let latest = match (number, run) {
            (Some(number), Some(run)) => Some(if run.0 > number.0 { run } else { number }),
            (number, run) => number.or(run),
        };
        match latest {
            Some((found, value)) if found >= oldest => Past::Value(value),
            _ if self.given_up.is_some_and(|given_up| given_up >= oldest) => Past::GivenUp,
            _ => Past::Nothing,
        }
    }

    /// The newest value, and when the first snapshot arrived since which it is the same without a break.
    pub(crate) fn held(&self) -> Option<(&Value, Time)> {
        let value = self.newest.value.as_ref()?;
        match &self.held {
            Some((held, since)) if same(held, value) => Some((value, *since)),
            _ => Some((value, self.newest.arrived)),
        }
    }
}
