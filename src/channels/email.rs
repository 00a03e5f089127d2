//! Kind `email`: by SMTP, in text and HTML, all mails of one firing in one conversation.

mod build;
mod html;

use std::sync::Arc;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use sha2::{Digest as _, Sha256};

use super::message::{Escape, Severity};
use super::request::{Attempt, Masked, RenderError, Request, SealError, Sealed, Secrets};
use super::smtp::{Mail, Server};
use super::{Channel, Kind, Wording};
use crate::model::{Level, Notification, Occasion};

/// The kind's entry in the list.
pub(super) const KIND: Kind = Kind { name: "email", doc: "Sends mail by SMTP, in text and HTML.", build: build::build };

/// A channel that sends mail.
pub(super) struct Email {
    server: Arc<Server>,
    from: Masked,
    to: Vec<Masked>,
    /// The host's part of the sender's address: ids of mails end with it.
    domain: String,
    secrets: Secrets,
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

impl Email {
    fn headers(&self, notification: &Notification, subject: &str) -> Vec<(&'static str, String)> {
        let domain = &self.domain;
        let date = notification.time.to_jiff().to_zoned(jiff::tz::TimeZone::UTC);
        // No mail has this id: it is the place at which readers tie all mails of one conversation together (RFC 5322, 3.6.4).
        let root = format!("<larum-{}@{domain}>", id(&conversation(notification)));
        let Severity { level, over } = Severity::of(notification);
        let mut headers = vec![
            ("Date", date.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()),
            ("Subject", subject.to_string()),
            ("Message-ID", format!("<{}@{domain}>", id(notification.id.as_str()))),
            ("In-Reply-To", root.clone()),
            ("References", root),
            ("List-Id", format!("<{}.larum.{domain}>", id(notification.channel.as_str()))),
            // No answering machine shall answer (RFC 3834, 5; and Microsoft's own header).
            ("Auto-Submitted", "auto-generated".to_string()),
            ("X-Auto-Response-Suppress", "All".to_string()),
        ];
        if level >= Level::Error && !over {
            headers.push(("Importance", "high".to_string()));
        }
        headers
    }

    fn mail(&self, request: &Request, attempt: &Attempt) -> Result<Mail, SealError> {
        let Request::Mail { from, to, headers, text, html } = request else { return Err(SealError::OtherKind) };
        let from = self.mailbox(from)?;
        let to: Vec<Mailbox> = to.iter().map(|masked| self.mailbox(masked)).collect::<Result<_, _>>()?;
        let mut message = lettre::Message::builder().from(from.clone());
        for mailbox in &to {
            message = message.to(mailbox.clone());
        }
        for (name, value) in headers {
            message = message.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value.clone()));
        }
        // Given, so that every attempt sends the same bytes.
        let boundary = format!("larum-{}", id(attempt.id.as_str()));
        let body = MultiPart::alternative()
            .boundary(boundary)
            .singlepart(SinglePart::plain(text.clone()))
            .singlepart(SinglePart::html(html.clone()));
        let message = message.multipart(body).map_err(|error| SealError::Mail(error.to_string()))?;
        let recipients = to.into_iter().map(|mailbox| mailbox.email).enumerate();
        Ok(Mail {
            server: self.server.clone(),
            from: from.email,
            to: recipients.filter(|(place, _)| !attempt.reached.contains(place)).collect(),
            message: message.formatted(),
        })
    }

    fn mailbox(&self, masked: &Masked) -> Result<Mailbox, SealError> {
        let text = masked.fill(&self.secrets)?;
        text.expose().parse().map_err(|_| SealError::Mail("an address is not an address".to_string()))
    }
}

impl Channel for Email {
    fn render(&self, notification: &Notification, wording: &Wording<'_>) -> Result<Request, RenderError> {
        if notification.alerts.is_empty() {
            return Err(RenderError::Empty);
        }
        let message = wording.message(notification, Escape::None);
        Ok(Request::Mail {
            from: self.from.clone(),
            to: self.to.clone(),
            headers: self.headers(notification, &message.title),
            html: html::page(&message, Severity::of(notification)),
            text: message.text,
        })
    }

    fn seal(&self, request: &Request, attempt: &Attempt) -> Result<Sealed, SealError> {
        self.mail(request, attempt).map(Sealed::Mail)
    }

    fn default_timeout(&self) -> std::time::Duration {
        // Greylisting and virus scanners take their time.
        std::time::Duration::from_secs(60)
    }
}

/// What ties mails together: the firing, where there is one alone; a group by its labels, and others by their rules.
fn conversation(notification: &Notification) -> String {
    let channel = &notification.channel;
    match (&notification.occasion, notification.alerts.as_slice()) {
        (Occasion::Group(group), _) => format!("group {channel} {:?}", group.by),
        (Occasion::Summary(_), _) => format!("summary {channel}"),
        (Occasion::Alert | Occasion::Undelivered(_), [alert]) => alert.id.to_string(),
        (Occasion::Alert | Occasion::Undelivered(_), alerts) => {
            let rules: std::collections::BTreeSet<&str> = alerts.iter().map(|alert| alert.rule.as_str()).collect();
            format!("group {channel} {}", rules.into_iter().collect::<Vec<_>>().join(" "))
        }
    }
}

/// A text as an id that may stand in a header: 32 hexadecimal digits of its hash.
fn id(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
