//! What the engine remembers of each rule and each of its alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alert::{Flap, FlapLimit, PerChannel, Timing, Told, Track};
use crate::history::SubjectId;
use crate::model::{Acknowledged, ChannelName, FiringId, Labels, Level, NoData, SubjectKey, Time, Value};
use crate::rules::{Condition, Fault, Repeat, Rule};

use super::alerts::Alerts;
use super::escalate::Clock;
use super::quarantine::Quarantine;
use super::resting::Resting;

/// What an alert is about, within its rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetId {
    /// One subject.
    Subject(SubjectId),
    /// The members with these values of the rule's `by` labels.
    Group(Labels),
}

/// What the newest evaluation said.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Standing {
    /// It was not judged yet.
    #[default]
    Unjudged,
    /// The condition of each level.
    Judged(Vec<Condition>),
    /// There was no answer.
    NoData(NoData),
    /// The script failed.
    Failed(Fault),
    /// `where` does not take it.
    Excluded,
    /// It never had the field: the rule does not concern it.
    NotConcerned(Arc<str>),
}

/// One stretch from raise to end. While an alert flaps it is one firing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    /// Its id.
    pub id: FiringId,
    /// When it was raised, in engine time; of a flapping alert the last time.
    pub since: Time,
    /// Since when its condition is over, between two raises of a flapping alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests_since: Option<Time>,
    /// The level now.
    pub level: Level,
    /// The message as of the last event.
    pub message: String,
}

/// One (rule, subject) or (rule, group). Its JSON is what is remembered of it over a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// The subject; of a group the kind, and the group's labels as a name.
    pub subject: SubjectKey,
    /// The labels of its group, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Labels>,
    /// The newest verdict.
    #[serde(skip)]
    pub standing: Standing,
    /// One per level of the rule, in its order.
    pub tracks: Vec<Track>,
    /// The present firing.
    pub firing: Option<Firing>,
    /// What each channel was told.
    #[serde(default, skip_serializing_if = "PerChannel::is_empty")]
    pub told: PerChannel<Told>,
    /// The group in which it was told, of channels that tell it in groups.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) grouped: BTreeMap<ChannelName, Labels>,
    /// Its raises and recoveries of late.
    #[serde(default, skip_serializing_if = "Flap::is_blank")]
    pub flap: Flap,
    /// Who acknowledged its firing, where somebody did and its level has not risen since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
    /// For how long nobody has acknowledged its firing, by the windows of the routes that escalate it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clocks: BTreeMap<Arc<str>, Clock>,
    /// Since when the rule could not judge it.
    pub not_judged_since: Option<Time>,
    /// What the condition read when it was last true, or, at an end, when it was found to be over.
    pub values: Vec<(Arc<str>, Value)>,
    /// Whether its subject is silent.
    pub stale: bool,
    /// Counts its firings: a part of their ids.
    pub(crate) n_firings: u64,
    /// Counts its notifications: a part of their ids.
    pub(crate) n_notifications: u64,
    /// When it stands in the engine's deadlines.
    #[serde(skip)]
    pub(crate) deadline: Option<Time>,
    /// A hash of it as it was last stored; zero where it was not.
    #[serde(skip)]
    pub(crate) saved: u64,
    /// The state that was last told of it.
    #[serde(skip, default = "inactive")]
    pub(crate) shown: &'static str,
}

const fn inactive() -> &'static str {
    "inactive"
}

impl Alert {
    pub(crate) fn new(subject: SubjectKey, target: &TargetId, n_tracks: usize) -> Alert {
        let group = match target {
            TargetId::Subject(_) => None,
            TargetId::Group(labels) => Some(labels.clone()),
        };
        Alert {
            subject,
            group,
            standing: Standing::default(),
            tracks: vec![Track::Off; n_tracks],
            firing: None,
            told: PerChannel::default(),
            grouped: BTreeMap::new(),
            flap: Flap::default(),
            acknowledged: None,
            clocks: BTreeMap::new(),
            not_judged_since: None,
            values: Vec::new(),
            stale: false,
            n_firings: 0,
            n_notifications: 0,
            deadline: None,
            saved: 0,
            shown: inactive(),
        }
    }

