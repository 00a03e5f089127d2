//! Inhibitions: which alerts that fire mute which.
//!
//! Alerts of both sides are kept by the values that they must have in common, so that a change of one finds the others at
//! once. Who may be muted is told at the end of an instant, when all that the instant brought has been judged: whether the
//! host's alert or the service's came first in a batch changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Level, Now, RuleName, SubjectKey, Time};
use crate::routing::{Facts, Inhibition, Possible, Side};
use crate::rules::{Rule, Scope};

use super::{Alert, Engine, Member, Standing, TargetId};

/// How long a rule without a verdict is waited for at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What alerts of both sides have in common.
type Values = Vec<Arc<str>>;

/// The alerts of one inhibition that fire.
#[derive(Clone, Debug, Default)]
struct Sides {
    /// Those that mute; each with whether it is of the other side too.
    when: BTreeMap<Values, BTreeMap<Member, bool>>,
    /// Those that are muted.
    mute: BTreeMap<Values, BTreeSet<Member>>,
}

/// The alerts that fire, by the inhibitions of which they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// In the order of larum.yaml.
    sides: Vec<Sides>,
    /// The rules that could mute, of each inhibition.
    rules: Vec<Vec<RuleName>>,
    places: BTreeMap<(RuleName, TargetId), Places>,
}

/// Where an alert stands in the index.
#[derive(Clone, Debug, PartialEq)]
struct Places {
    subject: SubjectKey,
    /// Of which inhibition, on which side, with which values; on the side of those that mute, whether on the other too.
    places: Vec<(usize, Side, Values, bool)>,
}

/// Why an alert is muted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Muted {
    /// Another alert fires.
    By {
        /// Its rule.
        rule: RuleName,
        /// What it is about.
        subject: SubjectKey,
    },
    /// A rule that could mute it has not judged yet.
    Awaits {
        /// The rule.
        rule: RuleName,
        /// Until when it is waited for, in engine time.
        until: Time,
    },
}

impl Muted {
    /// Until when a rule that has not judged yet is waited for, in engine time.
    pub const fn until(&self) -> Option<Time> {
        match self {
            Muted::By { .. } => None,
            Muted::Awaits { until, .. } => Some(*until),
        }
    }
}

impl Index {
    fn is_off(&self) -> bool {
        self.sides.is_empty()
    }

    /// Puts an alert where it belongs. Gives those that it mutes from now on, or no longer.
    fn put(&mut self, key: (RuleName, TargetId), places: Option<Places>) -> Vec<Member> {
        let old = match places {
            Some(places) => self.places.insert(key.clone(), places),
            None => self.places.remove(&key),
        };
        let new = self.places.get(&key).cloned();
        if old == new {
            return Vec::new();
        }
        let member = |subject: &SubjectKey| (key.0.clone(), subject.clone(), key.1.clone());
        let mut changed = Vec::new();
        for Places { subject, places } in old.iter() {
            for (index, side, values, _) in places {
                self.sides[*index].remove(*side, values, &member(subject), &mut changed);
            }
        }
        for Places { subject, places } in new.iter() {
            for (index, side, values, is_both) in places {
                self.sides[*index].insert(*side, values, member(subject), *is_both, &mut changed);
            }
        }
        changed
    }
}

impl Sides {
    fn muted(&self, values: &Values) -> impl Iterator<Item = Member> {
        self.mute.get(values).into_iter().flatten().cloned()
    }

    fn remove(&mut self, side: Side, values: &Values, member: &Member, changed: &mut Vec<Member>) {
        match side {
            Side::When => {
                changed.extend(self.muted(values));
                if let Some(members) = self.when.get_mut(values) {
                    members.remove(member);
                    if members.is_empty() {
                        self.when.remove(values);
                    }
                }
            }
            Side::Mute => {
                if let Some(members) = self.mute.get_mut(values) {
                    members.remove(member);
                    if members.is_empty() {
                        self.mute.remove(values);
                    }
                }
            }
        }
    }

    fn insert(&mut self, side: Side, values: &Values, member: Member, is_both: bool, changed: &mut Vec<Member>) {
        match side {
            Side::When => {
                changed.extend(self.muted(values));
                self.when.entry(values.clone()).or_default().insert(member, is_both);
            }
            Side::Mute => drop(self.mute.entry(values.clone()).or_default().insert(member)),
        }
    }
}

