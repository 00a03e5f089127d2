//! Which channels should know of an alert. Pure.
//!
//! The first route that matches decides, unless it says `continue`. A rule's own `notify` goes past the routes. Without
//! any routes the channel `console` is told, or every channel where none has that name.

mod active;
mod coverage;
mod matcher;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{ChannelName, Labels, Level, RuleName, SubjectKey, Time};

pub use active::{Active, Error as ActiveError};
pub use coverage::Possible;
pub use matcher::{Matchers, Mismatch};

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

/// Who should know of an alert, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Targets {
    /// Channels to tell now.
    pub open: BTreeSet<ChannelName>,
    /// Channels whose `active` window is closed, with the wall-clock time when it opens.
    pub closed: BTreeMap<ChannelName, Time>,
    /// Channels that are told of it in a group: the values of the labels that it is grouped by, and when it is told.
    pub groups: BTreeMap<ChannelName, (Labels, Arc<Grouping>)>,
    /// When the answer may change although nothing else does: the next wall-clock time at which a window opens or closes.
    pub changes_at: Option<Time>,
}

/// One entry of `routes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// Which alerts it takes.
    pub matches: Matchers,
    /// Whom it tells.
    pub to: Vec<ChannelName>,
    /// The routes after it are asked too.
    pub continues: bool,
    /// When its channels may be told; always without it.
    pub active: Option<Active>,
    /// Its alerts are told in groups.
    pub group: Option<Arc<Grouping>>,
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
        let value = |label: &Arc<str>| match &**label {
            "rule" => facts.rule.as_str().into(),
            "kind" => facts.subject.kind.clone(),
            "name" => facts.subject.name.clone(),
            _ => facts.labels.get(label).cloned().unwrap_or_else(|| "".into()),
        };
        self.by.iter().map(|label| (label.clone(), value(label))).collect()
    }
}

/// The routes, in order, and the channels that exist.
#[derive(Clone, Debug)]
pub struct Routing {
    routes: Vec<Route>,
    channels: BTreeSet<ChannelName>,
    fallback: Option<ChannelName>,
    zone: TimeZone,
}

impl Default for Routing {
    fn default() -> Routing {
        Routing { routes: Vec::new(), channels: BTreeSet::new(), fallback: None, zone: TimeZone::UTC }
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
        Routing { routes, channels, fallback: None, zone }
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
        let exists = |channel: &&ChannelName| self.channels.contains(*channel);
        if let Some(notify) = facts.notify {
            targets.open = notify.iter().filter(exists).cloned().collect();
            return targets;
        }
        for route in &self.routes {
            if let Some(mismatch) = route.matches.mismatch(facts) {
                said(Answer::Mismatch(mismatch));
                continue;
            }
            let channels = route.to.iter().filter(exists).cloned();
            let values = route.group.as_ref().map(|group| (group.values(facts), group.clone()));
            for channel in channels.clone() {
                // The first route that leads to a channel says how it is told there.
                if named.insert(channel.clone())
                    && let Some(group) = &values
                {
                    targets.groups.insert(channel, group.clone());
                }
            }
            let change = route.active.as_ref().and_then(|active| active.next_change(wall, &self.zone));
            targets.changes_at = [targets.changes_at, change].into_iter().flatten().min();
            if route.active.as_ref().is_none_or(|active| active.is_open(wall, &self.zone)) {
                said(Answer::Takes);
                targets.open.extend(channels);
            } else {
                let opens = change.unwrap_or(Time::MAX);
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
