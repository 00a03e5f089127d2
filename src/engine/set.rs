//! Rules over sets: one alert, or one per group.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::Signal;
use crate::history::{Scratch, Subject, SubjectId};
use crate::model::{CloseReason, Labels, NoData, Now, SubjectKey, Time};
use crate::rules::{Context, Fault, Judgement, Rule, Scope, Target, Verdict};

use super::judge::Tally;
use super::{Alert, Effects, Engine, TargetId};

/// What is known of the members of a group that has no fresh one that `where` takes.
#[derive(Default)]
struct Known {
    /// There are any.
    any: bool,
    /// Some are fresh: `where` does not take them.
    excluded: bool,
    /// When the newest snapshot of the silent ones came, in engine time.
    silent_since: Option<Time>,
}

/// The fresh members of a rule's set, by the values of its `by` labels.
pub(super) type Groups = BTreeMap<Labels, Arc<[SubjectId]>>;

/// Who belongs to a rule's set, as long as nobody joins or leaves: for rules that choose by labels alone.
#[derive(Clone, Debug)]
pub(super) struct KnownGroups {
    membership: u64,
    /// When the first member turns stale if nothing is heard of it.
    until: Time,
    groups: Arc<Groups>,
}

impl KnownGroups {
    /// Whether nobody joined or left since.
    pub(super) fn is_so(&self, membership: Option<u64>, now: Now) -> bool {
        membership == Some(self.membership) && now.time < self.until
    }
}

impl Engine {
    /// Judges a rule's set, or each of its groups, once.
    pub(super) fn judge_set(&mut self, now: Now, rule: &Arc<Rule>, effects: &mut Effects) {
        let Scope::Over { kind, by } = &rule.scope else { return };
        if self.is_left_alone(rule) {
            return;
        }
        if self.world.awaits_any(kind) {
            // Who belongs to the set is not known yet: whatever its `no_data` says, nothing happens because of a restart.
            return self.pause_all(now, rule, effects);
        }
        let mut context =
            self.context(now, Target::Set { kind: kind.clone(), members: [].into(), labels: Labels::new() });
        let (groups, fault) = match self.known_groups(now, rule, kind) {
            Some(known) => (known, None),
            None => {
                let (groups, fault) = self.groups(&context, rule, kind, by);
                let groups = Arc::new(groups);
                if fault.is_none() {
                    self.remember_groups(now, rule, kind, &groups);
                }
                (groups, fault)
            }
        };
        let mut tally = Tally::default();
        if let Some((id, failed)) = fault {
            // Who belongs to the set is not known: every alert of the rule stays as it is.
            let verdict = Verdict::Error(failed.clone());
            tally.count(&verdict);
            self.count(&rule.name, &verdict);
            if let Some(key) = self.key_of(id) {
                self.show_fault(now, rule, &key, failed, effects);
            }
            self.pause_all(now, rule, effects);
        } else {
            self.close_empty_groups(now, rule, kind, by, &groups, &context, effects);
            for (labels, members) in &*groups {
                let key = SubjectKey { kind: kind.clone(), name: group_name(labels) };
                context.target = Target::Set { kind: kind.clone(), members: members.clone(), labels: labels.clone() };
                self.judge_one(rule, &context, TargetId::Group(labels.clone()), &key, &mut tally, effects);
            }
        }
        tally.exhausted = context.budget.left() == 0;
        tally.operations = context.budget.spent();
        effects.take_prints(rule, &context);
        drop(context);
        self.close_tally(now, rule, &tally, effects);
    }

    /// The fresh members by group, and the first fault of `where`, after which nobody knows who belongs to the set.
    pub(super) fn groups(
        &self,
        context: &Context,
        rule: &Rule,
        kind: &str,
        by: &[Arc<str>],
    ) -> (Groups, Option<(SubjectId, Fault)>) {
        let now = context.now;
        let mut groups: BTreeMap<Labels, Vec<SubjectId>> = BTreeMap::new();
        if by.is_empty() {
            groups.insert(Labels::new(), Vec::new());
        }
        let (mut context, mut scratch, mut fault) = (context.clone(), Scratch::default(), None);
        for id in self.world.of_kind(kind).filter(|id| !self.world.is_stale(*id, now)) {
            let takes = rule.takes_by_plan(&self.world, id, now, &mut scratch);
            let takes = takes.map_or_else(
                || {
                    context.target = Target::Subject(id);
                    match rule.takes(&context) {
                        Verdict::Conditions(_) => Ok(true),
                        Verdict::Error(fault) => Err(fault),
                        Verdict::Excluded | Verdict::NotConcerned { .. } | Verdict::NoData(_) => Ok(false),
                    }
                },
                Ok,
            );
            match takes {
                Ok(true) => groups.entry(self.group_of(id, by)).or_default().push(id),
                Ok(false) => {}
                Err(found) => {
                    fault = Some((id, found));
                    break;
                }
            }
        }
        (groups.into_iter().map(|(labels, ids)| (labels, ids.into())).collect(), fault)
    }

