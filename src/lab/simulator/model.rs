//! What each channel should know at every instant, in a model that is written from the promises alone: it knows the
//! events of alerts, what people did, and what was sent, and nothing of how the engine decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::judge::ensure;
use super::story::{self, Step};
use crate::engine::Input;
use crate::model::{AlertNote, EventKind, FiringId, Level, Time};
use crate::routing::{Routing, Silence};

/// For so long after a start or a new rule, a rule that has not judged yet may hold others back.
const AWAITED: Duration = Duration::from_secs(60);
const MINUTE: Duration = Duration::from_secs(60);

/// An alert that fires.
struct Fact<'a> {
    rule: &'a str,
    name: &'a str,
    zone: &'a str,
    level: Level,
}

type Takes = fn(&Fact<'_>) -> bool;

/// One route: what it takes, whom it tells, when, whether the next one is asked, and its steps.
struct Route {
    takes: Takes,
    to: &'static [&'static str],
    /// Minutes of the day from and to which it is open.
    active: &'static [(u64, u64)],
    continues: bool,
    /// Minutes without an acknowledgement, and who is told then.
    steps: &'static [(u64, &'static [&'static str])],
}

/// One inhibition: who mutes whom, and what both must have in common.
struct Mutes {
    when: Takes,
    mute: Takes,
    equal: fn(&Fact<'_>) -> Option<String>,
}

struct Variant {
    yaml: &'static str,
    routes: &'static [Route],
    mutes: &'static [Mutes],
}

const ANY: Takes = |_| true;
const ALWAYS: &[(u64, u64)] = &[];
const NOBODY: &[(u64, &[&str])] = &[];

/// The routes between which edits choose, each with the same in the model's words. `duty` is `a`, from the 15th minute on
/// `b`, from the 30th on `c`, and from the 45th on `a` again.
const VARIANTS: &[Variant] = &[
    Variant {
        yaml: "routes: [{ to: [a, b] }]",
        routes: &[Route { takes: ANY, to: &["a", "b"], active: ALWAYS, continues: false, steps: NOBODY }],
        mutes: &[],
    },
    Variant {
        yaml: "routes: [{ match: { level: '>=error' }, to: [b], continue: true },
            { to: [a], escalate: [{ after: 2m, to: [c] }, { after: 5m, to: [a, b] }] }]",
        routes: &[
            Route { takes: |f| f.level >= Level::Error, to: &["b"], active: ALWAYS, continues: true, steps: NOBODY },
            Route { takes: ANY, to: &["a"], active: ALWAYS, continues: false, steps: &[(2, &["c"]), (5, &["a", "b"])] },
        ],
        mutes: &[],
    },
    Variant {
        yaml: "routes: [{ match: { rule: one }, to: [c], active: '00:10-00:30, 00:50-03:00',
                escalate: [{ after: 3m, to: [b] }] },
            { to: [a], active: '00:05-00:40', escalate: [{ after: 3m, to: [b] }, { after: 4m, to: [c] }] }]
            \ninhibit: [{ when: { rule: two }, mute: { rule: one }, equal: [zone] }]",
        routes: &[
            Route {
                takes: |f| f.rule == "one",
                to: &["c"],
                active: &[(10, 30), (50, 180)],
                continues: false,
                steps: &[(3, &["b"])],
            },
            Route { takes: ANY, to: &["a"], active: &[(5, 40)], continues: false, steps: &[(3, &["b"]), (4, &["c"])] },
        ],
        mutes: &[Mutes { when: |f| f.rule == "two", mute: |f| f.rule == "one", equal: zone }],
    },
    Variant {
        yaml: "on_call: { duty: { rotate: daily, starts: 2026-01-01, turns: [a], overrides: [
                { from: 2026-01-05 00:15, until: 2026-01-05 00:30, to: [b] },
                { from: 2026-01-05 00:30, until: 2026-01-05 00:45, to: [c] }] } }
            \nroutes: [{ to: [duty], escalate: [{ after: 4m, to: [duty, b] }] }]
            \ninhibit: [{ when: { rule: three, level: '>=error' }, mute: { rule: one }, equal: [name] },
                { when: { rule: one }, mute: { rule: two } }]",
        routes: &[Route { takes: ANY, to: &["duty"], active: ALWAYS, continues: false, steps: &[(4, &["duty", "b"])] }],
        mutes: &[
            Mutes {
                when: |f| f.rule == "three" && f.level >= Level::Error,
                mute: |f| f.rule == "one",
                equal: |f| Some(f.name.to_string()),
            },
            Mutes { when: |f| f.rule == "one", mute: |f| f.rule == "two", equal: |_| Some(String::new()) },
        ],
    },
    Variant {
        yaml: "routes: [{ to: [a], escalate: [{ after: 1m, to: [b] }] }]
            \ninhibit: [{ when: { level: '>=error' }, mute: { level: '>=warning' }, equal: [zone] }]",
        routes: &[Route { takes: ANY, to: &["a"], active: ALWAYS, continues: false, steps: &[(1, &["b"])] }],
        mutes: &[Mutes { when: |f| f.level >= Level::Error, mute: |f| f.level >= Level::Warning, equal: zone }],
    },
];

