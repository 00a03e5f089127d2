//! Larum's own body, as DESIGN.md section 8 has it. Receivers must ignore keys that they do not know.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::channels::clean::{cut, lines, one_line};
use crate::channels::message::Message;
use crate::model::{AlertNote, CloseReason, EventKind, FoldedEvent, Labels, Level, Notification, Time, Value};

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
}

#[derive(Serialize)]
struct Summary {
    alerts: usize,
    omitted: usize,
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
    runbook: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    folded: Vec<Folded>,
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

fn clean(text: &str) -> String {
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
            level: notification.level(),
            time: notification.time,
            alerts: notification.alerts.iter().map(Alert::of).collect(),
            summary: Summary { alerts: notification.alerts.len(), omitted: 0 },
        }
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
            runbook: note.runbook.as_deref().map(clean),
            folded: note.folded.iter().map(Folded::of).collect(),
        }
    }
}

impl Folded {
    const fn of(folded: &FoldedEvent) -> Folded {
        Folded { event: folded.event, level: folded.level, time: folded.time }
    }
}
