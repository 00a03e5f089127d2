//! How far a condition is from being true, as its comparisons tell.
//!
//! Of `a > b` it is how much of b is missing: `(b - a) / |b|`; of `x && y` the greatest of its false operands, of `x || y`
//! the least. That is a hint to people, who ask which subject fires next; nothing is decided by it.

use crate::rules::trace::{Expression, Outcome, Part, PartTrace};

/// How far something is from firing.
#[derive(Clone, Debug, PartialEq)]
pub struct Distance {
    /// What is missing, as a part of the threshold: 0.03 for 97 where 100 is needed. Of a threshold of zero the difference
    /// itself.
    pub missing: f64,
    /// The comparison that is not true yet, as it is written: `s.error_rate > limit`.
    pub comparison: String,
    /// With the values in place of its sides: `0.02 > 0.1`.
    pub values: String,
}

/// The operators that compare, the longer of two that begin alike first.
const COMPARISONS: [&str; 6] = [">=", "<=", "==", "!=", ">", "<"];

/// How far a rule is from firing by its nearest level; `None` where that cannot be told: no number decides, or a part has
/// no data.
pub fn distance(parts: &[PartTrace]) -> Option<Distance> {
    let when = parts.iter().filter(|part| matches!(part.part, Part::When(_)));
    when.filter_map(|part| {
        // A closure with a block says what its last expression does.
        let root = part.expressions.iter().rfind(|expression| expression.depth == 0)?;
        measure(&root.text, &part.expressions).filter(|distance| distance.missing > 0.0)
    })
    .min_by(|a, b| a.missing.total_cmp(&b.missing))
}

fn measure(text: &str, expressions: &[Expression]) -> Option<Distance> {
    let text = bare(text);
    if let Some(operands) = split(text, &["||", "|"]) {
        let measured = operands.into_iter().filter_map(|operand| measure(operand, expressions));
        return measured.min_by(|a, b| a.missing.total_cmp(&b.missing));
    }
    if let Some(operands) = split(text, &["&&", "&"]) {
        // An operand that is true, or behind a false one, has nothing to say.
        let is_open = |operand: &&str| !matches!(value(operand, expressions), None | Some("true"));
        let open: Vec<&str> = operands.into_iter().filter(is_open).collect();
        let measured: Option<Vec<Distance>> = open.into_iter().map(|operand| measure(operand, expressions)).collect();
        return measured?.into_iter().max_by(|a, b| a.missing.total_cmp(&b.missing));
    }
    let (operator, left, right) = comparison(text)?;
    let (a, b) = (number(left, expressions)?, number(right, expressions)?);
    let missing = match operator {
        ">" | ">=" => b - a,
        "<" | "<=" => a - b,
        // Nobody comes nearer to being equal.
        _ => return None,
    };
    let scale = if b == 0.0 { 1.0 } else { b.abs() };
    let is_true = value(text, expressions) == Some("true");
    // `a > a` lacks next to nothing, which is still not true.
    let missing = if is_true { 0.0 } else { (missing / scale).max(f64::MIN_POSITIVE) };
    let short = crate::model::short_number;
    Some(Distance { missing, comparison: text.to_string(), values: format!("{} {operator} {}", short(a), short(b)) })
}

/// A text without the brackets around all of it.
fn bare(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        // The first bracket must be closed by the last: not so in `(a) && (b)`.
        if top_level(inner).is_none() {
            break;
        }
        text = inner.trim();
    }
    text
}

/// The places in a text that are in no bracket and no quotes; `None` where a bracket closes that was not opened.
fn top_level(text: &str) -> Option<Vec<usize>> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    let mut places = Vec::new();
    for (place, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (None, _) if depth == 0 => places.push(place),
            (None, _) => {}
        }
    }
    (depth == 0 && quote.is_none()).then_some(places)
}

/// The operands of an operator at the top of an expression; `None` where it is not there.
fn split<'a>(text: &'a str, operators: &[&str]) -> Option<Vec<&'a str>> {
    let places = top_level(text)?;
    let mut operands = Vec::new();
    let mut from = 0;
    for place in places {
        if place < from {
            continue;
        }
        if let Some(operator) = operators.iter().find(|operator| text[place..].starts_with(**operator)) {
            operands.push(&text[from..place]);
            from = place + operator.len();
        }
    }
    // What begins with `|` is a closure, not an alternative.
    if operands.is_empty() || operands.iter().any(|operand| operand.trim().is_empty()) {
        return None;
    }
    operands.push(&text[from..]);
    Some(operands)
}

fn comparison(text: &str) -> Option<(&'static str, &str, &str)> {
    let places = top_level(text)?;
    let found = places.into_iter().find_map(|place| {
        let operator = COMPARISONS.iter().find(|operator| text[place..].starts_with(**operator))?;
        Some((place, *operator))
    });
    let (place, operator) = found?;
    Some((operator, &text[..place], &text[place + operator.len()..]))
}

/// What an expression with this text came to.
fn value<'a>(text: &str, expressions: &'a [Expression]) -> Option<&'a str> {
    let text = bare(text);
    let of = |expression: &'a Expression| match &expression.outcome {
        Outcome::Value(value) if bare(&expression.text) == text => Some(value.as_str()),
        _ => None,
    };
    expressions.iter().find_map(of)
}

