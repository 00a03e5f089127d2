//! Two sets of rules over one recording: what an edit changes for those who are told.
//!
//! Both sides are whole projects, driven side by side over the same lines. What is compared is what channels were told of
//! each alert: a notification that tells of several alerts counts once for each of them.
//!
//! How it is matched (`pairing.rs`): first the *firings* of each rule and subject (from the first raise to the end), by
//! their place in time: firings that begin together are the same, else those that overlap, the longest overlap first, in
//! their order. So an edit that adds a firing in the morning does not shift all others of the day. Then, within the same
//! firing and channel, what was told: what both tell at the same time, then the first reminder with the first reminder, an
//! end (recovered, closed) with the end. What has no partner was gained or lost. A rule that is called otherwise is another rule.
//!
//! What was told at another time is *earlier* or *later*, and only its event and level are compared besides: its words tell
//! of other values. What was told at the same time is *changed* where event, level or words differ; words are not compared
//! where the firing began at another time, for they tell of that. What was already true on both sides when the rules began
//! is told at the same time: when a hold time that begins anew there is over says nothing of the edit.

mod pairing;
mod side;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};

use serde::Serialize;

use super::recording::{Line, Recording};
use super::summary::Summary;
use super::{Happening, Options};
use crate::lab::project::Project;
use crate::model::{ChannelName, CloseReason, EventKind, FiringId, Level, RuleName, SubjectKey, Time};
use side::Side;

/// Chunks of lines that a side may be behind.
const AHEAD: usize = 4;

/// What a channel was told of one alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Telling {
    /// When.
    pub time: Time,
    /// Who was told.
    #[serde(skip)]
    pub channel: ChannelName,
    /// The rule.
    #[serde(skip)]
    pub rule: RuleName,
    /// The subject.
    #[serde(skip)]
    pub subject: SubjectKey,
    /// The firing.
    #[serde(rename = "id")]
    pub firing: FiringId,
    /// What happened.
    pub event: EventKind,
    /// Why it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<CloseReason>,
    /// How bad it is.
    pub level: Level,
    /// When it was raised.
    pub since: Time,
    /// The rule's line about it.
    pub message: String,
    /// The words of the notification, where it tells of nothing else.
    #[serde(flatten)]
    pub words: Option<Words>,
    /// The raise of a condition that was already true when the rules began.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub already: bool,
}

/// The words of a notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Words {
    /// One line.
    pub title: String,
    /// Some lines.
    pub text: String,
}

/// What differs between the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the new side tells it.
    Gained,
    /// Only the old side told it.
    Lost,
    /// The new side tells it earlier.
    Earlier,
    /// The new side tells it later.
    Later,
    /// Both tell it at the same time, with another event, level or text.
    Changed,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// What differs.
    pub change: Change,
    /// What the old side told.
    pub was: Option<Telling>,
    /// What the new side tells.
    pub is: Option<Telling>,
}

impl Difference {
    /// The telling of the side that has it: the new one, else the old one.
    pub fn telling(&self) -> &Telling {
        let telling = self.is.as_ref().or(self.was.as_ref());
        telling.expect("a difference is made of at least one telling")
    }
}

/// How much differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Told by the new side only.
    pub gained: usize,
    /// Told by the old side only.
    pub lost: usize,
    /// Told earlier.
    pub earlier: usize,
    /// Told later.
    pub later: usize,
    /// Told with another event, level or text.
    pub changed: usize,
    /// Told alike.
    pub same: usize,
}

impl Tally {
    /// Whether both sides tell the same.
    pub const fn is_same(&self) -> bool {
        self.gained + self.lost + self.earlier + self.later + self.changed == 0
    }

    fn count(&mut self, change: Change) {
        *match change {
            Change::Gained => &mut self.gained,
            Change::Lost => &mut self.lost,
            Change::Earlier => &mut self.earlier,
            Change::Later => &mut self.later,
            Change::Changed => &mut self.changed,
        } += 1;
    }
}

/// What came of two projects over one recording.
#[derive(Debug)]
pub struct Comparison {
    /// Every difference, by rule, then by time.
    pub differences: Vec<Difference>,
    /// How much differs, in all.
    pub tally: Tally,
    /// How much differs of each rule that told anything on either side.
    pub rules: BTreeMap<RuleName, Tally>,
    /// Rules that only the new side has.
    pub added: Vec<RuleName>,
    /// Rules that only the old side has.
    pub removed: Vec<RuleName>,
    /// The old side in numbers.
    pub old: Summary,
    /// The new side in numbers.
    pub new: Summary,
}

