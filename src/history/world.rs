//! The world: every subject that is known, with its history.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::by_time::ByTime;
use super::calendar::{Calendar, DAYS_BACK, days_before};
use super::field::{Past, same};
use super::index::Kind;
use super::table::{Place, Record, Table};
use super::{Limits, Reach, Subject, SubjectId, Threads, Window};
use crate::model::{NoData, Now, Time, Value};

/// How far back [`World::ago`] looks for a sample at least, as Prometheus' `query.lookback-delta`.
const MIN_LOOKBACK: Duration = Duration::from_secs(300);

/// Everything that is known of what is observed.
#[derive(Clone)]
pub struct World {
    pub(super) limits: Limits,
    pub(super) calendar: Calendar,
    /// When the engine began to watch.
    pub(super) started: Time,
    pub(super) table: Table,
    pub(super) kinds: BTreeMap<Arc<str>, Kind>,
    /// From when until when nobody watched before it was taken up again after a restart.
    pub(super) blind: Option<(Time, Time)>,
    /// When each subject turns stale, without those that were told by [`World::turned_stale`] and those that are gone.
    pub(super) fresh: ByTime,
    /// Subjects that were fresh when the engine stopped, and were not heard of since it started again.
    pub(super) awaited: BTreeSet<SubjectId>,
    /// Since when sources are paused, in engine time; `None` is all of them.
    pub(super) paused: BTreeMap<Option<Arc<str>>, Time>,
    /// When each subject's newest snapshot arrived.
    pub(super) by_arrival: ByTime,
    /// Memberships of kinds that were forgotten: one that comes again counts on from there.
    pub(super) left_memberships: u64,
    /// When subjects whose pieces are behind must be stored anew.
    pub(super) behind: BTreeMap<Time, Vec<SubjectId>>,
    /// About how many bytes all of it takes.
    pub(super) bytes: usize,
    pub(super) threads: Threads,
    /// For how long samples are kept: `limits.memory`, or less while memory is short.
    pub(super) kept: Duration,
    /// How far back rules look beyond `limits.memory`.
    pub(super) reach: Reach,
}

impl World {
    /// An empty world. Day windows are days of `zone`.
    pub fn new(limits: Limits, zone: jiff::tz::TimeZone, started: Now) -> World {
        World {
            kept: limits.memory,
            reach: Reach::default(),
            limits,
            calendar: Calendar::new(zone),
            started: started.time,
            blind: None,
            table: Table::default(),
            kinds: BTreeMap::new(),
            fresh: ByTime::default(),
            awaited: BTreeSet::new(),
            paused: BTreeMap::new(),
            by_arrival: ByTime::default(),
            left_memberships: 0,
            behind: BTreeMap::new(),
            threads: Threads::default(),
            bytes: 0,
        }
    }

    /// Takes large batches in several parts at once. What comes of them is the same for any number.
    pub fn use_threads(&mut self, threads: Threads) {
        self.threads = threads;
    }

    /// Forgets a subject with all its samples.
    pub fn forget(&mut self, id: SubjectId) {
        let Some(record) = self.table.remove(id) else { return };
        self.bytes -= record.bytes();
        record.fresh_until.into_iter().for_each(|time| self.fresh.remove(time));
        self.awaited.remove(&id);
        self.by_arrival.remove(record.subject.arrived);
        let kind = &record.subject.key.kind;
        if let Some(members) = self.kinds.get_mut(kind) {
            members.remove(&record.subject, record.fields.iter().map(|(name, _)| name));
            if members.members.is_empty() {
                self.left_memberships += members.membership;

                self.kinds.remove(kind);
            }
        }
    }

    /// The subject with this id. `None` once it was forgotten.
    pub fn subject(&self, id: SubjectId) -> Option<&Subject> {
        self.table.get(id).map(|record| &record.subject)
    }

    /// The subject with this key.
    pub fn find(&self, kind: &str, name: &str) -> Option<SubjectId> {
        self.kinds.get(kind)?.find(name)
    }

