//! Times, lengths of time and lists in words.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{Time, duration, short_number};

/// How times are written in one text: short, as of the day that it is about.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Clock<'a> {
    pub(in crate::lab) now: Time,
    pub(in crate::lab) zone: &'a TimeZone,
}

impl Clock<'_> {
    /// The time of day; with the date where that is another day.
    pub(in crate::lab) fn at(&self, time: Time) -> String {
        let zoned = |time: Time| time.to_jiff().to_zoned(self.zone.clone());
        let (then, now) = (zoned(time), zoned(self.now));
        let format = if then.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        then.strftime(format).to_string()
    }

    /// With the date and the zone.
    pub(in crate::lab) fn full(&self, time: Time) -> String {
        let zoned = time.to_jiff().to_zoned(self.zone.clone());
        match zoned.offset().is_zero() {
            true => zoned.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            false => zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
        }
    }

    /// The time of day, and how long ago that was.
    pub(in crate::lab) fn since(&self, time: Time) -> String {
        format!("{} ({} ago)", self.at(time), length(self.now.since(time)))
    }

    /// The time of day, and how long until then.
    pub(in crate::lab) fn until(&self, time: Time) -> String {
        match time > self.now {
            true => format!("{} (in {})", self.at(time), length(time.since(self.now))),
            false => self.at(time),
        }
    }
}

/// A length of time to the second; of days and more to the minute.
pub(in crate::lab) fn length(length: Duration) -> String {
    let secs = length.as_secs_f64().round() as u64;
    let secs = if secs >= 86_400 { secs / 60 * 60 } else { secs };
    duration::format(Duration::from_secs(secs))
}

/// A text of at most so many characters.
pub(in crate::lab) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => {
            let kept: String = text.chars().take(most.saturating_sub(2)).collect();
            format!("{kept}..")
        }
        None => text.to_string(),
    }
}

/// A number of things.
pub(in crate::lab) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A value as it is read: a number short, anything else as it is written.
pub(in crate::lab) fn value(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => short_number(number),
        _ => text.to_string(),
    }
}
