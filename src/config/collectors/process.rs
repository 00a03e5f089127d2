//! `type: process`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{Check, labels};
use crate::collect::{Meant, PROCESS_KIND, ProcessSettings};
use crate::config::{Period, Spanned};

/// `type: process`: processes of this machine, one subject for all that are meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// Which, and the subject.
    pub settings: ProcessSettings,
    /// How often.
    pub every: Duration,
    /// A look that takes longer is cut off.
    pub timeout: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawProcess {
    name: Spanned<String>,
    #[serde(default)]
    process: Option<Spanned<String>>,
    #[serde(default)]
    pid_file: Option<Spanned<String>>,
    #[serde(default)]
    command: Option<Spanned<String>>,
    #[serde(default)]
    kind: Option<Spanned<String>>,
    #[serde(default)]
    every: Option<Spanned<Period>>,
    #[serde(default)]
    timeout: Option<Spanned<Period>>,
    #[serde(default)]
    labels: BTreeMap<Arc<str>, Spanned<String>>,
}

impl Check<'_> {
    pub(super) fn process(&mut self, raw: RawProcess, every: Option<Duration>) -> Process {
        self.subject(&raw.name, raw.kind.as_ref(), &raw.labels);
        let meant = self.meant(&raw);
        Process {
            every: self.period(raw.every.as_ref(), every.unwrap_or(Duration::from_secs(10)), "every"),
            timeout: self.period(raw.timeout.as_ref(), Duration::from_secs(10), "timeout"),
            settings: ProcessSettings {
                kind: raw.kind.map_or_else(|| PROCESS_KIND.into(), |kind| kind.value.into()),
                meant,
                labels: labels(raw.labels),
                name: raw.name.value.into(),
            },
        }
    }

    /// Which processes are meant: what is written once, or else those of the subject's name.
    fn meant(&mut self, raw: &RawProcess) -> Meant {
        let ways = [("process", &raw.process), ("pid_file", &raw.pid_file), ("command", &raw.command)];
        let mut given = ways.into_iter().filter_map(|(key, value)| value.as_ref().map(|value| (key, value)));
        let first = given.next();
        if let Some((key, second)) = given.next() {
            self.refuse(second, format!("processes are found in one way: leave out `{key}`, or what is before it"));
        }
        let (key, value) = match first {
            Some((key, value)) => (key, value),
            None => ("process", &raw.name),
        };
        self.word(value, key);
        match key {
            "pid_file" => Meant::PidFile(value.value.clone().into()),
            "command" => match self.pattern(value) {
                Some(pattern) => Meant::Command(pattern),
                None => Meant::Name(value.value.clone()),
            },
            _ => Meant::Name(value.value.clone()),
        }
    }
}
