//! The past of subjects, from blocks that were stored: what windows look at after a restart.
//!
//! Each field takes its samples one after the other as it did when they came, so that it is what it was.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::Block;
use super::block::Rows;
use super::calendar::Calendar;
use super::field::{Field, Numbers, Observation};
use super::saved::SavedSubject;
use super::threads::Threads;
use super::world::lookback;
use crate::model::{SubjectKey, Time, Value};

/// Fewer rows are not worth a second thread.
const WORTH_A_THREAD: usize = 4096;

/// What came before a restart.
pub struct Past<'a> {
    /// From when on everything is in it, in engine time.
    pub since: Time,
    /// What came, oldest first.
    pub blocks: Box<dyn Iterator<Item = Block> + 'a>,
    /// How it is taken in.
    pub threads: Threads,
}

impl fmt::Debug for Past<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past").field("since", &self.since).finish_non_exhaustive()
    }
}

/// The past of the subjects that are still known.
pub(super) struct Backfill {
    since: Time,
    /// When something came that could not be stored, the last time.
    lost: Option<Time>,
    /// For how long samples are kept.
    memory: Duration,
    calendar: Calendar,
    /// Whether there is any.
    is_known: bool,
    subjects: HashMap<SubjectKey, OfSubject, foldhash::fast::FixedState>,
}

/// One subject and its past.
pub(super) struct OfSubject {
    /// What is remembered of it, up to what came last.
    pub(super) saved: SavedSubject,
    /// When its first snapshot came. What came before was of one that was forgotten.
    began: Time,
    /// When the newest snapshot arrived that it had when it was stored.
    stored: Time,
    /// In the order of their names.
    pub(super) fields: Vec<(Arc<str>, Field)>,
    /// From when on everything is known of it, where that is not all: in engine time.
    pub(super) cut: Option<Time>,
    /// What came last may be missing.
    pub(super) is_doubtful: bool,
    is_gone: bool,
}

impl OfSubject {
    fn new(saved: SavedSubject) -> OfSubject {
        let (began, stored) = (saved.began(), saved.arrived);
        OfSubject { saved, began, stored, fields: Vec::new(), cut: None, is_doubtful: false, is_gone: false }
    }
}

impl Backfill {
    /// Reads the past of subjects that were stored.
    pub(super) fn of(
        past: Option<Past<'_>>,
        (memory, calendar): (Duration, Calendar),
        subjects: Vec<SavedSubject>,
    ) -> Backfill {
        let subjects = subjects.into_iter().map(|saved| (saved.key.clone(), OfSubject::new(saved))).collect();
        let since = past.as_ref().map_or(Time::EPOCH, |past| past.since);
        let mut backfill = Backfill { since, lost: None, memory, calendar, is_known: past.is_some(), subjects };
        if let Some(past) = past {
            past.blocks.for_each(|block| backfill.take(&block, past.threads));
        }
        backfill
    }

    /// Takes what came after all that it has.
    fn take(&mut self, block: &Block, threads: Threads) {
        self.lost = self.lost.max(block.inputs.iter().rfind(|input| input.is_lost).map(|input| input.now.time));
        let known = |(subject, rows)| self.subjects.remove_entry(subject).map(|(key, known)| (key, known, rows));
        let mut known: Vec<(SubjectKey, OfSubject, &Rows)> = block.subjects.iter().filter_map(known).collect();
        let n_rows: usize = known.iter().map(|(_, _, rows)| rows.times.len()).sum();
        let n_together = known.len().div_ceil(threads.parts(n_rows, WORTH_A_THREAD)).max(1);
        let mut parts: Vec<_> = known.chunks_mut(n_together).map(|part| (part, self.calendar.clone())).collect();
        let memory = self.memory;
        threads.each(&mut parts, |(part, calendar)| {
            for (_, past, rows) in part.iter_mut() {
                let day = |(time, input): (&Time, &u32)| {
                    let wall = block.inputs.get(*input as usize).map_or(*time, |input| input.now.wall_of(*time));
                    calendar.remember_day_of(wall)
                };
                let days: Vec<Date> = rows.times.iter().zip(&rows.inputs).map(day).collect();
                past.go_on(block, rows, &days, memory);
                past.saved.follow(block, rows);
            }
        });
        drop(parts);
        self.subjects.extend(known.into_iter().map(|(key, past, _)| (key, past)));
    }

    /// A subject with what is known of it, which is then forgotten.
    pub(super) fn remove(&mut self, subject: &SubjectKey) -> Option<OfSubject> {
        let mut known = self.subjects.remove(subject)?;
        // Nothing is missing of what came after the past begins.
        let cut = self.lost.max(self.is_known.then_some(self.since));
        known.cut = cut.filter(|cut| known.began < *cut);
        if let Some(lost) = self.lost.filter(|lost| *lost > known.stored) {
            known.is_doubtful = true;
            known.saved.doubt(lost);
        }
        Some(known)
    }
}

