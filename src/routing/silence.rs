//! Silences: for a time nobody is told of the alerts that one covers. They are judged all the same. Pure.
//!
//! A silence is a statement about the wall clock: planned ahead, ended by its time or by a person, or recurring in weekly
//! windows of a zone. One that ended is kept for the record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Active, Facts, Matchers};
use crate::model::{SilenceId, Time};

/// The longest author, in bytes.
pub const MAX_AUTHOR: usize = 200;
/// The longest comment, in bytes.
pub const MAX_COMMENT: usize = 2_000;

/// One silence. Its JSON is what is remembered of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// Its id.
    pub id: SilenceId,
    /// Which alerts it covers; at least one condition.
    #[serde(rename = "match")]
    pub matches: Matchers,
    /// From when on, by the wall clock.
    pub from: Time,
    /// Until when, by the wall clock (exclusive). Only a recurring one may have no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Between `from` and `until` it covers only while these windows are open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurs: Option<Recurrence>,
    /// Who made it.
    pub author: Arc<str>,
    /// Why.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub comment: Arc<str>,
    /// When it was made, by the wall clock.
    pub created: Time,
    /// A person ended it before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<Expired>,
}

/// Weekly windows of a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recurrence {
    /// The windows.
    pub windows: Active,
    /// Their days and hours are of this zone.
    #[serde(serialize_with = "write_zone", deserialize_with = "read_zone")]
    pub zone: TimeZone,
}

/// How a silence was ended by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expired {
    /// When, by the wall clock.
    pub at: Time,
    /// By whom.
    pub by: Arc<str>,
}

/// What a silence does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SilenceState {
    /// It has not begun.
    Planned,
    /// It covers what it matches.
    Active,
    /// It recurs, and no window is open.
    Waiting,
    /// It is over.
    Ended,
}

impl SilenceState {
    /// All of them.
    pub const ALL: [SilenceState; 4] =
        [SilenceState::Planned, SilenceState::Active, SilenceState::Waiting, SilenceState::Ended];

    /// The state as the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            SilenceState::Planned => "planned",
            SilenceState::Active => "active",
            SilenceState::Waiting => "waiting",
            SilenceState::Ended => "ended",
        }
    }
}

/// A silence as somebody asks for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Which alerts it covers.
    pub matches: Matchers,
    /// From when on; from now on where it is not said.
    pub from: Option<Time>,
    /// Until when.
    pub until: Option<Time>,
    /// For how long, instead of `until`.
    pub length: Option<Duration>,
    /// Weekly windows in which it covers.
    pub recurs: Option<Recurrence>,
    /// Who asks.
    pub author: String,
    /// Why.
    pub comment: String,
}

/// Why a plan makes no silence. The text is for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No condition.
    #[error("a silence without a condition would cover every alert")]
    NoCondition,
    /// No end.
    #[error("the silence has no end")]
    NoEnd,
    /// Two ends.
    #[error("the silence has both an end and a length")]
    TwoEnds,
    /// It would be over before it begins.
    #[error("the silence would end at {until}, before it begins at {from}")]
    EndsBefore {
        /// Its begin.
        from: Time,
        /// Its end.
        until: Time,
    },
    /// It would already be over.
    #[error("the silence would have ended at {until}, which is past")]
    Past {
        /// Its end.
        until: Time,
    },
    /// Its end is further away than a clock can tell.
    #[error("the silence would end after the year 9999")]
    TooLong,
    /// Nobody asks for it.
    #[error("the silence has no author")]
    NoAuthor,
    /// The author or the comment is too long.
    #[error("the {what} is longer than {max} bytes")]
    TextTooLong {
        /// Which.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}

impl PlanError {
    /// What to do.
    pub const fn hint(&self) -> &'static str {
        match self {
            PlanError::NoCondition => "name what it covers, as `rule=cpu_*`; for really everything `rule=*`",
            PlanError::NoEnd => "give `for` (as `2h`) or `until`: only a recurring silence may go on for ever",
            PlanError::TwoEnds => "give `for` or `until`, not both",
            PlanError::EndsBefore { .. } => "give an `until` after `from`",
            PlanError::Past { .. } => "give an `until` in the future, or `for`",
            PlanError::TooLong => "give a shorter `for`",
            PlanError::NoAuthor => "say who asks for it",
            PlanError::TextTooLong { .. } => "say it shorter",
        }
    }
}

impl Silence {
    /// The silence that a plan asks for at the wall-clock time `now`.
    ///
    /// # Errors
    /// The first thing that is wrong with the plan.
    pub fn plan(plan: Plan, id: SilenceId, now: Time) -> Result<Silence, PlanError> {
        let from = plan.from.unwrap_or(now);
        let until = match (plan.until, plan.length) {
            (Some(_), Some(_)) => return Err(PlanError::TwoEnds),
            (Some(until), None) => Some(until),
            (None, Some(length)) => {
                let until = from + length;
                if until >= Time::MAX {
                    return Err(PlanError::TooLong);
                }
                Some(until)
            }
            (None, None) if plan.recurs.is_some() => None,
            (None, None) => return Err(PlanError::NoEnd),
        };
        match until {
            _ if plan.matches.is_empty() => return Err(PlanError::NoCondition),
            Some(until) if until <= now => return Err(PlanError::Past { until }),
            Some(until) if until <= from => return Err(PlanError::EndsBefore { from, until }),
            _ => {}
        }
        let (author, comment) = (plan.author.trim(), plan.comment.trim());
        if author.is_empty() {
            return Err(PlanError::NoAuthor);
        }
        for (what, text, max) in [("author", author, MAX_AUTHOR), ("comment", comment, MAX_COMMENT)] {
            if text.len() > max {
                return Err(PlanError::TextTooLong { what, max });
            }
        }
        Ok(Silence {
            id,
            matches: plan.matches,
            from,
            until,
            recurs: plan.recurs,
            author: author.into(),
            comment: comment.into(),
            created: now,
            expired: None,
        })
    }

