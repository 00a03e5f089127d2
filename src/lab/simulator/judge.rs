//! The judge: what must be true of every story, in a model that knows nothing of how the engine works.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::story::Step;
use crate::engine::Engine;
use crate::model::{AlertNote, ChannelName, EventKind, FiringId, Level, RuleName, SubjectKey, Time};
use crate::rules::Scope;

/// No cooldown and no delivery, one after the other, hold anything back for longer.
const LONGEST_HOLD: Duration = Duration::from_secs(5 * 60 + 5 * 60);

type Alert = (RuleName, SubjectKey);

#[derive(Debug)]
struct Firing {
    alert: Alert,
    /// How often its rule or its subject had begun anew when it was raised.
    era: u64,
    level: Level,
    ended: Option<Time>,
    /// The newest step in which something happened to it, and its time.
    touched: usize,
    changed: Time,
    told: BTreeMap<ChannelName, Told>,
}

#[derive(Debug)]
struct Told {
    level: Level,
    /// When the newest notification of the firing to the channel comes to its end.
    busy_until: Time,
    /// When the first notification of the firing arrives at the channel; those that are given up tell nothing.
    heard_at: Option<Time>,
    /// When the end is due; known once the firing has ended.
    end_due: Option<Time>,
    end_sent: bool,
}

/// The firing notifications of one alert to one channel since the last pause of a cooldown.
#[derive(Debug)]
struct Stretch {
    newest: Time,
    highest: Level,
}

/// What the judge knows.
#[derive(Debug, Default)]
pub(super) struct Judge {
    firings: BTreeMap<FiringId, Firing>,
    open: BTreeMap<Alert, FiringId>,
    stretches: BTreeMap<(Alert, u64, ChannelName), Stretch>,
    busy_until: BTreeMap<(Alert, u64, ChannelName), Time>,
    /// How often a rule began anew.
    rule_eras: BTreeMap<RuleName, u64>,
    /// How often a subject was forgotten.
    alert_eras: BTreeMap<Alert, u64>,
    scopes: BTreeMap<RuleName, (Scope, Duration)>,
}

impl Judge {
    /// Judges a whole story, and the engine at its end. `channels` must know of everything that fires then.
    pub(super) fn judge(steps: &[Step], engine: &Engine) -> Result<(), String> {
        let mut judge = Judge::default();
        for (index, step) in steps.iter().enumerate() {
            judge.step(index, step).map_err(|error| format!("step {index} at {}: {error}", step.time))?;
        }
        judge.end(engine, steps.last().map_or(Time::EPOCH, |step| step.time))
    }

    fn step(&mut self, index: usize, step: &Step) -> Result<(), String> {
        self.rules(step);
        for event in &step.events {
            let alert = (event.rule.clone(), event.subject.clone());
            if event.kind == EventKind::Raised {
                ensure(!self.firings.contains_key(&event.firing), "a firing id is new")?;
                ensure(
                    self.open.insert(alert.clone(), event.firing.clone()).is_none(),
                    "an alert fires once at a time",
                )?;
                let era = self.era(&alert);
                let firing = Firing {
                    alert,
                    era,
                    level: event.level,
                    ended: None,
                    touched: index,
                    changed: step.time,
                    told: BTreeMap::new(),
                };
                self.firings.insert(event.firing.clone(), firing);
                continue;
            }
            ensure(self.open.get(&alert) == Some(&event.firing), "only what fires changes or ends")?;
            let firing = self.firings.get_mut(&event.firing).ok_or("only what was raised changes or ends")?;
            let in_order = match event.kind {
                EventKind::Escalated => event.level > firing.level,
                EventKind::Eased => event.level < firing.level,
                EventKind::Recovered => event.reason.is_none(),
                EventKind::Closed => event.reason.is_some(),
                EventKind::Unacknowledged | EventKind::Acknowledged => event.level == firing.level,
                EventKind::Raised | EventKind::Reminded | EventKind::Stale | EventKind::Flapping => true,
            };
            ensure(in_order, "an event says what changed, and only a close has a reason")?;
            (firing.level, firing.touched, firing.changed) = (event.level, index, step.time);
            if event.kind.is_end() {
                firing.ended = Some(step.time);
                self.open.remove(&alert);
            }
        }
        for (notification, arrival, arrives) in &step.notifications {
            let mut alerts = BTreeSet::new();
            for note in &notification.alerts {
                let era = self.firings.get(&note.id).map_or(0, |firing| firing.era);
                alerts.insert(((note.rule.clone(), note.subject.clone()), era));
                self.note(index, step.time, (*arrival, *arrives), &notification.channel, note)
                    .map_err(|error| format!("{error}: {} to {}: {note:?}", note.event, notification.channel))?;
            }
            for (alert, era) in alerts {
                let busy = self.busy_until.entry((alert.clone(), era, notification.channel.clone())).or_default();
                let one = format!("one notification is in flight for {alert:?} and {}", notification.channel);
                ensure(*busy <= step.time, &one)?;
                *busy = *arrival;
            }
        }
        // What was forgotten begins anew.
        let seen: BTreeSet<&Alert> =
            self.busy_until.keys().chain(self.stretches.keys()).map(|(alert, ..)| alert).collect();
        for alert in seen.into_iter().filter(|alert| !step.known.contains(&alert.1.name)) {
            *self.alert_eras.entry(alert.clone()).or_default() += 1;
        }
        // Who was told is owed the end now, or as soon as what is on its way has arrived.
        for firing in self.firings.values_mut().filter(|firing| firing.touched == index) {
            let Some(ended) = firing.ended else { continue };
            for told in firing.told.values_mut() {
                told.end_due = told.heard_at.map(|_| told.busy_until.max(ended));
            }
        }
        Ok(())
    }

