//! One file's text, run once: its rules, or every problem that is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{AST, Engine, EvalAltResult, Module, Scope, Shared};

use crate::diagnostic::Diagnostic;
use crate::rules::analyse::calls::{self, Known};
use crate::rules::analyse::script::Script;
use crate::rules::options::{self, Home, Made};
use crate::rules::register::{self, Run, SharedSession, display};
use crate::rules::resolver::{self, Library, Resolver};
use crate::rules::{budget, diagnose, script};

use super::{LastGood, Origin, Settings};

/// The longest rule file, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// What came of one text.
#[derive(Default)]
pub(crate) struct Attempt {
    /// The text.
    pub(crate) text: Arc<str>,
    /// Its rules; of no use where a diagnostic is an error.
    pub(crate) made: Vec<Made>,
    /// What is wrong.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The params that it asked for.
    pub(crate) params: BTreeSet<Arc<str>>,
    /// The files that it asked to import, whether they could be or not.
    pub(crate) asked: BTreeSet<Arc<str>>,
    /// What it imports, with the texts.
    pub(crate) imported: BTreeMap<Arc<str>, Arc<str>>,
    /// What it printed.
    pub(crate) prints: Vec<String>,
}

/// The engines, and what files share while they load.
pub(crate) struct Workshop {
    folder: Arc<str>,
    session: SharedSession,
    /// Runs files: it knows `rule`, `param` and imports.
    loading: Engine,
    /// Runs closures.
    judging: Arc<Engine>,
    known: Known,
    /// Its texts are longer than they were written.
    is_watching: bool,
}

impl std::fmt::Debug for Workshop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Workshop({})", self.folder)
    }
}

impl Workshop {
    pub(super) fn new(folder: &str) -> Workshop {
        Workshop::with(folder, script::engine(), script::engine(), false)
    }

    /// One for texts whose expressions report their values.
    pub(crate) fn watching(folder: &str) -> Workshop {
        Workshop::with(folder, script::watching_engine(), script::watching_engine(), true)
    }

    fn with(folder: &str, mut loading: Engine, judging: Engine, is_watching: bool) -> Workshop {
        let session = SharedSession::default();
        session.lock().folder = folder.into();
        register::register(&mut loading, &session);
        loading.set_module_resolver(Resolver { session: session.clone() });
        let known = Known::of_engine(&loading);
        Workshop { folder: folder.into(), session, loading, judging: Arc::new(judging), known, is_watching }
    }

    /// The engine that files are compiled by.
    pub(crate) fn engine(&self) -> &Engine {
        &self.loading
    }

    /// Begins an update: what files may ask for from now on.
    pub(crate) fn settle(&self, settings: &Settings, texts: BTreeMap<Arc<str>, Arc<str>>) {
        let mut session = self.session.lock();
        session.params = settings.params.clone();
        session.texts = texts;
        session.libraries.clear();
    }

    /// Lets others import a good text. Says whether that is news.
    pub(super) fn offer(&self, path: &Arc<str>, text: &Arc<str>) -> bool {
        let mut session = self.session.lock();
        let before = session.texts.insert(path.clone(), text.clone());
        if before.as_ref() == Some(text) {
            return false;
        }
        // A library keeps the libraries that it was made with.
        session.libraries.clear();
        true
    }

    /// Runs a stored text with the imports that it had.
    pub(super) fn attempt_stored(&self, path: &Arc<str>, stored: &LastGood, settings: &Settings) -> Attempt {
        let (texts, libraries) = {
            let mut session = self.session.lock();
            (std::mem::replace(&mut session.texts, stored.imports.clone()), std::mem::take(&mut session.libraries))
        };
        let attempt = self.attempt(path, &stored.text, settings);
        let mut session = self.session.lock();
        session.texts = texts;
        session.libraries = libraries;
        attempt
    }

    /// Runs a text.
    pub(crate) fn attempt(&self, path: &Arc<str>, text: &Arc<str>, settings: &Settings) -> Attempt {
        let file = display(&self.folder, path);
        let mut attempt = Attempt { text: text.clone(), ..Attempt::default() };
        if text.len() > MAX_TEXT && !self.is_watching {
            let problem = format!("the file is too long: a rule file can have {MAX_TEXT} bytes at most");
            attempt.diagnostics.push(Diagnostic::of_file(file, problem));
            return attempt;
        }
        self.session.lock().run = Run { running: vec![path.clone()], ..Run::default() };
        let tried = catch_unwind(AssertUnwindSafe(|| self.try_text(path, &file, settings, &mut attempt)));
        if tried.is_err() {
            attempt.made.clear();
            attempt
                .diagnostics
                .push(Diagnostic::of_file(file, "loading the file failed inside Larum: this is a fault of Larum"));
        }
        let run = std::mem::take(&mut self.session.lock().run);
        attempt.params.extend(run.params);
        attempt.asked.extend(run.asked);
        attempt.imported.extend(run.imported);
        attempt.diagnostics.sort_by(|a, b| {
            (&a.file, a.line, a.column, a.severity, &a.message)
                .cmp(&(&b.file, b.line, b.column, b.severity, &b.message))
        });
        attempt.diagnostics.dedup();
        attempt
    }

