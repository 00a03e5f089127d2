//! Replay: a recording over the rules, in virtual time.
//!
//! A recording is snapshots as JSON Lines. `arrived` says when a line came in; without it, a line came at its `time`.
//! Neighbouring lines that came at the same time are one input. Who made the snapshots is not recorded, so all subjects
//! belong to one source, and are stale after [`Options::stale_after`].

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, BufRead, Read as _};
use std::time::Duration;

use crate::engine::{Effects, Engine, Event, Input, RuleFault};
use crate::history::{Batch, BatchReport, Refusal, Source};
use crate::model::wire::{self, WireSnapshot};
use crate::model::{ChannelName, EventKind, Now, RuleName, Snapshot, Time};

use super::bench::{Bench, Observer};
use super::project::{Project, Sent};

/// The longest line of a recording, in bytes: a longer one is broken.
const MAX_LINE: u64 = 16 << 20;
/// Snapshots of one input: more that came at the same time are further inputs.
const MAX_INPUT: usize = 100_000;

/// How a recording is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// After how long without a snapshot a subject is stale.
    pub stale_after: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options { stale_after: Duration::from_secs(300) }
    }
}

/// One thing that happened.
#[derive(Debug)]
pub enum Happening<'a> {
    /// Something happened to an alert.
    Event(&'a Event),
    /// A channel would have been told.
    Sent(&'a Sent),
    /// A rule failed.
    Fault(&'a RuleFault),
    /// A line could not be used: its number, from 1, and why.
    BadLine(usize, &'a str),
}

/// What came of a rule, or of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Firings that began.
    pub raised: u64,
    /// Firings that ended well.
    pub recovered: u64,
    /// Firings that ended otherwise.
    pub closed: u64,
    /// Notifications.
    pub notifications: u64,
}

/// A replay in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines of the recording that are not empty.
    pub lines: usize,
    /// Lines that could not be used.
    pub bad_lines: usize,
    /// Snapshots that were judged.
    pub snapshots: usize,
    /// Snapshots that came after a newer one of their subject, and equal ones.
    pub passed_over: usize,
    /// Evaluations of rules.
    pub evaluations: u64,
    /// The time of the first and the last input.
    pub span: Option<(Time, Time)>,
    /// Every rule.
    pub rules: BTreeMap<RuleName, Totals>,
    /// Every channel.
    pub channels: BTreeMap<ChannelName, Totals>,
}

/// Runs a recording over a project. `tell` hears of everything in order; its first error ends the replay.
///
/// # Errors
/// Where the recording cannot be read on, or `tell` fails.
pub fn replay(
    mut recording: impl BufRead,
    project: &Project,
    options: &Options,
    tell: &mut dyn FnMut(Happening<'_>) -> io::Result<()>,
) -> io::Result<Summary> {
    let mut story = Story::new(project, tell);
    let mut stage = Stage { bench: None, project, options, pending: Vec::new() };
    let mut line = Vec::new();
    let mut number = 0;
    while read_line(&mut recording, &mut line)? {
        number += 1;
        if number == 1 && line.starts_with("\u{feff}".as_bytes()) {
            // A byte order mark is an editor's habit and no part of the text.
            line.drain(.."\u{feff}".len());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        story.summary.lines += 1;
        match wire::parse_line(&line, number, &project.limits) {
            _ if line.len() as u64 >= MAX_LINE => story.bad_line(number, "the line is longer than 16 MiB"),
            Ok(entry) => stage.take(number, entry, &mut story),
            Err(error) => story.bad_line(number, &error.reason),
        }
        story.check()?;
    }
    stage.flush(&mut story);
    story.check()?;
    Ok(story.summary)
}

/// Reads a line, of an overlong one only the beginning. Says whether there was one.
fn read_line(recording: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let n_read = recording.by_ref().take(MAX_LINE).read_until(b'\n', line)?;
    if n_read as u64 == MAX_LINE && line.last() != Some(&b'\n') {
        recording.skip_until(b'\n')?;
    }
    Ok(n_read > 0)
}

/// The bench, and the snapshots that come at its present time.
struct Stage<'a> {
    /// Made with the first snapshot, at whose time the story begins.
    bench: Option<Bench>,
    project: &'a Project,
    options: &'a Options,
    /// With the numbers of their lines.
    pending: Vec<(usize, Snapshot)>,
}

impl Stage<'_> {
    fn take(&mut self, number: usize, entry: WireSnapshot, story: &mut Story<'_>) {
        let arrived = entry.arrived.or(entry.time);
        let Some(now) = self.bench.as_ref().map(|bench| bench.now().time).max(arrived) else {
            return story
                .bad_line(number, "the first snapshot has no `time`, so it is not known when the story begins");
        };
        let is_due = self.bench.as_ref().is_some_and(|bench| bench.now().time < now);
        if is_due || self.pending.len() >= MAX_INPUT {
            self.flush(story);
        }
        match &mut self.bench {
            Some(bench) => {
                bench.approach(now, story, || Ok::<(), Infallible>(())).unwrap_or_else(|never| match never {})
            }
            None => self.bench = Some(self.project.bench(Now::at(now), false, story)),
        }
        let (first, last) = story.summary.span.get_or_insert((now, now));
        (*first, *last) = (*first, now);
        self.pending.push((number, entry.into_snapshot(Now::at(now))));
    }

    fn flush(&mut self, story: &mut Story<'_>) {
        let Some(bench) = &mut self.bench else { return };
        if self.pending.is_empty() {
            return;
        }
        let (numbers, snapshots) = std::mem::take(&mut self.pending).into_iter().unzip();
        story.line_numbers = numbers;
        let source = Source { name: "recording".into(), stale_after: self.options.stale_after };
        bench.feed(Input::Batch(Batch { source, snapshots, complete: Vec::new() }), story);
    }
}

/// Who hears of what happens.
struct Story<'a> {
    project: &'a Project,
    tell: &'a mut dyn FnMut(Happening<'_>) -> io::Result<()>,
    summary: Summary,
    /// The lines of the snapshots that are being judged.
    line_numbers: Vec<usize>,
    /// The first error of `tell`.
    failed: Option<io::Error>,
}

