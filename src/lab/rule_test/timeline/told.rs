//! What a time line knows of channels: what was decided, sent, folded, tried again and given up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{About, Clock, Entry, Timeline};
use crate::channels::Verdict;
use crate::engine::Outcome;
use crate::lab::lanes::{Attempted, Dispatched};
use crate::model::{ChannelName, Notification, NotificationId, Occasion, Time, duration};
use crate::outbox::Next;

/// Lines that are printed of what one channel was told, the newest.
const MAX_CHANNEL_LINES: usize = 8;

/// The notifications that an entry is about.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// This one, and what a summary stands for.
    Whole(Arc<Notification>),
    /// Those with these ids.
    Ids(Vec<NotificationId>),
}

impl Timeline {
    /// Notes what the outbox did.
    pub(crate) fn outbox(&mut self, dispatched: &Dispatched) {
        let (time, channel, told, text) = match dispatched {
            Dispatched::Summarised { time, summary } => {
                let Occasion::Summary(content) = &summary.occasion else { return };
                let text =
                    format!("folds {} notifications into a summary: its limit is used up", content.stands_for.len());
                (*time, summary.channel.clone(), Told::Whole(summary.clone()), text)
            }
            Dispatched::Attempted(attempted) => {
                let notification = attempted.sent.notification.clone();
                let fails_again = match attempted.next {
                    Next::RetryAt { .. } => self.failing.get(&notification.id).copied(),
                    Next::Done | Next::Dead { .. } => None,
                };
                if let Some((began, Entry::Channel { text, .. })) = fails_again.map(|index| &mut self.entries[index]) {
                    *text = outcome(attempted, Some(*began));
                    return;
                }
                self.failing.insert(notification.id.clone(), self.entries.len());
                (attempted.time, notification.channel.clone(), Told::Whole(notification), outcome(attempted, None))
            }
            // What an attempt came to says its attempt.
            Dispatched::Ended { closed, .. } if !closed.unattempted => return,
            Dispatched::Ended { time, channel, closed } => {
                let ids = closed.each().map(|(id, _)| id.clone()).collect();
                let text = match &closed.outcome {
                    Outcome::Delivered | Outcome::Absorbed => "has it".to_string(),
                    Outcome::Dead { .. } => format!("gives it up: {}", closed.reason.as_deref().unwrap_or("no reason")),
                };
                (*time, channel.clone(), Told::Ids(ids), text)
            }
        };
        self.entries.push((time, Entry::Channel { channel, told, text }));
    }

    /// The ids of the notifications that tell of an alert, and of the summaries that stand for them.
    pub(super) fn ids(&self, about: &About) -> BTreeSet<NotificationId> {
        let mut ids = BTreeSet::new();
        for (_, entry) in &self.entries {
            match entry {
                Entry::Decided(notification) if tells_of(notification, about) => {
                    ids.insert(notification.id.clone());
                }
                Entry::Channel { told: Told::Whole(notification), .. } => {
                    if let Occasion::Summary(summary) = &notification.occasion
                        && summary.stands_for.iter().any(|id| ids.contains(id))
                    {
                        ids.insert(notification.id.clone());
                    }
                }
                _ => {}
            }
        }
        ids
    }

    /// Whether something is done at once about a notification that was decided: that says all there is to say.
    pub(super) fn acts_at_once(&self, index: usize, notification: &Notification) -> bool {
        let time = self.entries[index].0;
        let later = self.entries[index + 1..].iter().take_while(|(later, _)| *later == time);
        later.into_iter().any(|(_, entry)| match entry {
            Entry::Channel { told: Told::Whole(told), .. } => match &told.occasion {
                Occasion::Summary(summary) => summary.stands_for.contains(&notification.id),
                _ => told.id == notification.id,
            },
            Entry::Channel { told: Told::Ids(ids), .. } => ids.contains(&notification.id),
            _ => false,
        })
    }

    /// What each channel was told of an alert, or of everything, and what became of it: the newest last.
    pub(crate) fn channels(&self, about: Option<&About>, start: Time, zone: &TimeZone) -> Vec<String> {
        let clock = Clock { start, zone };
        let ids = about.map(|about| self.ids(about));
        let is_about = |told: &Told| ids.as_ref().is_none_or(|ids| told.is_of(ids));
        let mut by_channel: BTreeMap<&ChannelName, Vec<String>> = BTreeMap::new();
        for (index, (time, entry)) in self.entries.iter().enumerate() {
            let (channel, text) = match entry {
                Entry::Channel { channel, told, text } if is_about(told) => (channel, text.clone()),
                Entry::Decided(notification)
                    if about.is_none_or(|about| tells_of(notification, about))
                        && !self.acts_at_once(index, notification) =>
                {
                    (&notification.channel, "has to wait with it".to_string())
                }
                Entry::Suppressed { channel, rule, subject, reason }
                    if about.is_none_or(|about| *rule == about.rule && subject.name == about.subject) =>
                {
                    (channel, format!("is told nothing of {rule} {}: {reason}", subject.name))
                }
                _ => continue,
            };
            by_channel.entry(channel).or_default().push(format!("{}  {channel} {text}", clock.at(*time)));
        }
        let newest = |mut lines: Vec<String>| {
            let left_out = lines.len().saturating_sub(MAX_CHANNEL_LINES);
            lines.drain(..left_out);
            if left_out > 0 {
                lines.insert(0, format!("({left_out} earlier ones are left out)"));
            }
            lines
        };
        by_channel.into_values().flat_map(newest).collect()
    }
}

impl Told {
    pub(super) fn is_of(&self, ids: &BTreeSet<NotificationId>) -> bool {
        match self {
            Told::Whole(notification) => {
                let stands_for = match &notification.occasion {
                    Occasion::Summary(summary) => summary.stands_for.as_slice(),
                    _ => &[],
                };
                ids.contains(&notification.id) || stands_for.iter().any(|id| ids.contains(id))
            }
            Told::Ids(told) => told.iter().any(|id| ids.contains(id)),
        }
    }
}

/// What became of an attempt; of one that fails again, since when.
fn outcome(attempted: &Attempted, since: Option<Time>) -> String {
    let Attempted { sent, number, verdict, next, time } = attempted;
    let title = &sent.message.title;
    let which = if *number > 1 { format!(" (attempt {number})") } else { String::new() };
    match (next, verdict) {
        (Next::Done, Verdict::Ok) => format!("was told{which}: {title}"),
        (Next::Done, verdict) => {
            format!("was told{which}: {title}; but {}", verdict.reason().unwrap_or("not all of it"))
        }
        (Next::RetryAt { at, reason }, _) => {
            let next = duration::format(at.since(*time));
            let tried = match since {
                Some(since) => format!("{number} attempts in {}", duration::format(time.since(since))),
                None => format!("attempt {number}"),
            };
            format!("could not be told: {title} ({tried}, the next {next} later): {reason}")
        }
        (Next::Dead { reason }, _) => format!("gives it up: {title}: {reason}"),
    }
}

pub(super) fn tells_of(notification: &Notification, about: &About) -> bool {
    notification.alerts.iter().any(|note| note.rule == about.rule && note.subject.name == about.subject)
}
