//! From a verdict to a firing and its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::alert::{Hold, Signal};
use crate::model::{
    ChannelName, CloseReason, EventKind, FiringId, FoldedEvent, Labels, Level, NoData, Now, RuleName, SubjectKey, Time,
};
use crate::rules::{Condition, Context, Judgement, NoDataPolicy, Rule, Target, Verdict};

use super::escalate::restart_escalation;
use super::id::hash;
use super::set::pause;
use super::state::{Firing, Standing, flap_limit, track_level};
use super::{Alert, Effects, Engine, Event, TargetId};

impl Engine {
    /// Takes an alert out of its rule, and out of the deadlines, to be changed.
    pub(super) fn detach(&mut self, name: &RuleName, target: &TargetId) -> Option<Alert> {
        let state = self.states.get_mut(name)?;
        let alert = state.alerts.remove(target)?;
        state.resting.forget(target);
        if let Some(deadline) = alert.deadline {
            self.deadlines.remove(&(deadline, name.clone(), target.clone()));
        }
        Some(Alert { deadline: None, ..alert })
    }

    /// Acts on what an evaluation says of an alert.
    pub(super) fn settle(
        &mut self,
        rule: &Arc<Rule>,
        context: &Context,
        target: TargetId,
        mut alert: Alert,
        judgement: Judgement,
        effects: &mut Effects,
    ) {
        let now = context.now;
        self.note_first_verdict(now, rule, &alert);
        alert.stale = self.is_stale(rule, context, &judgement.verdict);
        self.count(&rule.name, &judgement.verdict);
        let mut fires = false;
        match judgement.verdict {
            Verdict::Conditions(conditions) => {
                alert.not_judged_since = None;
                fires = conditions.contains(&Condition::Fire);
                for (index, condition) in conditions.iter().enumerate() {
                    observe(&mut alert, rule, index, signal(*condition), now);
                }
                alert.standing = Standing::Judged(conditions);
            }
            Verdict::NoData(reason @ (NoData::Awaited | NoData::SetAwaited { .. } | NoData::Paused { .. })) => {
                // Whatever the rule's `no_data` says, nothing happens because of a restart or a pause.
                alert.standing = Standing::NoData(reason);
                pause(&mut alert, rule, now);
            }
            Verdict::NoData(reason) => {
                alert.standing = Standing::NoData(reason);
                match rule.no_data {
                    NoDataPolicy::Keep => pause(&mut alert, rule, now),
                    NoDataPolicy::Fire => fire_without_data(&mut alert, rule, now),
                    NoDataPolicy::Close => {
                        self.close(now, rule, &target, alert, CloseReason::NoData, effects);
                        return;
                    }
                }
            }
            Verdict::Error(fault) => {
                pause(&mut alert, rule, now);
                self.show_fault(now, rule, &alert.subject, fault.clone(), effects);
                alert.standing = Standing::Failed(fault);
            }
            Verdict::Excluded => {
                alert.standing = Standing::Excluded;
                self.close(now, rule, &target, alert, CloseReason::NoLongerCovered, effects);
                return;
            }
            Verdict::NotConcerned { field } => {
                alert.standing = Standing::NotConcerned(field);
                self.close(now, rule, &target, alert, CloseReason::NoLongerCovered, effects);
                return;
            }
        }
        let ends = alert.is_up() && !alert.tracks.iter().any(|track| track.is_on());
        if (fires || ends) && !judgement.reads.is_empty() {
            alert.values = judgement.reads;
        }
        self.transition(rule, context, &mut alert, fires, effects);
        self.tell_and_attach(now, &rule.name, target, alert, effects);
    }

