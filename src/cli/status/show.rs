//! The status document as people read it.

use std::io;
use std::time::Duration;

use anstyle::AnsiColor;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::words::{counted, is_firing, items, length, marks, time, worst_first};
use super::wrong::{ailment, is_down, place};
use crate::cli::Ui;
use crate::cli::silence::words::{shown_time, text};
use crate::model::Time;

/// So many firing alerts are shown, and so many problems: it is one screen.
const SHOWN: usize = 10;
/// So much of an id tells alerts apart.
const SHORT_ID: usize = 10;

/// How the status is shown.
pub(super) struct Show<'a> {
    /// Times are of this zone.
    pub(super) zone: TimeZone,
    /// Who answered.
    pub(super) url: &'a str,
}

impl Show<'_> {
    /// The whole screen. The last line says whether all is well.
    pub(super) fn status(&self, status: &Value, alerts: &Value, wrong: &[String], ui: &mut Ui) -> io::Result<()> {
        let now = time(&status["timestamp"]).unwrap_or_default();
        ui.line(format_args!("larum at {}, {}", self.url, shown_time(&status["timestamp"], &self.zone)))?;
        fact("alerting", if status["alert_enabled"] == false { "off: nobody is told" } else { "on" }, ui)?;
        fact("watched", watched(status), ui)?;
        fact("rules", rules(&status["rules"]), ui)?;
        collectors(status, ui)?;
        channels(status, ui)?;
        fact("outbox", outbox(&status["outbox"]), ui)?;
        let silences = status["silences"].as_u64().unwrap_or(0);
        fact("silences", if silences == 0 { "none".to_string() } else { format!("{silences} active") }, ui)?;
        self.pauses(status, ui)?;
        self.on_call(status, ui)?;
        let mut problems: Vec<&Value> = items(&status["problems"]).collect();
        problems.sort_by_key(|problem| problem["severity"] != "error");
        let mut firing: Vec<&Value> = items(&alerts["alerts"]).filter(|alert| is_firing(alert)).collect();
        worst_first(&mut firing);
        if problems.is_empty() {
            fact("problems", "none", ui)?;
        }
        if firing.is_empty() {
            fact("firing", "nothing", ui)?;
        }
        show_problems(&problems, ui)?;
        show_firing(&firing, now, ui)?;
        if !(problems.is_empty() && firing.is_empty()) {
            ui.line("")?;
        }
        match wrong.is_empty() {
            true => ui.line(ui.out_word("all is well", AnsiColor::Green)),
            false => ui.line(format_args!("{}: {}", ui.out_word("not well", AnsiColor::Red), wrong.join("; "))),
        }
    }

    fn pauses(&self, status: &Value, ui: &mut Ui) -> io::Result<()> {
        let pauses = items(&status["paused"]).map(|pause| {
            let what = match pause["name"].is_null() {
                true => format!("all {}", text(&pause["what"])),
                false => format!("{} {}", text(&pause["what"]).trim_end_matches('s'), text(&pause["name"])),
            };
            let comment = text(&pause["comment"]);
            let comment = if comment.is_empty() { comment } else { format!(": {comment}") };
            format!("{what} since {} by {}{comment}", shown_time(&pause["since"], &self.zone), text(&pause["by"]))
        });
        facts("paused", pauses, ui)
    }

    fn on_call(&self, status: &Value, ui: &mut Ui) -> io::Result<()> {
        let names = |list: &Value| match items(list).map(text).collect::<Vec<_>>() {
            names if names.is_empty() => "nobody".to_string(),
            names => names.join(", "),
        };
        let rotations = status["on_call"].as_object().into_iter().flatten().map(|(rotation, on_call)| {
            let then = match on_call["until"].is_null() {
                true => String::new(),
                false => {
                    format!(" until {}, then {}", shown_time(&on_call["until"], &self.zone), names(&on_call["next"]))
                }
            };
            format!("{rotation}: {}{then}", names(&on_call["now"]))
        });
        facts("on call", rotations, ui)
    }
}

fn fact(name: &str, value: impl std::fmt::Display, ui: &mut Ui) -> io::Result<()> {
    ui.line(format_args!("{name:<11} {value}").to_string().trim_end())
}

/// One fact in several lines; nothing where there is none.
fn facts(name: &str, values: impl Iterator<Item = String>, ui: &mut Ui) -> io::Result<()> {
    let mut name = name;
    for value in values {
        fact(name, value, ui)?;
        name = "";
    }
    Ok(())
}

/// The worst of what is watched.
fn watched(status: &Value) -> String {
    let percent = |name: &str, key: &str| Some(format!("{name} {:.0}%", status[key].as_f64()?));
    let services = match status["service_status"].as_str() {
        None | Some("unknown") => None,
        Some(word) => Some(format!("services {word}")),
    };
    let slowest = status["response_time"].as_f64().map(|seconds| format!("slowest answer {seconds:.3}s"));
    let parts = [
        percent("cpu", "cpu_usage"),
        percent("memory", "memory_usage"),
        percent("disk", "disk_usage"),
        services,
        slowest,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "no host and no service".to_string() } else { format!("{} (the worst)", parts.join(", ")) }
}

