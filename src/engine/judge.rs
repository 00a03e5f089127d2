//! Which rule judges what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::history::SubjectId;
use crate::model::{Level, Now, SubjectKey};
use crate::rules::{Condition, Context, Fault, Judgement, Rule, Scope, StepBudget, Target, Verdict};

use super::quarantine::StepResult;
use super::resting::Glance;
use super::{Alert, Effects, Engine, RuleFault, Standing, TargetId};

/// What the evaluations of one rule came to within one input.
#[derive(Default)]
pub(super) struct Tally {
    evaluations: u64,
    errors: u64,
    runaway: bool,
    /// The rule used up its operations of the step, so that subjects were left out.
    pub(super) exhausted: bool,
    /// What the interpreter used.
    pub(super) operations: u64,
}

impl Tally {
    pub(super) fn count(&mut self, verdict: &Verdict) {
        self.evaluations += 1;
        if let Verdict::Error(fault) = verdict {
            self.errors += 1;
            self.runaway |= fault.runaway;
        }
    }
}

impl Engine {
    /// Judges subjects, which are in the order of their keys, by all rules of their kinds, and then the sets that they
    /// belong to, or that the gone ones left, each once.
    pub(super) fn judge_subjects(&mut self, now: Now, ids: &[SubjectId], gone: &[SubjectId], effects: &mut Effects) {
        let by_kind = self.split_by_kind(ids);
        let kinds: BTreeSet<Arc<str>> =
            by_kind.iter().chain(&self.split_by_kind(gone)).map(|(kind, _)| kind.clone()).collect();
        let names: BTreeSet<_> = kinds.iter().flat_map(|kind| self.rules_of(kind)).collect();
        let rules: Vec<Arc<Rule>> = names.iter().filter_map(|name| self.rules.rules.get(name)).cloned().collect();
        let mut glances = BTreeMap::new();
        for (kind, ids) in &by_kind {
            let is_on = |rule: &&Arc<Rule>| matches!(&rule.scope, Scope::On { kind: on } if on == kind);
            let rules: Vec<Arc<Rule>> =
                rules.iter().filter(is_on).filter(|rule| !self.is_left_alone(rule)).cloned().collect();
            if rules.is_empty() {
                continue;
            }
            for (rule, glance) in rules.iter().zip(self.glance(now, &rules, ids)) {
                glances.insert(rule.name.clone(), glance);
            }
        }
        for rule in &rules {
            match &rule.scope {
                Scope::On { .. } => {
                    if let Some(glance) = glances.remove(&rule.name) {
                        self.judge_after(now, rule, glance, effects);
                    }
                }
                Scope::Over { .. } => self.judge_set(now, rule, effects),
            }
        }
    }