    /// A timer, a cooldown, a reminder or a window of an alert ends.
    pub(super) fn expire_alert(&mut self, now: Now, name: &RuleName, target: &TargetId, effects: &mut Effects) {
        let Some(rule) = self.rules.rules.get(name).cloned() else { return };
        let Some(mut alert) = self.detach(name, target) else { return };
        if !alert.stale {
            for (index, track) in alert.tracks.iter_mut().enumerate() {
                let level = track_level(&rule, index);
                *track = track.expire(now.time, rule.hold.of(level), rule.keep.of(level));
            }
        }
        self.calm_down(now, &rule, &mut alert, effects);
        let changes = alert.is_up() != alert.tracks.iter().any(|track| track.is_on())
            || (!rule.levels.is_empty()
                && alert.is_up()
                && alert.firing.as_ref().map(|firing| firing.level) != highest_on(&alert, &rule));
        if changes && let Some(context) = self.context_of(now, &rule, target) {
            let is_raise = !alert.is_up();
            self.transition(&rule, &context, &mut alert, is_raise, effects);
            effects.take_prints(&rule, &context);
        }
        self.tell_and_attach(now, name, target.clone(), alert, effects);
    }

    /// Raises, changes the level, or ends, as the alert's conditions now say. `judge_level`: the condition is true now,
    /// so the rule is asked for the level.
    fn transition(
        &mut self,
        rule: &Arc<Rule>,
        context: &Context,
        alert: &mut Alert,
        judge_level: bool,
        effects: &mut Effects,
    ) {
        let now = context.now;
        let is_on = alert.tracks.iter().any(|track| track.is_on());
        match (alert.firing.take(), is_on) {
            (None, false) => {
                if alert.tracks.iter().all(|track| *track == crate::alert::Track::Off) {
                    alert.values = Vec::new();
                }
            }
            (None, true) => {
                let level = self.level(rule, context, alert, None, true, effects);
                let message = self.message(rule, context, alert, None, effects);
                let id = self.firing_id(rule, alert, now);
                alert.n_firings += 1;
                (alert.acknowledged, alert.clocks) = (None, BTreeMap::new());
                alert.firing = Some(Firing { id, since: now.time, rests_since: None, level, message });
                self.change(now, rule, alert, EventKind::Raised, effects);
            }
            (Some(firing), true) if firing.rests_since.is_some() => {
                let level = self.level(rule, context, alert, None, true, effects);
                let message = self.message(rule, context, alert, Some(&firing), effects);
                if level > firing.level {
                    restart_escalation(alert, now);
                }
                alert.firing = Some(Firing { since: now.time, rests_since: None, level, message, ..firing });
                self.change(now, rule, alert, EventKind::Raised, effects);
            }
            (Some(mut firing), true) => {
                let level = self.level(rule, context, alert, Some(firing.level), judge_level, effects);
                if level == firing.level {
                    alert.firing = Some(firing);
                    return;
                }
                let event = if level > firing.level { EventKind::Escalated } else { EventKind::Eased };
                firing.message = self.message(rule, context, alert, Some(&firing), effects);
                if event == EventKind::Escalated {
                    restart_escalation(alert, now);
                }
                alert.firing = Some(Firing { level, ..firing });
                self.record(now, rule, alert, event, None, effects);
            }
            (Some(firing), false) => {
                // The end carries the message that told of the trouble; the values are those of its end.
                let rests = firing.rests_since.is_some();
                alert.firing = Some(firing);
                if !rests {
                    self.change(now, rule, alert, EventKind::Recovered, effects);
                }
            }
        }
    }

    /// A raise or a recovery: told, unless the alert goes up and down too often.
    fn change(&mut self, now: Now, rule: &Arc<Rule>, alert: &mut Alert, kind: EventKind, effects: &mut Effects) {
        let begins = alert.flap.change(now.time, flap_limit(rule));
        if kind.is_end() && !alert.flap.is_flapping() {
            return self.end(now, rule, alert, kind, None, effects);
        }
        self.record(now, rule, alert, kind, None, effects);
        if kind.is_end()
            && let Some(firing) = &mut alert.firing
        {
            firing.rests_since = Some(now.time);
        }
        if begins {
            self.record(now, rule, alert, EventKind::Flapping, None, effects);
        }
    }

