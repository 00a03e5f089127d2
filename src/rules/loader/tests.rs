use std::fmt::Write;

use crate::rules::register::Param;
use crate::rules::rule::{Repeat, Scope};

use super::*;

mod files;
mod keys;
mod mutations;
mod reading;

/// A folder for tests: texts by path, and the time.
pub(super) struct Folder {
    pub(super) loader: Loader,
    pub(super) texts: BTreeMap<Arc<str>, Result<Arc<str>, String>>,
    pub(super) now: Time,
}

impl Folder {
    pub(super) fn new() -> Folder {
        Folder::with(Settings::default(), BTreeMap::new())
    }

    pub(super) fn with(settings: Settings, last_good: BTreeMap<Arc<str>, LastGood>) -> Folder {
        let now = Time::from_micros(1_000_000_000);
        Folder { loader: Loader::new("rules", settings, last_good), texts: BTreeMap::new(), now }
    }

    pub(super) fn write(&mut self, path: &str, text: &str) -> &mut Folder {
        self.texts.insert(path.into(), Ok(text.into()));
        self
    }

    pub(super) fn remove(&mut self, path: &str) -> &mut Folder {
        self.texts.remove(path);
        self
    }

    pub(super) fn update(&mut self) -> Report {
        self.loader.update(self.now, Ok(self.texts.clone()))
    }

    /// Updates, and expects that nothing is wrong.
    #[track_caller]
    pub(super) fn good(&mut self) -> Report {
        let report = self.update();
        assert_eq!(render(&report.diagnostics), "");
        report
    }
}

pub(super) fn render(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    diagnostics.iter().for_each(|diagnostic| writeln!(out, "{diagnostic}").unwrap());
    out
}

/// The problems of one file, each as one line.
pub(super) fn problems(text: &str) -> String {
    render(&Folder::new().write("a.rhai", text).update().diagnostics)
}

/// Checks the problems of one file.
#[track_caller]
pub(super) fn check(text: &str, expected: &[&str]) {
    let found = problems(text);
    let expected: String = expected.iter().map(|line| format!("rules/a.rhai:{line}\n")).collect();
    assert_eq!(found, expected, "\n{text}");
}

/// The only rule of a file that is good.
#[track_caller]
pub(super) fn rule(text: &str) -> Arc<Rule> {
    let report = Folder::new().write("a.rhai", text).good();
    assert_eq!(report.rules.rules.len(), 1);
    report.rules.rules.values().next().unwrap().clone()
}

pub(super) fn names(rules: &[RuleName]) -> Vec<&str> {
    rules.iter().map(RuleName::as_str).collect()
}
