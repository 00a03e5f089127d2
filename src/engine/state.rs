//! What the engine remembers of each rule and each of its alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::{Timing, Told, Track};
use crate::history::SubjectId;
use crate::model::{ChannelName, FiringId, Labels, Level, NoData, SubjectKey, Time, Value};
use crate::rules::{Condition, Fault, Repeat, Rule};

use super::quarantine::Quarantine;

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

/// One stretch from raise to end.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// Its id.
    pub id: FiringId,
    /// When it was raised, in engine time.
    pub since: Time,
    /// The level now.
    pub level: Level,
    /// The message as of the last event.
    pub message: String,
}

/// One (rule, subject) or (rule, group).
#[derive(Clone, Debug)]
pub struct Alert {
    /// The subject; of a group the kind, and the group's labels as a name.
    pub subject: SubjectKey,
    /// The labels of its group, where it is one.
    pub group: Option<Labels>,
    /// The newest verdict.
    pub standing: Standing,
    /// One per level of the rule, in its order.
    pub tracks: Vec<Track>,
    /// The present firing.
    pub firing: Option<Firing>,
    /// What each channel was told.
    pub told: BTreeMap<ChannelName, Told>,
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
    pub(crate) deadline: Option<Time>,
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
            told: BTreeMap::new(),
            not_judged_since: None,
            values: Vec::new(),
            stale: false,
            n_firings: 0,
            n_notifications: 0,
            deadline: None,
        }
    }

    /// Which of its conditions count, in the order of the rule's levels.
    pub fn on(&self) -> Vec<bool> {
        self.tracks.iter().map(|track| track.is_on()).collect()
    }

    /// The state's name: inactive, pending, firing or recovering.
    pub fn state(&self) -> &'static str {
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
    pub(crate) alerts: BTreeMap<TargetId, Alert>,
    pub(crate) quarantine: Quarantine,
    /// When time itself is judged next.
    pub(crate) tick: Option<Time>,
    /// Counts of this rule since start.
    pub(crate) counts: Counts,
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

/// The level of the rule's track `index`, for hold and keep; a rule without levels has them for all.
pub(crate) fn track_level(rule: &Rule, index: usize) -> Level {
    rule.levels.get(index).copied().unwrap_or(Level::Warning)
}
