//! Ratios that say what happens at zero.

use rhai::{Dynamic, Engine, EvalAltResult};

use crate::rules::number::{Arithmetic, Number, calculate, number};
use crate::rules::script::{fault, no_data};

use super::{Function, Topic, type_name};

/// Ratios.
pub(super) const TOPIC: Topic = Topic {
    name: "Ratios",
    register,
    functions: &[
        Function::new("ratio(a, b)", "a divided by b.")
            .no_data("b is 0.")
            .example("ratio(s.failed_calls, s.total_calls) > 0.1"),
        Function::new("ratio(a, b, or_else)", "a divided by b, or `or_else` where b is 0.")
            .example("ratio(s.hits, s.lookups, 1) < 0.5"),
    ],
};

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

fn operand(value: &Dynamic) -> Result<Number> {
    number(value).ok_or_else(|| fault(format!("`ratio` needs numbers, and got {}", type_name(value))))
}

fn ratio(a: &Dynamic, b: &Dynamic) -> Result<f64> {
    calculate(Arithmetic::Divide, operand(a)?, operand(b)?).map(Number::as_f64).map_err(no_data)
}

fn register(engine: &mut Engine) {
    engine.register_fn("ratio", |a: Dynamic, b: Dynamic| ratio(&a, &b));
    engine.register_fn("ratio", |a: Dynamic, b: Dynamic, or_else: Dynamic| -> Result<Dynamic> {
        operand(&a)?;
        match operand(&b)?.as_f64() == 0.0 {
            true => Ok(or_else),
            false => ratio(&a, &b).map(Dynamic::from_float),
        }
    });
}
