//! What a test can expect.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::stage::{Failure, Stage};
use super::timeline::{About, Clock, verdict};
use crate::diagnostic::did_you_mean;
use crate::engine::Alert;
use crate::lab::lanes::{Attempted, Backlog};
use crate::model::{ChannelName, CloseReason, EventKind, Level, duration};
use crate::rules::{Rule, Scope};

/// The state of an alert that a test can expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It fires, at this level if one is said.
    Firing(Option<Level>),
    /// Its condition is true, and `hold` not over.
    Pending,
    /// It neither fires nor is pending.
    Inactive,
    /// It fired, and its end was a recovery.
    Recovered,
    /// It fired, and was closed, for this reason if one is said.
    Closed(Option<CloseReason>),
}

impl Stage {
    /// Expects an alert to be in a state now.
    pub(crate) fn expect(&mut self, rule: &str, subject: &str, expected: Expected) -> Result<(), Failure> {
        self.flush();
        let met = self.is_met(rule, subject, expected);
        self.mark();
        met
    }

    fn is_met(&self, rule: &str, subject: &str, expected: Expected) -> Result<(), Failure> {
        let rule = self.rule(rule)?;
        let about = About { rule: rule.name.clone(), subject: subject.into() };
        self.subject(rule, subject).map_err(|failure| failure.about(&about))?;
        let alert = self.bench.engine().alert(&rule.name, subject);
        let firing = alert.and_then(|alert| alert.firing.as_ref());
        let state = alert.map_or("inactive", Alert::state);
        let events =
            || self.story.events.iter().filter(|event| event.rule == rule.name && *event.subject.name == *subject);
        let last_end = events().next_back().filter(|event| event.kind.is_end());
        let (met, wanted) = match expected {
            Expected::Firing(None) => (firing.is_some(), "firing".to_string()),
            Expected::Firing(Some(level)) => {
                (firing.is_some_and(|firing| firing.level == level), format!("firing at level {level}"))
            }
            Expected::Pending => (state == "pending", "pending".to_string()),
            Expected::Inactive => (state == "inactive", "neither pending nor firing".to_string()),
            Expected::Recovered => {
                (last_end.is_some_and(|event| event.kind == EventKind::Recovered), "recovered".to_string())
            }
            Expected::Closed(None) => {
                (last_end.is_some_and(|event| event.kind == EventKind::Closed), "closed".to_string())
            }
            Expected::Closed(Some(reason)) => {
                (last_end.is_some_and(|event| event.reason == Some(reason)), format!("closed, reason `{reason}`"))
            }
        };
        if met {
            return Ok(());
        }
        let ago = |time| duration::format(self.bench.now().time.since(time));
        let mut got = match (firing, alert.and_then(Alert::pending_since), last_end) {
            (Some(firing), ..) => format!("{state} at level {} for {}", firing.level, ago(firing.since)),
            (None, Some(since), _) => {
                let hold = alert_hold(rule);
                format!("pending for {}{hold}", ago(since))
            }
            (None, None, Some(end)) => {
                let reason = end.reason.map(|reason| format!(", reason `{reason}`")).unwrap_or_default();
                format!("{}{reason}, {} ago", end.kind, ago(end.time))
            }
            (None, None, None) => "inactive, and it never fired".to_string(),
        };
        if let Some(alert) = alert {
            got.push_str(&format!("; the newest verdict: {}", verdict(rule, alert)));
        }
        let message = format!("expected {} {subject} to be {wanted}", rule.name);
        Err(Failure::new(message).got(got).about(&about))
    }

    /// Expects that since the last expectation nothing began to fire and nobody was told anything.
    pub(crate) fn expect_quiet(&mut self) -> Result<(), Failure> {
        self.flush();
        let (n_events, n_attempts) = self.seen;
        let raised = self.story.events[n_events..].iter().find(|event| event.kind == EventKind::Raised);
        let told = self.story.attempts[n_attempts..].iter().find(|attempt| attempt.has_arrived());
        let about = raised.map(|event| About { rule: event.rule.clone(), subject: event.subject.name.clone() });
        let got = match (raised, told) {
            (None, None) => None,
            (_, Some(told)) => {
                Some(format!("{} was told: {}", told.sent.notification.channel, told.sent.message.title))
            }
            (Some(event), None) => Some(format!("{} {} fires: {}", event.rule, event.subject.name, event.message)),
        };
        self.mark();
        let Some(got) = got else { return Ok(()) };
        let failure =
            Failure::new("expected that nothing fires and nobody is told since the last expectation").got(got);
        Err(match about {
            Some(about) => failure.about(&about),
            None => failure,
        })
    }

