//! A notification and its attempts as `t.sent(channel)` and `t.attempts(channel)` show them.

use rhai::{Array, Dynamic, Map};
use serde_json::Value as Json;

use super::stage::Failure;
use crate::lab::lanes::Attempted;
use crate::model::Time;
use crate::outbox::Next;

/// The notification as a map: what the notification log has (`id`, `title`, `text`, `level`, `alerts`, ..), the first
/// alert's `event`, `rule` and `subject` for short, when it was sent (`sent_at`) by which `attempt`, and the exact
/// `request`.
pub(crate) fn to_script(attempted: &Attempted) -> Result<Map, Failure> {
    let sent = &attempted.sent;
    let body = serde_json::to_value(sent.body()).map_err(|error| Failure::new(error.to_string()))?;
    let mut map = of_json(&body).try_cast::<Map>().unwrap_or_default();
    if let Some(note) = sent.notification.alerts.first() {
        map.insert("event".into(), note.event.as_str().into());
        map.insert("rule".into(), note.rule.as_str().into());
        map.insert("subject".into(), (*note.subject.name).into());
    }
    map.insert("attempt".into(), i64::from(attempted.number).into());
    map.insert("sent_at".into(), time(attempted.time));
    let request = match &sent.request {
        Ok(request) => of_json(request),
        Err(error) => return Err(Failure::new(format!("`{}` cannot tell it: {error}", sent.notification.channel))),
    };
    map.insert("request".into(), request);
    Ok(map)
}

/// An attempt as a map: `id` and `title` of what was sent, the `number` of the attempt, its `time`, whether it `arrived`,
/// and if not the `reason`, and when it is tried again (`next`), which it is not where that is `()`.
pub(crate) fn attempt_to_script(attempted: &Attempted) -> Dynamic {
    let reason = attempted.verdict.reason().map_or(Dynamic::UNIT, |reason| reason.to_string().into());
    let next = match attempted.next {
        Next::RetryAt { at, .. } => time(at),
        Next::Done | Next::Dead { .. } => Dynamic::UNIT,
    };
    let entries: [(&str, Dynamic); 7] = [
        ("id", attempted.sent.notification.id.as_str().into()),
        ("title", attempted.sent.message.title.as_str().into()),
        ("number", i64::from(attempted.number).into()),
        ("time", time(attempted.time)),
        ("arrived", attempted.has_arrived().into()),
        ("reason", reason),
        ("next", next),
    ];
    entries.into_iter().map(|(name, value)| (name.into(), value)).collect::<Map>().into()
}

/// A time as notifications have it. In a test the wall clock agrees with the engine's time.
fn time(time: Time) -> Dynamic {
    time.to_string().into()
}

/// JSON as a script's value; numbers as fields have them.
fn of_json(json: &Json) -> Dynamic {
    match json {
        Json::Null => Dynamic::UNIT,
        Json::Bool(bool) => (*bool).into(),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => items.iter().map(of_json).collect::<Array>().into(),
        Json::Object(entries) => {
            let entries = entries.iter().map(|(name, value)| (name.as_str().into(), of_json(value)));
            entries.collect::<Map>().into()
        }
    }
}
