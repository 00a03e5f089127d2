//! Steps, notifications and attempts to store.

use std::time::Duration;

use super::*;
use crate::engine::Effects;
use crate::model::{AlertNote, EventKind, Level, Notification, Now, Occasion};

/// A moment, `secs` after an arbitrary start.
pub(in crate::store) fn at(secs: u64) -> Time {
    Time::from_micros(1_800_000_000_000_000) + Duration::from_secs(secs)
}

/// The rule of firing `f<n>`.
fn rule(n: u64) -> RuleName {
    if n.is_multiple_of(2) { "even".into() } else { "odd".into() }
}

/// The subject of firing `f<n>`.
pub(in crate::store) fn subject(n: u64) -> SubjectKey {
    SubjectKey::new("service", format!("shop-{n}"))
}

/// Something that happened to firing `f<n>`.
pub(in crate::store) fn event(n: u64, kind: EventKind, secs: u64) -> Event {
    Event {
        time: at(secs),
        kind,
        reason: None,
        firing: format!("f{n}").into(),
        rule: rule(n),
        subject: subject(n),
        level: Level::Warning,
        labels: [("region".into(), "eu".into())].into(),
        message: format!("{kind} {n}"),
    }
}

/// The raise of firing `f<n>`.
pub(in crate::store) fn raised(n: u64) -> Event {
    event(n, EventKind::Raised, 10 * n)
}

/// The end of firing `f<n>`.
pub(in crate::store) fn ended(n: u64) -> Event {
    event(n, EventKind::Recovered, 10 * n + 5)
}

/// A notification that tells a channel of these events.
pub(in crate::store) fn notification(id: &str, channel: &str, events: &[Event]) -> Notification {
    let note = |event: &Event| AlertNote {
        id: event.firing.clone(),
        event: event.kind,
        reason: event.reason,
        rule: event.rule.clone(),
        level: event.level,
        previous_level: None,
        subject: event.subject.clone(),
        labels: [("region".into(), "eu".into())].into(),
        message: event.message.clone(),
        values: vec![("error_rate".into(), 0.3.into()), ("calls".into(), f64::NAN.into())],
        since: event.time,
        ended: None,
        not_judged_since: None,
        runbook: None,
        acknowledged: None,
        folded: Vec::new(),
        folded_omitted: 0,
    };
    let time = events.last().expect("a notification tells of something").time;
    let alerts = events.iter().map(note).collect();
    Notification { id: id.into(), channel: channel.into(), time, alerts, occasion: Occasion::Alert }
}

/// A step without effects.
pub(in crate::store) fn step(sequence: u64) -> Effects {
    Effects::none(sequence, Now::at(at(sequence)))
}

/// A step with these events; each raise is told to `ops` as notification `n<n>`.
pub(in crate::store) fn step_with(sequence: u64, events: Vec<Event>) -> Record {
    let raises = events.iter().filter(|event| event.kind == EventKind::Raised);
    let notifications = raises
        .map(|event| notification(&event.firing.as_str().replace('f', "n"), "ops", std::slice::from_ref(event)))
        .collect();
    Record::from(Effects { events, notifications, ..step(sequence) })
}

/// A failed attempt of notification `n<n>`.
pub(in crate::store) fn attempt(n: u64, number: u32) -> Record {
    result(n, number, AttemptResult::Failed { error: "connection refused".into(), next: at(1000) })
}

/// The delivery of notification `n<n>` at its first attempt.
pub(in crate::store) fn delivered(n: u64) -> Record {
    result(n, 1, AttemptResult::Delivered { partly: None })
}

/// An attempt of notification `n<n>`.
pub(in crate::store) fn result(n: u64, number: u32, result: AttemptResult) -> Record {
    Record::Attempt(Attempt {
        notification: format!("n{n}").into(),
        number,
        time: at(500 + u64::from(number)),
        took: Duration::from_millis(3),
        result,
    })
}
