//! The operators of scripts, registered in place of Rhai's.
//!
//! Rhai's "fast operators" never ask what is registered, so they are off. Exact pairs of types are registered for the common
//! cases; a last one for any two values catches the rest, because Rhai would else fall back to operators of its own that
//! silently say false.

use std::cmp::Ordering;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext, Position};

use crate::model::short_number;
use crate::rules::host;
use crate::rules::script::{fault, no_data};

use super::{Arithmetic, Number, calculate, compare};

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// What a comparison says of an order.
type Says = fn(Ordering) -> bool;

/// The comparisons.
const COMPARISONS: [(&str, Says); 6] = [
    ("==", Ordering::is_eq),
    ("!=", Ordering::is_ne),
    ("<", Ordering::is_lt),
    ("<=", Ordering::is_le),
    (">", Ordering::is_gt),
    (">=", Ordering::is_ge),
];

/// Registers all operators and the printing of numbers on an engine whose fast operators are off.
pub fn register(engine: &mut Engine) {
    macro_rules! number_pairs {
        ($register:ident) => {
            $register!(i64, i64);
            $register!(f64, f64);
            $register!(f64, i64);
            $register!(i64, f64);
        };
    }
    for (symbol, says) in COMPARISONS {
        macro_rules! comparison {
            ($a:ty, $b:ty) => {
                engine.register_fn(symbol, move |a: $a, b: $b| -> Result<bool> {
                    compare(a.into(), b.into()).map(says).map_err(no_data)
                });
            };
        }
        number_pairs!(comparison);
        engine.register_fn(symbol, move |a: ImmutableString, b: ImmutableString| says(a.as_str().cmp(b.as_str())));
        engine.register_fn(symbol, move |a: Dynamic, b: Dynamic| compare_any(symbol, says, &a, &b));
    }
    for operator in Arithmetic::ALL {
        macro_rules! arithmetic {
            ($a:ty, $b:ty) => {
                engine.register_fn(operator.symbol(), move |a: $a, b: $b| result(operator, a.into(), b.into()));
            };
        }
        number_pairs!(arithmetic);
        let assignment = format!("{}=", operator.symbol());
        engine.register_fn(&assignment, move |context: NativeCallContext, a: &mut Dynamic, b: Dynamic| -> Result<()> {
            match (number(a), number(&b)) {
                (Some(x), Some(y)) => *a = result(operator, x, y)?,
                // Rhai then tries `a = a op b`.
                _ => {
                    return Err(Box::new(EvalAltResult::ErrorFunctionNotFound(
                        context.fn_name().to_string(),
                        Position::NONE,
                    )));
                }
            }
            Ok(())
        });
    }
    engine.register_fn("-", |number: i64| match number.checked_neg() {
        Some(negative) => Dynamic::from_int(negative),
        None => Dynamic::from_float(-(number as f64)),
    });
    engine.register_fn("to_string", |number: f64| short_number(number));
    engine.register_fn("to_debug", |number: f64| short_number(number));
}

/// The number in a value, where it is one.
pub(crate) fn number(value: &Dynamic) -> Option<Number> {
    if let Ok(number) = value.as_float() {
        return Some(Number::Fraction(number));
    }
    value.as_int().ok().map(Number::Whole)
}

fn result(operator: Arithmetic, a: Number, b: Number) -> Result<Dynamic> {
    match calculate(operator, a, b).map_err(no_data)? {
        Number::Whole(number) => Ok(Dynamic::from_int(number)),
        Number::Fraction(number) => Ok(Dynamic::from_float(number)),
    }
}

/// Compares what no exact pair of types was registered for.
fn compare_any(symbol: &'static str, says: Says, a: &Dynamic, b: &Dynamic) -> Result<bool> {
    let equality = matches!(symbol, "==" | "!=");
    if equality && (a.is_unit() || b.is_unit()) {
        return Ok((a.is_unit() && b.is_unit()) == (symbol == "=="));
    }
    if let (Some(x), Some(y)) = (number(a), number(b)) {
        return compare(x, y).map(says).map_err(no_data);
    }
    if let (Ok(x), Ok(y)) = (a.as_bool(), b.as_bool())
        && equality
    {
        return Ok(says(x.cmp(&y)));
    }
    if let (Some(x), Some(y)) = (text(a), text(b)) {
        return Ok(says(x.cmp(&y)));
    }
    let (type_a, type_b) = (host::type_name(a), host::type_name(b));
    let expression = format!("{} {symbol} {}", written(a), written(b));
    Err(fault(match type_a == type_b {
        true => format!("{type_a} cannot be compared by `{symbol}`: `{expression}`"),
        false => format!("{type_a} cannot be compared with {type_b}: `{expression}`"),
    }))
}

/// A text or a single character as text.
fn text(value: &Dynamic) -> Option<ImmutableString> {
    if let Ok(character) = value.as_char() {
        return Some(character.to_string().into());
    }
    value.as_immutable_string_ref().ok().map(|text| text.clone())
}

/// A value as a message shows it, cut where it is long.
fn written(value: &Dynamic) -> String {
    /// Enough to know the value by.
    const MAX_CHARS: usize = 40;
    let Some(text) = text(value) else {
        return match number(value) {
            Some(number) => number.print(),
            None if value.is_unit() => "()".to_string(),
            None => match value.as_bool() {
                Ok(bool) => bool.to_string(),
                Err(_) => "..".to_string(),
            },
        };
    };
    let mut short: String = text.chars().take(MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push_str("..");
    }
    format!("{short:?}")
}
