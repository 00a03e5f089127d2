//! How a rule fared in a replay, and why it was quiet.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::engine::{Alert, Engine, RuleView, Standing};
use crate::model::NoData;
use crate::rules::Scope;

/// How a rule fared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Finding {
    /// It raised alerts.
    Fired,
    /// It was judged, and its condition never became true for long enough.
    NeverFired {
        /// For how many subjects or groups the condition was true at the end, and its hold time not over.
        pending: usize,
    },
    /// No evaluation had the data that it needs.
    NoDataOnly {
        /// Why, for most of those that it is about, at the end.
        reason: String,
    },
    /// Every evaluation that had data failed.
    FailedOnly,
    /// The rules never began: the recording has nothing where they were to judge.
    #[default]
    NotJudged,
    /// Nothing took part in it.
    NothingTookPart,
    /// Nothing took part in it, for this reason.
    NotConcerned {
        /// Why.
        reason: String,
    },
}

impl Finding {
    /// What is found at the end.
    pub(super) fn of(engine: &Engine, view: &RuleView<'_>, has_raised: bool) -> Finding {
        let counts = view.counts;
        if has_raised {
            return Finding::Fired;
        }
        if counts.fire + counts.clear > 0 {
            return Finding::NeverFired { pending: view.pending };
        }
        if counts.error > 0 {
            return Finding::FailedOnly;
        }
        let alerts = engine.alerts().filter(|alert| alert.rule.name == view.rule.name).map(|alert| alert.alert);
        let reason = most_frequent(alerts.filter_map(reason));
        if counts.no_data > 0 {
            let reason = reason.unwrap_or_else(|| "its subjects are gone".to_string());
            return Finding::NoDataOnly { reason };
        }
        let (Scope::On { kind } | Scope::Over { kind, .. }) = &view.rule.scope;
        let is_there = engine.world().kinds().any(|known| known == kind);
        match reason {
            Some(reason) => Finding::NotConcerned { reason },
            None if !is_there => Finding::NotConcerned { reason: format!("there is no `{kind}`") },
            None => Finding::NothingTookPart,
        }
    }

    /// Whether it is one of those that an operator should look at.
    pub fn is_odd(&self) -> bool {
        !matches!(self, Finding::Fired | Finding::NeverFired { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Fired => f.write_str("fired"),
            Finding::NeverFired { pending: 0 } => f.write_str("never fired"),
            Finding::NeverFired { pending } => write!(f, "never fired, {pending} pending at the end"),
            Finding::NoDataOnly { reason } => write!(f, "saw no data only: {reason}"),
            Finding::FailedOnly => f.write_str("failed only"),
            Finding::NotJudged => f.write_str("was not judged"),
            Finding::NothingTookPart => f.write_str("nothing took part"),
            Finding::NotConcerned { reason } => write!(f, "nothing took part: {reason}"),
        }
    }
}

/// Why an alert has no answer.
fn reason(alert: &Alert) -> Option<String> {
    match &alert.standing {
        // The same for all, whenever each went silent.
        Standing::NoData(NoData::Stale { .. }) => Some("its subjects went silent".to_string()),
        Standing::NoData(NoData::Gone) => Some("its subjects are gone".to_string()),
        Standing::NoData(reason) => Some(reason.to_string()),
        Standing::NotConcerned(field) => Some(format!("no `{}` has `{field}`", alert.subject.kind)),
        Standing::Excluded => Some(format!("`where` takes no `{}`", alert.subject.kind)),
        Standing::Unjudged | Standing::Judged(_) | Standing::Failed(_) => None,
    }
}

/// The text that comes most often; of several the first in the alphabet.
fn most_frequent(texts: impl Iterator<Item = String>) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(text, _)| text)
}