    /// Subjects, which are in the order of their keys, by kind.
    fn split_by_kind<'a>(&self, mut ids: &'a [SubjectId]) -> Vec<(Arc<str>, &'a [SubjectId])> {
        let kind_of = |id: &SubjectId| self.world.subject(*id).map(|subject| &subject.key.kind);
        let mut by_kind = Vec::new();
        while let Some(kind) = ids.first().map(kind_of) {
            // As many as there may be: looking each of them up would take longer than all the rest.
            let (of_kind, others) = ids.split_at(ids.partition_point(|id| kind_of(id) <= kind));
            by_kind.extend(kind.map(|kind| (kind.clone(), of_kind)));
            ids = others;
        }
        by_kind
    }

    /// Judges the sets over a kind.
    pub(super) fn judge_sets_of(&mut self, now: Now, kind: &str, effects: &mut Effects) {
        for name in self.rules_of(kind) {
            if let Some(rule) = self.rules.rules.get(&name).cloned()
                && matches!(rule.scope, Scope::Over { .. })
            {
                self.judge_set(now, &rule, effects);
            }
        }
    }

    /// Judges all that a rule is about: its subjects but for gone ones (stale ones only if asked), or its set.
    pub(super) fn judge_all(&mut self, now: Now, rule: &Arc<Rule>, stale_too: bool, effects: &mut Effects) {
        match &rule.scope {
            Scope::On { kind } => {
                let world = &self.world;
                let ids: Vec<SubjectId> = world
                    .of_kind(kind)
                    .filter(|id| world.subject(*id).is_some_and(|subject| !subject.gone))
                    .filter(|id| stale_too || !world.is_stale(*id, now))
                    .collect();
                if !self.is_left_alone(rule)
                    && let Some(glance) = self.glance(now, std::slice::from_ref(rule), &ids).pop()
                {
                    self.judge_after(now, rule, glance, effects);
                }
            }
            Scope::Over { .. } => self.judge_set(now, rule, effects),
        }
    }

    /// Judges subjects that do not stay at rest, and counts the others.
    fn judge_after(&mut self, now: Now, rule: &Arc<Rule>, glance: Glance, effects: &mut Effects) {
        let Glance { clear, left_out, rest } = glance;
        let mut tally = Tally { evaluations: clear + left_out, ..Tally::default() };
        effects.evaluations += clear + left_out;
        if let Some(state) = self.states.get_mut(&rule.name) {
            state.counts.clear += clear;
        }
        let Some(first) = rest.first() else { return self.close_tally(now, rule, &tally, effects) };
        let mut context = self.context(now, Target::Subject(*first));
        let world = self.world.clone();
        for id in &rest {
            let Some(subject) = world.subject(*id) else { continue };
            context.target = Target::Subject(*id);
            self.judge_one(rule, &context, TargetId::Subject(*id), &subject.key, &mut tally, effects);
        }
        tally.exhausted = context.budget.left() == 0;
        tally.operations = context.budget.spent();
        effects.take_prints(rule, &context);
        drop((context, world));
        self.close_tally(now, rule, &tally, effects);
    }

    /// The surroundings of evaluations of one rule in one step.
    pub(super) fn context(&self, now: Now, target: Target) -> Context {
        let zone = self.settings.zone.clone();
        Context { world: self.world.clone(), now, target, zone, budget: Arc::new(StepBudget::default()) }
    }

    /// Evaluates a rule once, and settles what it says.
    pub(super) fn judge_one(
        &mut self,
        rule: &Arc<Rule>,
        context: &Context,
        target: TargetId,
        key: &SubjectKey,
        tally: &mut Tally,
        effects: &mut Effects,
    ) {
        // Nearly all that is judged is well and was well before: it stays in its place.
        if let Some(state) = self.states.get_mut(&rule.name)
            && let Some(alert) =
                state.alerts.get(&target).filter(|alert| alert.is_at_rest() && alert.standing != Standing::Unjudged)
        {
            let on = [false; Level::ALL.len()];
            let judgement = rule.judge(context, &on[..alert.tracks.len()]);
            tally.count(&judgement.verdict);
            effects.evaluations += 1;
            match judgement.verdict {
                Verdict::Conditions(conditions) if !conditions.contains(&Condition::Fire) => {
                    state.counts.clear += 1;
                    let standing = Standing::Judged(conditions);
                    if alert.standing != standing {
                        state.alerts.change(&target, |alert| {
                            alert.standing = standing;
                            state.resting.note(&target, alert);
                        });
                    }
                }
                verdict => {
                    let Some(alert) = self.detach(&rule.name, &target) else { return };
                    self.settle(rule, context, target, alert, Judgement { verdict, ..judgement }, effects);
                }
            }
            return;
        }
        let alert = self.detach(&rule.name, &target);
        let alert = alert.unwrap_or_else(|| Alert::new(key.clone(), &target, rule.levels.len().max(1)));
        let judgement = rule.judge(context, &alert.on());
        tally.count(&judgement.verdict);
        effects.evaluations += 1;
        self.settle(rule, context, target, alert, judgement, effects);
    }

    /// Notes how a rule fared in this step.
    pub(super) fn close_tally(&mut self, now: Now, rule: &Arc<Rule>, tally: &Tally, effects: &mut Effects) {
        if tally.evaluations == 0 {
            return;
        }
        let failed = tally.exhausted || tally.errors == tally.evaluations;
        let result = if failed { StepResult::Failed { runaway: tally.runaway } } else { StepResult::Sound };
        let Some(state) = self.states.get_mut(&rule.name) else { return };
        state.operations += tally.operations;
        if let Some(until) = state.quarantine.note(result, now.time) {
            self.wakes.insert((until, rule.name.clone()));
            effects.quarantined.push((rule.name.clone(), until));
            // Timers of subjects whose last evaluation did not fail end neither: nobody looks at them any more.
            self.pause_all(now, rule, effects);
        }
    }

    /// Whether a rule is left alone: it is paused, or keeps failing.
    pub(super) fn is_left_alone(&self, rule: &Rule) -> bool {
        self.pause_of_rule(&rule.name).is_some()
            || self.states.get(&rule.name).is_some_and(|state| state.quarantine.until().is_some())
    }

    /// Shows a fault: kept with the rule, and the first of each rule and step among the effects.
    pub(super) fn show_fault(
        &mut self,
        now: Now,
        rule: &Rule,
        subject: &SubjectKey,
        fault: Fault,
        effects: &mut Effects,
    ) {
        if !effects.faults.iter().any(|known| known.rule == rule.name) {
            let (rule, subject) = (rule.name.clone(), subject.clone());
            effects.faults.push(RuleFault { rule, subject, fault: fault.clone() });
        }
        if let Some(state) = self.states.get_mut(&rule.name) {
            state.fault = Some((now.time, fault));
        }
    }
}
