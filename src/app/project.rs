//! What the files of the project make, over time: the config, the rules and the channels in force.
//!
//! [`Project::look`] reads the files and compiles what changed. It blocks, and so runs off the async threads. Nothing is
//! changed by it but the project itself; what has to change elsewhere is its answer, [`Changes`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::channel_files::ChannelFiles;
use super::folder::{Believed, Layout, Settling};
use super::problems::{Part, Problems};
use crate::channels::{Configured, Texts};
use crate::config::collectors::Collector;
use crate::config::{Config, Process};
use crate::diagnostic::Diagnostic;
use crate::model::{ChannelName, RuleName, Time};
use crate::routing::Routing;
use crate::rules::loader::{LastGood, Report};
use crate::rules::{Loader, RuleSet};
use crate::store::{Record, Text};

/// What must change after a look; what is `None` stays as it is.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The rules.
    pub(super) rules: Option<Arc<RuleSet>>,
    /// The routes.
    pub(super) routing: Option<Arc<Routing>>,
    /// The channels, the names of all that have a file, good or broken, and the words of their messages.
    pub(super) channels: Option<(Vec<Configured>, BTreeSet<ChannelName>, Texts)>,
    /// The collectors.
    pub(super) collectors: Option<Vec<Collector>>,
    /// Whether anybody is told of anything.
    pub(super) alerting: Option<bool>,
    /// The last good texts.
    pub(super) records: Vec<Record>,
    /// When to look again although nothing may happen until then.
    pub(super) again: Option<Instant>,
    /// The problems are not what they were.
    pub(super) problems: bool,
}

/// Why a project cannot be started with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The config has problems.
    #[error("`{}` has {} problem(s)", .0.first().map_or("larum.yaml", |problem| &*problem.file), .0.len())]
    Config(Vec<Diagnostic>),
}

/// The project folder over time.
pub(super) struct Project {
    layout: Arc<Layout>,
    surroundings: Process,
    problems: Arc<Problems>,
    /// What the daemon was started with: some of it stays until a restart.
    started_with: Config,
    config: Config,
    config_text: Option<Arc<str>>,
    config_problems: Vec<Diagnostic>,
    /// Looked at least once.
    looked: bool,
    rules_settling: Settling,
    loader: Loader,
    channels_settling: Settling,
    believed_channels: Believed,
    channel_files: ChannelFiles,
    /// A channel whose file was never good is not among them: nobody can be told there.
    channels_in_force: BTreeSet<ChannelName>,
    stored: BTreeMap<Arc<str>, Text>,
}

/// Reads the config as it is at the start.
///
/// # Errors
/// Every problem of it: at the start there is nothing older to go on with.
pub fn read_config(layout: &Layout) -> Result<Config, Error> {
    let surroundings = Process::new(layout.root());
    match layout.read_config() {
        Ok(None) => Ok(Config::without_file()),
        Ok(Some(text)) => Config::parse(layout.config_name().clone(), &text, &surroundings).map_err(Error::Config),
        Err(error) => Err(Error::Config(vec![cannot_read(layout, &error)])),
    }
}

fn cannot_read(layout: &Layout, error: &str) -> Diagnostic {
    Diagnostic::of_file(layout.config_name().clone(), format!("cannot read the file: {error}"))
}

impl Project {
    /// A project that is started with a config, and with the last good texts of before.
    pub(super) fn new(layout: Arc<Layout>, problems: Arc<Problems>, config: Config, texts: Vec<Text>) -> Project {
        let of_folder = |folder: &str| {
            let inside =
                |text: &Text| Some((Arc::from(text.file.strip_prefix(folder)?.strip_prefix('/')?), text.clone()));
            texts.iter().filter_map(inside).collect::<BTreeMap<Arc<str>, Text>>()
        };
        let rules = of_folder("rules").into_iter();
        let rules = rules.map(|(file, Text { text, imports, .. })| (file, LastGood { text, imports })).collect();
        let channels: BTreeMap<_, _> =
            of_folder("channels").into_iter().map(|(file, text)| (file, text.text)).collect();
        Project {
            surroundings: Process::new(layout.root()),
            layout,
            problems,
            started_with: config.clone(),
            loader: Loader::new("rules", config.rule_settings(None), rules),
            config,
            config_text: None,
            config_problems: Vec::new(),
            looked: false,
            rules_settling: Settling::default(),
            channels_settling: Settling::default(),
            believed_channels: Believed::new("channels", true, channels.clone()),
            channel_files: ChannelFiles::new(channels),
            channels_in_force: BTreeSet::new(),
            stored: texts.into_iter().map(|text| (text.file.clone(), text)).collect(),
        }
    }