impl Engine {
    /// Makes the index anew: the inhibitions or the rules changed, or the engine started again.
    pub(super) fn index_inhibitions(&mut self) {
        let routing = self.routing.clone();
        let inhibitions = routing.inhibitions();
        if inhibitions.is_empty() {
            self.inhibitions = Index::default();
            return;
        }
        let rules = inhibitions.iter().map(|inhibition| self.rules_that_mute(inhibition)).collect();
        let sides = vec![Sides::default(); inhibitions.len()];
        self.inhibitions = Index { sides, rules, places: BTreeMap::new() };
        for (name, _, target) in self.alerts_that(|_, _, _| true) {
            let alert = self.states.get(&name).and_then(|state| state.alerts.get(&target));
            let places = alert.and_then(|alert| self.places_of(&name, alert));
            self.inhibitions.put((name, target), places);
        }
    }

    fn rules_that_mute(&self, inhibition: &Inhibition) -> Vec<RuleName> {
        let could = |rule: &&Arc<Rule>| inhibition.could_mute(&possible(rule, &rule.possible_levels()));
        self.rules.rules.values().filter(could).map(|rule| rule.name.clone()).collect()
    }

    /// An alert may fire, or no longer, or be another: those that it mutes are told anew.
    pub(super) fn index_alert(&mut self, name: &RuleName, target: &TargetId, alert: &Alert) {
        if !self.inhibitions.is_off() {
            let places = self.places_of(name, alert);
            let changed = self.inhibitions.put((name.clone(), target.clone()), places);
            self.retell.extend(changed);
        }
    }

    /// An alert is no longer remembered.
    pub(super) fn unindex_alert(&mut self, name: &RuleName, target: &TargetId) {
        if !self.inhibitions.is_off() {
            let changed = self.inhibitions.put((name.clone(), target.clone()), None);
            self.retell.extend(changed);
        }
    }

    fn places_of(&self, name: &RuleName, alert: &Alert) -> Option<Places> {
        let rule = self.rules.rules.get(name)?;
        let level = alert.firing.as_ref()?.level;
        let places: Vec<_> = self.with_facts(rule, alert, level, |facts| {
            let inhibitions = self.routing.inhibitions().iter().enumerate();
            let place = |index, inhibition: &Inhibition, side| {
                let is_here = inhibition.matches(side, facts);
                let values = inhibition.values(side, facts).filter(|_| is_here)?;
                Some((index, side, values, is_of_both(inhibition, facts)))
            };
            inhibitions
                .flat_map(|(index, inhibition)| {
                    [Side::When, Side::Mute].into_iter().filter_map(move |side| place(index, inhibition, side))
                })
                .collect()
        });
        (!places.is_empty()).then(|| Places { subject: alert.subject.clone(), places })
    }

    /// Whether an alert must wait for the end of the instant: by then it is known whether another one mutes it.
    pub(super) fn waits_for_settling(&self, rule: &Rule, alert: &Alert) -> bool {
        let Some(firing) = alert.firing.as_ref().filter(|_| !self.settling && !self.inhibitions.is_off()) else {
            return false;
        };
        self.with_facts(rule, alert, firing.level, |facts| {
            self.routing.inhibitions().iter().any(|inhibition| inhibition.matches(Side::Mute, facts))
        })
    }

    /// Why an alert that fires is muted. `None` where it is not.
    pub fn muted(&self, now: Now, rule: &Rule, alert: &Alert) -> Option<Muted> {
        let firing = alert.firing.as_ref().filter(|_| !self.inhibitions.is_off())?;
        self.with_facts(rule, alert, firing.level, |facts| {
            let mut awaited: Option<(RuleName, Time)> = None;
            for (index, inhibition) in self.routing.inhibitions().iter().enumerate() {
                let Some(values) =
                    inhibition.values(Side::Mute, facts).filter(|_| inhibition.matches(Side::Mute, facts))
                else {
                    continue;
                };
                let is_both = is_of_both(inhibition, facts);
                let is_self = |(name, subject, _): &Member| *name == rule.name && *subject == alert.subject;
                let others = self.inhibitions.sides[index].when.get(&values).into_iter().flatten();
                let mut others = others.filter(|(member, both)| !(is_self(member) || is_both && **both));
                if let Some(((rule, subject, _), _)) = others.next() {
                    return Some(Muted::By { rule: rule.clone(), subject: subject.clone() });
                }
                for name in self.inhibitions.rules[index].iter().filter(|name| **name != rule.name) {
                    let until = self.awaited_until(now, name, inhibition, &values);
                    if let Some(until) = until.filter(|until| awaited.as_ref().is_none_or(|(_, known)| until > known)) {
                        awaited = Some((name.clone(), until));
                    }
                }
            }
            awaited.map(|(rule, until)| Muted::Awaits { rule, until })
        })
    }

