//! Calendar days of the configured zone, by the wall clock.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::model::Time;

/// How many days back a day window can reach: today and these.
pub const DAYS_BACK: u32 = 7;

/// Tells days. Remembers the last one, as nearly all samples are of the same day.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    zone: TimeZone,
    /// The day that was asked for last, with its borders.
    last: Option<(Date, Time, Time)>,
}

impl Calendar {
    pub(crate) fn new(zone: TimeZone) -> Calendar {
        Calendar { zone, last: None }
    }

    /// The day of a wall-clock time.
    pub(crate) fn day_of(&self, wall: Time) -> Date {
        match self.last {
            Some((date, start, end)) if start <= wall && wall < end => date,
            _ => wall.to_jiff().to_zoned(self.zone.clone()).date(),
        }
    }

    /// The day of a wall-clock time, to be remembered.
    pub(crate) fn remember_day_of(&mut self, wall: Time) -> Date {
        let date = self.day_of(wall);
        if self.last.is_none_or(|(last, ..)| last != date) {
            self.last = self.borders(date).map(|(start, end)| (date, start, end));
        }
        date
    }

    /// The wall-clock times at which a day begins and the next one begins: 23, 24 or 25 hours apart, or as the zone has
    /// it. `None` at the ends of time.
    pub(crate) fn borders(&self, date: Date) -> Option<(Time, Time)> {
        let start_of = |date: Date| {
            let start = date.to_zoned(self.zone.clone()).ok()?.start_of_day().ok()?;
            Some(Time::from_micros(start.timestamp().as_microsecond()))
        };
        Some((start_of(date)?, start_of(date.tomorrow().ok()?)?))
    }
}

/// When the day began so many days before that of a wall-clock time. `None` at the ends of time.
pub fn midnight(wall: Time, days: u32, zone: &TimeZone) -> Option<Time> {
    let calendar = Calendar::new(zone.clone());
    let date = days_before(calendar.day_of(wall), days)?;
    calendar.borders(date).map(|(start, _)| start)
}

/// The day this many days before another. `None` before the year -9999.
pub(crate) fn days_before(date: Date, days: u32) -> Option<Date> {
    date.checked_sub(jiff::Span::new().days(i64::from(days))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_the_hours_that_their_zone_gives_them() {
        let cases = [
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", 23),
            ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", 25),
            ("Europe/Berlin", "2026-11-21", "2026-11-20T23:00:00Z", 24),
            ("Asia/Shanghai", "2026-03-29", "2026-03-28T16:00:00Z", 24),
            ("UTC", "2026-02-28", "2026-02-28T00:00:00Z", 24),
            // Midnight does not exist on this day: it begins at one o'clock.
            ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z", 23),
        ];
        for (zone, date, start, hours) in cases {
            let calendar = Calendar::new(TimeZone::get(zone).unwrap());
            let date: Date = date.parse().unwrap();
            let (from, to) = calendar.borders(date).unwrap();
            assert_eq!(from.to_string(), start, "{zone} {date}");
            assert_eq!(to.since(from).as_secs(), hours * 3600, "{zone} {date}");
            assert_eq!(calendar.day_of(from), date);
            assert_eq!(calendar.day_of(to), date.tomorrow().unwrap());
        }
    }

    #[test]
    fn a_remembered_day_ends_at_its_midnight() {
        let mut calendar = Calendar::new(TimeZone::UTC);
        let before: Time = Time::parse_rfc3339("2026-11-21T23:59:59.999999Z").unwrap();
        let after: Time = Time::parse_rfc3339("2026-11-22T00:00:00Z").unwrap();
        assert_eq!(calendar.remember_day_of(before).to_string(), "2026-11-21");
        assert_eq!(calendar.remember_day_of(after).to_string(), "2026-11-22");
        assert_eq!(calendar.day_of(before).to_string(), "2026-11-21");
    }
}
