//! What is remembered over a restart, piece by piece, and the engine as it is after one.
//!
//! A piece is a key and a JSON text. Each step gives those that it changed; all that were ever given, the newest of each
//! key, make the engine again. What can be derived from them (deadlines, indexes, who waits) is not stored.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::alert::Track;
use crate::history::{Past, SavedSubject, SubjectId, World};
use crate::model::{ChannelName, Labels, NotificationId, Now, RuleName, SilenceId, SubjectKey, Time};
use crate::routing::Silence;
use crate::rules::{RememberedRule, RuleSet};

use super::books::Books;
use super::flight::Flight;
use super::group::{Group, GroupKey};
use super::pause::{Pause, Paused};
use super::{Alert, Effects, Engine, SavedState, Settings, TargetId, Transition};

/// What a restart goes on from.
#[derive(Debug)]
pub struct Resumed<'a> {
    /// The sequence of the newest step whose pieces are known.
    pub sequence: u64,
    /// Its engine time.
    pub time: Time,
    /// The pieces, the newest of each key.
    pub saved: Vec<SavedState>,
    /// What came before, as far as it is known.
    pub past: Option<Past<'a>>,
}

/// A piece that changed in this step.
#[derive(Clone, Debug)]
pub(super) enum Touched {
    Alert(RuleName, TargetId),
    /// A subject that is no longer known.
    Forgotten,
    Rule(RuleName),
    Books(ChannelName),
    Group(GroupKey),
    Flight(NotificationId),
    Silence(SilenceId),
    Pause(Paused),
}

/// The kinds of pieces: the first word of their keys.
mod kind {
    pub(super) const ALERT: &str = "alert";
    pub(super) const SUBJECT: &str = "subject";
    pub(super) const RULE: &str = "rule";
    pub(super) const BOOKS: &str = "books";
    pub(super) const GROUP: &str = "group";
    pub(super) const FLIGHT: &str = "flight";
    pub(super) const SILENCE: &str = "silence";
    pub(super) const PAUSE: &str = "pause";
}

fn key(kind: &str, identity: impl Serialize) -> Arc<str> {
    format!("{kind} {}", json(&identity)).into()
}

/// What is saved is plain data with text keys, which JSON can always hold.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"))
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| unreachable!("plain data is JSON: {error}"))
}

fn subject_key(key: &SubjectKey) -> Arc<str> {
    self::key(kind::SUBJECT, (&key.kind, &key.name))
}

/// A group piece with its identity.
#[derive(Serialize, Deserialize)]
struct SavedGroup<T> {
    channel: ChannelName,
    by: Labels,
    group: T,
}

impl Engine {
    fn touch(&mut self, key: Arc<str>, touched: Touched) {
        if self.settings.remembers {
            self.touched.insert(key, touched);
        }
    }

    /// An alert may have changed, or is no longer remembered.
    pub(super) fn touch_alert(&mut self, name: &RuleName, target: &TargetId, alert: &Alert) {
        if self.settings.remembers && (alert.saved != 0 || !alert.is_blank()) {
            let key = match &alert.group {
                Some(group) => key(kind::ALERT, (name, group)),
                None => key(kind::ALERT, (name, &alert.subject.kind, &alert.subject.name)),
            };
            self.touched.insert(key, Touched::Alert(name.clone(), target.clone()));
        }
    }

    /// A subject is no longer what was stored of it and what came since.
    pub(super) fn touch_subject(&mut self, id: SubjectId) {
        if self.settings.remembers {
            self.touched_subjects.push(id);
        }
    }

    /// A subject is about to be forgotten.
    pub(super) fn forget_subject(&mut self, id: SubjectId) {
        if let Some(subject) = self.world.subject(id) {
            self.touch(subject_key(&subject.key), Touched::Forgotten);
        }
    }

    pub(super) fn touch_rule(&mut self, name: &RuleName) {
        self.touch(key(kind::RULE, [name]), Touched::Rule(name.clone()));
    }

    pub(super) fn touch_group(&mut self, group: &GroupKey) {
        self.touch(key(kind::GROUP, (&group.channel, &group.by)), Touched::Group(group.clone()));
    }

    pub(super) fn touch_flight(&mut self, id: &NotificationId) {
        self.touch(key(kind::FLIGHT, [id]), Touched::Flight(id.clone()));
    }

    pub(super) fn touch_silence(&mut self, id: &SilenceId) {
        self.touch(key(kind::SILENCE, [id]), Touched::Silence(id.clone()));
    }

    pub(super) fn touch_pause(&mut self, paused: &Paused) {
        self.touch(key(kind::PAUSE, [paused]), Touched::Pause(paused.clone()));
    }

    /// The books of a channel, to be changed.
    pub(super) fn books_of(&mut self, channel: &ChannelName) -> &mut Books {
        if self.settings.remembers && !self.touched_books.contains(channel) {
            self.touched_books.insert(channel.clone());
        }
        self.books.entry(channel.clone()).or_default()
    }