fn number(text: &str, expressions: &[Expression]) -> Option<f64> {
    let text = bare(text);
    let number = value(text, expressions).unwrap_or(text).replace('_', "").parse::<f64>().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A condition with the values of its expressions; the first is the whole.
    fn part(level: usize, expressions: &[(&str, &str)]) -> PartTrace {
        let expression = |(index, (text, value)): (usize, &(&str, &str))| Expression {
            depth: index.min(1),
            line: 1,
            column: 1,
            text: text.to_string(),
            outcome: match *value {
                "" => Outcome::NotReached,
                "?" => Outcome::NoData("the newest snapshot lacks it".into()),
                value => Outcome::Value(value.to_string()),
            },
            asked: Vec::new(),
        };
        PartTrace {
            part: Part::When(level),
            line: 1,
            column: 1,
            text: format!("|s| {}", expressions[0].0),
            outcome: Outcome::Value(expressions[0].1.to_string()),
            expressions: expressions.iter().enumerate().map(expression).collect(),
        }
    }

    #[test]
    fn a_condition_is_as_far_from_true_as_its_operands_say() {
        /// What is asked, the expressions with their values, and the comparison that decides with what is missing.
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<(&'a str, f64)>);
        let cases: &[Case] = &[
            ("a number under a threshold", &[("s.v > 100", "false"), ("s.v", "97")], Some(("97 > 100", 0.03))),
            (
                "a captured threshold",
                &[("s.v >= limit", "false"), ("s.v", "5"), ("limit", "10")],
                Some(("5 >= 10", 0.5)),
            ),
            ("a number over a threshold", &[("s.free < 10", "false"), ("s.free", "15")], Some(("15 < 10", 0.5))),
            ("a negative threshold", &[("s.v > -10", "false"), ("s.v", "-15")], Some(("-15 > -10", 0.5))),
            ("a threshold of zero", &[("s.v < 0", "false"), ("s.v", "3")], Some(("3 < 0", 3.0))),
            ("equality, to which nothing comes nearer", &[("s.v == 4", "false"), ("s.v", "5")], None),
            ("exactly at the threshold", &[("s.v > 4", "false"), ("s.v", "4")], Some(("4 > 4", f64::MIN_POSITIVE))),
            (
                "and: the greatest of its false operands",
                &[
                    ("s.a > 10 && s.b > 10", "false"),
                    ("s.a > 10", "false"),
                    ("s.a", "9"),
                    ("s.b > 10", "false"),
                    ("s.b", "5"),
                ],
                Some(("5 > 10", 0.5)),
            ),
            (
                "and: what is true or not reached says nothing",
                &[
                    ("s.a > 1 && s.b > 10 && s.c > 1", "false"),
                    ("s.a > 1", "true"),
                    ("s.a", "9"),
                    ("s.b > 10", "false"),
                    ("s.b", "8"),
                    ("s.c > 1", ""),
                ],
                Some(("8 > 10", 0.2)),
            ),
            (
                "or: the least",
                &[
                    ("s.a > 10 || s.b > 10", "false"),
                    ("s.a > 10", "false"),
                    ("s.a", "9"),
                    ("s.b > 10", "false"),
                    ("s.b", "5"),
                ],
                Some(("9 > 10", 0.1)),
            ),
            (
                "brackets and calls with commas and quotes",
                &[
                    ("(s.rate(\"a > b && c\", \"5m\") > 1) && (s.v > 2)", "false"),
                    ("s.rate(\"a > b && c\", \"5m\") > 1", "false"),
                    ("s.rate(\"a > b && c\", \"5m\")", "0.5"),
                ],
                Some(("0.5 > 1", 0.5)),
            ),
            ("a function that says false", &[("between(\"09:00\", \"18:00\")", "false")], None),
            ("a text that differs", &[("s.status == \"down\"", "false"), ("s.status", "\"up\"")], None),
            (
                "an operand that no number decides",
                &[
                    ("s.a > 10 && s.up == false", "false"),
                    ("s.a > 10", "false"),
                    ("s.a", "9"),
                    ("s.up == false", "false"),
                    ("s.up", "true"),
                ],
                None,
            ),
            ("what is true lacks nothing", &[("s.v > 1", "true"), ("s.v", "2")], None),
            ("no data", &[("s.v > 1", "?"), ("s.v", "?")], None),
        ];
        for (name, expressions, expected) in cases {
            let found = distance(&[part(0, expressions)]);
            match (&found, expected) {
                (Some(found), Some((values, missing))) => {
                    assert_eq!(found.values, *values, "{name}");
                    assert!((found.missing - missing).abs() < 1e-9, "{name}: {}", found.missing);
                }
                (None, None) => {}
                _ => panic!("{name}: {found:?}"),
            }
        }
    }

    #[test]
    fn the_nearest_level_says_how_far_a_rule_is() {
        let high = part(0, &[("s.v > 95", "false"), ("s.v", "76")]);
        let low = part(1, &[("s.v > 80", "false"), ("s.v", "76")]);
        let clear = PartTrace { part: Part::Clear(1), ..part(1, &[("s.v > 77", "false"), ("s.v", "76")]) };
        assert_eq!(distance(&[high, low, clear]).map(|found| found.values).as_deref(), Some("76 > 80"));
        assert_eq!(distance(&[]), None);
    }
}
