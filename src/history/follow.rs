//! Snapshots that follow: of a known subject, with new values of known fields. Nearly all are of this kind, and each
//! touches nothing but its own subject's history, so a batch of them is taken by several threads.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::batch::MAX_AHEAD;
use super::calendar::Calendar;
use super::field::Observation;
use super::table::{Piece, Record};
use super::world::lookback;
use super::{Source, SubjectId, World};
use crate::model::{Labels, Now, Snapshot, Time};

/// Fewer snapshots than this are not worth a second thread.
const WORTH_A_THREAD: usize = 256;

/// About how many bytes a field may need for its next sample, where it has few.
const BYTES_OF_SAMPLE: usize = 256;

/// What is the same for all snapshots of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'a> {
    pub(super) now: Now,
    /// The calendar day on which they came.
    pub(super) today: Date,
    pub(super) source: &'a Source,
    /// For how long samples are kept.
    pub(super) kept: Duration,
    /// Memory is short: there is place for a sample where an old one is given up.
    pub(super) is_short: bool,
}

impl Record {
    /// Takes a snapshot of a known subject as its newest one, but for its labels, its place among the others, and the
    /// fields that it never had, which `unknown` is told. `day` is that of the snapshot's time. Returns by how many bytes it
    /// grew.
    pub(super) fn take<'a>(
        &mut self,
        arrival: &Arrival<'_>,
        snapshot: &'a Snapshot,
        day: Date,
        mut unknown: impl FnMut(&'a Arc<str>, Observation),
    ) -> isize {
        let Arrival { now, today, source, kept, is_short } = *arrival;
        let was_gone = std::mem::replace(&mut self.subject.gone, false);
        let subject = &mut self.subject;
        (subject.time, subject.arrived, subject.stale_after) = (snapshot.time, now.time, source.stale_after);
        (subject.stale_from, subject.blind) = (now.time, Duration::ZERO);
        self.observed = snapshot.time;
        let lookback = lookback(source.stale_after);

        let mut grew = -(self.arrivals.bytes() as isize);
        self.arrivals.give_up(whole_minute(now.time - kept - lookback));
        if is_short {
            self.arrivals.make_room();
        }
        self.arrivals.push(now.time, today);
        grew += self.arrivals.bytes() as isize;

        let observation = |value| Observation { time: snapshot.time, arrived: now.time, day, value };
        let mut seen = snapshot.fields.iter().peekable();
        for (name, field) in &mut self.fields {
            while let Some((name, value)) = seen.next_if(|(seen, _)| *seen < name) {
                unknown(name, observation(Some(value.clone())));
            }
            let value = seen.next_if(|(seen, _)| *seen == name).map(|(_, value)| value.clone());
            grew -= field.bytes() as isize;
            field.give_up(snapshot.time - lookback, kept);
            if is_short {
                field.make_room();
            }
            field.observe(observation(value), was_gone, lookback);
            grew += field.bytes() as isize;
        }
        seen.for_each(|(name, value)| unknown(name, observation(Some(value.clone()))));
        grew
    }
}

/// Samples are given up once a minute, as a look at the oldest is a look far away.
pub(super) fn whole_minute(time: Time) -> Time {
    Time::from_micros(time.as_micros().div_euclid(60_000_000) * 60_000_000)
}

/// Whether the labels of a snapshot are those that are known: an empty one is a missing one.
pub(super) fn same_labels(known: &Labels, labels: &Labels) -> bool {
    known.iter().eq(labels.iter().filter(|(_, value)| !value.is_empty()))
}

/// Whether a subject was not among the fresh ones before a snapshot, or leaves them earlier after it.
pub(super) fn rejoins(now: Time, fresh_before: Option<Time>, fresh_until: Option<Time>) -> bool {
    fresh_before.is_none_or(|before| before <= now || fresh_until < Some(before))
}

/// A known subject of a batch, out of the table, and the only snapshot of it.
struct Follower<'a> {
    /// Its place among the subjects of the batch.
    place: usize,
    id: SubjectId,
    record: Box<Record>,
    snapshot: &'a Snapshot,
    /// What came of it; `None` where more than its own history would change.
    moved: Option<Moved>,
}

/// What others must know of a subject that took a snapshot.
struct Moved {
    /// In bytes.
    grew: isize,
    arrived_before: Time,
    fresh_before: Option<Time>,
    fresh_until: Option<Time>,
    falls_behind: bool,
    rejoins: bool,
}

/// A subject that took its only snapshot of a batch.
#[derive(Clone, Copy)]
pub(super) struct Followed {
    pub(super) id: SubjectId,
    pub(super) is_outdated: bool,
}

