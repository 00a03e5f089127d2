//! The time line of a test: snapshots, verdicts, states and notifications, in few lines.

mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use self::told::{Told, tells_of};
use crate::engine::{Alert, Effects, Engine, Standing, Suppressed};
use crate::model::{ChannelName, Notification, NotificationId, RuleName, Snapshot, SubjectKey, Time, Value, duration};
use crate::rules::{Condition, Rule, Scope};

/// Lines that are printed; of a longer time line, the last ones.
const MAX_LINES: usize = 60;
/// What is said of a subject that a rule does not concern.
const NOT_CONCERNED: &str = "not concerned";
/// Fields of one snapshot that are printed.
const MAX_FIELDS: usize = 8;

/// What a time line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// The rule.
    pub(crate) rule: RuleName,
    /// The subject, or the group's name.
    pub(crate) subject: Arc<str>,
}

#[derive(Clone, Debug)]
enum Entry {
    Snapshot(Snapshot),
    /// What the newest evaluation says, and the state that it leads to.
    Verdict {
        rule: RuleName,
        subject: SubjectKey,
        text: String,
    },
    /// An event of an alert.
    Event {
        rule: RuleName,
        subject: SubjectKey,
        text: String,
    },
    /// A channel is not told of an event, for good.
    Suppressed {
        channel: ChannelName,
        rule: RuleName,
        subject: SubjectKey,
        reason: &'static str,
    },
    /// The engine wants a channel to be told.
    Decided(Notification),
    /// What a channel did, and of which notifications.
    Channel {
        channel: ChannelName,
        told: Told,
        text: String,
    },
    /// What somebody did, as a line.
    Done(String),
    Rules,
    Restart,
}

/// Everything that happened in a test, in order.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    entries: Vec<(Time, Entry)>,
    /// The entry of each notification whose newest attempt failed: further ones are added to it.
    failing: BTreeMap<NotificationId, usize>,
    /// What was last noted of each alert.
    known: BTreeMap<(RuleName, SubjectKey), String>,
    /// The newest error of each alert.
    faults: BTreeMap<(RuleName, SubjectKey), String>,
}

impl Timeline {
    /// Notes a snapshot.
    pub(crate) fn snapshot(&mut self, snapshot: &Snapshot) {
        self.entries.push((snapshot.time, Entry::Snapshot(snapshot.clone())));
    }

    /// Notes that the rules were loaded anew.
    pub(crate) fn rules(&mut self, now: Time) {
        self.entries.push((now, Entry::Rules));
    }

    /// Notes what somebody did.
    pub(crate) fn note(&mut self, now: Time, text: String) {
        self.entries.push((now, Entry::Done(text)));
    }

    /// Notes that the daemon was restarted.
    pub(crate) fn restart(&mut self, now: Time) {
        self.entries.push((now, Entry::Restart));
        // What was known of each alert is said anew.
        self.known.clear();
    }

    /// Notes what a step did.
    pub(crate) fn step(&mut self, engine: &Engine, effects: &Effects) {
        let now = effects.now.time;
        for view in engine.alerts() {
            let text = verdict(view.rule, view.alert);
            let key = (view.rule.name.clone(), view.alert.subject.clone());
            if self.known.get(&key) != Some(&text) {
                let (rule, subject) = key.clone();
                self.entries.push((now, Entry::Verdict { rule, subject, text: text.clone() }));
                self.known.insert(key, text);
            }
        }
        for event in &effects.events {
            let reason = event.reason.map(|reason| format!(", {reason}")).unwrap_or_default();
            let text = format!("{}{reason} at {}: {}", event.kind, event.level, event.message);
            self.event(event.time, &event.rule, &event.subject, text);
        }
        for suppressed in &effects.suppressed {
            let Suppressed { channel, rule, subject, reason, .. } = suppressed.clone();
            self.entries.push((now, Entry::Suppressed { channel, rule, subject, reason }));
        }
        for fault in &effects.faults {
            let place = if fault.fault.line > 0 { format!("line {}: ", fault.fault.line) } else { String::new() };
            let text = format!("error: {place}{}", fault.fault.message);
            let key = (fault.rule.clone(), fault.subject.clone());
            // The same error at each snapshot is said once.
            if self.faults.insert(key, text.clone()).as_ref() != Some(&text) {
                self.event(now, &fault.rule, &fault.subject, text);
            }
        }
        for notification in &effects.notifications {
            self.entries.push((now, Entry::Decided(notification.clone())));
        }
    }

