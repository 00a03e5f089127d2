//! Replay: a recording over the rules, in virtual time.
//!
//! A recording is snapshots as JSON Lines, gzip or not. `arrived` says when a line came in; without it, a line came at its
//! `time`. `source` says who made it, and `stale_after` when its subject is stale; lines without them are of one source,
//! and stale after [`Options::stale_after`]. Neighbouring lines that came at the same time from the same source are one
//! input, as they were for the daemon.
//!
//! What came before [`Options::from`] is taken into history and judged by nobody. A condition that is already true when
//! the rules begin was not noticed there but before, nobody knows when: its raise is [`Told::already`], and counted apart.

pub mod against;
mod bound;
mod finding;
mod gzip;
mod recording;
pub mod revision;
mod stage;
mod story;
mod summary;

pub use crate::engine::{Event, RuleFault};
pub use bound::{Bound, NoBound};
pub use finding::Finding;
pub use recording::{Recording, open_text, span_of};
pub use summary::{ChannelSummary, Day, FaultSummary, RuleSummary, Summary, Totals};

use std::io;
use std::time::Duration;

use crate::model::{AlertNote, Time};

use super::bench::Bench;
use super::project::{Project, Sent};
use stage::Stage;
use story::Story;

/// How a recording is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// After how long without a snapshot a subject is stale, where a line does not say it.
    pub stale_after: Duration,
    /// Rules judge from here on; what came before only fills history.
    pub from: Option<Time>,
    /// What comes later is left out.
    pub until: Option<Time>,
    /// Whether notifications are put into words: that takes time, and totals alone do not need it.
    pub words: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { stale_after: Duration::from_secs(300), from: None, until: None, words: true }
    }
}

/// One thing that happened.
#[derive(Debug)]
pub enum Happening<'a> {
    /// Something happened to an alert. A raise may be of a condition that was already true when the rules began.
    Event {
        /// What happened.
        event: &'a Event,
        /// The raise is of a condition that was already true.
        already: bool,
    },
    /// The outbox sent something: one notification, or a summary of what a channel's limit held back. Only where words
    /// are asked for.
    Sent(Told<'a>),
    /// A rule failed at a place where it had not failed before. The file is the rule's.
    Fault {
        /// What is wrong.
        fault: &'a RuleFault,
        /// In which file.
        file: &'a str,
    },
    /// A line could not be used: its number, from 1, and why.
    BadLine(usize, &'a str),
    /// From time to time: how many snapshots were judged, and what time it is.
    Progress {
        /// Snapshots so far.
        snapshots: usize,
        /// The time in the recording.
        time: Option<Time>,
    },
}

/// A notification that was sent, or could not be: then its request is an error.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// When it was sent: later than it was decided where a limit held it back.
    pub time: Time,
    /// The notification in its channel's words.
    pub sent: &'a Sent,
    /// All that it tells of: of a summary what it stands for.
    pub notes: &'a [AlertNote],
    /// It tells of nothing but raises of conditions that were already true when the rules began.
    pub already: bool,
}

/// Runs a recording over a project. `tell` hears of everything in order; its first error ends the replay.
///
/// # Errors
/// Where the recording cannot be read on, or `tell` fails.
pub fn replay(
    recording: Recording,
    project: &Project,
    options: &Options,
    tell: &mut dyn FnMut(Happening<'_>) -> io::Result<()>,
) -> io::Result<Summary> {
    replay_to_end(recording, project, options, tell).map(|(summary, _)| summary)
}

/// As [`replay`], and gives the bench as it stands at the end, where there was anything to replay: its engine can be asked.
///
/// # Errors
/// As [`replay`].
pub fn replay_to_end(
    recording: Recording,
    project: &Project,
    options: &Options,
    tell: &mut dyn FnMut(Happening<'_>) -> io::Result<()>,
) -> io::Result<(Summary, Option<Bench>)> {
    let mut story = Story::new(project, options, tell);
    let mut stage = Stage::new(project, options);
    for chunk in recording.lines(project.limits)? {
        for line in chunk? {
            let number = line.number;
            story.summary.lines += 1;
            match line.read {
                Ok(snapshot) => stage.take(number, snapshot, &mut story),
                Err(reason) => story.bad_line(number, &reason),
            }
            story.check()?;
        }
        story.progress(stage.time());
        if stage.is_over() {
            break;
        }
    }
    stage.finish(&mut story);
    Ok((story.conclude()?, stage.into_bench()))
}

#[cfg(test)]
mod tests;
