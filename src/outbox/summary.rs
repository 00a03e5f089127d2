//! One notification that stands for many: what a channel is told when its limit lets no more through. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::queue::Urgency;
use crate::model::{
    AlertNote, ChannelName, EventKind, Level, Notification, NotificationId, Occasion, RuleName, Summary, SummaryCount,
    Time,
};

/// Alerts that a summary tells one by one.
const TOLD: usize = 20;
/// How the id of a summary begins: that of no other notification does.
const PREFIX: &str = "sum-";

/// Whether an id is that of a summary.
pub fn is_summary(id: &NotificationId) -> bool {
    id.as_str().starts_with(PREFIX)
}

/// The summary of some notifications of a channel, which are given in the order of their arrival.
///
/// Its id is a hash of theirs: where it is made again of the same, because a crash came before it was stored, it is the
/// same one.
pub fn summarise(seed: u64, channel: &ChannelName, members: &[&Notification], time: Time) -> Notification {
    let mut counts: BTreeMap<(Reverse<Level>, &RuleName, EventKind), usize> = BTreeMap::new();
    for member in members {
        match &member.occasion {
            Occasion::Summary(summary) => {
                for line in &summary.counts {
                    *counts.entry((Reverse(line.level), &line.rule, line.event)).or_default() += line.count;
                }
            }
            Occasion::Alert | Occasion::Group(_) | Occasion::Undelivered(_) => {
                for note in &member.alerts {
                    *counts.entry((Reverse(note.level), &note.rule, note.event)).or_default() += 1;
                }
            }
        }
    }
    let n_alerts: usize = counts.values().sum();
    let mut notes: Vec<&AlertNote> = members.iter().flat_map(|member| &member.alerts).collect();
    // Stable: what is equally urgent stays in its order.
    notes.sort_by_key(|note| (Urgency::of_note(note), Reverse(note.level)));
    let alerts: Vec<AlertNote> = notes.into_iter().take(TOLD).cloned().collect();
    let summary = Summary {
        stands_for: members.iter().map(|member| member.id.clone()).collect(),
        omitted: n_alerts.saturating_sub(alerts.len()),
        counts: counts
            .into_iter()
            .map(|((level, rule, event), count)| SummaryCount { rule: rule.clone(), level: level.0, event, count })
            .collect(),
        events: members.iter().map(|member| member.events()).sum(),
    };
    Notification {
        id: id(seed, channel, &summary.stands_for),
        channel: channel.clone(),
        time,
        alerts,
        occasion: Occasion::Summary(summary),
    }
}

fn id(seed: u64, channel: &ChannelName, members: &[NotificationId]) -> NotificationId {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    for part in [channel.as_str()].into_iter().chain(members.iter().map(NotificationId::as_str)) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{hex}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::message::samples;
    use crate::model::FoldedEvent;

    const TIME: Time = Time::from_micros(1_000_000_000_000);

    fn raised(id: &str, rule: &str, level: Level) -> Notification {
        let mut notification = samples().remove(0);
        notification.id = id.into();
        let note = &mut notification.alerts[0];
        (note.id, note.rule, note.level, note.event) = (id.into(), rule.into(), level, EventKind::Raised);
        notification
    }

    fn summary(members: &[&Notification]) -> (Notification, Summary) {
        let notification = summarise(7, &"ops".into(), members, TIME);
        let Occasion::Summary(summary) = notification.occasion.clone() else { panic!("it is a summary") };
        (notification, summary)
    }

    fn lines(summary: &Summary) -> Vec<String> {
        let line = |line: &SummaryCount| format!("{} {} {} {}", line.count, line.level, line.rule, line.event);
        summary.counts.iter().map(line).collect()
    }

    #[test]
    fn all_are_counted_and_the_most_urgent_are_told() {
        let mut members: Vec<Notification> =
            (0..30).map(|n| raised(&format!("w{n}"), "cpu_high", Level::Warning)).collect();
        members.push(raised("c", "disk_full", Level::Critical));
        members[3].alerts[0].folded =
            vec![FoldedEvent { event: EventKind::Raised, level: Level::Warning, time: TIME }; 2];
        members[4].alerts[0].event = EventKind::Reminded;
        members[4].alerts[0].level = Level::Critical;
        let (notification, summary) = summary(&members.iter().collect::<Vec<_>>());
        assert_eq!(notification.alerts.len(), 20);
        let told: Vec<&str> = notification.alerts[..3].iter().map(|note| note.id.as_str()).collect();
        assert_eq!(told, ["c", "w0", "w1"], "a reminder comes after everything that is new");
        assert_eq!((summary.omitted, summary.events, summary.stands_for.len()), (11, 33, 31));
        assert_eq!(
            lines(&summary),
            ["1 critical cpu_high reminded", "1 critical disk_full raised", "29 warning cpu_high raised"]
        );
        assert!(is_summary(&notification.id) && !is_summary(&members[0].id));
    }

    #[test]
    fn a_summary_of_a_summary_counts_what_both_stand_for() {
        let members: Vec<Notification> = (0..25).map(|n| raised(&format!("a{n}"), "x", Level::Info)).collect();
        let (inner, _) = summary(&members.iter().collect::<Vec<_>>());
        let newer = raised("b", "x", Level::Error);
        let (outer, summary) = summary(&[&inner, &newer]);
        assert_eq!(summary.stands_for, [inner.id, "b".into()]);
        assert_eq!((summary.events, summary.omitted, outer.alerts.len()), (26, 6, 20));
        assert_eq!(lines(&summary), ["1 error x raised", "25 info x raised"]);
        assert_eq!(outer.alerts[0].id.as_str(), "b");
    }

    #[test]
    fn the_same_notifications_make_the_same_summary() {
        let (a, b) = (raised("a", "x", Level::Info), raised("b", "x", Level::Info));
        let id = |members: &[&Notification]| summary(members).0.id;
        assert_eq!(id(&[&a, &b]), id(&[&a, &b]));
        assert_ne!(id(&[&a, &b]), id(&[&b, &a]));
        assert_ne!(id(&[&a, &b]), summarise(8, &"ops".into(), &[&a, &b], TIME).id);
    }
}