    /// A flapping alert that has been quiet for long enough is told as it is.
    fn calm_down(&mut self, now: Now, rule: &Arc<Rule>, alert: &mut Alert, effects: &mut Effects) {
        if alert.flap.quiet_at(flap_limit(rule)).is_none_or(|quiet| quiet > now.time) {
            return;
        }
        alert.flap.settle();
        if alert.firing.is_some() && !alert.is_up() {
            // That it recovered is an event of before: only what channels know changes now.
            self.finish(now, rule, alert, EventKind::Recovered, None, effects);
        }
    }

    /// Ends an alert without knowing it to be well, and forgets its conditions.
    pub(super) fn close(
        &mut self,
        now: Now,
        rule: &Arc<Rule>,
        target: &TargetId,
        mut alert: Alert,
        reason: CloseReason,
        effects: &mut Effects,
    ) {
        if alert.firing.is_some() {
            self.end(now, rule, &mut alert, EventKind::Closed, Some(reason), effects);
        }
        alert.tracks.fill(crate::alert::Track::Off);
        alert.flap.settle();
        alert.not_judged_since = None;
        self.tell_and_attach(now, &rule.name, target.clone(), alert, effects);
    }

    /// Closes an alert by its name, where there is one, and forgets it unless it may come back.
    pub(super) fn close_target(
        &mut self,
        now: Now,
        name: &RuleName,
        target: &TargetId,
        reason: CloseReason,
        effects: &mut Effects,
    ) {
        let Some(rule) = self.rules.rules.get(name).cloned() else { return };
        let Some(mut alert) = self.detach(name, target) else { return };
        alert.stale = true;
        alert.standing = match reason {
            CloseReason::NoLongerCovered => Standing::Excluded,
            _ => Standing::NoData(NoData::Gone),
        };
        self.close(now, &rule, target, alert, reason, effects);
        if matches!(reason, CloseReason::Gone | CloseReason::NoLongerCovered) {
            // It may come back: the cooldowns of its channels outlast its absence, until it is forgotten.
            return;
        }
        if let Some(alert) = self.detach(name, target) {
            self.orphan(now, name, target, alert, effects);
        }
    }

    /// The level of an alert that fires: the highest condition that counts, or what the rule says; else the last one.
    fn level(
        &mut self,
        rule: &Arc<Rule>,
        context: &Context,
        alert: &Alert,
        last: Option<Level>,
        judge: bool,
        effects: &mut Effects,
    ) -> Level {
        if !rule.levels.is_empty() {
            return highest_on(alert, rule).or(last).unwrap_or(Level::Warning);
        }
        let fallback = last.unwrap_or(Level::Warning);
        if !judge {
            return fallback;
        }
        match rule.level(context) {
            Ok(level) => level,
            Err(fault) => {
                self.show_fault(context.now, rule, &alert.subject, fault, effects);
                fallback
            }
        }
    }

    /// The alert's message; where it cannot be made, the last one, or rule, subject and values.
    pub(super) fn message(
        &mut self,
        rule: &Arc<Rule>,
        context: &Context,
        alert: &Alert,
        firing: Option<&Firing>,
        effects: &mut Effects,
    ) -> String {
        match rule.message(context) {
            Ok(message) => message,
            Err(fault) => {
                self.show_fault(context.now, rule, &alert.subject, fault, effects);
                let last = firing.map(|firing| firing.message.clone());
                last.unwrap_or_else(|| rule.default_message(context, &alert.values))
            }
        }
    }

