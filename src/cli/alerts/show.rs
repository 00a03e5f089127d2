//! Alerts as people read them on a terminal.

use std::io;

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::cli::Ui;
use crate::diagnostic::one_line;
use crate::model::{Time, duration};

/// So much of an id is shown in a table: as much as tells alerts apart.
const SHORT_ID: usize = 10;

/// How alerts are shown.
pub(super) struct Show {
    /// Times are of this zone.
    pub(super) zone: TimeZone,
}

impl Show {
    /// A table of alerts; of past ones too where `all`.
    pub(super) fn list(&self, alerts: &[Value], all: bool, ui: &mut Ui) -> io::Result<()> {
        let row = |alert: &Value| {
            let mut row = vec![
                text(&alert["level"]),
                text(&alert["rule"]),
                format!("{} {}", text(&alert["kind"]), text(&alert["name"])),
                self.time(&alert["since"]),
            ];
            if all {
                row.push(self.end(alert));
            }
            row.extend([text(&alert["id"]).chars().take(SHORT_ID).collect(), told(alert), text(&alert["message"])]);
            row
        };
        let rows: Vec<Vec<String>> = alerts.iter().map(row).collect();
        match all {
            true => ui.table(&["LEVEL", "RULE", "SUBJECT", "SINCE", "ENDED", "ID", "TOLD", "MESSAGE"], &rows),
            false => ui.table(&["LEVEL", "RULE", "SUBJECT", "SINCE", "ID", "TOLD", "MESSAGE"], &rows),
        }
    }

    /// One alert with all that is known of it.
    pub(super) fn history(&self, history: &Value, ui: &mut Ui) -> io::Result<()> {
        let alert = &history["alert"];
        let (level, rule) = (text(&alert["level"]), text(&alert["rule"]));
        ui.line(format_args!("[{level}] {rule}: {} {}", text(&alert["kind"]), text(&alert["name"])))?;
        let mut fact = |name: &str, value: String| match value.is_empty() {
            true => Ok(()),
            false => ui.line(format_args!("  {name:<12} {value}")),
        };
        fact("id", text(&alert["id"]))?;
        fact("state", text(&alert["state"]))?;
        fact("message", text(&alert["message"]))?;
        fact("since", self.time(&alert["since"]))?;
        fact("ended", self.end(alert))?;
        fact("labels", pairs(&alert["labels"], "="))?;
        fact("values", pairs(&alert["values"], " "))?;
        fact("not judged", self.time(&alert["not_judged_since"]))?;
        fact("acknowledged", self.acknowledged(&alert["acknowledged"]))?;
        fact("silenced by", items(&alert["silenced_by"]).map(text).collect::<Vec<_>>().join(", "))?;
        fact("inhibited by", inhibited(&alert["inhibited_by"]))?;
        fact("escalation", self.escalation(&alert["escalation"]))?;
        self.events(history, ui)?;
        self.notifications(history, ui)?;
        not_told(history, ui)
    }

    fn acknowledged(&self, acknowledged: &Value) -> String {
        if acknowledged.is_null() {
            return String::new();
        }
        let comment = text(&acknowledged["comment"]);
        let comment = if comment.is_empty() { comment } else { format!(": {comment}") };
        format!("by {} at {}{comment}", text(&acknowledged["by"]), self.time(&acknowledged["at"]))
    }

    fn escalation(&self, step: &Value) -> String {
        let to: Vec<String> = items(&step["to"]).map(text).collect();
        let length = |key: &str| {
            let seconds = step[key].as_f64().unwrap_or(0.0).max(0.0);
            duration::format(std::time::Duration::from_secs(seconds as u64))
        };
        match (step.is_null(), step["at"].is_null()) {
            (true, _) => String::new(),
            (false, false) => format!("{} at {}", to.join(", "), self.time(&step["at"])),
            (false, true) => format!(
                "{} after {} without an acknowledgement; {} have passed, and the time stands still",
                to.join(", "),
                length("after_seconds"),
                length("passed_seconds")
            ),
        }
    }

    fn events(&self, history: &Value, ui: &mut Ui) -> io::Result<()> {
        let changes = items(&history["transitions"]).map(|change| {
            let what = format!("{} -> {}", text(&change["from"]), text(&change["to"]));
            (text(&change["time"]), what)
        });
        let events = items(&history["events"]).map(|event| {
            let reason = text(&event["reason"]).replace('_', " ");
            let reason = if reason.is_empty() { reason } else { format!(" ({reason})") };
            let what =
                format!("{} {}{reason}: {}", text(&event["event"]), text(&event["level"]), text(&event["message"]));
            (text(&event["time"]), what)
        });
        let mut all: Vec<(Option<Time>, String)> =
            changes.chain(events).map(|(time, what)| (Time::parse_rfc3339(&time).ok(), what)).collect();
        all.sort_by_key(|(time, _)| *time);
        if !all.is_empty() {
            ui.line("what happened")?;
        }
        all.iter().try_for_each(|(time, what)| {
            let time = time.map(|time| self.full(time)).unwrap_or_default();
            ui.line(format_args!("  {time}  {what}"))
        })
    }