    /// Until when a rule that could mute an alert with these values has to be waited for: soon after its load or the
    /// engine's start it may not have judged what the alert hangs on. `None` where it has, or had its time.
    fn awaited_until(&self, now: Now, name: &RuleName, inhibition: &Inhibition, values: &Values) -> Option<Time> {
        let (rule, state) = (self.rules.rules.get(name)?, self.states.get(name)?);
        let latest = state.since + LONGEST_WAIT;
        if latest <= now.time {
            return None;
        }
        let is_judged =
            |target: &TargetId| state.alerts.get(target).is_some_and(|alert| alert.standing != Standing::Unjudged);
        let until = match &rule.scope {
            Scope::On { kind } => {
                let mut labels: Vec<(&str, &str)> = Vec::new();
                for (equal, value) in inhibition.equal.iter().zip(values) {
                    match (&*equal.when, rule.labels.get(&equal.when)) {
                        ("rule", _) if **value != *name.as_str() => return None,
                        ("rule", _) => {}
                        (_, Some(own)) if own != value => return None,
                        (_, Some(_)) => {}
                        (label, None) => labels.push((label, value)),
                    }
                }
                let subjects = self.world.select(kind, &labels);
                let subjects = subjects.into_iter().filter_map(|id| Some((id, self.world.subject(id)?)));
                let known: Vec<_> = subjects.filter(|(_, subject)| !subject.gone).collect();
                let unjudged = known.iter().filter(|(id, _)| !is_judged(&TargetId::Subject(*id)));
                match known.is_empty() {
                    true => Some(latest),
                    false => unjudged.map(|(_, subject)| latest.min(state.since + subject.stale_after)).max(),
                }
            }
            Scope::Over { .. } => (!state.alerts.iter().any(|(target, _)| is_judged(target))).then_some(latest),
        };
        until.filter(|until| *until > now.time)
    }

    /// A rule judges something for the first time: alerts that waited for that are told at the end of the instant.
    pub(super) fn note_first_verdict(&mut self, now: Now, rule: &Rule, alert: &Alert) {
        let is_first = alert.standing == Standing::Unjudged && !self.inhibitions.is_off();
        let is_early = self.states.get(&rule.name).is_some_and(|state| now.time < state.since + LONGEST_WAIT);
        if !(is_first && is_early) {
            return;
        }
        let waiting = self.with_facts(rule, alert, Level::Warning, |facts| {
            let mut waiting: Vec<Member> = Vec::new();
            for (index, inhibition) in self.routing.inhibitions().iter().enumerate() {
                let values = inhibition.values(Side::When, facts);
                if let Some(values) = values.filter(|_| self.inhibitions.rules[index].contains(&rule.name)) {
                    waiting.extend(self.inhibitions.sides[index].muted(&values));
                }
            }
            waiting
        });
        self.retell.extend(waiting);
    }
}

/// Whether an alert is of both sides, with the same values.
fn is_of_both(inhibition: &Inhibition, facts: &Facts<'_>) -> bool {
    inhibition.matches(Side::When, facts)
        && inhibition.matches(Side::Mute, facts)
        && inhibition.values(Side::When, facts) == inhibition.values(Side::Mute, facts)
}

/// What alerts a rule could raise.
fn possible<'a>(rule: &'a Rule, levels: &'a [Level]) -> Possible<'a> {
    let (Scope::On { kind } | Scope::Over { kind, .. }) = &rule.scope;
    Possible {
        rule: &rule.name,
        file: &rule.file,
        line: rule.line,
        text: "",
        levels,
        kind,
        labels: &rule.labels,
        notify: rule.notify.as_deref(),
    }
}