    /// Puts an alert in its place, and notes a change of its state.
    pub(super) fn attach(
        &mut self,
        now: Now,
        name: &RuleName,
        target: TargetId,
        mut alert: Alert,
        effects: &mut Effects,
    ) {
        if alert.firing.is_none() && alert.tracks.iter().all(|track| *track == Track::Off) {
            alert.values = Vec::new();
        }
        let state = alert.state();
        if state != alert.shown {
            effects.transitions.push(Transition {
                time: now.wall(),
                rule: name.clone(),
                subject: alert.subject.clone(),
                from: alert.shown,
                to: state,
            });
            alert.shown = state;
        }
        self.touch_alert(name, &target, &alert);
        self.index_alert(name, &target, &alert);
        if let Some(state) = self.states.get_mut(name) {
            state.resting.note(&target, &alert);
            state.alerts.insert(target, alert);
        }
    }

    /// The pieces that changed in this step.
    pub(super) fn save(&mut self, effects: &mut Effects) {
        for channel in std::mem::take(&mut self.touched_books) {
            self.touched.insert(key(kind::BOOKS, [&channel]), Touched::Books(channel));
        }
        self.save_subjects(effects);
        for (key, touched) in std::mem::take(&mut self.touched) {
            if let Some(value) = self.piece(&touched) {
                effects.saved.push(SavedState { key, value: value.map(|text| text.into_bytes().into()) });
            }
        }
        if !effects.saved.is_sorted_by(|a, b| a.key <= b.key) {
            effects.saved.sort_by(|a, b| a.key.cmp(&b.key));
        }
    }

    /// The subjects of which blocks do not tell all. There may be many, in the order of their keys.
    fn save_subjects(&mut self, effects: &mut Effects) {
        let mut ids = std::mem::take(&mut self.touched_subjects);
        if self.settings.remembers {
            let now = self.now.time;
            ids.extend(self.world_mut().far_behind(now));
        }
        if !ids.is_sorted() {
            ids.sort_unstable();
        }
        ids.dedup();
        effects.saved.reserve(ids.len());
        for id in ids.drain(..) {
            let (Some(subject), Some(saved)) = (self.world.subject(id), self.world.saved(id)) else { continue };
            let key = subject_key(&subject.key);
            if !self.touched.is_empty() {
                // Forgotten and seen again in one step.
                self.touched.remove(&key);
            }
            effects.saved.push(SavedState { key, value: Some(bytes(&saved).into()) });
            self.world_mut().is_stored(id);
        }
        self.touched_subjects = ids;
    }

    /// A piece as it is to be stored (`Some(None)`: there is none any more). `None` where it is what was stored last.
    fn piece(&mut self, touched: &Touched) -> Option<Option<String>> {
        let text = match touched {
            Touched::Alert(name, target) => {
                let Some(state) = self.states.get_mut(name) else { return Some(None) };
                let changed = state.alerts.change(target, |alert| {
                    let text = (!alert.is_blank()).then(|| json(alert));
                    let hash = text.as_deref().map_or(0, hash);
                    (std::mem::replace(&mut alert.saved, hash) != hash).then_some(text)
                });
                changed.unwrap_or(Some(None))?
            }
            Touched::Forgotten => None,
            Touched::Rule(name) => self.rules.rules.get(name).map(|rule| json(&RememberedRule::of(rule))),
            Touched::Books(channel) => self.books.get(channel).map(json),
            Touched::Group(key) => self
                .groups
                .get(key)
                .map(|group| json(&SavedGroup { channel: key.channel.clone(), by: key.by.clone(), group })),
            Touched::Pause(paused) => self.pauses.get(paused).map(json),
            Touched::Silence(id) => self.silences.get(id).map(json),
            Touched::Flight(id) => self.flights.get(id).filter(|flight| flight.is_loose()).map(json),
        };
        Some(text)
    }

