//! Whole numbers, texts and columns as bytes.
//!
//! Whole numbers are LEB128, signed ones zigzag; a column writes down how it is packed, and is packed as it gets smallest.

use std::collections::HashMap;
use std::sync::Arc;

use pco::standalone::{simple_compress, simple_decompress};
use pco::{ChunkConfig, data_types::Number};

/// Columns of at least so many are worth the look of a compressor.
const WORTH_PACKING: usize = 24;

/// How a column of whole numbers is packed.
mod whole {
    pub(super) const EVEN: u8 = 0;
    pub(super) const STEPS: u8 = 1;
    pub(super) const PACKED: u8 = 2;
}

/// How a column of numbers is packed.
mod number {
    pub(super) const SAME: u8 = 0;
    pub(super) const RAW: u8 = 1;
    pub(super) const PACKED: u8 = 2;
    pub(super) const WHOLE: u8 = 3;
}

/// Bytes that are no block, or one that was changed since it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the block is damaged: {0}")]
pub struct Damaged(pub(super) &'static str);

/// Bytes that are read from their beginning.
#[derive(Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damaged("it ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        self.take(1).map(|byte| byte[0])
    }

    pub(super) fn whole(&mut self) -> Result<u64, Damaged> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Damaged("a number has no end"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, Damaged> {
        let zigzag = self.whole()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// How many there are of something: at most `most`.
    pub(super) fn count(&mut self, most: usize) -> Result<usize, Damaged> {
        let count = usize::try_from(self.whole()?).ok().filter(|count| *count <= most);
        count.ok_or(Damaged("it says that it has more than it may"))
    }

    pub(super) fn number(&mut self) -> Result<f64, Damaged> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(f64::from_le_bytes(bytes))
    }

    fn packed<T: Number>(&mut self, count: usize) -> Result<Vec<T>, Damaged> {
        let length = self.count(self.0.len())?;
        let values = simple_decompress::<T>(self.take(length)?).map_err(|_| Damaged("a column cannot be unpacked"))?;
        if values.len() == count { Ok(values) } else { Err(Damaged("a column has another length")) }
    }

    pub(super) fn wholes(&mut self, count: usize) -> Result<Vec<i64>, Damaged> {
        match self.byte()? {
            whole::EVEN => {
                let (first, step) = (self.signed()?, self.signed()?);
                Ok((0..count).map(|n| first.wrapping_add(step.wrapping_mul(n as i64))).collect())
            }
            whole::STEPS => {
                let mut value = 0_i64;
                let steps = (0..count).map(|_| {
                    value = value.wrapping_add(self.signed()?);
                    Ok(value)
                });
                steps.collect()
            }
            whole::PACKED => self.packed(count),
            _ => Err(Damaged("a column is packed in an unknown way")),
        }
    }

    pub(super) fn numbers(&mut self, count: usize) -> Result<Vec<f64>, Damaged> {
        match self.byte()? {
            number::SAME => Ok(vec![self.number()?; count]),
            number::RAW => (0..count).map(|_| self.number()).collect(),
            number::PACKED => self.packed(count),
            number::WHOLE => Ok(self.wholes(count)?.into_iter().map(|value| value as f64).collect()),
            _ => Err(Damaged("a column is packed in an unknown way")),
        }
    }

    pub(super) fn text(&mut self) -> Result<Arc<str>, Damaged> {
        let length = self.count(self.0.len())?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| Damaged("a text is not UTF-8"))?;
        Ok(text.into())
    }
}

