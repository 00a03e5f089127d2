//! Where a replay begins and ends: a time, or so long before the end of the recording.

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
    /// So long before the recording ends.
    BeforeEnd(Duration),
}

/// A text that is no point of a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is neither a time (`2026-11-21T10:00:00Z`, `2026-11-21 10:00`), nor a date (`2026-11-21`), nor a duration before the end of the recording (`24h`)"
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
        duration::parse(text).map(Bound::BeforeEnd).map_err(|_| NoBound)
    }
}

impl Bound {
    /// The point in time. `end` is asked for the end of the recording, where that is needed.
    ///
    /// # Errors
    /// That of `end`.
    pub fn resolve<E>(&self, zone: &TimeZone, end: impl FnOnce() -> Result<Time, E>) -> Result<Time, E> {
        match self {
            Bound::At(time) => Ok(*time),
            Bound::Local(local) => {
                let zoned = zone.to_ambiguous_zoned(*local).compatible();
                // Beyond the calendar is later than every recording.
                Ok(zoned.map_or(Time::MAX, |zoned| Time::from_micros(zoned.timestamp().as_microsecond())))
            }
            Bound::BeforeEnd(duration) => Ok(end()? - *duration),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_time_a_date_or_a_duration_before_the_end() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
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
            ("10:00", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let time = text.parse::<Bound>().map(|bound| bound.resolve(&zone, || Ok::<_, ()>(end)).unwrap());
            assert_eq!(time, expected.map(|time| Time::parse_rfc3339(time).unwrap()).ok_or(NoBound), "{text}");
        }
        assert_eq!(
            "1h".parse::<Bound>().unwrap().resolve(&zone, || Err("a pipe has no end")),
            Err("a pipe has no end")
        );
    }
}
