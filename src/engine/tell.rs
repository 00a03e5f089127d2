//! Who is told of what, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::{Decision, Hold, Present, Reach};
use crate::model::{
    AlertNote, ChannelName, CloseReason, EventKind, FoldedEvent, Notification, NotificationId, Now, RuleName, Time,
};
use crate::routing::{Facts, Targets};
use crate::rules::Rule;

use super::id::hash;
use super::state::timing;
use super::{Alert, Effects, Engine, TargetId};

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
        let Some(rule) = self.rules.rules.get(name).cloned() else { return self.orphan(alert) };
        let mut deadline = Engine::timer_deadline(&rule, &alert);
        let mut wants = |time: Option<Time>| deadline = [deadline, time].into_iter().flatten().min();
        let (presents, changes_at) = self.presents(now, &rule, &alert);
        wants(changes_at);
        let channels: Vec<ChannelName> = alert.told.keys().chain(presents.keys()).cloned().collect();
        for channel in std::collections::BTreeSet::from_iter(channels) {
            let mut told = alert.told.remove(&channel).unwrap_or_default();
            let mut notes = told.due_ends();
            let n_ends = notes.len();
            if let Some(present) = presents.get(&channel) {
                match told.decide(*present, now.time, timing(&rule)) {
                    Decision::Tell(event) => {
                        self.refresh_message(now, &rule, &target, &mut alert, event, effects);
                        notes.extend(self.note(now, &rule, &alert, event, None));
                    }
                    Decision::Hold(hold) => wants(hold.until()),
                    Decision::Nothing { reminder } => wants(reminder),
                }
            }
            if let Some(first) = notes.first() {
                alert.n_notifications += 1;
                let id = self.notification_id(&channel, first, now, alert.n_notifications);
                if let (Some(note), Some(present)) = (notes.get_mut(n_ends), presents.get(&channel)) {
                    let heard = told.firing().filter(|told| told.heard).map(|told| told.level);
                    note.previous_level = heard.filter(|level| *level != note.level);
                    note.folded = told.tell(note.event, *present, now.time, timing(&rule), id.clone());
                    wants(match told.decide(*present, now.time, timing(&rule)) {
                        Decision::Nothing { reminder } => reminder,
                        Decision::Hold(hold) => hold.until(),
                        Decision::Tell(_) => None,
                    });
                } else {
                    told.depart(id.clone());
                }
                self.in_flight.insert(id.clone(), (channel.clone(), name.clone(), target.clone()));
                let (time, channel) = (now.wall(), channel.clone());
                effects.notifications.push(Notification { id, channel, time, alerts: notes });
            }
            if !told.is_blank(now.time, timing(&rule)) || presents.contains_key(&channel) {
                alert.told.insert(channel, told);
            }
        }
        alert.deadline = deadline;
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, name.clone(), target.clone()));
        }
        if let Some(state) = self.states.get_mut(name) {
            state.alerts.insert(target, alert);
        }
    }

    /// Tells every channel of every alert what it should know: after a change of routes.
    pub(super) fn tell_all(&mut self, now: Now, effects: &mut Effects) {
        let mut all = Vec::new();
        for (name, state) in &self.states {
            all.extend(
                state
                    .alerts
                    .iter()
                    .filter(|(_, alert)| alert.firing.is_some())
                    .map(|(target, alert)| (name.clone(), alert.subject.clone(), target.clone())),
            );
        }
        all.sort();
        for (name, _, target) in all {
            if let Some(alert) = self.detach(&name, &target) {
                self.tell_and_attach(now, &name, target, alert, effects);
            }
        }
    }

    /// Which channels should know of an alert that fires.
    pub(super) fn targets(&self, now: Now, rule: &Rule, alert: &Alert) -> Targets {
        let Some(firing) = &alert.firing else { return Targets::default() };
        let labels = self.labels_of(rule, alert);
        let facts = Facts {
            rule: &rule.name,
            level: firing.level,
            subject: &alert.subject,
            labels: &labels,
            notify: rule.notify.as_deref(),
        };
        self.routing.targets(&facts, now.wall())
    }

    /// The alert as each channel should know it, and when that changes by itself. Nothing, where it does not fire.
    fn presents(&self, now: Now, rule: &Rule, alert: &Alert) -> (BTreeMap<ChannelName, Present>, Option<Time>) {
        let Some(firing) = &alert.firing else { return (BTreeMap::new(), None) };
        let targets = self.targets(now, rule, alert);
        let engine_time = |wall: Time| wall.offset(-now.wall_offset);
        let mut presents = BTreeMap::new();
        let mut insert = |channel: &ChannelName, reach| {
            let reach = if self.alerting { reach } else { Reach::Disabled };
            presents.insert(channel.clone(), Present { level: firing.level, stale: alert.stale, reach });
        };
        for (channel, opens) in &targets.closed {
            insert(channel, Reach::Closed { opens: engine_time(*opens) });
        }
        for channel in &targets.open {
            insert(channel, Reach::Open);
        }
        (presents, targets.changes_at.map(engine_time))
    }

    /// What holds each channel back from an alert that fires. A channel that knows all it should is not among them.
    pub fn holds(&self, now: Now, rule: &Rule, alert: &Alert) -> BTreeMap<ChannelName, Hold> {
        let blank = crate::alert::Told::default();
        let (presents, _) = self.presents(now, rule, alert);
        let held = presents.into_iter().filter_map(|(channel, present)| {
            let told = alert.told.get(&channel).unwrap_or(&blank);
            match told.decide(present, now.time, timing(rule)) {
                Decision::Hold(hold) => Some((channel, hold)),
                Decision::Tell(_) | Decision::Nothing { .. } => None,
            }
        });
        held.collect()
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
            ended: event.is_end().then(|| now.wall()),
            not_judged_since: alert.not_judged_since.map(|time| now.wall_of(time)),
            runbook: rule.runbook.clone(),
            folded: Vec::<FoldedEvent>::new(),
        })
    }

    /// An alert is no longer remembered: ends that wait for a notification on its way are kept until it has arrived.
    pub(super) fn orphan(&mut self, mut alert: Alert) {
        for (channel, told) in &mut alert.told {
            if let Some((id, ends)) = told.take_waiting_ends() {
                self.in_flight.remove(&id);
                self.orphans.insert(id, (channel.clone(), ends));
            }
        }
    }

    /// Sends ends of alerts that are no longer remembered.
    pub(super) fn send_ends(&mut self, now: Now, channel: ChannelName, notes: Vec<AlertNote>, effects: &mut Effects) {
        if let Some(first) = notes.first() {
            let id = self.notification_id(&channel, first, now, 0);
            effects.notifications.push(Notification { id, channel, time: now.wall(), alerts: notes });
        }
    }

    fn notification_id(&self, channel: &ChannelName, note: &AlertNote, now: Now, count: u64) -> NotificationId {
        let (time, count) = (now.time.as_micros().to_be_bytes(), count.to_be_bytes());
        let parts: [&[u8]; 6] = [
            b"notification",
            channel.as_str().as_bytes(),
            note.id.as_str().as_bytes(),
            note.event.as_str().as_bytes(),
            &time,
            &count,
        ];
        NotificationId::from(hash(self.settings.seed, &parts))
    }
}
