//! Rules and collectors that are left alone for a while.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Now, RuleName, Time};
use crate::rules::Rule;

use super::{Effects, Engine};

/// What is paused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Paused {
    /// All rules, or one: they judge nothing, and their alerts stay as they are.
    Rules(Option<RuleName>),
    /// All collectors, or one: they make no snapshots, and their subjects are not held to have fallen silent.
    Collectors(Option<Arc<str>>),
}

/// Since when something is paused, by whom, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when, by the wall clock.
    pub since: Time,
    /// Since when in engine time, later by the time in which the engine was down.
    pub(super) engine_since: Time,
    /// Who asked for it.
    pub by: Arc<str>,
    /// Why; may be empty.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub comment: Arc<str>,
}

impl Engine {
    /// What is paused.
    pub fn pauses(&self) -> &BTreeMap<Paused, Pause> {
        &self.pauses
    }

    /// The pause of a rule, by itself or with all of them.
    pub fn pause_of_rule(&self, name: &RuleName) -> Option<&Pause> {
        let one = self.pauses.get(&Paused::Rules(Some(name.clone())));
        one.or_else(|| self.pauses.get(&Paused::Rules(None)))
    }

    /// Leaves rules or collectors alone from now on. What is paused already goes on being so as it was.
    pub(super) fn pause(&mut self, now: Now, what: Paused, by: Arc<str>, comment: Arc<str>, effects: &mut Effects) {
        if self.pauses.contains_key(&what) {
            return;
        }
        let pause = Pause { since: now.wall(), engine_since: now.time, by, comment };
        self.pauses.insert(what.clone(), pause);
        self.touch_pause(&what);
        match what {
            Paused::Rules(name) => {
                for rule in self.rules_named(name.as_ref()) {
                    self.pause_all(now, &rule, effects);
                }
            }
            Paused::Collectors(source) => {
                let ids = self.world_mut().pause(source, now.time);
                self.judge_subjects(now, &ids, &[], effects);
            }
        }
    }

    /// Lets rules or collectors go on; all of them ends the pauses of single ones too.
    pub(super) fn resume_paused(&mut self, now: Now, what: &Paused, effects: &mut Effects) {
        let is_meant = |paused: &Paused| match (what, paused) {
            (Paused::Rules(None), Paused::Rules(_)) | (Paused::Collectors(None), Paused::Collectors(_)) => true,
            (what, paused) => what == paused,
        };
        let ended: Vec<Paused> = self.pauses.keys().filter(|paused| is_meant(paused)).cloned().collect();
        for paused in &ended {
            self.pauses.remove(paused);
            self.touch_pause(paused);
        }
        let mut woken: Vec<Arc<Rule>> = Vec::new();
        for paused in ended {
            match paused {
                Paused::Rules(name) => woken.extend(self.rules_named(name.as_ref())),
                Paused::Collectors(source) => {
                    let ids = self.world_mut().go_on(source.as_deref(), now.time);
                    for id in &ids {
                        self.touch_subject(*id);
                    }
                    self.judge_subjects(now, &ids, &[], effects);
                }
            }
        }
        woken.sort_by(|a, b| a.name.cmp(&b.name));
        woken.dedup_by(|a, b| a.name == b.name);
        for rule in woken {
            self.judge_all(now, &rule, true, effects);
        }
    }

    fn rules_named(&self, name: Option<&RuleName>) -> Vec<Arc<Rule>> {
        let is_meant = |rule: &&Arc<Rule>| name.is_none_or(|name| *name == rule.name);
        self.rules.rules.values().filter(is_meant).cloned().collect()
    }

    /// After a restart: a pause goes on, and the time without the engine is not counted twice.
    pub(super) fn restore_pause(&mut self, what: Paused, pause: Pause, down: Duration) {
        self.touch_pause(&what);
        self.pauses.insert(what, Pause { engine_since: pause.engine_since + down, ..pause });
    }
}
