//! One rule as the engine sees it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::history::{Reach, SubjectId, World};
use crate::model::{ChannelName, Labels, Level, Now, RuleName};

use super::analyse::Place;
use super::analyse::tokens::Tokens;

/// What a rule judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One alert per subject of the kind.
    On {
        /// The kind of the subjects.
        kind: Arc<str>,
    },
    /// One alert for the set of the kind's subjects, or one per distinct value of the labels `by`.
    Over {
        /// The kind of the members.
        kind: Arc<str>,
        /// The labels to group by; `name` and `kind` count as labels.
        by: Vec<Arc<str>>,
    },
}

/// Lines that one rule may print in one step.
const MAX_PRINTS: usize = 1000;

/// A duration for all levels, or one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerLevel {
    /// For levels that are not named.
    pub default: Duration,
    /// By level.
    pub by_level: BTreeMap<Level, Duration>,
}

impl PerLevel {
    /// The duration for a level.
    pub fn of(&self, level: Level) -> Duration {
        self.by_level.get(&level).copied().unwrap_or(self.default)
    }
}

/// What a no-data verdict does to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDataPolicy {
    /// It stays as it is.
    Keep,
    /// It fires.
    Fire,
    /// It is closed.
    Close,
}

/// When to remind of an alert that still fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// This long after the channel was last told; never under the cooldown.
    Every(Duration),
    /// Never.
    Never,
}

/// When an alert that goes up and down is reported as flapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flap {
    /// More raises and recoveries than this; at least 1.
    pub changes: u32,
    /// In this time; never zero.
    pub within: Duration,
}

/// A field that a rule reads, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldUse {
    /// The file, relative to the project folder: the rule's own, or one that it imports.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The field.
    pub field: Arc<str>,
    /// The kind of the subjects that are asked; `None` where the text does not say.
    pub kind: Option<Arc<str>>,
    /// It is asked for with `has`, `get` or `missing`: that no subject has it may be meant.
    pub asks_first: bool,
}

/// What an evaluation is about.
#[derive(Clone, Debug)]
pub enum Target {
    /// One subject.
    Subject(SubjectId),
    /// A set: its fresh members in the order of their names, and the labels of the group.
    Set {
        /// The kind of the members.
        kind: Arc<str>,
        /// The fresh members that `where` takes.
        members: Arc<[SubjectId]>,
        /// The labels of `by` with their values in this group.
        labels: Labels,
    },
}

/// The surroundings of one evaluation.
#[derive(Clone, Debug)]
pub struct Context {
    /// What is known.
    pub world: Arc<World>,
    /// The time of the step.
    pub now: Now,
    /// What is judged.
    pub target: Target,
    /// The zone of the calendar functions.
    pub zone: jiff::tz::TimeZone,
    /// What is left to the rule in this step.
    pub budget: Arc<StepBudget>,
}

/// The operations that one rule may use in one step, over all subjects, and what its closures print in it. Make one for
/// each rule and step, and share it between the evaluations.
#[derive(Debug)]
pub struct StepBudget {
    left: AtomicU64,
    prints: Mutex<Vec<String>>,
}

impl Default for StepBudget {
    fn default() -> StepBudget {
        StepBudget { left: AtomicU64::new(super::budget::PER_STEP), prints: Mutex::default() }
    }
}

impl StepBudget {
    /// The operations that are left; none once an evaluation was refused.
    pub(crate) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// The operations that were used.
    pub(crate) fn spent(&self) -> u64 {
        super::budget::PER_STEP.saturating_sub(self.left())
    }

    /// Keeps lines that an evaluation printed; those past the first [`MAX_PRINTS`] of a step are dropped.
    pub(crate) fn print(&self, lines: Vec<String>) {
        if !lines.is_empty() {
            let mut prints = self.prints.lock().unwrap_or_else(PoisonError::into_inner);
            let room = MAX_PRINTS.saturating_sub(prints.len());
            prints.extend(lines.into_iter().take(room));
        }
    }