    /// Records an event, and notes it for every channel that knows of the alert or should.
    fn record(
        &mut self,
        now: Now,
        rule: &Rule,
        alert: &mut Alert,
        kind: EventKind,
        reason: Option<CloseReason>,
        effects: &mut Effects,
    ) {
        let Some(event) = self.event_of(now, rule, alert, kind, reason) else { return };
        let Some(firing) = &alert.firing else { return };
        effects.events.push(event);
        let (routed, _) = self.presents(now, rule, alert);
        let routed = routed.keys();
        if alert.flap.is_flapping() && matches!(kind, EventKind::Raised | EventKind::Recovered) {
            let knows = alert.told.iter().filter(|(_, told)| told.firing().is_some()).map(|(channel, _)| channel);
            let channels: BTreeSet<ChannelName> = routed.chain(knows).cloned().collect();
            for channel in channels {
                self.books_of(&channel).owe(1);
                self.suppress(&channel, alert, rule, 1, Hold::Flapping.reason(), effects);
            }
            return;
        }
        if kind.is_end() {
            return;
        }
        let missed = FoldedEvent { event: kind, level: firing.level, time: now.wall() };
        for channel in routed {
            self.books_of(channel).owe(1);
            alert.told.of(channel).miss(missed.clone());
        }
    }

    /// An event of the present firing.
    pub(super) fn event_of(
        &self,
        now: Now,
        rule: &Rule,
        alert: &Alert,
        kind: EventKind,
        reason: Option<CloseReason>,
    ) -> Option<Event> {
        let firing = alert.firing.as_ref()?;
        Some(Event {
            time: now.wall(),
            kind,
            reason,
            firing: firing.id.clone(),
            rule: rule.name.clone(),
            subject: alert.subject.clone(),
            level: firing.level,
            labels: self.labels_of(rule, alert),
            message: firing.message.clone(),
        })
    }

    /// Ends the present firing: an event, and an end for whoever was told.
    fn end(
        &mut self,
        now: Now,
        rule: &Arc<Rule>,
        alert: &mut Alert,
        kind: EventKind,
        reason: Option<CloseReason>,
        effects: &mut Effects,
    ) {
        self.record(now, rule, alert, kind, reason, effects);
        self.finish(now, rule, alert, kind, reason, effects);
    }

    /// The present firing is over: whoever was told is owed the end, and who was not is told nothing of it any more.
    fn finish(
        &mut self,
        now: Now,
        rule: &Arc<Rule>,
        alert: &mut Alert,
        kind: EventKind,
        reason: Option<CloseReason>,
        effects: &mut Effects,
    ) {
        let held = self.holds(now, rule, alert);
        let Some(note) = self.note(now, rule, alert, kind, reason) else { return };
        alert.acknowledged = None;
        for (channel, mut told) in std::mem::take(&mut alert.told) {
            if told.end(note.clone()) {
                self.books_of(&channel).owe(1);
            } else {
                let missed = told.give_up_missed();
                let is_owed = self.owe_end_of_revived(&channel, &note);
                let hold = held.get(&channel).filter(|_| !is_owed);
                if missed > 0 || hold.is_some() {
                    // A raise that is never told takes its end with it.
                    self.books_of(&channel).owe(1);
                    let reason = hold.map_or("nothing was told before it ended", |hold| hold.reason());
                    self.suppress(&channel, alert, rule, missed + 1, reason, effects);
                }
            }
            alert.told.insert(channel, told);
        }
        alert.firing = None;
    }

    fn firing_id(&self, rule: &Rule, alert: &Alert, now: Now) -> FiringId {
        let SubjectKey { kind, name } = &alert.subject;
        let (time, count) = (now.time.as_micros().to_be_bytes(), alert.n_firings.to_be_bytes());
        let parts: [&[u8]; 6] =
            [b"firing", rule.name.as_str().as_bytes(), kind.as_bytes(), name.as_bytes(), &time, &count];
        FiringId::from(hash(self.settings.seed, &parts))
    }

    /// The surroundings to evaluate a rule for a target outside of a verdict; `None` once the subject is forgotten.
    pub(super) fn context_of(&self, now: Now, rule: &Rule, target: &TargetId) -> Option<Context> {
        let target = match target {
            TargetId::Subject(id) => {
                self.world.subject(*id)?;
                Target::Subject(*id)
            }
            TargetId::Group(labels) => self.set_target(now, rule, labels)?,
        };
        Some(self.context(now, target))
    }