pub(super) fn put_whole(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_whole(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_whole(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The column as the compressor packs it. `None` where there are too few to be worth it.
fn packed<T: Number>(values: &[T], tag: u8) -> Option<Vec<u8>> {
    if values.len() < WORTH_PACKING {
        return None;
    }
    let bytes = simple_compress(values, &ChunkConfig::default()).ok()?;
    let mut out = vec![tag];
    put_bytes(&mut out, &bytes);
    Some(out)
}

fn smallest(ways: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    ways.into_iter().min_by_key(Vec::len).unwrap_or_default()
}

fn is_even(values: &[i64]) -> bool {
    let step = |pair: &[i64]| pair[1].wrapping_sub(pair[0]);
    let mut pairs = values.windows(2);
    let Some(first) = pairs.next().map(step) else { return true };
    pairs.all(|pair| step(pair) == first)
}

pub(super) fn put_wholes(out: &mut Vec<u8>, values: &[i64]) {
    if is_even(values) {
        let first = values.first().copied().unwrap_or_default();
        out.push(whole::EVEN);
        put_signed(out, first);
        put_signed(out, values.get(1).map_or(0, |second| second.wrapping_sub(first)));
        return;
    }
    let mut steps = vec![whole::STEPS];
    let mut before = 0_i64;
    for value in values {
        put_signed(&mut steps, value.wrapping_sub(before));
        before = *value;
    }
    out.extend(smallest(packed(values, whole::PACKED).into_iter().chain([steps])));
}

pub(super) fn put_number(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// The values as whole numbers, where all of them are, and every bit comes back.
fn as_wholes(values: &[f64]) -> Option<Vec<i64>> {
    let whole = |value: &f64| Some(*value as i64).filter(|whole| (*whole as f64).to_bits() == value.to_bits());
    values.iter().map(whole).collect()
}

pub(super) fn put_numbers(out: &mut Vec<u8>, values: &[f64]) {
    let same = values.first().filter(|first| values.iter().all(|value| value.to_bits() == first.to_bits()));
    let wholes = as_wholes(values).map(|wholes| {
        let mut column = vec![number::WHOLE];
        put_wholes(&mut column, &wholes);
        column
    });
    let plain = match same {
        Some(value) => {
            let mut column = vec![number::SAME];
            put_number(&mut column, *value);
            column
        }
        None => {
            let mut column = vec![number::RAW];
            values.iter().for_each(|value| put_number(&mut column, *value));
            column
        }
    };
    let packed = if same.is_none() { packed(values, number::PACKED) } else { None };
    out.extend(smallest(wholes.into_iter().chain(packed).chain([plain])));
}

/// Texts, each written once, and spoken of by its number.
#[derive(Debug, Default)]
pub(super) struct Texts {
    known: HashMap<Arc<str>, u64, foldhash::fast::FixedState>,
    bytes: Vec<u8>,
}

impl Texts {
    pub(super) fn number_of(&mut self, text: &Arc<str>) -> u64 {
        if let Some(number) = self.known.get(text) {
            return *number;
        }
        let number = self.known.len() as u64;
        self.known.insert(text.clone(), number);
        put_bytes(&mut self.bytes, text.as_bytes());
        number
    }

    /// How many, then each.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_whole(out, self.known.len() as u64);
        out.extend_from_slice(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-1000_i32..1000).prop_map(f64::from),
            4 => (0_i32..10_000).prop_map(|n| f64::from(n) / 100.0),
            2 => any::<f64>(),
            1 => Just(-0.0),
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
        ]
    }

    proptest! {
        #[test]
        fn whole_numbers_come_back(values in prop::collection::vec(prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>(), -100_i64..100], 0..200)) {
            let mut out = Vec::new();
            put_wholes(&mut out, &values);
            let mut bytes = Bytes(&out);
            prop_assert_eq!(bytes.wholes(values.len()).unwrap(), values);
            prop_assert!(bytes.0.is_empty());
        }

        #[test]
        fn every_bit_of_a_number_comes_back(values in prop::collection::vec(number(), 0..200), repeated in 0_usize..3) {
            let values: Vec<f64> = values.iter().flat_map(|value| std::iter::repeat_n(*value, repeated + 1)).collect();
            let mut out = Vec::new();
            put_numbers(&mut out, &values);
            let mut bytes = Bytes(&out);
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&bytes.numbers(values.len()).unwrap()), bits(&values));
            prop_assert!(bytes.0.is_empty() && out.len() <= 8 * values.len() + 9);
        }
    }

    #[test]
    fn what_goes_on_evenly_takes_no_room() {
        let mut out = Vec::new();
        put_wholes(&mut out, &(0..1000).map(|n| 1_700_000_000_000_000 + n * 10_000_000).collect::<Vec<_>>());
        put_numbers(&mut out, &vec![0.25; 1000]);
        put_numbers(&mut out, &(0..1000).map(|n| f64::from(n * 20)).collect::<Vec<_>>());
        assert!(out.len() < 32, "{} bytes", out.len());
    }
}
