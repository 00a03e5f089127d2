//! Which firing of one side is which of the other, and what was told of them.

use std::collections::BTreeMap;

use super::Telling;
use crate::model::{ChannelName, EventKind, FiringId, RuleName, SubjectKey, Time};

/// From a firing's first raise to its end; what still fires has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Time,
    pub(super) end: Option<Time>,
}

impl Span {
    fn end(&self) -> Time {
        self.end.unwrap_or(Time::MAX)
    }

    /// How much of time two spans share, in microseconds. What begins together shares most.
    fn shared(&self, other: &Span) -> i64 {
        if self.start == other.start {
            return i64::MAX;
        }
        self.end().min(other.end()).as_micros() - self.start.max(other.start).as_micros()
    }
}

/// The firings of each rule and subject.
pub(super) type Spans = BTreeMap<(RuleName, SubjectKey), BTreeMap<FiringId, Span>>;

type Pair = (Option<Telling>, Option<Telling>);

/// Puts together what belongs together; each telling is in one pair.
pub(super) fn pairs(was: Vec<Telling>, was_spans: &Spans, is: Vec<Telling>, is_spans: &Spans) -> Vec<Pair> {
    // The firings of the new side that are firings of the old one, by the name that they have there.
    let mut same: BTreeMap<FiringId, FiringId> = BTreeMap::new();
    for (alert, new) in is_spans {
        let Some(old) = was_spans.get(alert) else { continue };
        let (old, new) = (in_order(old), in_order(new));
        let spans = |firings: &[(FiringId, Span)]| firings.iter().map(|(_, span)| *span).collect::<Vec<_>>();
        for (old_index, new_index) in matched(&spans(&old), &spans(&new)) {
            same.insert(new[new_index].0.clone(), old[old_index].0.clone());
        }
    }
    let mut together: BTreeMap<Key, (Vec<Telling>, Vec<Telling>)> = BTreeMap::new();
    for telling in was {
        together.entry(key(&telling, &telling.firing)).or_default().0.push(telling);
    }
    for telling in is {
        let firing = same.get(&telling.firing).unwrap_or(&telling.firing);
        together.entry(key(&telling, firing)).or_default().1.push(telling);
    }
    together.into_values().flat_map(|(was, is)| in_pairs(was, is)).collect()
}

/// What was told of one kind in one firing: what is of the same time first, the rest in its order.
fn in_pairs(was: Vec<Telling>, is: Vec<Telling>) -> Vec<Pair> {
    let mut was: Vec<Option<Telling>> = was.into_iter().map(Some).collect();
    let mut pairs: Vec<Pair> = Vec::new();
    let mut others = Vec::new();
    for telling in is {
        let is_same = |old: &&mut Option<Telling>| {
            old.as_ref().is_some_and(|old| (old.time, old.event) == (telling.time, telling.event))
        };
        match was.iter_mut().find(is_same).and_then(Option::take) {
            Some(same) => pairs.push((Some(same), Some(telling))),
            None => others.push(telling),
        }
    }
    let mut others = others.into_iter();
    pairs.extend(was.into_iter().flatten().map(|old| (Some(old), others.next())));
    pairs.extend(others.map(|new| (None, Some(new))));
    pairs
}

type Key = (ChannelName, RuleName, SubjectKey, FiringId, EventKind);

/// What is told once, or several times in an order, of one firing.
fn key(telling: &Telling, firing: &FiringId) -> Key {
    let event = if telling.event.is_end() { EventKind::Recovered } else { telling.event };
    (telling.channel.clone(), telling.rule.clone(), telling.subject.clone(), firing.clone(), event)
}

fn in_order(firings: &BTreeMap<FiringId, Span>) -> Vec<(FiringId, Span)> {
    let mut firings: Vec<(FiringId, Span)> = firings.iter().map(|(id, span)| (id.clone(), *span)).collect();
    firings.sort_by_key(|(_, span)| (span.start, span.end()));
    firings
}

/// Matches firings of one alert, which do not overlap within a side, in their order: as indexes into both.
fn matched(old: &[Span], new: &[Span]) -> Vec<(usize, usize)> {
    let (mut i, mut j) = (0, 0);
    let mut matched = Vec::new();
    while let (Some(was), Some(is)) = (old.get(i), new.get(j)) {
        let shared = was.shared(is);
        let next_was = old.get(i + 1).map_or(0, |next| next.shared(is));
        let next_is = new.get(j + 1).map_or(0, |next| next.shared(was));
        if shared <= 0 {
            // Whichever ends first shares nothing with what follows either.
            if (was.end(), was.start) <= (is.end(), is.start) { i += 1 } else { j += 1 }
        } else if next_was > shared {
            i += 1;
        } else if next_is > shared {
            j += 1;
        } else {
            matched.push((i, j));
            (i, j) = (i + 1, j + 1);
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(text: &str) -> Vec<Span> {
        let time = |text: &str| Time::from_micros(text.parse::<i64>().unwrap() * 1_000_000);
        let span = |text: &str| {
            let (start, end) = text.split_once('-').unwrap();
            Span { start: time(start), end: (!end.is_empty()).then(|| time(end)) }
        };
        text.split_whitespace().map(span).collect()
    }

    #[test]
    fn firings_are_matched_by_their_place_in_time() {
        type Case = (&'static str, &'static str, &'static str, &'static [(usize, usize)]);
        let cases: &[Case] = &[
            ("the same", "10-20 30-40", "10-20 30-40", &[(0, 0), (1, 1)]),
            ("one more before all others", "30-40 50-60", "10-20 30-40 50-60", &[(0, 1), (1, 2)]),
            ("one less", "10-20 30-40 50-60", "10-20 50-60", &[(0, 0), (2, 1)]),
            ("later, as with a hold time", "10-20 30-40", "15-20 35-40", &[(0, 0), (1, 1)]),
            ("earlier, as with a lower limit", "15-20", "10-25", &[(0, 0)]),
            ("nothing in common", "10-20", "20-30", &[]),
            ("still firing", "10-20 30-", "12-20 33-", &[(0, 0), (1, 1)]),
            ("split in two: the one that begins with it", "10-100", "10-20 30-100", &[(0, 0)]),
            ("split in two: the longer one", "10-100", "12-20 30-100", &[(0, 1)]),
            ("two become one: the longer one", "10-20 22-40", "19-40", &[(1, 0)]),
            ("two become one: the one that begins with it", "10-20 22-40", "10-40", &[(0, 0)]),
            ("a moment", "10-10", "10-30", &[(0, 0)]),
            ("a moment before another", "10-10 12-20", "5-30", &[(1, 0)]),
            ("a moment before another, in the new one", "5-30", "10-10 12-20", &[(0, 1)]),
            ("a moment at an end, and one that begins with it", "20-20", "10-20 20-30", &[(0, 1)]),
            ("only one side", "", "10-20", &[]),
        ];
        for (what, old, new, expected) in cases {
            assert_eq!(matched(&spans(old), &spans(new)), *expected, "{what}");
        }
    }
}
