//! Kind `exec`: runs a command of the operator's own, with the notification as JSON on its standard input.
//!
//! No text of a notification ever becomes a part of the command line, and there is no shell: whoever names a subject
//! cannot run anything. A command may run twice for one notification, as after a crash; its id is the same then.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::file::File;
use super::message::Escape;
use super::process::Command;
use super::request::{Attempt, Masked, RenderError, Request, SealError, Sealed, Secrets};
use super::webhook::Body;
use super::{Built, Channel, Kind, Wording};
use crate::config::{Secret, Spanned, Text};
use crate::diagnostic::Diagnostic;
use crate::model::{AlertNote, EventKind, Notification, Occasion};

/// The kind's entry in the list.
pub(super) const KIND: Kind =
    Kind { name: "exec", doc: "Runs a command, with the notification as JSON on its standard input.", build };

/// Variables with this prefix are ours to set.
const OURS: &str = "LARUM_";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// The program, which is looked for in `PATH`, and its arguments.
    command: Spanned<Argv>,
    /// Variables of its environment.
    #[serde(default)]
    env: std::collections::BTreeMap<String, Spanned<Text>>,
    /// The folder that it runs in; the daemon's unless said.
    dir: Option<Spanned<Text>>,
    /// The events for which it runs. A notification of others counts as delivered, and nothing runs.
    events: Option<Spanned<Vec<EventKind>>>,
}

/// The words of a command line.
#[derive(Debug)]
struct Argv(Vec<Spanned<Text>>);

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Argv, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Argv;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a list of the program and its arguments, without a shell, like `[systemctl, restart, shop]`",
                )
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Argv, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = access.next_element()? {
                    words.push(word);
                }
                if words.is_empty() { Err(de::Error::custom("the command is empty")) } else { Ok(Argv(words)) }
            }
        }
        deserializer.deserialize_seq(Words)
    }
}

#[derive(Debug)]
struct Exec {
    command: Vec<String>,
    dir: Option<String>,
    env: Vec<(String, Masked)>,
    events: Vec<EventKind>,
    secrets: Secrets,
}

fn build(file: &File<'_>) -> Built {
    let keys: Keys = file.read()?;
    let mut problems = Vec::new();
    let Argv(words) = &keys.command.value;
    problems.extend(words.iter().filter_map(|word| check_word(file, word)));
    if words.first().is_some_and(|program| program.value.expose().trim().is_empty()) {
        problems.push(file.problem(&keys.command, "the name of the program is empty"));
    }
    if let Some(dir) = &keys.dir {
        problems.extend(check_word(file, dir));
        if !std::path::Path::new(dir.value.expose()).is_absolute() {
            problems.push(file.problem(dir, "`dir` is the whole path of a folder: it begins with `/`"));
        }
    }
    let mut secrets = Secrets::default();
    let mut env = Vec::new();
    for (name, value) in &keys.env {
        match check_variable(name, value) {
            // The line shows the value, which is a credential more often than not.
            Some(message) => problems.push(Diagnostic { source_line: None, ..file.problem(value, message) }),
            None => {
                let hole = secrets.keep(format!("env.{name}"), Secret::new(value.value.expose()));
                env.push((name.clone(), hole));
            }
        }
    }
    if let Some(events) = keys.events.as_ref().filter(|events| events.value.is_empty()) {
        let problem = file.problem(events, "with no event at all the command never runs");
        problems.push(problem.with_hint("leave `events` out, and it runs when an alert is raised"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Box::new(Exec {
        command: words.iter().map(|word| word.value.expose().to_string()).collect(),
        dir: keys.dir.map(|dir| dir.value.expose().to_string()),
        env,
        events: keys.events.map_or_else(|| vec![EventKind::Raised], |events| events.value),
        secrets,
    }))
}

fn check_word(file: &File<'_>, word: &Spanned<Text>) -> Option<Diagnostic> {
    if word.value.is_secret() {
        let problem =
            file.problem(word, "everybody who may list processes sees the command line, so it takes no secret");
        return Some(problem.with_hint("give it to the command in `env`, or write `${env-public:NAME}`"));
    }
    word.value.expose().contains('\0').then(|| file.problem(word, "a command line holds no NUL"))
}

fn check_variable(name: &str, value: &Spanned<Text>) -> Option<String> {
    let is_name =
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.starts_with(|c: char| !c.is_ascii_digit());
    match () {
        () if !is_name => Some(format!("`{name}` cannot be the name of a variable")),
        () if name.starts_with(OURS) => Some(format!("the variables `{OURS}..` are set by larum")),
        () if value.value.expose().contains('\0') => Some(format!("the value of `{name}` holds a NUL")),
        () => None,
    }
}

impl Exec {
    /// Whether something happened for which the command runs. What is over by now counts as its end alone.
    fn concerns(&self, notification: &Notification) -> bool {
        let counts = |event: &EventKind| self.events.contains(event);
        let alert = |note: &AlertNote| {
            counts(&note.event) || !note.event.is_end() && note.folded.iter().any(|folded| counts(&folded.event))
        };
        let summary = match &notification.occasion {
            // Of what it stands for not all is among its alerts.
            Occasion::Summary(summary) => summary.counts.iter().any(|line| counts(&line.event)),
            Occasion::Alert | Occasion::Group(_) | Occasion::Undelivered(_) => false,
        };
        summary || notification.alerts.iter().any(alert)
    }
}

impl Channel for Exec {
    fn render(&self, notification: &Notification, wording: &Wording<'_>) -> Result<Request, RenderError> {
        if notification.alerts.is_empty() {
            return Err(RenderError::Empty);
        }
        if !self.concerns(notification) {
            let events: Vec<&str> = self.events.iter().map(|event| event.as_str()).collect();
            return Ok(Request::Nothing { reason: format!("the command runs only for {}", events.join(", ")) });
        }
        let message = wording.message(notification, Escape::None);
        Ok(Request::Process {
            command: self.command.clone(),
            dir: self.dir.clone(),
            env: self.env.clone(),
            input: serde_json::to_string(&Body::of(notification, &message))?,
        })
    }

    fn seal(&self, request: &Request, attempt: &Attempt) -> Result<Sealed, SealError> {
        let (command, dir, env, input) = match request {
            Request::Process { command, dir, env, input } => (command, dir, env, input),
            Request::Nothing { .. } => return Ok(Sealed::Nothing),
            _ => return Err(SealError::OtherKind),
        };
        let mut secret = Vec::new();
        for (name, value) in env {
            secret.push((name.clone(), value.fill(&self.secrets)?));
        }
        let id: String = attempt.id.as_str().chars().filter(|c| !c.is_control()).collect();
        Ok(Sealed::Process(Command {
            words: command.clone(),
            dir: dir.clone(),
            env: secret,
            told: vec![
                ("LARUM_NOTIFICATION_ID".to_string(), id),
                ("LARUM_ATTEMPT".to_string(), attempt.number.to_string()),
            ],
            input: Bytes::from(input.clone()),
        }))
    }

    fn default_concurrency(&self) -> usize {
        // Two restarts of one service at once help nobody.
        1
    }

    fn default_timeout(&self) -> std::time::Duration {
        std::time::Duration::from_secs(60)
    }
}

#[cfg(test)]
mod tests;
