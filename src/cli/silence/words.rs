//! What operators write, and what they are shown.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::super::{Error, Kind};
use crate::diagnostic::one_line;
use crate::model::Time;

/// Conditions as they are typed, as the API takes them: `rule=cpu_*`, `level>=error`, `name=a,b`, `env!=dev`.
pub(in crate::cli) fn conditions(typed: &[String]) -> Result<Value, Error> {
    let mut map: Map<String, Value> = Map::new();
    for condition in typed {
        let (key, values) = condition_of(condition)?;
        let entry = map.entry(key).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(known) = entry {
            known.extend(values.into_iter().map(Value::from));
        }
    }
    Ok(Value::Object(map))
}

fn condition_of(condition: &str) -> Result<(String, Vec<String>), Error> {
    let bad = |problem: &str| {
        Error::message(Kind::Usage, format!("`{condition}` is no condition: {problem}"))
            .with_hint("write `rule=cpu_*`, `level>=error`, `name=web-1,web-2` or `env!=dev`; `*` is any text")
    };
    let at = condition.find(['=', '!', '>', '<', '~']).ok_or_else(|| bad("it has no `=`"))?;
    let (key, rest) = condition.split_at(at);
    let key = key.trim();
    if key.is_empty() {
        return Err(bad("nothing stands before the sign"));
    }
    let (sign, value) = match rest {
        rest if rest.starts_with("!=") => ("!", &rest[2..]),
        rest if rest.starts_with(">=") => (">=", &rest[2..]),
        rest if rest.starts_with("=~") || rest.starts_with("!~") => {
            return Err(bad("regular expressions are not known here"));
        }
        rest if rest.starts_with('=') => ("", &rest[1..]),
        _ => return Err(bad("the signs are `=`, `!=` and, for the level, `>=`")),
    };
    if sign == ">=" && key != "level" {
        return Err(bad("`>=` is for the level"));
    }
    let values = value.split(',').map(|value| format!("{sign}{}", value.trim()));
    Ok((key.to_string(), values.collect()))
}

/// A point in time as it is typed, as RFC 3339: that itself, or a date and a time of the day in `zone`.
pub(in crate::cli) fn moment(option: &str, text: &str, zone: &TimeZone) -> Result<String, Error> {
    if Time::parse_rfc3339(text).is_ok() {
        return Ok(text.to_string());
    }
    let local = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
    let timestamp = local.ok().and_then(|local| zone.to_ambiguous_timestamp(local).compatible().ok());
    timestamp.map(|timestamp| timestamp.to_string()).ok_or_else(|| {
        Error::message(Kind::Usage, format!("`{option} {text}` is no time"))
            .with_hint("write `2026-11-27 09:00`, or `2026-11-27T08:00:00Z`")
    })
}

/// A time on the clock of a zone, to the minute.
pub(in crate::cli) fn shown_time(value: &Value, zone: &TimeZone) -> String {
    let Some(time) = value.as_str().and_then(|text| Time::parse_rfc3339(text).ok()) else { return String::new() };
    let zoned = time.to_jiff().to_zoned(zone.clone());
    match zoned.offset().is_zero() {
        true => zoned.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        false => zoned.strftime("%Y-%m-%d %H:%M %:z").to_string(),
    }
}

/// A text of a document, in one line.
pub(in crate::cli) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => one_line(text),
        other => other.to_string(),
    }
}

/// Conditions in one line: `level>=error rule=cpu_* name=a,!b`.
pub(super) fn matches(value: &Value) -> String {
    let one = |(key, value): (&String, &Value)| {
        let values: Vec<String> = match value {
            Value::Array(values) => values.iter().map(text).collect(),
            value => vec![text(value)],
        };
        match &values[..] {
            [one] if one.starts_with(">=") => format!("{key}{one}"),
            [one] if one.starts_with('!') => format!("{key}!={}", &one[1..]),
            several => format!("{key}={}", several.join(",")),
        }
    };
    let all: Vec<String> = value.as_object().into_iter().flatten().map(one).collect();
    all.join(" ")
}

/// The windows of a silence that recurs.
pub(super) fn windows(silence: &Value) -> String {
    match silence["every"].as_str() {
        Some(_) => format!("{} ({})", text(&silence["every"]), text(&silence["time_zone"])),
        None => String::new(),
    }
}

/// An alert as a row.
pub(in crate::cli) fn alert(alert: &Value) -> Vec<String> {
    let subject = format!("{} {}", text(&alert["kind"]), text(&alert["name"]));
    vec![text(&alert["level"]), text(&alert["rule"]), subject, text(&alert["message"])]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(error: Error) -> String {
        error.source.map(|source| source.to_string()).unwrap_or_default()
    }

    #[test]
    fn conditions_are_read_as_they_are_typed() {
        let typed = ["rule=cpu_*", "level>=error", "name=a, b", "name!=b1", "env!=dev,test", "team="].map(String::from);
        let expected = json!({
            "rule": ["cpu_*"], "level": [">=error"], "name": ["a", "b", "!b1"], "env": ["!dev", "!test"], "team": [""]
        });
        assert_eq!(conditions(&typed).unwrap(), expected);
    }

    #[test]
    fn what_is_no_condition_says_why() {
        for (typed, problem) in [
            ("cpu_high", "it has no `=`"),
            ("=x", "nothing stands before the sign"),
            ("rule=~cpu.*", "regular expressions are not known here"),
            ("name>=b", "`>=` is for the level"),
            ("level>error", "the signs are `=`, `!=` and, for the level, `>=`"),
        ] {
            let error = said(conditions(&[typed.to_string()]).unwrap_err());
            assert!(error.contains(problem), "{typed}: {error}");
        }
    }

    #[test]
    fn a_time_is_rfc_3339_or_on_the_clock_of_the_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (typed, expected) in [
            ("2026-11-27T08:00:00Z", "2026-11-27T08:00:00Z"),
            ("2026-11-27 09:00", "2026-11-27T08:00:00Z"),
            ("2026-11-27", "2026-11-26T23:00:00Z"),
        ] {
            assert_eq!(moment("--until", typed, &berlin).unwrap(), expected);
        }
        let error = said(moment("--until", "tomorrow", &berlin).unwrap_err());
        assert!(error.contains("`--until tomorrow` is no time"), "{error}");
    }

    #[test]
    fn conditions_are_shown_as_they_are_typed() {
        let value = json!({ "level": ">=error", "name": ["a", "!b"], "env": "!dev", "rule": "cpu_*" });
        assert_eq!(matches(&value), "env!=dev level>=error name=a,!b rule=cpu_*");
    }
}
