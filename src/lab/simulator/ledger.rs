//! The books of a story, kept anew from what receivers got: they know nothing of the engine's own counters.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::judge::ensure;
use super::story::Step;
use crate::engine::Engine;
use crate::model::{ChannelName, EventKind, FiringId, Notification, Occasion, Time};

/// No group waits longer for its next message.
const LONGEST_INTERVAL: Duration = Duration::from_secs(120);

/// What one channel got, by the receivers' logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Got {
    delivered: u64,
    absorbed: u64,
    dead: u64,
}

/// Judges that at every step owed = delivered + absorbed + waiting + dead + suppressed for every channel, and that these
/// are what receivers and suppressions say.
pub(super) fn judge(steps: &[Step]) -> Result<(), String> {
    let mut on_their_way: Vec<(Time, bool, &Notification)> = Vec::new();
    let mut got: BTreeMap<ChannelName, Got> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        for (notification, end, arrives) in &step.notifications {
            on_their_way.push((*end, *arrives, notification));
        }
        for (channel, books) in &step.books {
            ensure(books.is_balanced(), &format!("the books of {channel} are balanced after step {index}: {books:?}"))?;
        }
        // What ends at this very time may be told to the engine by a later step of the same time.
        if steps.get(index + 1).is_some_and(|next| next.time == step.time) {
            continue;
        }
        on_their_way.retain(|(end, arrives, notification)| {
            let ended = *end <= step.time;
            if ended {
                let got = got.entry(notification.channel.clone()).or_default();
                for note in &notification.alerts {
                    let folded = note.folded.len() as u64 + note.folded_omitted;
                    match arrives {
                        true => {
                            got.delivered += 1;
                            got.absorbed += folded;
                        }
                        false => got.dead += 1 + folded,
                    }
                }
            }
            !ended
        });
        for (channel, books) in &step.books {
            let told = Got { delivered: books.delivered, absorbed: books.absorbed, dead: books.dead };
            let got = got.get(channel).copied().unwrap_or_default();
            ensure(
                told == got,
                &format!("the books of {channel} say what it got by step {index}: {books:?}, {got:?}"),
            )?;
            let sent = on_their_way.iter().filter(|(_, _, sent)| sent.channel == *channel);
            let sent: u64 = sent.map(|(_, _, sent)| sent.events()).sum();
            ensure(sent <= books.waiting, &format!("what is on its way to {channel} waits: {sent}, {books:?}"))?;
        }
    }
    let mut suppressed: BTreeMap<&ChannelName, u64> = BTreeMap::new();
    for one in steps.iter().flat_map(|step| &step.suppressed) {
        *suppressed.entry(&one.channel).or_default() += one.events;
    }
    for (channel, books) in steps.last().map(|step| &step.books).into_iter().flatten() {
        let named = suppressed.get(channel).copied().unwrap_or_default();
        ensure(
            books.suppressed == named,
            &format!("each suppressed event of {channel} has its reason: {named}, {books:?}"),
        )?;
    }
    Ok(())
}

/// Judges that each channel hears of each firing in order: something that fires, then exactly one end, then nothing more;
/// and in the end of every firing whether it is over.
pub(super) fn judge_ends(steps: &[Step], engine: &Engine) -> Result<(), String> {
    let mut open: BTreeSet<(ChannelName, FiringId)> = BTreeSet::new();
    let mut over: BTreeSet<(ChannelName, FiringId)> = BTreeSet::new();
    for step in steps {
        for (notification, _, _) in &step.notifications {
            // A dead letter is told again as it was.
            if matches!(notification.occasion, Occasion::Undelivered(_)) {
                continue;
            }
            let mut seen = BTreeSet::new();
            for note in &notification.alerts {
                let key = (notification.channel.clone(), note.id.clone());
                ensure(!over.contains(&key), &format!("nothing follows an end: {} at {}: {note:?}", key.0, step.time))?;
                ensure(seen.insert((note.id.clone(), note.event.is_end())), "a message tells of a firing once")?;
                match note.event.is_end() {
                    true => {
                        ensure(open.remove(&key), &format!("an end follows a raise: {} {note:?}", key.0))?;
                        over.insert(key);
                    }
                    false => drop(open.insert(key)),
                }
                if note.event == EventKind::Recovered {
                    ensure(note.ended.is_some_and(|ended| ended >= note.since), "an end is after its raise")?;
                }
            }
        }
    }
    let arrived: BTreeSet<(ChannelName, FiringId)> = steps
        .iter()
        .flat_map(|step| &step.notifications)
        .filter(|(_, _, arrives)| *arrives)
        .flat_map(|(sent, _, _)| sent.alerts.iter().map(|note| (sent.channel.clone(), note.id.clone())))
        .collect();
    let fires: BTreeSet<FiringId> =
        engine.alerts().filter_map(|view| Some(view.alert.firing.as_ref()?.id.clone())).collect();
    // Its end waits for what is on its way, or for its group.
    let last = steps.last().map_or(Time::EPOCH, |step| step.time);
    let ended_late: BTreeSet<&FiringId> = steps
        .iter()
        .filter(|step| last.since(step.time) < LONGEST_INTERVAL)
        .flat_map(|step| step.events.iter().filter(|event| event.kind.is_end()).map(|event| &event.firing))
        .collect();
    let is_busy = |channel: &ChannelName, firing: &FiringId| {
        let sent = steps.iter().flat_map(|step| &step.notifications);
        let mut on_its_way = sent.filter(|(sent, end, _)| sent.channel == *channel && *end > last - LONGEST_INTERVAL);
        ended_late.contains(firing) || on_its_way.any(|(sent, ..)| sent.alerts.iter().any(|note| note.id == *firing))
    };
    for (channel, firing) in open.into_iter().filter(|key| arrived.contains(key)) {
        ensure(
            fires.contains(&firing) || is_busy(&channel, &firing),
            &format!("{channel} was told the end of {firing}"),
        )?;
    }
    Ok(())
}
