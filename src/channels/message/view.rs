//! What a template sees of a notification: every text cleaned, every time printed in the configured zone.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::words::Locale;
use crate::channels::clean::{cut, one_line};
use crate::model::{AlertNote, EventKind, FoldedEvent, Level, Notification, Time, duration};

/// No single text of an alert is longer than this in a message, in bytes.
const MAX_TEXT: usize = 2048;
/// No name in a message is longer than this, in bytes.
const MAX_NAME: usize = 256;

/// A notification as a template sees it.
#[derive(Debug, Serialize)]
pub(super) struct View {
    id: String,
    channel: String,
    level: &'static str,
    level_word: &'static str,
    /// What stands in brackets in the title: the level, or how all of it ended.
    tag: &'static str,
    time: String,
    rules: Vec<RuleCount>,
    alerts: Vec<AlertView>,
}

/// How many alerts of a rule there are.
#[derive(Debug, Serialize)]
struct RuleCount {
    rule: String,
    count: usize,
}

/// One alert as a template sees it.
#[derive(Debug, Serialize)]
struct AlertView {
    id: String,
    event: &'static str,
    event_word: &'static str,
    tag: &'static str,
    firing: bool,
    reason: Option<&'static str>,
    reason_word: &'static str,
    reason_text: &'static str,
    rule: String,
    level: &'static str,
    level_word: &'static str,
    previous_level: Option<&'static str>,
    previous_level_word: &'static str,
    kind: String,
    name: String,
    labels: BTreeMap<String, String>,
    labels_text: String,
    message: String,
    values: BTreeMap<String, String>,
    values_text: String,
    since: String,
    since_short: String,
    ended: String,
    duration: String,
    not_judged_since: Option<String>,
    runbook: Option<String>,
    folded: Vec<FoldedView>,
}

/// A folded event as a template sees it.
#[derive(Debug, Serialize)]
struct FoldedView {
    event: &'static str,
    event_word: &'static str,
    level: &'static str,
    level_word: &'static str,
    time: String,
}

impl View {
    pub(super) fn of(notification: &Notification, locale: Locale, zone: &TimeZone) -> View {
        let level = notification.level();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for alert in &notification.alerts {
            *counts.entry(alert.rule.as_str()).or_default() += 1;
        }
        View {
            id: one_line(notification.id.as_str()),
            channel: one_line(notification.channel.as_str()),
            level: level.as_str(),
            level_word: locale.level(level),
            tag: tag(notification, locale, level),
            time: full(notification.time, zone),
            rules: counts.into_iter().map(|(rule, count)| RuleCount { rule: name(rule), count }).collect(),
            alerts: notification.alerts.iter().map(|alert| alert_view(alert, notification, locale, zone)).collect(),
        }
    }
}

fn tag(notification: &Notification, locale: Locale, level: Level) -> &'static str {
    let all = |event| notification.alerts.iter().all(|alert| alert.event == event);
    if all(EventKind::Recovered) {
        locale.event(EventKind::Recovered)
    } else if all(EventKind::Closed) {
        locale.event(EventKind::Closed)
    } else if notification.alerts.iter().all(|alert| alert.event.is_end()) {
        locale.ended()
    } else {
        locale.level(level)
    }
}

fn alert_view(alert: &AlertNote, notification: &Notification, locale: Locale, zone: &TimeZone) -> AlertView {
    let pairs = |pairs: Vec<(String, String)>, between: &str| {
        pairs.iter().map(|(name, text)| format!("{name}{between}{text}")).collect::<Vec<_>>().join(locale.comma())
    };
    let labels: Vec<(String, String)> = alert.labels.iter().map(|(label, text)| (name(label), name(text))).collect();
    let values: Vec<(String, String)> =
        alert.values.iter().map(|(field, value)| (name(field), name(&value.to_string()))).collect();
    let until = alert.ended.unwrap_or(notification.time);
    AlertView {
        id: one_line(alert.id.as_str()),
        event: alert.event.as_str(),
        event_word: locale.event(alert.event),
        tag: if alert.event.is_end() { locale.event(alert.event) } else { locale.level(alert.level) },
        firing: !alert.event.is_end(),
        reason: alert.reason.map(|reason| reason.as_str()),
        reason_word: alert.reason.map_or("", |reason| locale.reason(reason)),
        reason_text: alert.reason.map_or("", |reason| locale.reason_sentence(reason)),
        rule: name(alert.rule.as_str()),
        level: alert.level.as_str(),
        level_word: locale.level(alert.level),
        previous_level: alert.previous_level.map(Level::as_str),
        previous_level_word: alert.previous_level.map_or("", |level| locale.level(level)),
        kind: name(&alert.subject.kind),
        name: name(&alert.subject.name),
        labels: labels.iter().cloned().collect(),
        labels_text: pairs(labels, "="),
        message: cut(&one_line(&alert.message), MAX_TEXT),
        values: values.iter().cloned().collect(),
        values_text: pairs(values, " "),
        since: full(alert.since, zone),
        since_short: short(alert.since, notification.time, zone),
        ended: full(until, zone),
        duration: rounded(until, alert.since),
        not_judged_since: alert.not_judged_since.map(|time| full(time, zone)),
        runbook: alert.runbook.as_deref().map(|link| cut(&one_line(link), MAX_TEXT)),
        folded: alert.folded.iter().map(|folded| folded_view(folded, notification.time, locale, zone)).collect(),
    }
}

fn folded_view(folded: &FoldedEvent, told: Time, locale: Locale, zone: &TimeZone) -> FoldedView {
    FoldedView {
        event: folded.event.as_str(),
        event_word: locale.event(folded.event),
        level: folded.level.as_str(),
        level_word: locale.level(folded.level),
        time: short(folded.time, told, zone),
    }
}

fn name(text: &str) -> String {
    cut(&one_line(text), MAX_NAME)
}

/// Absolute, with the offset, so that it can be read anywhere: `2026-11-21 18:00:00 +08:00`.
fn full(time: Time, zone: &TimeZone) -> String {
    let zoned = time.to_jiff().to_zoned(zone.clone());
    match zoned.offset().is_zero() {
        true => zoned.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        false => zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
    }
}

/// The time of day, with the date where it is not the day on which it is told.
fn short(time: Time, told: Time, zone: &TimeZone) -> String {
    let zoned = time.to_jiff().to_zoned(zone.clone());
    match zoned.date() == told.to_jiff().to_zoned(zone.clone()).date() {
        true => zoned.strftime("%H:%M:%S").to_string(),
        false => zoned.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

/// How long, in whole seconds; nobody reads milliseconds at night.
fn rounded(until: Time, since: Time) -> String {
    duration::format(std::time::Duration::from_secs(until.since(since).as_secs()))
}
