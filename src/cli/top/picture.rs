//! What was seen of the daemon at one time, read from its documents.

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::cli::silence::words::text;
use crate::cli::status::words::{counted, is_firing, items, length, time, worst_first};
use crate::cli::status::wrong::{place, wrong};
use crate::model::{Level, Time};

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    /// When, by the daemon's clock.
    pub(super) time: Time,
    /// The counts of the first line, each in words.
    pub(super) counts: Vec<String>,
    /// What is wrong with the daemon itself.
    pub(super) wrong: Vec<String>,
    /// Its problems, each in a line.
    pub(super) problems: Vec<Problem>,
    /// Counts the reloads that changed something.
    pub(super) generation: u64,
    /// Alerts that fire, the worst first.
    pub(super) alerts: Vec<Alert>,
    /// Subjects, by kind and name.
    pub(super) subjects: Vec<Subject>,
    /// Rules; those that are not well first, then those that fire.
    pub(super) rules: Vec<Rule>,
}

/// A problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) is_error: bool,
    /// Where and what.
    pub(super) said: String,
}

/// An alert that fires.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alert {
    pub(super) id: String,
    pub(super) level: Option<Level>,
    pub(super) rule: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) since: Time,
    pub(super) message: String,
    pub(super) is_recovering: bool,
    pub(super) acknowledged_by: Option<String>,
    pub(super) is_silenced: bool,
    pub(super) is_inhibited: bool,
    pub(super) is_judged: bool,
}

impl Alert {
    /// What people did about it, or what keeps it from being told, in few letters: `ack anna, silenced`.
    pub(super) fn marks(&self) -> String {
        let marks = [
            self.acknowledged_by.as_ref().map(|by| format!("ack {by}")),
            self.is_silenced.then(|| "silenced".to_string()),
            self.is_inhibited.then(|| "inhibited".to_string()),
            self.is_recovering.then(|| "recovering".to_string()),
            (!self.is_judged).then(|| "not judged".to_string()),
        ];
        marks.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// The rule and its subject: `cpu_high on host web-1`.
    pub(super) fn title(&self) -> String {
        format!("{} on {} {}", self.rule, self.kind, self.name)
    }
}

/// A subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Subject {
    pub(super) kind: String,
    pub(super) name: String,
    /// How old its newest snapshot was.
    pub(super) age: Duration,
    pub(super) is_stale: bool,
    pub(super) is_gone: bool,
    pub(super) fields: Map<String, Value>,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: String,
    /// `ok`, `error`, `quarantined` or `paused`.
    pub(super) health: String,
    pub(super) firing: u64,
    pub(super) pending: u64,
    pub(super) evaluations: u64,
    /// Judged without the interpreter.
    pub(super) is_lowered: bool,
    /// Why it is not well, or not lowered; may be empty.
    pub(super) problem: String,
}

impl Picture {
    /// Puts a picture together from the daemon's documents.
    pub(super) fn of(status: &Value, alerts: &Value, mut subjects: Value, rules: &Value) -> Picture {
        let mut firing: Vec<&Value> = items(&alerts["alerts"]).filter(|alert| is_firing(alert)).collect();
        worst_first(&mut firing);
        let subjects = subjects["subjects"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let mut subjects: Vec<Subject> = subjects.into_iter().map(subject).collect();
        subjects.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        let mut rules: Vec<Rule> = items(&rules["rules"]).map(rule).collect();
        rules.sort_by(|a, b| {
            let key = |rule: &Rule| (rule.health == "ok", Reverse(rule.firing));
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        Picture {
            time: time(&status["timestamp"]).unwrap_or_default(),
            counts: counts(status, firing.len()),
            wrong: wrong(status),
            problems: items(&status["problems"]).map(problem).collect(),
            generation: status["rules"]["generation"].as_u64().unwrap_or(0),
            alerts: firing.into_iter().map(alert).collect(),
            subjects,
            rules,
        }
    }
}

/// The figures of the first line, what matters most first.
fn counts(status: &Value, firing: usize) -> Vec<String> {
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let rules = &status["rules"];
    let outbox = &status["outbox"];
    let mut counts = vec![format!("{firing} firing"), format!("{} pending", count(&rules["pending"]))];
    let mut some = |count: u64, words: &str| {
        if count > 0 {
            counts.push(format!("{count} {words}"));
        }
    };
    some(count(&outbox["waiting"]), "to send");
    some(count(&outbox["dead"]), "given up");
    some(items(&status["paused"]).count() as u64, "paused");
    some(count(&rules["quarantined"]), "quarantined");
    if count(&status["silences"]) > 0 {
        counts.push(counted(count(&status["silences"]), "silence"));
    }
    counts.push(counted(count(&rules["total"]), "rule"));
    if let Some(oldest) = outbox["oldest_waiting_seconds"].as_u64().filter(|seconds| *seconds >= 60) {
        counts.push(format!("the oldest waits for {}", length(Duration::from_secs(oldest))));
    }
    counts
}

fn problem(problem: &Value) -> Problem {
    let hint = text(&problem["hint"]);
    let hint = if hint.is_empty() { hint } else { format!(" ({hint})") };
    Problem {
        is_error: problem["severity"] == "error",
        said: format!("{}: {}{hint}", place(problem), text(&problem["message"])),
    }
}

fn alert(alert: &Value) -> Alert {
    Alert {
        id: text(&alert["id"]),
        level: alert["level"].as_str().and_then(|level| level.parse().ok()),
        rule: text(&alert["rule"]),
        kind: text(&alert["kind"]),
        name: text(&alert["name"]),
        since: time(&alert["since"]).unwrap_or_default(),
        message: text(&alert["message"]),
        is_recovering: alert["state"] == "recovering",
        acknowledged_by: (!alert["acknowledged"].is_null()).then(|| text(&alert["acknowledged"]["by"])),
        is_silenced: items(&alert["silenced_by"]).next().is_some(),
        is_inhibited: !alert["inhibited_by"].is_null(),
        is_judged: alert["not_judged_since"].is_null(),
    }
}

fn subject(mut subject: Value) -> Subject {
    let seconds = subject["age_seconds"].as_f64().unwrap_or(0.0);
    Subject {
        kind: text(&subject["kind"]),
        name: text(&subject["name"]),
        age: Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default(),
        is_stale: subject["stale"] == true,
        is_gone: subject["gone"] == true,
        fields: subject["fields"].as_object_mut().map(std::mem::take).unwrap_or_default(),
    }
}

fn rule(rule: &Value) -> Rule {
    let count = |key: &str| rule[key].as_u64().unwrap_or(0);
    let not_lowered = text(&rule["not_lowered"]);
    let problem = text(&rule["problem"]);
    Rule {
        name: text(&rule["name"]),
        health: text(&rule["health"]),
        firing: count("firing"),
        pending: count("pending"),
        evaluations: count("evaluations"),
        is_lowered: not_lowered.is_empty(),
        problem: if problem.is_empty() { not_lowered } else { problem },
    }
}
