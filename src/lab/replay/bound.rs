//! Where a replay begins and ends: a time, a time of day, or so long before the end of the recording.

use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{Time, duration};

/// A point of a recording as people write it.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// A point in time.
    At(Time),
    /// A date, or a date and a time of day, on the clock of the project's zone. A date is its beginning.
    Local(jiff::civil::DateTime),
    /// A time of day, on the clock of the project's zone: the last one within the recording, else that of its last day.
    Clock(jiff::civil::Time),
    /// So long before the recording ends.
    BeforeEnd(Duration),
}

/// A text that is no point of a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is neither a time (`2026-11-21T10:00:00Z`, `2026-11-21 10:00`), nor a date (`2026-11-21`), nor a time of day (`10:00`), nor a duration before the end of the recording (`24h`)"
)]
pub struct NoBound;

impl FromStr for Bound {
    type Err = NoBound;

    fn from_str(text: &str) -> Result<Bound, NoBound> {
        // With an offset first: read as local time, that would be passed over.
        if let Ok(time) = Time::parse_rfc3339(text) {
            return Ok(Bound::At(time));
        }
        if let Ok(local) = text.parse() {
            return Ok(Bound::Local(local));
        }
        if text.contains(':')
            && let Ok(clock) = text.parse()
        {
            return Ok(Bound::Clock(clock));
        }
        duration::parse(text).map(Bound::BeforeEnd).map_err(|_| NoBound)
    }
}

impl Bound {
    /// The point in time. `span` is asked when the recording begins and ends, where that is needed.
    ///
    /// # Errors
    /// That of `span`.
    pub fn resolve<E>(&self, zone: &TimeZone, span: impl FnOnce() -> Result<(Time, Time), E>) -> Result<Time, E> {
        let of_zone = |local: jiff::civil::DateTime| {
            let zoned = zone.to_ambiguous_zoned(local).compatible();
            // Beyond the calendar is later than every recording.
            zoned.map_or(Time::MAX, |zoned| Time::from_micros(zoned.timestamp().as_microsecond()))
        };
        match self {
            Bound::At(time) => Ok(*time),
            Bound::Local(local) => Ok(of_zone(*local)),
            Bound::Clock(clock) => {
                let (first, last) = span()?;
                let day = last.to_jiff().to_zoned(zone.clone()).date();
                let on_last_day = of_zone(day.to_datetime(*clock));
                let before = day.yesterday().map(|day| of_zone(day.to_datetime(*clock)));
                Ok(before.ok().filter(|before| on_last_day > last && first <= *before).unwrap_or(on_last_day))
            }
            Bound::BeforeEnd(duration) => Ok(span()?.1 - *duration),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_time_a_date_a_time_of_day_or_a_duration_before_the_end() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let first = Time::parse_rfc3339("2026-11-21T01:00:00Z").unwrap();
        let end = Time::parse_rfc3339("2026-11-22T00:00:00Z").unwrap();
        let cases = [
            ("2026-11-21T10:00:00Z", Some("2026-11-21T10:00:00Z")),
            ("2026-11-21T10:00:00+02:00", Some("2026-11-21T08:00:00Z")),
            ("2026-11-21", Some("2026-11-20T16:00:00Z")),
            ("2026-11-21 10:30", Some("2026-11-21T02:30:00Z")),
            ("2026-11-21T10:30:05", Some("2026-11-21T02:30:05Z")),
            ("24h", Some("2026-11-21T00:00:00Z")),
            ("1d12h", Some("2026-11-20T12:00:00Z")),
            ("yesterday", None),
            // The recording is from 09:00 until 08:00 of the next day there.
            ("07:30", Some("2026-11-21T23:30:00Z")),
            ("08:00", Some("2026-11-22T00:00:00Z")),
            ("08:30", Some("2026-11-22T00:30:00Z")),
            ("09:00", Some("2026-11-21T01:00:00Z")),
            ("09:30", Some("2026-11-21T01:30:00Z")),
            ("25:00", None),
            ("10", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let time = text.parse::<Bound>().map(|bound| bound.resolve(&zone, || Ok::<_, ()>((first, end))).unwrap());
            assert_eq!(time, expected.map(|time| Time::parse_rfc3339(time).unwrap()).ok_or(NoBound), "{text}");
        }
        assert_eq!(
            "1h".parse::<Bound>().unwrap().resolve(&zone, || Err("a pipe has no end")),
            Err("a pipe has no end")
        );
    }
}
