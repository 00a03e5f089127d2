//! Who hears of what happens in a replay, and counts it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::engine::{Effects, Engine, Event, Outcome, RuleFault, Suppressed};
use crate::history::{BatchReport, Refusal};
use crate::lab::bench::Observer;
use crate::lab::lanes::{Attempted, Dispatched};
use crate::lab::project::Project;
use crate::model::{
    AlertNote, ChannelName, EventKind, FiringId, Notification, NotificationId, Occasion, RuleName, SubjectKey, Time,
};
use crate::outbox::Closed;

use super::finding::Finding;
use super::summary::{Summary, Totals};
use super::{Happening, Options, Told};

/// Counts, and tells.
pub(super) struct Story<'a> {
    project: &'a Project,
    words: bool,
    tell: &'a mut dyn FnMut(Happening<'_>) -> io::Result<()>,
    pub(super) summary: Summary,
    /// The lines of the snapshots that are being judged.
    pub(super) line_numbers: Vec<usize>,
    already: Already,
    /// Notifications that were decided, and neither sent nor given up.
    decided: BTreeMap<NotificationId, Notification>,
    /// The first error of `tell`.
    failed: Option<io::Error>,
}

/// Conditions that were already true when the rules began.
#[derive(Default)]
struct Already {
    /// The rules begin with this step.
    begins: bool,
    /// Alerts that are pending since the rules began, and were never clear since.
    pending: BTreeSet<(RuleName, SubjectKey)>,
    /// Firings whose raise was of such a condition, and when it was raised, by the wall clock.
    firings: BTreeMap<FiringId, Time>,
}

impl Already {
    /// Whether an event is the raise of a condition that was already true.
    fn take(&mut self, event: &Event) -> bool {
        if event.kind != EventKind::Raised {
            return false;
        }
        let was_pending = !self.pending.is_empty() && self.pending.remove(&(event.rule.clone(), event.subject.clone()));
        let is_already = self.begins || was_pending;
        if is_already {
            self.firings.insert(event.firing.clone(), event.time);
        }
        is_already
    }

    /// Whether a note is of such a raise.
    fn is_of(&self, note: &AlertNote) -> bool {
        note.event == EventKind::Raised && self.firings.get(&note.id) == Some(&note.since)
    }
}

