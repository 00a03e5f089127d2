//! Alertmanager's webhook body, version 4, for receivers that know it.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::channels::clean::{cut, one_line};
use crate::model::{AlertNote, CloseReason, EventKind, Notification, Time};

/// How Alertmanager writes the end of an alert that still fires.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// No single text is longer than this, in bytes.
const MAX_TEXT: usize = 64 << 10;

type Pairs = BTreeMap<String, String>;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    version: &'static str,
    group_key: String,
    truncated_alerts: usize,
    status: &'static str,
    receiver: String,
    group_labels: Pairs,
    common_labels: Pairs,
    common_annotations: Pairs,
    #[serde(rename = "externalURL")]
    external_url: &'static str,
    alerts: Vec<Alert>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: &'static str,
    labels: Pairs,
    annotations: Pairs,
    starts_at: Time,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'static str,
    fingerprint: String,
}

impl Body {
    pub(super) fn of(notification: &Notification) -> Body {
        let alerts: Vec<Alert> = notification.alerts.iter().map(Alert::of).collect();
        let common_labels = common(alerts.iter().map(|alert| &alert.labels));
        let group_labels: Pairs = common_labels.iter().filter(|(name, _)| *name == "alertname").map(owned).collect();
        Body {
            version: "4",
            group_key: group_key(notification),
            truncated_alerts: 0,
            status: if alerts.iter().any(|alert| alert.status == "firing") { "firing" } else { "resolved" },
            receiver: notification.channel.to_string(),
            group_labels,
            common_annotations: common(alerts.iter().map(|alert| &alert.annotations)),
            common_labels,
            external_url: "",
            alerts,
        }
    }
}

/// Receivers take the group key for the identity of a conversation: the firing, where there is one alone.
fn group_key(notification: &Notification) -> String {
    let firings: Vec<String> = notification.alerts.iter().map(|alert| clean(alert.id.as_str())).collect();
    format!("{}:{}", notification.channel, firings.join(","))
}

fn owned((name, text): (&String, &String)) -> (String, String) {
    (name.clone(), text.clone())
}

/// What all of them have in common.
fn common<'a>(mut all: impl Iterator<Item = &'a Pairs>) -> Pairs {
    let mut shared = all.next().cloned().unwrap_or_default();
    for pairs in all {
        shared.retain(|name, text| pairs.get(name) == Some(text));
    }
    shared
}

impl Alert {
    fn of(note: &AlertNote) -> Alert {
        let resolved = match note.event {
            EventKind::Recovered => true,
            // No data is not known to be well: to resolve would say that it is.
            EventKind::Closed => note.reason.is_none_or(CloseReason::resolves),
            EventKind::Raised | EventKind::Escalated | EventKind::Eased | EventKind::Reminded | EventKind::Stale => {
                false
            }
        };
        Alert {
            status: if resolved { "resolved" } else { "firing" },
            labels: labels(note),
            annotations: annotations(note),
            starts_at: note.since,
            ends_at: match (resolved, note.ended) {
                (true, Some(ended)) => ended.to_string(),
                _ => NEVER.to_string(),
            },
            generator_url: "",
            fingerprint: fingerprint(note),
        }
    }
}

fn labels(note: &AlertNote) -> Pairs {
    let mut labels: Pairs = note.labels.iter().map(|(name, text)| (clean(name), clean(text))).collect();
    let own = [
        ("alertname", note.rule.as_str()),
        ("severity", note.level.as_str()),
        ("kind", &*note.subject.kind),
        ("name", &*note.subject.name),
    ];
    labels.extend(own.map(|(name, text)| (name.to_string(), clean(text))));
    labels
}

fn annotations(note: &AlertNote) -> Pairs {
    let mut annotations: Pairs = note
        .values
        .iter()
        .map(|(field, value)| (format!("value_{}", clean(field)), clean(&value.to_string())))
        .collect();
    annotations.insert("summary".to_string(), clean(&note.message));
    annotations.insert("event".to_string(), note.event.to_string());
    if let Some(reason) = note.reason {
        annotations.insert("reason".to_string(), reason.to_string());
    }
    if let Some(runbook) = &note.runbook {
        annotations.insert("runbook_url".to_string(), clean(runbook));
    }
    annotations
}

/// 16 hexadecimal digits that stay the same while the alert's level and labels change.
fn fingerprint(note: &AlertNote) -> String {
    let mut hash = Sha256::new();
    for part in [note.rule.as_str(), &note.subject.kind, &note.subject.name] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn clean(text: &str) -> String {
    cut(&one_line(text), MAX_TEXT)
}
