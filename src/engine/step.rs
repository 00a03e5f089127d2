//! One step: what was due, then the input.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::history::{Batch, Subject, SubjectId, World};
use crate::model::{CloseReason, Now, RuleName, SubjectKey, Time};
use crate::routing::{Routing, Silences};
use crate::rules::{RuleSet, Scope};

use super::inhibit::Index;
use super::{Effects, Engine, Input, Settings};

/// Subjects are looked through for forgetting at multiples of this.
const SWEEP: Duration = Duration::from_secs(60);

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(settings: Settings, now: Now) -> Engine {
        let world = World::new(settings.limits.clone(), settings.zone.clone(), now);
        Engine {
            settings,
            threads: crate::history::Threads::default(),
            sequence: 0,
            sweep_at: now.time.next_multiple(SWEEP),
            now,
            world: Arc::new(world),
            rules: Arc::new(RuleSet::default()),
            by_kind: BTreeMap::new(),
            routing: Arc::new(Routing::default()),
            alerting: true,
            states: BTreeMap::new(),
            sets: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            wakes: BTreeSet::new(),
            flights: BTreeMap::new(),
            revived: BTreeMap::new(),
            groups: BTreeMap::new(),
            groups_due: BTreeSet::new(),
            silences: Silences::default(),
            pauses: BTreeMap::new(),
            inhibitions: Index::default(),
            retell: BTreeSet::new(),
            settling: false,
            released: BTreeMap::new(),
            books: BTreeMap::new(),
            awaits_rules: false,
            unjudged: BTreeSet::new(),
            touched: BTreeMap::new(),
            touched_subjects: Vec::new(),
            touched_books: BTreeSet::new(),
        }
    }

    /// Takes one input at a time, and gives what must be done. A time before the newest step's counts as that step's.
    pub fn step(&mut self, now: Now, input: Input) -> Effects {
        let now = Now { time: now.time.max(self.now.time), ..now };
        self.sequence += 1;
        let mut effects = Effects::none(self.sequence, now);
        self.catch_up(now, |due| due < now.time, &mut effects);
        self.now = now;
        match input {
            Input::Batch(batch) => self.take(now, batch, &mut effects),
            Input::Tick => {}
            Input::Backfill(older) => self.world_mut().put_before(&older),
            Input::Rules(rules) => self.reload(now, rules, &mut effects),
            Input::Routing(routing) => {
                self.routing = routing;
                self.index_inhibitions();
                self.tell_all(now, &mut effects);
            }
            Input::Revived { notification, ends } => self.revive(&notification, ends),
            Input::Alerting(on) => {
                self.alerting = on;
                self.tell_all(now, &mut effects);
            }
            Input::Delivered { notification, outcome } => {
                self.arrived(now, &notification, &outcome, &mut effects);
            }
            Input::Forget(subject) => {
                if let Some(id) = self.world.find(&subject.kind, &subject.name) {
                    self.forget(now, id, &mut effects);
                    self.judge_sets_of(now, &subject.kind, &mut effects);
                }
            }
            Input::Silence(silence) => self.put_silence(now, silence, &mut effects),
            Input::Pause { what, by, comment } => self.pause(now, what, by, comment, &mut effects),
            Input::Resume(what) => self.resume_paused(now, &what, &mut effects),
            Input::Acknowledge { firings, by, comment, withdraw } => {
                self.acknowledge(now, &firings, (!withdraw).then_some((by, comment)), &mut effects);
            }
        }
        // What is due at this very time is judged by what this time brought: a snapshot that says it is over comes first.
        self.catch_up(now, |due| due <= now.time, &mut effects);
        self.settle_instant(now, &mut effects);
        effects.sort();
        self.save(&mut effects);
        effects
    }

    /// When the engine wants to be called again, if no input comes before.
    pub fn next_deadline(&self) -> Option<Time> {
        [
            self.deadlines.first().map(|(time, ..)| *time),
            self.wakes.first().map(|(time, _)| *time),
            self.world.next_stale(),
            self.next_sweep(),
            self.next_group().filter(|_| !self.awaits_rules),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn next_sweep(&self) -> Option<Time> {
        self.world.kinds().next().map(|_| self.sweep_at)
    }

    /// Does everything that is due, each at its own time.
    fn catch_up(&mut self, now: Now, is_due: impl Fn(Time) -> bool, effects: &mut Effects) {
        while let Some(time) = self.next_deadline().filter(|time| is_due(*time)) {
            let then = Now { time: time.max(self.now.time), ..now };
            self.now = then;
            self.turn_stale(then, effects);
            self.wake(then, effects);
            self.expire(then, effects);
            self.settle_instant(then, effects);
            if !self.awaits_rules {
                self.tell_groups(then, effects);
            }
            if self.sweep_at <= then.time {
                self.sweep_at = then.time.next_multiple(SWEEP);
                self.sweep_silences(then);
                if !self.awaits_rules {
                    self.sweep(then, effects);
                    self.forget_groups(then);
                    self.settle_instant(then, effects);
                }
            }
        }
    }

    /// The world, to be changed. No evaluation is under way, so nothing else holds it.
    pub(super) fn world_mut(&mut self) -> &mut World {
        debug_assert_eq!(Arc::strong_count(&self.world), 1, "something keeps the world, and it would be copied");
        Arc::make_mut(&mut self.world)
    }

    fn take(&mut self, now: Now, batch: Arc<Batch>, effects: &mut Effects) {
        let report = self.world_mut().ingest(now, &batch);
        effects.batch = Some(batch);
        for id in &report.outdated {
            self.touch_subject(*id);
        }
        if self.awaits_rules {
            self.unjudged.extend(report.judged.iter().chain(&report.gone));
            effects.report = report;
            return;
        }
        for id in &report.gone {
            self.close_subject(now, *id, CloseReason::Gone, effects);
        }
        self.judge_subjects(now, &report.judged, &report.gone, effects);
        effects.report = report;
    }

    /// Judges subjects that turned stale, once.
    fn turn_stale(&mut self, now: Now, effects: &mut Effects) {
        let ids = self.world_mut().turned_stale(now);
        if self.awaits_rules {
            self.unjudged.extend(ids);
            return;
        }
        self.judge_subjects(now, &ids, &[], effects);
    }

    /// Rules whose time has come to judge time itself, or that leave their quarantine.
    fn wake(&mut self, now: Now, effects: &mut Effects) {
        while let Some((time, _)) = self.wakes.first()
            && *time <= now.time
            && let Some((_, name)) = self.wakes.pop_first()
        {
            let Some(rule) = self.rules.rules.get(&name).cloned() else { continue };
            let Some(state) = self.states.get_mut(&name) else { continue };
            let released = state.quarantine.until().is_some_and(|until| until <= now.time);
            if released {
                state.quarantine.release();
            }
            let ticks = state.tick.is_some_and(|tick| tick <= now.time);
            if ticks {
                let next = now.time.next_multiple(rule.every);
                state.tick = Some(next);
                self.wakes.insert((next, name.clone()));
            }
            if ticks || released {
                // Only rules that ask about time have something to say of a stale subject that was not said when it
                // turned so, if they were not in quarantine then.
                self.judge_all(now, &rule, rule.judges_time || released, effects);
            }
        }
    }

    /// Alerts whose timers, cooldowns, reminders or windows end now, by (rule, subject).
    fn expire(&mut self, now: Now, effects: &mut Effects) {
        let mut due = Vec::new();
        while self.deadlines.first().is_some_and(|(time, ..)| *time <= now.time)
            && let Some((_, rule, target)) = self.deadlines.pop_first()
        {
            let subject = self.states.get(&rule).and_then(|state| state.alerts.get(&target)).map(|a| a.subject.clone());
            due.extend(subject.map(|subject| (rule, subject, target)));
        }
        due.sort();
        for (name, _, target) in due {
            self.expire_alert(now, &name, &target, effects);
        }
    }

    /// Forgets subjects that have been silent for long enough.
    fn sweep(&mut self, now: Now, effects: &mut Effects) {
        let mut kinds = BTreeSet::new();
        // What fires stays for a day, and is many subjects where many come and go: only what is forgotten is put in order.
        let mut ids = self.world.forgettable(now, self.settings.forget_after);
        ids.retain(|id| {
            let subject = self.world.subject(*id);
            let vanished = |subject: &Subject| now.time.since(subject.arrived) >= self.settings.forget_firing_after;
            subject.is_some_and(|subject| vanished(subject) || !self.has_open_alert(*id))
        });
        self.world.sort_by_key(&mut ids);
        for id in ids {
            let Some(subject) = self.world.subject(id) else { continue };
            kinds.insert(subject.key.kind.clone());
            self.forget(now, id, effects);
        }
        for kind in kinds {
            self.judge_sets_of(now, &kind, effects);
        }
    }

    fn has_open_alert(&self, id: SubjectId) -> bool {
        let target = super::TargetId::Subject(id);
        self.states.values().any(|state| state.alerts.get(&target).is_some_and(|alert| alert.firing.is_some()))
    }

    /// Closes a subject's alerts as vanished and forgets it.
    fn forget(&mut self, now: Now, id: SubjectId, effects: &mut Effects) {
        self.close_subject(now, id, CloseReason::Vanished, effects);
        self.forget_subject(id);
        self.world_mut().forget(id);
    }

    /// Closes all alerts of a subject, and forgets them unless it may come back.
    pub(super) fn close_subject(&mut self, now: Now, id: SubjectId, reason: CloseReason, effects: &mut Effects) {
        let target = super::TargetId::Subject(id);
        let Some(kind) = self.world.subject(id).map(|subject| subject.key.kind.clone()) else { return };
        for name in self.by_kind.get(&kind).cloned().unwrap_or_default() {
            self.close_target(now, &name, &target, reason, effects);
        }
    }

    /// The rules that judge a kind, by name.
    pub(super) fn rules_of(&self, kind: &str) -> Vec<RuleName> {
        self.by_kind.get(kind).cloned().unwrap_or_default()
    }

    pub(super) fn index_rules(&mut self) {
        self.by_kind.clear();
        for rule in self.rules.rules.values() {
            let (Scope::On { kind } | Scope::Over { kind, .. }) = &rule.scope;
            self.by_kind.entry(kind.clone()).or_default().push(rule.name.clone());
        }
    }

    /// The subject's key, as long as it is known.
    pub(super) fn key_of(&self, id: SubjectId) -> Option<SubjectKey> {
        self.world.subject(id).map(|subject| subject.key.clone())
    }
}
