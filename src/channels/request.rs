//! What a channel sends: first with named holes where secrets go, then sealed for one attempt.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::process::Command;
use super::smtp;
use super::token::TokenedCall;
use crate::config::Secret;
use crate::model::{Level, NotificationId, Time};

/// A text with named holes where secrets go. Printed, a hole is `[secret: name]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Masked(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    Hole(String),
}

impl Masked {
    /// A text without a secret.
    pub fn plain(text: impl Into<String>) -> Masked {
        Masked(vec![Part::Plain(text.into())])
    }

    /// A text that is one secret.
    pub fn hole(name: impl Into<String>) -> Masked {
        Masked(vec![Part::Hole(name.into())])
    }

    /// This text with a secret behind it.
    #[must_use]
    pub fn with_hole(mut self, name: impl Into<String>) -> Masked {
        self.0.push(Part::Hole(name.into()));
        self
    }

    /// This text with a plain one behind it.
    #[must_use]
    pub fn with_plain(mut self, text: impl Into<String>) -> Masked {
        self.0.push(Part::Plain(text.into()));
        self
    }

    /// The text with its holes filled.
    ///
    /// # Errors
    /// Where a hole has no secret.
    pub fn fill(&self, secrets: &Secrets) -> Result<Secret, SealError> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Hole(name) => text.push_str(secrets.get(name)?.expose()),
            }
        }
        Ok(Secret::new(text))
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Plain(plain) => f.write_str(plain)?,
                Part::Hole(name) => write!(f, "[secret: {name}]")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Masked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The secrets of one channel by the names of their holes.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    /// Keeps a secret under a name, and gives the hole for it.
    pub fn keep(&mut self, name: impl Into<String>, secret: Secret) -> Masked {
        let name = name.into();
        self.0.insert(name.clone(), secret);
        Masked::hole(name)
    }

    /// The secret of a hole.
    ///
    /// # Errors
    /// Where there is none: the request was rendered by another configuration of the channel.
    pub fn get(&self, name: &str) -> Result<&Secret, SealError> {
        self.0.get(name).ok_or_else(|| SealError::NoSecret(name.to_string()))
    }
}

/// Why a request could not be made ready to go out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It has a hole for which the channel has no secret.
    #[error("the channel has no secret `{0}`, which the request asks for")]
    NoSecret(String),
    /// It was rendered by a channel of another kind.
    #[error("the request is of another kind of channel")]
    OtherKind,
    /// The mail cannot be put together.
    #[error("the mail cannot be put together: {0}")]
    Mail(String),
}

/// Why no request could be made of a notification.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The notification tells of nothing.
    #[error("the notification has no alert")]
    Empty,
    /// The body cannot be written as JSON.
    #[error("the body cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// What a channel will send: the same for every attempt, and fit to be shown, for it holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "transport", rename_all = "lowercase")]
