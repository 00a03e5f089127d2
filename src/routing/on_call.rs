//! Rotations: who is on call. A route names one as it names a channel. Pure.
//!
//! A rotation is a calendar: from its first handover on, the turns follow each other every so many days or weeks, at the
//! same time of the day in its zone, whatever daylight saving does. An override goes before the turns.

use jiff::ToSpan as _;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::{ChannelName, Time};

/// One rotation.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotation {
    /// Its days and hours are of this zone.
    pub zone: TimeZone,
    /// The first handover, by the clock on the wall of the zone: from then on the first turn is on call.
    pub starts: DateTime,
    /// How many days a turn lasts; at least one.
    pub days: u16,
    /// The channels of each turn, in their order; at least one turn.
    pub turns: Vec<Vec<ChannelName>>,
    /// Who is on call instead, for a time. Of several that overlap the last one counts.
    pub overrides: Vec<Override>,
}

/// Somebody else is on call.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// From when on, by the wall clock.
    pub from: Time,
    /// Until when (exclusive), by the wall clock.
    pub until: Time,
    /// The channels instead.
    pub to: Vec<ChannelName>,
}

impl Rotation {
    /// The channels on call at a wall-clock time. Before the first handover the turns are counted backwards.
    pub fn on_call(&self, wall: Time) -> &[ChannelName] {
        if let Some(instead) = self.overrides.iter().rev().find(|o| o.from <= wall && wall < o.until) {
            return &instead.to;
        }
        let turn = self.turn(wall).rem_euclid(self.turns.len().max(1) as i64);
        self.turns.get(turn as usize).map_or(&[], Vec::as_slice)
    }

    /// The next wall-clock time after `wall` at which somebody else may be on call.
    pub fn next_change(&self, wall: Time) -> Option<Time> {
        let borders = self.overrides.iter().flat_map(|o| [o.from, o.until]);
        let handover = (self.turns.len() > 1).then(|| self.handover(self.turn(wall) + 1)).flatten();
        borders.chain(handover).filter(|time| *time > wall).min()
    }

    /// Which turn, counted from the first handover.
    fn turn(&self, wall: Time) -> i64 {
        let local = self.zone.to_datetime(wall.to_jiff());
        let days = (local.date() - self.starts.date()).get_days();
        let guess = i64::from(days).div_euclid(i64::from(self.days.max(1)));
        // The time of the day decides on the day of a handover; where the clock changes then, the instant does.
        [guess + 1, guess, guess - 1]
            .into_iter()
            .find(|turn| self.handover(*turn).is_some_and(|time| time <= wall))
            .unwrap_or(guess - 1)
    }

    /// When a turn begins. `None` beyond the years that a clock can tell.
    fn handover(&self, turn: i64) -> Option<Time> {
        let days = turn.checked_mul(i64::from(self.days.max(1)))?;
        let local = self.starts.checked_add(i32::try_from(days).ok()?.days()).ok()?;
        let timestamp = self.zone.to_ambiguous_timestamp(local).compatible().ok()?;
        Some(Time::from_micros(timestamp.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Time {
        Time::parse_rfc3339(text).unwrap()
    }

    /// `anna`, `ben` and `cleo` by turns, from Monday 2026-11-02 09:00 in Berlin.
    fn rotation(days: u16) -> Rotation {
        Rotation {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            starts: "2026-11-02T09:00".parse().unwrap(),
            days,
            turns: ["anna", "ben", "cleo"].map(|name| vec![ChannelName::from(name)]).into(),
            overrides: Vec::new(),
        }
    }

    fn who(rotation: &Rotation, time: &str) -> String {
        let names: Vec<&str> = rotation.on_call(at(time)).iter().map(ChannelName::as_str).collect();
        names.join(",")
    }

    #[test]
    fn turns_follow_each_other_at_the_same_time_of_the_day() {
        for (days, time, expected) in [
            (7, "2026-11-02T07:59:59Z", "cleo"),
            (7, "2026-11-02T08:00:00Z", "anna"),
            (7, "2026-11-09T07:59:59Z", "anna"),
            (7, "2026-11-09T08:00:00Z", "ben"),
            (7, "2026-11-23T08:00:00Z", "anna"),
            (7, "2026-10-26T08:00:00Z", "cleo"),
            (1, "2026-11-03T08:00:00Z", "ben"),
            (1, "2026-11-04T07:00:00Z", "ben"),
            (14, "2026-11-15T12:00:00Z", "anna"),
            // Daylight saving: 09:00 in Berlin is 07:00 in UTC.
            (1, "2027-06-01T06:59:59Z", "anna"),
            (1, "2027-06-01T07:00:00Z", "ben"),
        ] {
            assert_eq!(who(&rotation(days), time), expected, "{days} {time}");
        }
    }

    #[test]
    fn an_override_goes_before_the_turns_and_of_two_the_last_one_counts() {
        let over =
            |from: &str, until: &str, to: &str| Override { from: at(from), until: at(until), to: vec![to.into()] };
        let overrides = vec![
            over("2026-11-10T00:00:00Z", "2026-11-12T00:00:00Z", "dora"),
            over("2026-11-11T00:00:00Z", "2026-11-13T00:00:00Z", "emil"),
        ];
        let rotation = Rotation { overrides, ..rotation(7) };
        for (time, expected) in [
            ("2026-11-09T23:59:59Z", "ben"),
            ("2026-11-10T00:00:00Z", "dora"),
            ("2026-11-11T12:00:00Z", "emil"),
            ("2026-11-13T00:00:00Z", "ben"),
        ] {
            assert_eq!(who(&rotation, time), expected, "{time}");
        }
        assert_eq!(rotation.next_change(at("2026-11-09T12:00:00Z")), Some(at("2026-11-10T00:00:00Z")));
        assert_eq!(rotation.next_change(at("2026-11-13T00:00:00Z")), Some(at("2026-11-16T08:00:00Z")));
    }

    #[test]
    fn a_handover_in_a_skipped_hour_is_at_its_end() {
        let starts = "2027-03-21T02:30".parse().unwrap();
        let rotation = Rotation { starts, ..rotation(7) };
        // 02:30 does not exist on 2027-03-28.
        assert_eq!(rotation.next_change(at("2027-03-27T00:00:00Z")), Some(at("2027-03-28T01:30:00Z")));
        assert_eq!(who(&rotation, "2027-03-28T01:30:00Z"), "ben");
    }

    proptest! {
        #[test]
        fn nobody_else_is_on_call_before_the_next_change(
            secs in 1_700_000_000i64..1_900_000_000, days in 1u16..15, later in 0.0f64..1.0
        ) {
            let rotation = rotation(days);
            let now = Time::from_micros(secs * 1_000_000);
            let next = rotation.next_change(now).unwrap();
            prop_assert!(next > now);
            let between = Time::from_micros(now.as_micros() + ((next.since(now).as_micros() - 1) as f64 * later) as i64);
            prop_assert_eq!(rotation.on_call(now), rotation.on_call(between));
            prop_assert_ne!(rotation.on_call(now), rotation.on_call(next));
        }
    }
}
