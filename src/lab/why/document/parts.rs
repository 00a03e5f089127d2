//! The closures of a rule, seen from inside.

use crate::model::{Level, Now};
use crate::rules::Rule;
use crate::rules::trace::{Asked, Expression, Outcome, Part, PartTrace};
use crate::server::api::{WhyAskedDto, WhyExpressionDto, WhyOutcomeDto, WhyPartDto, WhySamplesDto};

fn outcome(outcome: &Outcome) -> WhyOutcomeDto {
    let (result, text) = match outcome {
        Outcome::NotReached => ("not_reached", String::new()),
        Outcome::Value(value) => ("value", value.clone()),
        Outcome::Values { n_true, n_false, n_other } => {
            let counts = [(n_true, "true"), (n_false, "false"), (n_other, "other")];
            let counts = counts.into_iter().filter(|(count, _)| **count > 0);
            ("values", counts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", "))
        }
        Outcome::NoData(reason) => ("no_data", reason.clone()),
        Outcome::Error(reason) => ("error", reason.clone()),
    };
    WhyOutcomeDto { result: result.to_string(), text }
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
