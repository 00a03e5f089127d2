//! Taking in a batch: order, duplicates, ownership, what exists.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::arrivals::Arrivals;
use super::batch::MAX_AHEAD;
use super::field::Field;
use super::follow::{Arrival, Followed, rejoins, same_labels};
use super::older::stretch;
use super::table::{Piece, Record, field_bytes, label_bytes};
use super::{Batch, BatchReport, Refusal, Source, Subject, SubjectId, World};
use crate::model::{Now, Snapshot, SubjectKey, Time};

/// What one snapshot did.
enum Outcome {
    /// The subject is judged.
    Taken,
    /// The subject is gone, and was not before.
    Gone,
    /// It says that what was gone, or never known, does not exist.
    StillGone,
    Duplicate,
}

impl World {
    /// Takes one input.
    ///
    /// Several snapshots of one subject are recorded in the order of their times, whatever their order in the batch, and
    /// the subject is judged once. A subject that is stale and whose clock went back is taken up anew: samples that would
    /// come after the new ones are given up.
    pub fn ingest(&mut self, now: Now, batch: &Batch) -> BatchReport {
        let Batch { source, snapshots, complete } = batch;
        let mut report = BatchReport::default();
        if self.paused_since(&source.name).is_some() {
            let refusal = Refusal::Paused { source_name: source.name.clone() };
            report.refused = (0..snapshots.len()).map(|index| (index, refusal.clone())).collect();
            return report;
        }
        let mut snapshots: Vec<(usize, &Snapshot)> = snapshots.iter().enumerate().collect();
        // Collectors mostly tell of the same subjects in the same order.
        let order = |(_, a): &(usize, &Snapshot), (_, b): &(usize, &Snapshot)| {
            a.subject.cmp(&b.subject).then(a.time.cmp(&b.time))
        };
        if !snapshots.is_sorted_by(|a, b| order(a, b).is_le()) {
            snapshots.sort_by(order);
        }
        self.make_columns();
        let by_subject: Vec<_> = snapshots.chunk_by(|(_, a), (_, b)| a.subject == b.subject).collect();
        let followed = self.follow(now, source, &by_subject);
        let mut named = BTreeSet::new();
        for (of_subject, followed) in by_subject.into_iter().zip(followed) {
            let id = match (followed, of_subject) {
                (Some(Followed { id, is_outdated }), _) => {
                    report.taken += 1;
                    report.judged.push(id);
                    report.outdated.extend(Some(id).filter(|_| is_outdated));
                    Some(id)
                }
                (None, [(_, first), ..]) => {
                    let id = self.ingest_subject(now, source, &first.subject, of_subject, &mut report);
                    report.outdated.extend(id.filter(|id| self.is_outdated(*id)));
                    id
                }
                (None, []) => None,
            };
            if !complete.is_empty() {
                named.extend(id);
            }
        }
        for kind in complete {
            let Some(members) = self.kinds.get(kind) else { continue };
            let missing: Vec<SubjectId> =
                members.of_source(&source.name).filter(|member| !named.contains(member)).collect();
            for member in missing {
                if self.leave(member) {
                    report.gone.push(member);
                    report.outdated.push(member);
                    report.missing.extend(self.subject(member).map(|subject| subject.key.clone()));
                }
            }
        }
        self.sort_by_key(&mut report.gone);
        let table = &self.table;
        let arrived = |time, id| table.get(id).is_some_and(|record| record.subject.arrived == time);
        self.by_arrival.tidy(arrived);
        self.fresh.tidy(|time, id| table.get(id).is_some_and(|record| record.fresh_until == Some(time)));
        report.refused.sort_by_key(|(index, _)| *index);
        report
    }

    /// Takes the snapshots of one subject, which are in the order of their times.
    fn ingest_subject(
        &mut self,
        now: Now,
        source: &Source,
        key: &SubjectKey,
        snapshots: &[(usize, &Snapshot)],
        report: &mut BatchReport,
    ) -> Option<SubjectId> {
        let mut id = self.find(&key.kind, &key.name);
        let known = id.and_then(|id| self.subject(id));
        if let Some(owner) = known.map(|subject| &subject.source).filter(|owner| ***owner != *source.name).cloned() {
            let refusal = Refusal::OtherSource { owner };
            report.refused.extend(snapshots.iter().map(|(index, _)| (*index, refusal.clone())));
            return id;
        }
        let latest = now.time + MAX_AHEAD;
        let newest_here = || snapshots.iter().map(|(_, snapshot)| snapshot.time).filter(|time| *time <= latest).max();
        let mut clock_went_back = known.is_some_and(|subject| {
            subject.stale_at() <= now.time && newest_here().is_some_and(|here| here < subject.time)
        });
        let (mut judged, mut gone) = (false, false);
        for (index, snapshot) in snapshots {
            let newest = id.and_then(|id| self.subject(id)).map(|subject| subject.time);
            let outcome = match newest {
                _ if snapshot.time > latest => Err(Refusal::Ahead),
                Some(newest) if snapshot.time < newest && !clock_went_back => Err(Refusal::Late { newest }),
                _ => self.ingest_one(now, source, &mut id, snapshot),
            };
            match outcome {
                Ok(outcome) => {
                    clock_went_back = false;
                    match outcome {
                        Outcome::Duplicate => report.duplicates += 1,
                        Outcome::Taken => (judged, gone) = (true, false),
                        Outcome::Gone => (judged, gone) = (false, true),
                        Outcome::StillGone => {}
                    }
                    report.taken += usize::from(!matches!(outcome, Outcome::Duplicate));
                }
                Err(refusal) => report.refused.push((*index, refusal)),
            }
        }
        report.judged.extend(id.filter(|_| judged));
        report.gone.extend(id.filter(|_| gone));
        id
    }