    /// When it is over for good; `None` where it has no end.
    pub fn ends(&self) -> Option<Time> {
        [self.until, self.expired.as_ref().map(|expired| expired.at)].into_iter().flatten().min()
    }

    /// What it does at a wall-clock time.
    pub fn state(&self, wall: Time) -> SilenceState {
        if self.ends().is_some_and(|end| end <= wall) {
            return SilenceState::Ended;
        }
        if wall < self.from {
            return SilenceState::Planned;
        }
        match &self.recurs {
            Some(Recurrence { windows, zone }) if !windows.is_open(wall, zone) => SilenceState::Waiting,
            _ => SilenceState::Active,
        }
    }

    /// When its state next changes by itself after a wall-clock time; `None` where it does not.
    pub fn next_change(&self, wall: Time) -> Option<Time> {
        let window = || {
            let Recurrence { windows, zone } = self.recurs.as_ref()?;
            windows.next_change(wall, zone)
        };
        match self.state(wall) {
            SilenceState::Ended => None,
            SilenceState::Planned => [Some(self.from), self.ends()].into_iter().flatten().min(),
            SilenceState::Active | SilenceState::Waiting => [window(), self.ends()].into_iter().flatten().min(),
        }
    }

    /// Whether it covers an alert, whenever it is active.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.matches.matches(facts)
    }
}

/// All silences, those that ended too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Silences {
    /// Those that are not over, as far as anybody looked.
    live: BTreeMap<SilenceId, Silence>,
    past: BTreeMap<SilenceId, Silence>,
}

/// Which silences cover an alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Covered {
    /// Those that cover it now, by id.
    pub by: Vec<SilenceId>,
    /// When the answer may change although nothing else does, by the wall clock.
    pub changes_at: Option<Time>,
}

impl Silences {
    /// Adds a silence, or puts a changed one in its place.
    pub fn put(&mut self, silence: Silence, wall: Time) {
        self.past.remove(&silence.id);
        self.live.remove(&silence.id);
        match silence.state(wall) {
            SilenceState::Ended => self.past.insert(silence.id.clone(), silence),
            _ => self.live.insert(silence.id.clone(), silence),
        };
    }

    /// One silence.
    pub fn get(&self, id: &SilenceId) -> Option<&Silence> {
        self.live.get(id).or_else(|| self.past.get(id))
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.live.values().chain(self.past.values())
    }

    /// Whether none could ever cover anything.
    pub fn is_quiet(&self) -> bool {
        self.live.is_empty()
    }

    /// How many there are, those that ended too.
    pub fn len(&self) -> usize {
        self.live.len() + self.past.len()
    }

    /// How many cover what they match at a wall-clock time.
    pub fn active(&self, wall: Time) -> usize {
        self.live.values().filter(|silence| silence.state(wall) == SilenceState::Active).count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which silences cover an alert at a wall-clock time.
    pub fn covering(&self, facts: &Facts<'_>, wall: Time) -> Covered {
        let mut covered = Covered::default();
        for silence in self.live.values().filter(|silence| silence.matches(facts)) {
            let change = silence.next_change(wall);
            covered.changes_at = [covered.changes_at, change].into_iter().flatten().min();
            if silence.state(wall) == SilenceState::Active {
                covered.by.push(silence.id.clone());
            }
        }
        covered
    }

    /// Puts those that are over by a wall-clock time aside, and forgets those that were over before `horizon`, and of the
    /// rest all but the newest `most`. Gives the ids of those that are forgotten.
    pub fn sweep(&mut self, wall: Time, horizon: Time, most: usize) -> Vec<SilenceId> {
        let over = |silence: &Silence| silence.state(wall) == SilenceState::Ended;
        let ended: Vec<SilenceId> = self.live.values().filter(|s| over(s)).map(|s| s.id.clone()).collect();
        for id in ended {
            self.past.extend(self.live.remove_entry(&id));
        }
        let mut by_end: Vec<(Option<Time>, SilenceId)> =
            self.past.values().map(|silence| (silence.ends(), silence.id.clone())).collect();
        by_end.sort();
        let surplus = by_end.len().saturating_sub(most);
        let is_old = |(index, (end, _)): &(usize, (Option<Time>, SilenceId))| {
            *index < surplus || end.is_some_and(|end| end < horizon)
        };
        let gone: Vec<SilenceId> = by_end.into_iter().enumerate().filter(is_old).map(|(_, (_, id))| id).collect();
        for id in &gone {
            self.past.remove(id);
        }
        gone
    }
}

fn write_zone<S: Serializer>(zone: &TimeZone, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.iana_name().unwrap_or("UTC"))
}

fn read_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeZone, D::Error> {
    let name = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
    TimeZone::get(&name).map_err(|_| de::Error::custom(format!("the time zone `{name}` is not known")))
}

#[cfg(test)]
mod tests;
