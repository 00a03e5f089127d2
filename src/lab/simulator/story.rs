//! Random stories: snapshots, edits of rules and routes, gaps, clock jumps, slow and dead receivers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::grammar::{NAMES, Pool};
use super::random::Random;
use crate::config::{Config, Fixed};
use crate::engine::{Books, Effects, Engine, Event, Input, Outcome, Selector, Settings, Suppressed};
use crate::history::{Batch, Source};
use crate::lab::bench::{Arrival, Bench};
use crate::model::{ChannelName, Labels, Notification, Now, Snapshot, SubjectKey, Time, Value};
use crate::routing::{Expired, Plan, Recurrence, Routing, Silence};
use crate::rules::RuleSet;

pub(super) const START: Time = Time::from_micros(1_767_571_200_000_000);
/// After the last input: longer than any cooldown and delay that could hold something back, one after the other.
const AFTERMATH: Duration = Duration::from_secs(11 * 60);

/// One input and when it comes.
#[derive(Clone, Debug)]
pub(super) struct Chapter {
    time: Time,
    wall_offset: i64,
    deed: Deed,
}

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// An input as it is.
    Input(Input),
    /// Somebody acknowledges whatever fires then by a rule or about a subject, or takes it back.
    Acknowledge { rule: Option<&'static str>, name: Option<&'static str>, withdraw: bool },
    /// The engine ends, and another goes on from what was stored.
    Restart,
}

/// What a step did; notifications with the time of their end, and whether they arrive.
pub(super) struct Step {
    pub(super) time: Time,
    pub(super) rules: Arc<RuleSet>,
    /// The subjects that are not forgotten, and their zones.
    pub(super) known: BTreeSet<Arc<str>>,
    /// What the step was given, where the story gave it anything.
    pub(super) given: Option<Input>,
    /// It is the first step after a restart.
    pub(super) restarted: bool,
    /// The zone of each subject.
    pub(super) zones: BTreeMap<Arc<str>, Arc<str>>,
    pub(super) events: Vec<Event>,
    pub(super) notifications: Vec<(Notification, Time, bool)>,
    /// Events that channels will not be told of.
    pub(super) suppressed: Vec<Suppressed>,
    /// The books after the step.
    pub(super) books: BTreeMap<ChannelName, Books>,
}

impl Step {
    /// Whether there is anything to tell of it.
    pub(super) fn has_something(&self) -> bool {
        !self.events.is_empty() || !self.notifications.is_empty()
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.time)?;
        for event in &self.events {
            write!(f, "\n    {} {:?} {} of {} {}", event.kind, event.reason, event.firing, event.rule, event.subject)?;
        }
        for (notification, arrival, arrives) in &self.notifications {
            let dead = if *arrives { "" } else { ", dead" };
            write!(f, "\n    -> {} until {arrival}{dead}:", notification.channel)?;
            for note in &notification.alerts {
                write!(f, " [{} {} {} of {} {}]", note.event, note.level, note.id, note.rule, note.subject)?;
            }
        }
        Ok(())
    }
}

/// How a story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// With receivers that are quick, slow or dead.
    Receivers,
    /// Nobody ever answers, and every deadline is stepped at its time.
    Unanswered,
    /// Nobody ever answers, and deadlines wait for the next input.
    Overslept,
}

pub(super) fn routings() -> Vec<Arc<Routing>> {
    read(&[
        "routes: [{ to: [a, b] }]",
        "routes: [{ match: { level: \">=error\" }, to: [b], continue: true }, { to: [a] }]",
        "routes: [{ match: { rule: one }, to: [c] }, { to: [a], active: \"Mon-Sun 00:10-00:30\" }]",
        "routes: [{ match: { level: critical }, to: [a] }]",
    ])
}

/// Routes that tell in groups; the first ones are as [`routings`] promises.
pub(super) fn grouped_routings() -> Vec<Arc<Routing>> {
    read(&[
        "fallback: c\nroutes: [{ to: [a, b], group_by: [rule], group_wait: 10s, group_interval: 1m }]",
        "routes: [{ match: { level: \">=error\" }, to: [b], continue: true }, { to: [a], group_by: [zone], group_wait: 0s, group_interval: 2m }]",
        "routes: [{ match: { rule: one }, to: [c], group_by: [] }, { to: [a, b], group_by: [kind], group_interval: 30s, active: \"Mon-Sun 00:10-00:30\" }]",
        "routes: [{ to: [a] }]",
    ])
}

