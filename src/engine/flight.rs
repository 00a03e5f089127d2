//! Notifications on their way, and what follows when they have come to their end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alert::{Events, OwedEnd};
use crate::model::{
    AlertNote, ChannelName, FiringId, Notification, NotificationId, Now, Occasion, RuleName, SubjectKey, Undelivered,
};

use super::books::Arrived;
use super::id::hash;
use super::{Alert, DeadLetter, Effects, Engine, Outcome, Suppressed, TargetId};

/// A notification on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Flight {
    /// Where it goes.
    pub(super) channel: ChannelName,
    /// The alerts that wait for it; each knows its own share of the events.
    #[serde(skip)]
    pub(super) alerts: Vec<(RuleName, TargetId)>,
    /// Events that no alert knows of: of alerts that are no longer remembered, of dead letters.
    #[serde(default)]
    pub(super) loose: Events,
    /// Ends that are owed after it, of alerts that are no longer remembered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ends: Vec<OwedEnd>,
    /// Firings of which it tells although it had been given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) revived: Vec<(RuleName, SubjectKey, FiringId)>,
}

impl Flight {
    pub(super) fn to(channel: ChannelName) -> Flight {
        Flight { channel, alerts: Vec::new(), loose: Events::default(), ends: Vec::new(), revived: Vec::new() }
    }

    /// Whether it knows something that no alert does.
    pub(super) fn is_loose(&self) -> bool {
        self.loose != Events::default() || !self.ends.is_empty() || !self.revived.is_empty()
    }
}

impl Engine {
    /// A notification came to its end: what waited for it follows.
    pub(super) fn arrived(&mut self, now: Now, id: &NotificationId, outcome: &Outcome, effects: &mut Effects) {
        let arrived = match outcome {
            Outcome::Delivered => Arrived::Itself,
            Outcome::Absorbed => Arrived::InSummary,
            Outcome::Dead { .. } => Arrived::Never,
        };
        if let Outcome::Dead { letter: Some(letter) } = outcome {
            self.tell_fallback(now, letter, effects);
        }
        let Some(Flight { channel, alerts, loose, ends, revived }) = self.flights.remove(id) else { return };
        self.touch_flight(id);
        for (_, _, firing) in &revived {
            self.revived.remove(&(channel.clone(), firing.clone()));
        }
        self.books_of(&channel).settle(loose, arrived);
        let (owed, dropped): (Vec<_>, Vec<_>) = ends.into_iter().partition(|end| end.is_owed(outcome.has_arrived()));
        self.suppress_ends(&channel, &notes(dropped), effects);
        self.send_ends(now, channel.clone(), notes(owed), effects);
        for (name, target) in alerts {
            let Some(mut alert) = self.detach(&name, &target) else { continue };
            if let Some(told) = alert.told.get_mut(&channel)
                && let Some(share) = told.in_flight().filter(|flight| flight.id == *id).map(|flight| flight.events)
            {
                let dropped = told.arrive(id, outcome.has_arrived()).unwrap_or_default();
                self.books_of(&channel).settle(share, arrived);
                self.suppress_ends(&channel, &dropped, effects);
            }
            self.tell_and_attach(now, &name, target, alert, effects);
        }
        if outcome.has_arrived() {
            for (rule, subject, firing) in revived {
                self.hear(now, &channel, &rule, &subject, &firing, effects);
            }
        }
    }

    /// A notification that had been given up told its channel of a firing: its end is owed now.
    fn hear(
        &mut self,
        now: Now,
        channel: &ChannelName,
        rule: &RuleName,
        subject: &SubjectKey,
        firing: &FiringId,
        effects: &mut Effects,
    ) {
        let Some(target) = self.target_of(rule, subject) else { return };
        let Some(mut alert) = self.detach(rule, &target) else { return };
        if alert.firing.as_ref().is_some_and(|present| present.id == *firing)
            && let Some(told) = alert.told.get_mut(channel)
        {
            told.hear();
        }
        self.tell_and_attach(now, rule, target, alert, effects);
    }

    /// What was given up is tried again. `ends` are of firings that are over, of which it tells as if they were not.
    pub(super) fn revive(&mut self, notification: &Notification, ends: Vec<AlertNote>) {
        let Notification { id, channel, alerts, .. } = notification;
        let events = match &notification.occasion {
            Occasion::Summary(summary) => Events { told: 0, folded: summary.events },
            Occasion::Alert | Occasion::Group(_) | Occasion::Undelivered(_) => Events::of(alerts),
        };
        self.books_of(channel).revive(events);
        let mut told = Vec::new();
        let mut owed = Vec::new();
        for note in alerts.iter().filter(|note| !note.event.is_end()) {
            if self.fires(&note.rule, &note.subject, &note.id) {
                told.push((note.rule.clone(), note.subject.clone(), note.id.clone()));
                self.revived.insert((channel.clone(), note.id.clone()), id.clone());
            } else if let Some(end) = ends.iter().find(|end| end.id == note.id) {
                self.books_of(channel).owe(1 + end.n_folded());
                owed.push(OwedEnd { note: end.clone(), if_arrived: true });
            }
        }
        let flight = self.flights.entry(id.clone()).or_insert_with(|| Flight::to(channel.clone()));
        flight.loose += events;
        flight.revived = told;
        flight.ends.extend(owed);
        self.touch_flight(id);
    }