    fn try_text(&self, path: &Arc<str>, file: &Arc<str>, settings: &Settings, attempt: &mut Attempt) {
        let text = attempt.text.clone();
        let mut ast = match self.loading.compile(&*text) {
            Ok(ast) => ast,
            Err(error) => return attempt.diagnostics.push(diagnose::of_parse_error(file, &text, &error)),
        };
        ast.set_source(&**path);
        let script = Arc::new(Script::new(file.clone(), text.clone(), ast));
        let (result, usage) = budget::run(budget::PER_LOAD, budget::LOAD_TIME, || self.run(&script.ast));
        attempt.prints = usage.prints;
        // What the run leaves is taken now; params and imports are read at the end.
        let (registrations, problems, imported) = {
            let run = &mut self.session.lock().run;
            (std::mem::take(&mut run.registrations), std::mem::take(&mut run.problems), run.imported.clone())
        };
        for problem in problems {
            // A problem in an imported file is shown at that file, when it is loaded itself.
            if problem.file.as_deref().is_none_or(|source| source == &**path) {
                attempt.diagnostics.push(problem.at(file, &text));
            }
        }
        let libraries: BTreeMap<Arc<str>, Arc<Library>> = {
            let session = self.session.lock();
            imported.keys().filter_map(|path| Some((path.clone(), session.libraries.get(path)?.clone()))).collect()
        };
        let found = calls::check(
            &script,
            &calls::Surroundings { engine: &self.known, imports: &known_imports(&script, &libraries) },
        );
        let module = match result {
            Ok(module) => Some(module),
            Err(error) => {
                let is_unknown_function = matches!(error.unwrap_inner(), EvalAltResult::ErrorFunctionNotFound(..));
                // The walk over the text found the same, and says it better.
                if !is_unknown_function || found.is_empty() {
                    attempt.diagnostics.push(diagnose::of_run_error(file, path, &text, *error));
                }
                None
            }
        };
        attempt.diagnostics.extend(found);
        // Rules that were registered before an error are looked at too: all problems at once.
        let origin = Arc::new(Origin {
            folder: self.folder.clone(),
            path: path.clone(),
            text: text.clone(),
            imports: imported,
            settings: settings.clone(),
        });
        self.make_rules(&script, module, &libraries, registrations, &origin, attempt);
    }

    fn run(&self, ast: &AST) -> Result<Shared<Module>, Box<EvalAltResult>> {
        Module::eval_ast_as_new(Scope::new(), ast, &self.loading).map(Into::into)
    }

    fn make_rules(
        &self,
        script: &Arc<Script>,
        module: Option<Shared<Module>>,
        libraries: &BTreeMap<Arc<str>, Arc<Library>>,
        registrations: Vec<register::Registration>,
        origin: &Arc<Origin>,
        attempt: &mut Attempt,
    ) {
        let ast = match module {
            // The functions of a module carry their surroundings with them, at some cost for each call.
            Some(module) if script.needs_environment => AST::new_from_module(module),
            _ => script.ast.clone_functions_only(),
        };
        let own = Home { script: script.clone(), ast: Arc::new(ast), imports: scripts(script, libraries) };
        let others = libraries.values().map(|library| Home {
            script: library.script.clone(),
            ast: library.ast.clone(),
            imports: scripts(&library.script, libraries),
        });
        let homes: Vec<Home> = std::iter::once(own).chain(others).collect();
        let surroundings = options::Surroundings {
            homes: &homes,
            engine: &self.judging,
            defaults: &origin.settings.defaults,
            kept: origin.settings.kept,
            channels: origin.settings.channels.as_ref(),
            origin,
        };
        for registration in &registrations {
            let Some(made) = options::make(registration, &surroundings, &mut attempt.diagnostics) else { continue };
            match attempt.made.iter().find(|other| other.rule.name == made.rule.name) {
                Some(first) => {
                    let place = made.name_place;
                    let message = format!(
                        "the rule `{}` is defined twice in this file: first at line {}",
                        made.rule.name, first.rule.line
                    );
                    let diagnostic =
                        Diagnostic::error(script.file.clone(), &script.text, place.line, place.column, message);
                    attempt.diagnostics.push(diagnostic.with_hint("give one of them another name"));
                }
                None => attempt.made.push(made),
            }
        }
    }
}

/// What a file's imports offer, by what it calls them.
fn known_imports(script: &Script, libraries: &BTreeMap<Arc<str>, Arc<Library>>) -> BTreeMap<String, Option<Known>> {
    let import = |import: &crate::rules::analyse::script::Import| {
        let path = import.path.as_deref().and_then(|path| resolver::file_of(path).ok());
        let library = path.and_then(|path| libraries.get(path.as_str()));
        (import.alias.clone(), library.map(|library| Known::of_script(&library.script)))
    };
    script.imports.iter().map(import).collect()
}

fn scripts(script: &Script, libraries: &BTreeMap<Arc<str>, Arc<Library>>) -> BTreeMap<String, Arc<Script>> {
    let import = |import: &crate::rules::analyse::script::Import| {
        let path = resolver::file_of(import.path.as_deref()?).ok()?;
        Some((import.alias.clone(), libraries.get(path.as_str())?.script.clone()))
    };
    script.imports.iter().filter_map(import).collect()
}
