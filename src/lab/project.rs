//! A project folder as the lab runs it: rules, routes and channels, without a clock and without a network.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::bench::{Bench, Observer};
use super::lanes::{Dispatch, Renderer, taking_all};
use crate::channels::message::{Escape, Message, Template};
use crate::channels::{self, Body, Configured, Texts};
use crate::config::{self, Config, Surroundings};
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine::{Input, Settings};
use crate::model::wire::WireLimits;
use crate::model::{ChannelName, Notification, Now, Time, Value};
use crate::outbox::{Policy, Terms};
use crate::routing::Routing;
use crate::rules::trace::{self, Coverage};
use crate::rules::{Loader, Param, RuleSet, Scope, loader};

/// The seed of the lab's ids: they are the same wherever a test or a replay runs.
const SEED: u64 = 0x006c_6172_756d;

/// What stands for secrets that are not at hand, the first with which a channel file is sound: its kind, its limit and its
/// requests, which never show a secret, are then the real ones.
const STAND_INS: [&str; 3] = ["https://larum.invalid/?key=missing", "missing", "missing@larum.invalid"];

/// Surroundings that note whether something was missing, and may have something that stands for it.
struct Asked<'a> {
    surroundings: &'a dyn Surroundings,
    stand_in: Option<&'static str>,
    missed: Cell<bool>,
}

impl Asked<'_> {
    fn stand_in(&self) -> Option<String> {
        self.missed.set(true);
        self.stand_in.map(str::to_string)
    }
}

impl Surroundings for Asked<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.surroundings.env(name).or_else(|| self.stand_in())
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.surroundings.file(path).or_else(|error| self.stand_in().ok_or(error))
    }
}

/// Reads a channel file. Rules can be tried where the secrets of their channels are not at hand: something stands for them,
/// or else the console for the channel.
fn channel(
    name: &ChannelName,
    file: &Arc<str>,
    text: &str,
    surroundings: &dyn Surroundings,
) -> Result<Configured, Problems> {
    let parse = |stand_in| {
        let asked = Asked { surroundings, stand_in, missed: Cell::new(false) };
        (channels::parse(name, file.clone(), text, &asked), asked.missed.get())
    };
    match parse(None) {
        (Err(_), true) => {
            let standing_in = STAND_INS.iter().find_map(|stand_in| parse(Some(*stand_in)).0.ok());
            standing_in.map_or_else(|| channels::parse(name, file.clone(), channels::CONSOLE_FILE, surroundings), Ok)
        }
        (parsed, _) => parsed,
    }
}

/// Why a folder cannot be run.
pub type Problems = Vec<Diagnostic>;

/// Everything that decides what is told to whom.
pub struct Project {
    /// The rules, with the configured params.
    pub rules: Arc<RuleSet>,
    /// Loads the same rules with other params.
    loader: Mutex<Source>,
    /// Counts what conditions come to, where that is wanted.
    coverage: Option<Arc<Coverage>>,
    /// The kinds that the rules are about, and the fields that they read.
    vocabulary: Vocabulary,
    /// The routes.
    pub routing: Arc<Routing>,
    /// The channels by name.
    pub channels: Arc<BTreeMap<ChannelName, Configured>>,
    /// The words of messages.
    pub texts: Texts,
    /// What the engine is made with; the zone is also that of printed times.
    pub settings: Settings,
    /// The bounds of one snapshot of a recording.
    pub limits: WireLimits,
    /// How long and how often a delivery that fails is tried again.
    pub retry: Policy,
}

impl std::fmt::Debug for Project {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Project").field("rules", &self.rules.rules.keys()).finish_non_exhaustive()
    }
}

/// The texts of the rules, and what they are loaded with.
#[derive(Debug)]
struct Source {
    loader: Loader,
    settings: loader::Settings,
    texts: BTreeMap<Arc<str>, Result<Arc<str>, String>>,
}

/// What the rules speak of.
#[derive(Debug, Default)]
struct Vocabulary {
    kinds: BTreeSet<Arc<str>>,
    fields: BTreeSet<Arc<str>>,
    /// All texts of all rule files: where the analysis cannot tell what is looked up, a word that stands there counts.
    texts: Vec<Arc<str>>,
}

