//! Subjects in the order of a time that each of them has, and that moves with nearly every batch.

use std::collections::BTreeMap;

use super::SubjectId;
use crate::model::Time;

/// A bucket is put in order when it has this many more entries than twice the subjects that stand in it.
const SLACK: usize = 16;

/// Subjects by a time of theirs. Whole batches share one, so moving a subject costs a look at a small tree.
///
/// A subject that leaves a bucket stays among its entries for a while: the caller, who knows each subject's time, says
/// which entries still count.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByTime {
    buckets: BTreeMap<Time, Bucket>,
    /// Buckets with many entries that no longer count.
    sparse: Vec<Time>,
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    entries: Vec<SubjectId>,
    /// How many of them count.
    count: usize,
}

impl ByTime {
    /// A subject that stands nowhere gets a time.
    pub(crate) fn insert(&mut self, time: Time, id: SubjectId) {
        self.insert_some(time, std::iter::once(id));
    }

    /// Subjects that stand nowhere get a time.
    pub(crate) fn insert_some(&mut self, time: Time, ids: impl Iterator<Item = SubjectId>) {
        let bucket = self.buckets.entry(time).or_default();
        let n_entries = bucket.entries.len();
        bucket.entries.extend(ids);
        bucket.count += bucket.entries.len() - n_entries;
    }

    /// A subject that stands at this time leaves it.
    pub(crate) fn remove(&mut self, time: Time) {
        self.remove_some(time, 1);
    }

    /// So many subjects that stand at this time leave it.
    pub(crate) fn remove_some(&mut self, time: Time, count: usize) {
        let Some(bucket) = self.buckets.get_mut(&time) else { return };
        bucket.count -= count;
        if bucket.count == 0 {
            self.buckets.remove(&time);
        } else if bucket.entries.len() > 2 * bucket.count + SLACK && self.sparse.last() != Some(&time) {
            self.sparse.push(time);
        }
    }

    /// The earliest time.
    pub(crate) fn first(&self) -> Option<Time> {
        self.buckets.first_key_value().map(|(time, _)| *time)
    }

    /// Takes out everything up to a time. The entries are those that may have stood there.
    pub(crate) fn take_until(&mut self, time: Time) -> Vec<(Time, SubjectId)> {
        let mut taken = Vec::new();
        while let Some(first) = self.buckets.first_entry().filter(|first| *first.key() <= time) {
            let (time, bucket) = first.remove_entry();
            taken.extend(bucket.entries.into_iter().map(|id| (time, id)));
        }
        taken
    }

    /// All that may stand at a time up to `until`, in the order of these times.
    pub(crate) fn until(&self, until: Time) -> impl Iterator<Item = (Time, SubjectId)> {
        let buckets = self.buckets.range(..=until);
        buckets.flat_map(|(time, bucket)| bucket.entries.iter().map(|id| (*time, *id)))
    }

    /// Forgets entries that do not count, where there are many.
    pub(crate) fn tidy(&mut self, counts: impl Fn(Time, SubjectId) -> bool) {
        for time in self.sparse.drain(..) {
            if let Some(bucket) = self.buckets.get_mut(&time) {
                bucket.entries.retain(|id| counts(time, *id));
                bucket.entries.sort_unstable();
                bucket.entries.dedup();
                bucket.entries.shrink_to_fit();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(time: i64) -> Time {
        Time::from_micros(time)
    }

    proptest! {
        #[test]
        fn each_subject_stands_at_its_newest_time(moves in prop::collection::vec((0_u64..8, 0_i64..6), 0..300)) {
            let (mut by_time, mut known) = (ByTime::default(), BTreeMap::<SubjectId, Time>::new());
            for (id, time) in moves {
                let (id, time) = (SubjectId(id), at(time));
                let before = known.insert(id, time);
                if before != Some(time) {
                    before.into_iter().for_each(|before| by_time.remove(before));
                    by_time.insert(time, id);
                }
                by_time.tidy(|time, id| known.get(&id) == Some(&time));
                prop_assert_eq!(by_time.first(), known.values().min().copied());
                let entries: usize = by_time.buckets.values().map(|bucket| bucket.entries.len()).sum();
                prop_assert!(entries <= 2 * known.len() + 6 * SLACK, "{} entries of {}", entries, known.len());
            }
            let mut stands: Vec<_> = by_time.until(at(10)).filter(|(time, id)| known.get(id) == Some(time)).collect();
            stands.sort();
            stands.dedup();
            let mut expected: Vec<_> = known.iter().map(|(id, time)| (*time, *id)).collect();
            expected.sort();
            prop_assert_eq!(&stands, &expected);
            let taken = by_time.take_until(at(2)).into_iter();
            let mut taken: Vec<_> = taken.filter(|(time, id)| known.get(id) == Some(time)).collect();
            taken.sort();
            taken.dedup();
            prop_assert_eq!(taken, expected.into_iter().filter(|(time, _)| *time <= at(2)).collect::<Vec<_>>());
            prop_assert!(by_time.first().is_none_or(|first| first > at(2)));
        }
    }
}
