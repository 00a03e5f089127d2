//! From the texts of the rules folder to the rules in force. Pure: texts and the time come in, a [`RuleSet`] goes out.
//!
//! A bad file changes nothing of what runs and holds up no other file: its last good text goes on. A rule ends only when
//! its file loads without it, or when the file is gone for [`GONE_AFTER`]. A folder that is missing, unreadable or
//! suddenly empty changes nothing, and is a problem that is shown.

mod attempt;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{ChannelName, RuleName, Time};

use super::options::Defaults;
use super::register::{Params, display, unread};
use super::rule::{Rule, RuleSet};

use attempt::Attempt;
pub(crate) use attempt::Workshop;

/// How long a file must be gone before its rules end: editors and `git checkout` remove a file and write it again.
pub const GONE_AFTER: Duration = Duration::from_secs(10);

/// What the folder holds: by path inside it (`lib/limits.rhai`) the text, or why it could not be read.
///
/// Hidden files and files that are no rules (`*.test.rhai`, other endings) may be among them, and are passed over.
/// `Err` where the folder itself is missing or unreadable: why, in one sentence.
pub type Listing = Result<BTreeMap<Arc<str>, Result<Arc<str>, String>>, String>;

/// What rules are loaded with, beside their texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `params:` of larum.yaml.
    pub params: Params,
    /// `defaults:` of larum.yaml.
    pub defaults: Defaults,
    /// The channels that exist, those whose file is broken too; `None` where that is not known, and `notify` is not checked.
    pub channels: Option<BTreeSet<ChannelName>>,
    /// For how long samples are kept; `None` where that is not known, and how far windows reach is not checked.
    pub kept: Option<Kept>,
}

/// `history:` of larum.yaml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// For how long all samples are in memory.
    pub memory: Duration,
    /// For how long they are stored.
    pub disk: Duration,
}

/// The last good text of a file with what it imported then: enough to run the same rules after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LastGood {
    /// The file's text.
    pub text: Arc<str>,
    /// The texts of the files that it imports, by path inside the folder.
    pub imports: BTreeMap<Arc<str>, Arc<str>>,
}

/// What a file's rules were loaded from: enough to load them again as they are.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// The folder as people name it.
    pub(crate) folder: Arc<str>,
    /// The file's path inside the folder.
    pub(crate) path: Arc<str>,
    /// Its text.
    pub(crate) text: Arc<str>,
    /// The texts of the files that it imports, by path inside the folder.
    pub(crate) imports: BTreeMap<Arc<str>, Arc<str>>,
    /// The params and defaults.
    pub(crate) settings: Settings,
}

/// What an update did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The rules in force: the same `Arc` as before where nothing changed.
    pub rules: Arc<RuleSet>,
    /// Every problem of every file, in the order of files and places.
    pub diagnostics: Vec<Diagnostic>,
    /// Rules that are new.
    pub added: Vec<RuleName>,
    /// Rules that now say something else; a rule that only moved in its file is not one.
    pub changed: Vec<RuleName>,
    /// Rules that ended.
    pub removed: Vec<RuleName>,
    /// The files that were compiled, as paths inside the folder.
    pub compiled: Vec<Arc<str>>,
    /// What files printed while they ran: the file as people name it, and the line.
    pub prints: Vec<(Arc<str>, String)>,
    /// [`Loader::last_good`] is not what it was: it should be stored.
    pub last_good_changed: bool,
}

impl Report {
    /// Whether any problem is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// How one file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// The file as people name it: `rules/service.rhai`.
    pub file: Arc<str>,
    /// How many rules it has in force.
    pub rules: usize,
    /// How many errors its newest text has.
    pub errors: usize,
    /// Its newest text is not the one in force.
    pub on_last_good: bool,
    /// Since when it is gone from the folder.
    pub gone_since: Option<Time>,
}

/// A rule in force.
#[derive(Debug)]
struct Entry {
    rule: Arc<Rule>,
    identity: u64,
}

/// What of a file is in force.
#[derive(Debug, Default)]
struct Good {
    source: LastGood,
    rules: Vec<Entry>,
}

/// A file of the folder.
#[derive(Debug, Default)]
struct File {
    /// Its newest text, or why it could not be read; `None` for a file that only the store knows.
    seen: Option<Result<Arc<str>, String>>,
    good: Option<Good>,
    /// What the newest attempt found.
    diagnostics: Vec<Diagnostic>,
    /// The params that the newest attempt asked for: it is tried again when one of them changes.
    params: BTreeSet<Arc<str>>,
    /// The files that the newest attempt asked to import, likewise.
    imports: BTreeSet<Arc<str>>,
    gone_since: Option<Time>,
}

