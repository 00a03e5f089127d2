//! The alerts of one rule. Which of them are pending or fire, and how many are left out, is known without a look at all:
//! there may be a hundred thousand, and those who ask for these few are many.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::NoData;

use super::{Alert, Standing, TargetId};

/// Alerts by what they are about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alerts {
    all: BTreeMap<TargetId, Alert>,
    /// Those that are pending, fire or recover.
    active: BTreeSet<TargetId>,
    /// Those that the rule does not concern, or does not take.
    n_left_out: usize,
    /// Those whose subject is gone.
    n_gone: usize,
}

impl Alerts {
    pub(crate) fn get(&self, target: &TargetId) -> Option<&Alert> {
        self.all.get(target)
    }

    pub(crate) fn insert(&mut self, target: TargetId, alert: Alert) {
        self.remove(&target);
        if is_active(&alert) {
            self.active.insert(target.clone());
        }
        let (left_out, gone) = counted(&alert);
        self.n_left_out += left_out;
        self.n_gone += gone;
        self.all.insert(target, alert);
    }

    pub(crate) fn remove(&mut self, target: &TargetId) -> Option<Alert> {
        let alert = self.all.remove(target)?;
        if is_active(&alert) {
            self.active.remove(target);
        }
        let (left_out, gone) = counted(&alert);
        self.n_left_out -= left_out;
        self.n_gone -= gone;
        Some(alert)
    }

    /// Changes one in its place; `None` where there is no such one.
    pub(crate) fn change<T>(&mut self, target: &TargetId, change: impl FnOnce(&mut Alert) -> T) -> Option<T> {
        let alert = self.all.get_mut(target)?;
        let (was_active, was) = (is_active(alert), counted(alert));
        let result = change(alert);
        let (is_active, is) = (is_active(alert), counted(alert));
        self.n_left_out = self.n_left_out - was.0 + is.0;
        self.n_gone = self.n_gone - was.1 + is.1;
        match (was_active, is_active) {
            (false, true) => drop(self.active.insert(target.clone())),
            (true, false) => drop(self.active.remove(target)),
            (true, true) | (false, false) => {}
        }
        Some(result)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TargetId, &Alert)> {
        self.all.iter()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &TargetId> {
        self.all.keys()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Alert> {
        self.all.values()
    }

    /// Those that are pending, fire or recover.
    pub(crate) fn active(&self) -> impl Iterator<Item = (&TargetId, &Alert)> {
        self.active.iter().filter_map(|target| Some((target, self.all.get(target)?)))
    }

    /// How many the rule does not concern, or does not take.
    pub(crate) fn n_left_out(&self) -> usize {
        self.n_left_out
    }

    /// How many take part: they are neither left out nor gone.
    pub(crate) fn n_taking_part(&self) -> usize {
        self.all.len() - self.n_left_out - self.n_gone
    }
}

fn is_active(alert: &Alert) -> bool {
    alert.firing.is_some() || alert.pending_since().is_some()
}

/// One where it is left out, and one where its subject is gone.
fn counted(alert: &Alert) -> (usize, usize) {
    let left_out = matches!(alert.standing, Standing::Excluded | Standing::NotConcerned(_));
    (left_out.into(), matches!(alert.standing, Standing::NoData(NoData::Gone)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Timer, Track};
    use crate::model::{SubjectKey, Time};
    use proptest::prelude::*;

    fn alert(n: usize, sort: u8) -> (TargetId, Alert) {
        let target = TargetId::Group([("n".into(), n.to_string().into())].into());
        let mut alert = Alert::new(SubjectKey::new("s", n.to_string()), &target, 1);
        match sort {
            0 => alert.standing = Standing::Judged(Vec::new()),
            1 => alert.standing = Standing::Excluded,
            2 => alert.standing = Standing::NotConcerned("x".into()),
            3 => alert.standing = Standing::NoData(NoData::Gone),
            _ => alert.tracks = vec![Track::Pending { since: Time::EPOCH, timer: Timer::start(Time::EPOCH) }],
        }
        (target, alert)
    }

    proptest! {
        #[test]
        fn what_is_known_of_them_is_what_a_look_at_all_would_say(
            acts in prop::collection::vec((0usize..6, 0u8..3, 0u8..5), 0..60),
        ) {
            let mut alerts = Alerts::default();
            for (n, act, sort) in acts {
                let (target, alert) = alert(n, sort);
                match act {
                    0 => alerts.insert(target, alert),
                    1 => drop(alerts.remove(&target)),
                    _ => drop(alerts.change(&target, |it| *it = alert)),
                }
                let is_out = |it: &&Alert| matches!(it.standing, Standing::Excluded | Standing::NotConcerned(_));
                let is_gone = |it: &&Alert| it.standing == Standing::NoData(NoData::Gone);
                let (out, gone) = (alerts.values().filter(is_out).count(), alerts.values().filter(is_gone).count());
                prop_assert_eq!(alerts.n_left_out(), out);
                prop_assert_eq!(alerts.n_taking_part(), alerts.values().count() - out - gone);
                let active: Vec<_> = alerts.active().map(|(target, _)| target.clone()).collect();
                let all = alerts.iter().filter(|(_, it)| it.state() != "inactive").map(|(target, _)| target.clone());
                prop_assert_eq!(active, all.collect::<Vec<_>>());
            }
        }
    }
}