    fn fires(&self, rule: &RuleName, subject: &SubjectKey, firing: &FiringId) -> bool {
        let alert = self.target_of(rule, subject).and_then(|target| self.states.get(rule)?.alerts.get(&target));
        alert.and_then(|alert| alert.firing.as_ref()).is_some_and(|present| present.id == *firing)
    }

    /// A firing is over of which the channel may yet be told, by a notification that had been given up: then it is owed
    /// the end too. Gives whether that is so.
    pub(super) fn owe_end_of_revived(&mut self, channel: &ChannelName, end: &AlertNote) -> bool {
        let Some(id) = self.revived.remove(&(channel.clone(), end.id.clone())) else { return false };
        let Some(flight) = self.flights.get_mut(&id) else { return false };
        flight.ends.push(OwedEnd { note: end.clone(), if_arrived: true });
        self.books_of(channel).owe(1 + end.n_folded());
        self.touch_flight(&id);
        true
    }

    /// The fallback channel is told what another channel could not be told.
    fn tell_fallback(&mut self, now: Now, letter: &Arc<DeadLetter>, effects: &mut Effects) {
        let DeadLetter { notification, reason } = &**letter;
        let Some(channel) = self.routing.fallback().filter(|fallback| **fallback != notification.channel) else {
            return;
        };
        let channel = channel.clone();
        // With the time: what was tried again and is given up again is told again.
        let time = now.time.as_micros().to_be_bytes();
        let parts: [&[u8]; 3] = [b"undelivered", notification.id.as_str().as_bytes(), &time];
        let id = NotificationId::from(hash(self.settings.seed, &parts));
        let undelivered = Undelivered {
            channel: notification.channel.clone(),
            notification: notification.id.clone(),
            reason: reason.clone(),
        };
        let alerts = notification.alerts.clone();
        self.books_of(&channel).owe(Events::of(&alerts).all());
        self.send_loose(now, channel, id, alerts, Occasion::Undelivered(undelivered), effects);
    }

    /// Sends what belongs to no alert that is remembered.
    fn send_loose(
        &mut self,
        now: Now,
        channel: ChannelName,
        id: NotificationId,
        alerts: Vec<AlertNote>,
        occasion: Occasion,
        effects: &mut Effects,
    ) {
        let flight = Flight { loose: Events::of(&alerts), ..Flight::to(channel.clone()) };
        self.flights.insert(id.clone(), flight);
        self.touch_flight(&id);
        effects.notifications.push(Notification { id, channel, time: now.wall(), alerts, occasion });
    }

    /// An alert is no longer remembered: what waits for a notification on its way is kept until that has arrived, and ends
    /// that waited for their group go now.
    pub(super) fn orphan(
        &mut self,
        now: Now,
        name: &RuleName,
        target: &TargetId,
        mut alert: Alert,
        effects: &mut Effects,
    ) {
        self.touch_alert(name, target, &alert);
        self.unindex_alert(name, target);
        for (channel, mut told) in std::mem::take(&mut alert.told) {
            self.leave_group(&channel, &alert, name, target);
            let missed = told.give_up_missed();
            if let Some(rule) = self.rules.rules.get(name).cloned() {
                self.suppress(&channel, &alert, &rule, missed, "no longer remembered", effects);
            }
            let Some(share) = told.in_flight().cloned() else {
                self.send_ends(now, channel, told.due_ends(), effects);
                continue;
            };
            let ends = told.take_ends();
            let flight = self.flights.entry(share.id.clone()).or_insert_with(|| Flight::to(channel));
            flight.alerts.retain(|(rule, waits)| !(rule == name && waits == target));
            flight.loose += share.events;
            flight.ends.extend(ends);
            self.touch_flight(&share.id);
        }
    }

    /// Ends are owed no more: what told of their firings was given up.
    fn suppress_ends(&mut self, channel: &ChannelName, ends: &[AlertNote], effects: &mut Effects) {
        for end in ends {
            let events = 1 + end.n_folded();
            self.books_of(channel).suppress(events);
            effects.suppressed.push(Suppressed {
                channel: channel.clone(),
                firing: end.id.clone(),
                rule: end.rule.clone(),
                subject: end.subject.clone(),
                reason: "its raise was not delivered",
                events,
            });
        }
    }

    /// Sends ends of alerts that are no longer remembered.
    fn send_ends(&mut self, now: Now, channel: ChannelName, notes: Vec<AlertNote>, effects: &mut Effects) {
        let Some(first) = notes.first() else { return };
        let time = now.time.as_micros().to_be_bytes();
        let parts: [&[u8]; 4] = [b"ends", channel.as_str().as_bytes(), first.id.as_str().as_bytes(), &time];
        let id = NotificationId::from(hash(self.settings.seed, &parts));
        self.send_loose(now, channel, id, notes, Occasion::Alert, effects);
    }
}

fn notes(ends: Vec<OwedEnd>) -> Vec<AlertNote> {
    ends.into_iter().map(|end| end.note).collect()
}
