//! Simple conditions without the interpreter: comparisons, arithmetic and booleans over fields, windows and constants.
//!
//! A plan gives exactly what the interpreter gives: the same answer, the same values read in the same order, the same
//! reason for no data. Whatever would be an error (text against a number, a condition that is no bool) it leaves to the
//! interpreter, which says it in full. A differential property test holds the two together.

mod judge;

pub(crate) use judge::AtRest;

use std::sync::Arc;

use crate::history::{Place, Scratch, SubjectId, Window, WindowFn, World};
use crate::model::{NoData, Now, Value};

use super::evaluation::{MAX_READS, Reads};
use super::number::{Arithmetic, Number, calculate, compare};

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    const fn says(self, order: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }

    const fn is_equality(self) -> bool {
        matches!(self, Comparison::Equal | Comparison::NotEqual)
    }
}

/// An expression over one subject.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    /// A constant, or a captured variable.
    Number(Number),
    /// A text.
    Text(Arc<str>),
    /// True or false.
    Bool(bool),
    /// `s.error_rate`, with the place at which subjects mostly have it.
    Field(Arc<str>, Place),
    /// `s.name`, `s.kind`, `s.labels.region`.
    Label(Arc<str>),
    /// `s.rate("total", "5m")`, with the question as it is recorded.
    Window { function: WindowFn, field: Arc<str>, place: Place, window: Window, question: Arc<str> },
    /// `s.has("error_rate")`.
    Has(Arc<str>),
    /// `-a`.
    Negative(Box<Plan>),
    /// `a + b`.
    Calculate(Arithmetic, Box<[Plan; 2]>),
    /// `a > b`.
    Compare(Comparison, Box<[Plan; 2]>),
    /// `!a`.
    Not(Box<Plan>),
    /// `a && b && c`.
    And(Box<[Plan]>),
    /// `a || b || c`.
    Or(Box<[Plan]>),
    /// `if a { b } else { c }`.
    If(Box<[Plan; 3]>),
}

impl Plan {
    /// Whether it always says the same of a subject with the same labels.
    fn reads_only_labels(&self) -> bool {
        match self {
            Plan::Number(_) | Plan::Text(_) | Plan::Bool(_) | Plan::Label(_) => true,
            Plan::Field(..) | Plan::Window { .. } | Plan::Has(_) => false,
            Plan::Negative(of) | Plan::Not(of) => of.reads_only_labels(),
            Plan::Calculate(_, parts) | Plan::Compare(_, parts) => parts.iter().all(Plan::reads_only_labels),
            Plan::And(parts) | Plan::Or(parts) => parts.iter().all(Plan::reads_only_labels),
            Plan::If(parts) => parts.iter().all(Plan::reads_only_labels),
        }
    }
}

/// Why a plan gave no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stopped {
    /// There is none.
    NoData(NoData),
    /// The interpreter must say it.
    Interpret,
}

impl From<NoData> for Stopped {
    fn from(reason: NoData) -> Stopped {
        Stopped::NoData(reason)
    }
}

/// What an expression gives.
#[derive(Clone, Debug)]
enum Answer {
    Number(Number),
    Text(Arc<str>),
    Bool(bool),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Answer {
        match value {
            Value::Number(number) => Answer::Number(Number::Fraction(number)),
            Value::Text(text) => Answer::Text(text),
            Value::Bool(bool) => Answer::Bool(bool),
        }
    }
}

/// Whom a plan is asked about.
pub(crate) struct About<'a> {
    pub(crate) world: &'a World,
    pub(crate) subject: SubjectId,
    pub(crate) now: Now,
    /// What was read so far, each question once.
    pub(crate) reads: Reads,
    /// Whether what is read is kept.
    pub(crate) keeps: bool,
    /// What the question before has left for the next.
    pub(crate) scratch: &'a mut Scratch,
}

