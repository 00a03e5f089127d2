//! Acknowledgements: somebody takes care of an alert, so nothing of it is repeated until it gets worse or ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Acknowledged, EventKind, FiringId, Now, RuleName};
use crate::rules::Rule;

use super::{Alert, Effects, Engine, Member};

/// Firings that somebody names. All conditions must hold; at least one should be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// The firing's id, or the beginning of it.
    pub id: Option<String>,
    /// Of this rule.
    pub rule: Option<String>,
    /// About a subject of this kind.
    pub kind: Option<String>,
    /// About a subject or group of this name.
    pub name: Option<String>,
}

impl Selector {
    fn selects(&self, rule: &Rule, alert: &Alert) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_deref().is_none_or(|wanted| wanted == text);
        let Some(firing) = &alert.firing else { return false };
        self.id.as_deref().is_none_or(|id| firing.id.as_str().starts_with(id))
            && is(&self.rule, rule.name.as_str())
            && is(&self.kind, &alert.subject.kind)
            && is(&self.name, &alert.subject.name)
    }
}

impl Engine {
    /// The firings that a selector names, by (rule, subject).
    pub fn select(&self, selector: &Selector) -> Vec<FiringId> {
        let selected = self.active_alerts().filter(|view| selector.selects(view.rule, view.alert));
        let mut selected: Vec<_> = selected
            .filter_map(|view| Some((&view.rule.name, &view.alert.subject, view.alert.firing.as_ref()?.id.clone())))
            .collect();
        selected.sort();
        selected.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Notes who acknowledges firings; without anybody, that nobody does any more.
    pub(super) fn acknowledge(
        &mut self,
        now: Now,
        firings: &[FiringId],
        by: Option<(Arc<str>, Arc<str>)>,
        effects: &mut Effects,
    ) {
        let wanted: BTreeSet<&FiringId> = firings.iter().collect();
        let is_wanted = |_: &Engine, _: &Rule, alert: &Alert| {
            alert.firing.as_ref().is_some_and(|firing| wanted.contains(&firing.id))
        };
        for (name, _, target) in self.alerts_that(is_wanted) {
            let Some(rule) = self.rules.rules.get(&name).cloned() else { continue };
            let Some(mut alert) = self.detach(&name, &target) else { continue };
            alert.acknowledged = by.clone().map(|(by, comment)| Acknowledged { by, at: now.wall(), comment });
            if let Some(Acknowledged { by, comment, .. }) = &alert.acknowledged {
                let message = match &**comment {
                    "" => format!("by {by}"),
                    comment => format!("by {by}: {comment}"),
                };
                let event = self.event_of(now, &rule, &alert, EventKind::Acknowledged, None);
                effects.events.extend(event.map(|event| super::Event { message, ..event }));
            }
            self.tell_and_attach(now, &name, target, alert, effects);
        }
    }

    /// The alerts that fire and of which something holds, by (rule, subject).
    pub(super) fn alerts_that(&self, holds: impl Fn(&Engine, &Rule, &Alert) -> bool) -> BTreeSet<Member> {
        let mut members = BTreeSet::new();
        for (name, state) in &self.states {
            let Some(rule) = self.rules.rules.get(name) else { continue };
            let firing = state.alerts.active().filter(|(_, alert)| alert.firing.is_some());
            let those = firing.filter(|(_, alert)| holds(self, rule, alert));
            members.extend(those.map(|(target, alert)| (RuleName::clone(name), alert.subject.clone(), target.clone())));
        }
        members
    }

    /// Tells every channel of these alerts what it should know.
    pub(super) fn tell_these(&mut self, now: Now, members: impl IntoIterator<Item = Member>, effects: &mut Effects) {
        if self.awaits_rules {
            return;
        }
        for (name, _, target) in members {
            if let Some(alert) = self.detach(&name, &target) {
                self.tell_and_attach(now, &name, target, alert, effects);
            }
        }
    }
}
