//! Functions of sets.

use std::ops::ControlFlow;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, NativeCallContext};

use crate::model::{NoData, Value};
use crate::rules::number;
use crate::rules::script::{fault, no_data};

use super::set::{Measure, Set};
use super::subject::label_names;
use super::{Function, Topic, from_script, method, type_name};

const MEASURE: &str = "of what is asked";
const NONE_READABLE: &str = "The set has members and none of them can be read.";
const NONE: &str = "The set is empty, or none of its members can be read.";

/// Functions of sets.
pub(super) const TOPIC: Topic = Topic {
    name: "Sets",
    register,
    functions: &[
        Function::new("g.len(), g.len", "How many fresh members the set has.").unit("members").example("g.len() < 3"),
        Function::new("g.is_empty()", "Whether the set has no fresh member."),
        Function::new("g.count(predicate)", "Of how many members the closure is true; 0 of an empty set.")
            .unit("members")
            .no_data(NONE_READABLE)
            .example("g.count(|s| s.status == \"running\") < 2"),
        Function::new("g.any(predicate)", "Whether the closure is true of a member; false of an empty set.")
            .no_data(NONE_READABLE),
        Function::new("g.all(predicate)", "Whether the closure is true of all members; true of an empty set.")
            .no_data(NONE_READABLE),
        Function::new("g.filter(predicate)", "The members of which the closure is true.")
            .no_data(NONE_READABLE)
            .example("g.filter(|s| s.error_rate > 0.1).names()"),
        Function::new("for m in g { .. }", "Each member in the order of the names."),
        Function::new("g.sum(x)", "The sum of a field, or of what a closure says; 0 of an empty set.")
            .unit(MEASURE)
            .no_data(NONE_READABLE)
            .example("g.sum(|s| s.rate(\"total_calls\", \"5m\")) > 1000"),
        Function::new("g.avg(x)", "The mean of a field, or of what a closure says.")
            .unit(MEASURE)
            .no_data(NONE)
            .example("g.avg(\"cpu_percent\") > 80"),
        Function::new("g.min(x)", "The least value of a field, or of what a closure says.").unit(MEASURE).no_data(NONE),
        Function::new("g.max(x)", "The greatest value of a field, or of what a closure says.")
            .unit(MEASURE)
            .no_data(NONE),
        Function::new("g.stddev(x)", "The standard deviation of a field, or of what a closure says.")
            .unit(MEASURE)
            .no_data(NONE),
        Function::new("g.quantile(x, q)", "The quantile q (0 to 1) of the values, linear between neighbours.")
            .unit(MEASURE)
            .no_data(NONE)
            .example("g.quantile(\"response_time_seconds\", 0.99) > 5"),
        Function::new("g.top(n, x)", "The n members with the greatest values, greatest first.")
            .no_data(NONE)
            .example("g.top(3, \"cpu_percent\").names()"),
        Function::new("g.one(x)", "The value of the only member that has it; several members are an error.")
            .unit(MEASURE)
            .no_data(NONE)
            .example("s.peers(\"host\", \"database\").one(\"is_primary\")"),
        Function::new("g.distinct(x)", "The different values, as an array in the order of their first members.")
            .no_data(NONE_READABLE)
            .example("g.distinct(\"version\").len() > 1"),
        Function::new(
            "g.by(labels)",
            "A set of sets, one for each value of a label (or array of labels); closures get each set.",
        )
        .example("g.by(\"region\").min(|r| r.len()) < 2"),
        Function::new("g.labels", "The labels on which all members agree."),
        Function::new("g.names()", "The names of the members, as an array."),
        Function::new("g.stale()", "How many subjects of the set are stale.").unit("subjects").example("g.stale() > 0"),
        Function::new("g.missing(field)", "How many members lack the field.")
            .unit("members")
            .example("g.missing(\"cpu_percent\") > 0"),
    ],
};

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// The members' numbers, with the index of each.
fn numbers(set: &Set, context: &NativeCallContext, function: &str, measure: &Measure) -> Result<Vec<(usize, f64)>> {
    if let Measure::Field(field) = measure
        && let Some(numbers) = set.numbers(field)?
    {
        return Ok(numbers.into_iter().enumerate().collect());
    }
    let mut numbers = Vec::new();
    set.ask_each(context, function, measure, |index, value| match number::number(&value) {
        Some(number) if number.as_f64().is_finite() => {
            numbers.push((index, number.as_f64()));
            Ok(ControlFlow::Continue(()))
        }
        Some(_) => Err(no_data(NoData::NotFinite { origin: measure.question(function) })),
        None => Err(fault(format!("{} needs numbers, and got {}", measure.question(function), type_name(&value)))),
    })?;
    Ok(numbers)
}

