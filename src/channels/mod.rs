//! Channels: where notifications go.
//!
//! A kind has three parts: [`Channel::render`] (pure, the same for every attempt, secrets as named holes),
//! [`Channel::seal`] (pure: secrets, timestamps, signatures), and a transport (HTTP, SMTP, terminal, process), which makes one
//! attempt; [`Channel::judge`] reads what an HTTP receiver answered. When to try again is the outbox's decision.
//! A new kind is one file, and one line in [`KINDS`].

mod console;
mod cut;
mod email;
mod exec;
mod file;
pub mod http;
mod limit;
pub mod message;
mod process;
mod request;
mod smtp;
mod terminal;
mod token;
mod verdict;
mod webhook;
mod wecom;
mod wecom_app;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use file::{File, parse};
pub use limit::{Limit, LimitError};
pub use message::{Locale, Texts};
pub use process::Command;
pub use request::{Attempt, HttpCall, Masked, RenderError, Request, SealError, Sealed, Secrets};
pub use smtp::Mail;
pub use terminal::{Captured, Stdout, Terminal};
pub use token::{Granted, TokenSource, TokenedCall};
pub use verdict::{Reply, Verdict};
pub use webhook::Body;

use crate::diagnostic::Diagnostic;
use crate::model::{ChannelName, Notification, Time};
use message::{Escape, Message, Template};

/// The text of the simplest channel file: alerts go to the console. It stands where a project has no channel files.
pub const CONSOLE_FILE: &str = "type: console\n";

/// A kind of channel.
pub struct Kind {
    /// What a channel file says as its `type`.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// Makes a channel of a file, or tells all of the file's problems.
    pub build: fn(&File<'_>) -> Built,
}

/// A channel of some kind, or all problems of its file.
pub type Built = Result<Box<dyn Channel>, Vec<Diagnostic>>;

/// All kinds.
pub const KINDS: &[Kind] = &[console::KIND, webhook::KIND, email::KIND, wecom::KIND, wecom_app::KIND, exec::KIND];

/// A channel of some kind.
pub trait Channel: Send + Sync + fmt::Debug {
    /// What will be sent: the same for every attempt, with named holes where secrets go. Pure.
    ///
    /// # Errors
    /// Where the notification cannot be told by this kind.
    fn render(&self, notification: &Notification, wording: &Wording<'_>) -> Result<Request, RenderError>;

    /// The request made ready to go out once: secrets, timestamps, signatures. Pure.
    ///
    /// # Errors
    /// Where the request was rendered by another channel.
    fn seal(&self, request: &Request, attempt: &Attempt) -> Result<Sealed, SealError>;

    /// What the answer of an HTTP receiver means.
    fn judge(&self, reply: &Reply) -> Verdict {
        verdict::by_status(reply)
    }

    /// How many notifications may be on their way at once, where the file does not say it.
    fn default_concurrency(&self) -> usize {
        4
    }

    /// How many attempts its receiver takes in how much time, where the file does not say it.
    fn default_limit(&self) -> Option<Limit> {
        None
    }

    /// How long one attempt may take, where the file does not say it.
    fn default_timeout(&self) -> Duration {
        Duration::from_secs(15)
    }
}

/// How a channel words its messages: what all channels share, and its own templates.
#[derive(Clone, Copy, Debug)]
pub struct Wording<'a> {
    texts: &'a Texts,
    template: &'a Template,
}

impl Wording<'_> {
    /// The notification in words.
    pub fn message(&self, notification: &Notification, escape: Escape) -> Message {
        self.texts.message(notification, self.template, escape)
    }

    /// The same with a text of as many bytes at most as `room` leaves behind the title.
    pub fn message_within(
        &self,
        notification: &Notification,
        escape: Escape,
        room: impl FnOnce(&str) -> usize,
    ) -> Message {
        self.texts.message_within(notification, self.template, escape, room)
    }

    /// The time of day of the configured zone.
    pub fn time_of_day(&self, time: Time) -> String {
        self.texts.time_of_day(time)
    }
}

