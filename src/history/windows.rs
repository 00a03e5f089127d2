//! Window functions of subjects.

use std::time::Duration;

use super::histogram::{self, Bucket};
use super::samples;
use super::summary::{Detail, Summary};
use super::table::{Place, Record};
use super::{Share, SubjectId, Window, WindowFn, World};
use crate::model::{NoData, Now, Time, Value};

impl World {
    /// A window function over one field. Only number samples count; `changes` counts those of texts and bools too.
    ///
    /// The window ends at now, or at the subject's newest time where that is later. A day's samples were summed up in the
    /// order in which they came; a day has PromQL's extrapolation between its midnights, and today ends now.
    ///
    /// # Errors
    /// Where the subject is stale (one that is gone still answers), never had the field, there are too few samples, or
    /// some that the window needs are no longer kept.
    pub fn window(
        &self,
        id: SubjectId,
        function: WindowFn,
        field: &str,
        window: Window,
        now: Now,
    ) -> Result<f64, NoData> {
        self.window_seen(id, (function, field, window), &Place::default(), now, &mut Scratch::default())
    }

    /// As [`World::window`], for several questions about one subject at one time: what was summed up for the one before
    /// answers the next, where it is about the same window of the same field.
    ///
    /// # Errors
    /// As [`World::window`].
    pub(crate) fn window_seen(
        &self,
        id: SubjectId,
        (function, field, window): (WindowFn, &str, Window),
        place: &Place,
        now: Now,
        scratch: &mut Scratch,
    ) -> Result<f64, NoData> {
        let record = self.table.get(id).ok_or(NoData::Gone)?;
        let (place, history) = match (record.field_at(field, place), function) {
            (Some(found), _) => found,
            (None, WindowFn::Quantile(share)) => {
                return self.histogram_quantile(id, record, (field, share), window, now);
            }
            (None, _) => return Err(NoData::NeverHad { field: field.into() }),
        };
        let about = About { place, window };
        if !function.reads_samples()
            && function != WindowFn::Changes
            && let Some(seen) = scratch.seen(id, now, &about).filter(|seen| seen.detail >= function.detail())
        {
            let value = || seen.summary.value(function, seen.span, 0);
            return answer(function, (field, window), seen.summary.count(), value);
        }
        self.fresh_enough(record, now)?;
        let beyond = || NoData::BeyondHistory { question: function.question(field, window) };
        let t = now.time.max(record.subject.time);
        let (day, span) = match window {
            Window::Span { length, ago } => (None, (t - ago - length, t - ago)),
            Window::Day { ago } => {
                let (date, start, end) = self.day(ago, now).ok_or_else(beyond)?;
                (Some((date, start)), (start, end.min(t)))
            }
        };
        if function.reads_samples() {
            // A day begins with its midnight, and ends before the next one.
            let (from, to) = match day {
                Some(_) => (before(span.0), if span.1 < t { before(span.1) } else { span.1 }),
                None => span,
            };
            if !history.reaches(from) {
                return Err(beyond());
            }
            let found = history.numbers_in(from, to);
            let samples = found.samples();
            let value = || samples::value(function, samples, &mut scratch.values, span);
            return answer(function, (field, window), samples.values.len(), value);
        }
        let (summary, changes) = match day {
            Some((_, start)) if !history.knows_day(start) => return Err(beyond()),
            Some((date, _)) => history.day(date),
            None if !history.reaches(span.0) => return Err(beyond()),
            None => {
                let changes = if function == WindowFn::Changes { history.changes(span.0, span.1) } else { (0, 0) };
                (history.span(span.0, span.1, function.detail()), changes)
            }
        };
        let have = if function == WindowFn::Changes { changes.1 } else { summary.count() };
        let answer = answer(function, (field, window), have, || summary.value(function, span, changes.0));
        let detail = if day.is_some() { Detail::Squares } else { function.detail() };
        scratch.note(id, now, SeenWindow { about, span, summary, detail });
        answer
    }

    /// A quantile of a histogram whose buckets are fields of the subject, `field_bucket{le="0.5"}`: of their rates in the
    /// window.
    fn histogram_quantile(
        &self,
        id: SubjectId,
        record: &Record,
        (field, share): (&str, Share),
        window: Window,
        now: Now,
    ) -> Result<f64, NoData> {
        let mut buckets = Vec::new();
        for (name, _) in &record.fields {
            if let Some(bound) = histogram::bound(name, field) {
                buckets.push(Bucket { bound, rate: self.window(id, WindowFn::Rate, name, window, now)? });
            }
        }
        if buckets.is_empty() {
            return Err(NoData::NeverHad { field: field.into() });
        }
        let question = WindowFn::Quantile(share);
        answer(question, (field, window), usize::MAX, || Some(histogram::quantile(buckets, share.get())))
    }

    /// The median of what a field had at this time of the last `n` periods; those without a sample near enough are left out.
    ///
    /// # Errors
    /// As [`World::ago`], and where no period has a sample, or one of them may have had one that is no longer kept.
    pub fn baseline(&self, id: SubjectId, field: &str, period: Duration, n: u32, now: Now) -> Result<f64, NoData> {
        let question = || format!("baseline(\"{field}\", \"{}\", {n})", crate::model::duration::format(period));
        let mut values = Vec::new();
        for back in 1..=n {
            match self.ago(id, field, period.saturating_mul(back), now) {
                Ok(Value::Number(number)) => values.push(number),
                // A window leaves out what is no number, too.
                Ok(_) | Err(NoData::FieldMissing { .. } | NoData::TooFewSamples { .. } | NoData::NotFinite { .. }) => {}
                Err(NoData::BeyondHistory { .. }) => return Err(NoData::BeyondHistory { question: question() }),
                Err(reason) => return Err(reason),
            }
        }
        match values.is_empty() {
            true => Err(NoData::TooFewSamples { question: question(), have: 0, need: 1 }),
            false => Ok(samples::quantile(&mut values, 0.5)),
        }
    }
}

/// What one question leaves for the next: room, and the windows of one subject that were summed up.
#[derive(Default)]
pub(crate) struct Scratch {
    subject: Option<(SubjectId, Now)>,
    seen: Vec<SeenWindow>,
    values: Vec<f64>,
}

impl Scratch {
    fn seen(&self, subject: SubjectId, now: Now, about: &About) -> Option<&SeenWindow> {
        let seen = self.seen.iter().filter(|_| self.subject == Some((subject, now)));
        seen.rev().find(|seen| seen.about == *about)
    }

    fn note(&mut self, subject: SubjectId, now: Now, seen: SeenWindow) {
        if self.subject.replace((subject, now)) != Some((subject, now)) {
            self.seen.clear();
        }
        self.seen.push(seen);
    }
}

/// A window that was summed up.
struct SeenWindow {
    about: About,
    span: (Time, Time),
    summary: Summary,
    detail: Detail,
}

/// Which window of which field.
#[derive(PartialEq)]
struct About {
    place: usize,
    window: Window,
}

/// A window function's answer, where there are samples enough.
fn answer(
    function: WindowFn,
    (field, window): (&str, Window),
    have: usize,
    value: impl FnOnce() -> Option<f64>,
) -> Result<f64, NoData> {
    let question = || function.question(field, window);
    if have < function.needs() {
        return Err(NoData::TooFewSamples { question: question(), have, need: function.needs() });
    }
    let value = value().filter(|value| value.is_finite());
    value.ok_or_else(|| NoData::NotFinite { origin: question() })
}

/// The last time before another one.
fn before(time: Time) -> Time {
    Time::from_micros(time.as_micros().saturating_sub(1))
}
