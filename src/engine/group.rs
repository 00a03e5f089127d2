//! Groups: alerts of one route that are told together.
//!
//! A group waits `group_wait` after its first alert, and `group_interval` after each message. Its message tells what is
//! new and what ended, and lists what still fires. A group is one more hold: what a channel should know of each alert is
//! decided by [`Told`](crate::alert::Told) as ever.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{
    AlertNote, ChannelName, Group as GroupNote, Labels, Notification, NotificationId, Now, Occasion, RuleName,
    StillFiring, Time,
};
use crate::routing::Grouping;

use super::id::hash;
use super::{Alert, Effects, Engine, Member, TargetId};

/// Alerts of one message at most; further ones are told by further messages.
pub(super) const MAX_NOTES: usize = 500;
/// Members that still fire and are listed; of further ones only the number is told.
const MAX_STILL_FIRING: usize = 20;

/// A channel, and the values of the labels that its route groups by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupKey {
    pub(super) channel: ChannelName,
    pub(super) by: Labels,
}

/// What is remembered of a group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {
    wait: Duration,
    interval: Duration,
    /// When it was last told, in engine time.
    last: Option<Time>,
    /// When it is told next, where something waits.
    due: Option<Time>,
    /// Counts its messages: a part of their ids.
    n_told: u64,
    /// What was told and fires. Known again from the alerts after a restart.
    #[serde(skip)]
    members: BTreeSet<Member>,
    /// Of whom something is to be told.
    #[serde(skip)]
    waiting: BTreeSet<Member>,
}

impl Group {
    /// When it will be told next, if something waits from now on.
    fn next(&self, now: Time) -> Time {
        match (self.due, self.last) {
            (Some(due), _) => due,
            (None, Some(last)) if !self.members.is_empty() || now < last + self.interval => {
                now.max(last + self.interval)
            }
            (None, _) => now + self.wait,
        }
    }
}

impl Engine {
    /// When the next group is due.
    pub(super) fn next_group(&self) -> Option<Time> {
        self.groups_due.first().map(|(time, _)| *time)
    }

    /// When an alert would be told by its group.
    pub(super) fn group_due(&self, now: Now, key: &GroupKey, grouping: &Grouping) -> Time {
        self.groups.get(key).map_or(now.time + grouping.wait, |group| group.next(now.time))
    }

    /// Something of an alert waits for its group from now on. `grouping` is the route's; without one (the alert is no
    /// longer routed there) the group goes on as it was.
    pub(super) fn wait_in_group(&mut self, now: Now, key: &GroupKey, grouping: Option<&Grouping>, member: Member) {
        let (wait, interval) = grouping.map_or((Duration::ZERO, Duration::ZERO), |g| (g.wait, g.interval));
        let group = self.groups.entry(key.clone()).or_insert_with(|| Group {
            wait,
            interval,
            last: None,
            due: None,
            n_told: 0,
            members: BTreeSet::new(),
            waiting: BTreeSet::new(),
        });
        if grouping.is_some() {
            (group.wait, group.interval) = (wait, interval);
        }
        let due = group.next(now.time);
        group.waiting.insert(member);
        if group.due.is_none() {
            group.due = Some(due);
            self.touch_group(key);
        }
        self.groups_due.insert((due, key.clone()));
    }

    /// Nothing of an alert waits for its group any more.
    pub(super) fn stop_waiting(&mut self, key: &GroupKey, member: &Member) {
        let Some(group) = self.groups.get_mut(key) else { return };
        if group.waiting.remove(member) && group.waiting.is_empty() {
            if let Some(due) = group.due.take() {
                self.groups_due.remove(&(due, key.clone()));
            }
            self.touch_group(key);
        }
    }

    /// An alert is no longer of the group in which it was told.
    pub(super) fn leave_group(&mut self, channel: &ChannelName, alert: &Alert, name: &RuleName, target: &TargetId) {
        let Some(by) = alert.grouped.get(channel) else { return };
        let key = GroupKey { channel: channel.clone(), by: by.clone() };
        let member = (name.clone(), alert.subject.clone(), target.clone());
        self.stop_waiting(&key, &member);
        if let Some(group) = self.groups.get_mut(&key) {
            group.members.remove(&member);
        }
    }

    /// After a restart: an alert that was told in a group and fires is its member.
    pub(super) fn rejoin_groups(&mut self, name: &RuleName, target: &TargetId, alert: &Alert) {
        for (channel, by) in alert.grouped.iter().filter(|_| alert.firing.is_some()) {
            if let Some(group) = self.groups.get_mut(&GroupKey { channel: channel.clone(), by: by.clone() }) {
                group.members.insert((name.clone(), alert.subject.clone(), target.clone()));
            }
        }
    }

    /// Puts groups in their place after a restart.
    pub(super) fn restore_group(&mut self, key: GroupKey, group: Group) {
        if let Some(due) = group.due {
            self.groups_due.insert((due, key.clone()));
        }
        self.groups.insert(key, group);
    }

