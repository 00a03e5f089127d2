//! promtool's notation for the samples of a series, `0.02x30 0.3+0.1x6 _x3 7 stale`, and what Larum adds to it: texts and
//! bools, `'running'x5 'stopped' truex3`.

use std::fmt;

use crate::model::Value;

/// The longest series, in samples.
const MAX_SAMPLES: usize = 1_000_000;

/// One sample of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sample {
    /// This value; a number may be NaN or infinite, and has no data then.
    Value(Value),
    /// The snapshot lacks the field.
    Missing,
    /// The source says that it is no longer there.
    Stale,
}

/// A text that is no series.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SeriesError {
    /// One item cannot be read.
    #[error("`{item}` is not an item of a series: {advice}")]
    Item {
        /// The item as written.
        item: String,
        /// What to do.
        advice: Advice,
    },
    /// It stands for too many samples.
    #[error("the series has more than {MAX_SAMPLES} samples")]
    TooLong,
}

/// What to write instead of an item that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    Forms,
    Hexadecimal,
    Histogram,
    Repeated,
    OpenText,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Advice::Forms => {
                "write `0.3`, `0.3x6` (and 6 more), `1+2x5`, `10-1x5`, `_` or `_x3` (missing), `stale`, `NaN`, `true` or \
                 `'text'`, without spaces inside"
            }
            Advice::Hexadecimal => "`0x3` is 0 and three more of it, there are no hexadecimal numbers",
            Advice::Histogram => "native histograms cannot be fields: give their parts as fields of their own",
            Advice::Repeated => "what is stale is so once, and missing from then on: write `stale _x3`",
            Advice::OpenText => "a text ends with the quote that it begins with: `'running'x5`",
        })
    }
}

/// Reads a series.
///
/// - `a`: one sample
/// - `axn`: a, and n more of it
/// - `a+bxn`, `a-bxn`: a, and n more, each b more (or less) than the one before
/// - `_`: one missing sample; `_xn`: n missing samples
/// - `stale`: the source says that it is gone
///
/// where `a` is a number, `NaN`, `Inf`, `-Inf`, `true`, `false`, or a text in single or double quotes; `b` is a number.
///
/// # Errors
/// The first item that cannot be read.
pub(crate) fn parse(text: &str) -> Result<Vec<Sample>, SeriesError> {
    let mut samples = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (item, behind) = split(rest);
        let read = Item::parse(item).map_err(|advice| SeriesError::Item { item: item.to_string(), advice })?;
        if read.n_samples > MAX_SAMPLES - samples.len() {
            return Err(SeriesError::TooLong);
        }
        samples.extend((0..read.n_samples).map(|index| read.sample(index)));
        rest = behind.trim_start();
    }
    Ok(samples)
}

/// The first item, and what follows it. Spaces in quotes are part of an item.
fn split(text: &str) -> (&str, &str) {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let closed = quote.and_then(|quote| text[1..].find(quote)).map_or(0, |end| end + 2);
    let end = text[closed..].find(char::is_whitespace).map_or(text.len(), |space| closed + space);
    text.split_at(end)
}

struct Item {
    first: Sample,
    step: f64,
    n_samples: usize,
}

impl Item {
    fn parse(item: &str) -> Result<Item, Advice> {
        if item == "stale" {
            return Ok(Item { first: Sample::Stale, step: 0.0, n_samples: 1 });
        }
        if let Some(rest) = item.strip_prefix('_') {
            let n_samples = if rest.is_empty() { Some(1) } else { times(rest) };
            return Ok(Item { first: Sample::Missing, step: 0.0, n_samples: n_samples.ok_or(Advice::Forms)? });
        }
        let (first, rest) = value(item)?;
        let is_number = matches!(first, Value::Number(_));
        if rest.is_empty() {
            return Ok(Item { first: Sample::Value(first), step: 0.0, n_samples: 1 });
        }
        let (step, rest) = match rest.starts_with(['+', '-']) && is_number {
            true => number(rest).ok_or(Advice::Forms)?,
            false => (0.0, rest),
        };
        let n_more = times(rest).ok_or(if item.starts_with("0x") { Advice::Hexadecimal } else { Advice::Forms })?;
        let n_samples = n_more.checked_add(1).ok_or(Advice::Forms)?;
        Ok(Item { first: Sample::Value(first), step, n_samples })
    }

    fn sample(&self, index: usize) -> Sample {
        match &self.first {
            Sample::Value(Value::Number(first)) => Sample::Value(Value::Number(first + self.step * index as f64)),
            other => other.clone(),
        }
    }
}

/// The value at the start of an item, and what follows it.
fn value(item: &str) -> Result<(Value, &str), Advice> {
    if let Some(quote) = item.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        let (text, rest) = item[1..].split_once(quote).ok_or(Advice::OpenText)?;
        return Ok((Value::from(text), rest));
    }
    for (word, bool) in [("true", true), ("false", false)] {
        if let Some(rest) = item.strip_prefix(word) {
            return Ok((Value::Bool(bool), rest));
        }
    }
    let advice = match item {
        item if item.starts_with("{{") => Advice::Histogram,
        item if item.starts_with("stale") => Advice::Repeated,
        _ => Advice::Forms,
    };
    let (number, rest) = no_number(item).or_else(|| number(item)).ok_or(advice)?;
    Ok((Value::Number(number), rest))
}

