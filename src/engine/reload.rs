//! New rules: the state of every rule whose name remains is kept.

use std::sync::Arc;

use crate::alert::Track;
use crate::history::SubjectId;
use crate::model::{CloseReason, Now, RuleName};
use crate::rules::{Rule, RuleSet};

use super::{Alert, Effects, Engine, TargetId};

impl Engine {
    /// Puts rules in force. Removed rules' alerts are closed; changed rules judge their fresh subjects at once.
    pub(super) fn reload(&mut self, now: Now, rules: Arc<RuleSet>, effects: &mut Effects) {
        let old = self.rules.clone();
        self.sets.clear();
        let world = self.world_mut();
        world.forget_columns();
        world.look_back(&rules.reach());
        let restarted = std::mem::replace(&mut self.awaits_rules, false);
        for (name, was) in &old.rules {
            match rules.rules.get(name) {
                None => {
                    self.close_rule(now, name, CloseReason::RuleRemoved, effects);
                    self.states.remove(name);
                    self.touch_rule(name);
                }
                Some(is) if is.scope != was.scope => {
                    self.close_rule(now, name, CloseReason::RuleChanged, effects);
                    self.states.remove(name);
                }
                Some(_) => {}
            }
        }
        let changed: Vec<Arc<Rule>> = rules
            .rules
            .values()
            .filter(|rule| !old.rules.get(&rule.name).is_some_and(|was| Arc::ptr_eq(was, rule)))
            .cloned()
            .collect();
        self.rules = rules;
        self.index_rules();
        self.index_inhibitions();
        for rule in &changed {
            self.touch_rule(&rule.name);
            let was = old.rules.get(&rule.name);
            if was.is_none() || restarted {
                self.states.entry(rule.name.clone()).or_default().since = now.time;
            }
            self.take_over(now, rule, was, effects);
        }
        if restarted {
            self.judge_unjudged(now, effects);
        }
    }

    /// What came before the rules did, after a restart, is judged now.
    fn judge_unjudged(&mut self, now: Now, effects: &mut Effects) {
        let mut ids: Vec<SubjectId> = std::mem::take(&mut self.unjudged).into_iter().collect();
        self.world.sort_by_key(&mut ids);
        let is_gone = |id: &SubjectId| self.world.subject(*id).is_some_and(|subject| subject.gone);
        let (gone, others): (Vec<SubjectId>, Vec<SubjectId>) = ids.into_iter().partition(is_gone);
        for id in &gone {
            self.close_subject(now, *id, CloseReason::Gone, effects);
        }
        self.judge_subjects(now, &others, &gone, effects);
    }

    /// Puts one new or changed rule in force.
    fn take_over(&mut self, now: Now, rule: &Arc<Rule>, was: Option<&Arc<Rule>>, effects: &mut Effects) {
        let state = self.states.entry(rule.name.clone()).or_default();
        if let Some(tick) = state.tick.take() {
            self.wakes.remove(&(tick, rule.name.clone()));
        }
        if let Some(until) = state.quarantine.until() {
            self.wakes.remove(&(until, rule.name.clone()));
        }
        state.quarantine = super::Quarantine::default();
        state.fault = None;
        if rule.judges_time {
            let tick = now.time.next_multiple(rule.every);
            state.tick = Some(tick);
            self.wakes.insert((tick, rule.name.clone()));
        }
        if let Some(was) = was
            && was.levels != rule.levels
        {
            let targets: Vec<TargetId> = state.alerts.keys().cloned().collect();
            for target in targets {
                state.alerts.change(&target, |alert| carry_levels(alert, was, rule));
            }
        }
        self.retell(now, rule, effects);
        if was.is_none_or(|was| was.fingerprint != rule.fingerprint) {
            self.judge_all(now, rule, true, effects);
        }
    }

    /// Tells of a rule's alerts by its new times and targets, and plans its deadlines anew.
    fn retell(&mut self, now: Now, rule: &Arc<Rule>, effects: &mut Effects) {
        let mut targets = self.targets_of(&rule.name);
        targets.sort_by_key(|(key, _)| key.clone());
        for (_, target) in targets {
            if let Some(alert) = self.detach(&rule.name, &target) {
                self.tell_and_attach(now, &rule.name, target, alert, effects);
            }
        }
    }

    /// Closes all alerts of a rule.
    fn close_rule(&mut self, now: Now, name: &RuleName, reason: CloseReason, effects: &mut Effects) {
        let mut targets = self.targets_of(name);
        targets.sort_by_key(|(key, _)| key.clone());
        for (_, target) in targets {
            self.close_target(now, name, &target, reason, effects);
        }
        self.wakes.retain(|(_, rule)| rule != name);
    }

    fn targets_of(&self, name: &RuleName) -> Vec<(crate::model::SubjectKey, TargetId)> {
        let Some(state) = self.states.get(name) else { return Vec::new() };
        state.alerts.iter().map(|(target, alert)| (alert.subject.clone(), target.clone())).collect()
    }
}

/// Carries the conditions over to other levels: each level keeps its own; a firing whose level is gone goes on at the
/// nearest level, and the next verdict says where it belongs.
fn carry_levels(alert: &mut Alert, was: &Rule, is: &Rule) {
    let old = std::mem::take(&mut alert.tracks);
    let n_tracks = is.levels.len().max(1);
    alert.tracks = (0..n_tracks)
        .map(|index| {
            let level = is.levels.get(index);
            let kept = was.levels.iter().position(|old| Some(old) == level).and_then(|index| old.get(index));
            kept.copied().unwrap_or(Track::Off)
        })
        .collect();
    let fires = alert.firing.as_ref().map(|firing| firing.level);
    if let Some(level) = fires
        && !alert.tracks.iter().any(|track| track.is_on())
    {
        // The one that goes on as it is, recovering perhaps: from the highest to the lowest, the first that is not above
        // the firing's level, else the lowest.
        let nearest = is.levels.iter().position(|candidate| *candidate <= level).unwrap_or(n_tracks - 1);
        alert.tracks[nearest] = old.iter().copied().find(|track| track.is_on()).unwrap_or(Track::On);
    }
}