pub enum Request {
    /// An HTTP request.
    Http {
        /// The method.
        method: &'static str,
        /// The address.
        url: Masked,
        /// Names and values, in order. What is made anew for each attempt is not among them.
        headers: Vec<(String, Masked)>,
        /// The body, as it is sent.
        body: String,
    },
    /// An e-mail.
    Mail {
        /// The sender.
        from: Masked,
        /// The recipients.
        to: Vec<Masked>,
        /// Further headers, not yet encoded.
        headers: Vec<(&'static str, String)>,
        /// The part in plain text.
        text: String,
        /// The part in HTML.
        html: String,
    },
    /// Lines on a terminal.
    Terminal {
        /// For the colour.
        level: Level,
        /// Whether all that it tells of is over: for the colour.
        over: bool,
        /// The first line.
        title: String,
        /// The lines below.
        text: String,
    },
    /// A command to be run.
    Process {
        /// The program and its arguments.
        command: Vec<String>,
        /// The folder that it runs in, where it is not the daemon's.
        dir: Option<String>,
        /// Variables of its environment. What is made anew for each attempt is not among them.
        env: Vec<(String, Masked)>,
        /// What it reads on standard input.
        input: String,
    },
    /// Nothing is done: the channel is told, and has nothing to do.
    Nothing {
        /// Why.
        reason: String,
    },
}

/// The request as people read it, in the lab and in a dry run.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Http { method, url, headers, body } => {
                writeln!(f, "{method} {url}")?;
                for (name, value) in headers {
                    writeln!(f, "{name}: {value}")?;
                }
                write!(f, "\n{body}")
            }
            Request::Mail { from, to, headers, text, html: _ } => {
                writeln!(f, "From: {from}")?;
                for recipient in to {
                    writeln!(f, "To: {recipient}")?;
                }
                for (name, value) in headers {
                    writeln!(f, "{name}: {value}")?;
                }
                write!(f, "\n{text}")
            }
            Request::Terminal { title, text, .. } => {
                f.write_str(title)?;
                text.lines().try_for_each(|line| write!(f, "\n  {line}"))
            }
            Request::Process { command, dir, env, input } => {
                if let Some(dir) = dir {
                    writeln!(f, "cd {dir}")?;
                }
                for (name, value) in env {
                    write!(f, "{name}={value} ")?;
                }
                write!(f, "{}\n\n{input}", command.join(" "))
            }
            Request::Nothing { reason } => write!(f, "nothing: {reason}"),
        }
    }
}

/// One attempt to deliver a notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The notification's id: the same for all its attempts.
    pub id: NotificationId,
    /// Which attempt it is, from 1.
    pub number: u32,
    /// When, by the wall clock.
    pub time: Time,
    /// Recipients that have it from an earlier attempt, by their place in the request's list.
    pub reached: Vec<usize>,
}

/// A request that is ready to go out once. It holds secrets, so `Debug` shows little.
pub enum Sealed {
    /// An HTTP request.
    Http(HttpCall),
    /// An HTTP request that lacks only its token, which the transport keeps.
    Tokened(TokenedCall),
    /// An e-mail.
    Mail(smtp::Mail),
    /// Lines on a terminal.
    Terminal {
        /// For the colour.
        level: Level,
        /// For the colour.
        over: bool,
        /// The first line.
        title: String,
        /// The lines below.
        text: String,
    },
    /// A command.
    Process(Command),
    /// Nothing is to be done.
    Nothing,
}

/// An HTTP request that is ready to go out.
#[derive(Clone, Debug)]
pub struct HttpCall {
    /// The method.
    pub method: &'static str,
    /// The address.
    pub url: Secret,
    /// Names and values.
    pub headers: Vec<(String, Secret)>,
    /// The exact bytes, over which signatures were made.
    pub body: Bytes,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sealed::Http(_) => "Sealed::Http(..)",
            Sealed::Tokened(_) => "Sealed::Tokened(..)",
            Sealed::Mail(_) => "Sealed::Mail(..)",
            Sealed::Terminal { .. } => "Sealed::Terminal(..)",
            Sealed::Process(_) => "Sealed::Process(..)",
            Sealed::Nothing => "Sealed::Nothing",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_shown_by_its_name_and_filled_with_its_secret() {
        let mut secrets = Secrets::default();
        secrets.keep("token", Secret::new("hunter2"));
        let masked = Masked::plain("https://hook.example/").with_hole("token");
        assert_eq!(masked.to_string(), "https://hook.example/[secret: token]");
        assert_eq!(masked.fill(&secrets).unwrap().expose(), "https://hook.example/hunter2");
        assert!(Masked::hole("other").fill(&secrets).is_err());
        assert!(!format!("{masked:?} {secrets:?}").contains("hunter2"));
    }

    #[test]
    fn a_text_that_looks_like_a_hole_is_a_text() {
        let mut secrets = Secrets::default();
        secrets.keep("token", Secret::new("hunter2"));
        let masked = Masked::plain("[secret: token] ${env:TOKEN}");
        assert_eq!(masked.fill(&secrets).unwrap().expose(), "[secret: token] ${env:TOKEN}");
    }
}