/// A channel as its file configures it.
#[derive(Debug)]
pub struct Configured {
    name: ChannelName,
    file: Arc<str>,
    kind: &'static str,
    channel: Box<dyn Channel>,
    template: Template,
    timeout: Duration,
    limit: Option<Limit>,
    concurrency: usize,
    fingerprint: u64,
}

impl Configured {
    /// Its name: the file's stem.
    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    /// The file that configures it, as people know it: `channels/ops.yaml`.
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The name of its kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// How many notifications may be on their way at once, at least 1.
    pub fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// How many attempts may be made in how much time, where that is limited.
    pub fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// Changes whenever the file does, or what it takes from outside: secrets in the environment and in other files.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The exact request for a notification, with named holes where secrets go. Pure.
    ///
    /// # Errors
    /// Where the notification cannot be told by this kind.
    pub fn render(&self, notification: &Notification, texts: &Texts) -> Result<Request, RenderError> {
        self.channel.render(notification, &Wording { texts, template: &self.template })
    }

    /// Title and text of a notification in the channel's words, without any markup.
    pub fn message(&self, notification: &Notification, texts: &Texts) -> Message {
        texts.message(notification, &self.template, Escape::None)
    }

    /// The request made ready to go out once. Pure.
    ///
    /// # Errors
    /// Where the request was rendered by another channel.
    pub fn seal(&self, request: &Request, attempt: &Attempt) -> Result<Sealed, SealError> {
        self.channel.seal(request, attempt)
    }

    /// Makes one attempt.
    pub async fn attempt(&self, transport: &Transport, request: &Request, attempt: &Attempt) -> Verdict {
        match self.seal(request, attempt) {
            Err(error) => Verdict::permanent(error.to_string()),
            Ok(Sealed::Http(call)) => match http::call(&transport.http, &call, self.timeout, attempt.time).await {
                Ok(reply) => self.channel.judge(&reply),
                Err(verdict) => verdict,
            },
            Ok(Sealed::Tokened(call)) => {
                match transport.tokens.call(&transport.http, &call, self.timeout, attempt.time).await {
                    Ok(reply) => self.channel.judge(&reply),
                    Err(verdict) => verdict,
                }
            }
            Ok(Sealed::Mail(mail)) => smtp::send(&mail, self.timeout).await,
            Ok(Sealed::Terminal { level, over, title, text }) => {
                let lines = terminal::lines(level, over, &title, &text, transport.terminal.colours());
                transport.print(lines, self.timeout).await
            }
            Ok(Sealed::Process(command)) => process::run(&command, self.timeout).await,
            Ok(Sealed::Nothing) => Verdict::Ok,
        }
    }
}

/// What attempts are made with: shared by all channels.
#[derive(Clone, Debug)]
pub struct Transport {
    http: reqwest::Client,
    tokens: Arc<token::Tokens>,
    terminal: Arc<dyn Terminal>,
}

impl Transport {
    /// A transport that prints on `terminal`.
    ///
    /// # Errors
    /// Where no HTTP client can be made, as without a store of certificates.
    pub fn new(terminal: Arc<dyn Terminal>) -> Result<Transport, reqwest::Error> {
        Ok(Transport { http: http::client()?, tokens: Arc::default(), terminal })
    }

    async fn print(&self, lines: String, timeout: Duration) -> Verdict {
        let terminal = self.terminal.clone();
        // Whoever reads our output may stop reading: that must hold nobody but this channel.
        let written = tokio::task::spawn_blocking(move || terminal.write(&lines));
        match tokio::time::timeout(timeout, written).await {
            Ok(Ok(Ok(()))) => Verdict::Ok,
            Ok(Ok(Err(error))) => Verdict::retry(format!("cannot write to the terminal: {error}")),
            Ok(Err(_)) => Verdict::retry("writing to the terminal broke off"),
            Err(_) => Verdict::retry("the terminal takes no more lines"),
        }
    }
}
