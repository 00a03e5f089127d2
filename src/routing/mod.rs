//! Which channels should know of an alert. Pure.
//!
//! The first route that matches decides, unless it says `continue`. A rule's own `notify` goes past the routes. Without
//! any routes the channel `console` is told, or every channel where none has that name.

mod active;
mod coverage;
mod escalate;
mod inhibit;
mod matcher;
mod on_call;
mod silence;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{ChannelName, Labels, Level, RuleName, SubjectKey, Time};

pub use active::{Active, Error as ActiveError};
pub use coverage::Possible;
pub use escalate::{Escalation, Step};
pub use inhibit::{Equal, Inhibition, Side};
pub use matcher::{Matchers, Mismatch};
pub use on_call::{Override, Rotation};
pub use silence::{
    Covered, Expired, MAX_AUTHOR, MAX_COMMENT, Plan, PlanError, Recurrence, Silence, SilenceState, Silences,
};

/// What routing looks at.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The rule.
    pub rule: &'a RuleName,
    /// The level now.
    pub level: Level,
    /// The subject.
    pub subject: &'a SubjectKey,
    /// The subject's labels and the rule's.
    pub labels: &'a Labels,
    /// The rule's own `notify`.
    pub notify: Option<&'a [ChannelName]>,
}

impl Facts<'_> {
    /// The value of a label; `rule`, `kind` and `name` count as labels, and one that is missing is empty.
    pub fn label(&self, label: &str) -> Arc<str> {
        match label {
            "rule" => self.rule.as_str().into(),
            "kind" => self.subject.kind.clone(),
            "name" => self.subject.name.clone(),
            _ => self.labels.get(label).cloned().unwrap_or_else(|| "".into()),
        }
    }
}

/// Who should know of an alert, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Targets {
    /// Channels to tell now.
    pub open: BTreeSet<ChannelName>,
    /// Channels whose `active` window is closed, with the wall-clock time when it opens.
    pub closed: BTreeMap<ChannelName, Time>,
    /// Channels that are told of it in a group: the values of the labels that it is grouped by, and when it is told.
    pub groups: BTreeMap<ChannelName, (Labels, Arc<Grouping>)>,
    /// Who is told as well while nobody acknowledges it, and after how long.
    pub escalations: Vec<Escalation>,
    /// When the answer may change although nothing else does: the next wall-clock time at which a window opens or closes,
    /// or somebody else is on call.
    pub changes_at: Option<Time>,
}

/// One entry of `routes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// Which alerts it takes.
    pub matches: Matchers,
    /// Whom it tells: channels and rotations.
    pub to: Vec<ChannelName>,
    /// The routes after it are asked too.
    pub continues: bool,
    /// When its channels may be told; always without it.
    pub active: Option<Active>,
    /// Its alerts are told in groups.
    pub group: Option<Arc<Grouping>>,
    /// Whom it tells as well while nobody acknowledges, by the time after which.
    pub escalate: Vec<Step>,
    /// Its line in larum.yaml, from 1; 0 where it is not written there.
    pub line: usize,
}

/// What a route says of an alert.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// It is not asked: a route before it decided.
    NotAsked,
    /// It does not take it.
    Mismatch(Mismatch<'a>),
    /// It takes it, and tells its channels now.
    Takes,
    /// It takes it, and its window is closed until this wall-clock time.
    Closed {
        /// When it opens.
        opens: Time,
    },
}

/// How a route tells alerts in groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Alerts with the same values of these labels are told together; `rule`, `kind` and `name` count as labels. Without
    /// any all alerts of the route are one group.
    pub by: Vec<Arc<str>>,
    /// How long a new group waits for further alerts.
    pub wait: Duration,
    /// The least time between two messages of a group.
    pub interval: Duration,
}

impl Grouping {
    /// The values of the labels in an alert; one that is missing is empty.
    fn values(&self, facts: &Facts<'_>) -> Labels {
        self.by.iter().map(|label| (label.clone(), facts.label(label))).collect()
    }
}

/// The routes, in order, and the channels that exist.
#[derive(Clone, Debug)]
pub struct Routing {
    routes: Vec<Route>,
    channels: BTreeSet<ChannelName>,
    rotations: BTreeMap<ChannelName, Rotation>,
    inhibitions: Vec<Inhibition>,
    fallback: Option<ChannelName>,
    zone: TimeZone,
}

impl Default for Routing {
    fn default() -> Routing {
        Routing {
            routes: Vec::new(),
            channels: BTreeSet::new(),
            rotations: BTreeMap::new(),
            inhibitions: Vec::new(),
            fallback: None,
            zone: TimeZone::UTC,
        }
    }
}

impl Routing {
    /// Routes between the channels that exist; `active` windows are of `zone`.
    ///
    /// Where `routes` is empty, there is one route that matches everything: to the channel `console`, or to all
    /// channels where none has that name.
    pub fn new(mut routes: Vec<Route>, channels: impl IntoIterator<Item = ChannelName>, zone: TimeZone) -> Routing {
        let channels: BTreeSet<ChannelName> = channels.into_iter().collect();
        if routes.is_empty() {
            let to = match channels.get("console") {
                Some(console) => vec![console.clone()],
                None => channels.iter().cloned().collect(),
            };
            routes.push(Route { to, ..Route::default() });
        }
        Routing { routes, channels, zone, ..Routing::default() }
    }