    fn event(&mut self, time: Time, rule: &RuleName, subject: &SubjectKey, text: String) {
        let (rule, subject) = (rule.clone(), subject.clone());
        self.entries.push((time, Entry::Event { rule, subject, text }));
    }

    /// The lines about one alert, or about everything.
    pub(crate) fn lines(
        &self,
        about: Option<&About>,
        scope: Option<&Scope>,
        start: Time,
        zone: &TimeZone,
    ) -> Vec<String> {
        let clock = Clock { start, zone };
        let mut lines = Vec::new();
        let mut run: Option<Run> = None;
        let ids = about.map(|about| self.ids(about));
        for (index, (time, entry)) in self.entries.iter().enumerate() {
            if !is_about(entry, about, ids.as_ref(), scope) {
                continue;
            }
            if let Entry::Snapshot(snapshot) = entry {
                run = match run.take() {
                    Some(run) if run.goes_on_with(snapshot) => Some(run.with(snapshot)),
                    before => {
                        lines.extend(before.map(|run| run.line(&clock)));
                        Some(Run::of(snapshot))
                    }
                };
                continue;
            }
            lines.extend(run.take().map(|run| run.line(&clock)));
            let of = |rule: &RuleName, subject: &SubjectKey| match about {
                Some(_) => String::new(),
                None => format!("{rule} {}: ", subject.name),
            };
            let text = match entry {
                // Of interest only to whoever asks about it.
                Entry::Verdict { text, .. } if about.is_none() && text.starts_with(NOT_CONCERNED) => continue,
                Entry::Verdict { rule, subject, text } => format!("verdict    {}{text}", of(rule, subject)),
                Entry::Suppressed { channel, rule, subject, reason } => match about {
                    Some(_) => format!("channel    {channel} is told nothing of it: {reason}"),
                    None => format!("channel    {channel} is told nothing of {rule} {}: {reason}", subject.name),
                },
                Entry::Event { rule, subject, text } => format!("alert      {}{text}", of(rule, subject)),
                Entry::Decided(notification) if self.acts_at_once(index, notification) => continue,
                Entry::Decided(notification) => format!("channel    {} has to wait with it", notification.channel),
                Entry::Channel { channel, text, .. } => format!("channel    {channel} {text}"),
                Entry::Done(text) => text.clone(),
                Entry::Rules => "rules      loaded with other params".to_string(),
                Entry::Restart => "restart    the daemon goes on from what was stored".to_string(),
                Entry::Snapshot(_) => continue,
            };
            lines.push(format!("{}  {text}", clock.at(*time)));
        }
        lines.extend(run.map(|run| run.line(&clock)));
        if lines.len() > MAX_LINES {
            let left_out = lines.len() - MAX_LINES;
            lines.drain(..left_out);
            lines.insert(0, format!("({left_out} earlier lines are left out)"));
        }
        lines
    }
}

fn is_about(
    entry: &Entry,
    about: Option<&About>,
    ids: Option<&BTreeSet<NotificationId>>,
    scope: Option<&Scope>,
) -> bool {
    let Some(about) = about else { return true };
    let is_it = |rule: &RuleName, subject: &SubjectKey| *rule == about.rule && subject.name == about.subject;
    match entry {
        Entry::Snapshot(snapshot) => match scope {
            Some(Scope::On { kind }) => snapshot.subject.kind == *kind && snapshot.subject.name == about.subject,
            Some(Scope::Over { kind, .. }) => snapshot.subject.kind == *kind,
            None => false,
        },
        Entry::Verdict { rule, subject, .. }
        | Entry::Event { rule, subject, .. }
        | Entry::Suppressed { rule, subject, .. } => is_it(rule, subject),
        Entry::Decided(notification) => tells_of(notification, about),
        Entry::Channel { told, .. } => ids.is_some_and(|ids| told.is_of(ids)),
        Entry::Done(_) | Entry::Rules | Entry::Restart => true,
    }
}

