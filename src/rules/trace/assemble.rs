//! From what an evaluation noted to what people read: each expression with what it came to.

use std::collections::{BTreeMap, BTreeSet};

use super::instrument::Watched;
use super::steps::{Seen, Step};
use super::{Asked, Expression, Outcome, Part, PartTrace};
use crate::rules::Rule;
use crate::rules::analyse::Place;
use crate::rules::analyse::points::Point;
use crate::rules::program::{Closure, LevelSource};

/// How a closure ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ending {
    /// It gave this.
    Value(String),
    /// There was no answer.
    NoData(String),
    /// The subject never had what was read: the rule does not concern it.
    NotConcerned(String),
    /// It failed.
    Error(String),
}

/// What one closure noted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PartSteps {
    /// Which closure.
    pub(crate) part: Part,
    /// What it noted.
    pub(crate) steps: Vec<Step>,
    /// How it ended.
    pub(crate) ending: Ending,
}

/// What one point came to over all its evaluations.
#[derive(Debug, Default)]
pub(super) struct Visits {
    pub(super) n_true: usize,
    pub(super) n_false: usize,
    /// Other values.
    pub(super) n_other: usize,
    /// Evaluations that did not end.
    pub(super) n_stopped: usize,
    /// The newest other value.
    value: Option<String>,
    asked: Vec<Asked>,
}

impl Visits {
    fn outcome(&self, ending: &Ending) -> Outcome {
        match (self.n_true, self.n_false, self.n_other, self.n_stopped) {
            (0, 0, 0, 0) => Outcome::NotReached,
            (1, 0, 0, 0) => Outcome::Value("true".to_string()),
            (0, 1, 0, 0) => Outcome::Value("false".to_string()),
            (0, 0, 1, 0) => Outcome::Value(self.value.clone().unwrap_or_default()),
            (0, 0, 0, 1) => ending.outcome(),
            (n_true, n_false, n_other, n_stopped) => Outcome::Values { n_true, n_false, n_other: n_other + n_stopped },
        }
    }
}

impl Ending {
    fn outcome(&self) -> Outcome {
        match self {
            Ending::Value(value) => Outcome::Value(value.clone()),
            Ending::NoData(reason) | Ending::NotConcerned(reason) => Outcome::NoData(reason.clone()),
            Ending::Error(message) => Outcome::Error(message.clone()),
        }
    }
}

/// Counts the visits of each point.
pub(super) fn visits(steps: &[Step]) -> BTreeMap<usize, Visits> {
    let mut visits: BTreeMap<usize, Visits> = BTreeMap::new();
    let mut open: Vec<usize> = Vec::new();
    for step in steps {
        match step {
            Step::At(point) => open.push(*point),
            Step::Seen(point, seen) => {
                // What was begun after it and did not end was stopped, and left out by whoever asked.
                while let Some(inner) = open.pop()
                    && inner != *point
                {
                    visits.entry(inner).or_default().n_stopped += 1;
                }
                let of_point = visits.entry(*point).or_default();
                match seen {
                    Seen::Bool(true) => of_point.n_true += 1,
                    Seen::Bool(false) => of_point.n_false += 1,
                    Seen::Other(text) => {
                        of_point.n_other += 1;
                        of_point.value.clone_from(text);
                    }
                }
            }
            Step::Asked(asked) => {
                if let Some(point) = open.last() {
                    visits.entry(*point).or_default().asked.push((**asked).clone());
                }
            }
        }
    }
    for point in open {
        visits.entry(point).or_default().n_stopped += 1;
    }
    visits
}

/// A point of a closure, of a closure in it, or of a function that it calls.
pub(super) struct Listed<'a> {
    pub(super) number: usize,
    pub(super) depth: usize,
    pub(super) point: &'a Point,
    /// It stands in a function that has a name.
    pub(super) in_function: bool,
}

/// All points that an evaluation of a closure can come by, as they stand in each other; each once.
pub(super) fn listed(watched: &Watched, body: usize) -> Vec<Listed<'_>> {
    let mut list = Vec::new();
    list_body(watched, body, 0, &mut BTreeSet::new(), &mut list);
    list
}

fn list_body<'a>(
    watched: &'a Watched,
    body: usize,
    depth: usize,
    seen: &mut BTreeSet<usize>,
    list: &mut Vec<Listed<'a>>,
) {
    if !seen.insert(body) {
        return;
    }
    let in_function = !watched.bodies[body].name.starts_with("anon$");
    for (index, point) in watched.bodies[body].points.iter().enumerate() {
        let number = watched.first_points[body] + index;
        list.push(Listed { number, depth: depth + point.depth, point, in_function });
        for name in point.calls() {
            if let Some(inner) = watched.body_named(name) {
                list_body(watched, inner, depth + point.depth + 1, seen, list);
            }
        }
    }
}

/// The closure of a part.
pub(super) fn closure_of(rule: &Rule, part: Part) -> Option<&Closure> {
    let program = &rule.program;
    match part {
        Part::Where => program.takes.as_ref(),
        Part::When(level) => program.when.get(level),
        Part::Clear(level) => program.clear.get(level)?.as_ref(),
        Part::Level => match &program.level {
            LevelSource::Closure(closure) => Some(closure),
            LevelSource::Fixed(_) => None,
        },
    }
}

/// The body of a part's closure; `None` where it is written in another file.
pub(super) fn body_of(rule: &Rule, watched: &Watched, part: Part) -> Option<usize> {
    let closure = closure_of(rule, part).filter(|closure| closure.file == watched.file)?;
    watched.body_at(Place { line: closure.line, column: closure.column })
}

/// A closure of a watched rule as it is written, on one line; `None` where it is written in another file.
pub(super) fn closure_text(rule: &Rule, part: Part) -> Option<String> {
    let watched = rule.program.watched.as_ref()?;
    let body = body_of(rule, watched, part)?;
    let bar = watched.tokens.at(watched.bodies[body].place)?;
    Some(watched.tokens.one_line(watched.tokens.closure(bar)).to_string())
}

/// What a closure of a watched rule went through.
pub(super) fn part_trace(rule: &Rule, noted: &PartSteps) -> Option<PartTrace> {
    let watched = rule.program.watched.as_ref()?;
    let outcome = noted.ending.outcome();
    let Some(body) = body_of(rule, watched, noted.part) else {
        let closure = closure_of(rule, noted.part)?;
        let text = "(written in an imported file)".to_string();
        let (line, column) = (closure.line, closure.column);
        return Some(PartTrace { part: noted.part, line, column, text, outcome, expressions: Vec::new() });
    };
    let place = watched.bodies[body].place;
    let text = watched.tokens.at(place).map(|bar| watched.tokens.one_line(watched.tokens.closure(bar)));
    let visits = visits(&noted.steps);
    let expressions = listed(watched, body).into_iter().map(|listed| {
        let nothing = Visits::default();
        let of_point = visits.get(&listed.number).unwrap_or(&nothing);
        Expression {
            depth: listed.depth,
            line: listed.point.place.line,
            column: listed.point.place.column,
            text: watched.tokens.one_line(listed.point.range),
            outcome: of_point.outcome(&noted.ending),
            asked: of_point.asked.clone(),
        }
    });
    Some(PartTrace {
        part: noted.part,
        line: place.line,
        column: place.column,
        text: text.unwrap_or_default(),
        outcome,
        expressions: expressions.collect(),
    })
}