impl<'a> Story<'a> {
    pub(super) fn new(
        project: &'a Project,
        options: &Options,
        tell: &'a mut dyn FnMut(Happening<'_>) -> io::Result<()>,
    ) -> Story<'a> {
        let summary = Summary::of(project.rules.rules.keys(), project.channels.keys());
        let (line_numbers, already, decided) = (Vec::new(), Already::default(), BTreeMap::new());
        Story { project, words: options.words, tell, summary, line_numbers, already, decided, failed: None }
    }

    fn tell(&mut self, happening: Happening<'_>) {
        if self.failed.is_none() {
            self.failed = (self.tell)(happening).err();
        }
    }

    pub(super) fn check(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    pub(super) fn bad_line(&mut self, number: usize, reason: &str) {
        self.summary.bad_lines += 1;
        self.tell(Happening::BadLine(number, reason));
    }

    pub(super) fn progress(&mut self, time: Option<Time>) {
        let snapshots = self.summary.snapshots;
        self.tell(Happening::Progress { snapshots, time });
    }

    /// Whether the rules begin with the steps that follow.
    pub(super) fn begins(&mut self, begins: bool) {
        self.already.begins = begins;
    }

    /// Notes which conditions are true, and have a hold time before them, since the rules began.
    pub(super) fn note_pending(&mut self, engine: &Engine, began: Time) {
        let pending = engine.alerts().filter(|view| view.alert.pending_since() == Some(began));
        self.already.pending.extend(pending.map(|view| (view.rule.name.clone(), view.alert.subject.clone())));
    }

    /// Looks at how the rules have fared, at the end.
    pub(super) fn look_at(&mut self, engine: &Engine) {
        for view in engine.rule_views() {
            let raised = self.summary.rules.get(&view.rule.name).is_some_and(|rule| rule.totals.has_raised());
            let finding = Finding::of(engine, &view, raised);
            let rule = self.summary.rules.entry(view.rule.name.clone()).or_default();
            (rule.verdicts, rule.finding) = (view.counts, finding);
        }
    }

    /// The summary, where all could be told.
    pub(super) fn conclude(mut self) -> io::Result<Summary> {
        self.check()?;
        Ok(self.summary)
    }

    fn take_report(&mut self, report: &BatchReport) {
        self.summary.snapshots += report.taken;
        self.summary.repeated += report.duplicates;
        for (index, refusal) in &report.refused {
            let number = self.line_numbers.get(*index).copied().unwrap_or(0);
            match refusal {
                Refusal::Late { .. } => self.summary.late += 1,
                refusal => self.bad_line(number, &refusal.to_string()),
            }
        }
    }

    fn take_event(&mut self, event: &Event) {
        let already = self.already.take(event);
        self.summary.rules.entry(event.rule.clone()).or_default().take(event, already);
        if event.kind == EventKind::Raised {
            let day = self.summary.days.entry(self.project.day_of(event.time)).or_default();
            *(if already { &mut day.already } else { &mut day.raised }) += 1;
        }
        self.tell(Happening::Event { event, already });
    }

    fn take_fault(&mut self, fault: &RuleFault) {
        let rule = self.project.rules.rules.get(&fault.rule);
        let file = rule.map_or_else(|| "".into(), |rule| rule.file.clone());
        if self.summary.rules.entry(fault.rule.clone()).or_default().take_fault(fault, &file) {
            self.tell(Happening::Fault { fault, file: &file });
        }
    }

    fn take_suppressed(&mut self, suppressed: &Suppressed) {
        let channel = self.summary.channels.entry(suppressed.channel.clone()).or_default();
        *channel.suppressed.entry(suppressed.reason).or_default() += suppressed.events;
    }

    /// All that a notification tells of.
    fn notes<'n>(&self, notification: &'n Notification) -> Cow<'n, [AlertNote]> {
        match &notification.occasion {
            Occasion::Summary(summary) => {
                let told = summary.stands_for.iter().filter_map(|id| self.decided.get(id));
                Cow::Owned(told.flat_map(|notification| notification.alerts.iter().cloned()).collect())
            }
            Occasion::Alert | Occasion::Group(_) | Occasion::Undelivered(_) => Cow::Borrowed(&notification.alerts),
        }
    }

    /// Takes what the outbox sent.
    fn take_attempt(&mut self, attempt: &Attempted) {
        let (notification, time) = (&attempt.sent.notification, attempt.time);
        let notes = self.notes(notification);
        let already = !notes.is_empty() && notes.iter().all(|note| self.already.is_of(note));
        if attempt.has_arrived() {
            let channel = self.summary.channels.entry(notification.channel.clone()).or_default();
            let mut rules: BTreeSet<&RuleName> = BTreeSet::new();
            for note in notes.iter() {
                channel.totals.count(note.event, self.already.is_of(note));
                channel.folded += note.n_folded();
                rules.insert(&note.rule);
            }
            channel.totals.count_notification(already);
            for rule in rules {
                self.summary.rules.entry(rule.clone()).or_default().totals.count_notification(already);
            }
            let day = self.summary.days.entry(self.project.day_of(time)).or_default();
            day.notifications += u64::from(!already);
        }
        if self.words {
            self.tell(Happening::Sent(Told { time, sent: &attempt.sent, notes: &notes, already }));
        }
    }

    fn take_end(&mut self, channel: &ChannelName, closed: &Closed) {
        let channel = self.summary.channels.entry(channel.clone()).or_default();
        for (notification, outcome) in closed.each() {
            self.decided.remove(notification);
            match outcome {
                Outcome::Delivered => {}
                Outcome::Absorbed => channel.summarised += 1,
                Outcome::Dead { .. } => channel.dead += 1,
            }
        }
    }
}

impl Observer for Story<'_> {
    fn step(&mut self, _: &Engine, effects: Effects) {
        self.take_report(&effects.report);
        self.summary.evaluations += effects.evaluations;
        effects.events.iter().for_each(|event| self.take_event(event));
        for change in &effects.transitions {
            if change.to == "inactive" && !self.already.pending.is_empty() {
                self.already.pending.remove(&(change.rule.clone(), change.subject.clone()));
            }
        }
        effects.faults.iter().for_each(|fault| self.take_fault(fault));
        effects.suppressed.iter().for_each(|suppressed| self.take_suppressed(suppressed));
        let decided = effects.notifications.into_iter();
        self.decided.extend(decided.map(|notification| (notification.id.clone(), notification)));
    }

    fn outbox(&mut self, dispatched: Dispatched) {
        match dispatched {
            Dispatched::Attempted(attempt) => self.take_attempt(&attempt),
            Dispatched::Ended { channel, closed, .. } => self.take_end(&channel, &closed),
            Dispatched::Summarised { .. } => {}
        }
    }
}

impl Totals {
    /// Counts an event.
    pub(super) fn count(&mut self, kind: EventKind, already: bool) {
        match kind {
            EventKind::Raised if already => self.already += 1,
            EventKind::Raised => self.raised += 1,
            EventKind::Recovered => self.recovered += 1,
            EventKind::Closed => self.closed += 1,
            EventKind::Escalated
            | EventKind::Eased
            | EventKind::Reminded
            | EventKind::Unacknowledged
            | EventKind::Acknowledged
            | EventKind::Stale
            | EventKind::Flapping => {}
        }
    }

    fn count_notification(&mut self, already: bool) {
        match already {
            true => self.already_notified += 1,
            false => self.notifications += 1,
        }
    }
}
