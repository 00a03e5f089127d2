//! Kind `webhook`: JSON to an address, signed as Standard Webhooks does it.

mod alertmanager;
mod body;
mod signature;

pub use body::Body;

use std::collections::BTreeMap;

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::file::File;
use super::message::Escape;
use super::request::{Attempt, HttpCall, Masked, RenderError, Request, SealError, Sealed, Secrets};
use super::{Built, Channel, Kind, Wording};
use crate::config::{Secret, Spanned, Text};
use crate::diagnostic::Diagnostic;
use crate::model::Notification;

/// The kind's entry in the list.
pub(super) const KIND: Kind = Kind {
    name: "webhook",
    doc: "Posts JSON to a URL; signed as Standard Webhooks does it where a secret is set.",
    build,
};

/// Headers that are ours alone to set.
const RESERVED: [&str; 7] = [
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "content-type",
    "content-length",
    "host",
    "transfer-encoding",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Where to post.
    url: Spanned<Text>,
    /// Signs each request: `whsec_` and base64, or any other text.
    secret: Option<Spanned<Secret>>,
    /// The body: Larum's own, or Alertmanager's version 4.
    #[serde(default)]
    format: Format,
    /// Further headers.
    #[serde(default)]
    headers: BTreeMap<String, Spanned<Text>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Larum,
    Alertmanager,
}

#[derive(Debug)]
struct Webhook {
    url: Masked,
    headers: Vec<(String, Masked)>,
    format: Format,
    key: Option<signature::Key>,
    secrets: Secrets,
}

fn build(file: &File<'_>) -> Built {
    let keys: Keys = file.read()?;
    let mut problems = Vec::new();
    let mut secrets = Secrets::default();
    let url = file.url("url", &keys.url, &mut secrets).map_err(|problem| problems.push(problem)).unwrap_or_default();
    let mut headers = vec![("content-type".to_string(), Masked::plain("application/json"))];
    for (name, value) in keys.headers {
        match header(&name, &value.value) {
            Ok(name) => {
                let masked = secrets.keep(format!("headers.{name}"), Secret::new(value.value.expose()));
                headers.push((name, masked));
            }
            Err(message) => {
                // The line shows the value, which is a credential more often than not.
                problems.push(Diagnostic { source_line: None, ..file.problem(&value, message) });
            }
        }
    }
    let key = keys.secret.and_then(|secret| {
        signature::Key::parse(&secret.value)
            .map_err(|error| problems.push(file.problem(&secret, error.to_string())))
            .ok()
    });
    if problems.is_empty() {
        Ok(Box::new(Webhook { url, headers, format: keys.format, key, secrets }))
    } else {
        Err(problems)
    }
}

fn header(name: &str, value: &Text) -> Result<String, String> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header name"))?;
    if RESERVED.contains(&parsed.as_str()) {
        return Err(format!("the header `{parsed}` is set by larum"));
    }
    match HeaderValue::from_str(value.expose()) {
        Ok(_) => Ok(parsed.as_str().to_string()),
        Err(_) => Err(format!("the value of the header `{parsed}` has characters that HTTP does not allow")),
    }
}

impl Channel for Webhook {
    fn render(&self, notification: &Notification, wording: &Wording<'_>) -> Result<Request, RenderError> {
        if notification.alerts.is_empty() {
            return Err(RenderError::Empty);
        }
        let message = wording.message(notification, Escape::None);
        let body = match self.format {
            Format::Larum => serde_json::to_string(&body::Body::of(notification, &message))?,
            Format::Alertmanager => serde_json::to_string(&alertmanager::Body::of(notification))?,
        };
        Ok(Request::Http { method: "POST", url: self.url.clone(), headers: self.headers.clone(), body })
    }

    fn seal(&self, request: &Request, attempt: &Attempt) -> Result<Sealed, SealError> {
        let Request::Http { method, url, headers, body } = request else { return Err(SealError::OtherKind) };
        let timestamp = attempt.time.as_micros().div_euclid(1_000_000).to_string();
        let mut sealed = Vec::new();
        for (name, value) in headers {
            sealed.push((name.clone(), value.fill(&self.secrets)?));
        }
        sealed.push(("webhook-id".to_string(), Secret::new(attempt.id.as_str())));
        if let Some(key) = &self.key {
            let signature = key.sign(attempt.id.as_str(), &timestamp, body);
            sealed.push(("webhook-signature".to_string(), Secret::new(signature)));
        }
        sealed.push(("webhook-timestamp".to_string(), Secret::new(timestamp)));
        Ok(Sealed::Http(HttpCall {
            method,
            url: url.fill(&self.secrets)?,
            headers: sealed,
            body: Bytes::from(body.clone()),
        }))
    }

    fn default_concurrency(&self) -> usize {
        // Programs take many at once: measured with a local receiver, 16 are a fifth faster than 4, and more are not.
        16
    }
}

#[cfg(test)]
mod tests;
