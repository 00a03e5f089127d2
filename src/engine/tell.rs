//! Who is told of what, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::alert::{Decision, Events, Hold, Present, Reach, Told};
use crate::model::{
    AlertNote, ChannelName, CloseReason, EventKind, FoldedEvent, Labels, Level, Notification, NotificationId, Now,
    Occasion, RuleName, Time,
};
use crate::routing::{Facts, Grouping, Targets};
use crate::rules::{Rule, Scope};

use super::flight::Flight;
use super::group::GroupKey;
use super::id::hash;
use super::inhibit::Muted;
use super::state::{flap_limit, timing};
use super::{Alert, Effects, Engine, Suppressed, TargetId};

/// An alert as a channel should know it, and the group that tells it there.
#[derive(Clone, Debug)]
pub(super) struct Routed {
    pub(super) present: Present,
    pub(super) group: Option<(GroupKey, Arc<Grouping>)>,
}

/// What a channel should be told of an alert.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    pub(super) decision: Decision,
    pub(super) reach: Reach,
    /// The labels of the group that tells it.
    pub(super) group: Option<Labels>,
}

impl Engine {
    /// Tells every channel what it should know of an alert, and puts the alert back in its place.
    pub(super) fn tell_and_attach(
        &mut self,
        now: Now,
        name: &RuleName,
        target: TargetId,
        mut alert: Alert,
        effects: &mut Effects,
    ) {
        let Some(rule) = self.rules.rules.get(name).cloned() else {
            return self.orphan(now, name, &target, alert, effects);
        };
        if self.awaits_rules {
            // Nobody can be told by rules that are only remembered.
            return self.attach(now, name, target, alert, effects);
        }
        if self.waits_for_settling(&rule, &alert) {
            self.retell.insert((name.clone(), alert.subject.clone(), target.clone()));
            return self.attach(now, name, target, alert, effects);
        }
        let mut deadline = Engine::timer_deadline(&rule, &alert);
        let mut wants = |time: Option<Time>| deadline = [deadline, time].into_iter().flatten().min();
        wants(alert.flap.quiet_at(flap_limit(&rule)));
        wants(self.run_clocks(now, &rule, &mut alert, effects));
        let (routed, changes_at) = self.presents(now, &rule, &alert);
        wants(changes_at);
        let channels: BTreeSet<ChannelName> = alert.told.keys().chain(routed.keys()).cloned().collect();
        for channel in channels {
            let mut told = alert.told.remove(&channel).unwrap_or_default();
            let routed = routed.get(&channel);
            let present = routed.map(|routed| routed.present);
            let group = self.group_of_telling(&channel, &alert, routed);
            if let Some((key, grouping)) = group {
                let member = (name.clone(), alert.subject.clone(), target.clone());
                match told.is_due(present, now.time, timing(&rule)) {
                    true => self.wait_in_group(now, &key, grouping.as_deref(), member),
                    false => self.stop_waiting(&key, &member),
                }
            } else if self.is_released(&told, present, now, &rule) {
                let member = (name.clone(), alert.subject.clone(), target.clone());
                self.released.entry(channel.clone()).or_default().insert(member);
            } else {
                let id = self.notification_id(&channel, name, &alert, now);
                let notes =
                    self.tell_channel(now, &rule, &target, &mut alert, (&channel, &mut told), present, &id, effects);
                if !notes.is_empty() {
                    alert.n_notifications += 1;
                    self.fly(&id, &channel, vec![(name.clone(), target.clone())]);
                    let (channel, time, occasion) = (channel.clone(), now.wall(), Occasion::Alert);
                    effects.notifications.push(Notification { id, channel, time, alerts: notes, occasion });
                }
            }
            if let Some(present) = present {
                let decision = told.decide(present, now.time, timing(&rule));
                told.note_hold(decision);
                wants(match decision {
                    Decision::Nothing { reminder } => reminder,
                    Decision::Hold(hold) => hold.until(),
                    Decision::Tell(_) => None,
                });
            }
            if alert.firing.is_none() && !told.has_ends() && alert.grouped.contains_key(&channel) {
                self.leave_group(&channel, &alert, name, &target);
                alert.grouped.remove(&channel);
            }
            if !told.is_blank(now.time, timing(&rule)) || present.is_some() {
                alert.told.insert(channel, told);
            } else {
                let missed = told.give_up_missed();
                let reason = if alert.acknowledged.is_some() { "acknowledged" } else { "no longer routed" };
                self.suppress(&channel, &alert, &rule, missed, reason, effects);
            }
        }
        alert.deadline = deadline;
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, name.clone(), target.clone()));
        }
        self.attach(now, name, target, alert, effects);
    }

    /// The group that tells an alert to a channel: the route's, or for what is no longer routed there the one in which it
    /// was told.
    fn group_of_telling(
        &mut self,
        channel: &ChannelName,
        alert: &Alert,
        routed: Option<&Routed>,
    ) -> Option<(GroupKey, Option<Arc<Grouping>>)> {
        match routed {
            Some(routed) => routed.group.clone().map(|(key, grouping)| (key, Some(grouping))),
            None => {
                let by = alert.grouped.get(channel)?.clone();
                Some((GroupKey { channel: channel.clone(), by }, None))
            }
        }
    }

    /// Tells one channel what is due, by a notification `id` that is sent if this gives anything.
    #[expect(clippy::too_many_arguments, reason = "one alert at one channel, at one time")]
    pub(super) fn tell_channel(
        &mut self,
        now: Now,
        rule: &Arc<Rule>,
        target: &TargetId,
        alert: &mut Alert,
        (channel, told): (&ChannelName, &mut Told),
        present: Option<Present>,
        id: &NotificationId,
        effects: &mut Effects,
    ) -> Vec<AlertNote> {
        let mut notes = told.due_ends();
        if let Some(present) = present
            && let Decision::Tell(event) = told.decide(present, now.time, timing(rule))
        {
            self.refresh_message(now, rule, target, alert, event, effects);
            if let Some(mut note) = self.note(now, rule, alert, event, None) {
                let heard = told.firing().filter(|told| told.heard).map(|told| told.level);
                note.previous_level = heard.filter(|level| *level != note.level);
                let folded = told.tell(event, present, now.time, timing(rule));
                if folded.is_new {
                    self.books_of(channel).owe(1);
                }
                (note.folded, note.folded_omitted) = (folded.events, folded.omitted);
                notes.push(note);
            }
        }
        if !notes.is_empty() {
            told.depart(id.clone(), Events::of(&notes));
        }
        notes
    }

    /// A notification of these alerts is on its way.
    pub(super) fn fly(&mut self, id: &NotificationId, channel: &ChannelName, alerts: Vec<(RuleName, TargetId)>) {
        self.flights.insert(id.clone(), Flight { alerts, ..Flight::to(channel.clone()) });
    }

    /// Tells every channel of every alert what it should know: after a change of routes.
    pub(super) fn tell_all(&mut self, now: Now, effects: &mut Effects) {
        let all = self.alerts_that(|_, _, _| true);
        self.tell_these(now, all, effects);
    }

    /// Which channels should know of an alert that fires.
    pub(super) fn targets(&self, now: Now, rule: &Rule, alert: &Alert) -> Targets {
        let Some(firing) = &alert.firing else { return Targets::default() };
        self.with_facts(rule, alert, firing.level, |facts| self.routing.targets(facts, now.wall()))
    }

    /// Asks something of what routing looks at in an alert.
    pub(super) fn with_facts<T>(
        &self,
        rule: &Rule,
        alert: &Alert,
        level: Level,
        ask: impl FnOnce(&Facts<'_>) -> T,
    ) -> T {
        let labels = self.labels_of(rule, alert);
        let (subject, notify) = (&alert.subject, rule.notify.as_deref());
        ask(&Facts { rule: &rule.name, level, subject, labels: &labels, notify })
    }

    /// The alert as each channel should know it, and when that changes by itself. Nothing, where it does not fire.
    pub(super) fn presents(
        &self,
        now: Now,
        rule: &Rule,
        alert: &Alert,
    ) -> (BTreeMap<ChannelName, Routed>, Option<Time>) {
        let Some(firing) = &alert.firing else { return (BTreeMap::new(), None) };
        let targets = self.targets(now, rule, alert);
        let engine_time = |wall: Time| wall.offset(-now.wall_offset);
        let blind = self.world.blind().filter(|_| self.is_awaited(rule, alert));
        let (held, held_until) = self.held_by(now, rule, alert);
        let present = |reach| Present {
            level: firing.level,
            stale: alert.stale,
            flapping: alert.flap.is_flapping(),
            is_up: firing.rests_since.is_none(),
            blind,
            acknowledged: alert.acknowledged.is_some(),
            step: None,
            reach: held.unwrap_or(reach),
        };
        let group = |channel: &ChannelName| {
            let (by, grouping) = targets.groups.get(channel)?;
            Some((GroupKey { channel: channel.clone(), by: by.clone() }, grouping.clone()))
        };
        let mut routed = BTreeMap::new();
        for (channel, opens) in &targets.closed {
            let present = present(Reach::Closed { opens: engine_time(*opens) });
            routed.insert(channel.clone(), Routed { present, group: group(channel) });
        }
        for channel in &targets.open {
            routed.insert(channel.clone(), Routed { present: present(Reach::Open), group: group(channel) });
        }
        for escalation in &targets.escalations {
            let is_reached = alert.is_reached(now.time, escalation);
            let is_told = |channel: &ChannelName| alert.told.get(channel).is_some_and(|told| told.firing().is_some());
            for channel in escalation.to.iter().filter(|channel| is_reached || is_told(channel)) {
                let reach = match escalation.is_open {
                    true => Reach::Open,
                    false => Reach::Closed { opens: engine_time(escalation.opens) },
                };
                let routed =
                    routed.entry(channel.clone()).or_insert_with(|| Routed { present: present(reach), group: None });
                if is_reached {
                    routed.present.step = routed.present.step.max(Some(escalation.after));
                    if reach == Reach::Open && matches!(routed.present.reach, Reach::Closed { .. }) {
                        routed.present.reach = reach;
                    }
                }
            }
        }
        let changes_at = [targets.changes_at.map(engine_time), held_until].into_iter().flatten().min();
        (routed, changes_at)
    }

    /// What holds every channel back from an alert that fires, and until when at most, in engine time.
    pub(super) fn held_by(&self, now: Now, rule: &Rule, alert: &Alert) -> (Option<Reach>, Option<Time>) {
        let silenced = self.silenced(now, rule, alert);
        let changes_at = silenced.changes_at.map(|wall| wall.offset(-now.wall_offset));
        let muted = self.muted(now, rule, alert);
        let until = [changes_at, muted.as_ref().and_then(Muted::until)].into_iter().flatten().min();
        let reach = match muted {
            _ if !self.alerting => Some(Reach::Disabled),
            _ if !silenced.by.is_empty() => Some(Reach::Silenced { until: changes_at }),
            Some(muted) => Some(Reach::Inhibited { until: muted.until() }),
            None => None,
        };
        (reach, until)
    }

    /// Whether nothing was heard of what the alert is about since a restart.
    fn is_awaited(&self, rule: &Rule, alert: &Alert) -> bool {
        match &rule.scope {
            Scope::On { kind } => {
                self.world.find(kind, &alert.subject.name).is_some_and(|id| self.world.is_awaited(id))
            }
            Scope::Over { kind, .. } => self.world.awaits_any(kind),
        }
    }

    /// What holds each channel back from an alert that fires. A channel that knows all it should is not among them.
    pub fn holds(&self, now: Now, rule: &Rule, alert: &Alert) -> BTreeMap<ChannelName, Hold> {
        let held =
            self.tellings(now, rule, alert).into_iter().filter_map(|(channel, telling)| match telling.decision {
                Decision::Hold(hold) => Some((channel, hold)),
                Decision::Tell(_) | Decision::Nothing { .. } => None,
            });
        held.collect()
    }

    /// What each channel that an alert is routed to should be told of it now. Nothing, where it does not fire.
    pub(super) fn tellings(&self, now: Now, rule: &Rule, alert: &Alert) -> BTreeMap<ChannelName, Telling> {
        let blank = Told::default();
        let (routed, _) = self.presents(now, rule, alert);
        let tellings = routed.into_iter().map(|(channel, Routed { present, group })| {
            let told = alert.told.get(&channel).unwrap_or(&blank);
            let decision = match (told.decide(present, now.time, timing(rule)), &group) {
                (Decision::Tell(_), Some((key, grouping))) => {
                    Decision::Hold(Hold::Group { until: self.group_due(now, key, grouping) })
                }
                (decision, _) => decision,
            };
            let group = group.map(|(key, _)| key.by);
            (channel, Telling { decision, reach: present.reach, group })
        });
        tellings.collect()
    }

    /// Notes that a channel will not be told of events of an alert.
    pub(super) fn suppress(
        &mut self,
        channel: &ChannelName,
        alert: &Alert,
        rule: &Rule,
        events: u64,
        reason: &'static str,
        effects: &mut Effects,
    ) {
        if events == 0 {
            return;
        }
        self.books_of(channel).suppress(events);
        effects.suppressed.push(Suppressed {
            channel: channel.clone(),
            firing: alert.firing.as_ref().map_or_else(|| "".into(), |firing| firing.id.clone()),
            rule: rule.name.clone(),
            subject: alert.subject.clone(),
            reason,
            events,
        });
    }

    /// Makes the message anew for what is told later than it happened, from a subject that can be read.
    fn refresh_message(
        &mut self,
        now: Now,
        rule: &Arc<Rule>,
        target: &TargetId,
        alert: &mut Alert,
        event: EventKind,
        effects: &mut Effects,
    ) {
        let is_late = alert.firing.as_ref().is_some_and(|firing| firing.since < now.time);
        let can_be_read = alert.not_judged_since.is_none() && !alert.stale;
        if !(is_late && can_be_read && matches!(event, EventKind::Raised | EventKind::Reminded)) {
            return;
        }
        let Some(context) = self.context_of(now, rule, target) else { return };
        let Some(firing) = alert.firing.take() else { return };
        let message = self.message(rule, &context, alert, Some(&firing), effects);
        effects.take_prints(rule, &context);
        alert.firing = Some(super::Firing { message, ..firing });
    }

    /// The present firing as a notification tells it.
    pub(super) fn note(
        &self,
        now: Now,
        rule: &Rule,
        alert: &Alert,
        event: EventKind,
        reason: Option<CloseReason>,
    ) -> Option<AlertNote> {
        let firing = alert.firing.as_ref()?;
        let ended = firing.rests_since.unwrap_or(now.time);
        Some(AlertNote {
            id: firing.id.clone(),
            event,
            reason,
            rule: rule.name.clone(),
            level: firing.level,
            previous_level: None,
            subject: alert.subject.clone(),
            labels: self.labels_of(rule, alert),
            message: firing.message.clone(),
            values: alert.values.clone(),
            since: now.wall_of(firing.since),
            ended: event.is_end().then(|| now.wall_of(ended)),
            not_judged_since: alert.not_judged_since.map(|time| now.wall_of(time)),
            runbook: rule.runbook.clone(),
            acknowledged: alert.acknowledged.clone(),
            folded: Vec::<FoldedEvent>::new(),
            folded_omitted: 0,
        })
    }

    pub(super) fn notification_id(
        &self,
        channel: &ChannelName,
        rule: &RuleName,
        alert: &Alert,
        now: Now,
    ) -> NotificationId {
        let (time, count) = (now.time.as_micros().to_be_bytes(), alert.n_notifications.to_be_bytes());
        let parts: [&[u8]; 7] = [
            b"notification",
            channel.as_str().as_bytes(),
            rule.as_str().as_bytes(),
            alert.subject.kind.as_bytes(),
            alert.subject.name.as_bytes(),
            &time,
            &count,
        ];
        NotificationId::from(hash(self.settings.seed, &parts))
    }
}