/// What the newest evaluation of an alert says, and its state.
pub(crate) fn verdict(rule: &Rule, alert: &Alert) -> String {
    let standing = match &alert.standing {
        Standing::Unjudged => "not judged yet".to_string(),
        Standing::Judged(conditions) => {
            let name = |index: usize| rule.levels.get(index).map(|level| format!("{level} ")).unwrap_or_default();
            let word = |condition: &Condition| match condition {
                Condition::Fire => "true",
                Condition::Clear => "false",
                Condition::Neither => "false, and not clear either",
            };
            let each =
                conditions.iter().enumerate().map(|(index, condition)| format!("{}{}", name(index), word(condition)));
            each.collect::<Vec<_>>().join(", ")
        }
        Standing::NoData(reason) => format!("no data: {reason}"),
        Standing::Failed(fault) => format!("error: {}", fault.message),
        Standing::Excluded => "`where` does not take it".to_string(),
        Standing::NotConcerned(field) => format!("{NOT_CONCERNED}: it never had a field `{field}`"),
    };
    let level = alert.firing.as_ref().map(|firing| format!(" at {}", firing.level)).unwrap_or_default();
    format!("{standing} -> {}{level}", alert.state())
}

/// Times as a test speaks of them: since its start, and on the clock.
pub(crate) struct Clock<'a> {
    pub(crate) start: Time,
    pub(crate) zone: &'a TimeZone,
}

impl Clock<'_> {
    /// `+1m30s Mon 00:01:30`
    pub(crate) fn at(&self, time: Time) -> String {
        let clock = time.to_jiff().to_zoned(self.zone.clone()).strftime("%a %H:%M:%S").to_string();
        format!("{:>9} {clock}", format!("+{}", duration::format(time.since(self.start))))
    }
}

/// Snapshots of one subject in which nothing begins or ceases to change.
struct Run {
    first: Snapshot,
    last: Snapshot,
    n_snapshots: usize,
}

impl Run {
    fn of(snapshot: &Snapshot) -> Run {
        Run { first: snapshot.clone(), last: snapshot.clone(), n_snapshots: 1 }
    }

    fn with(self, snapshot: &Snapshot) -> Run {
        Run { last: snapshot.clone(), n_snapshots: self.n_snapshots + 1, ..self }
    }

    /// The same fields, and each changes now if it did before: a constant goes on as one, a climb as a climb.
    fn goes_on_with(&self, next: &Snapshot) -> bool {
        let same_shape = self.last.subject == next.subject
            && self.last.labels == next.labels
            && !self.last.gone
            && !next.gone
            && self.last.fields.keys().eq(next.fields.keys());
        let direction = |from: &Value, to: &Value| match (from, to) {
            (Value::Number(from), Value::Number(to)) => from.partial_cmp(to),
            _ if from == to => Some(std::cmp::Ordering::Equal),
            _ => None,
        };
        same_shape
            && self.first.fields.iter().zip(&self.last.fields).zip(&next.fields).all(
                |(((_, first), (_, last)), (_, next))| {
                    let now = direction(last, next);
                    now.is_some() && (self.n_snapshots == 1 || direction(first, last) == now)
                },
            )
    }

    fn line(self, clock: &Clock<'_>) -> String {
        let Run { first, last, n_snapshots } = self;
        let mut line = clock.at(first.time);
        if n_snapshots == 1 {
            line.push_str("  snapshot   ");
        } else {
            let until = duration::format(last.time.since(clock.start));
            line.push_str(&format!("  {n_snapshots} snapshots until +{until}: "));
        }
        line.push_str(&first.subject.to_string());
        if first.gone {
            line.push_str(" is gone");
        }
        for (name, value) in first.fields.iter().take(MAX_FIELDS) {
            line.push_str(&format!(" {name}={}", shown(value)));
            if let Some(end) = last.fields.get(name).filter(|end| *end != value) {
                line.push_str(&format!("..{}", shown(end)));
            }
        }
        if first.fields.len() > MAX_FIELDS {
            line.push_str(" ..");
        }
        line
    }
}

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
    }
}
