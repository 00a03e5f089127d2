//! A replay in numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::engine::{Counts, Event, RuleFault};
use crate::model::{ChannelName, EventKind, RuleName, SubjectKey, Time};

use super::finding::Finding;

/// A replay in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Lines of the recording that are not empty.
    pub lines: usize,
    /// Lines that could not be used.
    pub bad_lines: usize,
    /// Snapshots that were taken.
    pub snapshots: usize,
    /// Of these, what came before the rules began.
    pub warm_up: usize,
    /// Snapshots that came after a newer one of their subject.
    pub late: usize,
    /// Snapshots that were equal to the newest of their subject.
    pub repeated: usize,
    /// Evaluations of rules.
    pub evaluations: u64,
    /// The time of the first and the last input.
    #[serde(serialize_with = "span")]
    pub span: Option<(Time, Time)>,
    /// When the rules began to judge.
    pub judged_from: Option<Time>,
    /// Every rule.
    pub rules: BTreeMap<RuleName, RuleSummary>,
    /// Every channel.
    pub channels: BTreeMap<ChannelName, ChannelSummary>,
    /// Days on which something was raised or told, on the clock of the project's zone.
    #[serde(serialize_with = "by_text")]
    pub days: BTreeMap<Date, Day>,
}

/// What came of a rule, or of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Firings that began.
    pub raised: u64,
    /// Firings whose condition was already true when the rules began.
    pub already: u64,
    /// Firings that ended well.
    pub recovered: u64,
    /// Firings that ended otherwise.
    pub closed: u64,
    /// Notifications.
    pub notifications: u64,
    /// Notifications that tell of nothing but conditions that were already true.
    pub already_notified: u64,
}

/// What came of a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RuleSummary {
    /// Events and notifications.
    #[serde(flatten)]
    pub totals: Totals,
    /// How often each subject began to flap.
    #[serde(serialize_with = "by_text", skip_serializing_if = "BTreeMap::is_empty")]
    pub flapping: BTreeMap<SubjectKey, u64>,
    /// What its evaluations said.
    #[serde(serialize_with = "verdicts")]
    pub verdicts: Counts,
    /// How it fared.
    pub finding: Finding,
    /// Where it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSummary>,
}

/// A place at which a rule failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultSummary {
    /// The rule's file.
    pub file: Arc<str>,
    /// The line in the rule's file; 0 where it is unknown.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// What was wrong first.
    pub message: String,
    /// The subject on which it failed first.
    #[serde(serialize_with = "text")]
    pub subject: SubjectKey,
    /// In how many steps.
    pub steps: u64,
}

/// What came of a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChannelSummary {
    /// Events that it was told of, and notifications.
    #[serde(flatten)]
    pub totals: Totals,
    /// Events that were folded into a later notification.
    pub folded: u64,
    /// Notifications that are in a summary, because the channel's limit held them back.
    pub summarised: u64,
    /// Notifications that were given up: they cannot be told there.
    pub dead: u64,
    /// Events that it is never told, by the reason.
    pub suppressed: BTreeMap<&'static str, u64>,
}

/// One day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Firings that began.
    pub raised: u64,
    /// Firings whose condition was already true when the rules began.
    pub already: u64,
    /// Notifications, but for those that tell of nothing but such firings.
    pub notifications: u64,
}

impl Summary {
    /// Nothing has happened to these yet.
    pub(super) fn of<'a>(
        rules: impl Iterator<Item = &'a RuleName>,
        channels: impl Iterator<Item = &'a ChannelName>,
    ) -> Summary {
        Summary {
            rules: rules.map(|rule| (rule.clone(), RuleSummary::default())).collect(),
            channels: channels.map(|channel| (channel.clone(), ChannelSummary::default())).collect(),
            ..Summary::default()
        }
    }
}

impl Totals {
    /// Whether anything was raised.
    pub fn has_raised(&self) -> bool {
        self.raised + self.already > 0
    }
}

impl RuleSummary {
    /// Counts an event.
    pub(super) fn take(&mut self, event: &Event, already: bool) {
        self.totals.count(event.kind, already);
        if event.kind == EventKind::Flapping {
            *self.flapping.entry(event.subject.clone()).or_default() += 1;
        }
    }

    /// Counts a fault. Says whether it is at a new place.
    pub(super) fn take_fault(&mut self, fault: &RuleFault, file: &Arc<str>) -> bool {
        let (line, column) = (fault.fault.line, fault.fault.column);
        if let Some(known) = self.faults.iter_mut().find(|known| (known.line, known.column) == (line, column)) {
            known.steps += 1;
            return false;
        }
        let (file, message, subject) = (file.clone(), fault.fault.message.clone(), fault.subject.clone());
        self.faults.push(FaultSummary { file, line, column, message, subject, steps: 1 });
        true
    }
}

fn span<S: Serializer>(span: &Option<(Time, Time)>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some((first, last)) = span else { return serializer.serialize_none() };
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry("first", first)?;
    map.serialize_entry("last", last)?;
    map.end()
}

fn verdicts<S: Serializer>(counts: &Counts, serializer: S) -> Result<S::Ok, S::Error> {
    let Counts { fire, clear, no_data, error } = counts;
    let mut map = serializer.serialize_map(Some(4))?;
    for (name, count) in [("fire", fire), ("clear", clear), ("no_data", no_data), ("error", error)] {
        map.serialize_entry(name, count)?;
    }
    map.end()
}

fn text<S: Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn by_text<S: Serializer, K: std::fmt::Display, V: Serialize>(
    map: &BTreeMap<K, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(key, value)| (Arc::<str>::from(key.to_string()), value)))
}
