//! What the engine lets others see: alerts, rules, the world.

use crate::history::World;
use crate::model::{Now, RuleName, Time};
use crate::routing::Routing;
use crate::rules::{Context, Fault, Rule, RuleSet, Target};

use super::{Alert, Counts, Engine, Pause, Quarantine};

/// One alert, and the rule that judges it.
#[derive(Clone, Copy, Debug)]
pub struct AlertView<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The alert.
    pub alert: &'a Alert,
}

/// One rule and how it fares.
#[derive(Clone, Debug)]
pub struct RuleView<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Its verdicts since start.
    pub counts: Counts,
    /// Operations that the interpreter used for its verdicts since start; none where they are judged without it.
    pub operations: u64,
    /// The newest fault, and when.
    pub fault: Option<&'a (Time, Fault)>,
    /// An operator leaves it alone.
    pub pause: Option<&'a Pause>,
    /// Whether it is left alone because it keeps failing.
    pub quarantine: Quarantine,
    /// How many subjects or groups it takes part in.
    pub takes_part: usize,
    /// How many it does not concern, or does not take.
    pub left_out: usize,
    /// How many of its alerts fire.
    pub firing: usize,
    /// How many are pending.
    pub pending: usize,
}

impl Engine {
    /// What is known of what is observed.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The routes in force.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The rules in force.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// All alerts that were judged, by (rule, target).
    pub fn alerts(&self) -> impl Iterator<Item = AlertView<'_>> {
        self.states.iter().flat_map(|(name, state)| {
            let rule = self.rules.rules.get(name);
            rule.into_iter().flat_map(|rule| state.alerts.values().map(move |alert| AlertView { rule, alert }))
        })
    }

    /// Those of them that are pending, fire or recover.
    pub fn active_alerts(&self) -> impl Iterator<Item = AlertView<'_>> {
        self.states.iter().flat_map(|(name, state)| {
            let rule = self.rules.rules.get(name);
            rule.into_iter().flat_map(|rule| state.alerts.active().map(move |(_, alert)| AlertView { rule, alert }))
        })
    }

    /// The alert of one rule and one subject (or group, by its name).
    pub fn alert(&self, rule: &RuleName, subject: &str) -> Option<&Alert> {
        self.states.get(rule)?.alerts.values().find(|alert| &*alert.subject.name == subject)
    }

    /// The surroundings in which a rule would judge one of its alerts now; `None` where it cannot be told what belongs to
    /// it. They hold the world: the engine must not be stepped before they are dropped.
    pub fn surroundings(&self, now: Now, rule: &Rule, alert: &Alert) -> Option<Context> {
        let target = match &alert.group {
            Some(labels) => self.set_target(now, rule, labels)?,
            None => Target::Subject(self.world.find(&alert.subject.kind, &alert.subject.name)?),
        };
        Some(self.context(now, target))
    }

    /// All rules, by name.
    pub fn rule_views(&self) -> impl Iterator<Item = RuleView<'_>> {
        self.rules.rules.values().filter_map(|rule| {
            let state = self.states.get(&rule.name)?;
            Some(RuleView {
                rule,
                counts: state.counts,
                operations: state.operations,
                fault: state.fault.as_ref(),
                pause: self.pause_of_rule(&rule.name),
                quarantine: state.quarantine,
                takes_part: state.alerts.n_taking_part(),
                left_out: state.alerts.n_left_out(),
                firing: state.alerts.active().filter(|(_, alert)| alert.firing.is_some()).count(),
                pending: state.alerts.active().filter(|(_, alert)| alert.pending_since().is_some()).count(),
            })
        })
    }
}