    /// Who belongs to a rule's set, where nobody joined or left since that was found out.
    fn known_groups(&self, now: Now, rule: &Rule, kind: &str) -> Option<Arc<Groups>> {
        let known = self.sets.get(&rule.name)?;
        known.is_so(self.world.membership(kind), now).then(|| known.groups.clone())
    }

    fn remember_groups(&mut self, now: Now, rule: &Rule, kind: &str, groups: &Arc<Groups>) {
        let Some(membership) = self.world.membership(kind).filter(|_| rule.chooses_by_labels()) else { return };
        let subjects = groups.values().flat_map(|ids| ids.iter()).filter_map(|id| self.world.subject(*id));
        let until = subjects.map(Subject::stale_at).min();
        let until = until.unwrap_or(Time::from_micros(i64::MAX));
        debug_assert!(until > now.time, "only fresh ones are members");
        self.sets.insert(rule.name.clone(), KnownGroups { membership, until, groups: groups.clone() });
    }

    /// The set of one group as a target; `None` where it cannot be told who belongs to it.
    pub(super) fn set_target(&self, now: Now, rule: &Rule, labels: &Labels) -> Option<Target> {
        let Scope::Over { kind, by } = &rule.scope else { return None };
        let all = Target::Set { kind: kind.clone(), members: [].into(), labels: Labels::new() };
        let (mut groups, fault) = self.groups(&self.context(now, all), rule, kind, by);
        let members = groups.remove(labels).unwrap_or_else(|| [].into());
        fault.is_none().then(|| Target::Set { kind: kind.clone(), members, labels: labels.clone() })
    }

    /// Groups that had an alert and have no fresh member: no data while a silent member is known, else closed.
    #[expect(clippy::too_many_arguments, reason = "one stage of judge_set")]
    fn close_empty_groups(
        &mut self,
        now: Now,
        rule: &Arc<Rule>,
        kind: &str,
        by: &[Arc<str>],
        groups: &Groups,
        context: &Context,
        effects: &mut Effects,
    ) {
        let Some(state) = self.states.get(&rule.name) else { return };
        let is_empty = |target: &TargetId| matches!(target, TargetId::Group(labels) if !groups.contains_key(labels));
        let mut empty: BTreeMap<TargetId, Known> = BTreeMap::new();
        empty.extend(
            state.alerts.keys().filter(|target| is_empty(target)).map(|target| (target.clone(), Known::default())),
        );
        if empty.is_empty() {
            return;
        }
        for id in self.world.of_kind(kind) {
            let Some(known) = empty.get_mut(&TargetId::Group(self.group_of(id, by))) else { continue };
            known.any = true;
            match self.world.subject(id).filter(|subject| !subject.gone) {
                Some(subject) if subject.stale_at() <= now.time => {
                    known.silent_since = known.silent_since.max(Some(subject.arrived));
                }
                Some(_) => known.excluded = true,
                None => {}
            }
        }
        for (target, known) in empty {
            match known.silent_since {
                Some(since) => {
                    let since = now.wall_of(since);
                    let Some(alert) = self.detach(&rule.name, &target) else { continue };
                    let verdict = Verdict::NoData(NoData::Stale { since });
                    let judgement = Judgement { verdict, reads: Vec::new() };
                    self.settle(rule, context, target, alert, judgement, effects);
                }
                None => {
                    let reason = match (known.any, known.excluded) {
                        (true, true) => CloseReason::NoLongerCovered,
                        (true, false) => CloseReason::Gone,
                        (false, _) => CloseReason::Vanished,
                    };
                    self.close_target(now, &rule.name, &target, reason, effects);
                }
            }
        }
    }

    /// Stops the timers of all alerts of a rule that could not judge.
    pub(super) fn pause_all(&mut self, now: Now, rule: &Arc<Rule>, effects: &mut Effects) {
        let targets: Vec<TargetId> =
            self.states.get(&rule.name).map(|state| state.alerts.keys().cloned().collect()).unwrap_or_default();
        for target in targets {
            let Some(mut alert) = self.detach(&rule.name, &target) else { continue };
            pause(&mut alert, rule, now);
            self.tell_and_attach(now, &rule.name, target, alert, effects);
        }
    }

    /// The values of a subject's labels `by`; `name` and `kind` count as labels.
    pub(super) fn group_of(&self, id: SubjectId, by: &[Arc<str>]) -> Labels {
        let Some(subject) = self.world.subject(id) else { return Labels::new() };
        by.iter().map(|label| (label.clone(), subject.label(label).into())).collect()
    }
}

/// A group's name: `region=eu,zone=a`, and `all` for the one set of a rule without `by`.
pub(super) fn group_name(labels: &Labels) -> Arc<str> {
    if labels.is_empty() {
        return "all".into();
    }
    let pairs: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
    pairs.join(",").into()
}

/// Nothing is known of an alert any more: its timers stand still, and it stays as it is.
pub(super) fn pause(alert: &mut Alert, rule: &Rule, now: Now) {
    alert.not_judged_since.get_or_insert(now.time);
    for (index, track) in alert.tracks.iter_mut().enumerate() {
        let level = super::state::track_level(rule, index);
        *track = track.observe(Signal::Unknown, now.time, rule.hold.of(level), rule.keep.of(level));
    }
}