/// A function of the members' numbers.
fn aggregate(
    set: &Set,
    context: &NativeCallContext,
    function: &str,
    measure: &Measure,
    of: impl FnOnce(&[f64]) -> Option<f64>,
) -> Result<f64> {
    let numbers: Vec<f64> = numbers(set, context, function, measure)?.into_iter().map(|(_, number)| number).collect();
    let question = measure.question(function);
    match of(&numbers) {
        Some(result) if result.is_finite() => {
            set.evaluation.record(None, || question.into(), &Value::Number(result));
            Ok(result)
        }
        Some(_) => Err(no_data(NoData::NotFinite { origin: question })),
        None => Err(no_data(NoData::EmptySet { question })),
    }
}

/// The indexes of the members of which a closure is true, until `enough` says so.
fn matching(
    set: &Set,
    context: &NativeCallContext,
    function: &'static str,
    predicate: FnPtr,
    enough: impl Fn(bool) -> bool,
) -> Result<Vec<usize>> {
    let mut indexes = Vec::new();
    set.ask_each(context, function, &Measure::Closure(predicate), |index, value| {
        let Ok(is_so) = value.as_bool() else {
            return Err(fault(format!(
                "the closure of `{function}` must say true or false, and said {}",
                type_name(&value)
            )));
        };
        if is_so {
            indexes.push(index);
        }
        Ok(if enough(is_so) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(indexes)
}

fn sum(numbers: &[f64]) -> Option<f64> {
    Some(numbers.iter().sum())
}

fn avg(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

fn min(numbers: &[f64]) -> Option<f64> {
    numbers.iter().copied().reduce(f64::min)
}

fn max(numbers: &[f64]) -> Option<f64> {
    numbers.iter().copied().reduce(f64::max)
}

/// The population's standard deviation, as PromQL's `stddev`.
fn stddev(numbers: &[f64]) -> Option<f64> {
    let mean = avg(numbers)?;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    Some((squares / numbers.len() as f64).sqrt())
}

/// The quantile by linear interpolation between the neighbours of rank `q * (n - 1)`, as PromQL's `quantile`.
fn quantile(numbers: &[f64], q: f64) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = q * (sorted.len().checked_sub(1)?) as f64;
    let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    Some(below + (above - below) * rank.fract())
}

/// A share from 0 to 1.
fn share(q: &Dynamic) -> Result<f64> {
    match number::number(q).map(number::Number::as_f64) {
        Some(q) if (0.0..=1.0).contains(&q) => Ok(q),
        Some(_) | None => Err(fault("a quantile is a number from 0 to 1: `0.99`")),
    }
}

fn top(set: &Set, context: &NativeCallContext, n: i64, measure: &Measure) -> Result<Set> {
    let n = usize::try_from(n).map_err(|_| fault("`top` takes a number of members that is not negative"))?;
    let mut numbers = numbers(set, context, "top", measure)?;
    if numbers.is_empty() {
        return Err(no_data(NoData::EmptySet { question: measure.question("top") }));
    }
    numbers.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    numbers.truncate(n);
    Ok(set.pick(&numbers.into_iter().map(|(index, _)| index).collect::<Vec<_>>()))
}

fn one(set: &Set, context: &NativeCallContext, measure: &Measure) -> Result<Dynamic> {
    let mut only = None;
    set.ask_each(context, "one", measure, |_, value| match only.replace(value) {
        None => Ok(ControlFlow::Continue(())),
        Some(_) => Err(fault(format!("{} found several members that have it", measure.question("one")))),
    })?;
    let value = only.ok_or_else(|| no_data(NoData::EmptySet { question: measure.question("one") }))?;
    if let Some(value) = from_script(&value) {
        set.evaluation.record(None, || measure.question("one").into(), &value);
    }
    Ok(value)
}

fn distinct(set: &Set, context: &NativeCallContext, measure: &Measure) -> Result<Array> {
    let mut values: Vec<(Value, Dynamic)> = Vec::new();
    set.ask_each(context, "distinct", measure, |_, value| {
        let Some(known) = from_script(&value) else {
            return Err(fault(format!(
                "{} needs plain values, and got {}",
                measure.question("distinct"),
                type_name(&value)
            )));
        };
        if !values.iter().any(|(other, _)| *other == known) {
            crate::rules::script::spend(1 + values.len() as u64 / 16)?;
            values.push((known, value));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(values.into_iter().map(|(_, value)| value).collect())
}

fn count(context: NativeCallContext, set: &mut Set, predicate: FnPtr) -> Result<i64> {
    let count = matching(set, &context, "count", predicate, |_| false)?.len();
    set.evaluation.record(None, || "count(|..| ..)".into(), &Value::Number(count as f64));
    Ok(count as i64)
}

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Set>("set").register_iterator::<Set>();
    method(engine, "len", |g: &mut Set| g.members.len() as i64);
    method(engine, "get$len", |g: &mut Set| g.members.len() as i64);
    method(engine, "is_empty", |g: &mut Set| g.members.len() == 0);
    method(engine, "count", count);
    method(engine, "any", |context: NativeCallContext, g: &mut Set, predicate: FnPtr| {
        matching(g, &context, "any", predicate, |is_so| is_so).map(|found| !found.is_empty())
    });
    method(engine, "all", |context: NativeCallContext, g: &mut Set, predicate: FnPtr| -> Result<bool> {
        let mut all = true;
        set_all(g, &context, predicate, &mut all)?;
        Ok(all)
    });
    method(engine, "filter", |context: NativeCallContext, g: &mut Set, predicate: FnPtr| {
        matching(g, &context, "filter", predicate, |_| false).map(|indexes| g.pick(&indexes))
    });

    macro_rules! with_measure {
        ($name:literal, ($($argument:ident : $type:ty),*), |$set:ident, $context:ident, $measure:ident| $body:expr) => {
            method(engine, $name, |$context: NativeCallContext, $set: &mut Set, $($argument: $type,)* field: ImmutableString| {
                let ($set, $context, $measure) = (&*$set, &$context, &Measure::Field(field));
                $body
            });
            method(engine, $name, |$context: NativeCallContext, $set: &mut Set, $($argument: $type,)* closure: FnPtr| {
                let ($set, $context, $measure) = (&*$set, &$context, &Measure::Closure(closure));
                $body
            });
        };
    }
    with_measure!("sum", (), |g, context, x| aggregate(g, context, "sum", x, sum));
    with_measure!("avg", (), |g, context, x| aggregate(g, context, "avg", x, avg));
    with_measure!("min", (), |g, context, x| aggregate(g, context, "min", x, min));
    with_measure!("max", (), |g, context, x| aggregate(g, context, "max", x, max));
    with_measure!("stddev", (), |g, context, x| aggregate(g, context, "stddev", x, stddev));
    with_measure!("top", (n: i64), |g, context, x| top(g, context, n, x));
    with_measure!("one", (), |g, context, x| one(g, context, x));
    with_measure!("distinct", (), |g, context, x| distinct(g, context, x));
    method(engine, "quantile", |context: NativeCallContext, g: &mut Set, field: ImmutableString, q: Dynamic| {
        let q = share(&q)?;
        aggregate(g, &context, "quantile", &Measure::Field(field), |numbers| quantile(numbers, q))
    });
    method(engine, "quantile", |context: NativeCallContext, g: &mut Set, closure: FnPtr, q: Dynamic| {
        let q = share(&q)?;
        aggregate(g, &context, "quantile", &Measure::Closure(closure), |numbers| quantile(numbers, q))
    });

    method(engine, "by", |g: &mut Set, labels: Dynamic| g.by(&label_names(&labels)?));
    method(engine, "get$labels", |g: &mut Set| g.labels());
    method(engine, "names", |g: &mut Set| -> Result<Array> { Ok(g.names()?.into_iter().map(Dynamic::from).collect()) });
    method(engine, "stale", |g: &mut Set| g.stale());
    method(engine, "missing", |g: &mut Set, field: &str| g.missing(field));
    method(engine, "to_string", |g: &mut Set| -> Result<String> { Ok(g.names()?.join(", ")) });
}

/// Whether a closure is true of all members; a first false ends it.
fn set_all(set: &Set, context: &NativeCallContext, predicate: FnPtr, all: &mut bool) -> Result<()> {
    set.ask_each(context, "all", &Measure::Closure(predicate), |_, value| match value.as_bool() {
        Ok(true) => Ok(ControlFlow::Continue(())),
        Ok(false) => {
            *all = false;
            Ok(ControlFlow::Break(()))
        }
        Err(_) => Err(fault(format!("the closure of `all` must say true or false, and said {}", type_name(&value)))),
    })
}
