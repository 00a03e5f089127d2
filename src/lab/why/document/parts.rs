//! The closures of a rule, seen from inside.

use crate::model::{Level, Now};
use crate::rules::Rule;
use crate::rules::trace::{Asked, Expression, Outcome, Part, PartTrace};
use crate::server::api::{WhyAskedDto, WhyExpressionDto, WhyOutcomeDto, WhyPartDto, WhySamplesDto};

fn outcome(outcome: &Outcome) -> WhyOutcomeDto {
    let (result, text) = match outcome {
        Outcome::NotReached => ("not_reached", String::new()),
        Outcome::Value(value) => ("value", value.clone()),
        Outcome::Values { n_true, n_false, n_other } => ("values", values(*n_true, *n_false, *n_other)),
        Outcome::NoData(reason) => ("no_data", reason.clone()),
        Outcome::Error(reason) => ("error", reason.clone()),
    };
    WhyOutcomeDto { result: result.to_string(), text }
}

/// What several evaluations came to. What is neither true nor false beside these is an evaluation that did not end.
fn values(n_true: usize, n_false: usize, n_other: usize) -> String {
    if n_true + n_false == 0 {
        return format!("{n_other} values");
    }
    let counts = [(n_true, "true for"), (n_false, "false for"), (n_other, "no answer for")];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, what)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
}

/// One closure, seen from inside.
pub(super) fn part(now: Now, rule: &Rule, part: &PartTrace) -> WhyPartDto {
    let level = |index: usize| -> Option<Level> { rule.levels.get(index).copied() };
    let (name, level) = match part.part {
        Part::Where => ("where", None),
        Part::When(index) => ("when", level(index)),
        Part::Clear(index) => ("clear", level(index)),
        Part::Level => ("level", None),
    };
    WhyPartDto {
        part: name.to_string(),
        level,
        line: part.line,
        column: part.column,
        text: part.text.clone(),
        outcome: outcome(&part.outcome),
        expressions: part.expressions.iter().map(|expression| expression_document(now, expression)).collect(),
    }
}

fn expression_document(now: Now, expression: &Expression) -> WhyExpressionDto {
    WhyExpressionDto {
        depth: expression.depth,
        line: expression.line,
        column: expression.column,
        text: expression.text.clone(),
        outcome: outcome(&expression.outcome),
        asked: expression.asked.iter().map(|asked| asked_document(now, asked)).collect(),
    }
}

fn asked_document(now: Now, asked: &Asked) -> WhyAskedDto {
    WhyAskedDto {
        question: asked.question.clone(),
        subject: asked.subject.as_ref().map(ToString::to_string),
        outcome: outcome(&asked.outcome),
        samples: asked.samples.as_ref().map(|samples| WhySamplesDto {
            count: samples.count,
            start: now.wall_of(samples.start),
            end: now.wall_of(samples.end),
            first: samples.first.map(|time| now.wall_of(time)),
            last: samples.last.map(|time| now.wall_of(time)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_evaluations_are_told_as_values_or_by_their_answers() {
        for (counts, expected) in [
            ((0, 0, 6), "6 values"),
            ((3, 2, 0), "true for 3, false for 2"),
            ((3, 0, 0), "true for 3"),
            ((1, 2, 1), "true for 1, false for 2, no answer for 1"),
        ] {
            assert_eq!(values(counts.0, counts.1, counts.2), expected);
        }
    }
}