    fn era(&self, alert: &Alert) -> u64 {
        self.rule_eras.get(&alert.0).unwrap_or(&0) + self.alert_eras.get(alert).unwrap_or(&0)
    }

    /// A rule that was removed, or judges something else now, is another rule from then on.
    fn rules(&mut self, step: &Step) {
        let scopes: BTreeMap<RuleName, (Scope, Duration)> =
            step.rules.rules.values().map(|rule| (rule.name.clone(), (rule.scope.clone(), rule.cooldown))).collect();
        // A cooldown that was over by the rule's old text does not come back with a new one.
        let old = &self.scopes;
        let cooldown = |rule: &RuleName| old.get(rule).map_or(Duration::ZERO, |(_, cooldown)| *cooldown);
        self.stretches.retain(|((rule, _), _, _), stretch| step.time.since(stretch.newest) < cooldown(rule));
        for (rule, (scope, _)) in &scopes {
            if self.scopes.get(rule).is_none_or(|(before, _)| before != scope) {
                *self.rule_eras.entry(rule.clone()).or_default() += 1;
            }
        }
        self.scopes = scopes;
    }

    fn note(
        &mut self,
        index: usize,
        now: Time,
        (arrival, arrives): (Time, bool),
        channel: &ChannelName,
        note: &AlertNote,
    ) -> Result<(), String> {
        let firing = self.firings.get_mut(&note.id).ok_or("only what was raised is told")?;
        let told = firing.told.get_mut(channel);
        if note.event.is_end() {
            let told = told.filter(|told| told.heard_at.is_some()).ok_or("who was told nothing gets no end")?;
            ensure(firing.ended.is_some(), "an end is told of what has ended")?;
            ensure(!std::mem::replace(&mut told.end_sent, true), "an end is told once")?;
            let due = told.end_due.unwrap_or(now);
            return ensure(due == now, &format!("an end is told at once, and this one was due at {due}"));
        }
        let is_over = firing.ended.is_some() && firing.touched < index;
        ensure(!is_over, "what is over is told as over")?;
        ensure(firing.touched == index || note.level == firing.level, "the present level is told")?;
        let is_news = match (note.event, &told) {
            (EventKind::Raised, told) => told.as_ref().is_none_or(|told| told.heard_at.is_none()),
            (_, Some(told)) if told.heard_at.is_none() => false,
            (EventKind::Escalated, Some(told)) => note.level > told.level,
            (EventKind::Eased, Some(told)) => note.level < told.level,
            (EventKind::Reminded | EventKind::Stale, Some(told)) => note.level == told.level,
            _ => false,
        };
        ensure(is_news, "a channel is told what it does not know")?;
        let heard_at = told.and_then(|told| told.heard_at).or(arrives.then_some(arrival));
        let told = Told { level: note.level, busy_until: arrival, heard_at, end_due: None, end_sent: false };
        firing.told.insert(channel.clone(), told);
        if matches!(note.event, EventKind::Eased | EventKind::Stale) {
            return Ok(());
        }
        let cooldown = self.scopes.get(&note.rule).map_or(Duration::ZERO, |(_, cooldown)| *cooldown);
        let key = (firing.alert.clone(), firing.era, channel.clone());
        let highest = match self.stretches.get(&key) {
            Some(stretch) if now.since(stretch.newest) < cooldown => {
                ensure(note.level > stretch.highest, "a cooldown is passed only by a higher level")?;
                note.level
            }
            _ => note.level,
        };
        self.stretches.insert(key, Stretch { newest: now, highest });
        Ok(())
    }

    fn end(&self, engine: &Engine, end: Time) -> Result<(), String> {
        let fires: BTreeMap<Alert, FiringId> = engine
            .alerts()
            .filter_map(|view| {
                let alert = (view.rule.name.clone(), view.alert.subject.clone());
                Some((alert, view.alert.firing.as_ref()?.id.clone()))
            })
            .collect();
        ensure(fires == self.open, "every raise is recovered, closed, or still firing")?;
        for (id, firing) in &self.firings {
            for (channel, told) in &firing.told {
                let is_due = told.end_due.is_some_and(|due| due <= end);
                let is_settled = if is_due { told.end_sent } else { !told.end_sent || firing.ended == Some(end) };
                ensure(
                    is_settled,
                    &format!("{channel} was told the end of {id} {:?} exactly if it ended", firing.alert),
                )?;
            }
        }
        for (alert, id) in &self.open {
            let firing = &self.firings[id];
            if end.since(firing.changed) < LONGEST_HOLD {
                continue;
            }
            let rule = engine.rules().rules.get(&alert.0).ok_or("what fires has a rule")?;
            let channels = rule.notify.clone().unwrap_or_else(|| vec!["a".into(), "b".into()]);
            for channel in channels {
                // What was given up is told again when it would have been reminded.
                if firing.told.get(&channel).is_some_and(|told| told.heard_at.is_none()) {
                    continue;
                }
                let level = firing.told.get(&channel).map(|told| told.level);
                let message = format!("{channel} knows in the end that {alert:?} fires at {}", firing.level);
                ensure(level == Some(firing.level), &message)?;
            }
        }
        Ok(())
    }
}

pub(super) fn ensure(is_so: bool, what: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(format!("it must be that {what}")) }
}
