//! Small changes of rules that a good set of tests notices: thresholds nudged, comparisons and booleans turned, `hold`,
//! `keep` and `clear` taken away.
//!
//! A mutant is a text: it is loaded and tested like any other edit, and can be shown as one.

mod advice;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::analyse::Place;
use super::analyse::points::{self, Body, Constant, Kind, Operand, Point};
use super::analyse::script::{MapLiteral, Script};
use super::analyse::tokens::{Range, Tokens};
use super::loader::Origin;
use super::program::LevelSource;
use super::{Rule, RuleSet, script};
use crate::model::RuleName;

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MutationKind {
    /// A number is a tenth higher, or lower.
    Threshold,
    /// A comparison says the contrary.
    Comparison,
    /// `&&` and `||` for each other, or `!` taken away.
    Boolean,
    /// `hold` taken away.
    Hold,
    /// `keep` taken away.
    Keep,
    /// `clear` taken away.
    Clear,
}

/// A changed text of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// The rules that the change is about.
    pub rules: BTreeSet<RuleName>,
    /// The file, as people name it.
    pub file: Arc<str>,
    /// Its path inside the folder.
    pub path: Arc<str>,
    /// The line of the change, from 1.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
    /// What was changed.
    pub kind: MutationKind,
    /// What stood there: the whole expression, on one line.
    pub before: String,
    /// What stands there now.
    pub after: String,
    /// A test that would notice it.
    pub advice: String,
    /// The file's text with the change.
    pub text: Arc<str>,
}

/// All mutants of a set of rules, by file and place.
pub fn mutants(rules: &RuleSet) -> Vec<Mutant> {
    let mut files: BTreeMap<(Arc<str>, *const Origin), Vec<&Rule>> = BTreeMap::new();
    for rule in rules.rules.values() {
        files.entry((rule.file.clone(), Arc::as_ptr(&rule.origin))).or_default().push(rule);
    }
    let engine = script::engine();
    let mut found: BTreeMap<(Arc<str>, usize, String), Mutant> = BTreeMap::new();
    for rules in files.values() {
        let Some(first) = rules.first() else { continue };
        let Some(file) = File::of(&first.file, &first.origin, &engine) else { continue };
        for rule in rules {
            for change in file.changes_of(rule) {
                let key = (file.name.clone(), change.start, change.text.clone());
                let mutant = found.entry(key).or_insert_with(|| file.mutant(change));
                mutant.rules.insert(rule.name.clone());
            }
        }
    }
    let mut mutants: Vec<Mutant> = found.into_values().collect();
    mutants.sort_by(|a, b| (&a.file, a.line, a.column, &a.after).cmp(&(&b.file, b.line, b.column, &b.after)));
    mutants
}

/// One change of a text.
struct Change {
    kind: MutationKind,
    /// The characters that go.
    start: usize,
    end: usize,
    /// What comes in their place.
    by: String,
    /// What people see: the tokens around it.
    shown: Range,
    advice: String,
    text: String,
}

/// A file of rules as it can be changed.
struct File<'a> {
    name: Arc<str>,
    origin: &'a Origin,
    tokens: Tokens,
    script: Script,
    bodies: Vec<Body>,
    /// The numbers of the file's variables that the settings do not override.
    constants: BTreeMap<String, Constant>,
}