    /// The engine after a restart, at `now`, which is not before the newest step. It judges nothing until it is given
    /// rules, and then nothing merely because of the restart. Gives the pieces that could not be read, with the reasons.
    pub fn resume(settings: Settings, now: Now, resumed: Resumed<'_>) -> (Engine, Vec<String>) {
        let mut problems = Vec::new();
        let mut pieces: BTreeMap<&str, Vec<(&str, &[u8])>> = BTreeMap::new();
        for saved in &resumed.saved {
            let (kind, identity) = saved.key.split_once(' ').unwrap_or((&saved.key, ""));
            if let Some(value) = &saved.value {
                pieces.entry(kind).or_default().push((identity, value));
            }
        }
        let mut take = |kind: &str| pieces.remove(kind).unwrap_or_default();
        let subjects = read::<SavedSubject>(take(kind::SUBJECT), &mut problems);
        let stopped = resumed.time;
        let subjects = subjects.into_iter().map(|(_, subject)| subject);
        let pauses: Vec<(Paused, Pause)> = read::<Pause>(take(kind::PAUSE), &mut problems)
            .into_iter()
            .filter_map(|(identity, pause)| {
                Some((serde_json::from_str::<[Paused; 1]>(identity).ok()?.into_iter().next()?, pause))
            })
            .collect();
        let paused = pauses.iter().filter_map(|(what, pause)| match what {
            Paused::Collectors(source) => Some((source.clone(), pause.engine_since)),
            Paused::Rules(_) => None,
        });
        let paused = paused.collect();
        let (limits, zone) = (settings.limits.clone(), settings.zone.clone());
        let world = World::restore(limits, zone, (stopped, now), paused, subjects, resumed.past);
        let mut engine = Engine { sequence: resumed.sequence, world: Arc::new(world), ..Engine::new(settings, now) };

        let remembered = read::<RememberedRule>(take(kind::RULE), &mut problems);
        engine.rules = Arc::new(RuleSet::remembered(remembered.into_iter().map(|(_, rule)| rule)));
        engine.awaits_rules = true;
        // After a restart none is what was stored of it.
        for id in engine.world.ids().collect::<Vec<_>>() {
            engine.touch_subject(id);
        }

        for (what, pause) in pauses {
            engine.restore_pause(what, pause, now.time.since(stopped));
        }
        for (_, silence) in read::<Silence>(take(kind::SILENCE), &mut problems) {
            engine.silences.put(silence, now.wall());
        }
        for (identity, books) in read::<Books>(take(kind::BOOKS), &mut problems) {
            if let Ok([channel]) = serde_json::from_str::<[ChannelName; 1]>(identity) {
                engine.books.insert(channel, books);
            }
        }
        for (_, SavedGroup { channel, by, group }) in read::<SavedGroup<Group>>(take(kind::GROUP), &mut problems) {
            engine.restore_group(GroupKey { channel, by }, group);
        }
        for (identity, flight) in read::<Flight>(take(kind::FLIGHT), &mut problems) {
            if let Ok([id]) = serde_json::from_str::<[NotificationId; 1]>(identity) {
                for (_, _, firing) in &flight.revived {
                    engine.revived.insert((flight.channel.clone(), firing.clone()), id.clone());
                }
                engine.flights.insert(id, flight);
            }
        }
        for (identity, alert) in read::<Alert>(take(kind::ALERT), &mut problems) {
            let rule = serde_json::from_str::<Vec<serde_json::Value>>(identity).ok();
            let rule = rule.and_then(|parts| Some(RuleName::from(parts.first()?.as_str()?)));
            match rule {
                Some(rule) => engine.take_up(rule, alert, (stopped, now)),
                None => problems.push(format!("alert {identity}: its key has no rule")),
            }
        }
        (engine, problems)
    }

    fn take_up(&mut self, name: RuleName, mut alert: Alert, (stopped, now): (Time, Now)) {
        let target = match &alert.group {
            Some(labels) => TargetId::Group(labels.clone()),
            None => match self.world.find(&alert.subject.kind, &alert.subject.name) {
                Some(id) => TargetId::Subject(id),
                // Its subject is stored in the same transactions; without it nothing can be judged any more.
                None => return,
            },
        };
        alert.saved = hash(&json(&alert));
        for track in &mut alert.tracks {
            *track = track.resume_after(stopped, now.time);
        }
        alert.flap.resume_after(stopped, now.time);
        for clock in alert.clocks.values_mut() {
            // Nobody could acknowledge while the engine was down.
            clock.timer = clock.timer.resume_after(stopped, now.time);
        }
        alert.shown = alert.state();
        // What the time without a daemon has moved is stored anew, or it would count at the next restart.
        self.touch_alert(&name, &target, &alert);
        for (channel, told) in alert.told.iter() {
            if let Some(in_flight) = told.in_flight() {
                let flight = self.flights.entry(in_flight.id.clone()).or_insert_with(|| Flight::to(channel.clone()));
                flight.alerts.push((name.clone(), target.clone()));
            }
        }
        self.rejoin_groups(&name, &target, &alert);
        self.states.entry(name).or_default().alerts.insert(target, alert);
    }

    /// The notifications whose ends are awaited: each was given out by a step and not yet told to have ended.
    pub fn in_flight(&self) -> BTreeSet<NotificationId> {
        self.flights.keys().cloned().collect()
    }

    /// The books of each channel.
    pub fn books(&self) -> &BTreeMap<ChannelName, Books> {
        &self.books
    }

    /// The target of an alert that is remembered.
    pub(super) fn target_of(&self, rule: &RuleName, subject: &crate::model::SubjectKey) -> Option<TargetId> {
        let alerts = &self.states.get(rule)?.alerts;
        if let Some(id) = self.world.find(&subject.kind, &subject.name)
            && alerts.get(&TargetId::Subject(id)).is_some()
        {
            return Some(TargetId::Subject(id));
        }
        alerts
            .iter()
            .find(|(_, alert)| alert.group.is_some() && alert.subject == *subject)
            .map(|(target, _)| target.clone())
    }
}

fn read<'a, T: DeserializeOwned>(pieces: Vec<(&'a str, &[u8])>, problems: &mut Vec<String>) -> Vec<(&'a str, T)> {
    let mut read = Vec::with_capacity(pieces.len());
    for (identity, text) in pieces {
        match serde_json::from_slice(text) {
            Ok(value) => read.push((identity, value)),
            Err(error) => problems.push(format!("{identity}: {error}")),
        }
    }
    read
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    // Zero is "never stored".
    hasher.finish().max(1)
}
