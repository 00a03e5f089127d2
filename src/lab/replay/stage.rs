//! From lines to inputs: what came together, when rules begin, and when it is over.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::channels::message::Message;
use crate::engine::Input;
use crate::history::{Batch, Older, Source};
use crate::lab::bench::Bench;
use crate::lab::project::{Project, Sent};
use crate::model::wire::WireSnapshot;
use crate::model::{Notification, Now, Snapshot, Time};

use super::Options;
use super::story::Story;

/// Snapshots of one input: more that came at the same time are further inputs.
const MAX_INPUT: usize = 100_000;

/// The bench, and the snapshots that come at its present time.
pub(super) struct Stage<'a> {
    project: &'a Project,
    options: &'a Options,
    /// Made with the first snapshot, at whose time the story begins.
    bench: Option<Bench>,
    /// The rules do not judge yet.
    warms_up: bool,
    is_over: bool,
    pending: Vec<Snapshot>,
    /// The numbers of their lines.
    numbers: Vec<usize>,
    /// Who made them.
    source: Source,
    /// Of lines that name none.
    unnamed: Arc<str>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(project: &'a Project, options: &'a Options) -> Stage<'a> {
        let unnamed: Arc<str> = "recording".into();
        Stage {
            project,
            options,
            bench: None,
            warms_up: options.from.is_some(),
            is_over: false,
            pending: Vec::new(),
            numbers: Vec::new(),
            source: Source { name: unnamed.clone(), stale_after: Duration::ZERO },
            unnamed,
        }
    }

    /// The time in the recording.
    pub(super) fn time(&self) -> Option<Time> {
        self.bench.as_ref().map(|bench| bench.now().time)
    }

    /// Nothing that comes is within the replay any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes the snapshot of a line.
    pub(super) fn take(&mut self, number: usize, entry: WireSnapshot, story: &mut Story<'_>) {
        if self.is_over {
            return;
        }
        let arrived = entry.arrived.or(entry.time);
        let Some(now) = self.time().max(arrived) else {
            return story
                .bad_line(number, "the first snapshot has no `time`, so it is not known when the story begins");
        };
        if self.options.until.is_some_and(|until| until < now) {
            self.is_over = true;
            return;
        }
        let stale_after = entry.stale_after.unwrap_or(self.options.stale_after);
        let name = entry.source.as_ref().unwrap_or(&self.unnamed);
        let is_other = self.source.name != *name || self.source.stale_after != stale_after;
        let other = is_other.then(|| Source { name: name.clone(), stale_after });
        let is_due = self.time().is_some_and(|time| time < now);
        if is_other || is_due || self.pending.len() >= MAX_INPUT {
            self.flush(story);
        }
        if let Some(other) = other {
            self.source = other;
        }
        self.approach(now, story);
        let (first, last) = story.summary.span.get_or_insert((now, now));
        (*first, *last) = (*first, now);
        self.numbers.push(number);
        self.pending.push(entry.into_snapshot(Now::at(now)));
    }

    /// Comes to a time, with all that was due before it.
    fn approach(&mut self, now: Time, story: &mut Story<'_>) {
        let begins = self.options.from.filter(|from| self.warms_up && *from <= now);
        if self.bench.is_none() {
            // A recording that begins later than the rules has no warm-up.
            self.warms_up &= begins.is_none();
            let render = if self.options.words { self.project.renderer() } else { Box::new(wordless) };
            let mut bench = self.project.bench_without_rules(Now::at(now), false, render, story);
            match self.warms_up {
                false => bench.feed(Input::Rules(self.project.rules.clone()), story),
                // What the rules will look back on is kept for as long from the beginning.
                true => bench.feed(Input::Backfill(Older::new(self.project.rules.reach(), now).into()), story),
            }
            self.bench = Some(bench);
            story.summary.judged_from = (!self.warms_up).then_some(now);
            return;
        }
        let Some(bench) = &mut self.bench else { return };
        if let Some(from) = begins.filter(|_| self.warms_up) {
            self.warms_up = false;
            go_on(bench.approach(from, story, || Ok(())));
            story.summary.judged_from = Some(from);
            story.summary.warm_up = story.summary.snapshots;
            story.begins(true);
            bench.feed(Input::Rules(self.project.rules.clone()), story);
            story.begins(false);
            story.note_pending(bench.engine(), from);
        }
        go_on(bench.approach(now, story, || Ok(())));
    }

    fn flush(&mut self, story: &mut Story<'_>) {
        let Some(bench) = &mut self.bench else { return };
        if self.pending.is_empty() {
            return;
        }
        story.line_numbers = std::mem::take(&mut self.numbers);
        let snapshots = std::mem::take(&mut self.pending);
        let batch = Batch { source: self.source.clone(), snapshots, complete: Vec::new() };
        bench.feed(Input::Batch(batch.into()), story);
    }

    /// Judges what is still to be judged, and what is due by the end that was asked for.
    pub(super) fn finish(&mut self, story: &mut Story<'_>) {
        self.flush(story);
        let until = self.options.until.filter(|_| self.is_over);
        if let Some(until) = until {
            // The rules may begin in a silence between two snapshots.
            if self.bench.is_some() {
                self.approach(until, story);
            }
            if let Some(bench) = &mut self.bench {
                go_on(bench.advance(until, story, || Ok(())));
            }
        }
        if let Some(bench) = &self.bench {
            story.look_at(bench.engine());
        }
    }
}

impl Stage<'_> {
    /// The bench, where there was anything to replay.
    pub(super) fn into_bench(self) -> Option<Bench> {
        self.bench
    }
}

/// A notification of which nobody reads the words.
fn wordless(notification: &Arc<Notification>) -> Sent {
    let message = Message { title: String::new(), text: String::new() };
    Sent { notification: notification.clone(), message, request: Ok(serde_json::Value::Null) }
}

/// Nothing stops the clock of a replay.
fn go_on(moved: Result<(), Infallible>) {
    moved.unwrap_or_else(|never| match never {});
}
