//! Alertmanager's webhook body, version 4, for receivers that know it.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::body::clean;
use crate::model::{
    AlertNote, CloseReason, EventKind, Labels, Level, Notification, Occasion, RuleName, StillFiring, SubjectKey, Time,
};

/// How Alertmanager writes the end of an alert that still fires.
const NEVER: &str = "0001-01-01T00:00:00Z";

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
        let mut alerts: Vec<Alert> = notification.alerts.iter().map(Alert::of).collect();
        let mut truncated = 0;
        match &notification.occasion {
            Occasion::Group(group) => {
                // Receivers take what is not listed any more for over.
                alerts.extend(group.firing.iter().map(|member| Alert::still_firing(member, &group.by)));
                truncated = group.firing_omitted;
            }
            Occasion::Summary(summary) => truncated = summary.omitted,
            Occasion::Alert | Occasion::Undelivered(_) => {}
        }
        let common_labels = common(alerts.iter().map(|alert| &alert.labels));
        let group_labels = match &notification.occasion {
            Occasion::Group(group) => group_labels(&group.by),
            Occasion::Alert | Occasion::Summary(_) | Occasion::Undelivered(_) => {
                common_labels.iter().filter(|(name, _)| *name == "alertname").map(owned).collect()
            }
        };
        Body {
            version: "4",
            group_key: group_key(notification),
            truncated_alerts: truncated,
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

/// Receivers take the group key for the identity of a conversation: a group's labels, or the firings.
fn group_key(notification: &Notification) -> String {
    let channel = &notification.channel;
    match &notification.occasion {
        Occasion::Group(group) => {
            let by: Vec<String> =
                group_labels(&group.by).iter().map(|(name, text)| format!("{name}={text:?}")).collect();
            format!("{channel}:{{{}}}", by.join(","))
        }
        Occasion::Alert | Occasion::Summary(_) | Occasion::Undelivered(_) => {
            let firings: Vec<String> = notification.alerts.iter().map(|alert| clean(alert.id.as_str())).collect();
            format!("{channel}:{}", firings.join(","))
        }
    }
}

/// What a group has in common, by the names that the labels of its alerts have here.
fn group_labels(by: &Labels) -> Pairs {
    let name = |label: &str| match label {
        "rule" => "alertname".to_string(),
        "level" => "severity".to_string(),
        label => clean(label),
    };
    by.iter().map(|(label, text)| (name(label), clean(text))).collect()
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
            EventKind::Raised
            | EventKind::Escalated
            | EventKind::Eased
            | EventKind::Reminded
            | EventKind::Unacknowledged
            | EventKind::Acknowledged
            | EventKind::Stale
            | EventKind::Flapping => false,
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
            fingerprint: fingerprint(&note.rule, &note.subject),
        }
    }

    fn still_firing(member: &StillFiring, by: &Labels) -> Alert {
        let mut labels = group_labels(by);
        labels.extend(own_labels(&member.rule, member.level, &member.subject));
        Alert {
            status: "firing",
            labels,
            annotations: Pairs::new(),
            starts_at: member.since,
            ends_at: NEVER.to_string(),
            generator_url: "",
            fingerprint: fingerprint(&member.rule, &member.subject),
        }
    }
}

fn labels(note: &AlertNote) -> Pairs {
    let mut labels: Pairs = note.labels.iter().map(|(name, text)| (clean(name), clean(text))).collect();
    labels.extend(own_labels(&note.rule, note.level, &note.subject));
    labels
}

fn own_labels(rule: &RuleName, level: Level, subject: &SubjectKey) -> Pairs {
    let own = [
        ("alertname", rule.as_str()),
        ("severity", level.as_str()),
        ("kind", &*subject.kind),
        ("name", &*subject.name),
    ];
    own.into_iter().map(|(name, text)| (name.to_string(), clean(text))).collect()
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
fn fingerprint(rule: &RuleName, subject: &SubjectKey) -> String {
    let mut hash = Sha256::new();
    for part in [rule.as_str(), &subject.kind, &subject.name] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