    /// The settings in force.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Reads all files and compiles what changed. `again` also takes up what surrounds the files: secrets in the
    /// environment and in other files.
    pub(super) fn look(&mut self, now: Time, instant: Instant, again: bool) -> Changes {
        let mut changes = Changes::default();
        let first = !std::mem::replace(&mut self.looked, true);
        let before = self.config.clone();
        self.look_at_config(again);
        let mut config_problems = self.config_problems.clone();

        let (reading, channels_again) = self.channels_settling.take(self.layout.read_channels(), instant);
        let finding = self.believed_channels.take(reading, instant);
        let new_words = first || before.locale != self.config.locale;
        let made = self.channel_files.take(self.believed_channels.files(), &self.surroundings, again || new_words);
        let channels_changed = made.is_some();
        if let Some(made) = made {
            self.channels_in_force = made.iter().map(|channel| channel.name().clone()).collect();
            changes.routing = Some(Arc::new(self.config.routing(self.channels_in_force.clone())));
            changes.channels = Some((made, self.channel_files.names(), texts(&self.config, &self.started_with)));
        } else if before.routes != self.config.routes
            || before.fallback != self.config.fallback
            || before.on_call != self.config.on_call
            || before.inhibit != self.config.inhibit
        {
            changes.routing = Some(Arc::new(self.config.routing(self.channels_in_force.clone())));
        }
        let mut channel_problems = finding.problems;
        channel_problems.extend(self.channel_files.problems().iter().cloned());
        config_problems.extend(self.config.check_channels(&self.channel_files.names()));

        if first
            || channels_changed
            || before.params != self.config.params
            || before.defaults != self.config.defaults
            || before.on_call != self.config.on_call
        {
            self.loader.set_settings(self.config.rule_settings(Some(self.channel_files.names())));
        }
        let (reading, rules_again) = self.rules_settling.take(self.layout.read_rules(), instant);
        let rules_before = self.loader.rules().clone();
        let report = self.loader.update(now, reading);
        log_report(&report);
        if first || !Arc::ptr_eq(&rules_before, &report.rules) {
            changes.rules = Some(report.rules.clone());
        }

        let wanted = |config: &Config| config.alerts.enabled;
        changes.alerting = (first || wanted(&before) != wanted(&self.config)).then(|| wanted(&self.config));
        if first || before.collectors != self.config.collectors {
            changes.collectors = Some(self.config.collectors.clone());
        }
        changes.problems |= self.problems.replace(Part::Config, config_problems);
        changes.problems |= self.problems.replace(Part::Channels, channel_problems);
        changes.problems |= self.problems.replace(Part::Rules, report.diagnostics);
        changes.problems |= self.problems.replace(Part::Restart, self.restart_problems());
        changes.records = self.new_records();
        let gone = self.loader.next_deadline().map(|at| instant + at.since(now));
        changes.again = [channels_again, finding.again, rules_again, gone].into_iter().flatten().min();
        changes
    }

    /// Takes the config up where it is good; else the old one stays.
    fn look_at_config(&mut self, again: bool) {
        let text = match self.layout.read_config() {
            Ok(text) => text.unwrap_or_default(),
            Err(error) => {
                self.config_problems = vec![cannot_read(&self.layout, &error)];
                self.config_text = None;
                return;
            }
        };
        if self.config_text.as_ref() == Some(&text) && !again {
            return;
        }
        match Config::parse(self.layout.config_name().clone(), &text, &self.surroundings) {
            Ok(config) => {
                self.config_problems.clear();
                self.config = config;
            }
            Err(problems) => self.config_problems = problems,
        }
        self.config_text = Some(text);
    }

    /// What was changed in the config and stays as it was.
    fn restart_problems(&self) -> Vec<Diagnostic> {
        let keys = self.config.needs_restart(&self.started_with);
        let problem = |key: &&str| {
            Diagnostic::of_file(self.layout.config_name().clone(), format!("a changed `{key}` needs a restart"))
                .with_hint("until then the old value is in force")
                .into_warning()
        };
        keys.iter().map(problem).collect()
    }

    /// The last good texts that are not stored as they are now.
    fn new_records(&mut self) -> Vec<Record> {
        let text = |folder: &str, file: &str, text: Arc<str>, imports| Text {
            file: format!("{folder}/{file}").into(),
            text,
            imports,
        };
        let rules = self.loader.last_good().into_iter();
        let rules = rules.map(|(file, good)| text("rules", &file, good.text, good.imports));
        let channels = self.channel_files.good().iter();
        // The channel of a project without channel files is nobody's text.
        let channels = channels.filter(|(file, _)| self.believed_channels.files().contains_key(*file));
        let channels = channels.map(|(file, good)| text("channels", file, good.clone(), BTreeMap::new()));
        let good: BTreeMap<Arc<str>, Text> = rules.chain(channels).map(|text| (text.file.clone(), text)).collect();
        let changed = good.values().filter(|text| self.stored.get(&text.file) != Some(*text));
        let mut records: Vec<Record> = changed.cloned().map(Record::Text).collect();
        let gone = self.stored.keys().filter(|file| !good.contains_key(*file));
        records.extend(gone.map(|file| Record::TextGone { file: file.clone() }));
        self.stored = good;
        records
    }
}

fn texts(config: &Config, started_with: &Config) -> Texts {
    // The zone stays until a restart, so that messages and rules speak of the same hours.
    Texts::new(config.locale, started_with.time_zone.clone())
}

fn log_report(report: &Report) {
    for (file, line) in &report.prints {
        tracing::info!(%file, "print: {line}");
    }
    let names = |names: &[RuleName]| names.iter().map(RuleName::as_str).collect::<Vec<_>>().join(", ");
    let (added, changed, removed) = (&report.added, &report.changed, &report.removed);
    if added.is_empty() && changed.is_empty() && removed.is_empty() {
        return;
    }
    tracing::info!(
        rules = report.rules.rules.len(),
        generation = report.rules.generation,
        added = names(added),
        changed = names(changed),
        removed = names(removed),
        "rules are in force"
    );
}