impl File {
    fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// The rules folder over time.
#[derive(Debug)]
pub struct Loader {
    /// The folder as people name it, before the paths inside it.
    folder: Arc<str>,
    settings: Settings,
    /// What the rules in force were loaded with.
    loaded_with: Option<Settings>,
    workshop: Workshop,
    files: BTreeMap<Arc<str>, File>,
    /// Last good texts of before the start that were not needed yet.
    stored: BTreeMap<Arc<str>, LastGood>,
    folder_problem: Option<String>,
    rules: Arc<RuleSet>,
    /// What each rule in force says, places aside.
    identities: BTreeMap<RuleName, u64>,
}

impl Loader {
    /// A loader for the folder that people call `folder` (`rules`), with the last good texts of before the start.
    pub fn new(folder: &str, settings: Settings, last_good: BTreeMap<Arc<str>, LastGood>) -> Loader {
        Loader {
            folder: folder.into(),
            settings,
            loaded_with: None,
            workshop: Workshop::new(folder),
            files: BTreeMap::new(),
            stored: last_good,
            folder_problem: None,
            rules: Arc::new(RuleSet::default()),
            identities: BTreeMap::new(),
        }
    }

    /// Replaces the settings; they take effect with the next [`Loader::update`].
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The text of each file whose rules are in force, to be stored.
    pub fn last_good(&self) -> BTreeMap<Arc<str>, LastGood> {
        let good = |(path, file): (&Arc<str>, &File)| Some((path.clone(), file.good.as_ref()?.source.clone()));
        self.stored.clone().into_iter().chain(self.files.iter().filter_map(good)).collect()
    }

    /// How every file stands, in the order of their paths.
    pub fn files(&self) -> Vec<FileStatus> {
        let status = |(path, file): (&Arc<str>, &File)| FileStatus {
            file: display(&self.folder, path),
            rules: file.good.as_ref().map_or(0, |good| good.rules.len()),
            errors: file.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count(),
            on_last_good: file.has_errors() && file.good.is_some(),
            gone_since: file.gone_since,
        };
        self.files.iter().map(status).collect()
    }

    /// The params that no file reads, each with a "did you mean".
    pub fn unread_params(&self) -> Vec<(Arc<str>, Option<String>)> {
        let read = self.files.values().flat_map(|file| file.params.iter().cloned()).collect();
        unread(&self.settings.params, &read)
    }

    /// When the loader wants to be called although nothing was saved: the time at which the rules of a gone file end.
    pub fn next_deadline(&self) -> Option<Time> {
        self.files.values().filter_map(|file| file.gone_since).min().map(|since| since + GONE_AFTER)
    }

    /// Takes what the folder holds now.
    pub fn update(&mut self, now: Time, listing: Listing) -> Report {
        let stored_before = self.last_good();
        let mut queue = self.look(now, listing);
        self.add_affected_by_settings(&mut queue);
        self.loaded_with = Some(self.settings.clone());
        self.workshop.settle(&self.settings, self.library_texts());

        let mut compiled = Vec::new();
        let mut prints = Vec::new();
        let mut candidates: BTreeMap<Arc<str>, Attempt> = BTreeMap::new();
        while let Some(path) = queue.pop_first() {
            let Some(Ok(text)) = self.files.get(&path).and_then(|file| file.seen.clone()) else { continue };
            let mut attempt = self.workshop.attempt(&path, &text, &self.settings);
            compiled.push(path.clone());
            prints.extend(attempt.prints.drain(..).map(|line| (display(&self.folder, &path), line)));
            let file = self.files.entry(path.clone()).or_default();
            file.params = std::mem::take(&mut attempt.params);
            file.imports = std::mem::take(&mut attempt.asked);
            file.diagnostics = std::mem::take(&mut attempt.diagnostics);
            if file.has_errors() {
                candidates.remove(&path);
                continue;
            }
            if self.workshop.offer(&path, &text) {
                // Who imports it must be loaded with what it says now, also who was just tried.
                let importers = self.files.iter().filter(|(_, file)| file.imports.contains(&path));
                queue.extend(importers.map(|(path, _)| path.clone()));
            }
            candidates.insert(path, attempt);
        }
        self.fall_back(&candidates);
        self.settle_names(&mut candidates);
        for (path, attempt) in candidates {
            self.accept(&path, attempt);
        }
        compiled.sort();
        compiled.dedup();
        self.report(compiled, prints, stored_before)
    }