/// A notification and what its channel sends for it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The notification; a summary is one.
    pub notification: Arc<Notification>,
    /// Title and text in the channel's words.
    pub message: Message,
    /// The exact request with named holes for secrets, as JSON; or why there is none.
    pub request: Result<serde_json::Value, String>,
}

impl Sent {
    /// The notification as one JSON object: a line of the notification log.
    pub fn body(&self) -> impl Serialize + '_ {
        Body::of(&self.notification, &self.message)
    }
}

impl Project {
    /// Loads a project folder that was read.
    ///
    /// # Errors
    /// Every error of its settings, rules and channels; warnings come along.
    pub fn load(files: &config::Project) -> Result<Project, Problems> {
        let mut problems = Problems::new();
        let surroundings = files.surroundings();
        let config = files.parse_config().unwrap_or_else(|errors| {
            problems.extend(errors);
            Config::without_file()
        });
        let mut channels = BTreeMap::new();
        for (name, (file, text)) in &files.channels {
            let parsed = channel(name, file, text, &surroundings);
            match parsed {
                Ok(channel) => drop(channels.insert(name.clone(), channel)),
                Err(errors) => problems.extend(errors),
            }
        }
        let names: BTreeSet<ChannelName> = files.channels.keys().cloned().collect();
        problems.extend(config.check_channels(&names));
        let settings = config.rule_settings(Some(names.clone()));
        let inside = |name: &Arc<str>| Arc::from(name.strip_prefix("rules/").unwrap_or(name));
        let texts = files.rules.iter().map(|(name, text)| (inside(name), Ok(text.clone()))).collect();
        let loader = Loader::new("rules", settings.clone(), BTreeMap::new());
        let mut source = Source { loader, settings, texts };
        let rules = source.load().unwrap_or_else(|errors| {
            problems.extend(errors);
            Arc::default()
        });
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(problems);
        }
        let vocabulary = Vocabulary::of(&rules, files.rules.values().cloned().collect());
        Ok(Project {
            rules,
            loader: Mutex::new(source),
            coverage: None,
            vocabulary,
            routing: Arc::new(config.routing(names)),
            channels: Arc::new(channels),
            texts: Texts::new(config.locale, config.time_zone.clone()),
            settings: Settings {
                seed: SEED,
                forget_after: config.forget_after,
                forget_firing_after: config.forget_firing_after,
                retention: config.alerts.retention.0,
                zone: config.time_zone.clone(),
                limits: config.world_limits(),
                remembers: false,
            },
            limits: config.wire_limits(),
            retry: Policy { base: config.retry.base, cap: config.retry.cap, retry_for: config.retry.give_up_after },
        })
    }

    /// The same project with rules whose conditions are counted: each evaluation takes several times as long. Gives also
    /// why rules of a file cannot be counted, by file.
    #[must_use]
    pub fn counted(mut self, coverage: &Arc<Coverage>) -> (Project, BTreeMap<Arc<str>, String>) {
        let twins = trace::watched(&self.rules, coverage);
        self.rules = Arc::new(twins.rules);
        self.coverage = Some(coverage.clone());
        (self, twins.problems)
    }

    /// The rules with these params in place of the configured ones.
    ///
    /// # Errors
    /// Why they cannot be loaded so.
    pub fn rules_with(&self, params: &BTreeMap<Arc<str>, Value>) -> Result<Arc<RuleSet>, Problems> {
        let mut source = self.loader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut settings = source.settings.clone();
        let given = params.iter().map(|(name, value)| (name.clone(), Param::Value(value.clone())));
        settings.params.extend(given);
        source.loader.set_settings(settings);
        let rules = source.load();
        let unread = source.loader.unread_params().into_iter().filter(|(name, _)| params.contains_key(name));
        let unread: Problems = unread.map(|(name, hint)| unread_param(&name, hint)).collect();
        // Loaded back, so that rules which no param touches are the same ones for everybody.
        let settings = source.settings.clone();
        source.loader.set_settings(settings);
        source.load()?;
        if !unread.is_empty() {
            return Err(unread);
        }
        match &self.coverage {
            Some(coverage) => Ok(Arc::new(trace::watched(&*rules?, coverage).rules)),
            None => rules,
        }
    }

    /// The kinds that rules judge or look up, as far as their texts say it.
    pub(crate) fn kinds(&self) -> &BTreeSet<Arc<str>> {
        &self.vocabulary.kinds
    }

    /// The fields that rules read, as far as their texts say it.
    pub(crate) fn fields(&self) -> &BTreeSet<Arc<str>> {
        &self.vocabulary.fields
    }

    /// Whether a word stands in quotes in any rule file.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        let quoted = format!("\"{word}\"");
        self.vocabulary.texts.iter().any(|text| text.contains(&quoted))
    }

    /// A bench with these rules and routes in force, and an outbox with these channels, whose receivers take everything.
    /// Only one that `remembers` can be restarted; it is slower.
    pub fn bench(&self, now: Now, remembers: bool, observer: &mut dyn Observer) -> Bench {
        let mut bench = self.bench_without_rules(now, remembers, self.renderer(), observer);
        bench.feed(Input::Rules(self.rules.clone()), observer);
        bench
    }

    /// The same bench with another renderer, on which no rule judges until it is given the rules.
    pub(crate) fn bench_without_rules(
        &self,
        now: Now,
        remembers: bool,
        render: Renderer,
        observer: &mut dyn Observer,
    ) -> Bench {
        let mut bench = Bench::new(Settings { remembers, ..self.settings.clone() }, now);
        bench.dispatch_by(self.dispatch(render));
        bench.feed(Input::Routing(self.routing.clone()), observer);
        bench
    }

    fn dispatch(&self, render: Renderer) -> Dispatch {
        let terms = |channel: &Configured| Terms { limit: channel.limit(), concurrency: channel.concurrency() };
        Dispatch {
            seed: self.settings.seed,
            policy: self.retry,
            terms: self.channels.iter().map(|(name, channel)| (name.clone(), terms(channel))).collect(),
            render,
            receivers: taking_all(),
        }
    }

    /// Makes what the channels would send.
    pub(crate) fn renderer(&self) -> Renderer {
        let (channels, texts) = (self.channels.clone(), self.texts.clone());
        Box::new(move |notification| render(&channels, &texts, notification.clone()))
    }

    /// The day of a time, on the clock of the configured zone.
    pub(crate) fn day_of(&self, time: Time) -> jiff::civil::Date {
        time.to_jiff().to_zoned(self.settings.zone.clone()).date()
    }

    /// What a channel would send for a notification.
    pub fn render(&self, notification: impl Into<Arc<Notification>>) -> Sent {
        render(&self.channels, &self.texts, notification.into())
    }
}

