//! How far back rules look: fields that they ask for over longer windows than everything is kept for are kept for longer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::calendar::{DAYS_BACK, midnight};
use crate::model::Time;

/// A kind of subjects, or any kind, and how far back its field is looked at.
type OfKind = (Option<Arc<str>>, Duration);

/// How far back fields are looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reach {
    /// By field, and of which kind of subjects; `None` is any kind.
    fields: BTreeMap<Arc<str>, Vec<OfKind>>,
    /// Of how many days before today.
    days: Option<u32>,
}

impl Reach {
    /// A field of the subjects of a kind, or of any kind, is looked at over so long.
    pub fn ask(&mut self, kind: Option<&Arc<str>>, field: &Arc<str>, length: Duration) {
        let of_field = self.fields.entry(field.clone()).or_default();
        match of_field.iter_mut().find(|(known, _)| known.as_ref() == kind) {
            Some((_, known)) => *known = length.max(*known),
            None => of_field.push((kind.cloned(), length)),
        }
    }

    /// Today is looked at, and so many days before it, at most [`DAYS_BACK`].
    pub fn ask_days(&mut self, days: u32) {
        self.days = self.days.max(Some(days.min(DAYS_BACK)));
    }

    /// Takes what another one asks for, too.
    pub fn extend(&mut self, other: &Reach) {
        for (field, of_field) in &other.fields {
            of_field.iter().for_each(|(kind, length)| self.ask(kind.as_ref(), field, *length));
        }
        self.days = self.days.max(other.days);
    }

    /// The fields that are looked back on further than this.
    pub fn beyond(&self, length: Duration) -> Reach {
        let mut fields = self.fields.clone();
        fields.retain(|_, of_field| {
            of_field.retain(|(_, asked)| *asked > length);
            !of_field.is_empty()
        });
        Reach { fields, days: None }
    }

    /// Whether no field is asked for.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The longest look back.
    pub fn longest(&self) -> Duration {
        self.fields.values().flatten().map(|(_, length)| *length).max().unwrap_or_default()
    }

    /// Where what was looked at begins, when it was looked at from a time on, of days of a zone.
    pub fn begins(&self, from: Time, zone: &TimeZone) -> Time {
        let midnight = self.days.and_then(|days| midnight(from, days, zone));
        (from - self.longest()).min(midnight.unwrap_or(from))
    }

    /// How far back a field of a kind is looked at; zero where nobody does. The buckets of a histogram are looked at where
    /// it is.
    pub fn of(&self, kind: &str, field: &str) -> Duration {
        let histogram = field.split_once("_bucket{").map(|(histogram, _)| histogram);
        let asked = std::iter::once(field).chain(histogram).filter_map(|name| self.fields.get(name)).flatten();
        let of_kind = asked.filter(|(known, _)| known.as_deref().is_none_or(|known| known == kind));
        of_kind.map(|(_, length)| *length).max().unwrap_or_default()
    }

    /// Whether anything of a kind is looked at.
    pub fn asks_of(&self, kind: &str) -> bool {
        self.fields.values().flatten().any(|(known, _)| known.as_deref().is_none_or(|known| known == kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn reach(asked: &[(Option<&str>, &str, u32)]) -> Reach {
        let mut reach = Reach::default();
        for (kind, field, days) in asked {
            reach.ask(kind.map(Arc::from).as_ref(), &Arc::from(*field), DAY * *days);
        }
        reach
    }

    #[test]
    fn the_longest_look_at_a_field_of_a_kind_counts() {
        let reach = reach(&[
            (Some("host"), "load", 2),
            (Some("host"), "load", 9),
            (Some("host"), "load", 1),
            (None, "load", 3),
            (None, "seconds", 4),
        ]);
        for (kind, field, days) in [
            ("host", "load", 9),
            ("service", "load", 3),
            ("host", "memory", 0),
            ("web", "seconds_bucket{le=\"0.5\"}", 4),
            ("web", "seconds", 4),
        ] {
            assert_eq!(reach.of(kind, field), DAY * days, "{kind} {field}");
        }
        assert_eq!(reach.longest(), DAY * 9);
    }

    #[test]
    fn what_is_kept_anyway_is_not_beyond_it() {
        let all = reach(&[(Some("host"), "load", 2), (None, "load", 1), (None, "free", 1)]);
        assert_eq!(all.beyond(DAY), reach(&[(Some("host"), "load", 2)]));
        assert!(all.beyond(DAY * 2).is_empty() && all.beyond(DAY).asks_of("host") && !all.beyond(DAY).asks_of("web"));
        let mut both = reach(&[(None, "load", 5)]);
        both.extend(&all);
        assert_eq!(both, reach(&[(None, "load", 5), (Some("host"), "load", 2), (None, "free", 1)]));
        assert_eq!(both.begins(Time::EPOCH, &TimeZone::UTC), Time::EPOCH - DAY * 5);
        both.ask_days(6);
        let noon = Time::EPOCH + DAY / 2;
        assert_eq!(both.begins(noon, &TimeZone::UTC), Time::EPOCH - DAY * 6);
    }
}