    /// Whether the subject is silent, so that nothing can be said of the alert; of a set, whether all that is known of it
    /// is. A rule that judges silence itself (by `age` or `absent`, or `no_data: "fire"`) has its answer.
    fn is_stale(&self, rule: &Rule, context: &Context, verdict: &Verdict) -> bool {
        let is_answer = match verdict {
            Verdict::Conditions(_) => true,
            Verdict::NoData(_) => rule.no_data == NoDataPolicy::Fire,
            Verdict::Error(_) | Verdict::Excluded | Verdict::NotConcerned { .. } => false,
        };
        match &context.target {
            _ if is_answer => false,
            Target::Subject(id) => self.world.is_stale(*id, context.now),
            Target::Set { members, .. } => {
                members.is_empty() && matches!(verdict, Verdict::NoData(NoData::Stale { .. }))
            }
        }
    }

    pub(super) fn count(&mut self, name: &RuleName, verdict: &Verdict) {
        let Some(state) = self.states.get_mut(name) else { return };
        match verdict {
            Verdict::Conditions(conditions) if conditions.contains(&Condition::Fire) => state.counts.fire += 1,
            Verdict::Conditions(_) => state.counts.clear += 1,
            Verdict::NoData(_) => state.counts.no_data += 1,
            Verdict::Error(_) => state.counts.error += 1,
            Verdict::Excluded | Verdict::NotConcerned { .. } => {}
        }
    }

    /// The alert's labels: the subject's (or the group's) and the rule's.
    pub fn labels_of(&self, rule: &Rule, alert: &Alert) -> Labels {
        let id = self.world.find(&alert.subject.kind, &alert.subject.name);
        let subject = id.and_then(|id| self.world.subject(id)).map(|subject| subject.labels.clone());
        let mut labels = alert.group.clone().or(subject).unwrap_or_default();
        labels.extend(rule.labels.iter().map(|(name, value)| (name.clone(), value.clone())));
        labels
    }

    /// When an alert's timers want to be looked at.
    pub(super) fn timer_deadline(rule: &Rule, alert: &Alert) -> Option<Time> {
        let deadline = |(index, track): (usize, &crate::alert::Track)| {
            let level = track_level(rule, index);
            track.deadline(rule.hold.of(level), rule.keep.of(level))
        };
        if alert.stale { None } else { alert.tracks.iter().enumerate().filter_map(deadline).min() }
    }
}

const fn signal(condition: Condition) -> Signal {
    match condition {
        Condition::Fire => Signal::Fire,
        Condition::Clear => Signal::Clear,
        Condition::Neither => Signal::Neither,
    }
}

fn observe(alert: &mut Alert, rule: &Rule, index: usize, signal: Signal, now: Now) {
    let level = track_level(rule, index);
    if let Some(track) = alert.tracks.get_mut(index) {
        *track = track.observe(signal, now.time, rule.hold.of(level), rule.keep.of(level));
    }
}

/// No data fires: what counts goes on, else the condition at `warning` (or the lowest level there is) becomes true.
fn fire_without_data(alert: &mut Alert, rule: &Rule, now: Now) {
    alert.not_judged_since.get_or_insert(now.time);
    let fallback = rule.levels.iter().position(|level| *level == Level::Warning);
    let fallback = fallback.unwrap_or(rule.levels.len().saturating_sub(1));
    let any_on = alert.tracks.iter().any(|track| track.is_on());
    for index in 0..alert.tracks.len() {
        let fires = if any_on { alert.tracks[index].is_on() } else { index == fallback };
        let signal = if fires { Signal::Fire } else { Signal::Unknown };
        observe(alert, rule, index, signal, now);
    }
}

/// The highest level whose condition counts; levels stand from the highest to the lowest.
fn highest_on(alert: &Alert, rule: &Rule) -> Option<Level> {
    alert.tracks.iter().position(|track| track.is_on()).and_then(|index| rule.levels.get(index).copied())
}