pub(super) fn read(texts: &[&str]) -> Vec<Arc<Routing>> {
    let routing = |text: &&str| {
        let config = Config::parse("larum.yaml", text, &Fixed::default()).unwrap();
        Arc::new(config.routing(super::CHANNELS.map(Into::into)))
    };
    texts.iter().map(routing).collect()
}

/// Writes a story. The last chapters switch alerting on and open all routes, so that everything owed must be told.
pub(super) fn write(
    random: &mut Random,
    pool: &Pool,
    routings: &[Arc<Routing>],
    with_clock_jumps: bool,
    stale_after: Duration,
) -> Vec<Chapter> {
    let mut time = START;
    let mut wall_offset = 0;
    let mut chapters = vec![
        Chapter::new(time, Input::Routing(routings[random.below(2) as usize].clone())),
        Chapter::new(time, Input::Rules(rules(random, pool))),
    ];
    for _ in 0..10 + random.below(20) {
        time = time + gap(random);
        if with_clock_jumps && random.percent(3) {
            wall_offset = random.below(7200) as i64 * 1_000_000 - 3_600_000_000;
        }
        let input = match random.below(100) {
            0..8 => Input::Rules(rules(random, pool)),
            8..12 => Input::Routing(routings[random.below(routings.len() as u64) as usize].clone()),
            12..15 => Input::Alerting(random.percent(60)),
            15..17 => Input::Forget(subject(random)),
            _ => Input::Batch(batch(random, time, stale_after).into()),
        };
        chapters.push(Chapter { time, wall_offset, deed: Deed::Input(input) });
    }
    let last = |input| Chapter { time, wall_offset, deed: Deed::Input(input) };
    chapters.push(last(Input::Alerting(true)));
    chapters.push(last(Input::Routing(routings[0].clone())));
    chapters
}

/// Writes a story in which people act: silences, acknowledgements, and what they edit.
pub(super) fn write_of_people(random: &mut Random, pool: &Pool, routings: &[Arc<Routing>]) -> Vec<Chapter> {
    let mut time = START;
    let mut silences: Vec<Silence> = Vec::new();
    let any = |random: &mut Random| routings[random.below(routings.len() as u64) as usize].clone();
    let mut chapters =
        vec![Chapter::new(time, Input::Routing(any(random))), Chapter::new(time, Input::Rules(rules(random, pool)))];
    for _ in 0..15 + random.below(25) {
        time = time + gap(random);
        let deed = match random.below(100) {
            0..4 => Deed::Input(Input::Rules(rules(random, pool))),
            4..7 => Deed::Input(Input::Routing(any(random))),
            7..9 => Deed::Input(Input::Alerting(random.percent(70))),
            9..10 => Deed::Input(Input::Forget(subject(random))),
            10..20 => {
                let silence = silence(random, silences.len(), time);
                silences.push(silence.clone());
                Deed::Input(Input::Silence(silence))
            }
            20..23 if !silences.is_empty() => {
                let index = random.below(silences.len() as u64) as usize;
                let expired = Some(Expired { at: time, by: "ben".into() });
                let silence = Silence { expired, ..silences[index].clone() };
                if silences[index].expired.is_none() {
                    silences[index] = silence.clone();
                }
                Deed::Input(Input::Silence(silences[index].clone()))
            }
            23..31 => {
                let rule = random.percent(60).then(|| random.pick(&NAMES));
                let name = if rule.is_none() { Some(random.pick(&["p", "q", "r", "s"])) } else { None };
                Deed::Acknowledge { rule, name, withdraw: random.percent(20) }
            }
            _ => Deed::Input(Input::Batch(batch(random, time, super::STALE_AFTER).into())),
        };
        chapters.push(Chapter { time, wall_offset: 0, deed });
        if random.percent(3) {
            chapters.push(Chapter { time, wall_offset: 0, deed: Deed::Restart });
        }
    }
    chapters
}