/// `NaN`, `Inf`, `+Inf` and `-Inf`, in any case, as promtool has them.
fn no_number(item: &str) -> Option<(f64, &str)> {
    let unsigned = item.trim_start_matches(['+', '-']);
    let n_signs = item.len() - unsigned.len();
    let word = unsigned.get(..3)?;
    let number = match word.to_ascii_lowercase().as_str() {
        "nan" => f64::NAN,
        "inf" => f64::INFINITY,
        _ => return None,
    };
    let number = if item.starts_with('-') { -number } else { number };
    (n_signs <= 1).then(|| (number, &unsigned[3..]))
}

/// `x30`
fn times(text: &str) -> Option<usize> {
    let digits = text.strip_prefix('x')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The number at the start of a text, with its sign and exponent, and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    end += digits(end);
    if bytes.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let n_digits = digits(end + 1 + sign);
        if n_digits > 0 {
            end += 1 + sign + n_digits;
        }
    }
    let (number, rest) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    number.is_finite().then_some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A series with numbers as numbers and everything else as a word.
    fn shown(text: &str) -> String {
        let word = |sample: Sample| match sample {
            Sample::Value(Value::Text(text)) => format!("'{text}'"),
            Sample::Value(value) => value.to_string(),
            Sample::Missing => "_".to_string(),
            Sample::Stale => "stale".to_string(),
        };
        parse(text).unwrap().into_iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_notation_is_promtools() {
        let cases = [
            ("", ""),
            ("7", "7"),
            ("0.5x2", "0.5 0.5 0.5"),
            ("1x0", "1"),
            ("-2+4x3", "-2 2 6 10"),
            (" 1-2x4", "1 -1 -3 -5 -7"),
            ("1x4", "1 1 1 1 1"),
            (" 1 _x3 stale", "1 _ _ _ stale"),
            ("1+2x2", "1 3 5"),
            ("10-1x2", "10 9 8"),
            ("-1-1x2", "-1 -2 -3"),
            ("_", "_"),
            ("_x2", "_ _"),
            ("_x0 1", "1"),
            ("1e+2x1 _ -3", "100 100 _ -3"),
            ("1.5e3-1e2x1", "1500 1400"),
            ("5+0x2", "5 5 5"),
            ("0x3", "0 0 0 0"),
            ("+1 .5 5.", "1 0.5 5"),
            ("1\t2\n 3", "1 2 3"),
            ("NaN Inf -inf +Inf", "NaN inf -inf inf"),
        ];
        for (text, samples) in cases {
            assert_eq!(shown(text).to_lowercase(), samples.to_lowercase(), "{text}");
        }
    }

    #[test]
    fn texts_and_bools_are_repeated_like_numbers() {
        assert_eq!(shown("'up'x1 \"it's down\" truex2 false"), "'up' 'up' 'it's down' true true true false");
        assert_eq!(shown("'two words'x1 ''"), "'two words' 'two words' ''");
    }

    #[test]
    fn what_is_no_item_is_named_with_what_to_do() {
        let cases = [
            ("x3", Advice::Forms),
            ("1x", Advice::Forms),
            ("-2+-1x1", Advice::Forms),
            ("1+-2x2", Advice::Forms),
            ("1+2", Advice::Forms),
            ("1+0", Advice::Forms),
            ("1+x3", Advice::Forms),
            ("_3", Advice::Forms),
            ("a", Advice::Forms),
            ("1xx2", Advice::Forms),
            ("1x-2", Advice::Forms),
            ("1x2x3", Advice::Forms),
            ("1_000", Advice::Forms),
            ("1e999", Advice::Forms),
            ("'a'+1x2", Advice::Forms),
            ("true+1x2", Advice::Forms),
            ("--inf", Advice::Forms),
            ("0x1F", Advice::Hexadecimal),
            ("stalex3", Advice::Repeated),
            ("{{schema:1}}", Advice::Histogram),
            ("'up", Advice::OpenText),
        ];
        for (item, advice) in cases {
            let text = format!("1 {item} 2");
            let Err(SeriesError::Item { item: named, advice: given }) = parse(&text) else { panic!("{item} is read") };
            assert!(item.starts_with(named.split(' ').next().unwrap()), "{item} is named, not {named}");
            assert_eq!(given, advice, "{item}");
        }
        assert_eq!(parse("1x999999999"), Err(SeriesError::TooLong));
        assert!(matches!(parse("1x99999999999999999999999"), Err(SeriesError::Item { .. })));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-+_x0-9.eE'\" a-z]{0,40}|.{0,40}") {
            if let Ok(samples) = parse(&text) {
                prop_assert!(samples.len() <= MAX_SAMPLES);
            }
        }

        #[test]
        fn as_many_samples_come_out_as_are_written(first in -1e6..1e6f64, step in 0.0..1e3f64, n in 0usize..50) {
            let samples = parse(&format!("{first}+{step}x{n}")).unwrap();
            prop_assert_eq!(samples.len(), n + 1);
            prop_assert_eq!(&samples[0], &Sample::Value(Value::Number(first)));
        }
    }
}
