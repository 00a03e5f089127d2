//! The stage of one test: a bench, the subjects on it, and what has happened so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rhai::EvalAltResult;

use super::difference::Difference;
use super::report::Verdicts;
use super::timeline::{About, Timeline};
use crate::channels::Verdict;
use crate::engine::{Effects, Engine, Event, Input};
use crate::history::{Batch, Source};
use crate::lab::bench::{Bench, Observer};
use crate::lab::lanes::{Answer, Attempted, Dispatched, Receivers};
use crate::lab::project::Project;
use crate::lab::sampling::Sampled;
use crate::model::{ChannelName, Now, RuleName, Snapshot, Time, Value};
use crate::outbox::Begun;
use crate::rules::{RuleSet, script};

/// When a test begins unless it says otherwise: 2026-01-05T00:00:00Z, a Monday.
const START: Time = Time::from_micros(1_767_571_200_000_000);
/// How often subjects are sampled unless the test says otherwise.
const EVERY: Duration = Duration::from_secs(10);

/// Why a test failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The line of the test file, from 1; 0 where it is unknown.
    pub(crate) line: usize,
    /// The column, from 1.
    pub(crate) column: usize,
    /// What was expected, or what is wrong.
    pub(crate) message: String,
    /// What was found instead.
    pub(crate) got: Option<String>,
    /// Of a notification that is not as expected, the fields that differ.
    pub(crate) differences: Box<[Difference]>,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// Which alert it is about.
    pub(crate) about: Option<Box<About>>,
    /// It had no end: to run it again would tell no more.
    pub(crate) is_cut_off: bool,
}

impl Failure {
    /// A failure whose place is not yet known.
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure {
            line: 0,
            column: 0,
            message: message.into(),
            got: None,
            differences: Box::default(),
            hint: None,
            about: None,
            is_cut_off: false,
        }
    }

    /// The same failure with what was found.
    #[must_use]
    pub(crate) fn got(mut self, got: impl Into<String>) -> Failure {
        self.got = Some(got.into());
        self
    }

    /// The same failure with a hint.
    #[must_use]
    pub(crate) fn hint(mut self, hint: Option<String>) -> Failure {
        self.hint = hint;
        self
    }

    /// The same failure, about an alert.
    #[must_use]
    pub(crate) fn about(mut self, about: &About) -> Failure {
        self.about = Some(Box::new(about.clone()));
        self
    }
}

/// What has happened on a stage.
#[derive(Default)]
pub(crate) struct Story {
    /// Every event, in order.
    pub(crate) events: Vec<Event>,
    /// Every attempt at a channel, in order.
    pub(crate) attempts: Vec<Attempted>,
    /// Lines that rules printed.
    pub(crate) prints: Vec<String>,
    /// Everything, where a time line is wanted.
    pub(crate) timeline: Option<Timeline>,
}

impl Story {
    /// What a channel's receiver got, in order.
    pub(crate) fn sent<'a>(&'a self, channel: &'a ChannelName) -> impl Iterator<Item = &'a Attempted> {
        self.attempts.iter().filter(|attempt| attempt.has_arrived() && attempt.sent.notification.channel == *channel)
    }
}

impl Observer for Story {
    fn step(&mut self, engine: &Engine, effects: Effects) {
        if let Some(timeline) = &mut self.timeline {
            timeline.step(engine, &effects);
        }
        self.prints.extend(effects.prints.into_iter().map(|(rule, line)| format!("{rule}: {line}")));
        self.events.extend(effects.events);
    }

    fn outbox(&mut self, dispatched: Dispatched) {
        if let Some(timeline) = &mut self.timeline {
            timeline.outbox(&dispatched);
        }
        if let Dispatched::Attempted(attempted) = dispatched {
            self.attempts.push(attempted);
        }
    }
}

/// One test that runs.
pub(crate) struct Stage {
    pub(crate) project: Arc<Project>,
    pub(crate) rules: Arc<RuleSet>,
    params: BTreeMap<Arc<str>, Value>,
    pub(crate) bench: Bench,
    /// The bench can be restarted.
    remembers: bool,
    pub(crate) story: Story,
    /// Channels whose receivers fail, and until when.
    broken: Broken,
    pub(crate) start: Time,
    every: Duration,
    next_sample: Time,
    pub(crate) subjects: Vec<Sampled>,
    /// How many expectations were met or not.
    pub(crate) n_expectations: usize,
    /// How many events and attempts there were at the last expectation.
    pub(crate) seen: (usize, usize),
    pub(crate) failure: Option<Failure>,
    /// The verdicts of each rule before the newest restart.
    counted: BTreeMap<RuleName, Verdicts>,
}

impl Stage {
    /// A stage on which nothing has happened. Only one that `remembers` can be restarted; it is slower.
    pub(crate) fn new(project: &Arc<Project>, remembers: bool, with_timeline: bool) -> Stage {
        let timeline = with_timeline.then(Timeline::default);
        let project = project.clone();
        let mut story = Story { timeline, ..Story::default() };
        let broken = Broken::default();
        let mut bench = project.bench(Now::at(START), remembers, &mut story);
        bench.receive_by(receivers(&broken));
        Stage {
            rules: project.rules.clone(),
            project,
            params: BTreeMap::new(),
            bench,
            remembers,
            story,
            broken,
            start: START,
            every: EVERY,
            next_sample: START + EVERY,
            subjects: Vec::new(),
            n_expectations: 0,
            seen: (0, 0),
            failure: None,
            counted: BTreeMap::new(),
        }
    }

