//! What a template sees of what brought the alerts of a notification together.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use minijinja::Value;
use serde::Serialize;

use super::view::{name, short};
use super::words::Locale;
use crate::channels::cut::cut;
use crate::diagnostic::one_line;
use crate::model::{EventKind, Group, Notification, StillFiring, Summary, Undelivered};

/// The longest reason in a message, in bytes.
const MAX_REASON: usize = 512;
/// Of one event, a summary names the counts of so many rules and levels.
const MAX_COUNTS: usize = 10;

/// The parts of a group's message, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    /// Alerts that were raised.
    New,
    /// Alerts that fire, and of which something is new.
    Changed,
    /// Alerts that are over.
    Ended,
    /// Alerts that fire as before.
    Still,
}

impl Section {
    const ALL: [Section; 4] = [Section::New, Section::Changed, Section::Ended, Section::Still];

    /// Where an event stands.
    pub(super) const fn of(event: EventKind) -> Section {
        match event {
            EventKind::Raised => Section::New,
            EventKind::Escalated | EventKind::Eased | EventKind::Stale | EventKind::Flapping => Section::Changed,
            EventKind::Recovered | EventKind::Closed => Section::Ended,
            EventKind::Unacknowledged => Section::Changed,
            EventKind::Reminded | EventKind::Acknowledged => Section::Still,
        }
    }
}

/// A group as a template sees it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct GroupView {
    by: BTreeMap<String, String>,
    by_text: String,
    /// How many alerts there are of each sort, but for those of which there is none.
    counts: Vec<SectionCount>,
    /// Members that still fire and of which nothing is new, as far as they are listed.
    pub(super) firing: Vec<MemberView>,
    /// How many more of these there are.
    firing_omitted: usize,
    /// All that is listed, by sort.
    sections: Vec<SectionView>,
}

/// How many alerts of a group are of a sort.
#[derive(Clone, Debug, Serialize)]
struct SectionCount {
    #[serde(skip)]
    section: Section,
    word: &'static str,
    count: usize,
}

/// The alerts of one sort.
#[derive(Clone, Debug, Serialize)]
struct SectionView {
    word: &'static str,
    alerts: Vec<Value>,
    firing: Vec<MemberView>,
    omitted: usize,
}

/// A member of which nothing is new.
#[derive(Clone, Debug, Serialize)]
pub(super) struct MemberView {
    id: String,
    rule: String,
    kind: String,
    name: String,
    level: &'static str,
    level_word: &'static str,
    since_short: String,
}

impl GroupView {
    pub(super) fn of(group: &Group, notification: &Notification, locale: Locale, zone: &TimeZone) -> GroupView {
        let by: Vec<(String, String)> = group.by.iter().map(|(label, text)| (name(label), name(text))).collect();
        let by_text: Vec<String> = by.iter().map(|(label, text)| format!("{label}={text}")).collect();
        let count = |section| {
            let told = notification.alerts.iter().filter(|note| Section::of(note.event) == section).count();
            let still = if section == Section::Still { group.firing.len() + group.firing_omitted } else { 0 };
            SectionCount { section, word: locale.section(section), count: told + still }
        };
        let member = |member: &StillFiring| MemberView {
            id: one_line(member.id.as_str()),
            rule: name(member.rule.as_str()),
            kind: name(&member.subject.kind),
            name: name(&member.subject.name),
            level: member.level.as_str(),
            level_word: locale.level(member.level),
            since_short: short(member.since, notification.time, zone),
        };
        GroupView {
            by_text: by_text.join(locale.comma()),
            by: by.into_iter().collect(),
            counts: Section::ALL.into_iter().map(count).filter(|counted| counted.count > 0).collect(),
            firing: group.firing.iter().map(member).collect(),
            firing_omitted: group.firing_omitted,
            sections: Vec::new(),
        }
    }

    /// Puts what is listed into its sections.
    pub(super) fn arrange(&mut self, alerts: &[Value], sections: &[Section]) {
        let section = |counted: &SectionCount| {
            let here = alerts.iter().zip(sections).filter(|(_, section)| **section == counted.section);
            let alerts: Vec<Value> = here.map(|(alert, _)| alert.clone()).collect();
            let firing = if counted.section == Section::Still { self.firing.clone() } else { Vec::new() };
            let omitted = counted.count - alerts.len() - firing.len();
            SectionView { word: counted.word, alerts, firing, omitted }
        };
        let sections: Vec<SectionView> = self.counts.iter().map(section).collect();
        let still = sections.iter().zip(&self.counts).find(|(_, counted)| counted.section == Section::Still);
        self.firing_omitted = still.map_or(0, |(section, _)| section.omitted);
        self.sections = sections;
    }
}

/// A summary as a template sees it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SummaryView {
    events: u64,
    counts: Vec<EventCount>,
}

/// What there is of one event.
#[derive(Clone, Debug, Serialize)]
struct EventCount {
    event: &'static str,
    event_word: &'static str,
    /// The most frequent first.
    items: Vec<CountView>,
    /// How many alerts of other rules and levels there are.
    omitted: usize,
}

#[derive(Clone, Debug, Serialize)]
struct CountView {
    rule: String,
    level: &'static str,
    level_word: &'static str,
    count: usize,
}

impl SummaryView {
    pub(super) fn of(summary: &Summary, locale: Locale) -> SummaryView {
        let mut by_event: BTreeMap<EventKind, Vec<CountView>> = BTreeMap::new();
        for line in &summary.counts {
            by_event.entry(line.event).or_default().push(CountView {
                rule: name(line.rule.as_str()),
                level: line.level.as_str(),
                level_word: locale.level(line.level),
                count: line.count,
            });
        }
        let count = |(event, mut items): (EventKind, Vec<CountView>)| {
            items.sort_by_key(|item| Reverse(item.count));
            let omitted = items.iter().skip(MAX_COUNTS).map(|item| item.count).sum();
            items.truncate(MAX_COUNTS);
            EventCount { event: event.as_str(), event_word: locale.event(event), items, omitted }
        };
        SummaryView { events: summary.events, counts: by_event.into_iter().map(count).collect() }
    }
}

/// What could not be delivered elsewhere, as a template sees it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct UndeliveredView {
    channel: String,
    notification: String,
    reason: String,
}

impl UndeliveredView {
    pub(super) fn of(undelivered: &Undelivered) -> UndeliveredView {
        UndeliveredView {
            channel: name(undelivered.channel.as_str()),
            notification: one_line(undelivered.notification.as_str()),
            reason: cut(&one_line(&undelivered.reason), MAX_REASON),
        }
    }
}