    /// Which of its conditions count, in the order of the rule's levels.
    pub fn on(&self) -> Vec<bool> {
        self.tracks.iter().map(|track| track.is_on()).collect()
    }

    /// Whether there is nothing to remember of it over a restart.
    pub(crate) fn is_blank(&self) -> bool {
        self.firing.is_none()
            && self.n_firings == 0
            && self.told.is_empty()
            && self.not_judged_since.is_none()
            && self.tracks.iter().all(|track| *track == Track::Off)
    }

    /// Whether a verdict that it is well changes nothing: nothing fires or is about to, nobody was told anything of late,
    /// and nothing is due.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.firing.is_none()
            && self.tracks.iter().all(|track| *track == Track::Off)
            && self.told.is_empty()
            && self.grouped.is_empty()
            && self.flap.is_blank()
            && self.values.is_empty()
            && self.deadline.is_none()
            && self.not_judged_since.is_none()
            && !self.stale
    }

    /// Whether it fires, and is not between two raises of a flapping alert.
    pub(crate) fn is_up(&self) -> bool {
        self.firing.as_ref().is_some_and(|firing| firing.rests_since.is_none())
    }

    /// The state's name: inactive, pending, firing or recovering. A flapping alert whose condition is over is recovering.
    pub fn state(&self) -> &'static str {
        if self.firing.as_ref().is_some_and(|firing| firing.rests_since.is_some()) {
            return "recovering";
        }
        let on = self.tracks.iter().filter(|track| track.is_on()).count();
        let recovering = self.tracks.iter().filter(|track| matches!(track, Track::Recovering { .. })).count();
        match (self.firing.is_some(), on) {
            (true, _) if on > 0 && on == recovering => "recovering",
            (true, _) => "firing",
            (false, _) if self.tracks.iter().any(|track| matches!(track, Track::Pending { .. })) => "pending",
            (false, _) => "inactive",
        }
    }

    /// Since when it is pending, where it is.
    pub fn pending_since(&self) -> Option<Time> {
        self.tracks
            .iter()
            .filter_map(|track| match track {
                Track::Pending { since, .. } => Some(*since),
                Track::Off | Track::On | Track::Recovering { .. } => None,
            })
            .min()
    }
}

/// What the engine remembers of one rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleState {
    pub(crate) alerts: Alerts,
    /// Those of them that are at rest.
    pub(crate) resting: Resting,
    pub(crate) quarantine: Quarantine,
    /// When time itself is judged next.
    pub(crate) tick: Option<Time>,
    /// Since when it is in force: since its first load, or the start of the engine.
    pub(crate) since: Time,
    /// Counts of this rule since start.
    pub(crate) counts: Counts,
    /// Operations of the interpreter since start.
    pub(crate) operations: u64,
    /// The newest fault, of any closure.
    pub(crate) fault: Option<(Time, Fault)>,
}

/// Verdicts of one rule since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Some condition was true.
    pub fire: u64,
    /// No condition was true.
    pub clear: u64,
    /// No data.
    pub no_data: u64,
    /// Errors.
    pub error: u64,
}

/// The times of a rule that decide about telling.
pub(crate) fn timing(rule: &Rule) -> Timing {
    Timing {
        cooldown: rule.cooldown,
        repeat: match rule.repeat {
            Repeat::Every(repeat) => Some(repeat),
            Repeat::Never => None,
        },
    }
}

/// When alerts of the rule are flapping.
pub(crate) fn flap_limit(rule: &Rule) -> Option<FlapLimit> {
    rule.flap.map(|flap| FlapLimit { changes: flap.changes, within: flap.within })
}

/// The level of the rule's track `index`, for hold and keep; a rule without levels has them for all.
pub(crate) fn track_level(rule: &Rule, index: usize) -> Level {
    rule.levels.get(index).copied().unwrap_or(Level::Warning)
}
