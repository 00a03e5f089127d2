//! Larum's own body, as DESIGN.md section 8 has it. Receivers must ignore keys that they do not know.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::channels::cut::cut;
use crate::channels::message::{Message, Severity};
use crate::diagnostic::{lines, one_line};
use crate::model::{
    self, AlertNote, CloseReason, EventKind, FoldedEvent, Labels, Level, Notification, Occasion, StillFiring,
    SummaryCount, Time, Value,
};

/// No single text is longer than this, in bytes.
const MAX_TEXT: usize = 64 << 10;

/// A notification as one JSON object: what the channel posts, and a line of the notification log.
#[derive(Serialize)]
pub struct Body<'a> {
    id: &'a str,
    channel: &'a str,
    title: &'a str,
    text: &'a str,
    level: Level,
    time: Time,
    alerts: Vec<Alert<'a>>,
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Group<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undelivered: Option<Undelivered>,
}

#[derive(Serialize)]
struct Summary {
    /// How many alerts it tells of, with those that are omitted.
    alerts: usize,
    omitted: usize,
    #[serde(flatten)]
    stands_for: Option<StandsFor>,
}

/// What is told by a summary instead of by itself.
#[derive(Serialize)]
struct StandsFor {
    events: u64,
    counts: Vec<Count>,
    stands_for: Vec<String>,
}

#[derive(Serialize)]
struct Count {
    rule: String,
    level: Level,
    event: EventKind,
    count: usize,
}

#[derive(Serialize)]
struct Group<'a> {
    #[serde(serialize_with = "labels")]
    by: &'a Labels,
    firing: Vec<Member>,
    firing_omitted: usize,
}

/// A member of a group of which nothing is new.
#[derive(Serialize)]
struct Member {
    id: String,
    rule: String,
    kind: String,
    name: String,
    level: Level,
    since: Time,
}

#[derive(Serialize)]
struct Undelivered {
    channel: String,
    notification: String,
    reason: String,
}

#[derive(Serialize)]
struct Alert<'a> {
    id: String,
    event: EventKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<CloseReason>,
    rule: String,
    level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_level: Option<Level>,
    kind: String,
    name: String,
    #[serde(serialize_with = "labels")]
    labels: &'a Labels,
    message: String,
    values: Values<'a>,
    since: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_judged_since: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<Acknowledged>,
    runbook: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    folded: Vec<Folded>,
    #[serde(skip_serializing_if = "is_zero")]
    folded_omitted: u64,
}

#[derive(Serialize)]
struct Acknowledged {
    by: String,
    at: Time,
    comment: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Serialize)]
struct Folded {
    event: EventKind,
    level: Level,
    time: Time,
}

/// Field values in the order in which the condition read them.
struct Values<'a>(&'a [(std::sync::Arc<str>, Value)]);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, value) in self.0 {
            match value {
                Value::Text(text) => map.serialize_entry(&clean(field), &clean(text))?,
                Value::Number(_) | Value::Bool(_) => map.serialize_entry(&clean(field), value)?,
            }
        }
        map.end()
    }
}

fn labels<S: Serializer>(labels: &&Labels, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels.iter().map(|(name, text)| (clean(name), clean(text))))
}

/// A text in one line that is not too long for a program to take.
pub(super) fn clean(text: &str) -> String {
    cut(&one_line(text), MAX_TEXT)
}

impl<'a> Body<'a> {
    /// The body of a notification with these words.
    pub fn of(notification: &'a Notification, message: &'a Message) -> Body<'a> {
        Body {
            id: notification.id.as_str(),
            channel: notification.channel.as_str(),
            title: &message.title,
            text: &message.text,
            level: Severity::of(notification).level,
            time: notification.time,
            alerts: notification.alerts.iter().map(Alert::of).collect(),
            summary: Summary::of(notification),
            group: match &notification.occasion {
                Occasion::Group(group) => Some(Group::of(group)),
                Occasion::Alert | Occasion::Summary(_) | Occasion::Undelivered(_) => None,
            },
            undelivered: match &notification.occasion {
                Occasion::Undelivered(undelivered) => Some(Undelivered {
                    channel: clean(undelivered.channel.as_str()),
                    notification: clean(undelivered.notification.as_str()),
                    reason: clean(&undelivered.reason),
                }),
                Occasion::Alert | Occasion::Group(_) | Occasion::Summary(_) => None,
            },
        }
    }
}

impl Summary {
    fn of(notification: &Notification) -> Summary {
        let (omitted, stands_for) = match &notification.occasion {
            Occasion::Summary(summary) => (summary.omitted, Some(StandsFor::of(summary))),
            Occasion::Alert | Occasion::Group(_) | Occasion::Undelivered(_) => (0, None),
        };
        Summary { alerts: notification.alerts.len() + omitted, omitted, stands_for }
    }
}

impl StandsFor {
    fn of(summary: &model::Summary) -> StandsFor {
        let count = |line: &SummaryCount| Count {
            rule: clean(line.rule.as_str()),
            level: line.level,
            event: line.event,
            count: line.count,
        };
        StandsFor {
            events: summary.events,
            counts: summary.counts.iter().map(count).collect(),
            stands_for: summary.stands_for.iter().map(|id| clean(id.as_str())).collect(),
        }
    }
}

impl<'a> Group<'a> {
    fn of(group: &'a model::Group) -> Group<'a> {
        let member = |member: &StillFiring| Member {
            id: clean(member.id.as_str()),
            rule: clean(member.rule.as_str()),
            kind: clean(&member.subject.kind),
            name: clean(&member.subject.name),
            level: member.level,
            since: member.since,
        };
        Group { by: &group.by, firing: group.firing.iter().map(member).collect(), firing_omitted: group.firing_omitted }
    }
}

impl<'a> Alert<'a> {
    fn of(note: &'a AlertNote) -> Alert<'a> {
        Alert {
            id: clean(note.id.as_str()),
            event: note.event,
            reason: note.reason,
            rule: clean(note.rule.as_str()),
            level: note.level,
            previous_level: note.previous_level,
            kind: clean(&note.subject.kind),
            name: clean(&note.subject.name),
            labels: &note.labels,
            message: cut(&lines(&note.message), MAX_TEXT),
            values: Values(&note.values),
            since: note.since,
            ended: note.ended,
            not_judged_since: note.not_judged_since,
            acknowledged: note.acknowledged.as_ref().map(|ack| Acknowledged {
                by: clean(&ack.by),
                at: ack.at,
                comment: clean(&ack.comment),
            }),
            runbook: note.runbook.as_deref().map(clean),
            folded: note.folded.iter().map(Folded::of).collect(),
            folded_omitted: note.folded_omitted,
        }
    }
}

impl Folded {
    const fn of(folded: &FoldedEvent) -> Folded {
        Folded { event: folded.event, level: folded.level, time: folded.time }
    }
}