    /// Tells the groups that are due.
    pub(super) fn tell_groups(&mut self, now: Now, effects: &mut Effects) {
        while let Some((_, key)) = self.groups_due.first().filter(|(due, _)| *due <= now.time).cloned() {
            self.groups_due.pop_first();
            let Some(group) = self.groups.get_mut(&key) else { continue };
            group.due = None;
            let mut waiting = std::mem::take(&mut group.waiting).into_iter().peekable();
            while waiting.peek().is_some() {
                let some: Vec<Member> = waiting.by_ref().take(MAX_NOTES).collect();
                self.tell_group(now, &key, some, effects);
            }
            self.touch_group(&key);
        }
    }

    /// Tells of these members in one message.
    fn tell_group(&mut self, now: Now, key: &GroupKey, waiting: Vec<Member>, effects: &mut Effects) {
        let Some(group) = self.groups.get_mut(key) else { return };
        group.n_told += 1;
        let id = group_notification_id(self.settings.seed, key, now, group.n_told);
        let mut notes: Vec<AlertNote> = Vec::new();
        let mut told_of = Vec::new();
        for (name, subject, target) in waiting {
            let Some(rule) = self.rules.rules.get(&name).cloned() else { continue };
            let Some(mut alert) = self.detach(&name, &target) else { continue };
            let (routed, _) = self.presents(now, &rule, &alert);
            let group = routed.get(&key.channel).and_then(|routed| routed.group.as_ref());
            if group.is_some_and(|(now_in, _)| now_in != key) {
                // Its labels or its route changed while it waited: another group tells it.
                self.tell_and_attach(now, &name, target, alert, effects);
                continue;
            }
            let present = routed.get(&key.channel).map(|routed| routed.present);
            let mut told = alert.told.remove(&key.channel).unwrap_or_default();
            let new =
                self.tell_channel(now, &rule, &target, &mut alert, (&key.channel, &mut told), present, &id, effects);
            alert.told.insert(key.channel.clone(), told);
            if !new.is_empty() {
                if alert.grouped.get(&key.channel).is_some_and(|by| *by != key.by) {
                    self.leave_group(&key.channel, &alert, &name, &target);
                }
                alert.grouped.insert(key.channel.clone(), key.by.clone());
                told_of.push((name.clone(), target.clone()));
                if alert.firing.is_some()
                    && let Some(group) = self.groups.get_mut(key)
                {
                    group.members.insert((name.clone(), subject, target.clone()));
                }
            }
            notes.extend(new);
            self.tell_and_attach(now, &name, target, alert, effects);
        }
        if notes.is_empty() {
            return;
        }
        let (firing, firing_omitted) = self.still_firing(now, key, &told_of);
        let Some(group) = self.groups.get_mut(key) else { return };
        group.last = Some(now.time);
        self.fly(&id, &key.channel, told_of);
        let occasion = Occasion::Group(GroupNote { by: key.by.clone(), firing, firing_omitted });
        let (channel, time) = (key.channel.clone(), now.wall());
        effects.notifications.push(Notification { id, channel, time, alerts: notes, occasion });
    }

    /// The members that fire and of which nothing is told now, the first of them, and how many more there are.
    fn still_firing(
        &mut self,
        now: Now,
        key: &GroupKey,
        told_of: &[(RuleName, TargetId)],
    ) -> (Vec<StillFiring>, usize) {
        let told_of: BTreeSet<&(RuleName, TargetId)> = told_of.iter().collect();
        let Some(group) = self.groups.get(key) else { return (Vec::new(), 0) };
        let others: Vec<&Member> = group
            .members
            .iter()
            .filter(|(name, _, target)| !told_of.contains(&(name.clone(), target.clone())))
            .collect();
        let listed: Vec<StillFiring> = others
            .iter()
            .take(MAX_STILL_FIRING)
            .filter_map(|(name, subject, target)| {
                let firing = self.states.get(name)?.alerts.get(target)?.firing.as_ref()?;
                Some(StillFiring {
                    id: firing.id.clone(),
                    rule: name.clone(),
                    subject: subject.clone(),
                    level: firing.level,
                    since: now.wall_of(firing.since),
                })
            })
            .collect();
        let omitted = others.len().saturating_sub(MAX_STILL_FIRING);
        (listed, omitted)
    }

    /// Forgets groups in which nothing is, and that may begin anew.
    pub(super) fn forget_groups(&mut self, now: Now) {
        let is_over = |group: &Group| {
            group.members.is_empty()
                && group.waiting.is_empty()
                && group.last.is_none_or(|last| last + group.interval <= now.time)
        };
        let over: Vec<GroupKey> =
            self.groups.iter().filter(|(_, group)| is_over(group)).map(|(key, _)| key.clone()).collect();
        for key in over {
            self.groups.remove(&key);
            self.touch_group(&key);
        }
    }
}

fn group_notification_id(seed: u64, key: &GroupKey, now: Now, count: u64) -> NotificationId {
    let (time, count) = (now.time.as_micros().to_be_bytes(), count.to_be_bytes());
    let by: Vec<&[u8]> = key.by.iter().flat_map(|(label, value)| [label.as_bytes(), value.as_bytes()]).collect();
    let mut parts: Vec<&[u8]> = vec![b"group", key.channel.as_str().as_bytes(), &time, &count];
    parts.extend(by);
    NotificationId::from(hash(seed, &parts))
}