impl<'a> File<'a> {
    fn of(name: &Arc<str>, origin: &'a Origin, engine: &rhai::Engine) -> Option<File<'a>> {
        let ast = engine.compile(&*origin.text).ok()?;
        let script = Script::new(name.clone(), origin.text.clone(), ast);
        let tokens = Tokens::new(&origin.text);
        let bodies = points::bodies(&script, &tokens);
        let constants = points::constants(&script, &tokens, |param| origin.settings.params.contains_key(param));
        Some(File { name: name.clone(), origin, tokens, script, bodies, constants })
    }

    fn mutant(&self, change: Change) -> Mutant {
        let Place { line, column } = self.tokens.place(change.start);
        let before = self.tokens.one_line(change.shown);
        let (from, to) = self.tokens.chars(change.shown);
        let after = self.tokens.changed(from, to, (change.start, change.end, &change.by));
        Mutant {
            rules: BTreeSet::new(),
            file: self.name.clone(),
            path: self.origin.path.clone(),
            line,
            column,
            kind: change.kind,
            before,
            after,
            advice: change.advice,
            text: change.text.into(),
        }
    }

    fn changes_of(&self, rule: &Rule) -> Vec<Change> {
        let mut changes = Vec::new();
        for (part, point) in self.points_of(rule) {
            self.change_point(part, point, rule, &mut changes);
        }
        self.change_options(rule, &mut changes);
        changes
    }

    /// The points of a rule's closures, of the closures in them and of the functions that they call.
    fn points_of(&self, rule: &Rule) -> Vec<(&'static str, &Point)> {
        let program = &rule.program;
        let level = match &program.level {
            LevelSource::Closure(closure) => Some(closure),
            LevelSource::Fixed(_) => None,
        };
        let closures = (program.takes.iter().map(|closure| ("where", closure)))
            .chain(program.when.iter().map(|closure| ("when", closure)))
            .chain(program.clear.iter().flatten().map(|closure| ("clear", closure)))
            .chain(level.map(|closure| ("level", closure)));
        let mut points = Vec::new();
        for (part, closure) in closures.filter(|(_, closure)| closure.file == self.name) {
            let place = Place { line: closure.line, column: closure.column };
            let body = self.bodies.iter().position(|body| body.place == place && body.name.starts_with("anon$"));
            let mut queue: Vec<usize> = body.into_iter().collect();
            let mut seen = BTreeSet::new();
            while let Some(index) = queue.pop() {
                if !seen.insert(index) {
                    continue;
                }
                for point in &self.bodies[index].points {
                    points.push((part, point));
                    queue
                        .extend(point.calls().filter_map(|name| self.bodies.iter().position(|body| body.name == name)));
                }
            }
        }
        points
    }

    fn change_point(&self, part: &'static str, point: &Point, rule: &Rule, changes: &mut Vec<Change>) {
        match point.kind {
            Kind::Comparison => {
                let Some((token, other)) =
                    point.operator.and_then(|token| Some((token, contrary(&self.tokens.text(token))?)))
                else {
                    return;
                };
                let advice = advice::comparison(part, rule, &self.tokens.one_line(point.range));
                self.replace(MutationKind::Comparison, token, token, other, point.range, advice, changes);
                self.nudge(part, point, rule, changes);
            }
            Kind::Arithmetic => self.nudge(part, point, rule, changes),
            Kind::And | Kind::Or => {
                let (token, other) = if point.kind == Kind::And { ("&&", "||") } else { ("||", "&&") };
                for pair in point.operands.windows(2) {
                    let [left, right] = pair else { continue };
                    let between = left.range.last + 1..right.range.first;
                    let Some(at) = between.into_iter().find(|index| self.tokens.text(*index) == token) else {
                        continue;
                    };
                    let texts = [left, right].map(|operand| self.tokens.one_line(operand.range));
                    let advice = advice::boolean(part, rule, &texts, point.kind == Kind::And);
                    let shown = Range { first: left.range.first, last: right.range.last };
                    self.replace(MutationKind::Boolean, at, at, other, self.tokens.balanced(shown), advice, changes);
                }
            }
            Kind::Not => {
                let Some(token) = point.operator.filter(|token| self.tokens.text(*token) == "!") else { return };
                let advice = advice::comparison(part, rule, &self.tokens.one_line(point.range));
                self.replace(MutationKind::Boolean, token, token, "", point.range, advice, changes);
            }
            Kind::Variable(_) | Kind::Call(_) | Kind::Chain => (),
        }
    }

    /// The numbers of a comparison or calculation, a tenth higher and lower.
    fn nudge(&self, part: &'static str, point: &Point, rule: &Rule, changes: &mut Vec<Change>) {
        for (index, operand) in point.operands.iter().enumerate() {
            let Some((range, number, made)) = self.number_of(operand) else { continue };
            // What stands where the number is: the comparison, or the variable that is made with it.
            let shown = made.unwrap_or(point.range);
            let is_whole = !self.tokens.one_line(range).contains(['.', 'e', 'E']);
            for nudged in nudged(number, is_whole) {
                let by = advice::number(nudged, is_whole);
                let advice = match point.operands.get(1 - index.min(1)).filter(|_| point.kind == Kind::Comparison) {
                    Some(other) => {
                        let other = self.tokens.one_line(other.range);
                        let operator = point.operator.map(|token| self.tokens.text(token)).unwrap_or_default();
                        match operator.as_str() {
                            "==" | "!=" => advice::equality(part, rule, &other, number),
                            _ => advice::threshold(part, rule, &other, (number, nudged)),
                        }
                    }
                    None => {
                        let (from, to) = self.tokens.chars(point.range);
                        let (start, end) = self.tokens.chars(operand.range);
                        let before = self.tokens.one_line(point.range);
                        let after = self.tokens.changed(from, to, (start, end, &by));
                        advice::calculation(part, rule, &before, &after)
                    }
                };
                self.replace(MutationKind::Threshold, range.first, range.last, &by, shown, advice, changes);
            }
        }
    }

    fn number_of(&self, operand: &Operand) -> Option<(Range, f64, Option<Range>)> {
        match (operand.number, &operand.variable) {
            (Some(number), _) => Some((operand.range, number, None)),
            (None, Some(variable)) => {
                let Constant { range, number, made } = self.constants.get(variable)?;
                Some((*range, *number, Some(*made)))
            }
            (None, None) => None,
        }
    }

    /// `hold`, `keep` and `clear`.
    fn change_options(&self, rule: &Rule, changes: &mut Vec<Change>) {
        let call = self.script.rule_calls.iter().find(|(place, _)| place.line == rule.line).map(|(_, call)| call);
        let Some(options) = call.and_then(|call| call.options.as_ref()) else { return };
        self.drop_duration(options, "hold", MutationKind::Hold, rule, changes);
        self.drop_duration(options, "keep", MutationKind::Keep, rule, changes);
        if let Some((_, key, value, _)) = options.find("clear")
            && let (Some(first), Some(value)) = (self.tokens.at(*key), self.tokens.at(*value))
        {
            let last = self.tokens.until_comma(value);
            let comma = usize::from(self.tokens.text(last + 1) == ",");
            let shown = Range { first, last };
            self.replace(MutationKind::Clear, first, last + comma, "", shown, advice::clear(rule), changes);
        }
    }

    fn drop_duration(
        &self,
        options: &MapLiteral,
        key: &str,
        kind: MutationKind,
        rule: &Rule,
        changes: &mut Vec<Change>,
    ) {
        let Some((_, key_place, value, by_level)) = options.find(key) else { return };
        let values: Vec<Place> = match by_level {
            Some(levels) => levels.entries.iter().map(|(_, _, value, _)| *value).collect(),
            None => vec![*value],
        };
        for place in values {
            let Some(token) = self.tokens.at(place) else { continue };
            let text = self.tokens.text(token);
            let duration = text.trim_matches('"');
            if !text.starts_with('"') || crate::model::duration::parse(duration).is_ok_and(|d| d.is_zero()) {
                continue;
            }
            let first = self.tokens.at(*key_place).filter(|first| *first < token).unwrap_or(token);
            let advice = advice::duration(kind, rule, duration);
            self.replace(kind, token, token, "\"0s\"", Range { first, last: token }, advice, changes);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one change: what, where, by what, and how it is told")]
    fn replace(
        &self,
        kind: MutationKind,
        first: usize,
        last: usize,
        by: &str,
        shown: Range,
        advice: String,
        changes: &mut Vec<Change>,
    ) {
        let (start, end) = self.tokens.chars(Range { first, last });
        let text = self.tokens.replaced(start, end, by);
        changes.push(Change { kind, start, end, by: by.to_string(), shown, advice, text });
    }
}

fn contrary(operator: &str) -> Option<&'static str> {
    Some(match operator {
        ">" => "<=",
        ">=" => "<",
        "<" => ">=",
        "<=" => ">",
        "==" => "!=",
        "!=" => "==",
        _ => return None,
    })
}

/// A number a tenth higher and lower, whole ones by one at least.
fn nudged(number: f64, is_whole: bool) -> [f64; 2] {
    let tenth = match (number == 0.0, is_whole) {
        (_, true) => (number.abs() / 10.0).round().max(1.0),
        (true, false) => 0.1,
        (false, false) => number.abs() / 10.0,
    };
    [number + tenth, number - tenth]
}

#[cfg(test)]
mod tests;