fn zone(fact: &Fact<'_>) -> Option<String> {
    (!fact.zone.is_empty()).then(|| fact.zone.to_string())
}

/// The routes as the engine has them.
pub(super) fn routings() -> Vec<Arc<Routing>> {
    story::read(&VARIANTS.iter().map(|variant| variant.yaml).collect::<Vec<_>>())
}

/// What a channel was told of a firing.
#[derive(Clone, Copy)]
struct Told {
    level: Level,
    step: u64,
    /// Something of it arrived, or is on its way.
    hears: bool,
}

struct Firing {
    rule: String,
    name: String,
    group_zone: Option<String>,
    level: Level,
    acknowledged: bool,
    /// The time without an acknowledgement, by window, and the last step that was reached by it, in minutes.
    clocks: BTreeMap<Window, (Duration, u64)>,
    told: BTreeMap<String, Told>,
    /// It was held back from these channels at the end of the instant before.
    held: BTreeSet<String>,
    /// A rule that has not judged yet may have held it back: of its steps nothing can be said.
    is_vague: bool,
}

type Window = &'static [(u64, u64)];

/// What holds everything back from every channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Off,
    Silenced,
    Muted,
}

struct Model {
    variant: &'static Variant,
    alerting: bool,
    silences: BTreeMap<String, Silence>,
    firings: BTreeMap<FiringId, Firing>,
    zones: BTreeMap<Arc<str>, Arc<str>>,
    notify: BTreeMap<String, Vec<String>>,
    cooldowns: BTreeMap<String, Duration>,
    /// Of each alert and channel: when it was last told that it fires, and the highest level since the cooldown began.
    stretches: BTreeMap<(String, String, String), (Time, Level)>,
    busy: BTreeMap<(String, String, String), Time>,
    rules: BTreeSet<String>,
    /// When a rule last began to judge.
    began: Time,
    now: Time,
}

/// Judges a whole story.
pub(super) fn judge(steps: &[Step], routings: &[Arc<Routing>]) -> Result<(), String> {
    let Some(first) = steps.first() else { return Ok(()) };
    let mut model = Model {
        variant: &VARIANTS[0],
        alerting: true,
        silences: BTreeMap::new(),
        firings: BTreeMap::new(),
        zones: BTreeMap::new(),
        notify: BTreeMap::new(),
        cooldowns: BTreeMap::new(),
        stretches: BTreeMap::new(),
        busy: BTreeMap::new(),
        rules: BTreeSet::new(),
        began: first.time,
        now: first.time,
    };
    let mut reached = BTreeSet::new();
    for (index, step) in steps.iter().enumerate() {
        let place = |error| format!("step {index} at {}: {error}", step.time);
        model.pass(step.time);
        // What nobody had acknowledged at this very instant was told of before somebody did, and by the routes of before.
        if matches!(step.given, Some(Input::Acknowledge { .. } | Input::Routing(_))) && !reached.is_empty() {
            model.instant(&std::mem::take(&mut reached)).map_err(place)?;
        }
        model.take(step, routings);
        model.told(step).map_err(place)?;
        model.suppressed(step).map_err(place)?;
        let unacknowledged = step.events.iter().filter(|event| event.kind == EventKind::Unacknowledged);
        reached.extend(unacknowledged.map(|event| event.firing.clone()));
        // What rises at this very instant begins anew, whatever it had come to.
        let rose = step.events.iter().filter(|event| event.kind == EventKind::Escalated);
        for event in rose {
            reached.remove(&event.firing);
        }
        if steps.get(index + 1).is_none_or(|next| next.time > step.time) {
            model.instant(&std::mem::take(&mut reached)).map_err(place)?;
        }
    }
    Ok(())
}

