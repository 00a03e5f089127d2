//! Scalars with a unit: durations such as `1h30m`, and sizes such as `512MiB`.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::model::duration;

/// A duration in a file: `30s`, `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
        struct PeriodVisitor;
        impl Visitor<'_> for PeriodVisitor {
            type Value = Period;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `30s` or `5m`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                duration::parse(text).map(Period).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Period, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_str(PeriodVisitor)
    }
}

/// A number of bytes in a file: `512MiB`, `64 KiB`, `1GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

const UNITS: [(&str, u64); 9] = [
    ("b", 1),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tb", 1_000_000_000_000),
    ("tib", 1 << 40),
];

/// Reads a size.
fn parse_size(text: &str) -> Option<Size> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let bytes = number.parse::<u64>().ok()?.checked_mul(*factor)?;
    usize::try_from(bytes).ok().map(Size)
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        struct SizeVisitor;
        impl Visitor<'_> for SizeVisitor {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as `512MiB` or `64KiB`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                parse_size(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(SizeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_binary_and_decimal_units() {
        let cases = [("512MiB", 512 << 20), ("64 KiB", 64 << 10), ("1GB", 1_000_000_000), ("5b", 5), ("2gib", 2 << 30)];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Some(Size(bytes)), "{text}");
        }
        for text in ["", "5", "MiB", "1.5GiB", "-1MiB", "99999999999TiB", "5 M"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
