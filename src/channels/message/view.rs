//! What a template sees of a notification: every text cleaned, every time printed in the configured zone.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use minijinja::Value;
use serde::Serialize;

use super::Severity;
use super::occasion::{GroupView, Section, SummaryView, UndeliveredView};
use super::words::Locale;
use crate::channels::cut::cut;
use crate::diagnostic::one_line;
use crate::model::{AlertNote, EventKind, FoldedEvent, Level, Notification, Occasion, Time, duration};

/// No single text of an alert is longer than this in a message, in bytes.
const MAX_TEXT: usize = 2048;
/// Nor than this where it stands in one line with others.
const MAX_SHORT: usize = 200;
/// No name in a message is longer than this, in bytes.
const MAX_NAME: usize = 256;

/// So many alerts are listed at most; of more, the first.
const MAX_LISTED: usize = 200;
/// More alerts than these are told in a line each.
const MAX_DETAILED: usize = 10;
/// A title names so many rules at most.
const MAX_RULES: usize = 5;

/// A notification as a template sees it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct View {
    id: String,
    channel: String,
    level: &'static str,
    level_word: &'static str,
    /// What stands in brackets in the title: the level, or how all of it ended.
    tag: &'static str,
    time: String,
    /// How many alerts it tells of.
    total: usize,
    /// The rules of its alerts, the most frequent first.
    rules: Vec<RuleCount>,
    rules_omitted: usize,
    /// The alerts that are listed, the most urgent first.
    alerts: Vec<Value>,
    /// How many more it tells of.
    omitted: usize,
    /// Whether each alert is told in one line.
    brief: bool,
    group: Option<GroupView>,
    summary: Option<SummaryView>,
    undelivered: Option<UndeliveredView>,
    /// The section of a group's message in which each alert stands.
    #[serde(skip)]
    sections: Vec<Section>,
}

/// How many alerts of a rule there are.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RuleCount {
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
    message_short: String,
    values: BTreeMap<String, String>,
    values_text: String,
    since: String,
    since_short: String,
    ended: String,
    duration: String,
    not_judged_since: Option<String>,
    /// Who acknowledged it; empty where nobody did.
    acknowledged_by: String,
    acknowledged_at: String,
    acknowledged_comment: String,
    runbook: Option<String>,
    folded: Vec<FoldedView>,
    folded_omitted: u64,
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
        let Severity { level, over: _ } = Severity::of(notification);
        let total = total(notification);
        let (rules, rules_omitted) = rules(notification);
        let in_group = matches!(notification.occasion, Occasion::Group(_));
        let mut notes: Vec<&AlertNote> = notification.alerts.iter().collect();
        notes.sort_by_key(|note| {
            let section = if in_group { Section::of(note.event) } else { Section::New };
            (section, note.event.is_end(), std::cmp::Reverse(note.level))
        });
        notes.truncate(MAX_LISTED);
        let view = |note: &&AlertNote| minijinja::value::Serde(alert_view(note, notification, locale, zone)).into();
        let mut view = View {
            id: one_line(notification.id.as_str()),
            channel: one_line(notification.channel.as_str()),
            level: level.as_str(),
            level_word: locale.level(level),
            tag: tag(notification, locale),
            time: full(notification.time, zone),
            total,
            rules,
            rules_omitted,
            alerts: notes.iter().map(view).collect(),
            omitted: 0,
            brief: total > MAX_DETAILED,
            group: None,
            summary: None,
            undelivered: None,
            sections: notes.iter().map(|note| Section::of(note.event)).collect(),
        };
        match &notification.occasion {
            Occasion::Alert => {}
            Occasion::Group(group) => view.group = Some(GroupView::of(group, notification, locale, zone)),
            Occasion::Summary(summary) => {
                view.brief = total > 1;
                view.summary = Some(SummaryView::of(summary, locale));
            }
            Occasion::Undelivered(undelivered) => view.undelivered = Some(UndeliveredView::of(undelivered)),
        }
        view.listed(usize::MAX, view.brief)
    }

    /// How many alerts it lists, with those of a group that still fire.
    pub(super) fn n_listed(&self) -> usize {
        self.alerts.len() + self.group.as_ref().map_or(0, |group| group.firing.len())
    }

    /// The same with at most `n` alerts listed.
    pub(super) fn listed(&self, n: usize, brief: bool) -> View {
        let mut view = self.clone();
        view.brief = brief;
        view.alerts.truncate(n);
        view.omitted = view.total - view.alerts.len();
        if let Some(group) = &mut view.group {
            group.firing.truncate(n.saturating_sub(view.alerts.len()));
            group.arrange(&view.alerts, &view.sections);
        }
        view
    }
}

fn total(notification: &Notification) -> usize {
    let omitted = match &notification.occasion {
        Occasion::Summary(summary) => summary.omitted,
        Occasion::Alert | Occasion::Group(_) | Occasion::Undelivered(_) => 0,
    };
    notification.alerts.len() + omitted
}

/// The rules with the most alerts, and how many more rules there are.
fn rules(notification: &Notification) -> (Vec<RuleCount>, usize) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    match &notification.occasion {
        Occasion::Summary(summary) => {
            summary.counts.iter().for_each(|line| *counts.entry(line.rule.as_str()).or_default() += line.count);
        }
        Occasion::Alert | Occasion::Group(_) | Occasion::Undelivered(_) => {
            notification.alerts.iter().for_each(|alert| *counts.entry(alert.rule.as_str()).or_default() += 1);
        }
    }
    let mut rules: Vec<RuleCount> =
        counts.into_iter().map(|(rule, count)| RuleCount { rule: name(rule), count }).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.count));
    let omitted = rules.len().saturating_sub(MAX_RULES);
    rules.truncate(MAX_RULES);
    (rules, omitted)
}

fn tag(notification: &Notification, locale: Locale) -> &'static str {
    let Severity { level, over } = Severity::of(notification);
    let all = |event| notification.alerts.iter().all(|alert| alert.event == event);
    match over {
        true if all(EventKind::Recovered) => locale.event(EventKind::Recovered),
        true if all(EventKind::Closed) => locale.event(EventKind::Closed),
        true => locale.ended(),
        false => locale.level(level),
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
        message_short: cut(&one_line(&alert.message), MAX_SHORT),
        values: values.iter().cloned().collect(),
        values_text: pairs(values, " "),
        since: full(alert.since, zone),
        since_short: short(alert.since, notification.time, zone),
        ended: full(until, zone),
        duration: rounded(until, alert.since),
        not_judged_since: alert.not_judged_since.map(|time| full(time, zone)),
        acknowledged_by: alert.acknowledged.as_ref().map(|ack| name(&ack.by)).unwrap_or_default(),
        acknowledged_at: alert.acknowledged.as_ref().map(|ack| full(ack.at, zone)).unwrap_or_default(),
        acknowledged_comment: alert.acknowledged.as_ref().map(|ack| name(&ack.comment)).unwrap_or_default(),
        runbook: alert.runbook.as_deref().map(|link| cut(&one_line(link), MAX_TEXT)),
        folded: alert.folded.iter().map(|folded| folded_view(folded, notification.time, locale, zone)).collect(),
        folded_omitted: alert.folded_omitted,
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

pub(super) fn name(text: &str) -> String {
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
pub(super) fn short(time: Time, told: Time, zone: &TimeZone) -> String {
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