impl Model {
    fn fact<'a>(&'a self, firing: &'a Firing) -> Fact<'a> {
        let zone = firing.group_zone.as_deref().or_else(|| self.zones.get(firing.name.as_str()).map(|zone| &**zone));
        Fact { rule: &firing.rule, name: &firing.name, zone: zone.unwrap_or_default(), level: firing.level }
    }

    /// Time passes: it counts where nobody acknowledged and somebody could have.
    fn pass(&mut self, until: Time) {
        // Whatever changes by itself changes at a whole second.
        while self.now < until {
            let next = self.edges().into_iter().filter(|edge| *edge > self.now).chain([until]).min().unwrap_or(until);
            let next = next.min(until);
            let running: Vec<(FiringId, Window)> = self
                .firings
                .iter()
                .filter(|(_, firing)| !firing.acknowledged && self.hold(firing).is_none())
                .flat_map(|(id, firing)| firing.clocks.keys().map(|window| (id.clone(), *window)))
                .filter(|(_, window)| is_open(window, self.now))
                .collect();
            for (id, window) in running {
                if let Some((counted, _)) = self.firings.get_mut(&id).and_then(|firing| firing.clocks.get_mut(window)) {
                    *counted += next.since(self.now);
                }
            }
            self.now = next;
        }
    }

    /// When silences and windows begin and end.
    fn edges(&self) -> Vec<Time> {
        let day = story::START;
        let minutes = |windows: &[(u64, u64)]| -> Vec<Time> {
            windows.iter().flat_map(|(from, to)| [day + MINUTE * *from as u32, day + MINUTE * *to as u32]).collect()
        };
        let of_silence = |silence: &Silence| {
            let mut edges: Vec<Time> = [Some(silence.from), silence.until].into_iter().flatten().collect();
            edges.extend(windows_of(silence).map(|windows| minutes(&windows)).unwrap_or_default());
            edges
        };
        let of_routes = self.variant.routes.iter().flat_map(|route| minutes(route.active));
        self.silences.values().flat_map(of_silence).chain(of_routes).collect()
    }

    fn hold(&self, firing: &Firing) -> Option<Hold> {
        let fact = self.fact(firing);
        let is_silent = |silence: &&Silence| {
            silence.from <= self.now
                && silence.until.is_none_or(|until| self.now < until)
                && silence.expired.as_ref().is_none_or(|expired| self.now < expired.at)
                && windows_of(silence).is_none_or(|windows| is_open(&windows, self.now))
                && covers(&silence.comment, &fact)
        };
        if !self.alerting {
            return Some(Hold::Off);
        }
        if self.silences.values().any(|silence| is_silent(&silence)) {
            return Some(Hold::Silenced);
        }
        let mutes = |mutes: &Mutes, other: &Firing| {
            let other_fact = self.fact(other);
            let both = |f: &Fact<'_>| (mutes.when)(f) && (mutes.mute)(f);
            (other.rule != firing.rule || other.name != firing.name)
                && (mutes.when)(&other_fact)
                && (mutes.mute)(&fact)
                && (mutes.equal)(&fact).is_some_and(|value| (mutes.equal)(&other_fact) == Some(value))
                && !(both(&fact) && both(&other_fact))
        };
        let is_muted = self.variant.mutes.iter().any(|m| self.firings.values().any(|other| mutes(m, other)));
        is_muted.then_some(Hold::Muted)
    }

    /// Whether a rule that has not judged yet may hold a firing back.
    fn may_be_awaited(&self, firing: &Firing) -> bool {
        let fact = self.fact(firing);
        self.now < self.began + AWAITED && self.variant.mutes.iter().any(|mutes| (mutes.mute)(&fact))
    }

