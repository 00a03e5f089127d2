//! Counts and lengths of time in few letters, and the alerts in the order in which somebody should look at them.

use std::time::Duration;

use serde_json::Value;

use crate::cli::silence::words::text;
use crate::model::{Level, Time};

/// `1 rule`, `12 rules`.
pub(in crate::cli) fn counted(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// A length of time in its two largest units: `42s`, `5m`, `2h5m`, `3d4h`.
pub(in crate::cli) fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, 0) => format!("{hours}h"),
        (0, hours, minutes) => format!("{hours}h{minutes}m"),
        (days, 0, _) => format!("{days}d"),
        (days, hours, _) => format!("{days}d{hours}h"),
    }
}

/// A time of a document.
pub(in crate::cli) fn time(value: &Value) -> Option<Time> {
    value.as_str().and_then(|text| Time::parse_rfc3339(text).ok())
}

/// The items of a list of a document.
pub(in crate::cli) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Whether an alert was raised and did not end: what is only pending is not among them.
pub(in crate::cli) fn is_firing(alert: &Value) -> bool {
    matches!(alert["state"].as_str(), Some("firing" | "recovering"))
}

/// Puts the worst alerts first, and of a level the newest.
pub(in crate::cli) fn worst_first(alerts: &mut [&Value]) {
    alerts.sort_by_key(|alert| {
        let level = alert["level"].as_str().and_then(|level| level.parse::<Level>().ok());
        (std::cmp::Reverse((level, time(&alert["since"]))), text(&alert["rule"]), text(&alert["name"]))
    });
}

/// What people did about an alert, or what keeps it from being told: `acknowledged by anna, silenced`.
pub(in crate::cli) fn marks(alert: &Value) -> String {
    let mut marks = Vec::new();
    if !alert["acknowledged"].is_null() {
        marks.push(format!("acknowledged by {}", text(&alert["acknowledged"]["by"])));
    }
    if items(&alert["silenced_by"]).next().is_some() {
        marks.push("silenced".to_string());
    }
    if !alert["inhibited_by"].is_null() {
        marks.push("inhibited".to_string());
    }
    if alert["state"] == "recovering" {
        marks.push("recovering".to_string());
    }
    if !alert["not_judged_since"].is_null() {
        marks.push("not judged".to_string());
    }
    marks.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_by_their_two_largest_units() {
        for (seconds, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (7500, "2h5m"),
            (86_400, "1d"),
            (273_600, "3d4h"),
        ] {
            assert_eq!(length(Duration::from_secs(seconds)), expected);
        }
    }
}