impl Follower<'_> {
    fn follow(&mut self, arrival: &Arrival<'_>, calendar: &mut Calendar) {
        let Follower { record, snapshot, .. } = self;
        let subject = &record.subject;
        let follows = !snapshot.gone
            && !subject.gone
            && subject.source == arrival.source.name
            && snapshot.time <= arrival.now.time + MAX_AHEAD
            && snapshot.time > subject.time.max(record.observed)
            && same_labels(&subject.labels, &snapshot.labels)
            && record.has_all(&snapshot.fields);
        if !follows {
            return;
        }
        let leads_on = subject.leads_on_to(arrival.now.time, arrival.source);
        let (arrived_before, fresh_before) = (subject.arrived, record.fresh_until);
        let day = calendar.remember_day_of(arrival.now.wall_of(snapshot.time));
        let grew = record.take(arrival, snapshot, day, |_, _| {});
        record.fresh_until = Some(record.subject.stale_at());
        let falls_behind = record.move_piece(leads_on);
        let fresh_until = record.fresh_until;
        let rejoins = rejoins(arrival.now.time, fresh_before, fresh_until);
        self.moved = Some(Moved { grew, arrived_before, fresh_before, fresh_until, falls_behind, rejoins });
    }
}

impl World {
    /// Takes the snapshots that follow, and says which these are, by their places among the subjects of the batch.
    pub(super) fn follow(
        &mut self,
        now: Now,
        source: &Source,
        batch: &[&[(usize, &Snapshot)]],
    ) -> Vec<Option<Followed>> {
        let mut followed = vec![None; batch.len()];
        let n_fields: usize = batch.iter().copied().flatten().map(|(_, snapshot)| snapshot.fields.len()).sum();
        if self.relieve() || self.bytes + n_fields * BYTES_OF_SAMPLE > self.limits.memory_limit / 4 * 3 {
            return followed;
        }
        let today = self.calendar.remember_day_of(now.wall());
        let arrival = Arrival { now, today, source, kept: self.kept, is_short: false };
        let mut followers = self.take_out(batch);
        let part = followers.len().div_ceil(self.threads.parts(followers.len(), WORTH_A_THREAD)).max(1);
        let mut parts: Vec<_> = followers.chunks_mut(part).map(|part| (part, self.calendar.clone())).collect();
        self.threads.each(&mut parts, |(part, calendar)| {
            part.iter_mut().for_each(|follower| follower.follow(&arrival, calendar));
        });
        let alike = |a: &Follower<'_>, b: &Follower<'_>| match (&a.moved, &b.moved) {
            (Some(a), Some(b)) => (a.arrived_before, a.fresh_before) == (b.arrived_before, b.fresh_before),
            (a, b) => a.is_none() == b.is_none(),
        };
        for alike in followers.chunk_by(alike) {
            if let Some(Follower { moved: Some(moved), .. }) = alike.first() {
                self.move_some(now, moved, alike);
            }
        }
        for Follower { place, id, record, moved, .. } in followers {
            if let Some(moved) = moved {
                followed[place] = Some(Followed { id, is_outdated: record.piece == Piece::Outdated });
                self.bytes = self.bytes.saturating_add_signed(moved.grew);
                if moved.falls_behind {
                    self.fall_behind(now.time, id);
                }
                if !self.awaited.is_empty() {
                    self.awaited.remove(&id);
                }
                if let Some(kind) = self.kinds.get_mut(&record.subject.key.kind) {
                    kind.membership += u64::from(moved.rejoins);
                    kind.columns.note(id, &record);
                }
            }
            self.table.put_back(id, record);
        }
        followed
    }

    /// Takes the known subjects that have a single snapshot in a batch out of the table.
    fn take_out<'a>(&mut self, batch: &[&[(usize, &'a Snapshot)]]) -> Vec<Follower<'a>> {
        let part = batch.len().div_ceil(self.threads.parts(batch.len(), 4 * WORTH_A_THREAD)).max(1);
        let mut parts: Vec<_> = batch.chunks(part).map(|part| (part, Vec::new())).collect();
        self.threads.each(&mut parts, |(part, ids)| {
            let id = |of_subject: &&[(usize, &Snapshot)]| match of_subject {
                [(_, only)] => self.find(&only.subject.kind, &only.subject.name),
                _ => None,
            };
            ids.extend(part.iter().map(id));
        });
        let ids = parts.into_iter().flat_map(|(part, ids)| part.iter().zip(ids));
        let mut followers = Vec::with_capacity(batch.len());
        for (place, (of_subject, id)) in ids.enumerate() {
            if let Some(id) = id
                && let Some((_, snapshot)) = of_subject.first()
                && let Some(record) = self.table.take_out(id)
            {
                followers.push(Follower { place, id, record, snapshot, moved: None });
            }
        }
        followers
    }

    /// Stands subjects that stood at one time where theirs now are.
    fn move_some(&mut self, now: Now, moved: &Moved, alike: &[Follower<'_>]) {
        let ids = || alike.iter().map(|follower| follower.id);
        if moved.arrived_before != now.time {
            self.by_arrival.remove_some(moved.arrived_before, alike.len());
            self.by_arrival.insert_some(now.time, ids());
        }
        if moved.fresh_before != moved.fresh_until {
            moved.fresh_before.into_iter().for_each(|time| self.fresh.remove_some(time, alike.len()));
            moved.fresh_until.into_iter().for_each(|time| self.fresh.insert_some(time, ids()));
        }
    }
}