    /// What was given, and what happened to alerts.
    fn take(&mut self, step: &Step, routings: &[Arc<Routing>]) {
        self.zones.clone_from(&step.zones);
        let rules: BTreeSet<String> = step.rules.rules.keys().map(ToString::to_string).collect();
        if step.restarted || !rules.is_subset(&self.rules) {
            self.began = step.time;
        }
        self.rules = rules;
        for rule in step.rules.rules.values() {
            let notify = rule.notify.iter().flatten().map(ToString::to_string).collect();
            match rule.notify {
                Some(_) => self.notify.insert(rule.name.to_string(), notify),
                None => self.notify.remove(rule.name.as_str()),
            };
            self.cooldowns.insert(rule.name.to_string(), rule.cooldown);
        }
        match &step.given {
            Some(Input::Routing(routing)) => {
                let index = routings.iter().position(|known| Arc::ptr_eq(known, routing)).unwrap_or_default();
                self.variant = &VARIANTS[index];
            }
            Some(Input::Alerting(on)) => self.alerting = *on,
            Some(Input::Silence(silence)) => drop(self.silences.insert(silence.id.to_string(), silence.clone())),
            Some(Input::Acknowledge { firings, withdraw, .. }) => {
                for id in firings {
                    if let Some(firing) = self.firings.get_mut(id) {
                        firing.acknowledged = !withdraw;
                    }
                }
            }
            _ => {}
        }
        for event in &step.events {
            if event.kind == EventKind::Raised {
                let firing = Firing {
                    rule: event.rule.to_string(),
                    name: event.subject.name.to_string(),
                    group_zone: event.subject.name.strip_prefix("zone=").map(str::to_string),
                    level: event.level,
                    acknowledged: false,
                    clocks: BTreeMap::new(),
                    told: BTreeMap::new(),
                    held: BTreeSet::new(),
                    is_vague: false,
                };
                self.firings.insert(event.firing.clone(), firing);
                continue;
            }
            let Some(firing) = self.firings.get_mut(&event.firing) else { continue };
            if event.kind == EventKind::Escalated {
                firing.acknowledged = false;
                firing.clocks.values_mut().for_each(|clock| *clock = (Duration::ZERO, 0));
                firing.told.values_mut().for_each(|told| told.step = 0);
            }
            firing.level = event.level;
            if event.kind.is_end() {
                self.firings.remove(&event.firing);
            }
        }
        // The clocks that routes want now: what they counted stays, and new ones begin.
        let wanted: Vec<(FiringId, BTreeSet<Window>)> =
            self.firings.iter().map(|(id, firing)| (id.clone(), self.windows(firing))).collect();
        for (id, windows) in wanted {
            if let Some(firing) = self.firings.get_mut(&id) {
                firing.clocks.retain(|window, _| windows.contains(window));
                for window in windows {
                    firing.clocks.entry(window).or_default();
                }
            }
        }
        let vague: Vec<FiringId> =
            self.firings.iter().filter(|(_, firing)| self.may_be_awaited(firing)).map(|(id, _)| id.clone()).collect();
        vague.iter().for_each(|id| self.firings.get_mut(id).unwrap().is_vague = true);
    }

