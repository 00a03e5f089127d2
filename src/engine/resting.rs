//! Alerts at rest: nearly all that is judged is well and was well before, and such a verdict changes nothing.

use std::sync::Arc;

use crate::history::{Scratch, SubjectId, Threads, Together, World};
use crate::model::Now;
use crate::rules::{AtRest, Rule};

use super::state::Standing;
use super::{Alert, Engine, TargetId};

/// Subjects in one page.
const PAGE: usize = 1024;

/// Fewer verdicts than this are not worth a second thread.
const WORTH_A_THREAD: usize = 4096;

/// Which alerts of one rule are at rest, and by what verdict. What is not here is looked at in full.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resting {
    pages: Vec<Option<Box<[Option<AtRest>; PAGE]>>>,
}

impl Resting {
    fn get(&self, id: SubjectId) -> Option<AtRest> {
        let place = id.place();
        self.pages.get(place / PAGE)?.as_ref()?[place % PAGE]
    }

    fn set(&mut self, id: SubjectId, at_rest: Option<AtRest>) {
        let place = id.place();
        if self.pages.len() <= place / PAGE {
            if at_rest.is_none() {
                return;
            }
            self.pages.resize(place / PAGE + 1, None);
        }
        match (&mut self.pages[place / PAGE], at_rest) {
            (Some(page), at_rest) => page[place % PAGE] = at_rest,
            (None, None) => {}
            (page, at_rest) => page.insert(Box::new([None; PAGE]))[place % PAGE] = at_rest,
        }
    }

    /// Notes an alert that is put in its place.
    pub(super) fn note(&mut self, target: &TargetId, alert: &Alert) {
        let TargetId::Subject(id) = target else { return };
        let at_rest = match &alert.standing {
            Standing::Judged(_) => Some(AtRest::Clear),
            Standing::Excluded => Some(AtRest::Excluded),
            Standing::NotConcerned(_) => Some(AtRest::NotConcerned),
            Standing::Unjudged | Standing::NoData(_) | Standing::Failed(_) => None,
        };
        self.set(*id, at_rest.filter(|_| alert.is_at_rest()));
    }

    /// An alert is taken out of its place.
    pub(super) fn forget(&mut self, target: &TargetId) {
        if let TargetId::Subject(id) = target {
            self.set(*id, None);
        }
    }
}

/// What a look at some subjects by one rule came to.
#[derive(Default)]
pub(super) struct Glance {
    /// How many stay at rest because the condition is false.
    pub(super) clear: u64,
    /// How many stay at rest because the rule is not about them.
    pub(super) left_out: u64,
    /// Those that must be judged in full, in the order in which they came.
    pub(super) rest: Vec<SubjectId>,
}

impl Glance {
    fn extend(&mut self, other: Glance) {
        self.clear += other.clear;
        self.left_out += other.left_out;
        self.rest.extend(other.rest);
    }
}

impl Engine {
    /// Judges large inputs in up to so many parts at once. Effects are the same for any number.
    pub fn use_threads(&mut self, at_once: usize, together: Together) {
        let threads = Threads::new(at_once, together);
        self.threads = threads;
        self.world_mut().use_threads(threads);
    }

    /// Looks at subjects by some rules, for those whose alerts stay at rest.
    pub(super) fn glance(&self, now: Now, rules: &[Arc<Rule>], ids: &[SubjectId]) -> Vec<Glance> {
        let nothing = Resting::default();
        let resting = |rule: &Arc<Rule>| self.states.get(&rule.name).map_or(&nothing, |state| &state.resting);
        let asked: Vec<(&Rule, &Resting)> = rules.iter().map(|rule| (&**rule, resting(rule))).collect();
        let world = &*self.world;
        let at_once = self.threads.parts(ids.len() * rules.len(), WORTH_A_THREAD);
        let mut parts: Vec<(&[SubjectId], Vec<Glance>)> =
            ids.chunks(ids.len().div_ceil(at_once).max(1)).map(|ids| (ids, Vec::new())).collect();
        self.threads.each(&mut parts, |(ids, glances)| *glances = glance_at(world, now, &asked, ids));
        let mut all: Vec<Glance> = asked.iter().map(|_| Glance::default()).collect();
        for (_, part) in parts {
            all.iter_mut().zip(part).for_each(|(all, part)| all.extend(part));
        }
        all
    }
}

fn glance_at(world: &World, now: Now, asked: &[(&Rule, &Resting)], ids: &[SubjectId]) -> Vec<Glance> {
    let mut glances: Vec<Glance> = asked.iter().map(|_| Glance::default()).collect();
    let mut scratch = Scratch::default();
    // One subject by all rules, and then the next: what is known of it stays near.
    for id in ids {
        for ((rule, resting), glance) in asked.iter().zip(&mut glances) {
            let known = resting.get(*id);
            let stays = known.filter(|known| rule.at_rest(world, *id, now, &mut scratch) == Some(*known));
            match stays {
                Some(AtRest::Clear) => glance.clear += 1,
                Some(AtRest::Excluded | AtRest::NotConcerned) => glance.left_out += 1,
                None => glance.rest.push(*id),
            }
        }
    }
    glances
}
