//! What happened, seen as differences between two pictures. What began and ended between them is not seen.

use std::collections::BTreeMap;

use super::picture::{Alert, Picture};
use crate::model::{Level, Time};

/// How a line of the log is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Something got worse, at this level.
    Bad(Level),
    /// Something got better.
    Good,
    /// Neither.
    Plain,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happened {
    pub(super) time: Time,
    pub(super) tone: Tone,
    pub(super) said: String,
}

impl Happened {
    pub(super) fn new(time: Time, tone: Tone, said: impl Into<String>) -> Happened {
        Happened { time, tone, said: said.into() }
    }
}

/// What happened until the first picture: what is wrong already.
pub(super) fn at_first(picture: &Picture) -> Vec<Happened> {
    let mut happened = problems(&Picture::default(), picture);
    let firing = match picture.alerts.len() {
        0 => "no alert fires".to_string(),
        1 => "1 alert fires".to_string(),
        several => format!("{several} alerts fire"),
    };
    happened.push(Happened::new(picture.time, Tone::Plain, format!("began to look: {firing}")));
    happened
}

/// What happened between two pictures.
pub(super) fn between(before: &Picture, after: &Picture) -> Vec<Happened> {
    let now = after.time;
    let mut happened = Vec::new();
    if after.generation != before.generation {
        happened.push(Happened::new(
            now,
            Tone::Plain,
            format!("rules are in force anew (generation {})", after.generation),
        ));
    }
    happened.extend(problems(before, after));
    let known: BTreeMap<&str, &Alert> = before.alerts.iter().map(|alert| (alert.id.as_str(), alert)).collect();
    let present: BTreeMap<&str, &Alert> = after.alerts.iter().map(|alert| (alert.id.as_str(), alert)).collect();
    let ended = before.alerts.iter().filter(|alert| !present.contains_key(alert.id.as_str()));
    happened.extend(ended.map(|alert| Happened::new(now, Tone::Good, format!("ended: {}", alert.title()))));
    for alert in &after.alerts {
        match known.get(alert.id.as_str()) {
            None => happened.push(Happened::new(now, bad(alert), format!("raised: {}", told(alert)))),
            Some(before) => happened.extend(changed(before, alert, now)),
        }
    }
    happened
}

fn problems(before: &Picture, after: &Picture) -> Vec<Happened> {
    let now = after.time;
    let new = after.problems.iter().filter(|problem| !before.problems.contains(problem)).map(|problem| {
        let (tone, word) =
            if problem.is_error { (Tone::Bad(Level::Error), "error") } else { (Tone::Bad(Level::Warning), "warning") };
        Happened::new(now, tone, format!("{word}: {}", problem.said))
    });
    let over = before.problems.iter().filter(|problem| !after.problems.contains(problem));
    let over = over.map(|problem| Happened::new(now, Tone::Good, format!("no longer: {}", problem.said)));
    over.chain(new).collect()
}

/// What became of an alert that goes on.
fn changed(before: &Alert, after: &Alert, now: Time) -> Vec<Happened> {
    let mut happened = Vec::new();
    let mut say = |tone: Tone, said: String| happened.push(Happened::new(now, tone, said));
    if let (Some(was), Some(is)) = (before.level, after.level) {
        if is > was {
            say(Tone::Bad(is), format!("escalated from {was} to {}", told(after)));
        } else if is < was {
            say(Tone::Bad(is), format!("eased from {was} to {}", told(after)));
        }
    }
    let title = after.title();
    match (before.is_recovering, after.is_recovering) {
        (false, true) => say(Tone::Good, format!("recovering: {title}")),
        (true, false) => say(bad(after), format!("fires again: {}", told(after))),
        _ => {}
    }
    if before.acknowledged_by != after.acknowledged_by {
        say(
            Tone::Plain,
            match &after.acknowledged_by {
                Some(by) => format!("acknowledged by {by}: {title}"),
                None => format!("no longer acknowledged: {title}"),
            },
        );
    }
    if before.is_silenced != after.is_silenced {
        let word = if after.is_silenced { "silenced" } else { "no longer silenced" };
        say(Tone::Plain, format!("{word}: {title}"));
    }
    happened
}

fn told(alert: &Alert) -> String {
    let level = alert.level.map(|level| format!("[{level}] ")).unwrap_or_default();
    let message = if alert.message.is_empty() { String::new() } else { format!(": {}", alert.message) };
    format!("{level}{}{message}", alert.title())
}

fn bad(alert: &Alert) -> Tone {
    alert.level.map_or(Tone::Plain, Tone::Bad)
}