    /// The same routes, in which these names stand for whoever is on call.
    #[must_use]
    pub fn with_rotations(self, rotations: BTreeMap<ChannelName, Rotation>) -> Routing {
        Routing { rotations, ..self }
    }

    /// The same routes, with alerts that mute others.
    #[must_use]
    pub fn with_inhibitions(self, inhibitions: Vec<Inhibition>) -> Routing {
        Routing { inhibitions, ..self }
    }

    /// Who is on call by turns, by name.
    pub fn rotations(&self) -> &BTreeMap<ChannelName, Rotation> {
        &self.rotations
    }

    /// Which alerts mute which.
    pub fn inhibitions(&self) -> &[Inhibition] {
        &self.inhibitions
    }

    /// Whether any route tells others while nobody acknowledges.
    pub fn escalates(&self) -> bool {
        self.routes.iter().any(|route| !route.escalate.is_empty())
    }

    /// The zone of `active` windows.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The same routes with a channel that is told of what could not be delivered elsewhere.
    #[must_use]
    pub fn with_fallback(self, fallback: Option<ChannelName>) -> Routing {
        let fallback = fallback.filter(|fallback| self.channels.contains(fallback));
        Routing { fallback, ..self }
    }

    /// The channel that is told of what could not be delivered elsewhere, where there is one.
    pub fn fallback(&self) -> Option<&ChannelName> {
        self.fallback.as_ref()
    }

    /// The channels that exist.
    pub fn channels(&self) -> &BTreeSet<ChannelName> {
        &self.channels
    }

    /// The routes, with the one that stands for none.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The channels that names in a route stand for at a wall-clock time, and when that changes: a channel for itself, a
    /// rotation for whoever is on call. Channels that do not exist are left out.
    fn resolve(&self, names: &[ChannelName], wall: Time) -> (Vec<ChannelName>, Option<Time>) {
        let mut channels = Vec::with_capacity(names.len());
        let mut changes_at = None;
        for name in names {
            match self.rotations.get(name).filter(|_| !self.channels.contains(name)) {
                Some(rotation) => {
                    channels.extend(rotation.on_call(wall).iter().filter(|to| self.channels.contains(*to)).cloned());
                    changes_at = [changes_at, rotation.next_change(wall)].into_iter().flatten().min();
                }
                None => channels.extend(self.channels.get(name).cloned()),
            }
        }
        (channels, changes_at)
    }

    /// Who should know of an alert at a wall-clock time. Channels that do not exist are left out.
    pub fn targets(&self, facts: &Facts<'_>, wall: Time) -> Targets {
        self.ask(facts, wall, |_| {})
    }

    /// What each route says of an alert, in their order: how [`Routing::targets`] comes to its answer. Where the rule
    /// says `notify`, none is asked.
    pub fn answers<'a>(&'a self, facts: &'a Facts<'_>, wall: Time) -> Vec<Answer<'a>> {
        let mut answers = Vec::with_capacity(self.routes.len());
        let _targets = self.ask(facts, wall, |answer| answers.push(answer));
        answers.resize(self.routes.len(), Answer::NotAsked);
        answers
    }

    /// Asks the routes, and shows what each says.
    fn ask<'a>(&'a self, facts: &'a Facts<'_>, wall: Time, mut said: impl FnMut(Answer<'a>)) -> Targets {
        let mut targets = Targets::default();
        let mut named = BTreeSet::new();
        if let Some(notify) = facts.notify {
            let (channels, handover) = self.resolve(notify, wall);
            targets.open = channels.into_iter().collect();
            targets.changes_at = handover;
            return targets;
        }
        for route in &self.routes {
            if let Some(mismatch) = route.matches.mismatch(facts) {
                said(Answer::Mismatch(mismatch));
                continue;
            }
            let (channels, handover) = self.resolve(&route.to, wall);
            let values = route.group.as_ref().map(|group| (group.values(facts), group.clone()));
            for channel in &channels {
                // The first route that leads to a channel says how it is told there.
                if named.insert(channel.clone())
                    && let Some(group) = &values
                {
                    targets.groups.insert(channel.clone(), group.clone());
                }
            }
            let change = route.active.as_ref().and_then(|active| active.next_change(wall, &self.zone));
            let is_open = route.active.as_ref().is_none_or(|active| active.is_open(wall, &self.zone));
            let opens = if is_open { wall } else { change.unwrap_or(Time::MAX) };
            let mut changes = vec![targets.changes_at, change, handover];
            for step in &route.escalate {
                let (to, handover) = self.resolve(&step.to, wall);
                changes.push(handover);
                targets.escalations.push(Escalation::of(route, step, to, is_open, opens));
            }
            targets.changes_at = changes.into_iter().flatten().min();
            if is_open {
                said(Answer::Takes);
                targets.open.extend(channels);
            } else {
                said(Answer::Closed { opens });
                for channel in channels {
                    let at = targets.closed.entry(channel).or_insert(opens);
                    *at = opens.min(*at);
                }
            }
            if !route.continues {
                break;
            }
        }
        // A channel that is open by one route and closed by another is told now.
        targets.closed.retain(|channel, _| !targets.open.contains(channel));
        targets
    }
}

#[cfg(test)]
mod tests;