impl<'a> Story<'a> {
    fn new(project: &'a Project, tell: &'a mut dyn FnMut(Happening<'_>) -> io::Result<()>) -> Story<'a> {
        let summary = Summary {
            rules: project.rules.rules.keys().map(|rule| (rule.clone(), Totals::default())).collect(),
            channels: project.channels.keys().map(|channel| (channel.clone(), Totals::default())).collect(),
            ..Summary::default()
        };
        Story { project, tell, summary, line_numbers: Vec::new(), failed: None }
    }

    fn tell(&mut self, happening: Happening<'_>) {
        if self.failed.is_none() {
            self.failed = (self.tell)(happening).err();
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn bad_line(&mut self, number: usize, reason: &str) {
        self.summary.bad_lines += 1;
        self.tell(Happening::BadLine(number, reason));
    }

    fn take_report(&mut self, report: &BatchReport) {
        self.summary.snapshots += report.taken;
        self.summary.passed_over += report.duplicates;
        for (index, refusal) in &report.refused {
            let number = self.line_numbers.get(*index).copied().unwrap_or(0);
            match refusal {
                Refusal::Late { .. } => self.summary.passed_over += 1,
                refusal => self.bad_line(number, &refusal.to_string()),
            }
        }
    }
}

impl Observer for Story<'_> {
    fn step(&mut self, _: &Engine, effects: Effects) {
        self.take_report(&effects.report);
        self.summary.evaluations += effects.evaluations;
        for event in &effects.events {
            let totals = self.summary.rules.entry(event.rule.clone()).or_default();
            match event.kind {
                EventKind::Raised => totals.raised += 1,
                EventKind::Recovered => totals.recovered += 1,
                EventKind::Closed => totals.closed += 1,
                EventKind::Escalated
                | EventKind::Eased
                | EventKind::Reminded
                | EventKind::Stale
                | EventKind::Flapping => {}
            }
            self.tell(Happening::Event(event));
        }
        for fault in effects.faults {
            self.tell(Happening::Fault(&fault));
        }
        for notification in effects.notifications {
            for note in &notification.alerts {
                self.summary.rules.entry(note.rule.clone()).or_default().notifications += 1;
                let totals = self.summary.channels.entry(notification.channel.clone()).or_default();
                match note.event {
                    EventKind::Raised => totals.raised += 1,
                    EventKind::Recovered => totals.recovered += 1,
                    EventKind::Closed => totals.closed += 1,
                    EventKind::Escalated
                    | EventKind::Eased
                    | EventKind::Reminded
                    | EventKind::Stale
                    | EventKind::Flapping => {}
                }
            }
            self.summary.channels.entry(notification.channel.clone()).or_default().notifications += 1;
            let sent = self.project.render(notification);
            self.tell(Happening::Sent(&sent));
        }
    }
}
