//! Kind `wecom_app`: messages of an application of WeCom, to users, parties and tags.
//!
//! The secret buys a token, which [`super::token`] keeps for all channels. As with the robot, only `errcode` 0 is
//! success, and an unknown code never is: it is given up, since WeCom asks that nothing but failures of its own be tried
//! again. WeCom drops a message that it had within `duplicate_check`, so a second attempt is not read twice; for the
//! same reason each message ends with its time and a short id, without which it would drop another alert that has the
//! same words.

mod build;
mod judge;

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::message::{Escape, Message};
use super::request::{Attempt, HttpCall, Masked, RenderError, Request, SealError, Sealed, Secrets};
use super::token::{TokenSource, TokenedCall};
use super::verdict::{Reply, Verdict, by_status};
use super::wecom::{Format, headline};
use super::{Channel, Kind, Wording};
use crate::model::Notification;

/// The kind's entry in the list.
pub(super) const KIND: Kind = Kind {
    name: "wecom_app",
    doc: "Posts as an application of WeCom to users, parties and tags, as markdown or text.",
    build: build::build,
};

/// The longest `content`, in bytes: of what is longer WeCom cuts the end without a word.
const MAX_CONTENT: usize = 2048;
/// The hole for the token, which stands at the end of the address.
const TOKEN: &str = "access token";

#[derive(Debug)]
struct WecomApp {
    /// The address up to the token.
    send: Masked,
    token: TokenSource,
    secrets: Secrets,
    to: Recipients,
    agent_id: i64,
    format: Format,
    /// Within how many seconds a message is the same one; `None` where WeCom does not check.
    duplicate_check: Option<u64>,
}

/// Who gets the messages, as WeCom wants it: `zhang|li`.
#[derive(Debug)]
struct Recipients {
    users: String,
    parties: String,
    tags: String,
}

#[derive(Serialize)]
struct Body<'a> {
    touser: &'a str,
    toparty: &'a str,
    totag: &'a str,
    msgtype: &'static str,
    agentid: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_duplicate_check: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_check_interval: Option<u64>,
}

#[derive(Serialize)]
struct Content {
    content: String,
}

impl WecomApp {
    fn content(&self, notification: &Notification, wording: &Wording<'_>) -> String {
        let id = Sha256::digest(notification.id.as_str().as_bytes());
        let id: String = id.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let mark = format!("{} #{id}", wording.time_of_day(notification.time));
        let (escape, mark) = match self.format {
            Format::Text => (Escape::WecomText, mark),
            Format::Markdown => (Escape::WecomMarkdown, format!("<font color=\"comment\">{mark}</font>")),
        };
        let head = |title: &str| match self.format {
            Format::Text => title.to_string(),
            Format::Markdown => headline(notification, title),
        };
        let room = |title: &str| MAX_CONTENT.saturating_sub(head(title).len() + mark.len() + 2);
        let Message { title, text } = wording.message_within(notification, escape, room);
        format!("{}\n{text}\n{mark}", head(&title))
    }
}

impl Channel for WecomApp {
    fn render(&self, notification: &Notification, wording: &Wording<'_>) -> Result<Request, RenderError> {
        if notification.alerts.is_empty() {
            return Err(RenderError::Empty);
        }
        let content = Content { content: self.content(notification, wording) };
        let (text, markdown) = match self.format {
            Format::Text => (Some(content), None),
            Format::Markdown => (None, Some(content)),
        };
        let body = Body {
            touser: &self.to.users,
            toparty: &self.to.parties,
            totag: &self.to.tags,
            msgtype: if text.is_some() { "text" } else { "markdown" },
            agentid: self.agent_id,
            text,
            markdown,
            enable_duplicate_check: self.duplicate_check.map(|_| 1),
            duplicate_check_interval: self.duplicate_check,
        };
        Ok(Request::Http {
            method: "POST",
            url: self.send.clone().with_hole(TOKEN),
            headers: vec![("content-type".to_string(), Masked::plain("application/json; charset=utf-8"))],
            body: serde_json::to_string(&body)?,
        })
    }

    fn seal(&self, request: &Request, _: &Attempt) -> Result<Sealed, SealError> {
        let Request::Http { method, headers, body, url: _ } = request else { return Err(SealError::OtherKind) };
        let fill = |(name, value): &(String, Masked)| Ok((name.clone(), value.fill(&self.secrets)?));
        let call = HttpCall {
            method,
            url: self.send.fill(&self.secrets)?,
            headers: headers.iter().map(fill).collect::<Result<_, _>>()?,
            body: Bytes::from(body.clone()),
        };
        Ok(Sealed::Tokened(TokenedCall { source: self.token.clone(), call }))
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        match by_status(reply) {
            Verdict::Ok => judge::message(&reply.body),
            failure => failure,
        }
    }

    fn default_concurrency(&self) -> usize {
        // WeCom refuses several at once (45033).
        1
    }
}

#[cfg(test)]
mod tests;