    /// Notes what the folder holds. Returns the files to compile.
    fn look(&mut self, now: Time, listing: Listing) -> BTreeSet<Arc<str>> {
        let is_first = self.loaded_with.is_none();
        if is_first {
            // Files of before the start: they are in force unless the folder says otherwise.
            for path in self.stored.keys() {
                self.files.entry(path.clone()).or_default();
            }
        }
        let listing = match listing {
            Ok(mut listing) => {
                listing.retain(|path, _| is_rule_file(path));
                if listing.is_empty() && !self.files.is_empty() {
                    Err("it holds no rule files any more".to_string())
                } else {
                    Ok(listing)
                }
            }
            Err(problem) => Err(problem),
        };
        let mut queue: BTreeSet<Arc<str>> =
            self.files.iter().filter(|(_, file)| file.has_errors()).map(|(path, _)| path.clone()).collect();
        let listing = match listing {
            Ok(listing) => listing,
            Err(problem) => {
                self.folder_problem = Some(problem);
                // Nothing is known of any file, so none is known to be gone.
                self.files.values_mut().for_each(|file| file.gone_since = None);
                return queue;
            }
        };
        self.folder_problem = None;
        let mut ended = Vec::new();
        for (path, file) in &mut self.files {
            if listing.contains_key(path) {
                file.gone_since = None;
                continue;
            }
            let since = *file.gone_since.get_or_insert(now);
            let is_stored = is_first && self.stored.contains_key(path);
            if now.since(since) >= GONE_AFTER || file.good.is_none() && !is_stored {
                ended.push(path.clone());
            }
        }
        for path in ended {
            self.files.remove(&path);
            self.stored.remove(&path);
            queue.remove(&path);
            // Who imports it is told.
            let importers = self.files.iter().filter(|(_, file)| file.imports.contains(&path));
            queue.extend(importers.map(|(path, _)| path.clone()));
        }
        for (path, text) in listing {
            let file = self.files.entry(path.clone()).or_default();
            let text = Some(text);
            if file.seen == text {
                continue;
            }
            match &text {
                Some(Err(error)) => {
                    let name = display(&self.folder, &path);
                    let problem = format!("the file cannot be read: {error}");
                    file.diagnostics = vec![Diagnostic::of_file(name, problem)];
                    queue.remove(&path);
                }
                _ => drop(queue.insert(path)),
            }
            file.seen = text;
        }
        queue
    }

    /// Adds the files that the new settings concern.
    fn add_affected_by_settings(&self, queue: &mut BTreeSet<Arc<str>>) {
        let Some(before) = &self.loaded_with else { return };
        let names: BTreeSet<&Arc<str>> = before.params.keys().chain(self.settings.params.keys()).collect();
        let changed: Vec<&Arc<str>> =
            names.into_iter().filter(|name| before.params.get(*name) != self.settings.params.get(*name)).collect();
        let concerns_all = before.defaults != self.settings.defaults || before.kept != self.settings.kept;
        for (path, file) in &self.files {
            if concerns_all || changed.iter().any(|name| file.params.contains(*name)) {
                queue.insert(path.clone());
            }
        }
    }

    /// What imports may see: the text that is in force of each file.
    fn library_texts(&self) -> BTreeMap<Arc<str>, Arc<str>> {
        let text = |(path, file): (&Arc<str>, &File)| Some((path.clone(), file.good.as_ref()?.source.text.clone()));
        let stored = self.stored.iter().map(|(path, good)| (path.clone(), good.text.clone()));
        stored.chain(self.files.iter().filter_map(text)).collect()
    }

    /// Brings the stored texts of before the start into force, where the folder has nothing good.
    fn fall_back(&mut self, candidates: &BTreeMap<Arc<str>, Attempt>) {
        for (path, stored) in std::mem::take(&mut self.stored) {
            let Some(file) = self.files.get_mut(&path) else { continue };
            if candidates.contains_key(&path) || file.good.is_some() {
                continue;
            }
            let attempt = self.workshop.attempt_stored(&path, &stored, &self.settings);
            if attempt.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
                let name = display(&self.folder, &path);
                let problem = "its last good text does not load any more, so none of its rules is in force";
                file.diagnostics.push(Diagnostic::of_file(name, problem));
                continue;
            }
            let rules =
                attempt.made.into_iter().map(|made| Entry { rule: Arc::new(made.rule), identity: made.identity });
            file.good = Some(Good { source: stored, rules: rules.collect() });
        }
    }