/// Runs a recording over two projects at once. `tell` hears of broken lines, of faults (of the new side), and of how far
/// it is; its first error ends it.
///
/// # Errors
/// Where the recording cannot be read on, or `tell` fails.
pub fn against(
    recording: Recording,
    old: &Project,
    new: &Project,
    options: &Options,
    tell: &mut dyn FnMut(Happening<'_>) -> io::Result<()>,
) -> io::Result<Comparison> {
    let options = &Options { words: true, ..options.clone() };
    let lines = recording.lines(new.limits)?;
    std::thread::scope(|scope| {
        let start = |project| {
            let (sender, chunks) = mpsc::sync_channel::<Arc<Vec<Line>>>(AHEAD);
            (sender, scope.spawn(move || Side::run(project, options, &chunks)))
        };
        let ((to_old, old_side), (to_new, new_side)) = (start(old), start(new));
        let mut snapshots = 0;
        for chunk in lines {
            let chunk = Arc::new(chunk?);
            snapshots += chunk.iter().filter(|line| line.read.is_ok()).count();
            let last = chunk.last().and_then(|line| line.read.as_ref().ok());
            let time = last.and_then(|last| last.arrived.or(last.time));
            let is_taken = |side: &SyncSender<_>| side.send(chunk.clone()).is_ok();
            // A side takes no more when what comes is after the end that was asked for.
            let (by_old, by_new) = (is_taken(&to_old), is_taken(&to_new));
            tell(Happening::Progress { snapshots, time })?;
            if !by_old && !by_new {
                break;
            }
        }
        drop((to_old, to_new));
        let ended = |side: std::thread::ScopedJoinHandle<'_, _>| {
            side.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        let (old_side, new_side): (Side, Side) = (ended(old_side), ended(new_side));
        new_side.report(new, tell)?;
        Ok(compare(old, new, old_side, new_side))
    })
}

fn compare(old: &Project, new: &Project, old_side: Side, new_side: Side) -> Comparison {
    let (mut tally, mut rules) = (Tally::default(), BTreeMap::<RuleName, Tally>::new());
    let mut differences = Vec::new();
    let (old_summary, new_summary) = (old_side.summary.clone(), new_side.summary.clone());
    for (was, is) in pairing::pairs(old_side.tellings, &old_side.spans, new_side.tellings, &new_side.spans) {
        let Some(rule) = is.as_ref().or(was.as_ref()).map(|telling| telling.rule.clone()) else { continue };
        let of_rule = rules.entry(rule).or_default();
        match change(was.as_ref(), is.as_ref()) {
            Some(change) => {
                tally.count(change);
                of_rule.count(change);
                differences.push(Difference { change, was, is });
            }
            None => {
                tally.same += 1;
                of_rule.same += 1;
            }
        }
    }
    differences.sort_by(|a, b| {
        let key = |difference: &Difference| {
            let Telling { rule, time, subject, channel, event, .. } = difference.telling().clone();
            (rule, time, subject, channel, event, difference.change)
        };
        key(a).cmp(&key(b))
    });
    let only = |these: &Project, others: &Project| {
        these.rules.rules.keys().filter(|rule| !others.rules.rules.contains_key(*rule)).cloned().collect()
    };
    let (added, removed) = (only(new, old), only(old, new));
    Comparison { differences, tally, rules, added, removed, old: old_summary, new: new_summary }
}

/// What differs between two tellings that belong together. `None` where nothing does.
fn change(was: Option<&Telling>, is: Option<&Telling>) -> Option<Change> {
    let (was, is) = match (was, is) {
        (None, _) => return Some(Change::Gained),
        (_, None) => return Some(Change::Lost),
        (Some(was), Some(is)) => (was, is),
    };
    let differs = || {
        let words_differ = match (&was.words, &is.words) {
            (Some(was), Some(is)) => was != is,
            _ => was.message != is.message,
        };
        (words_differ && was.since == is.since)
            || was.event != is.event
            || was.level != is.level
            || was.reason != is.reason
    };
    if was.already && is.already && was.time != is.time {
        return (was.level != is.level).then_some(Change::Changed);
    }
    match is.time.cmp(&was.time) {
        std::cmp::Ordering::Less => Some(Change::Earlier),
        std::cmp::Ordering::Greater => Some(Change::Later),
        std::cmp::Ordering::Equal => differs().then_some(Change::Changed),
    }
}

#[cfg(test)]
mod tests;