/// A silence: planned or from now on, short or long, sometimes in windows. Its comment says in plain words what it covers.
fn silence(random: &mut Random, number: usize, now: Time) -> Silence {
    let (words, matches) = random.pick(&[
        ("rule one", "{ rule: one }"),
        ("rule two", "{ rule: two }"),
        ("name p", "{ name: p }"),
        ("zone e", "{ zone: e }"),
        ("level error", "{ level: '>=error' }"),
        ("all", "{ rule: '*' }"),
    ]);
    let windows = random.percent(25).then(|| random.pick(&["00:05-00:15", "00:10-00:12, 00:20-01:00"]));
    let plan = Plan {
        matches: serde_yaml::from_str(matches).unwrap(),
        from: random.percent(30).then(|| now + secs(random.below(300))),
        length: Some(secs(30 + random.below(900))),
        recurs: windows.map(|windows| Recurrence { windows: windows.parse().unwrap(), zone: jiff::tz::TimeZone::UTC }),
        author: "anna".to_string(),
        comment: words.to_string(),
        ..Plan::default()
    };
    Silence::plan(plan, format!("s{number}").into(), now).unwrap()
}

impl Chapter {
    fn new(time: Time, input: Input) -> Chapter {
        Chapter { time, wall_offset: 0, deed: Deed::Input(input) }
    }
}

/// When the engine is ended and another goes on from what was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restarts {
    Never,
    /// Between two inputs, now and then; nobody misses the time.
    AtOnce,
    /// And some time passes before the next one begins.
    AfterAWhile,
}

/// Tells a story to an engine. Gives all steps, and the engine as it is in the end.
pub(super) fn tell(story: &[Chapter], seed: u64, telling: Telling, restarts: Restarts) -> (Vec<Step>, Engine) {
    let settings = Settings {
        seed,
        forget_after: Duration::from_secs(20 * 60),
        forget_firing_after: Duration::from_secs(3600),
        remembers: true,
        ..Settings::default()
    };
    let mut bench = Bench::new(settings, Now::at(START));
    let (mut receivers, mut ends) = (Random::new(seed ^ 0xde11), Random::new(seed ^ 0x0ff));
    let (sender, arrivals) = std::sync::mpsc::channel();
    bench.deliver_by(Box::new(move |_| {
        let arrival = match (telling, receivers.below(10)) {
            (Telling::Unanswered | Telling::Overslept, _) => Arrival::Never,
            (Telling::Receivers, 0..5) => Arrival::After(Duration::ZERO, Outcome::Delivered),
            (Telling::Receivers, 5..8) => Arrival::After(secs(receivers.below(200)), Outcome::Delivered),
            (Telling::Receivers, _) => Arrival::After(secs(receivers.below(300)), Outcome::dead()),
        };
        sender.send(arrival.clone()).unwrap();
        arrival
    }));
    let mut steps = Vec::new();
    let given: RefCell<(Option<Input>, bool)> = RefCell::default();
    let mut observe = |engine: &Engine, effects: Effects| {
        let end = |_: &Notification| match arrivals.recv().unwrap() {
            Arrival::After(length, outcome) => (effects.now.time + length, outcome == Outcome::Delivered),
            Arrival::Never => (Time::MAX, true),
        };
        let ended = |n: &Notification| {
            let (time, arrives) = end(n);
            (n.clone(), time, arrives)
        };
        let notifications = effects.notifications.iter().map(ended).collect();
        let rules = Arc::new(engine.rules().clone());
        let known = known(engine);
        let (suppressed, books) = (effects.suppressed, engine.books().clone());
        let (time, events) = (effects.now.time, effects.events);
        let (given, restarted) = given.take();
        let zones = zones(engine);
        steps.push(Step { time, rules, known, given, restarted, zones, events, notifications, suppressed, books });
    };
    let no_stop = || Ok::<(), std::convert::Infallible>(());
    for Chapter { time, wall_offset, deed } in story {
        match telling {
            Telling::Overslept => bench.oversleep(*time),
            Telling::Receivers | Telling::Unanswered => bench.approach(*time, &mut observe, no_stop).unwrap(),
        }
        bench.set_wall_offset(*wall_offset);
        let input = match deed {
            Deed::Input(input) => input.clone(),
            Deed::Acknowledge { rule, name, withdraw } => {
                let selector =
                    Selector { rule: rule.map(str::to_string), name: name.map(str::to_string), ..Selector::default() };
                let firings = bench.engine().select(&selector);
                Input::Acknowledge { firings, by: "anna".into(), comment: "".into(), withdraw: *withdraw }
            }
            Deed::Restart => {
                given.replace((None, true));
                assert_eq!(bench.restart(Duration::ZERO, &mut observe), Vec::<String>::new());
                continue;
            }
        };
        given.replace((Some(input.clone()), false));
        bench.feed(input, &mut observe);
        let down = match restarts {
            Restarts::Never => continue,
            Restarts::AtOnce => Duration::ZERO,
            // Whoever sends does not stand still meanwhile, so a short time: the next chapter comes when it comes.
            Restarts::AfterAWhile => secs(ends.below(20)),
        };
        if ends.percent(15) {
            assert_eq!(bench.restart(down, &mut observe), Vec::<String>::new());
        }
    }
    let end = bench.now().time + AFTERMATH;
    match telling {
        Telling::Overslept => {
            bench.oversleep(end);
            bench.feed(Input::Tick, &mut observe);
        }
        Telling::Receivers | Telling::Unanswered => bench.advance(end, &mut observe, no_stop).unwrap(),
    }
    (steps, bench.into_engine())
}