    fn ingest_one(
        &mut self,
        now: Now,
        source: &Source,
        id: &mut Option<SubjectId>,
        snapshot: &Snapshot,
    ) -> Result<Outcome, Refusal> {
        if let Some(id) = *id {
            if snapshot.gone {
                return Ok(self.say_gone(now, id, snapshot.time));
            }
            if self.table.get(id).is_some_and(|record| repeats(record, snapshot)) {
                return Ok(Outcome::Duplicate);
            }
        } else if snapshot.gone {
            return Ok(Outcome::StillGone);
        }
        self.check_room(now, *id, snapshot)?;
        let id = *id.get_or_insert_with(|| self.add_subject(now, source, snapshot));
        self.record(now, source, id, snapshot);
        Ok(Outcome::Taken)
    }

    /// The source says of a known subject that it is gone.
    fn say_gone(&mut self, now: Now, id: SubjectId, time: Time) -> Outcome {
        if let Some(record) = self.table.get_mut(id) {
            record.subject.time = time;
            let arrived = std::mem::replace(&mut record.subject.arrived, now.time);
            record.subject.stale_from = now.time;
            record.subject.blind = Duration::ZERO;
            self.move_to(id, arrived, false);
        }
        if self.leave(id) { Outcome::Gone } else { Outcome::StillGone }
    }

    /// Marks a subject as gone. `false` where it was already.
    fn leave(&mut self, id: SubjectId) -> bool {
        let Some(record) = self.table.get_mut(id) else { return false };
        self.awaited.remove(&id);
        record.fresh_until.take().into_iter().for_each(|time| self.fresh.remove(time));
        record.piece = Piece::Outdated;
        let leaves = !std::mem::replace(&mut record.subject.gone, true);
        if let Some(kind) = self.kinds.get_mut(&record.subject.key.kind) {
            kind.membership += u64::from(leaves);
        }
        leaves
    }

    fn add_subject(&mut self, now: Now, source: &Source, snapshot: &Snapshot) -> SubjectId {
        let SubjectKey { kind, name } = &snapshot.subject;
        let kind = self.kinds.get_key_value(kind).map_or(kind, |(known, _)| known).clone();
        let subject = Subject {
            key: SubjectKey { kind: kind.clone(), name: name.clone() },
            labels: Default::default(),
            time: snapshot.time,
            arrived: now.time,
            first_seen: now.time,
            source: source.name.clone(),
            stale_after: source.stale_after,
            gone: false,
            stale_from: now.time,
            blind: Duration::ZERO,
        };
        let record = Record {
            subject,
            fields: Vec::new(),
            arrivals: Arrivals::default(),
            began: now.time,
            observed: snapshot.time,
            fresh_until: None,
            piece: Piece::Outdated,
        };
        self.bytes += record.bytes();
        let id = self.table.insert(record);
        self.by_arrival.insert(now.time, id);
        self.kinds.entry(kind).or_default().insert(id, name, &source.name);
        id
    }

    /// Records a snapshot of a known subject as its newest one.
    fn record(&mut self, now: Now, source: &Source, id: SubjectId, snapshot: &Snapshot) {
        let day = self.calendar.remember_day_of(now.wall_of(snapshot.time));
        let today = self.calendar.day_of(now.wall());
        let is_short = self.relieve();
        let Some(record) = self.table.get_mut(id) else { return };
        let Some(kind) = self.kinds.get_mut(&record.subject.key.kind) else { return };
        self.awaited.remove(&id);

        let subject = &mut record.subject;
        let mut leads_on = subject.leads_on_to(now.time, source) && record.observed < snapshot.time;
        if !same_labels(&subject.labels, &snapshot.labels) {
            kind.unlabel(&subject.labels, &subject.key.name);
            self.bytes -= label_bytes(&subject.labels);
            subject.labels = kind.label(&snapshot.labels, &subject.key.name, id);
            leads_on = false;
            self.bytes += label_bytes(&subject.labels);
        }
        let arrived = subject.arrived;
        let mut new: Vec<(Arc<str>, Field)> = Vec::new();
        let arrival = Arrival { now, today, source, kept: self.kept, is_short };
        let grew = record.take(&arrival, snapshot, day, |name, observation| {
            let mut field = Field::new(observation);
            if !self.reach.is_empty() {
                field.stretch(stretch(&self.reach, &snapshot.subject.kind, name, self.limits.memory));
            }
            new.push((kind.add_field(name.clone()), field));
        });
        self.bytes = self.bytes.saturating_add_signed(grew);
        if !new.is_empty() {
            leads_on = false;
            self.bytes += new.iter().map(|(name, field)| field_bytes(name, field)).sum::<usize>();
            record.fields.reserve_exact(new.len());
            record.fields.extend(new);
            record.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        }

        let is_new_member = rejoins(now.time, record.fresh_until, Some(record.subject.stale_at()));
        kind.membership += u64::from(is_new_member);
        kind.columns.note(id, record);
        if record.move_piece(leads_on) {
            self.fall_behind(now.time, id);
        }
        self.move_to(id, arrived, true);
    }
}

/// Whether a snapshot says again what the subject's newest one said.
fn repeats(record: &Record, snapshot: &Snapshot) -> bool {
    let known = record.fields.iter().filter_map(|(name, field)| Some((name, field.newest()?)));
    snapshot.time == record.observed
        && same_labels(&record.subject.labels, &snapshot.labels)
        && known.eq(&snapshot.fields)
}
