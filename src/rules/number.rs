//! Larum's numbers: exact, never truncating, and no data where the result is not a number.
//!
//! Plain Rhai says false for `"a" > 1` and `() > 0.1`, compares floats with a relative epsilon, divides integers
//! (`5 / 2` is 2) and lets infinities through. Here
//! - `==`, `<` and their kin compare a whole number with a fractional one exactly;
//! - `/` of two whole numbers is a fractional number; whole numbers that overflow become fractional ones;
//! - `x / 0`, `x % 0`, and any result that is infinite or not a number, is *no data*;
//! - comparing values of different types is an error that an operator sees; only `==` and `!=` take `()`.
//!
//! Ways to get there, with what one evaluation of `s.error_rate > 0.1` costs over 10,000 subjects
//! (`cargo bench --bench number_semantics`, 2 shared x86-64 cores, November 2026):
//!
//! | way | per subject | what it gives |
//! |---|---|---|
//! | plain Rhai | 0.66 us | none of the above |
//! | a number type of our own for fields | 0.79 us | constants keep Rhai's semantics, so does text against a number |
//! | rewriting the tree: `gt(s.error_rate, 0.1)` | 0.83 us | all, but positions, `+=` and Rhai's own tree must be kept in step by hand |
//! | fast operators off, own operators | 0.78 us | all, constants included, in what Rhai offers for it |
//!
//! The last one is what we do: it gives all at a price among the lowest, and no code depends on the shape of Rhai's tree.
//! If evaluation ever has to be faster, simple conditions are lowered past the interpreter altogether.

mod operators;

use std::cmp::Ordering;

use crate::model::{NoData, short_number};

pub(crate) use operators::number;
pub use operators::register;

/// A number of a script: Rhai keeps whole ones apart for indexes and loops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// A whole number.
    Whole(i64),
    /// Any number, as fields have it.
    Fraction(f64),
}

impl From<i64> for Number {
    fn from(number: i64) -> Number {
        Number::Whole(number)
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Number {
        Number::Fraction(number)
    }
}

impl Number {
    /// The number as an `f64`, rounded to the nearest one.
    pub(crate) const fn as_f64(self) -> f64 {
        match self {
            Number::Whole(number) => number as f64,
            Number::Fraction(number) => number,
        }
    }

    /// The number as messages print it.
    fn print(self) -> String {
        match self {
            Number::Whole(number) => number.to_string(),
            Number::Fraction(number) => short_number(number),
        }
    }
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `**`
    Power,
}

impl Arithmetic {
    /// All of them.
    pub(crate) const ALL: [Arithmetic; 6] = [
        Arithmetic::Add,
        Arithmetic::Subtract,
        Arithmetic::Multiply,
        Arithmetic::Divide,
        Arithmetic::Remainder,
        Arithmetic::Power,
    ];

    /// The operator as written.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
            Arithmetic::Power => "**",
        }
    }
}

/// `a op b`.
///
/// # Errors
/// No data for a division by zero, and for a result that is infinite or not a number.
pub(crate) fn calculate(operator: Arithmetic, a: Number, b: Number) -> Result<Number, NoData> {
    if let (Number::Whole(x), Number::Whole(y)) = (a, b)
        && let Some(result) = whole(operator, x, y)
    {
        return Ok(Number::Whole(result));
    }
    let (x, y) = (a.as_f64(), b.as_f64());
    let result = match operator {
        Arithmetic::Add => x + y,
        Arithmetic::Subtract => x - y,
        Arithmetic::Multiply => x * y,
        Arithmetic::Divide | Arithmetic::Remainder if y == 0.0 => return Err(NoData::DivisionByZero),
        Arithmetic::Divide => x / y,
        Arithmetic::Remainder => x % y,
        Arithmetic::Power => x.powf(y),
    };
    match result.is_finite() {
        true => Ok(Number::Fraction(result)),
        false => Err(NoData::NotFinite { origin: format!("{} {} {}", a.print(), operator.symbol(), b.print()) }),
    }
}

/// The whole result of two whole numbers, where there is one that fits.
fn whole(operator: Arithmetic, x: i64, y: i64) -> Option<i64> {
    match operator {
        Arithmetic::Add => x.checked_add(y),
        Arithmetic::Subtract => x.checked_sub(y),
        Arithmetic::Multiply => x.checked_mul(y),
        Arithmetic::Divide => None,
        Arithmetic::Remainder if y == -1 => Some(0),
        Arithmetic::Remainder => x.checked_rem(y),
        Arithmetic::Power => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
    }
}

/// How `a` compares with `b`, exactly.
///
/// # Errors
/// No data where one of them is infinite or not a number.
pub(crate) fn compare(a: Number, b: Number) -> Result<Ordering, NoData> {
    for number in [a, b] {
        if let Number::Fraction(number) = number
            && !number.is_finite()
        {
            return Err(NoData::NotFinite { origin: short_number(number) });
        }
    }
    Ok(match (a, b) {
        (Number::Whole(x), Number::Whole(y)) => x.cmp(&y),
        (Number::Fraction(x), Number::Fraction(y)) => order(x, y),
        (Number::Whole(x), Number::Fraction(y)) => compare_whole(x, y),
        (Number::Fraction(x), Number::Whole(y)) => compare_whole(y, x).reverse(),
    })
}

/// The order of two finite numbers, where `-0.0` equals `0.0`.
fn order(x: f64, y: f64) -> Ordering {
    x.partial_cmp(&y).unwrap_or(Ordering::Equal)
}

/// Compares a whole number with a finite `f64` without rounding the former.
fn compare_whole(x: i64, y: f64) -> Ordering {
    /// 2^63: the first `f64` above all `i64`.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if y >= BEYOND {
        return Ordering::Less;
    }
    if y < -BEYOND {
        return Ordering::Greater;
    }
    // In range, so that the cast is exact; what it cut off decides between equals.
    let whole = y.trunc();
    x.cmp(&(whole as i64)).then(order(whole, y))
}

#[cfg(test)]
mod tests;