/// The names of alerts that are about something which the engine has not forgotten.
fn known(engine: &Engine) -> BTreeSet<Arc<str>> {
    let world = engine.world();
    let subjects = world.of_kind("k").filter_map(|id| world.subject(id));
    let names = subjects.flat_map(|subject| {
        let zone = subject.labels.get("zone").map(|zone| format!("zone={zone}").into());
        zone.into_iter().chain([subject.key.name.clone()])
    });
    names.chain(["all".into()]).collect()
}

/// The zone of each subject.
fn zones(engine: &Engine) -> BTreeMap<Arc<str>, Arc<str>> {
    let world = engine.world();
    let subjects = world.of_kind("k").filter_map(|id| world.subject(id));
    subjects.filter_map(|subject| Some((subject.key.name.clone(), subject.labels.get("zone")?.clone()))).collect()
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn gap(random: &mut Random) -> Duration {
    match random.below(100) {
        0..10 => Duration::ZERO,
        10..75 => secs(1 + random.below(30)),
        75..99 => secs(30 + random.below(180)),
        _ => secs(600 + random.below(3600)),
    }
}

/// One variant of each rule, or none.
fn rules(random: &mut Random, pool: &Pool) -> Arc<RuleSet> {
    let mut rules = RuleSet { generation: random.next(), ..RuleSet::default() };
    for name in NAMES {
        if random.percent(85) {
            let variant = pool[name][random.below(pool[name].len() as u64) as usize].clone();
            rules.rules.insert(name.into(), variant);
        }
    }
    Arc::new(rules)
}

fn subject(random: &mut Random) -> SubjectKey {
    SubjectKey::new("k", random.pick(&["p", "q", "r", "s"]))
}

fn batch(random: &mut Random, now: Time, stale_after: Duration) -> Batch {
    let snapshots = (0..1 + random.below(3)).map(|_| snapshot(random, now)).collect();
    let complete = if random.percent(3) { vec!["k".into()] } else { Vec::new() };
    Batch { source: Source { name: "simulator".into(), stale_after }, snapshots, complete }
}

fn snapshot(random: &mut Random, now: Time) -> Snapshot {
    let subject = subject(random);
    let zone = if matches!(&*subject.name, "p" | "q") != random.percent(3) { "e" } else { "w" };
    let time = match random.below(100) {
        0..4 => now - secs(random.below(120)),
        4..8 => now + secs(random.below(40)),
        _ => now,
    };
    let mut fields = std::collections::BTreeMap::new();
    let gone = random.percent(4);
    let mut field = |random: &mut Random, percent: u64, name: &str, value: Value| {
        if !gone && random.percent(percent) {
            fields.insert(Arc::from(name), value);
        }
    };
    let (x, y, z) = (random.below(11) as f64, random.percent(70), random.below(3) as f64);
    field(random, 93, "x", Value::Number(x));
    field(random, 80, "y", Value::Bool(y));
    field(random, 80, "z", Value::Number(z));
    let t = if random.percent(85) { Value::Number(x) } else { Value::from("text") };
    field(random, 80, "t", t);
    Snapshot { subject, time, labels: Labels::from([("zone".into(), zone.into())]), fields, gone }
}
