//! Which channels should know of an alert. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ChannelName, Labels, Level, RuleName, SubjectKey, Time};

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
    /// When the answer may change although nothing else does: the next wall-clock time at which a window opens or closes.
    pub changes_at: Option<Time>,
}

/// The routes, in order, and the channels that exist.
#[derive(Clone, Debug, Default)]
pub struct Routing {}

impl Routing {
    /// Who should know of an alert at a wall-clock time.
    pub fn targets(&self, facts: &Facts<'_>, wall: Time) -> Targets {
        let _ = (facts, wall);
        Targets::default()
    }
}
