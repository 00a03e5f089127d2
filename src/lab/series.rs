//! promtool's notation for the samples of a series: `0.02x30 0.3+0.1x6 _x3 7`.

/// The longest series, in samples.
const MAX_SAMPLES: usize = 1_000_000;

/// A text that is no series.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SeriesError {
    /// One item cannot be read.
    #[error("`{item}` is not an item of a series: write `0.3`, `0.3x6` (and 6 more), `1+2x5`, `10-1x5`, `_` or `_x3`")]
    Item {
        /// The item as written.
        item: String,
    },
    /// It stands for too many samples.
    #[error("the series has more than {MAX_SAMPLES} samples")]
    TooLong,
}

/// Reads a series. `None` is a sample in which the field is missing.
///
/// - `a`: one sample
/// - `axn`: a, and n more of it
/// - `a+bxn`, `a-bxn`: a, and n more, each b more (or less) than the one before
/// - `_`: one missing sample; `_xn`: n missing samples
///
/// # Errors
/// The first item that cannot be read.
pub(crate) fn parse(text: &str) -> Result<Vec<Option<f64>>, SeriesError> {
    let mut samples = Vec::new();
    for item in text.split_whitespace() {
        let Item { first, step, n_samples } =
            Item::parse(item).ok_or_else(|| SeriesError::Item { item: item.to_string() })?;
        if n_samples > MAX_SAMPLES - samples.len() {
            return Err(SeriesError::TooLong);
        }
        samples.extend((0..n_samples).map(|index| first.map(|first| first + step * index as f64)));
    }
    Ok(samples)
}

struct Item {
    first: Option<f64>,
    step: f64,
    n_samples: usize,
}

impl Item {
    fn parse(item: &str) -> Option<Item> {
        if let Some(rest) = item.strip_prefix('_') {
            let n_samples = if rest.is_empty() { 1 } else { times(rest)? };
            return Some(Item { first: None, step: 0.0, n_samples });
        }
        let (first, rest) = number(item)?;
        if rest.is_empty() {
            return Some(Item { first: Some(first), step: 0.0, n_samples: 1 });
        }
        let (step, rest) = if rest.starts_with(['+', '-']) { number(rest)? } else { (0.0, rest) };
        Some(Item { first: Some(first), step, n_samples: times(rest)?.checked_add(1)? })
    }
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

    fn numbers(text: &str) -> Vec<Option<f64>> {
        parse(text).unwrap()
    }

    #[test]
    fn the_notation_is_promtools() {
        let cases: [(&str, &[Option<f64>]); 10] = [
            ("", &[]),
            ("7", &[Some(7.0)]),
            ("0.5x2", &[Some(0.5), Some(0.5), Some(0.5)]),
            ("1x0", &[Some(1.0)]),
            ("1+2x2", &[Some(1.0), Some(3.0), Some(5.0)]),
            ("10-1x2", &[Some(10.0), Some(9.0), Some(8.0)]),
            ("_", &[None]),
            ("_x2", &[None, None]),
            ("1e+2x1 _ -3", &[Some(100.0), Some(100.0), None, Some(-3.0)]),
            ("1.5e3-1e2x1", &[Some(1500.0), Some(1400.0)]),
        ];
        for (text, samples) in cases {
            assert_eq!(numbers(text), samples, "{text}");
        }
    }

    #[test]
    fn what_is_no_item_is_named() {
        for item in ["x3", "1x", "-2+-1x1", "1+2", "1+x3", "_3", "a", "1xx2", "1x-2", "1x2x3", "NaN", "1e999"] {
            let text = format!("1 {item} 2");
            assert_eq!(parse(&text), Err(SeriesError::Item { item: item.to_string() }), "{item}");
        }
        assert_eq!(parse("1x999999999"), Err(SeriesError::TooLong));
        assert_eq!(
            parse("1x99999999999999999999999"),
            Err(SeriesError::Item { item: "1x99999999999999999999999".into() })
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            if let Ok(samples) = parse(&text) {
                prop_assert!(samples.len() <= MAX_SAMPLES);
            }
        }

        #[test]
        fn as_many_samples_come_out_as_are_written(first in -1e6..1e6f64, step in 0.0..1e3f64, n in 0usize..50) {
            let samples = numbers(&format!("{first}+{step}x{n}"));
            prop_assert_eq!(samples.len(), n + 1);
            prop_assert_eq!(samples[0], Some(first));
        }
    }
}