impl OfSubject {
    fn go_on(&mut self, block: &Block, rows: &Rows, days: &[Date], kept: Duration) {
        let was_gone = self.is_gone;
        if let Some(last) = rows.times.len().checked_sub(1) {
            self.is_gone = rows.gone.binary_search(&(last as u32)).is_ok();
        }
        Filling { block, rows, days, began: self.began, was_gone, kept }.fill(&mut self.fields);
    }
}

/// The rows of a subject that its fields take one after the other.
pub(super) struct Filling<'a> {
    pub(super) block: &'a Block,
    pub(super) rows: &'a Rows,
    /// The calendar day of each.
    pub(super) days: &'a [Date],
    /// When its first snapshot came. What came before was of one that was forgotten.
    pub(super) began: Time,
    /// It was gone before the first row.
    pub(super) was_gone: bool,
    /// For how long samples are kept.
    pub(super) kept: Duration,
}

impl Filling<'_> {
    /// Fills the fields, which are in the order of their names, and those that are new.
    pub(super) fn fill(&self, fields: &mut Vec<(Arc<str>, Field)>) {
        let Filling { block, rows, days, began, was_gone: was_gone_before, kept } = *self;
        for (name, _) in &rows.fields {
            if let Err(place) = fields.binary_search_by(|(known, _)| known.cmp(name)) {
                // Its first sample is yet to come.
                let none = Observation {
                    time: Time::from_micros(i64::MIN),
                    arrived: Time::EPOCH,
                    day: Date::ZERO,
                    value: None,
                };
                fields.insert(place, (name.clone(), Field::new(none)));
            }
        }
        let whole = if was_gone_before { None } else { Whole::of(block, rows, began) };
        let mut columns = rows.fields.iter().peekable();
        for (name, field) in fields {
            let column = columns.next_if(|(known, _)| known == name).map(|(_, column)| column);
            let mut done = 0;
            if let Some(whole) = &whole
                && let Some(column) = column
                && let Some(values) = column.numbers(rows.times.len())
                && (field.is_unborn() || field.is_before(rows.times[0]))
            {
                if field.is_unborn() {
                    *field = Field::new(whole.observation(0, days[0], Value::Number(values[0])));
                    done = 1;
                }
                let arrived = |row| whole.arrived(done + row);
                let numbers = Numbers {
                    times: &rows.times[done..],
                    values: &values[done..],
                    days: &days[done..],
                    arrived: &arrived,
                };
                done += field.observe_numbers(&numbers, |time| (time - whole.lookback, kept));
            }
            let mut was_gone = was_gone_before && done == 0;
            let mut gone = rows.gone.iter().peekable();
            for (row, day) in days.iter().enumerate().skip(done) {
                let (time, input) = (rows.times[row], rows.inputs[row]);
                if gone.next_if(|gone| **gone as usize == row).is_some() {
                    was_gone = true;
                    continue;
                }
                let value = column.and_then(|column| column.get(row));
                let was_gone = std::mem::replace(&mut was_gone, false);
                if value.is_none() && field.is_unborn() {
                    continue;
                }
                let Some(input) = block.inputs.get(input as usize).filter(|input| input.now.time >= began) else {
                    continue;
                };
                let observation = Observation { time, arrived: input.now.time, day: *day, value };
                if field.is_unborn() {
                    *field = Field::new(observation);
                    continue;
                }
                let lookback = lookback(input.source.stale_after);
                field.give_up(time - lookback, kept);
                field.observe(observation, was_gone, lookback);
            }
        }
    }
}

/// Rows of which each is later than the one before, none says that the subject is gone, all came since it began, and of
/// all it turns stale after the same time.
struct Whole<'a> {
    block: &'a Block,
    rows: &'a Rows,
    lookback: Duration,
}

impl<'a> Whole<'a> {
    fn of(block: &'a Block, rows: &'a Rows, began: Time) -> Option<Whole<'a>> {
        let first = block.inputs.get(*rows.inputs.first()? as usize)?;
        let is_alike = |input: &u32| {
            let input = block.inputs.get(*input as usize);
            input.is_some_and(|input| input.now.time >= began && input.source.stale_after == first.source.stale_after)
        };
        let is_whole = rows.gone.is_empty()
            && rows.times.is_sorted_by(|before, after| before < after)
            && rows.inputs.iter().all(is_alike);
        is_whole.then(|| Whole { block, rows, lookback: lookback(first.source.stale_after) })
    }

    fn arrived(&self, row: usize) -> Time {
        self.block.inputs[self.rows.inputs[row] as usize].now.time
    }

    fn observation(&self, row: usize, day: Date, value: Value) -> Observation {
        Observation { time: self.rows.times[row], arrived: self.arrived(row), day, value: Some(value) }
    }
}
