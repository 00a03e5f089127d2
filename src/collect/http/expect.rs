//! What counts as a good answer. Pure.

use std::time::Duration;

use regex::Regex;
use serde_json::Value as Json;

/// Statuses from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl StatusRange {
    /// This status only.
    pub const fn only(status: u16) -> StatusRange {
        StatusRange { first: status, last: status }
    }
}

impl std::fmt::Display for StatusRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// A value that a JSON body must hold at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonExpectation {
    /// Where: a JSON pointer (RFC 6901), `/status` or `/checks/0/ok`; empty for the whole body.
    pub pointer: String,
    /// What must be there. Numbers are equal by value: `1` is `1.0`.
    pub value: Json,
}

/// What counts as a good answer: all of it must hold.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// One of these statuses; not empty.
    pub status: Vec<StatusRange>,
    /// The body holds this text.
    pub body_contains: Option<String>,
    /// The body holds a match of this expression.
    pub body_matches: Option<Regex>,
    /// The body is JSON with these values.
    pub json: Vec<JsonExpectation>,
    /// The answer is complete within this time.
    pub response_time: Option<Duration>,
}

impl Default for Expectations {
    fn default() -> Expectations {
        Expectations {
            status: vec![StatusRange { first: 200, last: 299 }],
            body_contains: None,
            body_matches: None,
            json: Vec::new(),
            response_time: None,
        }
    }
}

/// What came back.
pub(super) struct Observed<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    pub(super) took: Duration,
}

impl Expectations {
    /// Whether an answer is good; where not, what was expected and what came instead.
    pub(super) fn judge(&self, observed: &Observed<'_>) -> Result<(), String> {
        let Observed { status, body, took } = *observed;
        if !self.status.iter().any(|range| (range.first..=range.last).contains(&status)) {
            let wanted: Vec<String> = self.status.iter().map(StatusRange::to_string).collect();
            return Err(format!("status {status} instead of {}", wanted.join(" or ")));
        }
        let text = String::from_utf8_lossy(body);
        if let Some(wanted) = self.body_contains.as_deref().filter(|wanted| !text.contains(wanted)) {
            return Err(format!("the body does not hold {wanted:?}: {}", excerpt(&text)));
        }
        if let Some(wanted) = self.body_matches.as_ref().filter(|wanted| !wanted.is_match(&text)) {
            return Err(format!("the body does not match /{wanted}/: {}", excerpt(&text)));
        }
        self.judge_json(body, &text)?;
        if let Some(limit) = self.response_time.filter(|limit| took > *limit) {
            let limit = crate::model::duration::format(limit);
            return Err(format!("the answer took {:.3} s, more than {limit}", took.as_secs_f64()));
        }
        Ok(())
    }

    fn judge_json(&self, body: &[u8], text: &str) -> Result<(), String> {
        if self.json.is_empty() {
            return Ok(());
        }
        let json: Json =
            serde_json::from_slice(body).map_err(|_| format!("the body is not JSON: {}", excerpt(text)))?;
        for JsonExpectation { pointer, value } in &self.json {
            match json.pointer(pointer) {
                Some(found) if same(found, value) => {}
                Some(found) => {
                    return Err(format!("`{pointer}` is {} instead of {value}", excerpt(&found.to_string())));
                }
                None => return Err(format!("the body has no `{pointer}`")),
            }
        }
        Ok(())
    }
}

/// Equal as JSON, numbers by value.
fn same(a: &Json, b: &Json) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// The beginning of a text, on one line.
fn excerpt(text: &str) -> String {
    const LENGTH: usize = 80;
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    let mut short: String = text.trim().chars().take(LENGTH).map(plain).collect();
    if text.trim().chars().nth(LENGTH).is_some() {
        short.push_str("...");
    }
    if short.is_empty() { "it is empty".to_string() } else { short }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judge(expect: Expectations, status: u16, body: &str) -> String {
        let observed = Observed { status, body: body.as_bytes(), took: Duration::from_millis(300) };
        expect.judge(&observed).err().unwrap_or_default()
    }

    #[test]
    fn an_answer_is_good_or_says_what_is_wrong() {
        let base = Expectations::default;
        let at = |pointer: &str, value: Json| Expectations {
            json: vec![JsonExpectation { pointer: pointer.to_string(), value }],
            ..base()
        };
        let holds = |text: &str| Expectations { body_contains: Some(text.to_string()), ..base() };
        let matches = |text: &str| Expectations { body_matches: Some(Regex::new(text).unwrap()), ..base() };
        let only = |status| Expectations { status: vec![StatusRange::only(status)], ..base() };
        let within = |millis| Expectations { response_time: Some(Duration::from_millis(millis)), ..base() };
        let cases = [
            (base(), 204, "", ""),
            (base(), 301, "", "status 301 instead of 200-299"),
            (only(503), 503, "", ""),
            (only(200), 204, "", "status 204 instead of 200"),
            (holds("ok"), 200, "all ok", ""),
            (holds("ok"), 200, "no\nway", "the body does not hold \"ok\": no way"),
            (holds("ok"), 200, "", "the body does not hold \"ok\": it is empty"),
            (matches("^v[0-9]+$"), 200, "v12", ""),
            (matches("^v[0-9]+$"), 200, "vx", "the body does not match /^v[0-9]+$/: vx"),
            (at("/a/0/b", json!("x")), 200, r#"{"a":[{"b":"x"}]}"#, ""),
            (at("/n", json!(1)), 200, r#"{"n":1.0}"#, ""),
            (at("/n", json!(1)), 200, r#"{"n":"1"}"#, "`/n` is \"1\" instead of 1"),
            (at("/m", json!(true)), 200, "{}", "the body has no `/m`"),
            (at("", json!([])), 200, "<html>", "the body is not JSON: <html>"),
            (within(300), 200, "", ""),
            (within(200), 200, "", "the answer took 0.300 s, more than 200ms"),
        ];
        for (expect, status, body, problem) in cases {
            assert_eq!(judge(expect, status, body), problem);
        }
    }
}