fn render(channels: &BTreeMap<ChannelName, Configured>, texts: &Texts, notification: Arc<Notification>) -> Sent {
    let Some(channel) = channels.get(&notification.channel) else {
        let message = texts.message(&notification, &Template::default(), Escape::None);
        let request = Err(format!("there is no channel `{}`", notification.channel));
        return Sent { notification, message, request };
    };
    let message = channel.message(&notification, texts);
    let request = channel.render(&notification, texts).map_err(|error| error.to_string());
    let request = request.and_then(|request| serde_json::to_value(request).map_err(|error| error.to_string()));
    Sent { notification, message, request }
}

/// A param that changes nothing.
fn unread_param(name: &str, hint: Option<String>) -> Diagnostic {
    let problem = Diagnostic::of_file(Arc::from("rules"), format!("no rule reads the param `{name}`"));
    match hint {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}

impl Source {
    fn load(&mut self) -> Result<Arc<RuleSet>, Problems> {
        let report = self.loader.update(Time::EPOCH, Ok(self.texts.clone()));
        if report.has_errors() { Err(report.diagnostics) } else { Ok(report.rules) }
    }
}

impl Vocabulary {
    fn of(rules: &RuleSet, texts: Vec<Arc<str>>) -> Vocabulary {
        let mut vocabulary = Vocabulary { texts, ..Vocabulary::default() };
        for rule in rules.rules.values() {
            let (Scope::On { kind } | Scope::Over { kind, .. }) = &rule.scope;
            vocabulary.kinds.insert(kind.clone());
            for read in &rule.reads_fields {
                vocabulary.kinds.extend(read.kind.clone());
                vocabulary.fields.insert(read.field.clone());
            }
        }
        vocabulary
    }
}
