//! Durations as people write them: `250ms`, `30s`, `1h30m`, `7d`.
//!
//! The one grammar for YAML, rules, HTTP and the command line: Prometheus' units (`ms`, `s`, `m`, `h`, `d` = 24 h,
//! `w` = 7 d) as whole numbers, from larger to smaller, each at most once. `0` and `0s` are zero.

use std::time::Duration;

/// The units, from larger to smaller, with their length in milliseconds.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no text.
    #[error("a duration is empty: write it like `30s`, `5m` or `1h30m`")]
    Empty,
    /// A number has no unit, as in `30`.
    #[error("`{text}` has no unit: write `{text}s` for seconds, `{text}m` for minutes")]
    NoUnit {
        /// The text as written.
        text: String,
    },
    /// Anything else.
    #[error("`{text}` is not a duration: write it like `250ms`, `30s`, `5m`, `1h30m` or `7d`")]
    Malformed {
        /// The text as written.
        text: String,
    },
    /// It is longer than 100 years.
    #[error("`{text}` is too long: the longest duration is 100 years")]
    TooLong {
        /// The text as written.
        text: String,
    },
}

/// Reads a duration.
///
/// # Errors
/// Where the text is not a duration; the error's text says how to write one.
pub fn parse(text: &str) -> Result<Duration, Error> {
    let malformed = || Error::Malformed { text: text.to_string() };
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let n_digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, tail) = rest.split_at(n_digits);
        let number: u64 = digits.parse().map_err(|_| malformed())?;
        let n_letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(n_letters);
        if unit.is_empty() && tail.is_empty() && digits.len() == text.len() {
            return Err(Error::NoUnit { text: text.to_string() });
        }
        let (_, length) = units.find(|(name, _)| *name == unit).ok_or_else(malformed)?;
        let too_long = || Error::TooLong { text: text.to_string() };
        millis = number.checked_mul(*length).and_then(|part| millis.checked_add(part)).ok_or_else(too_long)?;
        if millis > 100 * 366 * 86_400_000 {
            return Err(too_long());
        }
        rest = tail;
    }
    Ok(Duration::from_millis(millis))
}

/// Writes a duration as [`parse`] reads it, to the millisecond: `1h30m`, `0s`.
pub fn format(duration: Duration) -> String {
    let mut millis = duration.as_millis() as u64;
    if millis == 0 {
        return "0s".to_string();
    }
    let mut text = String::new();
    for (unit, length) in UNITS.iter().filter(|(unit, _)| *unit != "w") {
        if millis >= *length {
            text.push_str(&(millis / length).to_string());
            text.push_str(unit);
            millis %= length;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_prometheus_reads_them() {
        let cases = [
            ("0", 0),
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_says_how_to_write_one() {
        assert_eq!(
            parse("30").unwrap_err().to_string(),
            "`30` has no unit: write `30s` for seconds, `30m` for minutes"
        );
        for text in
            ["", "s", "5", "-5s", "1.5h", "5m1h", "5m5m", "5 m", "5M", "99999999999999999999s", "9999999w", "五m"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for millis in [0, 1, 999, 1000, 61_000, 3_600_000, 90_061_001, 14 * 86_400_000] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
