//! Points in time: microseconds since the Unix epoch.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, in whole microseconds since the Unix epoch.
///
/// Microseconds, because a Unix time in seconds with a fraction arrives as an `f64`, which is exact to about 0.2 us
/// in this century: nothing that a sender can say is lost, and differences stay integers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// The Unix epoch.
    pub const EPOCH: Time = Time(0);
    /// The latest time that can be told.
    pub const MAX: Time = Time(253_402_300_799_000_000);

    /// A time from microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    /// A time from seconds since the Unix epoch, with a fraction. `None` where it is not finite or out of the years 1970 to 9999.
    pub fn from_secs_f64(secs: f64) -> Option<Time> {
        let micros = (secs * 1e6).round();
        (micros.is_finite() && micros >= 0.0 && micros <= Time::MAX.0 as f64).then_some(Time(micros as i64))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds since the Unix epoch, with a fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0) as u64)
    }

    /// This time moved by a signed number of microseconds (a wall clock's offset).
    pub const fn offset(self, micros: i64) -> Time {
        Time(self.0.saturating_add(micros))
    }

    /// The first multiple of `step` since the epoch that is later than this time.
    pub fn next_multiple(self, step: Duration) -> Time {
        let step = (step.as_micros() as i64).max(1);
        Time((self.0.div_euclid(step) + 1).saturating_mul(step))
    }

    /// The same point as jiff's type, for calendars and printing.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }

    /// Reads RFC 3339 (`2026-11-21T10:00:00Z`, any offset).
    pub fn parse_rfc3339(text: &str) -> Result<Time, jiff::Error> {
        Ok(Time(text.parse::<jiff::Timestamp>()?.as_microsecond()))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)).min(Time::MAX.0))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC, with as many digits of the fraction as are needed.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_jiff())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads RFC 3339 text, or a Unix time in seconds with a fraction.
impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Time;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time: RFC 3339 text such as \"2026-11-21T10:00:00Z\", or Unix seconds")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                Time::parse_rfc3339(text).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_f64<E: de::Error>(self, secs: f64) -> Result<Time, E> {
                Time::from_secs_f64(secs).ok_or_else(|| E::invalid_value(de::Unexpected::Float(secs), &self))
            }
            fn visit_u64<E: de::Error>(self, secs: u64) -> Result<Time, E> {
                self.visit_f64(secs as f64)
            }
            fn visit_i64<E: de::Error>(self, secs: i64) -> Result<Time, E> {
                self.visit_f64(secs as f64)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The time of one step: engine time, and how far the wall clock is ahead of it.
///
/// Engine time never goes back. Calendar functions and printed times use [`Now::wall`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Engine time: monotonic, anchored at start.
    pub time: Time,
    /// Microseconds that the wall clock is ahead of engine time; negative where it is behind.
    pub wall_offset: i64,
}

impl Now {
    /// A step whose wall clock agrees with engine time, as in tests and replays.
    pub const fn at(time: Time) -> Now {
        Now { time, wall_offset: 0 }
    }

    /// What the wall clock shows at this step.
    pub const fn wall(self) -> Time {
        self.time.offset(self.wall_offset)
    }

    /// What the wall clock shows at another point of engine time, by this step's offset.
    pub const fn wall_of(self, time: Time) -> Time {
        time.offset(self.wall_offset)
    }
}