impl<'a> About<'a> {
    /// Nothing was asked yet.
    fn new(world: &'a World, subject: SubjectId, now: Now, keeps: bool, scratch: &'a mut Scratch) -> About<'a> {
        About { world, subject, now, reads: Vec::new(), keeps, scratch }
    }

    fn record(&mut self, name: &Arc<str>, value: &Value) {
        if self.keeps && self.reads.len() < MAX_READS && !self.reads.iter().any(|(known, _)| known == name) {
            self.reads.push((name.clone(), value.clone()));
        }
    }

    /// A condition's answer.
    pub(crate) fn ask(&mut self, plan: &Plan) -> Result<bool, Stopped> {
        match self.answer(plan)? {
            Answer::Bool(bool) => Ok(bool),
            Answer::Number(_) | Answer::Text(_) => Err(Stopped::Interpret),
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, plan: &Plan) -> Result<Arc<str>, Stopped> {
        match self.answer(plan)? {
            Answer::Text(text) => Ok(text),
            Answer::Number(_) | Answer::Bool(_) => Err(Stopped::Interpret),
        }
    }

    fn number(&mut self, plan: &Plan) -> Result<Number, Stopped> {
        match self.answer(plan)? {
            Answer::Number(number) => Ok(number),
            Answer::Text(_) | Answer::Bool(_) => Err(Stopped::Interpret),
        }
    }

    fn answer(&mut self, plan: &Plan) -> Result<Answer, Stopped> {
        Ok(match plan {
            Plan::Number(number) => Answer::Number(*number),
            Plan::Text(text) => Answer::Text(text.clone()),
            Plan::Bool(bool) => Answer::Bool(*bool),
            Plan::Field(field, place) => {
                let value = self.world.field_at(self.subject, field, place, self.now)?;
                self.record(field, value);
                value.clone().into()
            }
            Plan::Label(label) => {
                let subject = self.world.subject(self.subject).ok_or(Stopped::Interpret)?;
                Answer::Text(match &**label {
                    "name" => subject.key.name.clone(),
                    "kind" => subject.key.kind.clone(),
                    label => subject.labels.get(label).cloned().unwrap_or_default(),
                })
            }
            Plan::Window { function, field, place, window, question } => {
                let asked = (*function, &**field, *window);
                let value = self.world.window_seen(self.subject, asked, place, self.now, self.scratch)?;
                self.record(question, &Value::Number(value));
                Answer::Number(Number::Fraction(value))
            }
            Plan::Has(field) => match self.world.field(self.subject, field, self.now) {
                Ok(value) => {
                    self.record(field, &value);
                    Answer::Bool(true)
                }
                Err(NoData::FieldMissing { .. } | NoData::NeverHad { .. } | NoData::NotFinite { .. }) => {
                    Answer::Bool(false)
                }
                Err(reason) => return Err(reason.into()),
            },
            Plan::Negative(of) => Answer::Number(match self.number(of)? {
                Number::Whole(number) => match number.checked_neg() {
                    Some(negative) => Number::Whole(negative),
                    None => Number::Fraction(-(number as f64)),
                },
                Number::Fraction(number) => Number::Fraction(-number),
            }),
            Plan::Calculate(operator, operands) => {
                let [a, b] = &**operands;
                let a = self.answer(a)?;
                let b = self.answer(b)?;
                match (a, b) {
                    (Answer::Number(a), Answer::Number(b)) => Answer::Number(calculate(*operator, a, b)?),
                    _ => return Err(Stopped::Interpret),
                }
            }
            Plan::Compare(comparison, operands) => {
                let [a, b] = &**operands;
                let a = self.answer(a)?;
                let b = self.answer(b)?;
                Answer::Bool(comparison.says(match (a, b) {
                    (Answer::Number(a), Answer::Number(b)) => compare(a, b)?,
                    (Answer::Text(a), Answer::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
                    (Answer::Bool(a), Answer::Bool(b)) if comparison.is_equality() => a.cmp(&b),
                    _ => return Err(Stopped::Interpret),
                }))
            }
            Plan::Not(of) => Answer::Bool(!self.ask(of)?),
            Plan::And(operands) => {
                for operand in operands {
                    if !self.ask(operand)? {
                        return Ok(Answer::Bool(false));
                    }
                }
                Answer::Bool(true)
            }
            Plan::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let holds = self.ask(condition)?;
                self.answer(if holds { then } else { otherwise })?
            }
            Plan::Or(operands) => {
                for operand in operands {
                    if self.ask(operand)? {
                        return Ok(Answer::Bool(true));
                    }
                }
                Answer::Bool(false)
            }
        })
    }
}

#[cfg(test)]
mod tests;
