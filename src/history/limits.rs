//! Bounds: what is refused, and what is given up, when there is no more room.

use std::time::Duration;

use super::calendar::{DAYS_BACK, days_before};
use super::field::Field;
use super::world::lookback;
use super::{Refusal, SubjectId, World};
use crate::model::{Now, Snapshot};

/// Samples are kept for at least this long while subjects give up others: beyond that each series gives up its own oldest.
const LEAST_KEPT: Duration = Duration::from_secs(600);

impl World {
    /// Whether there is room for what a snapshot brings for the first time: a subject, or fields of it.
    pub(super) fn check_room(&mut self, now: Now, id: Option<SubjectId>, snapshot: &Snapshot) -> Result<(), Refusal> {
        let (max_fields, max_subjects) = (self.limits.max_fields, self.limits.max_subjects);
        if id.is_none() && self.table.len() >= max_subjects {
            return Err(Refusal::TooManySubjects { max: max_subjects });
        }
        let record = id.and_then(|id| self.table.get(id));
        if record.is_some_and(|record| record.has_all(&snapshot.fields)) {
            return Ok(());
        }
        let n_known = record.map_or(0, |record| record.fields.len());
        let is_new = |name: &str| record.is_none_or(|record| record.field(name).is_none());
        let n_new = snapshot.fields.keys().filter(|name| is_new(name)).count();
        if n_new == 0 && id.is_some() {
            return Ok(());
        }
        if n_known + n_new > max_fields
            && (snapshot.fields.len() > max_fields
                || n_known - self.drop_spent_fields(now, id, snapshot) + n_new > max_fields)
        {
            return Err(Refusal::TooManyFields { max: max_fields });
        }
        if self.bytes + n_new * size_of::<Field>() > self.limits.memory_limit {
            return Err(Refusal::MemoryLimit { max: self.limits.memory_limit });
        }
        Ok(())
    }

    /// Drops a subject's fields of which nothing is kept but the name, to make place for others. Says how many.
    fn drop_spent_fields(&mut self, now: Now, id: Option<SubjectId>, snapshot: &Snapshot) -> usize {
        let oldest_day = days_before(self.calendar.day_of(now.wall()), DAYS_BACK);
        let Some(record) = id.and_then(|id| self.table.get_mut(id)) else { return 0 };
        let newest = snapshot.time - lookback(record.subject.stale_after);
        let (bytes, n_fields) = (record.bytes(), record.fields.len());
        let kind = self.kinds.get_mut(&record.subject.key.kind);
        let (mut spent, mut rest) = (Vec::new(), Vec::new());
        for (name, mut field) in record.fields.drain(..) {
            field.give_up(newest, self.kept);
            if let Some(day) = oldest_day {
                field.forget_days_before(day);
            }
            if field.is_spent() && !snapshot.fields.contains_key(&name) { &mut spent } else { &mut rest }
                .push((name, field));
        }
        record.fields = rest;
        self.bytes = self.bytes - bytes + record.bytes();
        if let Some(kind) = kind {
            spent.iter().for_each(|(name, _)| kind.drop_field(name));
        }
        n_fields - record.fields.len()
    }

    /// Where memory is short, all subjects give up their oldest samples. Returns whether it is still short, so that a
    /// series may take a new sample only for an old one.
    pub(super) fn relieve(&mut self) -> bool {
        let limit = self.limits.memory_limit;
        if self.bytes < limit / 2 {
            self.kept = self.limits.memory;
        }
        while self.bytes >= limit && self.kept > LEAST_KEPT {
            self.kept = (self.kept * 3 / 4).max(LEAST_KEPT);
            for record in self.table.iter_mut() {
                let bytes = record.bytes();
                let lookback = lookback(record.subject.stale_after);
                record.arrivals.give_up(record.subject.arrived - self.kept - lookback);
                record.arrivals.shrink();
                for (_, field) in &mut record.fields {
                    field.give_up(record.subject.time - lookback, self.kept);
                    field.shrink();
                }
                self.bytes = self.bytes - bytes + record.bytes();
            }
        }
        self.bytes >= limit
    }
}
