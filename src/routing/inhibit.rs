//! Inhibitions: while some alerts fire, nobody is told of others. Pure.
//!
//! What mutes is that an alert fires, whoever is told of it: one that is silenced, acknowledged or muted itself still
//! mutes. An alert never mutes itself, and where alerts match both sides they do not mute each other, as in Alertmanager.
//! Unlike there, a label that is missing equals nothing: an alert without the label is muted by no one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::coverage::Possible;
use super::matcher::Partly;
use super::{Facts, Matchers, Routing};
use crate::diagnostic::Diagnostic;
use crate::model::{Level, RuleName};

/// One entry of `inhibit`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inhibition {
    /// The alerts that mute while they fire.
    pub when: Matchers,
    /// The alerts that are muted.
    pub mute: Matchers,
    /// What both must have in common.
    pub equal: Vec<Equal>,
    /// Its line in larum.yaml, from 1; 0 where it is not written there.
    pub line: usize,
}

/// Two labels that must have the same value, which is not empty; `rule`, `kind` and `name` count as labels. As text: `host`,
/// or `name=host` where they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equal {
    /// The label of the alert that mutes.
    pub when: Arc<str>,
    /// The label of the alert that is muted.
    pub mute: Arc<str>,
}

impl fmt::Display for Equal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when == self.mute {
            true => f.write_str(&self.when),
            false => write!(f, "{}={}", self.when, self.mute),
        }
    }
}

/// A side of an inhibition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Of those that mute.
    When,
    /// Of those that are muted.
    Mute,
}

impl Inhibition {
    /// Whether an alert is of a side.
    pub fn matches(&self, side: Side, facts: &Facts<'_>) -> bool {
        match side {
            Side::When => self.when.matches(facts),
            Side::Mute => self.mute.matches(facts),
        }
    }

    /// The values that an alert of a side has in common with those of the other one. `None` where one is missing.
    pub fn values(&self, side: Side, facts: &Facts<'_>) -> Option<Vec<Arc<str>>> {
        let value = |equal: &Equal| {
            let label = if side == Side::When { &equal.when } else { &equal.mute };
            Some(facts.label(label)).filter(|value| !value.is_empty())
        };
        self.equal.iter().map(value).collect()
    }

    /// Whether alerts of a rule could be of a side at a level.
    fn could_match(&self, side: Side, rule: &Possible<'_>, level: Level) -> bool {
        let known = Partly { rule: rule.rule, level, kind: rule.kind, labels: rule.labels };
        match side {
            Side::When => self.when.could_match(&known),
            Side::Mute => self.mute.could_match(&known),
        }
    }

    /// Whether alerts of a rule could mute, at any of its levels.
    pub fn could_mute(&self, rule: &Possible<'_>) -> bool {
        rule.levels.iter().any(|level| self.could_match(Side::When, rule, *level))
    }
}

/// Alerts of one rule at one level.
type Node<'a> = (&'a RuleName, Level);

impl Routing {
    /// Inhibitions that could mute each other in a circle, so that nobody is told of anything: an error for each circle,
    /// at the first of them. `file` and `text` are larum.yaml's.
    pub fn circles<'a>(
        &self,
        rules: impl IntoIterator<Item = Possible<'a>>,
        file: &str,
        text: &str,
    ) -> Vec<Diagnostic> {
        let rules: Vec<Possible<'a>> = rules.into_iter().collect();
        let mut mutes: BTreeMap<Node<'_>, Vec<(Node<'_>, usize)>> = BTreeMap::new();
        for inhibition in &self.inhibitions {
            let side = |side| {
                let levels = |rule: &'_ Possible<'a>| rule.levels.to_vec();
                let nodes = rules.iter().flat_map(move |rule| levels(rule).into_iter().map(move |level| (rule, level)));
                nodes.filter(move |(rule, level)| inhibition.could_match(side, rule, *level)).map(|(r, l)| (r.rule, l))
            };
            let both = |node: &Node<'_>| side(Side::When).any(|n| n == *node) && side(Side::Mute).any(|n| n == *node);
            for when in side(Side::When) {
                for mute in side(Side::Mute).filter(|mute| mute.0 != when.0 && !(both(mute) && both(&when))) {
                    mutes.entry(when).or_default().push((mute, inhibition.line));
                }
            }
        }
        let mut problems = Vec::new();
        let mut reported: BTreeSet<BTreeSet<Node<'_>>> = BTreeSet::new();
        for start in mutes.keys() {
            let Some(circle) = circle_from(*start, &mutes) else { continue };
            let members: BTreeSet<Node<'_>> = circle.iter().map(|(node, _)| *node).collect();
            if !reported.insert(members) {
                continue;
            }
            let line = circle.first().map_or(0, |(_, line)| *line);
            let names: Vec<String> = circle.iter().map(|((rule, level), _)| format!("`{rule}` ({level})")).collect();
            let lines: BTreeSet<usize> = circle.iter().map(|(_, line)| *line).collect();
            let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            let message = format!(
                "these alerts can mute each other in a circle, so that nobody is told: {} mutes {}",
                names.join(" mutes "),
                names.first().cloned().unwrap_or_default()
            );
            let hint = format!("narrow `when` or `mute` of the inhibitions at line {}", lines.join(" and "));
            problems.push(Diagnostic::error(file, text, line, 1, message).with_hint(hint));
        }
        problems
    }
}

/// The shortest circle through `start`: each node with the line of the inhibition by which it mutes the next one.
fn circle_from<'a>(
    start: Node<'a>,
    mutes: &BTreeMap<Node<'a>, Vec<(Node<'a>, usize)>>,
) -> Option<Vec<(Node<'a>, usize)>> {
    let mut came_from: BTreeMap<Node<'a>, (Node<'a>, usize)> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for (next, line) in mutes.get(&node).into_iter().flatten() {
            if *next == start {
                let mut circle = vec![(node, *line)];
                let mut at = node;
                while let Some((before, line)) = came_from.get(&at).filter(|_| at != start) {
                    circle.push((*before, *line));
                    at = *before;
                }
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(next) {
                came_from.insert(*next, (node, *line));
                queue.push_back(*next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
