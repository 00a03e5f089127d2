//! What is wrong with a daemon itself. That an alert fires is not: then it does its work.

use serde_json::Value;

use super::words::{counted, items};
use crate::cli::silence::words::text;

/// What is wrong, each in a few words, from the status document; nothing where all is well.
///
/// Wrong is what keeps alerts from being seen or told: a store that does not write, alerting that is off, a channel that
/// fails or that nobody configured, notifications that were given up, a collector that is down, and any problem that is an
/// error. A warning, a silence or a pause is not: somebody wanted it so, or it can wait.
pub(in crate::cli) fn wrong(status: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let stores = status["outbox"]["durable"] != false;
    if !stores {
        wrong.push("the store does not write".to_string());
    }
    if status["alert_enabled"] == false {
        wrong.push("alerting is off".to_string());
    }
    let bad: Vec<(&str, String)> =
        items(&status["channels"]).filter_map(|channel| Some((channel["name"].as_str()?, ailment(channel)?))).collect();
    wrong.extend(bad.iter().map(|(name, ailment)| format!("channel `{name}` {ailment}")));
    match status["outbox"]["dead"].as_u64().unwrap_or(0) {
        0 => {}
        1 => wrong.push("1 notification was given up".to_string()),
        dead => wrong.push(format!("{dead} notifications were given up")),
    }
    let down = items(&status["collectors"]).filter(|collector| is_down(collector));
    wrong.extend(down.map(|collector| format!("collector `{}` is down", text(&collector["name"]))));
    // Of a failing channel and of a store that does not write it is said above.
    let is_said = |problem: &Value| match problem["area"].as_str() {
        Some("delivery") => bad.iter().any(|(name, _)| problem["place"] == *name),
        Some("store") => !stores,
        _ => false,
    };
    let errors: Vec<&Value> =
        items(&status["problems"]).filter(|problem| problem["severity"] == "error" && !is_said(problem)).collect();
    if let Some(first) = errors.first() {
        let more = if errors.len() > 1 { ", .." } else { "" };
        wrong.push(format!("{} ({}{more})", counted(errors.len() as u64, "error"), place(first)));
    }
    wrong
}

/// What a channel suffers from, as a verb.
pub(super) fn ailment(channel: &Value) -> Option<String> {
    if channel["concurrency"].is_null() {
        return Some("is not configured".to_string());
    }
    (!channel["problem"].is_null()).then(|| "fails".to_string())
}

/// Whether a collector fails that nobody paused.
pub(super) fn is_down(collector: &Value) -> bool {
    collector["up"] == false && collector["paused"] != true
}

/// Where a problem is: `rules/service.rhai:5:5`, or the name of a thing.
pub(in crate::cli) fn place(problem: &Value) -> String {
    let mut place = text(&problem["place"]);
    for key in ["line", "column"] {
        match problem[key].as_u64() {
            Some(number) => place.push_str(&format!(":{number}")),
            None => break,
        }
    }
    place
}
