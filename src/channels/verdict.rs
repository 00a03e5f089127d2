//! What one attempt came to.

use std::time::Duration;

use serde::Serialize;

use crate::model::Time;

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The receiver took it.
    Ok,
    /// Some recipients took it, and the others never will.
    OkPartial {
        /// Who did not, and why.
        detail: String,
    },
    /// It may go well later.
    Retry {
        /// Why it did not go well.
        reason: String,
        /// The receiver's own wish how long to wait; it only ever lengthens our wait.
        after: Option<Duration>,
        /// After this many attempts in all it is given up; `None` where only time decides.
        at_most: Option<u32>,
        /// The receiver takes nothing of this channel until then: the whole channel waits, not this notification alone.
        holds_channel: bool,
    },
    /// Some recipients have it, and others may get it later.
    RetryRest {
        /// Why it did not go well with the rest.
        reason: String,
        /// Those who need it no more, by their place in the request's list: they have it, or never will.
        settled: Vec<usize>,
    },
    /// It will never go well.
    Permanent {
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// A failure that may pass.
    pub fn retry(reason: impl Into<String>) -> Verdict {
        Verdict::Retry { reason: reason.into(), after: None, at_most: None, holds_channel: false }
    }

    /// A failure that will not pass.
    pub fn permanent(reason: impl Into<String>) -> Verdict {
        Verdict::Permanent { reason: reason.into() }
    }

    /// Why it did not go well, where it did not.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Verdict::Ok => None,
            Verdict::OkPartial { detail } => Some(detail),
            Verdict::Retry { reason, .. } | Verdict::RetryRest { reason, .. } | Verdict::Permanent { reason } => {
                Some(reason)
            }
        }
    }
}

/// What an HTTP receiver answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header `Retry-After`, as it stands there.
    pub retry_after: Option<String>,
    /// The start of the body, at most 64 KiB.
    pub body: String,
    /// When it came, by the wall clock.
    pub time: Time,
}

impl Reply {
    /// How long the receiver asks to wait: seconds, or until an HTTP date (RFC 9110, 10.2.3).
    pub fn wait(&self) -> Option<Duration> {
        let text = self.retry_after.as_deref()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(Time::from_micros(date.timestamp().as_microsecond()).since(self.time))
    }
}

/// Judges by the status alone, as for receivers whose body says nothing.
pub(super) fn by_status(reply: &Reply) -> Verdict {
    let said = || format!("the receiver answered {}", status_text(reply.status));
    match reply.status {
        200..=299 => Verdict::Ok,
        300..=399 => Verdict::permanent(format!("{}: redirects are not followed, use the final address", said())),
        408 | 425 | 429 | 500..=599 => Verdict::Retry {
            reason: said(),
            after: reply.wait(),
            at_most: None,
            // 503 with a time says as much as 429: until then it takes nothing. Without one it may be this request alone.
            holds_channel: reply.status == 429 || (reply.status == 503 && reply.wait().is_some()),
        },
        410 => Verdict::permanent(format!("{}: it wants no more of these", said())),
        _ => Verdict::permanent(said()),
    }
}

fn status_text(status: u16) -> String {
    let name = reqwest::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    match name {
        Some(name) => format!("{status} {name}"),
        None => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, retry_after: Option<&str>) -> Reply {
        let time = Time::parse_rfc3339("2026-11-21T10:00:00Z").unwrap();
        Reply { status, retry_after: retry_after.map(str::to_string), body: String::new(), time }
    }

    #[test]
    fn the_status_decides_whether_to_try_again() {
        for status in [200, 201, 202, 204] {
            assert_eq!(by_status(&reply(status, None)), Verdict::Ok, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(by_status(&reply(status, None)), Verdict::Retry { .. }), "{status}");
        }
        for status in [301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422, 101] {
            assert!(matches!(by_status(&reply(status, None)), Verdict::Permanent { .. }), "{status}");
        }
    }

    #[test]
    fn only_a_receiver_that_takes_nothing_for_a_while_holds_the_channel() {
        let cases = [(429, None, true), (429, Some("5"), true), (503, Some("5"), true), (503, None, false)];
        for (status, header, holds) in cases.into_iter().chain([(500, Some("5"), false), (408, None, false)]) {
            let verdict = by_status(&reply(status, header));
            assert!(matches!(verdict, Verdict::Retry { holds_channel, .. } if holds_channel == holds), "{verdict:?}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let cases = [
            (Some("120"), Some(120)),
            (Some(" 7 "), Some(7)),
            (Some("Sat, 21 Nov 2026 10:01:30 GMT"), Some(90)),
            (Some("Sat, 21 Nov 2026 09:00:00 GMT"), Some(0)),
            (Some("soon"), None),
            (Some("-5"), None),
            (None, None),
        ];
        for (header, seconds) in cases {
            assert_eq!(reply(429, header).wait(), seconds.map(Duration::from_secs), "{header:?}");
        }
    }
}
