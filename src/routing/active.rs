//! Weekly windows in which a route is open: `Mon-Fri 09:00-18:00, Sat 10:00-14:00`.
//!
//! A window is a statement about the clock on the wall: it is open while that clock shows a time in it. So an hour that
//! daylight saving skips is in no window, and an hour that comes twice is in its window twice.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};

use crate::model::Time;

const MINUTES_PER_DAY: u16 = 24 * 60;

/// Weekly windows, at least one. As text: as they were written.
#[derive(Clone, Debug, PartialEq)]
pub struct Active {
    windows: Vec<Window>,
    text: Arc<str>,
}

/// From one minute of the day to another on some days of the week.
#[derive(Clone, Debug, PartialEq)]
struct Window {
    /// The days on which it opens, from Monday.
    days: [bool; 7],
    /// Minute of the day at which it opens.
    from: u16,
    /// Minute of the day at which it closes: on the next day where it is not after `from`.
    to: u16,
}

/// Why a text says no windows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A part is neither days nor times.
    #[error("`{0}` is no window: write it like `Mon-Fri 09:00-18:00`, `Sat,Sun`, or `22:00-06:00`")]
    Malformed(String),
    /// It closes in the minute in which it opens.
    #[error("the window `{0}` is empty: for a whole day leave the times out")]
    Empty(String),
}

impl Active {
    /// The windows as they were written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a window is open at a wall-clock time.
    pub fn is_open(&self, wall: Time, zone: &TimeZone) -> bool {
        let local = zone.to_datetime(wall.to_jiff());
        self.windows.iter().any(|window| window.contains(local))
    }

    /// The next wall-clock time after `wall` at which it opens or closes; `None` where it is always open.
    pub fn next_change(&self, wall: Time, zone: &TimeZone) -> Option<Time> {
        let is_open = self.is_open(wall, zone);
        let today = zone.to_datetime(wall.to_jiff()).date();
        // A window of one day a week can fall into a skipped hour once: two weeks always have a change if any has.
        let dates: Vec<Date> = (-1..=15).filter_map(|days| today.checked_add(days.days()).ok()).collect();
        let mut candidates: Vec<Time> = Vec::new();
        for date in &dates {
            for window in &self.windows {
                for minute in [window.from, window.to % MINUTES_PER_DAY] {
                    let local = date.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
                    let instants = zone.to_ambiguous_timestamp(local);
                    // Where an hour comes twice, so does its boundary.
                    candidates.extend([instants.earlier(), instants.later()].into_iter().flatten().map(time));
                }
            }
        }
        let end = candidates.iter().max().copied()?;
        let transitions = zone.following(wall.to_jiff()).map(|transition| time(transition.timestamp()));
        candidates.extend(transitions.take_while(|transition| *transition <= end));
        candidates.sort_unstable();
        candidates.into_iter().find(|candidate| *candidate > wall && self.is_open(*candidate, zone) != is_open)
    }
}

fn time(timestamp: jiff::Timestamp) -> Time {
    Time::from_micros(timestamp.as_microsecond())
}

impl Window {
    fn contains(&self, local: DateTime) -> bool {
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let on = |weekday: Weekday| self.days[usize::from(weekday.to_monday_zero_offset().unsigned_abs())];
        let today = local.weekday();
        if self.from < self.to {
            return on(today) && (self.from..self.to).contains(&minute);
        }
        (on(today) && minute >= self.from) || (on(today.previous()) && minute < self.to)
    }
}

impl FromStr for Active {
    type Err = Error;

    fn from_str(text: &str) -> Result<Active, Error> {
        let mut windows = Vec::new();
        // Days before a comma belong to the next times: `Mon,Wed 09:00-18:00`.
        let mut days: Option<[bool; 7]> = None;
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        for part in &parts {
            let malformed = || Error::Malformed(part.to_string());
            let mut words = part.split_whitespace();
            let first = words.next().ok_or_else(malformed)?;
            let (day_word, time_word) = match first.starts_with(|c: char| c.is_ascii_digit()) {
                true => (None, Some(first)),
                false => (Some(first), words.next()),
            };
            if words.next().is_some() {
                return Err(malformed());
            }
            if let Some(word) = day_word {
                let more = day_range(word).ok_or_else(malformed)?;
                let all = days.get_or_insert([false; 7]);
                for (day, on) in all.iter_mut().zip(more) {
                    *day |= on;
                }
            }
            if let Some(word) = time_word {
                let (from, to) = time_range(word).ok_or_else(malformed)?;
                if from == to {
                    return Err(Error::Empty(part.to_string()));
                }
                windows.push(Window { days: days.take().unwrap_or([true; 7]), from, to });
            }
        }
        if let Some(days) = days {
            windows.push(Window { days, from: 0, to: MINUTES_PER_DAY });
        }
        Ok(Active { windows, text: parts.join(", ").into() })
    }
}

impl fmt::Display for Active {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for Active {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// `Mon` or `Mon-Fri`; a range may go over the end of the week.
fn day_range(word: &str) -> Option<[bool; 7]> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (mut day, last) = (day(first)?, self::day(last)?);
    let mut days = [false; 7];
    loop {
        days[day] = true;
        if day == last {
            return Some(days);
        }
        day = (day + 1) % 7;
    }
}

fn day(word: &str) -> Option<usize> {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let word = word.to_lowercase();
    DAYS.iter().position(|name| *name == word || (word.len() == 3 && name.starts_with(&word)))
}

fn time_range(word: &str) -> Option<(u16, u16)> {
    let (from, to) = word.split_once('-')?;
    let (from, to) = (minute_of_day(from)?, minute_of_day(to)?);
    (from < MINUTES_PER_DAY).then_some((from, to))
}

/// `09:00`, `9:00`, up to `24:00`.
fn minute_of_day(word: &str) -> Option<u16> {
    let (hour, minute) = word.split_once(':')?;
    let digits = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        let plain = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| plain)
    };
    let (hour, minute) = (digits(hour, 1..=2)?, digits(minute, 2..=2)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= MINUTES_PER_DAY).then_some(total)
}