    /// The routes that take a firing; none, where the rule says whom to tell.
    fn routes(&self, firing: &Firing) -> Vec<&'static Route> {
        if self.notify.contains_key(&firing.rule) {
            return Vec::new();
        }
        let fact = self.fact(firing);
        let mut taken = Vec::new();
        for route in self.variant.routes.iter().filter(|route| (route.takes)(&fact)) {
            taken.push(route);
            if !route.continues {
                break;
            }
        }
        taken
    }

    fn windows(&self, firing: &Firing) -> BTreeSet<Window> {
        let routes = self.routes(firing).into_iter();
        routes.filter(|route| !route.steps.is_empty()).map(|route| route.active).collect()
    }

    /// Whom a firing should be told, whether they take it now, and the last step that is reached and names them.
    fn should_know(&self, firing: &Firing) -> BTreeMap<String, (bool, u64)> {
        let mut should: BTreeMap<String, (bool, u64)> = BTreeMap::new();
        let mut add = |channel: &str, open: bool, step: u64| {
            let entry = should.entry(self.who(channel)).or_insert((false, 0));
            *entry = (entry.0 || open, entry.1.max(step));
        };
        for channel in self.notify.get(&firing.rule).into_iter().flatten() {
            add(channel, true, 0);
        }
        for route in self.routes(firing) {
            let open = is_open(route.active, self.now);
            route.to.iter().for_each(|channel| add(channel, open, 0));
            let counted = firing.clocks.get(route.active).map_or(Duration::ZERO, |(counted, _)| *counted);
            for (minutes, to) in route.steps {
                let is_reached = !firing.acknowledged && counted >= MINUTE * *minutes as u32;
                for channel in *to {
                    // Whom a step has told is told on.
                    if is_reached || firing.told.contains_key(&self.who(channel)) {
                        add(channel, open, if is_reached { *minutes } else { 0 });
                    }
                }
            }
        }
        should
    }

    fn who(&self, channel: &str) -> String {
        let minute = self.now.since(story::START).as_secs() / 60;
        match (channel, minute) {
            ("duty", 15..30) => "b",
            ("duty", 30..45) => "c",
            ("duty", _) => "a",
            (channel, _) => channel,
        }
        .to_string()
    }

    /// Nobody is told what he should not be, or what is held back; and what was held back from a channel comes at once.
    fn told(&mut self, step: &Step) -> Result<(), String> {
        let mut released: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (index, (notification, end, arrives)) in step.notifications.iter().enumerate() {
            let channel = notification.channel.to_string();
            for note in &notification.alerts {
                let alert = (note.rule.to_string(), note.subject.name.to_string(), channel.clone());
                let busy = self.busy.entry(alert).or_default();
                *busy = (*busy).max(*end);
                if note.event.is_end() {
                    continue;
                }
                // What was raised and ended in one step may be told at both ends of it; and a new rule tells what was,
                // and judges then.
                let of_it = |event: &&crate::engine::Event| event.firing == note.id;
                let changes = |event: &crate::engine::Event| event.kind.is_end() || event.level != note.level;
                if step.events.iter().filter(of_it).any(changes) {
                    let told = self.firings.get(&note.id).and_then(|firing| firing.told.get(&channel));
                    self.learn(note, &channel, *arrives, step.time, told.map_or(0, |told| told.step));
                    continue;
                }
                self.note(note, &channel, *arrives, step.time)
                    .map_err(|error| format!("{error}: {} to {channel}: {note:?}", note.event))?;
                if self.firings.get(&note.id).is_some_and(|firing| firing.held.contains(&channel)) {
                    released.entry(channel.clone()).or_default().insert(index);
                }
            }
        }
        for (channel, messages) in released {
            ensure(messages.len() == 1, &format!("what was held back from {channel} comes in one message"))?;
        }
        Ok(())
    }

    fn note(&mut self, note: &AlertNote, channel: &str, arrives: bool, now: Time) -> Result<(), String> {
        let firing = self.firings.get(&note.id).ok_or("only what fires is told as such")?;
        let should = self.should_know(firing);
        let (open, step) = *should.get(channel).ok_or("only whom it concerns is told")?;
        let is_vague = firing.is_vague;
        let hold = self.hold(firing);
        ensure(hold.is_none(), &format!("nothing is told while it is held back: {hold:?}"))?;
        ensure(open, "nothing is told while the window is closed")?;
        let told = firing.told.get(channel).copied();
        let is_due = match (note.event, told) {
            (EventKind::Raised, told) => told.is_none_or(|told| !told.hears),
            (EventKind::Unacknowledged, told) => {
                !firing.acknowledged && (is_vague || step > told.map_or(0, |told| told.step))
            }
            (_, None) => false,
            (EventKind::Escalated, Some(told)) => note.level > told.level,
            (EventKind::Eased, Some(told)) => note.level < told.level,
            (EventKind::Reminded, Some(_)) => !firing.acknowledged,
            (EventKind::Stale, Some(_)) => true,
            _ => false,
        };
        ensure(is_due, "a channel is told what it does not know")?;
        ensure(note.acknowledged.is_some() == firing.acknowledged, "a message says who acknowledged")?;
        let told_step = match (note.event, told) {
            (EventKind::Unacknowledged, _) | (_, None) => step,
            (_, Some(told)) => told.step,
        };
        self.learn(note, channel, arrives, now, told_step);
        Ok(())
    }

    /// A channel is told of a firing.
    fn learn(&mut self, note: &AlertNote, channel: &str, arrives: bool, now: Time, step: u64) {
        let alert = (note.rule.to_string(), note.subject.name.to_string(), channel.to_string());
        if let Some(firing) = self.firings.get_mut(&note.id) {
            let hears = arrives || firing.told.get(channel).is_some_and(|told| told.hears);
            firing.told.insert(channel.to_string(), Told { level: note.level, step, hears });
        }
        if !matches!(note.event, EventKind::Eased | EventKind::Stale) {
            let cooldown = self.cooldowns.get(&alert.0).copied().unwrap_or_default();
            let stretch = self.stretches.entry(alert).or_insert((now, note.level));
            let highest = if now < stretch.0 + cooldown { stretch.1.max(note.level) } else { note.level };
            *stretch = (now, highest);
        }
    }

    /// What is not told for good has the reason that held it back.
    fn suppressed(&self, step: &Step) -> Result<(), String> {
        for one in &step.suppressed {
            let is_off = !self.alerting;
            let reason = one.reason;
            let said = format!("{} of {} {}: {reason}", one.channel, one.rule, one.subject);
            ensure(reason != "alerting disabled" || is_off, &format!("it is off: {said}"))?;
            let is_silenced = self.silences.values().any(|silence| silence.from <= self.now);
            ensure(reason != "silenced" || is_silenced, &format!("some silence has begun: {said}"))?;
            let has_mutes = !self.variant.mutes.is_empty();
            ensure(reason != "inhibited" || has_mutes, &format!("something mutes: {said}"))?;
        }
        Ok(())
    }

    /// The end of an instant: each channel knows what it should, unless something holds it back.
    fn instant(&mut self, unacknowledged: &BTreeSet<FiringId>) -> Result<(), String> {
        let mut changes = Vec::new();
        for (id, firing) in &self.firings {
            let what = format!("{id} ({} {} at {})", firing.rule, firing.name, firing.level);
            let mut clocks = firing.clocks.clone();
            let mut is_new = false;
            for route in self.routes(firing) {
                let Some((counted, last)) = clocks.get_mut(route.active) else { continue };
                for (minutes, _) in route.steps {
                    let after = MINUTE * *minutes as u32;
                    if !firing.acknowledged && *counted >= after && *last < *minutes {
                        is_new = true;
                        *last = *minutes;
                    }
                }
            }
            if !firing.is_vague {
                let word = if is_new { "is" } else { "is not" };
                let counted: Vec<&Duration> = clocks.values().map(|(counted, _)| counted).collect();
                let message = format!("{what} {word} unacknowledged for long enough now: {counted:?}");
                ensure(unacknowledged.contains(id) == is_new, &message)?;
            }
            let hold = self.hold(firing);
            let mut held = BTreeSet::new();
            for (channel, (open, step)) in self.should_know(firing) {
                let told = firing.told.get(&channel);
                let alert = (firing.rule.clone(), firing.name.clone(), channel.clone());
                let knows =
                    told.is_some_and(|told| told.level == firing.level && (firing.is_vague || told.step >= step));
                if knows {
                    continue;
                }
                if hold.is_some() || !open {
                    held.insert(channel);
                    continue;
                }
                let is_busy = self.busy.get(&alert).is_some_and(|end| *end > self.now);
                let is_unheard = told.is_some_and(|told| !told.hears);
                let cooldown = self.cooldowns.get(&firing.rule).copied().unwrap_or_default();
                let cools = self.stretches.get(&alert).is_some_and(|(newest, highest)| {
                    self.now < *newest + cooldown
                        && firing.level <= *highest
                        && told.is_none_or(|told| told.level <= firing.level)
                });
                let is_vague = firing.is_vague && step > 0;
                if is_busy || is_unheard || cools || is_vague || self.may_be_awaited(firing) {
                    continue;
                }
                let knew = told.map(|told| (told.level, told.step));
                return Err(format!(
                    "it must be that {channel} knows of {what} by now, and step {step}: it knows {knew:?}"
                ));
            }
            changes.push((id.clone(), clocks, held));
        }
        for (id, clocks, held) in changes {
            if let Some(firing) = self.firings.get_mut(&id) {
                (firing.clocks, firing.held) = (clocks, held);
            }
        }
        Ok(())
    }
}

/// What a silence covers, from the words of its comment.
fn covers(words: &str, fact: &Fact<'_>) -> bool {
    match words.split_once(' ') {
        Some(("rule", rule)) => fact.rule == rule,
        Some(("name", name)) => fact.name == name,
        Some(("zone", zone)) => fact.zone == zone,
        Some(("level", _)) => fact.level >= Level::Error,
        _ => true,
    }
}

/// The windows of a silence, in minutes of the day.
fn windows_of(silence: &Silence) -> Option<Vec<(u64, u64)>> {
    let text = silence.recurs.as_ref()?.windows.as_str();
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':').unwrap();
        hour.parse::<u64>().unwrap() * 60 + minute.parse::<u64>().unwrap()
    };
    let window = |text: &str| {
        let (from, to) = text.trim().split_once('-').unwrap();
        (minute(from), minute(to))
    };
    Some(text.split(',').map(window).collect())
}

fn is_open(windows: &[(u64, u64)], now: Time) -> bool {
    let minute = now.since(story::START).as_secs() / 60 % (24 * 60);
    windows.is_empty() || windows.iter().any(|(from, to)| (*from..*to).contains(&minute))
}