    fn notifications(&self, history: &Value, ui: &mut Ui) -> io::Result<()> {
        let mut all = items(&history["notifications"]).peekable();
        if all.peek().is_some() {
            ui.line("who was told")?;
        }
        for told in all {
            let events: Vec<String> = items(&told["events"]).map(text).collect();
            let occasion = match told["occasion"].as_str() {
                None | Some("alert") => String::new(),
                Some(occasion) => format!(" in a notification of kind {occasion}"),
            };
            let attempts = told["n_attempts"].as_u64().unwrap_or(0);
            let after = format!("after {attempts} attempt{}", if attempts == 1 { "" } else { "s" });
            let state = match told["state"].as_str().unwrap_or_default() {
                "delivered" => format!("delivered {}, {after}", self.time(&told["ended"])),
                "dead" => format!("given up {}, {after}: {}", self.time(&told["ended"]), text(&told["error"])),
                "absorbed" => format!("told by the summary {}", text(&told["absorbed_by"])),
                _ if told["next_attempt"].is_null() => "waits for its first attempt".to_string(),
                _ => format!("waits {after}, tried next {}", self.time(&told["next_attempt"])),
            };
            let (time, channel) = (self.time(&told["time"]), text(&told["channel"]));
            ui.line(format_args!("  {time}  {channel}: {}{occasion}, {state}", events.join(", ")))?;
            for attempt in items(&told["attempts"]) {
                let took =
                    std::time::Duration::from_secs_f64(attempt["duration_seconds"].as_f64().unwrap_or(0.0).max(0.0));
                let took = duration::format(std::time::Duration::from_millis(took.as_millis() as u64));
                let error = text(&attempt["error"]);
                let error = if error.is_empty() { error } else { format!(": {error}") };
                let (number, result) = (text(&attempt["number"]), text(&attempt["result"]));
                let time = self.time(&attempt["time"]);
                ui.line(format_args!("    attempt {number}, {time}, {took}: {result}{error}"))?;
            }
        }
        Ok(())
    }

    /// When it ended, and why where it is not known to be well; empty while it did not.
    fn end(&self, alert: &Value) -> String {
        let time = self.time(&alert["ended"]);
        match alert["reason"].as_str() {
            Some(reason) => format!("{time} ({})", reason.replace('_', " ")),
            None => time,
        }
    }

    fn time(&self, value: &Value) -> String {
        value.as_str().and_then(|text| Time::parse_rfc3339(text).ok()).map(|time| self.full(time)).unwrap_or_default()
    }

    /// As messages write it: `2026-11-21 18:00:00 +08:00`.
    fn full(&self, time: Time) -> String {
        let zoned = time.to_jiff().to_zoned(self.zone.clone());
        match zoned.offset().is_zero() {
            true => zoned.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            false => zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
        }
    }
}

/// What mutes an alert.
fn inhibited(by: &Value) -> String {
    match (by.is_null(), by["kind"].is_null()) {
        (true, _) => String::new(),
        (false, true) => format!("{}, which has not judged yet", text(&by["rule"])),
        (false, false) => format!("{} on {} {}", text(&by["rule"]), text(&by["kind"]), text(&by["name"])),
    }
}

/// What channels were not told, for now or for good.
fn not_told(history: &Value, ui: &mut Ui) -> io::Result<()> {
    let held = history["alert"]["held"].as_object().into_iter().flatten();
    let held = held.map(|(channel, reason)| format!("{}: held now, {}", one_line(channel), text(reason)));
    let suppressed = items(&history["suppressed"])
        .map(|suppressed| format!("{}: {}", text(&suppressed["channel"]), text(&suppressed["reason"])));
    let all: Vec<String> = suppressed.chain(held).collect();
    if !all.is_empty() {
        ui.line("who was not told, and why")?;
    }
    all.iter().try_for_each(|line| ui.line(format_args!("  {line}")))
}

/// Who was told, and who is not told for now.
fn told(alert: &Value) -> String {
    let told: Vec<String> = items(&alert["told"]).map(text).collect();
    let held = alert["held"].as_object().into_iter().flatten();
    let held: Vec<String> = held.map(|(channel, reason)| format!("{} ({})", one_line(channel), text(reason))).collect();
    let mut parts = Vec::new();
    if !told.is_empty() {
        parts.push(told.join(", "));
    }
    if !held.is_empty() {
        parts.push(format!("held: {}", held.join(", ")));
    }
    if let Some(by) = alert["acknowledged"]["by"].as_str() {
        parts.push(format!("acknowledged by {}", one_line(by)));
    }
    parts.join("; ")
}

fn pairs(map: &Value, between: &str) -> String {
    let pairs = map.as_object().into_iter().flatten();
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{}{between}{}", one_line(name), text(value))).collect();
    pairs.join(", ")
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A value in one line; null is nothing.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => one_line(text),
        other => other.to_string(),
    }
}