    /// Expects that a channel was told so many times since the start.
    pub(crate) fn expect_sent(&mut self, channel: &str, expected: i64) -> Result<(), Failure> {
        self.flush();
        let channel = self.channel(channel)?;
        let n_sent = self.story.sent(&channel).count();
        let got = self.told(&channel);
        self.mark();
        if n_sent as i64 == expected {
            return Ok(());
        }
        let notifications = if expected == 1 { "notification" } else { "notifications" };
        Err(Failure::new(format!("expected {expected} {notifications} to `{channel}` since the start")).got(got))
    }

    /// What was sent to a channel, what failed last, and what waits: a line each.
    pub(crate) fn told(&self, channel: &ChannelName) -> String {
        let clock = Clock { start: self.start, zone: &self.project.settings.zone };
        let line = |attempt: &Attempted| {
            let number = if attempt.number > 1 { format!(" (attempt {})", attempt.number) } else { String::new() };
            format!("{}  {}{number}", clock.at(attempt.time), attempt.sent.message.title)
        };
        let sent: Vec<String> = self.story.sent(channel).map(line).collect();
        let mut lines = match sent.len() {
            0 => vec!["none".to_string()],
            n_sent => std::iter::once(format!("{n_sent}:")).chain(sent).collect(),
        };
        let newest = self.story.attempts.iter().rfind(|attempt| attempt.sent.notification.channel == *channel);
        if let Some((attempt, reason)) = newest.and_then(|attempt| Some((attempt, attempt.verdict.reason()?))) {
            lines.push(format!("the newest attempt failed, {}: {reason}", clock.at(attempt.time).trim_start()));
        }
        let Backlog { waiting, limited_until, .. } = self.bench.backlog(channel);
        match (waiting, limited_until) {
            (0, _) => {}
            (waiting, Some(until)) => {
                let until = clock.at(until);
                lines
                    .push(format!("{waiting} more wait: the limit lets nothing through before {}", until.trim_start()));
            }
            (waiting, None) => lines.push(format!("{waiting} more wait to be tried again")),
        }
        lines.join("\n")
    }

    /// A rule by its name.
    pub(super) fn rule(&self, name: &str) -> Result<&Rule, Failure> {
        let names = || self.rules.rules.keys().map(|name| name.as_str());
        self.rules.rules.get(name).map(|rule| &**rule).ok_or_else(|| {
            Failure::new(format!("there is no rule `{name}`"))
                .hint(did_you_mean(name, names()).or_else(|| listed("the rules are", names())))
        })
    }

    /// Whether a rule has judged, or could judge, a subject or group of this name.
    fn subject(&self, rule: &Rule, name: &str) -> Result<(), Failure> {
        let (kind, mut names) = match &rule.scope {
            Scope::On { kind } => (kind, self.subjects_of(kind)),
            // A set without `by` is there also when it is empty, and when nothing is remembered of its alert.
            Scope::Over { kind, by } if by.is_empty() => (kind, BTreeSet::from(["all".into()])),
            Scope::Over { kind, .. } => (kind, BTreeSet::new()),
        };
        let alerts = self.bench.engine().alerts().filter(|view| view.rule.name == rule.name);
        names.extend(alerts.map(|view| view.alert.subject.name.clone()));
        let events = self.story.events.iter().filter(|event| event.rule == rule.name);
        names.extend(events.map(|event| event.subject.name.clone()));
        if names.contains(name) {
            return Ok(());
        }
        let what = match &rule.scope {
            Scope::On { .. } => "subject",
            Scope::Over { .. } => "group",
        };
        let known = || names.iter().map(|name| &**name);
        let hint = did_you_mean(name, known())
            .or_else(|| listed("there are", known()))
            .or_else(|| Some(format!("nothing of kind `{kind}` was observed: make one by t.subject(\"{kind}\", ..)")));
        Err(Failure::new(format!("the rule `{}` has no {what} `{name}`", rule.name)).hint(hint))
    }

    fn subjects_of(&self, kind: &str) -> BTreeSet<Arc<str>> {
        self.subjects
            .iter()
            .filter(|subject| &*subject.key.kind == kind)
            .map(|subject| subject.key.name.clone())
            .collect()
    }

    /// A channel by its name.
    pub(crate) fn channel(&self, name: &str) -> Result<ChannelName, Failure> {
        let names = || self.project.channels.keys().map(|name| name.as_str());
        match self.project.channels.get_key_value(name) {
            Some((channel, _)) => Ok(channel.clone()),
            None => Err(Failure::new(format!("there is no channel `{name}`"))
                .hint(did_you_mean(name, names()).or_else(|| listed("the channels are", names())))),
        }
    }
}

fn alert_hold(rule: &Rule) -> String {
    let hold = rule.hold.default;
    if hold.is_zero() { String::new() } else { format!(" (hold is {})", duration::format(hold)) }
}

/// "there are `a`, `b`", where there are any.
fn listed<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = names.take(8).map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
}
