//! Numbers as people read them.

use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult};

use crate::model::{duration, short_number};
use crate::rules::number::{Number, number};
use crate::rules::script::fault;

use super::{Function, Topic, type_name};

/// Numbers as text.
pub(super) const TOPIC: Topic = Topic {
    name: "Numbers as text",
    register,
    functions: &[
        Function::new("percent(x)", "A fraction as per cent.").example("percent(0.3)                        // 30%"),
        Function::new("bytes(x)", "A number of bytes in a unit of powers of 1024.")
            .example("bytes(1610612736)                   // 1.5 GiB"),
        Function::new("duration(x)", "A number of seconds as a duration.")
            .example("duration(5400)                      // 1h30m"),
        Function::new("x.fixed(digits)", "A number with so many digits after the point, 0 to 20.")
            .example("2.0.fixed(2)                        // 2.00"),
    ],
};

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

fn operand(function: &str, value: &Dynamic) -> Result<f64> {
    match number(value) {
        Some(number) => Ok(Number::as_f64(number)),
        None => Err(fault(format!("`{function}` needs a number, and got {}", type_name(value)))),
    }
}

/// At most so many digits after the point, without needless zeros.
fn rounded(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    match text {
        "-0" => "0".to_string(),
        _ => text.to_string(),
    }
}

/// A fraction as per cent, to one digit from 10 % on, to two below, and more where nothing else would be left.
fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    match percent.abs() {
        size if !size.is_finite() || (size < 0.01 && size != 0.0) => format!("{}%", short_number(percent)),
        size if size < 10.0 => format!("{}%", rounded(percent, 2)),
        _ => format!("{}%", rounded(percent, 1)),
    }
}

fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes;
    let mut units = UNITS.iter();
    let mut unit = units.next().unwrap_or(&"B");
    // 1023.95 would be printed as 1024.
    while value.abs() >= 1023.95
        && let Some(next) = units.next()
    {
        value /= 1024.0;
        unit = next;
    }
    match value.is_finite() {
        true => format!("{} {unit}", rounded(value, 1)),
        false => format!("{} {unit}", short_number(value)),
    }
}

fn seconds(secs: f64) -> String {
    let size = secs.abs();
    let sign = if secs < 0.0 { "-" } else { "" };
    if !size.is_finite() {
        return short_number(secs);
    }
    if size == 0.0 {
        return "0s".to_string();
    }
    // Whole milliseconds, hundredths of seconds, whole seconds: what rounds up to the next unit is written in it.
    if (size * 1000.0).round() < 1000.0 {
        return format!("{sign}{}ms", rounded(size * 1000.0, if size < 0.01 { 2 } else { 0 }));
    }
    if (size * 100.0).round() < 6000.0 {
        return format!("{sign}{}s", rounded(size, 2));
    }
    format!("{sign}{}", duration::format(Duration::from_secs(size.round() as u64)))
}

fn fixed(number: f64, digits: i64) -> Result<String> {
    match usize::try_from(digits) {
        Ok(digits) if digits <= 20 => Ok(format!("{number:.digits$}")),
        Ok(_) | Err(_) => Err(fault("`fixed` takes a number of digits from 0 to 20")),
    }
}

fn register(engine: &mut Engine) {
    engine.register_fn("percent", |x: Dynamic| operand("percent", &x).map(percent));
    engine.register_fn("bytes", |x: Dynamic| operand("bytes", &x).map(bytes));
    engine.register_fn("duration", |x: Dynamic| operand("duration", &x).map(seconds));
    engine.register_fn("fixed", |x: f64, digits: i64| fixed(x, digits));
    engine.register_fn("fixed", |x: i64, digits: i64| fixed(x as f64, digits));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        let cases = [
            (percent(0.3), "30%"),
            (percent(0.1234), "12.3%"),
            (percent(0.01234), "1.23%"),
            (percent(0.00001234), "0.001234%"),
            (percent(0.0), "0%"),
            (percent(2.0), "200%"),
            (bytes(0.0), "0 B"),
            (bytes(1536.0), "1.5 KiB"),
            (bytes(1_048_575.0), "1 MiB"),
            (bytes(16.0 * 1024.0 * 1024.0 * 1024.0), "16 GiB"),
            (seconds(0.25), "250ms"),
            (seconds(0.0012), "1.2ms"),
            (seconds(5.204), "5.2s"),
            (seconds(59.999), "1m"),
            (seconds(5400.0), "1h30m"),
            (seconds(-90.0), "-1m30s"),
            (seconds(0.0), "0s"),
        ];
        for (text, expected) in cases {
            assert_eq!(text, expected);
        }
        assert_eq!(fixed(2.0, 2).unwrap(), "2.00");
        assert!(fixed(2.0, 99).is_err());
    }
}
