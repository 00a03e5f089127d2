//! Which conditions were ever true, ever false, ever without data.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::Part;
use super::assemble::{Ending, PartSteps, body_of, listed, visits};
use super::instrument::Watched;
use crate::model::RuleName;
use crate::rules::Rule;
use crate::rules::analyse::points::Kind;

/// Counts what watched rules report, over many evaluations and threads.
#[derive(Debug, Default)]
pub struct Coverage(Mutex<BTreeMap<RuleName, OfRule>>);

#[derive(Debug)]
struct OfRule {
    rule: Arc<Rule>,
    watched: Arc<Watched>,
    counts: BTreeMap<(Part, usize), Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    n_true: u64,
    n_false: u64,
    n_no_data: u64,
    n_other: u64,
}

/// One condition, and what it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConditionCoverage {
    /// The closure in which it stands, or from which it is called.
    pub part: Part,
    /// The line in the file, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
    /// Its length in characters on its first line.
    pub length: usize,
    /// As it is written, on one line.
    pub text: String,
    /// How often it was true.
    pub n_true: u64,
    /// How often it was false.
    pub n_false: u64,
    /// How often there was no answer.
    pub n_no_data: u64,
}

impl ConditionCoverage {
    /// How many of its two answers it gave.
    pub fn n_answers(&self) -> usize {
        usize::from(self.n_true > 0) + usize::from(self.n_false > 0)
    }
}

/// The conditions of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCoverage {
    /// The rule.
    pub rule: RuleName,
    /// Its file.
    pub file: Arc<str>,
    /// The line of its `rule(...)` call.
    pub line: usize,
    /// Its conditions in the order of the text.
    pub conditions: Vec<ConditionCoverage>,
}

impl RuleCoverage {
    /// How many answers its conditions gave, and how many they can give: true and false each.
    pub fn answers(&self) -> (usize, usize) {
        (self.conditions.iter().map(ConditionCoverage::n_answers).sum(), self.conditions.len() * 2)
    }
}

impl Coverage {
    fn rules(&self) -> MutexGuard<'_, BTreeMap<RuleName, OfRule>> {
        // A panic between two counts loses nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts for a watched rule from now on.
    pub(super) fn add(&self, rule: &Rule, watched: &Arc<Watched>) {
        let mut rule = rule.clone();
        // It would own itself.
        rule.program.coverage = None;
        let (name, watched) = (rule.name.clone(), watched.clone());
        self.rules().entry(name).or_insert_with(|| OfRule { rule: Arc::new(rule), watched, counts: BTreeMap::new() });
    }

    /// Counts what one evaluation noted.
    pub(crate) fn count(&self, rule: &RuleName, parts: &[PartSteps]) {
        // Whom a rule does not concern says nothing of its conditions.
        let concerned = parts.iter().filter(|part| !matches!(part.ending, Ending::NotConcerned(_)));
        let visits: Vec<_> = concerned.map(|part| (part.part, visits(&part.steps))).collect();
        let mut rules = self.rules();
        let Some(of_rule) = rules.get_mut(rule) else { return };
        for (part, visits) in visits {
            for (point, visits) in visits {
                let counts = of_rule.counts.entry((part, point)).or_default();
                counts.n_true += visits.n_true as u64;
                counts.n_false += visits.n_false as u64;
                counts.n_no_data += visits.n_stopped as u64;
                counts.n_other += visits.n_other as u64;
            }
        }
    }

    /// What was counted so far, by rule.
    pub fn report(&self) -> Vec<RuleCoverage> {
        self.rules().values().map(OfRule::report).collect()
    }
}

impl OfRule {
    fn report(&self) -> RuleCoverage {
        let n_levels = self.rule.program.when.len();
        let by_level = (0..n_levels).flat_map(|level| [Part::When(level), Part::Clear(level)]);
        let mut conditions = Vec::new();
        for part in std::iter::once(Part::Where).chain(by_level).chain([Part::Level]) {
            let Some(body) = body_of(&self.rule, &self.watched, part) else { continue };
            for listed in listed(&self.watched, body) {
                let counts = self.counts.get(&(part, listed.number)).copied().unwrap_or_default();
                let point = listed.point;
                let decides = matches!(point.kind, Kind::Comparison | Kind::And | Kind::Or);
                // The result of a function or of `level` may be anything; `!x` says what x says.
                let may_be_value = listed.in_function || part == Part::Level;
                if !point.is_condition
                    || counts.n_other > 0
                    || point.kind == Kind::Not
                    || may_be_value && point.depth == 0 && !decides
                {
                    continue;
                }
                let (start, end) = self.watched.tokens.chars(point.range);
                let end = self.watched.tokens.place(end);
                let length = match end.line == point.place.line {
                    true => end.column - point.place.column,
                    false => self.watched.tokens.line_end(start) - start,
                };
                conditions.push(ConditionCoverage {
                    part,
                    line: point.place.line,
                    column: point.place.column,
                    length,
                    text: self.watched.tokens.one_line(point.range),
                    n_true: counts.n_true,
                    n_false: counts.n_false,
                    n_no_data: counts.n_no_data,
                });
            }
        }
        conditions.sort_by_key(|condition| (condition.line, condition.column, std::cmp::Reverse(condition.length)));
        RuleCoverage { rule: self.rule.name.clone(), file: self.watched.file.clone(), line: self.rule.line, conditions }
    }
}