    /// How many subjects are known.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no subject is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes subjects and samples take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All kinds, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<str>> {
        self.kinds.keys()
    }

    /// All subjects of a kind in the order of their names, stale and gone ones too.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = SubjectId> {
        self.kinds.get(kind).into_iter().flat_map(|kind| kind.members.values().copied())
    }

    /// The subjects of a kind that have all these labels, by index, in the order of their names, stale and gone ones too.
    /// `name` and `kind` count as labels; an empty value means that the label is missing.
    pub fn select(&self, kind: &str, labels: &[(&str, &str)]) -> Vec<SubjectId> {
        let Some(members) = self.kinds.get(kind) else { return Vec::new() };
        let fits = |id: &SubjectId| {
            self.subject(*id).is_some_and(|subject| labels.iter().all(|(label, value)| subject.label(label) == *value))
        };
        if let Some((_, name)) = labels.iter().find(|(label, _)| *label == "name") {
            return members.find(name).filter(fits).into_iter().collect();
        }
        members.candidates(labels).into_iter().flat_map(|some| some.values().copied()).filter(fits).collect()
    }

    /// Whether no snapshot came for `stale_after`, or its source says that it is gone. So is a subject that was forgotten.
    pub fn is_stale(&self, id: SubjectId, now: Now) -> bool {
        self.subject(id).is_none_or(|subject| subject.gone || subject.stale_at() <= self.watched(subject, now.time))
    }

    /// When the next fresh subject turns stale: not later than now for those that [`World::turned_stale`] will tell.
    pub fn next_stale(&self) -> Option<Time> {
        self.fresh.first()
    }

    /// The subjects that turned stale since this was last asked, each once, in the order of their keys.
    pub fn turned_stale(&mut self, now: Now) -> Vec<SubjectId> {
        let mut stale = Vec::new();
        for (time, id) in self.fresh.take_until(now.time) {
            if let Some(record) = self.table.get_mut(id).filter(|record| record.fresh_until == Some(time)) {
                record.fresh_until = None;
                self.awaited.remove(&id);
                stale.push(id);
            }
        }
        self.sort_by_key(&mut stale);
        stale
    }

    /// The subjects without a snapshot for at least `after`, each once, in no order that lasts: ids are others after a restart.
    pub fn forgettable(&self, now: Now, after: Duration) -> Vec<SubjectId> {
        let is_watched =
            |id: &SubjectId| self.subject(*id).is_none_or(|subject| self.paused_since(&subject.source).is_none());
        let mut ids: Vec<SubjectId> = self.arrived_until(now.time - after).filter(is_watched).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The subjects whose newest snapshot arrived up to then. A few may come twice.
    fn arrived_until(&self, time: Time) -> impl Iterator<Item = SubjectId> {
        let entries = self.by_arrival.until(time);
        entries.filter(|(time, id)| self.subject(*id).is_some_and(|subject| subject.arrived == *time)).map(|(_, id)| id)
    }

    /// All subjects, in no order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SubjectId> {
        self.table.ids()
    }

    /// Stands a subject where its times say.
    pub(super) fn move_to(&mut self, id: SubjectId, arrived_before: Time, is_fresh: bool) {
        let Some(record) = self.table.get_mut(id) else { return };
        let arrived = record.subject.arrived;
        if arrived_before != arrived {
            self.by_arrival.remove(arrived_before);
            self.by_arrival.insert(arrived, id);
        }
        let fresh_until = is_fresh.then(|| record.subject.stale_at());
        if record.fresh_until != fresh_until {
            record.fresh_until.into_iter().for_each(|time| self.fresh.remove(time));
            fresh_until.into_iter().for_each(|time| self.fresh.insert(time, id));
            record.fresh_until = fresh_until;
        }
    }

    /// Puts subjects in the order of their keys.
    pub(crate) fn sort_by_key(&self, ids: &mut [SubjectId]) {
        ids.sort_by(|a, b| self.subject(*a).map(|a| &a.key).cmp(&self.subject(*b).map(|b| &b.key)));
    }

    /// The newest value of a field.
    ///
    /// # Errors
    /// Where the subject is gone or stale, never had the field or lacks it now, or its number is not finite.
    pub fn field(&self, id: SubjectId, field: &str, now: Now) -> Result<Value, NoData> {
        self.field_at(id, field, &Place::default(), now).cloned()
    }

    /// As [`World::field`], of a field that is looked for in many subjects.
    ///
    /// # Errors
    /// As [`World::field`].
    pub(crate) fn field_at(&self, id: SubjectId, field: &str, place: &Place, now: Now) -> Result<&Value, NoData> {
        let record = self.table.get(id).ok_or(NoData::Gone)?;
        let never_had = || NoData::NeverHad { field: field.into() };
        let (_, history) = record.field_at(field, place).ok_or_else(never_had)?;
        if record.subject.gone {
            return Err(NoData::Gone);
        }
        self.fresh_enough(record, now)?;
        finite(history.newest().ok_or_else(|| NoData::FieldMissing { field: field.into() })?, field)
    }

    /// Whether the subject ever had the field.
    pub fn ever_had(&self, id: SubjectId, field: &str) -> bool {
        self.table.get(id).is_some_and(|record| record.field(field).is_some())
    }

    /// The fields of the newest snapshot (of a gone subject: the last one that had any), in the order of their names.
    pub fn fields(&self, id: SubjectId) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        let fields = self.table.get(id).into_iter().flat_map(|record| &record.fields);
        fields.filter_map(|(name, field)| Some((name, field.newest()?)))
    }

    /// Every field name that any known subject of the kind ever had, in order.
    pub fn fields_of_kind(&self, kind: &str) -> impl Iterator<Item = &Arc<str>> {
        self.kinds.get(kind).into_iter().flat_map(Kind::fields)
    }

    /// The number samples of a field in `(start, end]`, in the order of their times. For graphs: they may have been given
    /// up in part.
    pub fn samples(&self, id: SubjectId, field: &str, start: Time, end: Time) -> impl Iterator<Item = (Time, f64)> {
        let field = self.table.get(id).and_then(|record| record.field(field));
        let found = field.map(|field| field.numbers_in(start, end));
        let samples = found.iter().flat_map(|found| found.samples().iter());
        samples.collect::<Vec<_>>().into_iter()
    }

    /// Up to when samples of a field were given up, in engine time; `None` where all that came are there.
    pub fn kept_since(&self, id: SubjectId, field: &str) -> Option<Time> {
        self.table.get(id)?.field(field)?.given_up()
    }

    /// From when (exclusive) to when (inclusive) a window of a subject reaches, in engine time. `None` where the subject
    /// is not known, or days are not kept for so long.
    pub fn span_of(&self, id: SubjectId, window: Window, now: Now) -> Option<(Time, Time)> {
        let t = now.time.max(self.subject(id)?.time);
        match window {
            Window::Span { length, ago } => Some((t - ago - length, t - ago)),
            Window::Day { ago } => self.day(ago, now).map(|(_, start, end)| (start, end.min(t))),
        }
    }

    /// The value that a field had `ago` before now: of its last sample at or before then, if that is at most
    /// `stale_after` or 5 minutes (the longer of both) older. Answers for gone subjects too.
    ///
    /// # Errors
    /// Where the subject is stale, never had the field, or had no readable sample at that time.
    pub fn ago(&self, id: SubjectId, field: &str, ago: Duration, now: Now) -> Result<Value, NoData> {
        let record = self.table.get(id).ok_or(NoData::Gone)?;
        let history = record.field(field).ok_or_else(|| NoData::NeverHad { field: field.into() })?;
        self.fresh_enough(record, now)?;
        let question = || format!("ago(\"{field}\", \"{}\")", crate::model::duration::format(ago));
        match history.before(now.time.max(record.subject.time) - ago, lookback(record.subject.stale_after)) {
            Past::Value(value) => finite(&value, field).cloned(),
            Past::Missing => Err(NoData::FieldMissing { field: field.into() }),
            Past::Nothing => Err(NoData::TooFewSamples { question: question(), have: 0, need: 1 }),
            Past::GivenUp => Err(NoData::BeyondHistory { question: question() }),
        }
    }

    /// Seconds that a field has had this value without a break, by the arrival of the snapshots; 0 where its newest value
    /// is another. A snapshot without the field and the subject's absence (gone) are breaks; silence is not, so this can be
    /// read on a stale subject.
    ///
    /// # Errors
    /// Where the subject is gone, never had the field or lacks it now, or its number is not finite.
    pub fn held(&self, id: SubjectId, field: &str, value: &Value, now: Now) -> Result<f64, NoData> {
        let record = self.table.get(id).ok_or(NoData::Gone)?;
        let history = record.field(field).ok_or_else(|| NoData::NeverHad { field: field.into() })?;
        if record.subject.gone {
            return Err(NoData::Gone);
        }
        self.reported(id)?;
        let (newest, since) = history.held().ok_or_else(|| NoData::FieldMissing { field: field.into() })?;
        let newest = finite(newest, field)?;
        Ok(if same(newest, value) { now.time.since(since.max(self.started)).as_secs_f64() } else { 0.0 })
    }

    /// Whether no snapshot of the subject came in the window, by arrival. Can be read on stale and gone subjects.
    ///
    /// # Errors
    /// Where none came, and the engine did not know the subject during the whole window, or when they came is no longer
    /// kept.
    pub fn absent(&self, id: SubjectId, window: Window, now: Now) -> Result<bool, NoData> {
        let record = self.table.get(id).ok_or(NoData::Gone)?;
        self.reported(id)?;
        let question = || format!("absent({window})");
        let beyond = || NoData::BeyondHistory { question: question() };
        let (any, start) = match window {
            Window::Span { length, ago } => {
                let end = now.time - ago;
                (record.arrivals.any_in(end - length, end).ok_or_else(beyond)?, end - length)
            }
            Window::Day { ago } => {
                let (date, start, _) = self.day(ago, now).ok_or_else(beyond)?;
                (record.arrivals.any_on(date), start)
            }
        };
        match any {
            true => Ok(false),
            false if start < self.started.max(record.subject.first_seen) => {
                Err(NoData::NotWatchedLongEnough { question: question() })
            }
            false => Ok(true),
        }
    }

    /// Seconds since the subject's newest snapshot, of which only those count in which the engine ran. Can be read on stale
    /// and gone subjects.
    ///
    /// # Errors
    /// Where the subject was forgotten, or was not heard of since a restart at which it was fresh.
    pub fn age(&self, id: SubjectId, now: Now) -> Result<f64, NoData> {
        let subject = self.subject(id).ok_or(NoData::Gone)?;
        self.reported(id)?;
        Ok(self.watched(subject, now.time).since(subject.time + subject.blind).as_secs_f64())
    }

    /// A gone subject has no more snapshots to wait for: its past can be read.
    pub(super) fn fresh_enough(&self, record: &Record, now: Now) -> Result<(), NoData> {
        let subject = &record.subject;
        if subject.gone {
            return Ok(());
        }
        if subject.stale_at() <= self.watched(subject, now.time) {
            return Err(NoData::Stale { since: now.wall_of(subject.arrived) });
        }
        match self.paused_since(&subject.source) {
            Some(since) => Err(NoData::Paused { since: now.wall_of(since) }),
            None => Ok(()),
        }
    }

    /// How long something of a subject has lasted cannot be told while it is awaited: it may have reported to nobody.
    fn reported(&self, id: SubjectId) -> Result<(), NoData> {
        if self.is_awaited(id) { Err(NoData::Awaited) } else { Ok(()) }
    }

    /// A calendar day with its borders in engine time. `None` where days are not kept for so long.
    pub(super) fn day(&self, ago: u32, now: Now) -> Option<(jiff::civil::Date, Time, Time)> {
        if ago > DAYS_BACK {
            return None;
        }
        let date = days_before(self.calendar.day_of(now.wall()), ago)?;
        let (start, end) = self.calendar.borders(date)?;
        let to_engine = now.wall_offset.saturating_neg();
        Some((date, start.offset(to_engine), end.offset(to_engine)))
    }
}

/// How far before a time a sample may be that tells the value at that time.
pub(super) fn lookback(stale_after: Duration) -> Duration {
    stale_after.max(MIN_LOOKBACK)
}

fn finite<'a>(value: &'a Value, field: &str) -> Result<&'a Value, NoData> {
    match value {
        Value::Number(number) if !number.is_finite() => Err(NoData::NotFinite { origin: field.to_string() }),
        value => Ok(value),
    }
}

/// Its size alone: a world is too large to be printed.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.kinds.len();
        f.debug_struct("World").field("kinds", &kinds).field("subjects", &self.len()).finish_non_exhaustive()
    }
}
