//! What is remembered of a rule over a restart: all but what it runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::program::{LevelSource, MessageSource, Program};
use super::rule::{Flap, NoDataPolicy, PerLevel, Repeat, Rule, RuleSet, Scope};
use super::script;
use crate::model::{ChannelName, Labels, Level, RuleName};

/// A rule as it is stored: what tells whether a rule of the same name is still the same, and how its alerts are closed
/// where there is none any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RememberedRule {
    name: RuleName,
    file: Arc<str>,
    line: usize,
    kind: Arc<str>,
    /// With `over`, the labels that it groups by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Vec<Arc<str>>>,
    levels: Vec<Level>,
    cooldown: Duration,
    /// `None` is never.
    repeat: Option<Duration>,
    labels: Labels,
    runbook: Option<Arc<str>>,
    notify: Option<Vec<ChannelName>>,
    fingerprint: u64,
}

impl RememberedRule {
    /// What is remembered of a rule.
    pub fn of(rule: &Rule) -> RememberedRule {
        let (kind, by) = match &rule.scope {
            Scope::On { kind } => (kind.clone(), None),
            Scope::Over { kind, by } => (kind.clone(), Some(by.clone())),
        };
        RememberedRule {
            name: rule.name.clone(),
            file: rule.file.clone(),
            line: rule.line,
            kind,
            by,
            levels: rule.levels.clone(),
            cooldown: rule.cooldown,
            repeat: match rule.repeat {
                Repeat::Every(repeat) => Some(repeat),
                Repeat::Never => None,
            },
            labels: rule.labels.clone(),
            runbook: rule.runbook.clone(),
            notify: rule.notify.clone(),
            fingerprint: rule.fingerprint,
        }
    }

    fn into_rule(self, engine: &Arc<rhai::Engine>) -> Rule {
        let nothing = || PerLevel { default: Duration::ZERO, by_level: BTreeMap::new() };
        Rule {
            name: self.name,
            file: self.file,
            line: self.line,
            scope: match self.by {
                Some(by) => Scope::Over { kind: self.kind, by },
                None => Scope::On { kind: self.kind },
            },
            levels: self.levels,
            hold: nothing(),
            keep: nothing(),
            cooldown: self.cooldown,
            repeat: self.repeat.map_or(Repeat::Never, Repeat::Every),
            no_data: NoDataPolicy::Keep,
            every: Duration::from_secs(3600),
            judges_time: false,
            labels: self.labels,
            runbook: self.runbook,
            notify: self.notify,
            flap: None::<Flap>,
            reads_fields: Vec::new(),
            reach: Default::default(),
            fingerprint: self.fingerprint,
            program: Program {
                engine: engine.clone(),
                takes: None,
                when: Vec::new(),
                clear: Vec::new(),
                level: LevelSource::Fixed(Level::Warning),
                message: MessageSource::Default,
                watched: None,
                coverage: None,
            },
            origin: Arc::default(),
        }
    }
}

impl RuleSet {
    /// Rules that stand for the remembered ones until the rules are loaded. They run nothing and must not be judged.
    pub fn remembered(rules: impl IntoIterator<Item = RememberedRule>) -> RuleSet {
        let engine = Arc::new(script::engine());
        let rules = rules.into_iter().map(|rule| Arc::new(rule.into_rule(&engine)));
        RuleSet { rules: rules.map(|rule| (rule.name.clone(), rule)).collect(), generation: 0 }
    }
}
