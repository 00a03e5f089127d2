//! All subjects of a rule: what was said of them, and which are nearest to firing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::Track;
use crate::engine::state::track_level;
use crate::engine::{Alert, Engine, Standing, TargetId};
use crate::model::{Level, NoData, Now, SubjectKey, Time};
use crate::rules::trace::Inside;
use crate::rules::{Condition, Rule, Scope, Target};

use super::{Distance, Fares, Unexplained, distance};

/// Subjects that are named of each sort.
const NAMED: usize = 10;

/// A rule and all that it judges.
#[derive(Clone, Debug)]
pub struct Survey {
    /// When this was so.
    pub now: Now,
    /// The rule.
    pub fares: Fares,
    /// The newest verdicts, counted: "fire", "clear", "no data: ..", in the order in which they count.
    pub verdicts: Vec<(Kind, usize)>,
    /// How many are pending, firing and recovering.
    pub states: BTreeMap<&'static str, usize>,
    /// Those that fire, the first of them.
    pub firing: Vec<Near>,
    /// Those that are pending, the least time left first; then the paused ones. The first of them.
    pub pending: Vec<Near>,
    /// Those of which nothing is true, to be asked how far they are from it.
    pub clear: Vec<TargetId>,
}

/// What a verdict says, without what is different for each subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Some condition is true.
    Fire,
    /// None is.
    Clear,
    /// None is, and `clear` is not true yet.
    Between,
    /// There was no answer, and why.
    NoData(String),
    /// The script failed, and why.
    Error(String),
    /// `where` does not take it.
    Excluded,
    /// It never had the field.
    NotConcerned(Arc<str>),
    /// It was not judged yet.
    Unjudged,
}

/// One subject or group of a rule.
#[derive(Clone, Debug)]
pub struct Near {
    /// Which.
    pub subject: SubjectKey,
    /// Its level, where one is known.
    pub level: Option<Level>,
    /// Since when it is in its state.
    pub since: Option<Time>,
    /// When it will fire if nothing changes.
    pub until: Option<Time>,
    /// How far it is from firing.
    pub distance: Option<Distance>,
}

impl Engine {
    /// What was said of all subjects of a rule, counted. Evaluates nothing.
    ///
    /// # Errors
    /// Where the rule is no longer in force.
    pub fn survey(&self, now: Now, rule: &Arc<Rule>) -> Result<Survey, Unexplained> {
        let now = self.present(now);
        self.in_force(rule)?;
        let mut verdicts: BTreeMap<Kind, usize> = BTreeMap::new();
        let mut states: BTreeMap<&'static str, usize> = BTreeMap::new();
        let (mut firing, mut pending, mut clear) = (Vec::new(), Vec::new(), Vec::new());
        for (target, alert) in self.states.get(&rule.name).into_iter().flat_map(|state| state.alerts.iter()) {
            let kind = kind_of(&alert.standing);
            if kind == Kind::Clear && alert.firing.is_none() {
                clear.push(target.clone());
            }
            *verdicts.entry(kind).or_default() += 1;
            let state = alert.state();
            *states.entry(state).or_default() += usize::from(state != "inactive");
            match state {
                "pending" => pending.push(near(rule, alert)),
                "firing" | "recovering" if firing.len() < NAMED => firing.push(near(rule, alert)),
                _ => {}
            }
        }
        pending.sort_by_key(|near| (near.until.is_none(), near.until, near.subject.clone()));
        pending.truncate(NAMED);
        states.remove("inactive");
        let verdicts = verdicts.into_iter().collect();
        Ok(Survey { now, fares: self.fares(rule), verdicts, states, firing, pending, clear })
    }

    /// How far some targets of a rule are from firing: those of which that can be told. Evaluates the rule on each, so a
    /// daemon asks for a few at a time.
    pub fn distances(&self, now: Now, inside: &Inside, targets: &[TargetId]) -> Vec<Near> {
        let (now, rule) = (self.present(now), inside.rule());
        if self.in_force(rule).is_err() || self.left_alone(rule).is_some() {
            return Vec::new();
        }
        match &rule.scope {
            Scope::On { .. } => {
                let ids = targets.iter().filter_map(|target| match target {
                    TargetId::Subject(id) => Some((target, Target::Subject(*id))),
                    TargetId::Group(_) => None,
                });
                self.distances_of(now, inside, ids.collect())
            }
            Scope::Over { kind, by } => {
                if self.world.awaits_any(kind) {
                    return Vec::new();
                }
                let all = Target::Set { kind: kind.clone(), members: [].into(), labels: Default::default() };
                let (mut groups, _) = self.groups(&self.context(now, all), rule, kind, by);
                let sets = targets.iter().filter_map(|target| match target {
                    TargetId::Group(labels) => {
                        let members = groups.remove(labels)?;
                        Some((target, Target::Set { kind: kind.clone(), members, labels: labels.clone() }))
                    }
                    TargetId::Subject(_) => None,
                });
                self.distances_of(now, inside, sets.collect())
            }
        }
    }

    fn distances_of(&self, now: Now, inside: &Inside, targets: Vec<(&TargetId, Target)>) -> Vec<Near> {
        let rule = inside.rule();
        let Some(alerts) = self.states.get(&rule.name).map(|state| &state.alerts) else { return Vec::new() };
        let measured = targets.into_iter().filter_map(|(id, target)| {
            let alert = alerts.get(id)?;
            // Each with its own budget: nothing is judged here, so nothing is taken from the rule's.
            let explained = inside.explain(&self.context(now, target), &alert.on());
            let distance = distance(&explained.parts)?;
            Some(Near { distance: Some(distance), ..near(rule, alert) })
        });
        measured.collect()
    }
}

impl Survey {
    /// How many subjects or groups there are.
    pub fn total(&self) -> usize {
        self.verdicts.iter().map(|(_, count)| count).sum()
    }
}

fn near(rule: &Rule, alert: &Alert) -> Near {
    let until = Engine::timer_deadline(rule, alert);
    let pending = alert.tracks.iter().position(|track| matches!(track, Track::Pending { .. }));
    let (level, since) = match &alert.firing {
        Some(firing) => (Some(firing.level), Some(firing.since)),
        None => {
            (pending.filter(|_| !rule.levels.is_empty()).map(|index| track_level(rule, index)), alert.pending_since())
        }
    };
    Near { subject: alert.subject.clone(), level, since, until, distance: None }
}

fn kind_of(standing: &Standing) -> Kind {
    match standing {
        Standing::Unjudged => Kind::Unjudged,
        Standing::Judged(conditions) if conditions.contains(&Condition::Fire) => Kind::Fire,
        Standing::Judged(conditions) if conditions.contains(&Condition::Neither) => Kind::Between,
        Standing::Judged(_) => Kind::Clear,
        Standing::NoData(reason) => Kind::NoData(without_figures(reason)),
        Standing::Failed(fault) => Kind::Error(fault.message.clone()),
        Standing::Excluded => Kind::Excluded,
        Standing::NotConcerned(field) => Kind::NotConcerned(field.clone()),
    }
}

/// A reason that is the same for all subjects which have it.
fn without_figures(reason: &NoData) -> String {
    match reason {
        NoData::Stale { .. } => "no snapshot for too long".to_string(),
        NoData::TooFewSamples { question, need, .. } => {
            format!("{question} has fewer than the {need} samples it needs")
        }
        other => other.to_string(),
    }
}