    /// The lines that were printed since this was last asked.
    pub(crate) fn take_prints(&self) -> Vec<String> {
        std::mem::take(&mut *self.prints.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts what an evaluation used.
    pub(crate) fn spend(&self, operations: u64) {
        self.left.store(self.left().saturating_sub(operations), Ordering::Relaxed);
    }
}

/// A rule that can be judged.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique over all files.
    pub name: RuleName,
    /// The file that registered it, relative to the project folder.
    pub file: Arc<str>,
    /// The line of its `rule(...)` call.
    pub line: usize,
    /// What it judges.
    pub scope: Scope,
    /// The levels of a condition by level, from the highest to the lowest; empty for a condition without levels.
    pub levels: Vec<Level>,
    /// How long a condition must be true first.
    pub hold: PerLevel,
    /// How long it must be clear before it recovers.
    pub keep: PerLevel,
    /// The least time between two firing notifications of one alert to one channel.
    pub cooldown: Duration,
    /// When to remind.
    pub repeat: Repeat,
    /// What no data does.
    pub no_data: NoDataPolicy,
    /// How often time itself is judged.
    pub every: Duration,
    /// The rule asks about time itself, or about subjects other than its own: it is also judged every `every`.
    pub judges_time: bool,
    /// Labels that it adds to its alerts.
    pub labels: Labels,
    /// A link for people.
    pub runbook: Option<Arc<str>>,
    /// Tell these channels, past the routes.
    pub notify: Option<Vec<ChannelName>>,
    /// When it is flapping; `None` where that is never said.
    pub flap: Option<Flap>,
    /// The fields that `where`, `when`, `clear` and `level` read, in the order of their places.
    pub reads_fields: Vec<FieldUse>,
    /// How far back `where`, `when`, `clear`, `level` and `message` look at fields, where the text says so.
    pub reach: Reach,
    /// Changes whenever anything that can change a verdict does (where, when, clear, level, hold, keep, no_data, captures): then it is judged after a reload.
    pub fingerprint: u64,
    /// What it runs.
    pub(crate) program: super::program::Program,
    /// What it was loaded from.
    pub(crate) origin: Arc<super::loader::Origin>,
}

impl Rule {
    /// The levels that its alerts can have, from the highest: all of them where a closure says it.
    pub fn possible_levels(&self) -> Vec<Level> {
        match (&self.program.level, self.levels.is_empty()) {
            (_, false) => self.levels.clone(),
            (super::program::LevelSource::Fixed(level), true) => vec![*level],
            (super::program::LevelSource::Closure(_), true) => Level::ALL.into_iter().rev().collect(),
        }
    }

    /// Its conditions as they are written, on one line: one for each of `levels`, or the only one. `None` where it is
    /// written in another file, or the rule is only remembered. Reads the text of its file.
    pub fn conditions(&self) -> Vec<Option<String>> {
        let tokens = Tokens::new(&self.origin.text);
        let text = |closure: &super::program::Closure| {
            let place = Place { line: closure.line, column: closure.column };
            let bar = tokens.at(place).filter(|_| closure.file == self.file)?;
            let text = tokens.one_line(tokens.closure(bar));
            // What it is given has a name of its own in each.
            let (_, body) = text.strip_prefix('|')?.split_once('|')?;
            Some(body.trim().to_string())
        };
        self.program.when.iter().map(text).collect()
    }
}

/// All rules that are in force, by name.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// The rules.
    pub rules: BTreeMap<RuleName, Arc<Rule>>,
    /// Counts the reloads that changed something.
    pub generation: u64,
}

impl RuleSet {
    /// How far back its rules look, all together.
    pub fn reach(&self) -> Reach {
        let mut reach = Reach::default();
        self.rules.values().for_each(|rule| reach.extend(&rule.reach));
        reach
    }
}
