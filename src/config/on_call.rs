//! `on_call`: who is on call by turns, for routes to name.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::{Document, Place, Spanned};
use crate::diagnostic::Diagnostic;
use crate::model::{ChannelName, Time};
use crate::routing::{Override, Rotation};

/// A rotation, with the places at which it names channels.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRotation {
    /// The rotation.
    pub rotation: Rotation,
    /// Where its name stands, as nearly as that is known.
    pub(super) place: Place,
    /// Every channel that it names, and where.
    pub(super) channels: Vec<(ChannelName, Place)>,
}

/// A rotation as written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRotation {
    #[serde(default)]
    time_zone: Option<Spanned<String>>,
    rotate: Spanned<String>,
    starts: Spanned<String>,
    turns: Spanned<Vec<Spanned<RawTurn>>>,
    #[serde(default)]
    overrides: Vec<RawOverride>,
}

/// One channel, or several that are told together.
enum RawTurn {
    One(String),
    Several(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for RawTurn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawTurn, D::Error> {
        struct TurnVisitor;
        impl<'de> Visitor<'de> for TurnVisitor {
            type Value = RawTurn;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a channel, or a list of them")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawTurn, E> {
                Ok(RawTurn::One(text.to_string()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<RawTurn, A::Error> {
                let mut channels = Vec::new();
                while let Some(channel) = access.next_element()? {
                    channels.push(channel);
                }
                Ok(RawTurn::Several(channels))
            }
        }
        deserializer.deserialize_any(TurnVisitor)
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOverride {
    from: Spanned<String>,
    until: Spanned<String>,
    to: Vec<Spanned<String>>,
}

/// Checks rotations; what is wrong with one is noted, and it is left out.
pub(super) fn build(
    document: &Document,
    raw: BTreeMap<String, RawRotation>,
    zone: &TimeZone,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<ChannelName, NamedRotation> {
    let mut rotations = BTreeMap::new();
    for (name, raw) in raw {
        let place = document.place(&raw.rotate);
        let before = problems.len();
        let rotation = Build { document, problems, channels: Vec::new() }.rotation(raw, zone, place);
        if problems.len() == before {
            rotations.insert(ChannelName::from(name), rotation);
        }
    }
    rotations
}

struct Build<'a> {
    document: &'a Document,
    problems: &'a mut Vec<Diagnostic>,
    channels: Vec<(ChannelName, Place)>,
}

impl Build<'_> {
    fn refuse<T>(&mut self, spanned: &Spanned<T>, message: String, hint: &str) {
        self.problems.push(self.document.place(spanned).error(message).with_hint(hint));
    }

    fn rotation(mut self, raw: RawRotation, zone: &TimeZone, place: Place) -> NamedRotation {
        let zone = match &raw.time_zone {
            Some(name) => super::time_zone(name, self.document, self.problems),
            None => zone.clone(),
        };
        let days = self.days(&raw.rotate);
        let starts = self.local(&raw.starts);
        if raw.turns.value.is_empty() {
            self.refuse(&raw.turns, "nobody is on call: `turns` is empty".to_string(), "name a channel for each turn");
        }
        let turns = raw.turns.value.into_iter().map(|turn| self.turn(turn)).collect();
        let overrides = raw.overrides.into_iter().map(|raw| self.instead(raw, &zone)).collect();
        NamedRotation { rotation: Rotation { zone, starts, days, turns, overrides }, place, channels: self.channels }
    }

    /// `daily`, `weekly`, or whole days and weeks: `3d`, `2w`.
    fn days(&mut self, text: &Spanned<String>) -> u16 {
        let count = |unit: char, days: u16| {
            let number = text.value.strip_suffix(unit)?.parse::<u16>().ok()?;
            number.checked_mul(days).filter(|days| (1..=366).contains(days))
        };
        let days = match text.value.as_str() {
            "daily" => Some(1),
            "weekly" => Some(7),
            _ => count('d', 1).or_else(|| count('w', 7)),
        };
        days.unwrap_or_else(|| {
            let message = format!("`{}` is not how often the turn changes", text.value);
            self.refuse(text, message, "write `daily`, `weekly`, or whole days or weeks up to a year, as `3d` or `2w`");
            1
        })
    }

    /// A date, and a time of the day where it is not midnight: `2026-11-23 09:00`.
    fn local(&mut self, text: &Spanned<String>) -> DateTime {
        let parsed = text.value.parse::<DateTime>().ok();
        let parsed = parsed.or_else(|| text.value.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0)));
        parsed.unwrap_or_else(|| {
            let message = format!("`{}` is no date with a time of the day", text.value);
            self.refuse(text, message, "write it in the rotation's zone, as `2026-11-23 09:00`");
            DateTime::ZERO
        })
    }

    fn instead(&mut self, raw: RawOverride, zone: &TimeZone) -> Override {
        let (from, until) = (self.local(&raw.from), self.local(&raw.until));
        if until <= from && from != DateTime::ZERO && until != DateTime::ZERO {
            self.refuse(&raw.until, "the override ends before it begins".to_string(), "give an `until` after `from`");
        }
        let time = |local: DateTime| {
            let timestamp = zone.to_ambiguous_timestamp(local).compatible();
            timestamp.map_or(Time::EPOCH, |timestamp| Time::from_micros(timestamp.as_microsecond()))
        };
        Override { from: time(from), until: time(until), to: self.name(raw.to) }
    }

    fn turn(&mut self, turn: Spanned<RawTurn>) -> Vec<ChannelName> {
        let place = self.document.place(&turn);
        match turn.value {
            RawTurn::Several(channels) => self.name(channels),
            RawTurn::One(channel) => {
                let name = ChannelName::from(channel);
                self.channels.push((name.clone(), place));
                vec![name]
            }
        }
    }

    fn name(&mut self, channels: Vec<Spanned<String>>) -> Vec<ChannelName> {
        let mut names = Vec::new();
        for channel in channels {
            let name = ChannelName::from(channel.value.as_str());
            self.channels.push((name.clone(), self.document.place(&channel)));
            names.push(name);
        }
        names
    }
}
