//! A notification as `t.sent(channel)` shows it.

use rhai::{Array, Dynamic, Map};
use serde_json::Value as Json;

use super::stage::Failure;
use crate::lab::project::Sent;

/// The notification as a map: what the notification log has (`id`, `title`, `text`, `level`, `alerts`, ..), the first
/// alert's `event`, `rule` and `subject` for short, and the exact `request`.
pub(crate) fn to_script(sent: &Sent) -> Result<Dynamic, Failure> {
    let body = serde_json::to_value(sent.body()).map_err(|error| Failure::new(error.to_string()))?;
    let mut map = of_json(&body).try_cast::<Map>().unwrap_or_default();
    if let Some(note) = sent.notification.alerts.first() {
        map.insert("event".into(), note.event.as_str().into());
        map.insert("rule".into(), note.rule.as_str().into());
        map.insert("subject".into(), (*note.subject.name).into());
    }
    let request = match &sent.request {
        Ok(request) => of_json(request),
        Err(error) => return Err(Failure::new(format!("`{}` cannot tell it: {error}", sent.notification.channel))),
    };
    map.insert("request".into(), request);
    Ok(map.into())
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