fn rules(rules: &Value) -> String {
    let count = |key: &str| rules[key].as_u64().unwrap_or(0);
    let mut said = format!("{} in force, {} firing, {} pending", count("total"), count("firing"), count("pending"));
    if count("quarantined") > 0 {
        said.push_str(&format!(", {} quarantined", count("quarantined")));
    }
    said
}

fn collectors(status: &Value, ui: &mut Ui) -> io::Result<()> {
    let count = |is: &dyn Fn(&Value) -> bool| items(&status["collectors"]).filter(|one| is(one)).count();
    let parts = [
        (count(&|one| one["up"] == true && one["paused"] != true), "up"),
        (count(&is_down), "down"),
        (count(&|one| one["up"].is_null() && one["paused"] != true), "without a pass yet"),
        (count(&|one| one["paused"] == true), "paused"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    fact("collectors", if parts.is_empty() { "none".to_string() } else { parts.join(", ") }, ui)?;
    let down = items(&status["collectors"]).filter(|one| is_down(one)).map(|one| {
        let failures = one["consecutive_failures"].as_u64().unwrap_or(0);
        let failures = if failures > 1 { format!(", {failures} passes failed in a row") } else { String::new() };
        let error = text(&one["error"]);
        let error = if error.is_empty() { error } else { format!(": {error}") };
        format!("{} is down{failures}{error}", text(&one["name"]))
    });
    facts("", down, ui)
}

fn channels(status: &Value, ui: &mut Ui) -> io::Result<()> {
    let names: Vec<String> = items(&status["channels"]).map(|channel| text(&channel["name"])).collect();
    fact("channels", if names.is_empty() { "none".to_string() } else { names.join(", ") }, ui)?;
    let noteworthy = items(&status["channels"]).filter_map(|channel| {
        let count = |key: &str| channel[key].as_u64().unwrap_or(0);
        let mut said = Vec::new();
        if let Some(ailment) = ailment(channel) {
            let failures = count("consecutive_failures");
            let failures = if failures > 1 { format!(" ({failures} times in a row)") } else { String::new() };
            let problem = text(&channel["problem"]);
            let problem = if problem.is_empty() { problem } else { format!(": {problem}") };
            said.push(format!("{ailment}{failures}{problem}"));
        }
        if count("waiting") > 0 {
            said.push(format!("{} waiting", counted(count("waiting"), "event")));
        }
        if count("dead") > 0 {
            said.push(format!("{} given up", counted(count("dead"), "event")));
        }
        (!said.is_empty()).then(|| format!("{} {}", text(&channel["name"]), said.join("; ")))
    });
    facts("", noteworthy, ui)
}

fn outbox(outbox: &Value) -> String {
    let count = |key: &str| outbox[key].as_u64().unwrap_or(0);
    let mut parts = vec![match (count("waiting"), outbox["oldest_waiting_seconds"].as_u64()) {
        (0, _) => "nothing waits".to_string(),
        (waiting, Some(oldest)) => format!("{waiting} waiting, the oldest for {}", length(Duration::from_secs(oldest))),
        (waiting, None) => format!("{waiting} waiting"),
    }];
    if count("dead") > 0 {
        parts.push(format!("{} given up (`larum outbox list --state dead`)", count("dead")));
    }
    parts.push(if outbox["durable"] == false { "not stored: a crash would lose it" } else { "stored" }.to_string());
    parts.join(", ")
}

fn show_problems(problems: &[&Value], ui: &mut Ui) -> io::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    ui.line("")?;
    for problem in problems.iter().take(SHOWN) {
        let (word, colour) = match problem["severity"] == "error" {
            true => ("error", AnsiColor::Red),
            false => ("warning", AnsiColor::Yellow),
        };
        let word = ui.out_word(word, colour);
        ui.line(format_args!("{word}: {}: {}", place(problem), text(&problem["message"])))?;
        if !problem["hint"].is_null() {
            ui.line(format_args!("  hint: {}", text(&problem["hint"])))?;
        }
    }
    match problems.len() > SHOWN {
        true => ui.line(format_args!("and {} more: `larum status --format json`", problems.len() - SHOWN)),
        false => Ok(()),
    }
}

fn show_firing(firing: &[&Value], now: Time, ui: &mut Ui) -> io::Result<()> {
    if firing.is_empty() {
        return Ok(());
    }
    ui.line("")?;
    let row = |alert: &&Value| {
        let message = match (text(&alert["message"]), marks(alert)) {
            (message, marks) if marks.is_empty() => message,
            (message, marks) => format!("({marks}) {message}"),
        };
        vec![
            text(&alert["level"]),
            text(&alert["rule"]),
            format!("{} {}", text(&alert["kind"]), text(&alert["name"])),
            time(&alert["since"]).map(|since| length(now.since(since))).unwrap_or_default(),
            text(&alert["id"]).chars().take(SHORT_ID).collect(),
            message,
        ]
    };
    let rows: Vec<Vec<String>> = firing.iter().take(SHOWN).map(row).collect();
    ui.table(&["FIRING", "RULE", "SUBJECT", "FOR", "ID", "MESSAGE"], &rows)?;
    match firing.len() > SHOWN {
        true => ui.line(format_args!("and {} more: `larum alerts`", firing.len() - SHOWN)),
        false => Ok(()),
    }
}