    /// Puts a file's new rules into force; those that did not change keep their `Arc`.
    fn accept(&mut self, path: &str, attempt: Attempt) {
        let Some(file) = self.files.get_mut(path) else { return };
        let before = file.good.take().unwrap_or_default();
        let mut before: BTreeMap<RuleName, Entry> =
            before.rules.into_iter().map(|entry| (entry.rule.name.clone(), entry)).collect();
        let rules = attempt.made.into_iter().map(|made| match before.remove(&made.rule.name) {
            Some(entry) if entry.identity == made.identity && names::same_places(&entry.rule, &made.rule) => entry,
            _ => Entry { rule: Arc::new(made.rule), identity: made.identity },
        });
        let rules = rules.collect();
        let source = LastGood { text: attempt.text, imports: attempt.imported };
        file.good = Some(Good { source, rules });
    }

    fn report(
        &mut self,
        compiled: Vec<Arc<str>>,
        prints: Vec<(Arc<str>, String)>,
        stored_before: BTreeMap<Arc<str>, LastGood>,
    ) -> Report {
        let entries = self.files.values().flat_map(|file| file.good.iter().flat_map(|good| &good.rules));
        let rules: BTreeMap<RuleName, Arc<Rule>> =
            entries.map(|entry| (entry.rule.name.clone(), entry.rule.clone())).collect();
        let before = &self.rules.rules;
        let added = rules.keys().filter(|name| !before.contains_key(*name)).cloned().collect();
        let removed = before.keys().filter(|name| !rules.contains_key(*name)).cloned().collect();
        let replaced: Vec<&Arc<Rule>> =
            rules.values().filter(|rule| before.get(&rule.name).is_some_and(|old| !Arc::ptr_eq(old, rule))).collect();
        let identities: BTreeMap<RuleName, u64> = self
            .files
            .values()
            .flat_map(|file| file.good.iter().flat_map(|good| &good.rules))
            .map(|entry| (entry.rule.name.clone(), entry.identity))
            .collect();
        let changed = identities
            .iter()
            .filter(|(name, identity)| self.identities.get(*name).is_some_and(|before| before != *identity));
        let changed = changed.map(|(name, _)| name.clone()).collect();
        let is_same = replaced.is_empty() && rules.len() == before.len() && rules.keys().eq(before.keys());
        if !is_same {
            self.rules = Arc::new(RuleSet { rules, generation: self.rules.generation + 1 });
        }
        self.identities = identities;
        Report {
            rules: self.rules.clone(),
            diagnostics: self.diagnostics(),
            added,
            changed,
            removed,
            compiled,
            prints,
            last_good_changed: self.last_good() != stored_before,
        }
    }

    /// Every problem of every file, in the order of files and places.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        if let Some(problem) = &self.folder_problem {
            let kept = if self.rules.rules.is_empty() { "" } else { "; the rules in force go on" };
            diagnostics
                .push(Diagnostic::of_file(self.folder.clone(), format!("the folder cannot be used: {problem}{kept}")));
        }
        for (path, file) in &self.files {
            diagnostics.extend(file.diagnostics.iter().cloned());
            let n_rules = file.good.as_ref().map_or(0, |good| good.rules.len());
            if file.gone_since.is_some() && n_rules > 0 {
                let seconds = GONE_AFTER.as_secs();
                let problem = format!("the file is gone: its rules end when it stays so for {seconds} s");
                diagnostics.push(Diagnostic::of_file(display(&self.folder, path), problem).into_warning());
            }
        }
        let place = |d: &Diagnostic| (d.file.clone(), d.line, d.column, d.severity, d.message.clone());
        diagnostics.sort_by_key(place);
        diagnostics.dedup();
        diagnostics
    }
}

/// Whether a path inside the folder is a rule file: not a test, not hidden, not an editor's leftover.
pub fn is_rule_file(path: &str) -> bool {
    path.ends_with(".rhai") && !path.ends_with(".test.rhai") && !path.split('/').any(|part| part.starts_with('.'))
}

#[cfg(test)]
mod tests;
