//! What WeCom's answers mean. The code alone counts: its words change, and they repeat our address and theirs.

use std::time::Duration;

use serde::Deserialize;

use crate::channels::cut::cut;
use crate::channels::token::Granted;
use crate::channels::verdict::{Reply, Verdict, by_status};
use crate::channels::wecom::LIMITED;
use crate::config::Secret;
use crate::diagnostic::one_line;

/// How long a token is good where the answer does not say it: what WeCom documents.
const LIFETIME: u64 = 7200;
/// The longest list of recipients in a verdict, in bytes.
const MAX_NAMES: usize = 256;

#[derive(Deserialize)]
struct Answer {
    errcode: Option<i64>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    expires_in: Option<u64>,
}

fn code(body: &str) -> Option<i64> {
    serde_json::from_str::<Answer>(body).ok().and_then(|answer| answer.errcode)
}

/// Whether the token of a message is no longer good: it ended (42001), or WeCom ended it early (40014).
pub(super) fn is_token_refused(reply: &Reply) -> bool {
    reply.status == 200 && matches!(code(&reply.body), Some(42001 | 40014))
}

/// The answer to the question for a token.
pub(super) fn token(reply: &Reply) -> Result<Granted, Verdict> {
    let failure = |verdict: Verdict| match verdict {
        Verdict::Retry { reason, after, at_most, holds_channel } => {
            Verdict::Retry { reason: format!("no access token: {reason}"), after, at_most, holds_channel }
        }
        Verdict::Permanent { reason } => Verdict::Permanent { reason: format!("no access token: {reason}") },
        other => other,
    };
    match by_status(reply) {
        Verdict::Ok => {}
        verdict => return Err(failure(verdict)),
    }
    match code(&reply.body) {
        Some(0) => {}
        Some(code) => return Err(failure(refused(code))),
        None => return Err(failure(not_wecoms())),
    }
    let answer = serde_json::from_str::<TokenAnswer>(&reply.body).ok();
    match answer.and_then(|answer| Some((answer.access_token.filter(|token| !token.is_empty())?, answer.expires_in))) {
        Some((token, lifetime)) => {
            Ok(Granted { token: Secret::new(token), lifetime: Duration::from_secs(lifetime.unwrap_or(LIFETIME)) })
        }
        None => Err(failure(Verdict::retry("there is none in the answer"))),
    }
}

/// The answer to a message.
pub(super) fn message(body: &str) -> Verdict {
    match code(body) {
        Some(0) => unreached(body).map_or(Verdict::Ok, |detail| Verdict::OkPartial { detail }),
        Some(code) => refused(code),
        None => not_wecoms(),
    }
}

/// A captive portal or a proxy says 200 too.
fn not_wecoms() -> Verdict {
    Verdict::retry("the answer has no `errcode`: it is not WeCom's")
}

/// Who did not get a message that others got.
fn unreached(body: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(body).ok()?;
    let lists = [
        ("invaliduser", "unknown users"),
        ("invalidparty", "unknown parties"),
        ("invalidtag", "unknown tags"),
        ("unlicenseduser", "users without a licence"),
    ];
    let told: Vec<String> = lists
        .into_iter()
        .filter_map(|(key, what)| {
            let names = match &answer[key] {
                serde_json::Value::Null => return None,
                serde_json::Value::String(names) => names.replace('|', ", "),
                // Not as WeCom documents it: whoever it is, somebody was not told.
                other => other.to_string(),
            };
            (!names.trim().is_empty()).then(|| format!("{what} {}", cut(&one_line(&names), MAX_NAMES)))
        })
        .collect();
    (!told.is_empty()).then(|| format!("not told: {}", told.join("; ")))
}

/// A code that is not success. One that is not known is given up: WeCom asks that only failures of its own system are
/// tried again.
fn refused(code: i64) -> Verdict {
    let retry = |what: &str, after, at_most| Verdict::Retry {
        reason: format!("errcode {code}: {what}"),
        after,
        at_most,
        // Too much for the whole application: nothing of the channel gets through before that is over.
        holds_channel: matches!(code, 45009 | 45033),
    };
    let permanent = |what: &str| Verdict::permanent(format!("errcode {code}: {what}"));
    match code {
        -1 => retry("WeCom is busy", None, Some(3)),
        42001 | 40014 => retry("the access token is refused, a new one too", None, None),
        45009 => retry("too many requests", Some(LIMITED), None),
        45033 => retry("too many requests at once", None, None),
        40001 | 40125 => permanent("the secret is wrong"),
        40013 => permanent("there is no such company: `corp_id` is wrong"),
        40056 => permanent("there is no such application: `agent_id` is wrong"),
        60011 | 48002 => permanent("the application may not send to these recipients"),
        60020 => permanent("WeCom does not trust our address: add it to the application's trusted IPs"),
        81013 | 82001 => permanent("none of the recipients exists"),
        40058 | 45002 => permanent("the message is too long"),
        40008 => permanent("the message has a bad format"),
        40033 => permanent("the message has characters that are not allowed"),
        44004 => permanent("the message is empty"),
        _ => permanent("WeCom refused it"),
    }
}
