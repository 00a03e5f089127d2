//! A replay as data: one document, or the notification log.

use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::cli::Ui;
use crate::lab::replay::{Event, Summary, Told};
use crate::model::{CloseReason, EventKind, FiringId, Labels, Level, RuleName, Time};

/// Events and notifications, each as JSON.
#[derive(Default)]
pub(super) struct Document {
    events: Vec<String>,
    notifications: Vec<String>,
}

#[derive(Serialize)]
struct EventDocument<'a> {
    time: Time,
    event: EventKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<CloseReason>,
    id: &'a FiringId,
    rule: &'a RuleName,
    level: Level,
    kind: &'a str,
    name: &'a str,
    labels: &'a Labels,
    message: &'a str,
    /// Its condition was already true when the rules began to judge.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    already: bool,
}

#[derive(Serialize)]
struct Line<B> {
    #[serde(flatten)]
    body: B,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    already: bool,
}

#[derive(Serialize)]
struct Took<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    seconds: f64,
    evaluations_per_second: f64,
}

/// A line of the notification log.
pub(super) fn log_line(told: &Told<'_>) -> io::Result<String> {
    Ok(serde_json::to_string(&Line { body: told.sent.body(), already: told.already })?)
}

impl Document {
    pub(super) fn event(&mut self, event: &Event, already: bool) -> io::Result<()> {
        self.events.push(serde_json::to_string(&EventDocument {
            time: event.time,
            event: event.kind,
            reason: event.reason,
            id: &event.firing,
            rule: &event.rule,
            level: event.level,
            kind: &event.subject.kind,
            name: &event.subject.name,
            labels: &event.labels,
            message: &event.message,
            already,
        })?);
        Ok(())
    }

    pub(super) fn notification(&mut self, told: &Told<'_>) -> io::Result<()> {
        self.notifications.push(log_line(told)?);
        Ok(())
    }

    /// Writes it: the summary, then events and notifications, one a line.
    pub(super) fn write(&self, summary: &Summary, took: Duration, ui: &mut Ui) -> io::Result<()> {
        let seconds = took.as_secs_f64();
        let evaluations_per_second = (summary.evaluations as f64 / seconds.max(1e-6)).round();
        let summary = serde_json::to_string(&Took { summary, seconds, evaluations_per_second })?;
        let list = |lines: &[String]| match lines.is_empty() {
            true => "[]".to_string(),
            false => format!("[\n{}\n]", lines.join(",\n")),
        };
        ui.line(format_args!(
            "{{\"summary\":{summary},\n\"events\":{},\n\"notifications\":{}}}",
            list(&self.events),
            list(&self.notifications)
        ))
    }
}