impl<'de> Deserialize<'de> for Active {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Active, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Active;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("windows such as \"Mon-Fri 09:00-18:00\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Active, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> Time {
        Time::parse_rfc3339(text).unwrap()
    }

    fn active(text: &str) -> Active {
        text.parse().unwrap()
    }

    #[test]
    fn office_hours_are_open_from_the_first_minute_to_before_the_last() {
        let (hours, utc) = (active("Mon-Fri 09:00-18:00"), TimeZone::UTC);
        // 2026-11-20 is a Friday.
        for (time, open) in [
            ("2026-11-20T08:59:59Z", false),
            ("2026-11-20T09:00:00Z", true),
            ("2026-11-20T17:59:59Z", true),
            ("2026-11-20T18:00:00Z", false),
            ("2026-11-21T12:00:00Z", false),
        ] {
            assert_eq!(hours.is_open(at(time), &utc), open, "{time}");
        }
        assert_eq!(hours.next_change(at("2026-11-20T12:00:00Z"), &utc), Some(at("2026-11-20T18:00:00Z")));
        assert_eq!(hours.next_change(at("2026-11-20T18:00:00Z"), &utc), Some(at("2026-11-23T09:00:00Z")));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let (night, utc) = (active("Fri 22:00-06:00"), TimeZone::UTC);
        assert!(night.is_open(at("2026-11-20T23:00:00Z"), &utc));
        assert!(night.is_open(at("2026-11-21T05:59:00Z"), &utc));
        assert!(!night.is_open(at("2026-11-20T05:00:00Z"), &utc));
        assert!(!night.is_open(at("2026-11-21T22:00:00Z"), &utc));
    }

    #[test]
    fn days_and_times_combine_as_people_write_them() {
        assert_eq!(active("Mon,Wed 09:00-18:00").windows.len(), 1);
        assert_eq!(active("mon-fri 9:00-18:00, Saturday 10:00-14:00").windows.len(), 2);
        assert_eq!(
            active("Sat,Sun").windows,
            vec![Window { days: [false, false, false, false, false, true, true], from: 0, to: 1440 }]
        );
        assert_eq!(active("Fri-Mon").windows[0].days, [true, false, false, false, true, true, true]);
        assert_eq!(active("22:00-06:00").windows[0].days, [true; 7]);
        assert_eq!(active("00:00-24:00").next_change(at("2026-11-20T23:00:00Z"), &TimeZone::UTC), None);
    }

    #[test]
    fn what_is_no_window_says_how_to_write_one() {
        for text in [
            "",
            "Mon-",
            "Mon 9-18",
            "25:00-26:00",
            "Mon 09:00",
            "Mon 09:00-18:00 x",
            "09:60-10:00",
            "24:00-02:00",
            "Mo 09:00-10:00",
            ",",
        ] {
            assert!(text.parse::<Active>().is_err(), "{text}");
        }
        assert_eq!("Mon 09:00-09:00".parse::<Active>(), Err(Error::Empty("Mon 09:00-09:00".into())));
    }

    #[test]
    fn daylight_saving_moves_the_next_opening_with_the_clock_on_the_wall() {
        let berlin = zone("Europe/Berlin");
        let hours = active("09:00-18:00");
        // Clocks go forward on 2026-03-29 at 02:00 and back on 2026-10-25 at 03:00.
        assert_eq!(hours.next_change(at("2026-03-28T20:00:00Z"), &berlin), Some(at("2026-03-29T07:00:00Z")));
        assert_eq!(hours.next_change(at("2026-10-24T20:00:00Z"), &berlin), Some(at("2026-10-25T08:00:00Z")));
        // A window that begins in the skipped hour opens when the clock jumps over it.
        assert_eq!(
            active("02:30-05:00").next_change(at("2026-03-28T20:00:00Z"), &berlin),
            Some(at("2026-03-29T01:00:00Z"))
        );
        // An hour that comes twice opens its window twice.
        let twice = active("02:00-02:30");
        assert_eq!(twice.next_change(at("2026-10-25T00:10:00Z"), &berlin), Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(twice.next_change(at("2026-10-25T00:30:00Z"), &berlin), Some(at("2026-10-25T01:00:00Z")));
    }

    fn any_window() -> impl Strategy<Value = String> {
        (0..7usize, 0..7usize, 0..1440u16, 0..=1440u16).prop_filter_map("empty", |(first, last, from, to)| {
            const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
            (from != to).then(|| {
                let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
                format!("{}-{} {}-{}", NAMES[first], NAMES[last], time(from), time(to))
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_next_change_is_what_a_scan_of_every_minute_finds(
            windows in proptest::collection::vec(any_window(), 1..4),
            zone_name in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai"]),
            // Half a year around both changes of 2026.
            start_minute in 0i64..(366 * 1440),
        ) {
            let (active, zone) = (active(&windows.join(", ")), zone(zone_name));
            let minute = |n: i64| Time::from_micros((29_453_760 + n) * 60_000_000);
            let start = minute(start_minute);
            let is_open = active.is_open(start, &zone);
            let scanned = (1..=15 * 1440).map(|n| minute(start_minute + n)).find(|time| active.is_open(*time, &zone) != is_open);
            prop_assert_eq!(active.next_change(start, &zone), scanned);
        }
    }
}
