//! `collectors`: what is watched. The files' form of it; how it is done is in `crate::collect`.

mod http;
mod process;
mod tcp;

pub use http::{BodyExpectation, Expect, Http};
pub use process::Process;
pub use tcp::Tcp;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{Document, Period, Size, Spanned};
use crate::collect::Pattern;
use crate::diagnostic::Diagnostic;
use crate::model::Labels;
use http::RawHttp;
use process::RawProcess;
use tcp::RawTcp;

/// The shortest time between two looks.
const SHORTEST_EVERY: Duration = Duration::from_millis(100);

/// An entry of `collectors`.
#[derive(Clone, Debug, PartialEq)]
pub enum Collector {
    /// This machine.
    Host(Host),
    /// A URL.
    Http(Box<Http>),
    /// Processes of this machine.
    Process(Process),
    /// A port.
    Tcp(Tcp),
    /// What others send.
    Push(Push),
}

impl Collector {
    /// The kind and the name of the subject that it was given: of those that there can be several of.
    fn subject(&self) -> Option<(&Arc<str>, &Arc<str>)> {
        match self {
            Collector::Http(http) => Some((&http.kind, &http.name)),
            Collector::Process(process) => Some((&process.settings.kind, &process.settings.name)),
            Collector::Tcp(tcp) => Some((&tcp.settings.kind, &tcp.settings.name)),
            Collector::Host(_) | Collector::Push(_) => None,
        }
    }

    /// Unique over all collectors: `host`, `http:shop-api`, `push`.
    pub fn name(&self) -> String {
        match self {
            Collector::Host(_) => "host".to_string(),
            Collector::Http(http) => format!("http:{}", http.name),
            Collector::Process(process) => format!("process:{}", process.settings.name),
            Collector::Tcp(tcp) => format!("tcp:{}", tcp.settings.name),
            Collector::Push(_) => "push".to_string(),
        }
    }
}

/// `type: host`: cpu, memory, disks and networks of this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// How often.
    pub every: Duration,
    /// A look that takes longer is cut off.
    pub timeout: Duration,
}

impl Host {
    pub(super) fn default_for(every: Option<Duration>) -> Host {
        let every = every.unwrap_or(Duration::from_secs(10));
        Host { every, timeout: Duration::from_secs(10) }
    }
}

/// `type: push`: snapshots that others post to `/api/v1/snapshots`.
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// Bytes of one body, after inflation.
    pub max_body: usize,
}

impl Default for Push {
    fn default() -> Push {
        Push { max_body: 64 << 20 }
    }
}

/// An entry as written.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawCollector {
    Host(RawHost),
    Http(Box<RawHttp>),
    Process(Box<RawProcess>),
    Tcp(Box<RawTcp>),
    Push(RawPush),
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawHost {
    every: Option<Spanned<Period>>,
    timeout: Option<Spanned<Period>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawPush {
    max_body: Option<Spanned<Size>>,
}

/// Checks entries and turns them into collectors; problems go to `problems`.
pub(super) fn build(
    document: &Document,
    entries: Vec<Spanned<RawCollector>>,
    every: Option<Duration>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Collector> {
    let mut collectors: Vec<Collector> = Vec::new();
    for entry in entries {
        let place = document.place(&entry);
        let mut check = Check { document, problems };
        let collector = match entry.value {
            RawCollector::Host(raw) => Collector::Host(check.host(&raw, every)),
            RawCollector::Http(raw) => Collector::Http(Box::new(check.http(*raw, every))),
            RawCollector::Process(raw) => Collector::Process(check.process(*raw, every)),
            RawCollector::Tcp(raw) => Collector::Tcp(check.tcp(*raw, every)),
            RawCollector::Push(raw) => Collector::Push(check.push(&raw)),
        };
        let subject = collector.subject();
        let is_taken = |other: &Collector| subject.is_some() && other.subject() == subject;
        if collectors.iter().any(|other| other.name() == collector.name() || is_taken(other)) {
            let problem = match subject {
                Some((_, name)) => place
                    .error(format!("two collectors have the name `{name}`"))
                    .with_hint("the name is the subject's name: give each its own"),
                None => place.error(format!("there can be only one collector of type `{}`", collector.name())),
            };
            problems.push(problem);
            continue;
        }
        collectors.push(collector);
    }
    collectors
}

fn labels(raw: BTreeMap<Arc<str>, Spanned<String>>) -> Labels {
    raw.into_iter().map(|(name, value)| (name, value.value.into())).collect()
}

struct Check<'a> {
    document: &'a Document,
    problems: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn refuse<T>(&mut self, spanned: &Spanned<T>, message: impl Into<String>) {
        self.problems.push(self.document.place(spanned).error(message));
    }

    fn period(&mut self, period: Option<&Spanned<Period>>, default: Duration, key: &str) -> Duration {
        let Some(spanned) = period else { return default };
        if spanned.value.0 < SHORTEST_EVERY {
            self.refuse(spanned, format!("`{key}` must be at least 100ms"));
        }
        spanned.value.0
    }

    fn host(&mut self, raw: &RawHost, every: Option<Duration>) -> Host {
        let default = Host::default_for(every);
        Host {
            every: self.period(raw.every.as_ref(), default.every, "every"),
            timeout: self.period(raw.timeout.as_ref(), default.timeout, "timeout"),
        }
    }

    fn push(&mut self, raw: &RawPush) -> Push {
        let Some(max_body) = &raw.max_body else { return Push::default() };
        if max_body.value.0 == 0 {
            self.refuse(max_body, "`max_body` must be more than nothing");
        }
        Push { max_body: max_body.value.0 }
    }

    /// What each subject of a collector's own has.
    fn subject(
        &mut self,
        name: &Spanned<String>,
        kind: Option<&Spanned<String>>,
        labels: &BTreeMap<Arc<str>, Spanned<String>>,
    ) {
        self.word(name, "name");
        if let Some(kind) = kind {
            self.word(kind, "kind");
            if ["host", "disk", "network", "collector", "larum"].contains(&kind.value.as_str()) {
                self.refuse(kind, format!("the kind `{}` is larum's own", kind.value));
            }
        }
        for (name, value) in labels {
            if value.value.chars().any(char::is_control) || name.chars().any(char::is_control) {
                self.refuse(value, "labels cannot hold control characters");
            }
        }
    }

    fn pattern(&mut self, pattern: &Spanned<String>) -> Option<Pattern> {
        match regex::Regex::new(&pattern.value) {
            Ok(regex) => Some(Pattern(regex)),
            Err(error) => {
                // The error shows the pattern over several lines; its last one says what is wrong.
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_string();
                self.refuse(pattern, format!("this is no regular expression: {reason}"));
                None
            }
        }
    }

    fn word(&mut self, text: &Spanned<String>, key: &str) {
        if text.value.is_empty() || text.value.chars().any(char::is_control) {
            self.refuse(text, format!("`{key}` must be a text without control characters"));
        }
    }
}