    /// Begins at another time; only before anything was observed.
    pub(crate) fn start_at(&mut self, time: Time) -> Result<(), Failure> {
        if self.bench.engine().world().kinds().next().is_some() || self.bench.now().time != self.start {
            return Err(Failure::new("the start can be set only before anything has happened")
                .hint(Some("make `t.start_at(..)` the first line of the test".to_string())));
        }
        let project = self.project.clone();
        self.bench = project.bench(Now::at(time), self.remembers, &mut self.story);
        self.bench.receive_by(receivers(&self.broken));
        if !Arc::ptr_eq(&self.rules, &project.rules) {
            self.bench.feed(Input::Rules(self.rules.clone()), &mut self.story);
        }
        self.start = time;
        self.next_sample = time + self.every;
        Ok(())
    }

    /// Samples so often from now on.
    pub(crate) fn set_every(&mut self, every: Duration) -> Result<(), Failure> {
        if every < Duration::from_millis(1) {
            return Err(Failure::new("subjects cannot be sampled more often than every millisecond"));
        }
        self.every = every;
        self.next_sample = self.bench.now().time + every;
        Ok(())
    }

    /// Loads the rules with another param.
    pub(crate) fn set_param(&mut self, name: Arc<str>, value: Value) -> Result<(), Failure> {
        self.flush();
        self.params.insert(name, value);
        self.rules = self.project.rules_with(&self.params).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::new("with this param the rules cannot be loaded").got(problems.join("\n"))
        })?;
        if let Some(timeline) = &mut self.story.timeline {
            timeline.rules(self.bench.now().time);
        }
        self.bench.feed(Input::Rules(self.rules.clone()), &mut self.story);
        Ok(())
    }

    /// Lets time pass: everything is sampled and judged at its time, up to and including the end.
    pub(crate) fn advance(&mut self, length: Duration) -> Result<(), Box<EvalAltResult>> {
        self.flush();
        let end = self.bench.now().time + length;
        loop {
            let next = self.next_sample;
            if next > end {
                return self.bench.advance(end, &mut self.story, || script::spend(1));
            }
            self.bench.approach(next, &mut self.story, || script::spend(1))?;
            script::spend(1)?;
            self.next_sample = next + self.every;
            let samples = self.subjects.iter_mut().filter_map(|subject| subject.sample(next)).collect();
            self.observe(samples);
        }
    }

    /// The daemon ends, and another goes on from what was stored after `down`. Nobody watches meanwhile.
    pub(crate) fn restart(&mut self, down: Duration) -> Result<(), Failure> {
        self.flush();
        if let Some(timeline) = &mut self.story.timeline {
            timeline.restart(self.bench.now().time);
        }
        self.counted = self.verdicts();
        let problems = self.bench.restart(down, &mut self.story);
        while self.next_sample <= self.bench.now().time {
            self.next_sample = self.next_sample + self.every;
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Failure::new("what was stored cannot be read back").got(problems.join("\n"))),
        }
    }

    /// The receiver of a channel fails each attempt for so long.
    pub(crate) fn break_channel(&mut self, name: &str, length: Duration) -> Result<(), Failure> {
        let channel = self.channel(name)?;
        self.flush();
        let until = self.bench.now().time + length;
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).insert(channel, until);
        Ok(())
    }

    /// Samples at once what was changed since it was last sampled.
    pub(crate) fn flush(&mut self) {
        let now = self.bench.now().time;
        let changed = self.subjects.iter_mut().filter(|subject| subject.is_changed());
        let samples = changed.filter_map(|subject| subject.sample(now)).collect();
        self.observe(samples);
    }

    /// Gives the engine snapshots, as one pass of a collector.
    pub(crate) fn observe(&mut self, mut snapshots: Vec<Snapshot>) {
        if snapshots.is_empty() {
            return;
        }
        snapshots.sort_by(|a, b| a.subject.cmp(&b.subject));
        if let Some(timeline) = &mut self.story.timeline {
            snapshots.iter().for_each(|snapshot| timeline.snapshot(snapshot));
        }
        let source = Source { name: "test".into(), stale_after: self.every * 3 };
        self.bench.feed(Input::Batch(Batch { source, snapshots, complete: Vec::new() }.into()), &mut self.story);
    }

    /// The verdicts of each rule that judged anything.
    pub(crate) fn verdicts(&self) -> BTreeMap<RuleName, Verdicts> {
        let mut verdicts = self.counted.clone();
        for view in self.bench.engine().rule_views() {
            let counted = verdicts.entry(view.rule.name.clone()).or_default();
            *counted = counted.and(view.counts);
        }
        verdicts.retain(|_, counted| *counted != Verdicts::default());
        verdicts
    }

    /// The rules that were asked anything, also where they took nobody, or concerned nobody.
    pub(crate) fn asked(&self) -> BTreeSet<RuleName> {
        let asked = self.bench.engine().alerts().map(|view| view.rule.name.clone());
        asked.chain(self.verdicts().into_keys()).collect()
    }

    /// The end of an expectation: `expect_quiet` looks back to here.
    pub(crate) fn mark(&mut self) {
        self.n_expectations += 1;
        self.seen = (self.story.events.len(), self.story.attempts.len());
    }
}

/// Channels whose receivers fail, and until when.
type Broken = Arc<Mutex<BTreeMap<ChannelName, Time>>>;

/// Receivers that take what they are sent at once, but for those that are broken.
fn receivers(broken: &Broken) -> Receivers {
    let broken = broken.clone();
    Box::new(move |begun: &Begun, now: Now| {
        let broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
        let fails = broken.get(&begun.notification.channel).is_some_and(|until| now.time < *until);
        Answer::at_once(if fails { Verdict::retry("the channel is broken by this test") } else { Verdict::Ok })
    })
}
